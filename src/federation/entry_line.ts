/**
 * The chain of a journal, read off the bytes of its lines. An entry's line has one spelling (PROTOCOL
 * section 13), so its hash, the hash before it and its number stand at fixed places, and the hash is
 * over the line itself. A mirror looks at these alone: whether the record between them is one, those
 * say who use it.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { expectFollows, type Link } from "../evidence/entry.ts";
import { sha256 } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";

/** How each line begins. */
const START = /^\{"hash":"([0-9a-f]{64})","prev_hash":"([0-9a-f]{64})","record":\{/;
/** How each line ends. */
const END = /\},"recorded_at":"[^"\\]{1,64}","seq":([1-9][0-9]{0,15})\}$/;
/** Bytes of `{"hash":"…",`, which the hash does not cover. */
const HASH_MEMBER_BYTES = 75;
/** Longer than what START and END match. */
const START_BYTES = 176;
const END_BYTES = 128;
/** What the rest of the line follows where it is hashed. */
const OPENING = new Uint8Array([0x7b]);

/**
 * Checks that a line is the entry that follows another one.
 * @param line without its newline
 * @returns its place in the chain
 * @throws MalformedError naming what is wrong
 */
export function followingLink(line: Uint8Array, last: Link): Link {
  const start = asciiOf(line.subarray(0, START_BYTES));
  const [, hash, prev_hash] = START.exec(start) ?? [];
  const [, seq] = END.exec(asciiOf(line.subarray(-END_BYTES))) ?? [];
  if (hash === undefined || prev_hash === undefined || seq === undefined) {
    throw new MalformedError(`it begins with ${quoted(start.slice(0, 40))} and is no entry`);
  }
  const link = { seq: Number(seq), hash };
  expectFollows({ ...link, prev_hash }, last);
  const computed = encodeHex(sha256(concat([OPENING, line.subarray(HASH_MEMBER_BYTES)])));
  if (computed === hash) return link;
  throw new MalformedError(`hash is ${hash}, computed ${computed}`);
}

/** The characters of bytes, one for each. */
function asciiOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
