import { concat } from "@std/bytes/concat";
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

/**
 * Reads a file line by line. Memory is bounded: of a line longer than `maxBytes` only the start is
 * kept, and the rest is passed over.
 * @param chunkBytes how much is read at a time
 * @throws WorldError if reading fails
 */
export async function* readLines(
  file: OpenFile,
  maxBytes: number,
  chunkBytes = READ_CHUNK_BYTES,
): AsyncGenerator<Line, void> {
  const buffer = new Uint8Array(chunkBytes);
  let parts: Uint8Array[] = [];
  let kept = 0;
  let number = 1;
  let lineAt = 0;
  let at = 0;
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
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      keep(chunk.subarray(start, end));
      yield line(at + end, true);
      [parts, kept, number, lineAt] = [[], 0, number + 1, at + end + 1];
    }
    keep(chunk.subarray(start));
  }
  if (at > lineAt) yield line(at, false);
}
