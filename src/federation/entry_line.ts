/**
 * The chain of a journal, read off the bytes of its lines. An entry's line has one spelling (PROTOCOL
 * section 13), so its hash, the hash before it and its number stand at fixed places, and the hash is
 * over the line itself. A mirror looks at these alone: whether the record between them is one, those
 * say who use it. To parse each record would cost several times as much as all the rest.
 *
 * @module
 */
import { expectFollows, type Link } from "../evidence/entry.ts";
import { sha256Hex } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";

/** How each line begins. */
const START = /^\{"hash":"([0-9a-f]{64})","prev_hash":"([0-9a-f]{64})","record":\{/;
/** How each line ends. */
const END = /\},"recorded_at":"[^"\\]{1,64}","seq":([1-9][0-9]{0,15})\}$/;
/** Bytes of `{"hash":"…"`. The hash is over what follows, with a brace in place of the comma. */
const HASH_MEMBER_BYTES = 74;
/** Longer than what START and END match. */
const START_BYTES = 176;
const END_BYTES = 128;
const BRACE = 0x7b;
const latin1 = new TextDecoder("latin1");

/**
 * Checks that a line is the entry that follows another one.
 * @param line without its newline
 * @returns its place in the chain
 * @throws MalformedError naming what is wrong
 */
export function followingLink(line: Uint8Array, last: Link): Link {
  const start = latin1.decode(line.subarray(0, START_BYTES));
  const [, hash, prev_hash] = START.exec(start) ?? [];
  const [, seq] = END.exec(latin1.decode(line.subarray(-END_BYTES))) ?? [];
  if (hash === undefined || prev_hash === undefined || seq === undefined) {
    throw new MalformedError(`it begins with ${quoted(start.slice(0, 40))} and is no entry`);
  }
  const link = { seq: Number(seq), hash };
  expectFollows({ ...link, prev_hash }, last);
  const body = line.slice(HASH_MEMBER_BYTES);
  body[0] = BRACE;
  const computed = sha256Hex(body);
  if (computed === hash) return link;
  throw new MalformedError(`hash is ${hash}, computed ${computed}`);
}
