/**
 * Inclusion and consistency proofs, RFC 9162 sections 2.1.3.2 and 2.1.4.2 (the same proofs as
 * RFC 6962). Sizes are bigint: a number's shifts stop at 32 bits.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { EMPTY_ROOT, HASH_BYTES, hashNodeInto } from "./hashing.ts";

/** A tree of some size: what one checkpoint states. */
export interface TreeHead {
  readonly treeSize: bigint;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
}

/**
 * Longest possible path: one hash for each level of a tree of 2^63 leaves, and one for the start.
 */
export const MAX_PROOF_HASHES = 64;

/** Whether `proof` shows that the leaf `leafHash` stands at `index` in the tree (section 2.1.3.2). */
export function verifyInclusion(
  { leafHash, index, tree, proof }: {
    leafHash: Uint8Array;
    index: bigint;
    tree: TreeHead;
    proof: readonly Uint8Array[];
  },
): boolean {
  if (index < 0n || index >= tree.treeSize) return false;
  if (![leafHash, tree.rootHash, ...proof].every(isHash)) return false;
  let fn = index;
  let sn = tree.treeSize - 1n;
  const root = leafHash.slice();
  for (const hash of proof) {
    if (sn === 0n) return false;
    if (isOdd(fn) || fn === sn) {
      hashNodeInto(root, { left: hash, right: root });
      while (!isOdd(fn) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      hashNodeInto(root, { left: root, right: hash });
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && equals(root, tree.rootHash);
}

/**
 * Whether `proof` shows that the older tree is a prefix of the newer one.
 *
 *     verifyConsistency({
 *       older: { treeSize: 6n, rootHash: olderRoot },
 *       newer: { treeSize: 8n, rootHash: newerRoot },
 *       proof, // 32 bytes each, in the order of RFC 9162
 *     });
 *
 * `false` accuses nobody: anyone can make up a proof that fails (RULES R4). What convicts is a
 * proof that reproduces the newer root and implies another older root; see `impliedOlderRoot`.
 *
 * RFC 9162 covers only 0 < older < newer. Beyond that: equal sizes need equal roots and an empty
 * proof. The empty tree is a prefix of every tree, with an empty proof (C2SP tlog-witness).
 */
export function verifyConsistency(
  { older, newer, proof }: { older: TreeHead; newer: TreeHead; proof: readonly Uint8Array[] },
): boolean {
  const implied = impliedOlderRoot({ older, newer, proof });
  return implied !== undefined && equals(implied, older.rootHash);
}

/**
 * The older root that a consistency proof implies. If the proof reproduces the newer root, that
 * root binds every hash in the proof, because SHA-256 is collision resistant. So it also binds the
 * root that the proof yields for the older size, whoever sent the proof. A proof that does not
 * reproduce the newer root says nothing.
 *
 *     // olderRoot is what the log's tiles give; the signed root is compared afterwards.
 *     const older = { treeSize: 6n, rootHash: olderRoot };
 *     const implied = impliedOlderRoot({ older, newer, proof });
 *     if (implied === undefined) return "unproven"; // it says nothing against the log
 *     if (equals(implied, signed.rootHash)) return "consistent";
 *     return "inconsistent"; // evidence, unless the two signed roots are equal (RULES R5)
 *
 * If the older size is a power of two, the proof does not contain the older root (RFC 9162 section
 * 2.1.4.2, step 2). Then `older.rootHash` is taken as the start of the proof. The result is that
 * root, or nothing. For other sizes `older.rootHash` has no influence on the result.
 *
 * @returns 32 bytes, or nothing if the proof does not lead to `newer.rootHash`
 */
export function impliedOlderRoot(
  { older, newer, proof }: { older: TreeHead; newer: TreeHead; proof: readonly Uint8Array[] },
): Uint8Array | undefined {
  const first = older.treeSize;
  const second = newer.treeSize;
  if (first < 0n || first > second || proof.length > MAX_PROOF_HASHES) return undefined;
  if (![older.rootHash, newer.rootHash, ...proof].every(isHash)) return undefined;
  if (first === second) return proof.length === 0 ? newer.rootHash : undefined;
  if (first === 0n) return proof.length === 0 ? EMPTY_ROOT : undefined;

  const path = isPowerOfTwo(first) ? [older.rootHash, ...proof] : proof;
  const [start, ...rest] = path;
  if (start === undefined || proof.length === 0) return undefined;
  let fn = first - 1n;
  let sn = second - 1n;
  while (isOdd(fn)) {
    fn >>= 1n;
    sn >>= 1n;
  }
  const olderRoot = start.slice();
  const newerRoot = start.slice();
  for (const hash of rest) {
    if (sn === 0n) return undefined;
    if (isOdd(fn) || fn === sn) {
      hashNodeInto(olderRoot, { left: hash, right: olderRoot });
      hashNodeInto(newerRoot, { left: hash, right: newerRoot });
      while (!isOdd(fn) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      hashNodeInto(newerRoot, { left: newerRoot, right: hash });
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && equals(newerRoot, newer.rootHash) ? olderRoot : undefined;
}

function isHash(hash: Uint8Array): boolean {
  return hash.length === HASH_BYTES;
}

function isOdd(n: bigint): boolean {
  return (n & 1n) === 1n;
}

function isPowerOfTwo(n: bigint): boolean {
  return n > 0n && (n & (n - 1n)) === 0n;
}
