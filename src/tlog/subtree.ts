/**
 * Subtrees of a log, as draft-ietf-plants-merkle-tree-certs has them (sections 4.1 and 4.4): the
 * entries from `start` up to and without `end`, and the proof that a tree contains them.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { MAX_TREE_SIZE } from "./encoding.ts";
import { HASH_BYTES, hashNodeInto } from "./hashing.ts";
import { MAX_PROOF_HASHES, type TreeHead } from "./proof.ts";

/** The entries from `start` up to and without `end`. */
export interface SubtreeRange {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Whether a range is a subtree with at least one entry: `start` is a multiple of the smallest power
 * of two that is not below its width (section 4.1). The draft knows empty ones as well; nobody needs
 * a statement about them (C2SP tlog-witness, "sign-subtree").
 */
export function isSubtree({ start, end }: SubtreeRange): boolean {
  if (start < 0n || start >= end || end > MAX_TREE_SIZE) return false;
  let width = 1n;
  while (width < end - start) width <<= 1n;
  return start % width === 0n;
}

/**
 * Whether `proof` shows that a subtree with this hash is part of a tree ("Verifying a Subtree
 * Consistency Proof", section 4.4.3). For `start` 0 it is a consistency proof of RFC 9162, and for
 * one entry an inclusion proof.
 *
 *     verifySubtree({ range: { start: 8n, end: 13n }, hash, tree, proof });
 *
 * `false` accuses nobody: anyone can make up a proof that fails (RULES R4).
 * @param hash of the subtree, 32 bytes
 * @param proof 32 bytes each, in the order of the draft
 */
export function verifySubtree(
  { range, hash, tree, proof }: {
    range: SubtreeRange;
    hash: Uint8Array;
    tree: TreeHead;
    proof: readonly Uint8Array[];
  },
): boolean {
  if (!isSubtree(range) || range.end > tree.treeSize) return false;
  if (proof.length > MAX_PROOF_HASHES) return false;
  if (![hash, tree.rootHash, ...proof].every(({ length }) => length === HASH_BYTES)) return false;
  let [fn, sn, tn] = [range.start, range.end - 1n, tree.treeSize - 1n];
  const shift = (): void => {
    [fn, sn, tn] = [fn >> 1n, sn >> 1n, tn >> 1n];
  };
  // Up to the largest node that ends the subtree: the tree has it whole, and so has the proof.
  const isAtEnd = sn === tn;
  while (fn !== sn && (isAtEnd || isOdd(sn))) shift();
  const [start, ...rest] = fn === sn ? [hash, ...proof] : proof;
  if (start === undefined) return false;
  const [subtree, root] = [start.slice(), start.slice()];
  for (const sibling of rest) {
    if (tn === 0n) return false;
    if (isOdd(sn) || sn === tn) {
      if (fn < sn) hashNodeInto(subtree, { left: sibling, right: subtree });
      hashNodeInto(root, { left: sibling, right: root });
      while (!isOdd(sn) && sn !== 0n) shift();
    } else {
      hashNodeInto(root, { left: root, right: sibling });
    }
    shift();
  }
  return tn === 0n && equals(subtree, hash) && equals(root, tree.rootHash);
}

function isOdd(n: bigint): boolean {
  return (n & 1n) === 1n;
}
