import type { MirrorStatus } from "../monitor/mirrored_journal.ts";
import { ago } from "./spans.ts";

/** How a sync ends that has fetched all there was. */
const WELL: readonly (string | undefined)[] = ["synced", "up to date", undefined];
/** The end of the origin of a journal that is not the first one of its monitor. */
const EPOCH = /\/incidents\/\d+$/;

/** A mirrored journal, in a line: how much of it is here, and when it was last fetched or pushed. */
export function mirrorInWords(mirror: MirrorStatus, now: string): string {
  const { origin, size, theirs, url, lastOutcome, lastSyncAt, lastPushAt, records } = mirror;
  const isLess = theirs !== undefined && isBelow(theirs, size);
  const of = theirs === undefined || theirs === size
    ? ""
    : isLess
    ? `, of which it shows ${theirs}`
    : ` of ${theirs}`;
  const asked = ago(lastSyncAt, now);
  const came = [
    ...(EPOCH.test(origin) ? ["begun anew"] : []),
    url === undefined
      ? "only pushed here"
      : WELL.includes(lastOutcome)
      ? `fetched ${asked}`
      : `asked in vain ${asked}`,
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

/** Whether a size is below another. A status may come from anybody, so either may be none. */
function isBelow(size: string, other: string): boolean {
  return [size, other].every((text) => /^\d+$/.test(text)) && BigInt(size) < BigInt(other);
}
