/**
 * Files of checkpoints and proofs that anyone gathered: one signed note, or raw frames, or JSON
 * lines.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { cleanSource } from "../evidence/record.ts";
import { fileText, markBytes, refuseUtf16 } from "../tlog/encoding.ts";
import {
  openCheckpoint,
  openFrame,
  type Refused,
  type VerifiedCheckpoint,
} from "../tlog/checkpoint.ts";
import { FRAME_BYTES, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { anyText, isObject, unexpected } from "../tlog/members.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { readProof, type StatedProof } from "../tlog/stated_proof.ts";
import { READ_CHUNK_BYTES, readFully, readLines } from "../world/reading.ts";
import type { OpenFile } from "../world/world.ts";

/** Longest JSON line read: a note of the largest size, escaped. */
export const MAX_JSON_LINE_BYTES = 2 * MAX_NOTE_BYTES;

/** Why a line, a frame or a file was not accepted. */
export type RejectionReason =
  | "malformed"
  | "unknown log"
  | "bad signature"
  /** a consistency proof that does not lead to the newer root. It convicts nobody */
  | "failed proof";

/**
 * Whether what was rejected could hide a contradiction.
 *
 * - Something that could not be read may hide anything.
 * - If a signature is wrong, it may be a damaged copy of evidence, or a note that would hold
 *   without a line that somebody added.
 * - Something about another log was not asked for, and a proof that fails convicts nobody. They
 *   hide nothing.
 */
export function mayHide(
  { reason, hidesNothing = false }: { reason: RejectionReason; hidesNothing?: boolean },
): boolean {
  return !hidesNothing && (reason === "malformed" || reason === "bad signature");
}

/** One thing found in a file. */
type Found =
  | {
    readonly kind: "checkpoint";
    /** One for each log followed that signed it. */
    readonly checkpoints: readonly VerifiedCheckpoint[];
    readonly source: string;
  }
  /** a JSON line with a proof; `read` takes it apart, and throws MalformedError */
  | { readonly kind: "proof"; readonly read: () => StatedProof }
  | {
    readonly kind: "rejected";
    readonly reason: RejectionReason;
    readonly detail: string;
    /** Whether it was read whole and cannot contradict anything, whoever signed it. */
    readonly hidesNothing?: boolean;
  };

/** One thing found in a file, where, and how far into the file it ends, in bytes. */
export type Gathered = Found & { readonly where: string; readonly bytesRead: number };

/**
 * Reads a file of checkpoints and proofs. Its first bytes show its kind: raw frames are binary,
 * JSON lines begin with a brace, anything else is a signed note. A byte order mark at the start is
 * ignored.
 * @param name what to call the file in messages, and as a source if the file names none
 * @throws WorldError if reading fails
 */
