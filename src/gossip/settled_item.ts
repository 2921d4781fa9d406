import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { type Head, headKey } from "../evidence/head.ts";
import { base64, MAX_TREE_SIZE, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { logHash } from "./follows_item.ts";
import type { Item, Kind } from "./kind.ts";

/** How a checkpoint stands with a monitor. A checkpoint that is contradicted is told by its evidence alone. */
export const STANDINGS = [
  /** proven to be part of the history of the monitor's view */
  "consistent",
  /** an open question: the monitor settles it when its view reaches it and there is a proof */
  "open",
  /** neither: the monitor was not told it, had no room for it, or keeps no view */
  "unknown",
] as const;
/** One of STANDINGS. */
export type Standing = (typeof STANDINGS)[number];

/** A checkpoint of a log, without its signature. */
export interface HeadOfLog extends Head {
  readonly log: Log;
}

/** A checkpoint, and how it stands with a monitor. */
export interface HeadStanding extends HeadOfLog {
  readonly standing: Standing;
}

/** The byte of a checkpoint that is asked about. Those of the standings follow it. */
const ASKS = 0;
const SIZE_BYTES = 8;
const LOG_AT = 1;
const SIZE_AT = LOG_AT + HASH_BYTES;
const ROOT_AT = SIZE_AT + SIZE_BYTES;
/** Bytes of one checkpoint in the item: uint8 standing | log hash | uint64 size | root. */
const ENTRY_BYTES = ROOT_AT + HASH_BYTES;

/** Most checkpoints in one item. The answer fits a parcel beside as many records as that may have. */
export const MAX_HEADS_ASKED = 128;

/**
 * Checkpoints that its sender asks about, or what it claims about them: whether they are settled by
 * its view. Nothing in it is verified. Each checkpoint costs as much as a signature, because it is
 * looked up in the index. Whoever asks names the log, and so is answered with the evidence about it.
 */
export const SETTLED: Kind = {
  byte: 7,
  what: "list of checkpoints",
  maxBytes: MAX_HEADS_ASKED * ENTRY_BYTES,
  isOnce: true,
  cost: 4,
  isJson: false,
  lookUpBytes: ENTRY_BYTES,

  hear({ body, party, hearing }) {
    if (body.length % ENTRY_BYTES !== 0) {
      throw new MalformedError(
        `${body.length} bytes came, expected ${ENTRY_BYTES} for each checkpoint`,
      );
    }
    const asked: HeadStanding[] = [];
    const claims: HeadStanding[] = [];
    const logs = new Map(party.judge.logs.map((log) => [encodeHex(logHash(log)), log]));
    for (let at = 0; at < body.length; at += ENTRY_BYTES) {
      const { word, logName, head } = readEntry(body.subarray(at, at + ENTRY_BYTES));
      const log = logs.get(logName);
      if (log === undefined) continue;
      const claimed = STANDINGS[word - 1];
      if (claimed !== undefined) claims.push({ log, ...head, standing: claimed });
      if (word !== ASKS) continue; // A later version may have more words.
      hearing.named.add(log);
      // It is looked up before the conflicts found so far are written. So one that is not open any
      // more because it is contradicted has its record in this same answer.
      asked.push({ log, ...head, standing: party.standing(log, head) });
    }
    Object.assign(hearing, { asked, claims });
  },

  *answer({ asked }) {
    if (asked !== undefined) yield settledItem(asked);
  },
};

/**
 * These checkpoints as an item. Those without a standing are asked about. If there are more than
 * MAX_HEADS_ASKED, the first are taken.
 */
export function settledItem(heads: readonly (HeadOfLog | HeadStanding)[]): Item<"settled"> {
  const entries = heads.slice(0, MAX_HEADS_ASKED).map((head) => {
    const entry = new Uint8Array(ENTRY_BYTES);
    entry[0] = "standing" in head ? 1 + STANDINGS.indexOf(head.standing) : ASKS;
    entry.set(logHash(head.log), LOG_AT);
    new DataView(entry.buffer).setBigUint64(SIZE_AT, head.treeSize);
    entry.set(strictBase64(head.root), ROOT_AT);
    return entry;
  });
  return { kind: "settled", body: concat(entries) };
}

/** A checkpoint of a log as one text, for use as a key. */
export function headOfLogKey({ log, ...head }: HeadOfLog): string {
  return `${headKey(head)} ${log.id}`;
}

/** @throws MalformedError for a size that no tree has */
function readEntry(entry: Uint8Array): { word: number; logName: string; head: Head } {
  const treeSize = new DataView(entry.buffer, entry.byteOffset).getBigUint64(SIZE_AT);
  if (treeSize > MAX_TREE_SIZE) {
    throw new MalformedError(`a tree size is ${treeSize}, expected at most ${MAX_TREE_SIZE}`);
  }
  return {
    word: entry[0]!,
    logName: encodeHex(entry.subarray(LOG_AT, SIZE_AT)),
    head: { treeSize, root: base64(entry.subarray(ROOT_AT)) },
  };
}
