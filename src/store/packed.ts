/**
 * How the index spells what it holds millions of: the same texts in fewer bytes. A text that has no
 * shorter form which leads back to exactly itself stays as it is.
 *
 * @module
 */
import { base64, strictBase64 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { exactMilliseconds, timeOf } from "../world/time.ts";
import type { SqlValue } from "../world/world.ts";

/** A checkpoint's text, as its note begins with it. */
export interface PackedWith {
  readonly origin: string;
  readonly size: bigint | string;
  /** Base64 of 32 bytes. */
  readonly root: string;
}

/** The bytes of a root. */
export function packRoot(root: string): Uint8Array {
  return strictBase64(root);
}

/** The root of `packRoot`. */
export function unpackRoot(packed: SqlValue): string {
  return base64(packed as Uint8Array);
}

/** Milliseconds since 1970, of a time with milliseconds. */
export function packTime(at: string): bigint | string {
  const ms = exactMilliseconds(at);
  return ms === undefined ? at : BigInt(ms);
}

/** The time of `packTime`. */
export function unpackTime(packed: SqlValue): string {
  return typeof packed === "string" ? packed : timeOf(Number(packed));
}

/** The signature's bytes, of a note that has no extension lines and the log's signature alone. */
export function packNote(note: string, checkpoint: PackedWith): Uint8Array | string {
  const [before, after] = aroundSignature(checkpoint);
  if (!note.startsWith(before) || !note.endsWith(after)) return note;
  try {
    return strictBase64(note.slice(before.length, -after.length));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return note;
  }
}

/** The note of `packNote`. */
export function unpackNote(packed: SqlValue, checkpoint: PackedWith): string {
  if (typeof packed === "string") return packed;
  const [before, after] = aroundSignature(checkpoint);
  return before + base64(packed as Uint8Array) + after;
}

/** C2SP signed-note, where the key has the log's name, as it almost always has. */
function aroundSignature({ origin, size, root }: PackedWith): [string, string] {
  return [`${origin}\n${size}\n${root}\n\n— ${origin} `, "\n"];
}
