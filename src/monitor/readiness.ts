import { millisecondsBetween } from "../world/time.ts";
import { type LogStatus, nameOf, type Status } from "./status.ts";
import type { Refusal } from "./write_probe.ts";

/** A look that is due, or under way, for longer than this is not made any more. */
export const OVERDUE_MS = 600_000;

/** What a look that showed nothing of the log says. The other results are of a log that is followed. */
const NOT_SEEN: Readonly<Record<string, string>> = {
  unavailable: "cannot be reached, or its answer is no signed checkpoint",
  unverified: "answers with a checkpoint that no known key of it has signed",
  "not written": "could not be looked at: our own disk or database refuses to write",
};

/**
 * Why a daemon is not doing its work now, a sentence each; nothing if it follows its logs and can write.
 * It is said of what was looked at: a daemon that has not looked yet is not ready. A log that misbehaves,
 * or stands still, is followed all the same.
 * @param refusal why a folder could not be written just now, if one could not
 */
export function reasonsNotReady(status: Status, refusal: Refusal): string[] {
  const { logs, witness, unwritten } = status;
  const reasons = logs.flatMap((log) => reasonOf(log, status) ?? []);
  if (logs.length === 0 && (witness?.logs ?? 0) === 0) reasons.unshift("no log is followed");
  if (unwritten) reasons.unshift("a proven conflict could not be written: the disk refuses");
  if (refusal !== undefined) reasons.unshift(`a folder cannot be written: ${refusal}`);
  return reasons;
}

function reasonOf(log: LogStatus, status: Status): string | undefined {
  const { lastResult, lastLookAt, nextLookAt } = log;
  const name = `log ${nameOf(log, status)}`;
  if (lastResult === undefined || lastLookAt === undefined) return `${name} was not looked at yet`;
  const says = NOT_SEEN[lastResult];
  if (says !== undefined) return `${name} ${says}`;
  if (millisecondsBetween(nextLookAt ?? lastLookAt, status.now) <= OVERDUE_MS) return undefined;
  return `${name} is looked at no more: the last look was at ${lastLookAt}`;
}
