import type { MirrorStatus } from "../monitor/mirrored_journal.ts";
import { ago } from "./spans.ts";

/** A mirrored journal, in a line: how much of it is here, and when it was last fetched or pushed. */
export function mirrorInWords(mirror: MirrorStatus, now: string): string {
  const { origin, size, theirs, url, lastSyncAt, lastPushAt, records } = mirror;
  const of = theirs !== undefined && theirs !== size ? ` of ${theirs}` : "";
  const came = [
    url === undefined ? "only pushed here" : `fetched ${ago(lastSyncAt, now)}`,
    ...(lastPushAt === undefined ? [] : [`pushed ${ago(lastPushAt, now)}`]),
  ];
  const { recorded, foreign, refused } = records;
  const told = [
    ...(recorded > 0 ? [`cases recorded from it: ${recorded}`] : []),
    ...(foreign > 0 ? [`about logs not followed: ${foreign}`] : []),
    ...(refused > 0 ? [`RECORDS THAT DO NOT HOLD: ${refused}`] : []),
  ];
  return [`${origin}: size ${size}${of}`, ...came, ...told].join(", ");
}
