/**
 * Reads one file that somebody holds, whatever kind it is. What is in it decides its kind: raw frames
 * are binary, JSON begins with a brace, and the rest is text (`kinds.ts` has all kinds).
 *
 * @module
 */
import { fileText, markBytes, refuseUtf16 } from "../tlog/encoding.ts";
import { openFrame } from "../tlog/checkpoint.ts";
import { FRAME_BYTES, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { isObject } from "../tlog/members.ts";
import {
  type Line,
  READ_CHUNK_BYTES,
  readFully,
  readLinesOfChunks,
  upTo,
} from "../world/reading.ts";
import type { OpenFile } from "../world/world.ts";
import { type Found, malformed, openOneFrame, readBy, type Rejected } from "./found.ts";
import { goFork } from "./go_fork.ts";
import { notOneOf } from "./hearsay.ts";
import { JSON_KINDS, TEXT_KINDS, type TextKind } from "./kinds.ts";
import { signedNote } from "./note.ts";

/**
 * Longest file that is read as a whole, and longest JSON line. A bundle holds what it attests, which
 * may be a list of all the parts of a program.
 */
export const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
/** By this much of its start the kind of a file is told. */
export const START_BYTES = 64 * 1024;

/** One thing found in a file, and where. */
export type Gathered = Found & {
  /** The file, and the line or frame in it. */
  readonly where: string;
  /** What it was found in, in the plural, as a person calls it. */
  readonly what: string;
  /** How far into the file it ends, in bytes. */
  readonly bytesRead: number;
};

/** A file to read. */
export interface GatheredFile {
  readonly file: OpenFile;
  /** What messages call it, and what is its source if it names none. */
  readonly name: string;
  readonly logs: readonly Log[];
  /**
   * Whether somebody said that this file is to be judged. Then it is taken for a note, frames or JSON
   * lines if nothing else is recognized, and what is wrong with it is told. Otherwise it was found in a
   * folder, where most files are none of our business.
   */
  readonly isNamed: boolean;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Replaces what is no UTF-8. */
const DECODER = new TextDecoder();

/** What a file is called of which the kind is not known. */
const UNKNOWN = "files of no known kind";

/**
 * Reads a file, as far as it goes now: `gather` may be writing to it, into the folder that it reads.
 * A byte order mark at its start is ignored. What is found in one piece of the file comes at once.
 * @returns whether it is of a kind that is known
 * @throws WorldError if reading fails
 */
export async function* readGathered(
  { file: growing, ...others }: GatheredFile,
): AsyncGenerator<readonly Gathered[], boolean> {
  const size = await growing.size();
  const given: GatheredFile = { file: upTo(growing, size), ...others };
  const { file, name, isNamed } = given;
  const buffer = new Uint8Array(Math.min(START_BYTES, size));
  const start = buffer.subarray(0, await readFully(file, buffer, 0));
  try {
    refuseUtf16(start);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (isNamed) {
      yield [{ ...malformed(error), where: name, what: UNKNOWN, bytesRead: start.length }];
    }
    return isNamed;
  }
  if (looksBinary(start.subarray(0, FRAME_BYTES))) {
    if (!isNamed && !await areFrames(given, start)) return false;
    // No frame begins with a byte order mark: sizes stay below 2^63.
    yield* readFrames(given, markBytes(start));
    return true;
  }
  const text = DECODER.decode(start);
  if (/^\s*\{/.test(text)) return yield* readJson(given, { start, text });
  const kind = TEXT_KINDS.find((kind) => kind.recognizes(text)) ??
    (await hasReport(given, size) ? goFork : undefined) ??
    (isNamed ? signedNote : undefined);
  if (kind === undefined) return false;
  yield* readText(given, { kind, start });
  return true;
}

/**
 * Whether a long text is what a build has printed, with a report of go in it. A build prints much, and
 * then the report, and ends; so the end of a file is looked at, and all of one that was named.
 */
async function hasReport({ file, isNamed }: GatheredFile, size: number): Promise<boolean> {
  if (size <= START_BYTES) return false;
  const from = isNamed && size <= MAX_WHOLE_BYTES ? 0 : size - START_BYTES;
  const buffer = new Uint8Array(size - from);
  const filled = await readFully(file, buffer, from);
  return goFork.recognizes(DECODER.decode(buffer.subarray(0, filled)));
}

/**
 * A note has no control characters but newlines. The 96 random bytes of a root and a signature do.
 */
function looksBinary(head: Uint8Array): boolean {
  return head.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
}

/** Whether a binary file that nobody named is one of frames: whole ones, the first under a known key. */
async function areFrames({ file, logs }: GatheredFile, start: Uint8Array): Promise<boolean> {
  if (start.length % FRAME_BYTES !== 0 && start.length < START_BYTES) return false;
  if (await file.size() % FRAME_BYTES !== 0) return false;
  for (let at = 0; at + FRAME_BYTES <= start.length; at += FRAME_BYTES) {
    const frame = start.slice(at, at + FRAME_BYTES);
    if (!isZeroFrame(frame)) return !("refused" in openFrame({ frame, logs }));
  }
  return false;
}

async function* readFrames(
  { file, name, logs }: GatheredFile,
  startsAt: number,
): AsyncGenerator<readonly Gathered[], void> {
  const chunkBytes = Math.floor(READ_CHUNK_BYTES / FRAME_BYTES) * FRAME_BYTES;
  const buffer = new Uint8Array(chunkBytes);
  let at = startsAt;
  let number = 1;
  for (;;) {
    const filled = await readFully(file, buffer, at);
    if (filled === 0) return;
    const all: Gathered[] = [];
    let isSilent = true;
    for (let start = 0; start < filled; start += FRAME_BYTES) {
      const frame = buffer.slice(start, Math.min(start + FRAME_BYTES, filled));
      const where = `${name} frame ${number++}`;
      if (frame.length === FRAME_BYTES && isZeroFrame(frame)) continue; // It says nothing.
      isSilent = false;
      const found = openOneFrame({ frame, source: where, logs });
      all.push({ ...found, where, what: "frames", bytesRead: at + start + frame.length });
    }
    yield all;
    at += filled;
    // A sparse file may go on so for terabytes.
    if (isSilent && filled === buffer.length) {
      yield [{ ...SILENT, where: `${name} frame ${number}`, what: "frames", bytesRead: at }];
      return;
    }
  }
}

const SILENT: Rejected = {
  kind: "rejected",
  reason: "too large",
  detail: "so many zero frames came before it that it and what follows is not read",
};

/** A whole file, or why not. */
async function readWhole(file: OpenFile, start: Uint8Array): Promise<Uint8Array | undefined> {
  if (start.length < START_BYTES) return start;
  const size = await file.size();
  if (size > MAX_WHOLE_BYTES) return undefined;
  const buffer = new Uint8Array(size);
  return buffer.subarray(0, await readFully(file, buffer, 0));
}

async function* readText(
  { file, name, logs }: GatheredFile,
  { kind, start }: { kind: TextKind; start: Uint8Array },
): AsyncGenerator<readonly Gathered[], void> {
  const bytes = await readWhole(file, start);
  const place = { where: name, what: kind.name, bytesRead: bytes?.length ?? start.length };
  if (bytes === undefined) {
    yield [{ ...TOO_LARGE, ...place }];
    return;
  }
  yield readBy(() => kind.read(textOfFile(bytes), { logs, where: name }))
    .map((found) => ({ ...found, ...place }));
}

const TOO_LARGE: Rejected = {
  kind: "rejected",
  reason: "too large",
  detail: `longer than ${MAX_WHOLE_BYTES} bytes`,
};

/** @throws MalformedError if it is empty, or not UTF-8 */
function textOfFile(bytes: Uint8Array): string {
  const text = fileText(bytes);
  if (text === "") throw new MalformedError("the file is empty");
  return text;
}

/**
 * Parts of what is read here, by which a file of broken JSON is told from any other: members that only
 * such artefacts have, a note within a text, a frame.
 */
const BROKEN =
  /"verificationMaterial"|vnd\.dev\.sigstore\.bundle|"checkpoint_a"|"sha256_root_hash"|\\n\\n(?:—|\\u2014) |"[0-9a-f]{208}"/;

/** A file that begins with a brace: one object over several lines, or one object a line. */
async function* readJson(
  given: GatheredFile,
  { start, text }: { start: Uint8Array; text: string },
): AsyncGenerator<readonly Gathered[], boolean> {
  const { file, name } = given;
  const isSpread = startsSpread(text);
  if (isSpread === undefined) {
    const only = onlyObject(start, text);
    if (only === undefined) return yield* readJsonLines(given, start.length);
    const where = `${name} line 1`;
    const found = readObject(only, { given, where });
    if (found === undefined) return false;
    yield found.map((one) => ({ ...one, where, bytesRead: start.length }));
    return true;
  }
  const isOurs = given.isNamed || BROKEN.test(text);
  const bytes = await readWhole(file, start);
  const object = bytes && objectIn(DECODER.decode(bytes));
  const place = { where: name, bytesRead: bytes?.length ?? start.length };
  if (object !== undefined) {
    const found = readObject(object, { given, where: name });
    if (found === undefined) return false;
    yield found.map((one) => ({ ...one, ...place }));
    return true;
  }
  if (!isOurs) return false;
  if (!isSpread) {
    return yield* readJsonLines({ ...given, isNamed: true }, start.length);
  }
  const error = bytes === undefined ? TOO_LARGE : malformed(new MalformedError("not JSON"));
  yield [{ ...error, ...place, what: UNKNOWN }];
  return true;
}

/**
 * Whether the first line of a text is no object by itself, so that the object goes on below it. Nothing
 * if it is one, or does not end within this text; `true` if it is a lone brace.
 */
function startsSpread(text: string): boolean | undefined {
  const end = text.indexOf("\n", text.indexOf("{"));
  if (end < 0) return undefined;
  const line = text.slice(0, end).trim();
  return objectIn(line) === undefined ? line === "{" : undefined;
}

/** The object that a short file holds in its one line, as most bundles do. */
function onlyObject(start: Uint8Array, text: string): JsonObject | undefined {
  // What is no UTF-8 was replaced, and is told with its line.
  const isWhole = start.length < START_BYTES && !text.includes("\u{FFFD}");
  return isWhole && !text.trimEnd().includes("\n") ? objectIn(text) : undefined;
}

function objectIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What is in one JSON object; nothing if its kind is not known and nobody named the file. */
function readObject(
  object: JsonObject,
  { given: { logs, isNamed }, where }: { given: GatheredFile; where: string },
): (Found & { what: string })[] | undefined {
  const kind = JSON_KINDS.find((kind) => kind.recognizes(object));
  if (kind === undefined) {
    return isNamed ? [{ ...malformed(notOneOf([])), what: UNKNOWN }] : undefined;
  }
  const found = readBy(() => kind.read(object, { logs, where }));
  if (!isNamed && kind.isLoose && found.every(isMalformed)) return undefined;
  return found.map((one) => ({ ...one, what: kind.name }));
}

function isMalformed(found: Found): boolean {
  return found.kind === "rejected" && found.reason === "malformed";
}

async function* readJsonLines(
  given: GatheredFile,
  startBytes: number,
): AsyncGenerator<readonly Gathered[], boolean> {
  // The first line says whether the file is one of ours. Then what is wrong with others is told.
  let { isNamed } = given;
  // No more is taken for a short file than it has.
  const chunkBytes = startBytes < START_BYTES ? startBytes : READ_CHUNK_BYTES;
  const endsAtLong = !isNamed;
  const chunks = readLinesOfChunks(given.file, MAX_WHOLE_BYTES, { chunkBytes, endsAtLong });
  for await (const lines of chunks) {
    const all: Gathered[] = [];
    for (const line of lines) {
      const found = readJsonLine(line, { ...given, isNamed });
      if (found === "blank") continue;
      if (found === undefined) return false;
      for (const one of found) all.push(one);
      isNamed = true;
    }
    if (all.length > 0) yield all;
  }
  return isNamed;
}

/** What is in one line; nothing if its kind is not known and nobody named the file. */
function readJsonLine(
  { number, at, bytes, tooLong }: Line,
  given: GatheredFile,
): Gathered[] | "blank" | undefined {
  const where = `${given.name} line ${number}`;
  const place = { where, bytesRead: at + bytes.length };
  try {
    if (tooLong) throw new MalformedError(`longer than ${MAX_WHOLE_BYTES} bytes`);
    // In a file that was joined from several files, any line may begin with such a mark.
    const text = fileText(bytes);
    if (/^\s*$/.test(text)) return "blank";
    return readObject(parseObject(text), { given, where })?.map((one) => ({ ...one, ...place }));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (!given.isNamed && !BROKEN.test(DECODER.decode(bytes))) return undefined;
    return [{ ...malformed(error), ...place, what: UNKNOWN }];
  }
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedError(`not JSON: ${quoted(text)}`);
  }
  if (isObject(value)) return value;
  throw new MalformedError(`expected a JSON object, it is ${quoted(text)}`);
}
