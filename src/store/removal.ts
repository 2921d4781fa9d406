/**
 * The statement that segments of a journal were removed. It stands in the chain like any other
 * record. It repeats all earlier statements, so only the last one counts.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { MalformedError } from "../tlog/malformed.ts";
import {
  checkMembers,
  listOf,
  object,
  type Shape,
  unexpected,
  wholeNumber,
} from "../tlog/members.ts";
import type { Link } from "../evidence/entry.ts";

/** Neighbouring segments that were removed, and the ends of the chain in them. */
export interface Removal {
  /** Number of the first one. */
  readonly from: number;
  /** Number of the last one. */
  readonly to: number;
  /** What the first entry in them followed. */
  readonly before: Link;
  /** The last entry in them. */
  readonly last: Link;
}

/** The journal's record of all removals, ascending. */
export function formatRemovals(removals: readonly Removal[]): JsonObject {
  const linkOf = ({ seq, hash }: Link): Link => ({ seq, hash });
  return {
    removed: removals.map(({ from, to, before, last }) => ({
      from,
      to,
      before: linkOf(before),
      last: linkOf(last),
    })),
  };
}

/** 64 hex digits. */
export function hashText(value: unknown, name: string): void {
  if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return;
  throw unexpected(value, { name, wanted: "64 hex digits" });
}

const number = wholeNumber({ least: 0 });
/** A place in the chain, as statements have it. */
export const linkShape = object({ must: { seq: number, hash: hashText }, others: "refused" });
const removal = object({
  must: { from: wholeNumber({ least: 1 }), to: number, before: linkShape, last: linkShape },
  others: "refused",
});
const REMOVALS: Shape = { must: { removed: listOf(removal) }, others: "refused" };

/**
 * Reads what `formatRemovals` wrote.
 * @throws MalformedError naming the member that is wrong
 */
export function parseRemovals(record: JsonObject): Removal[] {
  checkMembers(record, { what: "record of removed segments", shape: REMOVALS });
  const removed = record.removed as unknown as Removal[];
  if (removed.length === 0) throw new MalformedError("removed is [], expected segments");
  for (const [i, { from, to, before, last }] of removed.entries()) {
    if (from <= to && before.seq < last.seq) continue;
    throw new MalformedError(
      `removed[${i}] is segment ${from} to ${to}, seq ${before.seq} to ${last.seq}, expected both ` +
        "to ascend",
    );
  }
  return removed;
}