export async function* readGathered(
  { file, name, logs }: { file: OpenFile; name: string; logs: readonly Log[] },
): AsyncGenerator<Gathered, void> {
  const buffer = new Uint8Array(FRAME_BYTES);
  const head = buffer.subarray(0, await readFully(file, buffer, 0));
  try {
    refuseUtf16(head);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const { message: detail } = error;
    yield { kind: "rejected", reason: "malformed", detail, where: name, bytesRead: head.length };
    return;
  }
  // No frame begins with a byte order mark: sizes stay below 2^63.
  if (looksBinary(head)) yield* readFrames({ file, name, logs, at: markBytes(head) });
  else if (/^\s*\{/.test(new TextDecoder().decode(head))) {
    yield* readJsonLines({ file, name, logs });
  } else yield* readSingleNote({ file, name, logs });
}

/**
 * A note has no control characters but newlines. The 96 random bytes of a root and a signature do.
 */
function looksBinary(head: Uint8Array): boolean {
  return head.length > 0 && head.some((byte) => byte < 0x20 && ![0x09, 0x0a, 0x0d].includes(byte));
}

interface GatheredFile {
  file: OpenFile;
  name: string;
  logs: readonly Log[];
}

async function* readSingleNote({ file, name, logs }: GatheredFile): AsyncGenerator<Gathered, void> {
  const buffer = new Uint8Array(MAX_NOTE_BYTES + 1);
  const filled = buffer.subarray(0, await readFully(file, buffer, 0));
  const note = filled.subarray(markBytes(filled));
  const found: Found = note.length === 0
    ? { kind: "rejected", reason: "malformed", detail: "the file is empty" }
    : openNote({ note, source: name, logs });
  yield { ...found, where: name, bytesRead: filled.length };
}

async function* readFrames(
  { file, name, logs, at }: GatheredFile & { at: number },
): AsyncGenerator<Gathered, void> {
  const chunkBytes = Math.floor(READ_CHUNK_BYTES / FRAME_BYTES) * FRAME_BYTES;
  const buffer = new Uint8Array(chunkBytes);
  let number = 1;
  for (;;) {
    const filled = await readFully(file, buffer, at);
    if (filled === 0) return;
    for (let start = 0; start < filled; start += FRAME_BYTES) {
      const frame = buffer.slice(start, Math.min(start + FRAME_BYTES, filled));
      const where = `${name} frame ${number++}`;
      if (frame.length === FRAME_BYTES && isZeroFrame(frame)) continue; // It says nothing.
      const found = openOneFrame({ frame, source: where, logs });
      yield { ...found, where, bytesRead: at + start + frame.length };
    }
    at += filled;
  }
}

async function* readJsonLines({ file, name, logs }: GatheredFile): AsyncGenerator<Gathered, void> {
  for await (const { number, at, bytes, tooLong } of readLines(file, MAX_JSON_LINE_BYTES)) {
    const where = `${name} line ${number}`;
    const bytesRead = at + bytes.length;
    try {
      if (tooLong) throw new MalformedError(`longer than ${MAX_JSON_LINE_BYTES} bytes`);
      // In a file that was joined from several files, any line may begin with such a mark.
      const text = fileText(bytes);
      if (/^\s*$/.test(text)) continue;
      yield { ...readJsonLine({ text, where, logs }), where, bytesRead };
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      yield { kind: "rejected", reason: "malformed", detail: error.message, where, bytesRead };
    }
  }
}

function readJsonLine(
  { text, where, logs }: { text: string; where: string; logs: readonly Log[] },
): Found {
  const line = parseObject(text);
  const kinds = ["note", "frame", "proof"].filter((kind) => Object.hasOwn(line, kind));
  if (kinds.length !== 1) {
    const came = kinds.length === 0 ? "none" : kinds.join(" and ");
    throw new MalformedError(`expected one of the members note, frame, proof; it has ${came}`);
  }
  const { note, frame, source: named = where } = line;
  anyText(named, "source");
  // It is kept with every checkpoint, so whoever gathered the file must not choose its length.
  const source = cleanSource(named);
  if (note !== undefined) {
    anyText(note, "note");
    return openNote({ note, source, logs });
  }
  if (frame !== undefined) {
    if (typeof frame !== "string" || !/^([0-9a-fA-F]{2})*$/.test(frame)) {
      throw unexpected(frame, { name: "frame", wanted: `${2 * FRAME_BYTES} hex digits` });
    }
    return openOneFrame({ frame: decodeHex(frame), source, logs });
  }
  return { kind: "proof", read: () => readProof(line, logs) };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedError(`not JSON: ${quoted(text)}`);
  }
  if (isObject(value)) return value;
  throw new MalformedError(`expected a JSON object, it is ${quoted(text)}`);
}

function openNote(
  { note, source, logs }: { note: Uint8Array | string; source: string; logs: readonly Log[] },
): Found {
  const opened = openCheckpoint({ note, logs });
  return "refused" in opened
    ? rejectedAs(opened)
    : { kind: "checkpoint", checkpoints: opened, source };
}

function rejectedAs({ refused: reason, detail, isImpossible = false }: Refused): Found {
  return { kind: "rejected", reason, detail, hidesNothing: isImpossible };
}

function openOneFrame(
  { frame, source, logs }: { frame: Uint8Array; source: string; logs: readonly Log[] },
): Found {
  if (frame.length === FRAME_BYTES && isZeroFrame(frame)) {
    const detail = "the zero frame says nothing";
    return { kind: "rejected", reason: "malformed", detail, hidesNothing: true };
  }
  const opened = openFrame({ frame, logs });
  return "refused" in opened
    ? rejectedAs(opened)
    : { kind: "checkpoint", checkpoints: [opened], source };
}
