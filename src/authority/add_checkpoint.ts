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
import { parseTreeSize } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { atLine, MAX_PROOF_LINES, parseProof, splitRequest } from "./request.ts";

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
  const { head: [first = "", ...lines], note } = splitRequest(body, {
    maxHeadBytes: MAX_HEAD_BYTES,
    expected: '"old" and a size',
  });
  const [, size] = /^old (.*)$/.exec(first) ?? [];
  if (size === undefined) {
    throw new MalformedError(
      `Cannot read request: line 1 is ${quoted(first)}, expected "old SIZE"`,
    );
  }
  return {
    oldSize: atLine(1, () => parseTreeSize(size)),
    proof: parseProof(lines, 2),
    note,
  };
}
