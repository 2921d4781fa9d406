/**
 * The entry of a hash-chained journal, and how one follows another (PROTOCOL section 13). Pure: whoever
 * has a line can judge it, whether it comes from this disk, from a peer or from a stranger's file.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import { utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import {
  anyText,
  checkMembers,
  isObject,
  object,
  type Shape,
  wholeNumber,
} from "../tlog/members.ts";
import { type JsonObject, parseExactJson } from "./json.ts";

/** Longest entry read or written. Two notes of the largest size fit, escaped. */
export const MAX_ENTRY_BYTES = 4 * 1024 * 1024;
/** `prev_hash` of the first entry. */
export const FIRST_PREV_HASH = "0".repeat(64);

/** A place in the chain: the seq and hash of an entry, which the next one follows. */
export interface Link {
  readonly seq: number;
  /** 64 hex digits. */
  readonly hash: string;
}

/** What the very first entry follows. */
export const FIRST_LINK: Link = { seq: 0, hash: FIRST_PREV_HASH };

/** One line of a journal. */
export interface Entry {
  /** From 1, without gaps. */
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly recorded_at: string;
  readonly record: JsonObject;
  /** Hash of the entry before, or FIRST_PREV_HASH. */
  readonly prev_hash: string;
  /** SHA-256, in hex, of the entry's canonical JSON without this member. */
  readonly hash: string;
}

/** The hash of an entry, over its canonical JSON (RFC 8785) without `hash`. */
export function entryHash(entry: Omit<Entry, "hash">): string {
  return hashOf(canonicalBody(entry));
}

/** An entry's canonical JSON without `hash`. */
export function canonicalBody(
  { seq, recorded_at, record, prev_hash }: Omit<Entry, "hash">,
): string {
  return canonicalize({ seq, recorded_at, record, prev_hash });
}

/** The hash of an entry whose canonical JSON without `hash` this is. */
export function hashOf(body: string): string {
  return encodeHex(sha256(utf8(body)));
}

/**
 * An entry's canonical JSON. `hash` sorts before its other members, so the body follows unchanged.
 */
export function lineOf(body: string, hash: string): string {
  return `${lineStart(hash)}${body.slice(1)}\n`;
}

function lineStart(hash: string): string {
  return `{"hash":"${hash}",`;
}

/**
 * Reads one entry and checks its own hash. `readEntries` checks that it follows the entry before.
 * @throws MalformedError naming what is wrong
 */
export function parseEntry(text: string): Entry {
  const entry = entryOf(parseExactJson(text, Infinity));
  const computed = entryHash(entry);
  if (entry.hash !== computed) {
    throw new MalformedError(`hash is ${entry.hash}, computed ${computed}`);
  }
  return entry;
}

/**
 * Reads one entry in canonical JSON, as `parseEntry` does, in half the time. A canonical text has
 * no member twice, and its hash is over the text itself.
 * @throws MalformedError naming what is wrong
 */
export function parseCanonicalEntry(text: string): Entry {
  let members: unknown;
  let canonical = false;
  try {
    members = JSON.parse(text);
    canonical = canonicalize(members) === text;
  } catch {
    // It is not JSON, or has no canonical form. `parseEntry` says what is wrong.
  }
  if (!canonical || !isObject(members)) {
    parseEntry(text);
    throw new MalformedError("not in canonical JSON");
  }
  const entry = entryOf(members);
  const computed = hashOf(`{${text.slice(lineStart(entry.hash).length)}`);
  if (entry.hash !== computed) {
    throw new MalformedError(`hash is ${entry.hash}, computed ${computed}`);
  }
  return entry;
}

const ENTRY: Shape = {
  must: {
    seq: wholeNumber(),
    recorded_at: anyText,
    record: object({ must: {}, others: "kept" }),
    prev_hash: anyText,
    hash: anyText,
  },
  others: "refused",
};

/** Checks that an entry has its members, of the right types, and no others. */
function entryOf(members: JsonObject): Entry {
  checkMembers(members, { what: "entry", shape: ENTRY });
  return members as unknown as Entry;
}

/**
 * Checks that an entry follows another one.
 * @throws MalformedError naming what is wrong
 */
export function expectFollows(
  entry: Pick<Entry, "seq" | "hash" | "prev_hash">,
  last: Link,
): void {
  if (entry.seq !== last.seq + 1) {
    throw new MalformedError(`seq is ${entry.seq}, expected ${last.seq + 1}`);
  }
  if (entry.prev_hash !== last.hash) {
    throw new MalformedError(`prev_hash is ${entry.prev_hash}, expected ${last.hash}`);
  }
}
