import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { utf8 } from "../tlog/encoding.ts";
import { HASH_BYTES, sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { encodedKey } from "../tlog/vkey.ts";
import { HashList } from "./hash_list.ts";
import type { Item, Kind } from "./kind.ts";
import { noteItem } from "./note_item.ts";

/**
 * The logs that its sender follows, or, in an answer, the logs that both follow. Each log is given
 * by its hash, so that an end learns nothing about a log that it does not follow. The item has room
 * for as many logs as one exchange has frames. It costs little, because nothing in it is verified.
 */
export const FOLLOWS: Kind = {
  byte: 5,
  what: "list of logs",
  maxBytes: 32 * 1024,
  isOnce: true,
  cost: 4,
  isJson: false,

  hear({ body, party: { judge }, hearing }) {
    if (body.length % HASH_BYTES !== 0) {
      throw new MalformedError(`${body.length} bytes came, expected ${HASH_BYTES} for each log`);
    }
    // Hashes of other logs are ignored.
    const named = new HashList(body);
    hearing.follows = new Set(judge.logs.filter((log) => named.has(encodeHex(logHash(log)))));
  },

  // Signed checkpoints that are not reconciled are shown too, because the other end may hold the
  // other half. A caller that nobody calls can learn of them only here.
  *answer({ follows }, party) {
    if (follows === undefined) return;
    yield followsItem(follows);
    const open = [...follows].map((log) => party.unreconciled(log));
    const longest = Math.max(0, ...open.map(({ length }) => length));
    // The logs take turns, so that a limit affects all of them alike.
    for (let turn = 0; turn < longest; turn++) {
      for (const checkpoint of open.flatMap((ofLog) => ofLog[turn] ?? [])) {
        yield noteItem(checkpoint);
      }
    }
  },
};

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

/** These logs as an item. If not all fit, the first ones are taken. */
export function followsItem(logs: Iterable<Log>): Item<"follows"> {
  const most = Math.floor(FOLLOWS.maxBytes / HASH_BYTES);
  return { kind: "follows", body: concat([...logs].slice(0, most).map(logHash)) };
}
