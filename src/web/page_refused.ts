/**
 * What was shown of a log and is not accepted: the other half of a case, or what a frozen log shows.
 *
 * @module
 */
import type { RecordedHead } from "../evidence/record.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import type { LogStatus } from "../monitor/status.ts";
import { isTheLog, THE_LOG } from "../monitor/the_log.ts";

/** A checkpoint that was shown and is not accepted. */
export interface Refused {
  /** Decimal. */
  readonly size: string;
  /** Base64. */
  readonly root: string | undefined;
  /** Who showed it. */
  readonly by: string;
  /** Whether it is in a case; otherwise it only came after the log was frozen. */
  readonly contradicts: boolean;
}

/** One half of a case. */
interface Half extends RecordedHead {
  readonly by: string;
}

/** What is not accepted of a log, as these cases and its status tell, each once. */
export function refusedOf(log: LogStatus, cases: readonly ReadCase[]): readonly Refused[] {
  const ofCases = cases.filter(({ record }) => isAbout(record.log, log)).flatMap(({ record }) => {
    const a = { ...record.checkpoint_a, by: record.source_a };
    const b = { ...record.checkpoint_b, by: record.source_b };
    return [
      ...(isRefused(a, { other: b, log }) ? [a] : []),
      ...(isRefused(b, { other: a, log }) ? [b] : []),
    ];
  }).map(({ size, root, by }) => ({ size, root, by, contradicts: true }));
  const { freeze, seenSize, seenRoot, size } = log;
  const isSeen = freeze !== undefined && seenSize !== undefined && seenSize !== size &&
    !ofCases.some((one) => one.size === seenSize && one.root === seenRoot);
  const all: readonly Refused[] = [
    ...(isSeen ? [{ size: seenSize, root: seenRoot, by: THE_LOG, contradicts: false }] : []),
    ...ofCases,
  ];
  const known = new Set<string>();
  return all.filter(({ size, root, by }) => {
    const name = [size, root, by].join("\n");
    return known.size < known.add(name).size;
  });
}

/** Whether a log of a record is this one. */
export function isAbout(
  one: { origin: string; vkey: string },
  { origin, vkey }: LogStatus,
): boolean {
  return one.origin === origin && one.vkey === vkey;
}

/**
 * Whether a half of a case is the one that this monitor has not accepted. A record does not say it: so
 * it is said only where the other half is what is accepted, where this one is beyond that, or where
 * only the other one came from the log itself.
 */
function isRefused(half: Half, { other, log }: { other: Half; log: LogStatus }): boolean {
  const isAccepted = ({ size, root }: RecordedHead): boolean =>
    size === log.size && root === log.root;
  if (isAccepted(half)) return false;
  if (isAccepted(other) || log.size === undefined) return true;
  return isLarger(half.size, log.size) || (isTheLog(other.by) && !isTheLog(half.by));
}

/** Compares decimals, which are without leading zeros. */
function isLarger(one: string, other: string): boolean {
  return one.length === other.length ? one > other : one.length > other.length;
}
