/**
 * Subtrees as draft-ietf-plants-merkle-tree-certs section 4.4.1 defines their proofs, by recursion
 * over leaf hashes. Slow, and written from the text alone.
 */
import { EMPTY_ROOT, nodeHash } from "../../src/tlog/hashing.ts";

/** The largest power of two below a width above 1. */
function splitOf(width: number): number {
  let split = 1;
  while (split * 2 < width) split *= 2;
  return split;
}

/** MTH(D) of RFC 6962 section 2.1, over leaf hashes. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  const k = splitOf(leaves.length);
  return nodeHash({ left: naiveRoot(leaves.slice(0, k)), right: naiveRoot(leaves.slice(k)) });
}

/** SUBTREE_PROOF(start, end, D_n), whose helper is SUBTREE_SUBPROOF(start, end, D_n, b). */
export function naiveSubtreeProof(
  { start, end, leaves }: { start: number; end: number; leaves: readonly Uint8Array[] },
): Uint8Array[] {
  const subproof = (
    start: number,
    end: number,
    d: readonly Uint8Array[],
    b: boolean,
  ): Uint8Array[] => {
    if (start === 0 && end === d.length) return b ? [] : [naiveRoot(d)];
    const k = splitOf(d.length);
    const [left, right] = [d.slice(0, k), d.slice(k)];
    if (end <= k) return [...subproof(start, end, left, b), naiveRoot(right)];
    if (start >= k) return [...subproof(start - k, end - k, right, b), naiveRoot(left)];
    return [...subproof(0, end - k, right, false), naiveRoot(left)];
  };
  return subproof(start, end, leaves, true);
}
