/**
 * The request of C2SP tlog-witness, "add-checkpoint": the old size, a consistency proof, and the
 * checkpoint.
 *
 *     old 20852014
 *     sTgvjXM/yCqzXlIiLTbJ0R7+5Xpc1Pdg…
 *     …
 *
 *     sum.example
 *     …the signed note…
 *
 * @module
 */
import { parseTreeSize, strictBase64, textOf } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";

/** "A client MUST NOT send more than 63 consistency proof lines." */
export const MAX_PROOF_LINES = 63;
/**
 * The longest request that is read: the proof, and a note with 16 lines of ML-DSA-44 signatures and
 * long names. The specification asks a reader of notes to take 16 lines at least.
 */
export const MAX_REQUEST_BYTES = 128 * 1024;
/** Bytes of the longest head: `old`, 19 digits, and the proof. */
const MAX_HEAD_BYTES = 32 + MAX_PROOF_LINES * 45;

/** A request taken apart; nothing in it is verified. */
export interface AddCheckpoint {
  /** The size that the client takes for the latest that the witness has cosigned. */
  readonly oldSize: bigint;
  /** 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The signed note as it came. */
  readonly note: Uint8Array;
}

/**
 * Reads a request.
 * @throws MalformedError naming the line that is wrong
 */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const end = emptyLineOf(body.subarray(0, MAX_HEAD_BYTES));
  if (end === undefined) {
    throw new MalformedError(
      `Cannot read request: expected "old" and a size, at most ${MAX_PROOF_LINES} lines of proof, ` +
        "and an empty line above the checkpoint",
    );
  }
  const [first = "", ...lines] = textOf(body.subarray(0, end)).split("\n");
  const [, size] = /^old (.*)$/.exec(first) ?? [];
  if (size === undefined) {
    throw new MalformedError(
      `Cannot read request: line 1 is ${quoted(first)}, expected "old SIZE"`,
    );
  }
  if (lines.length > MAX_PROOF_LINES) {
    throw new MalformedError(
      `Cannot read request: it has ${lines.length} lines of proof, expected at most ` +
        `${MAX_PROOF_LINES}`,
    );
  }
  return {
    oldSize: atLine(1, () => parseTreeSize(size)),
    proof: lines.map((line, i) => atLine(i + 2, () => parseHash(line))),
    note: body.subarray(end + 2),
  };
}

/** Where the newline above the first empty line is. */
function emptyLineOf(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
    if (bytes[at + 1] === NEWLINE) return at;
  }
  return undefined;
}

const NEWLINE = 0x0a;

function parseHash(line: string): Uint8Array {
  const hash = strictBase64(line);
  if (hash.length === HASH_BYTES) return hash;
  throw new MalformedError(`the hash has ${hash.length} bytes, expected ${HASH_BYTES}`);
}

function atLine<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`Cannot read request: line ${line}: ${error.message}`);
  }
}
