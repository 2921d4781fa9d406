/**
 * The project's own lines: what was gathered (a note, a frame or a proof), conflict records, and
 * entries of journals, which hold records or observations.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { isKnownVersion } from "../evidence/record.ts";
import { FRAME_BYTES } from "../tlog/frame.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { anyText, isObject, unexpected } from "../tlog/members.ts";
import { readProof } from "../tlog/stated_proof.ts";
import { type Found, openNote, openOneFrame, type Reading } from "./found.ts";
import type { JsonKind } from "./kinds.ts";

type JsonObject = Readonly<Record<string, unknown>>;

const MEMBERS = ["note", "frame", "proof"];

/** A line as `hearsay gather` writes it: a note, a frame or a proof, and where it came from. */
export const hearsayLine: JsonKind = {
  name: "gathered lines",
  isLoose: true,
  recognizes: (object) => MEMBERS.some((member) => Object.hasOwn(object, member)),
  read: readLine,
};

function readLine(line: JsonObject, { logs, where }: Reading): Found[] {
  const came = MEMBERS.filter((member) => Object.hasOwn(line, member));
  if (came.length !== 1) throw notOneOf(came);
  const { note, frame, source = where } = line;
  anyText(source, "source");
  if (note !== undefined) {
    anyText(note, "note");
    return [openNote({ note, source, logs })];
  }
  if (frame !== undefined) {
    if (typeof frame !== "string" || !/^([0-9a-fA-F]{2})*$/.test(frame)) {
      throw unexpected(frame, { name: "frame", wanted: `${2 * FRAME_BYTES} hex digits` });
    }
    return [openOneFrame({ frame: decodeHex(frame), source, logs })];
  }
  return [{ kind: "proof", read: () => readProof(line, logs), source }];
}

/** The error for a line that has not exactly one of the three members. */
export function notOneOf(came: readonly string[]): MalformedError {
  return new MalformedError(
    `expected one of the members ${MEMBERS.join(", ")}; it has ${came.join(" and ") || "none"}`,
  );
}

/**
 * A conflict record, or an entry of a journal. What they hold is judged anew, like anything else:
 * their notes are opened, and their proof is followed. So nothing else in them needs to hold.
 */
export const hearsayRecord: JsonKind = {
  name: "records and journal entries",
  recognizes: (object) => isKnownVersion(object.version) || isEntry(object),
  read(object, reading) {
    const record = isEntry(object) ? object.record : object;
    if (!isObject(record)) return [];
    return isKnownVersion(record.version)
      ? readRecord(record, reading)
      : readObservation(record, reading);
  },
};

function isEntry(object: JsonObject): boolean {
  return ["seq", "recorded_at", "record", "prev_hash", "hash"].every((member) =>
    Object.hasOwn(object, member)
  );
}

/** Both notes of a record, and its proof if it has one. */
function readRecord(record: JsonObject, { logs, where }: Reading): Found[] {
  const halves = [["checkpoint_a", "source_a"], ["checkpoint_b", "source_b"]] as const;
  const found = halves.map(([member, named]) => {
    const checkpoint = record[member];
    const { note, [named]: source = where } = {
      ...(isObject(checkpoint) ? checkpoint : {}),
      [named]: record[named],
    };
    anyText(note, `${member}.note`);
    anyText(source, named);
    return openNote({ note, source, logs });
  });
  if (!isObject(record.consistency)) return found;
  return [...found, { kind: "proof", read: () => readProof(proofOf(record), logs), source: where }];
}

/** The proof of a record of two sizes, in the form in which proofs are stated. */
function proofOf(record: JsonObject): JsonObject {
  const { log, checkpoint_a: a, checkpoint_b: b, consistency } = record;
  if (!isObject(log) || !isObject(a) || !isObject(b) || !isObject(consistency)) {
    throw new MalformedError("expected the members log, checkpoint_a, checkpoint_b, consistency");
  }
  const { implied_root: root, proof } = consistency;
  const [older, newer] = isBelow(a.size, b.size) ? [a, b] : [b, a];
  return { log: notationOf(log), older: { size: older.size, root }, newer, proof };
}

/** Whether the one decimal is smaller than the other. Anything else is found out by `readProof`. */
function isBelow(a: unknown, b: unknown): boolean {
  if (typeof a !== "string" || typeof b !== "string") return true;
  return a.length === b.length ? a < b : a.length < b.length;
}

function notationOf({ vkey, origin }: JsonObject): unknown {
  if (typeof vkey !== "string" || typeof origin !== "string") return undefined;
  return vkey.startsWith(`${origin}+`) ? vkey : `${vkey} ${origin}`;
}

/** The note of an observation, whole or shortened (PROTOCOL section 13). */
function readObservation({ checkpoint, source }: JsonObject, reading: Reading): Found[] {
  const note = isObject(checkpoint) ? checkpoint.note : checkpoint;
  if (note === undefined) return []; // It states no checkpoint.
  anyText(note, "checkpoint");
  const from = typeof source === "string" ? source : reading.where;
  return [openNote({ note, source: from, logs: reading.logs })];
}
