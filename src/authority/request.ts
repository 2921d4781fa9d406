/**
 * What the requests of C2SP tlog-witness share: lines, the last of them a proof, then an empty line,
 * then a signed note.
 *
 * @module
 */
import { strictBase64, textOf } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";

/** "A client MUST NOT send more than 63 consistency proof lines." */
export const MAX_PROOF_LINES = 63;
/**
 * The longest request that is read: the proof, and a note with 16 lines of ML-DSA-44 signatures and
 * long names. The specification asks a reader of notes to take 16 lines at least.
 */
export const MAX_REQUEST_BYTES = 128 * 1024;

/**
 * Takes a request apart at its first empty line.
 * @param maxHeadBytes how far that line may be
 * @param expected what the head begins with, for the error
 * @throws MalformedError
 */
export function splitRequest(
  body: Uint8Array,
  { maxHeadBytes, expected }: { maxHeadBytes: number; expected: string },
): { head: string[]; note: Uint8Array } {
  const end = emptyLineOf(body.subarray(0, maxHeadBytes));
  if (end === undefined) {
    throw new MalformedError(
      `Cannot read request: expected ${expected}, at most ${MAX_PROOF_LINES} lines of proof, ` +
        "and an empty line above the checkpoint",
    );
  }
  return { head: textOf(body.subarray(0, end)).split("\n"), note: body.subarray(end + 2) };
}

/**
 * Reads the lines of a proof, a hash each.
 * @param from the number of the first of them
 * @throws MalformedError naming the line that is wrong
 */
export function parseProof(lines: readonly string[], from: number): Uint8Array[] {
  if (lines.length > MAX_PROOF_LINES) {
    throw new MalformedError(
      `Cannot read request: it has ${lines.length} lines of proof, expected at most ` +
        `${MAX_PROOF_LINES}`,
    );
  }
  return lines.map((line, i) => atLine(from + i, () => parseHash(line)));
}

/** Reads a hash. @throws MalformedError */
export function parseHash(line: string): Uint8Array {
  const hash = strictBase64(line);
  if (hash.length === HASH_BYTES) return hash;
  throw new MalformedError(`the hash has ${hash.length} bytes, expected ${HASH_BYTES}`);
}

/** Reads a part of a request; an error names its line. */
export function atLine<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`Cannot read request: line ${line}: ${error.message}`);
  }
}

/** Where the newline above the first empty line is. */
function emptyLineOf(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
    if (bytes[at + 1] === NEWLINE) return at;
  }
  return undefined;
}

const NEWLINE = 0x0a;
