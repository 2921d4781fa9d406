import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";

/** The checkpoint of a note from the journal; nothing if it does not verify here. */
export function openKept(note: string, log: Log): VerifiedCheckpoint | undefined {
  const opened = openCheckpoint({ note, logs: [log] });
  return "refused" in opened ? undefined : opened[0];
}
