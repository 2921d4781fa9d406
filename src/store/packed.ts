/**
 * Packs what the index holds millions of into fewer bytes. If the shorter form of a text would not
 * give back exactly that text, the text stays as it is.
 *
 * @module
 */
import { base64, strictBase64 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { exactMilliseconds, timeOf } from "../world/time.ts";
import type { SqlValue } from "../world/world.ts";

/** The first three lines of a checkpoint's note. */
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

/**
 * A time as milliseconds since 1970. A time that is not spelled with exactly milliseconds stays a
 * text.
 */
export function packTime(at: string): bigint | string {
  const ms = exactMilliseconds(at);
  return ms === undefined ? at : BigInt(ms);
}

/** The time of `packTime`. */
export function unpackTime(packed: SqlValue): string {
  return typeof packed === "string" ? packed : timeOf(Number(packed));
}

/**
 * A note as the bytes of its signature, if it has no extension lines and the log's signature alone.
 * Any other note stays a text.
 */
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

/**
 * What stands around the signature (C2SP signed-note), if the key's name is the origin, as it
 * almost always is.
 */
function aroundSignature({ origin, size, root }: PackedWith): [string, string] {
  return [`${origin}\n${size}\n${root}\n\n— ${origin} `, "\n"];
}
