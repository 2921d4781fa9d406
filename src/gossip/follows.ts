/**
 * Which logs two monitors both follow: each names its logs by a hash, so that neither has to tell the
 * other about a log that it does not follow.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { utf8 } from "../tlog/encoding.ts";
import { HASH_BYTES, sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { encodedKey } from "../tlog/vkey.ts";
import { HashList } from "./hash_list.ts";
import type { ParcelItem } from "./parcel.ts";

const hashes = new WeakMap<Log, Uint8Array>();

/**
 * The hash that names a log (PROTOCOL section 2): SHA-256, 32 bytes, over three lines, each
 * ended by a newline: the domain `hearsay/log/v1`, base64 of the key's type byte and key, and
 * the origin.
 */
export function logHash(log: Log): Uint8Array {
  const known = hashes.get(log);
  if (known !== undefined) return known;
  const hash = sha256(utf8(`hearsay/log/v1\n${encodedKey(log.vkey)}\n${log.origin}\n`));
  hashes.set(log, hash);
  return hash;
}

/** These logs as an item, as many as fit: the first ones. */
export function followsItem(
  logs: Iterable<Log>,
  { maxFollowsItemBytes }: { maxFollowsItemBytes: number },
): ParcelItem {
  const most = Math.floor(maxFollowsItemBytes / HASH_BYTES);
  return { kind: "follows", body: concat([...logs].slice(0, most).map(logHash)) };
}

/**
 * The logs of ours that an item names; what it names besides is nobody's business here.
 * @throws MalformedError if it is no list of hashes
 */
export function readFollows(body: Uint8Array, logs: readonly Log[]): Set<Log> {
  if (body.length % HASH_BYTES !== 0) {
    throw new MalformedError(`${body.length} bytes came, expected ${HASH_BYTES} for each log`);
  }
  const named = new HashList(body);
  return new Set(logs.filter((log) => named.has(encodeHex(logHash(log)))));
}
