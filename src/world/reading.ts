import { concat } from "@std/bytes/concat";
import { createHash } from "node:crypto";
import { type OpenFile, WorldError } from "./world.ts";

/** Bytes read from a file at a time. */
export const READ_CHUNK_BYTES = 256 * 1024;

/**
 * Reads until `buffer` is full or the file ends.
 * @param at bytes from the start of the file
 * @returns how many bytes
 * @throws WorldError if reading fails
 */
export async function readFully(file: OpenFile, buffer: Uint8Array, at: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const count = await file.read(buffer.subarray(filled), at + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** A file of these bytes, to be read. */
export function inMemory(content: Uint8Array): OpenFile {
  const readOnly = (): Promise<never> => Promise.reject(new WorldError("other", "it is read only"));
  return {
    isRegular: true,
    size: () => Promise.resolve(content.length),
    read(buffer, at) {
      const part = content.subarray(at, at + buffer.length);
      buffer.set(part);
      return Promise.resolve(part.length);
    },
    ...{ write: readOnly, truncate: readOnly, sync: readOnly, tryLock: readOnly, close: () => {} },
  };
}

/** The first bytes of a file. What is appended to it while it is read is not read. */
export function upTo(file: OpenFile, end: number): OpenFile {
  return {
    ...file,
    read: async (buffer, at) =>
      at >= end ? 0 : await file.read(buffer.subarray(0, Math.min(buffer.length, end - at)), at),
  };
}

const NEWLINE = 0x0a;

/** One line of a file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Bytes from the start of the file to the start of the line. */
  readonly at: number;
  /** Without the newline; at most `maxBytes` of them, and then `tooLong` is set. */
  readonly bytes: Uint8Array;
  readonly tooLong: boolean;
  /** Whether a newline ends it; only the last line can lack one. */
  readonly complete: boolean;
}

/** SHA-256 of a part of a file, and its length. */
export interface Digest {
  readonly bytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/**
 * Reads a part of a file, one piece in memory at a time.
 * @param from bytes from the start of the file
 * @param to where it ends; the end of the file if that comes first
 * @param use is given each piece, which is valid until it returns, and where it begins in the part
 * @throws WorldError if reading fails; what `use` throws
 */
export async function readPart(
  file: OpenFile,
  { from, to = Infinity }: { from: number; to?: number },
  use: (piece: Uint8Array, at: number) => Promise<void> = () => Promise.resolve(),
): Promise<Digest> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(READ_CHUNK_BYTES);
  let at = from;
  while (at < to) {
    const count = await file.read(buffer.subarray(0, Math.min(buffer.length, to - at)), at);
    if (count === 0) break;
    const piece = buffer.subarray(0, count);
    hash.update(piece);
    await use(piece, at - from);
    at += count;
  }
  return { bytes: at - from, sha256: hash.digest("hex") };
}

/**
 * Reads a file line by line. Memory is bounded: of a line longer than `maxBytes` only the start is
 * kept, and the rest is passed over.
 * @param options.from where its first line begins, in bytes from the start of the file
 * @param options.chunkBytes how much is read at a time
 * @param options.endsAtLong whether to read no further than the start of a line that is too long. It
 *   may go on for terabytes
 * @throws WorldError if reading fails
 */
export async function* readLines(
  file: OpenFile,
  maxBytes: number,
  options: LineOptions = {},
): AsyncGenerator<Line, void> {
  for await (const lines of readLinesOfChunks(file, maxBytes, options)) yield* lines;
}

/** See `readLines`. */
interface LineOptions {
  readonly from?: number;
  readonly chunkBytes?: number;
  readonly endsAtLong?: boolean;
}

/**
 * As `readLines`, but gives all lines that end in one chunk at once. To wait for each of a million
 * lines costs more than to read it.
 */
export async function* readLinesOfChunks(
  file: OpenFile,
  maxBytes: number,
  { from = 0, chunkBytes = READ_CHUNK_BYTES, endsAtLong = false }: LineOptions = {},
): AsyncGenerator<readonly Line[], void> {
  const buffer = new Uint8Array(chunkBytes);
  let parts: Uint8Array[] = [];
  let kept = 0;
  let number = 1;
  let lineAt = from;
  let at = from;
  const keep = (bytes: Uint8Array): void => {
    const part = bytes.slice(0, maxBytes - kept);
    if (part.length > 0) parts.push(part);
    kept += part.length;
  };
  const line = (end: number, complete: boolean): Line => {
    const bytes = parts.length === 1 ? parts[0]! : concat(parts);
    return { number, at: lineAt, bytes, tooLong: end - lineAt > bytes.length, complete };
  };
  for (let count; (count = await file.read(buffer, at)) > 0; at += count) {
    const chunk = buffer.subarray(0, count);
    const lines: Line[] = [];
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      keep(chunk.subarray(start, end));
      lines.push(line(at + end, true));
      parts = [];
      kept = 0;
      number++;
      lineAt = at + end + 1;
    }
    keep(chunk.subarray(start));
    if (lines.length > 0) yield lines;
    if (endsAtLong && at + count - lineAt > maxBytes) return yield [line(at + count, false)];
  }
  if (at > lineAt) yield [line(at, false)];
}
