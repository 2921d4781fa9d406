/**
 * The request of C2SP tlog-witness, "sign-subtree": a range of entries, the hash of their tree, a
 * subtree consistency proof, and a checkpoint that the witness has cosigned.
 *
 *     subtree 8 13
 *     mbsQCg+dEIMGlpqeGgk94JutQwKKS2Lo5IuDhKmDjiU=
 *     CD82D2LDm0phY0+xKbHyZfq3Hw21lVkuV7Zis5EFg0k=
 *     …
 *
 *     sum.example
 *     …the signed and cosigned note…
 *
 * @module
 */
import { parseTreeSize } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { isSubtree, type SubtreeRange } from "../tlog/subtree.ts";
import { atLine, MAX_PROOF_LINES, parseHash, parseProof, splitRequest } from "./request.ts";

/** Bytes of the longest head: `subtree`, twice 19 digits, the hash, and the proof. */
const MAX_HEAD_BYTES = 64 + (1 + MAX_PROOF_LINES) * 45;

/** A request taken apart; nothing in it is verified. */
export interface SignSubtree {
  /** A valid subtree. */
  readonly range: SubtreeRange;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The reference checkpoint as it came. */
  readonly note: Uint8Array;
}

/**
 * Reads a request.
 * @throws MalformedError naming the line that is wrong
 */
export function parseSignSubtree(body: Uint8Array): SignSubtree {
  const { head: [first = "", hash = "", ...lines], note } = splitRequest(body, {
    maxHeadBytes: MAX_HEAD_BYTES,
    expected: '"subtree", a start and an end, a hash',
  });
  const [, start, end] = /^subtree (\S+) (\S+)$/.exec(first) ?? [];
  if (start === undefined || end === undefined) {
    throw new MalformedError(
      `Cannot read request: line 1 is ${quoted(first)}, expected "subtree START END"`,
    );
  }
  const range = atLine(1, () => ({ start: parseTreeSize(start), end: parseTreeSize(end) }));
  // "The half-open interval [start, end) MUST be a valid subtree", draft-ietf-plants-merkle-tree-certs.
  if (!isSubtree(range)) {
    throw new MalformedError(
      `Cannot read request: line 1: no subtree of any log has the entries from ${start} up to and ` +
        `without ${end}`,
    );
  }
  return {
    range,
    hash: atLine(2, () => parseHash(hash)),
    proof: parseProof(lines, 3),
    note,
  };
}
