/**
 * What every engine of a shared database does alike, so that what passes in tests passes in production.
 *
 * @module
 */
import { type SqlValue, WorldError } from "./world.ts";

/** How long a statement may take, with the wait for a connection and for what others have locked. */
export const STATEMENT_LIMIT_MS = 10_000;

/** The longest word that can be told: PostgreSQL's NOTIFY takes less than 8,000 bytes. */
export const MAX_WORD_BYTES = 7_999;

/** What a transaction says to who uses it after its end. */
export const IS_OVER = "the transaction is over";

/**
 * A value as it is sent: a whole number as a bigint, so that every engine takes it for an integer.
 * @throws WorldError for a text with a NUL, which PostgreSQL cannot hold
 */
export function sentValue(value: SqlValue): SqlValue {
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === "string" && value.includes("\0")) {
    throw new WorldError("other", "a shared database holds no text with a NUL character");
  }
  return value;
}

/** @throws WorldError if the word is too long to be told */
export function checkWord(word: string): void {
  const { length } = new TextEncoder().encode(word);
  if (length <= MAX_WORD_BYTES) return;
  throw new WorldError(
    "too large",
    `a word of ${length} bytes: at most ${MAX_WORD_BYTES} are told`,
  );
}
