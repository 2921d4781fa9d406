/**
 * The statement that segments of a journal were removed. It stands in the chain like any other
 * record, and repeats what earlier ones said, so that only the last one counts.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Link } from "./journal.ts";

/** Neighbouring segments that were removed, and the ends of the chain in them. */
export interface Removal {
  /** Number of the first one. */
  readonly from: number;
  /** Number of the last one. */
  readonly to: number;
  /** What the first entry in them followed on. */
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

/** Reads what `formatRemovals` wrote. @throws MalformedError for anything else */
export function parseRemovals({ removed, ...rest }: JsonObject): Removal[] {
  const removals = Array.isArray(removed) ? removed as unknown[] : [];
  if (removals.length === 0 || Object.keys(rest).length > 0 || !removals.every(isRemoval)) {
    throw new MalformedError(
      "expected a record of removed segments: from, to, before and last of each",
    );
  }
  return removals;
}

function isRemoval(value: unknown): value is Removal {
  const { from, to, before, last, ...rest } = (value ?? {}) as JsonObject;
  return isCount(from) && isCount(to) && 1 <= from && from <= to && isLink(before) &&
    isLink(last) && before.seq < last.seq && Object.keys(rest).length === 0;
}

function isLink(value: unknown): value is Link {
  const { seq, hash, ...rest } = (value ?? {}) as JsonObject;
  return isCount(seq) && typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash) &&
    Object.keys(rest).length === 0;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
