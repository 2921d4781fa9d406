/**
 * Rows of the shared store, into what they say. Whoever can write to the database can put anything
 * there, so each value is looked at, and a row that is wrong spoils no other one.
 *
 * @module
 */
import { type Result, RESULTS } from "../evidence/result.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES, parseNote } from "../tlog/note.ts";
import type { SqlRow } from "../world/world.ts";
import { MAX_KEY_BYTES } from "./shared_schema.ts";
import type { DamagedRow, SharedCheckpoint } from "./shared_types.ts";

/**
 * Whether a log can be shared. Its id is part of keys, whose length is limited; a log with a longer
 * one is looked at and remembered by each site alone.
 */
export function isShareable(logId: string): boolean {
  return fitsKey(logId);
}

/** Whether a text can be part of a key of the database. */
export function fitsKey(text: string): boolean {
  return utf8(text).length <= MAX_KEY_BYTES && !text.includes("\0") && text.isWellFormed();
}

/** Reads a row; if it is wrong, says what is. */
export function orDamaged<T>(row: SqlRow, read: (row: SqlRow) => T): T | DamagedRow {
  try {
    return read(row);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { damaged: error.message };
  }
}

/** A text of a row. @throws MalformedError if it is none */
export function textIn(row: SqlRow, name: string): string {
  const value = row[name];
  if (typeof value === "string") return value;
  throw new MalformedError(`${name} is ${spelled(value)}, expected a text`);
}

/** A whole number of a row, from 0. @throws MalformedError if it is none */
export function countIn(row: SqlRow, name: string): bigint {
  const value = row[name];
  if (typeof value === "bigint" && value >= 0n) return value;
  throw new MalformedError(`${name} is ${spelled(value)}, expected a whole number from 0`);
}

/** A whole number of a row, from 0, that JavaScript's numbers hold. @throws MalformedError */
export function numberIn(row: SqlRow, name: string): number {
  const count = countIn(row, name);
  if (count <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(count);
  throw new MalformedError(`${name} is ${count}, expected less than 2^53`);
}

/** The result in a row. @throws MalformedError if there is no such result */
export function resultIn(row: SqlRow): Result {
  const value = textIn(row, "result");
  const result = RESULTS.find((known) => known === value);
  if (result !== undefined) return result;
  throw new MalformedError(`result is ${quoted(value)}, expected one of RESULTS`);
}

/**
 * The checkpoint of a log in a row: its size, root and note.
 * @throws MalformedError if the note does not state that origin, size and root
 */
export function checkpointIn(row: SqlRow, log: string): SharedCheckpoint {
  const treeSize = countIn(row, "size");
  const [root, note] = [textIn(row, "root"), textIn(row, "note")];
  const stated = parseCheckpointText(parseNote(note).text);
  const origin = originOf(log);
  if (stated.origin !== origin) {
    throw new MalformedError(
      `note is about ${quoted(stated.origin)}, expected the log's origin, ${quoted(origin)}`,
    );
  }
  const statedRoot = base64(stated.rootHash);
  if (stated.treeSize === treeSize && statedRoot === root) return { treeSize, root, note };
  throw new MalformedError(
    `note states size ${stated.treeSize} and root ${statedRoot}, the row size ${treeSize} and ` +
      `root ${quoted(root)}`,
  );
}

/**
 * The SQL of a note that is read no further than a note can be long: a longer one comes as null. Whoever
 * can write in the database could fill the memory of every daemon with it.
 */
export function noteColumn(column: string): string {
  return `case when octet_length(${column}) <= ${MAX_NOTE_BYTES} then ${column} end`;
}

/**
 * A site's name for people: from a row in which it may be missing. One that is no name of a monitor, too
 * long or with characters that a terminal would obey, is not repeated.
 */
export function siteNameIn(row: SqlRow, vkey: string): string {
  const { name } = row;
  if (typeof name === "string" && isPlain(name)) return name;
  const start = vkey.slice(0, MAX_KEY_BYTES).split("+")[0]!;
  return isPlain(start) ? start : "without a name";
}

function isPlain(name: string): boolean {
  return name !== "" && name.length <= MAX_KEY_BYTES && printable(name) === name;
}

/** What follows the key in the id of a log; see `makeLog`. */
function originOf(logId: string): string {
  return logId.slice(logId.indexOf(" ") + 1);
}

function spelled(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (value instanceof Uint8Array) return "bytes";
  return value === undefined ? "missing" : String(value);
}
