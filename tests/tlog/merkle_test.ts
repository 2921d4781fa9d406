import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { utf8 } from "../../src/tlog/encoding.ts";
import { EMPTY_ROOT, leafHash, nodeHash, sha256 } from "../../src/tlog/hashing.ts";
import {
  impliedOlderRoot,
  MAX_PROOF_HASHES,
  verifyConsistency,
  verifyInclusion,
} from "../../src/tlog/proof.ts";
import { Tree } from "../../src/tlog/tree.ts";

/** All pairs of sizes up to this are compared with the reference. */
const LARGEST = 130;

// The naive reference: the recursive definitions of RFC 6962 section 2.1, word for word.

/** MTH of the leaves start to end - 1; remembered, which changes nothing of the definition. */
function mth(start: number, end: number): Uint8Array {
  const key = start * (LARGEST + 1) + end;
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = mthAnew(start, end);
  hashes.set(key, hash);
  return hash;
}

const hashes = new Map<number, Uint8Array>();

function mthAnew(start: number, end: number): Uint8Array {
  if (start === end) return sha256(new Uint8Array(0));
  if (end - start === 1) return leaves[start]!;
  const k = start + split(end - start);
  return nodeHash({ left: mth(start, k), right: mth(k, end) });
}

function path(m: number, start: number, end: number): Uint8Array[] {
  if (end - start <= 1) return [];
  const k = split(end - start);
  return m < k
    ? [...path(m, start, start + k), mth(start + k, end)]
    : [...path(m - k, start + k, end), mth(start, start + k)];
}

function subproof(m: number, start: number, end: number, whole: boolean): Uint8Array[] {
  if (m === end - start) return whole ? [] : [mth(start, end)];
  const k = split(end - start);
  return m <= k
    ? [...subproof(m, start, start + k, whole), mth(start + k, end)]
    : [...subproof(m - k, start + k, end, false), mth(start, start + k)];
}

function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

const leaves = Array.from({ length: LARGEST }, (_, i) => leafHash(utf8(`leaf ${i}`)));
const roots = Array.from({ length: LARGEST + 1 }, (_, n) => mth(0, n));
const tree = new Tree();
for (const leaf of leaves) tree.append(leaf);

function head(size: number): { treeSize: bigint; rootHash: Uint8Array } {
  return { treeSize: BigInt(size), rootHash: roots[size]! };
}

function hex(hashes: readonly Uint8Array[]): string[] {
  return hashes.map((hash) => encodeHex(hash));
}

Deno.test("Tree: every root up to 130 leaves is the reference's, while growing and afterwards", () => {
  const growing = new Tree();
  for (let size = 0; size <= LARGEST; size++) {
    assertEquals(encodeHex(growing.root()), encodeHex(roots[size]!));
    assertEquals(encodeHex(tree.root(BigInt(size))), encodeHex(roots[size]!));
    assertEquals(growing.treeSize, BigInt(size));
    if (size < LARGEST) growing.append(leaves[size]!);
  }
  assertEquals(encodeHex(EMPTY_ROOT), encodeHex(roots[0]!));
});

Deno.test("Tree: every consistency proof up to 130 is the reference's, and verifies", () => {
  let pairs = 0;
  for (let newer = 1; newer <= LARGEST; newer++) {
    for (let older = 1; older <= newer; older++) {
      const proof = tree.consistencyProof({ older: BigInt(older), newer: BigInt(newer) });
      assertEquals(hex(proof), hex(subproof(older, 0, newer, true)));
      assert(verifyConsistency({ older: head(older), newer: head(newer), proof }));
      pairs++;
    }
  }
  assertEquals(pairs, LARGEST * (LARGEST + 1) / 2);
});

Deno.test("Tree: every inclusion proof up to 130 is the reference's, and verifies", () => {
  for (let size = 1; size <= LARGEST; size++) {
    for (let index = 0; index < size; index++) {
      const proof = tree.inclusionProof({ index: BigInt(index), treeSize: BigInt(size) });
      assertEquals(hex(proof), hex(path(index, 0, size)));
      const leaf = leaves[index]!;
      assert(verifyInclusion({ leafHash: leaf, index: BigInt(index), tree: head(size), proof }));
    }
  }
});

Deno.test("Tree: sizes and leaves it does not have are refused", () => {
  assertThrows(() => tree.root(BigInt(LARGEST + 1)), RangeError, "has 130 leaves");
  assertThrows(() => tree.root(-1n), RangeError);
  assertThrows(() => tree.consistencyProof({ older: 5n, newer: 4n }), RangeError);
  assertThrows(() => tree.inclusionProof({ index: 4n, treeSize: 4n }), RangeError);
});

Deno.test("verifyConsistency: no proof of one pair of sizes serves another, up to 40", () => {
  const largest = 40;
  let refused = 0;
  for (let newer = 2; newer <= largest; newer++) {
    for (let older = 1; older < newer; older++) {
      const proof = tree.consistencyProof({ older: BigInt(older), newer: BigInt(newer) });
      for (const other of [older - 1, older + 1]) {
        if (other < 1 || other >= newer) continue;
        assert(!verifyConsistency({ older: head(other), newer: head(newer), proof }));
        refused++;
      }
      if (newer < largest) {
        assert(!verifyConsistency({ older: head(older), newer: head(newer + 1), proof }));
      }
      assert(!verifyConsistency({ older: head(newer), newer: head(older), proof }));
    }
  }
  assert(refused > 1000);
});

Deno.test("verifyConsistency: a proof with one hash changed, dropped, doubled or cut is refused", () => {
  for (const [older, newer] of [[1, 2], [3, 7], [4, 7], [6, 8], [8, 100], [77, 130]] as const) {
    const proof = tree.consistencyProof({ older: BigInt(older), newer: BigInt(newer) });
    const check = (changed: Uint8Array[]): boolean =>
      verifyConsistency({ older: head(older), newer: head(newer), proof: changed });
    proof.forEach((hash, at) => {
      for (let byte = 0; byte < hash.length; byte++) {
        assert(!check(proof.with(at, hash.with(byte, hash[byte]! ^ 1))));
      }
      assert(!check(proof.toSpliced(at, 1)));
      assert(!check(proof.toSpliced(at, 0, hash)));
      assert(!check(proof.with(at, hash.slice(1))));
      assert(!check(proof.with(at, new Uint8Array(33))));
    });
    assert(!check([...proof, ...Array(MAX_PROOF_HASHES).fill(proof[0])]));
  }
});

Deno.test("verifyConsistency: equal sizes want equal roots and nothing else", () => {
  assert(verifyConsistency({ older: head(5), newer: head(5), proof: [] }));
  assert(!verifyConsistency({ older: head(5), newer: head(5), proof: [roots[5]!] }));
  const other = { treeSize: 5n, rootHash: roots[6]! };
  assert(!verifyConsistency({ older: head(5), newer: other, proof: [] }));
});

Deno.test("verifyConsistency: the empty tree is a prefix of every tree, with its own root", () => {
  assert(verifyConsistency({ older: head(0), newer: head(5), proof: [] }));
  assert(verifyConsistency({ older: head(0), newer: head(0), proof: [] }));
  assert(!verifyConsistency({ older: head(0), newer: head(5), proof: [roots[5]!] }));
  const wrong = { treeSize: 0n, rootHash: new Uint8Array(32) };
  assert(!verifyConsistency({ older: wrong, newer: head(5), proof: [] }));
});

Deno.test("impliedOlderRoot: is the tree's own root, whatever older root is stated", () => {
  const stated = new Uint8Array(32);
  for (let newer = 2; newer <= LARGEST; newer++) {
    for (let older = 1; older < newer; older++) {
      const proof = tree.consistencyProof({ older: BigInt(older), newer: BigInt(newer) });
      const implied = impliedOlderRoot({
        older: { treeSize: BigInt(older), rootHash: stated },
        newer: head(newer),
        proof,
      });
      const isPowerOfTwo = Number.isInteger(Math.log2(older));
      // A power of two's root is not in the proof, so a wrong one makes the proof fail.
      assertEquals(
        implied && encodeHex(implied),
        isPowerOfTwo ? undefined : encodeHex(roots[older]!),
      );
    }
  }
});

Deno.test("proofs: sizes beyond 2^32 and 2^53 are not cut", () => {
  // Two trees that differ only above 2^32 must not pass for each other.
  const older = { treeSize: 2n ** 62n, rootHash: roots[1]! };
  const right = roots[2]!;
  const newer = {
    treeSize: 2n ** 62n + 1n,
    rootHash: nodeHash({ left: older.rootHash, right }),
  };
  assert(verifyConsistency({ older, newer, proof: [right] }));
  assert(!verifyConsistency({ older: { ...older, treeSize: 1n }, newer, proof: [right] }));
  const leaf = leaves[0]!;
  const last = { treeSize: 2n ** 62n + 1n, rootHash: nodeHash({ left: right, right: leaf }) };
  assert(verifyInclusion({ leafHash: leaf, index: 2n ** 62n, tree: last, proof: [right] }));
  assert(!verifyInclusion({ leafHash: leaf, index: 0n, tree: last, proof: [right] }));
});

Deno.test("verifyInclusion: an index outside the tree, a cut proof and a changed hash are refused", () => {
  for (const [index, size] of [[0, 1], [3, 7], [6, 7], [129, 130]] as const) {
    const proof = tree.inclusionProof({ index: BigInt(index), treeSize: BigInt(size) });
    const leaf = leaves[index]!;
    const check = (changed: Partial<Parameters<typeof verifyInclusion>[0]>): boolean =>
      verifyInclusion({
        leafHash: leaf,
        index: BigInt(index),
        tree: head(size),
        proof,
        ...changed,
      });
    assert(check({}));
    assert(!check({ index: BigInt(size) }));
    assert(!check({ index: -1n }));
    assert(!check({ leafHash: roots[9]! }));
    assert(!check({ leafHash: leaf.slice(1) }));
    assert(!check({ proof: [...proof, roots[9]!] }));
    proof.forEach((hash, at) => {
      assert(!check({ proof: proof.toSpliced(at, 1) }));
      assert(!check({ proof: proof.with(at, hash.with(0, hash[0]! ^ 1)) }));
    });
  }
});

Deno.test("leafHash and nodeHash: a leaf is never a node", () => {
  const [left, right] = [leaves[0]!, leaves[1]!];
  const joined = new Uint8Array([...left, ...right]);
  assert(encodeHex(leafHash(joined)) !== encodeHex(nodeHash({ left, right })));
});

Deno.test("verifyConsistency, verifyInclusion: nothing that is handed in is written to", () => {
  const [older, newer] = [head(11), head(29)];
  const proof = tree.consistencyProof({ older: 11n, newer: 29n });
  const path = tree.inclusionProof({ index: 5n, treeSize: 29n });
  const given = [older.rootHash, newer.rootHash, leaves[5]!, ...proof, ...path];
  const before = given.map((bytes) => bytes.toHex());
  assert(verifyConsistency({ older, newer, proof }));
  assert(verifyInclusion({ leafHash: leaves[5]!, index: 5n, tree: newer, proof: path }));
  assertEquals(given.map((bytes) => bytes.toHex()), before);
});

Deno.test("Tree.cut: what is left is the tree that it was at that size, and grows as any", () => {
  const leaf = (i: number): Uint8Array => leafHash(new Uint8Array([i, i >> 8]));
  for (let size = 0; size <= 40; size++) {
    for (let left = 0; left <= size; left++) {
      const [cut, fresh] = [new Tree(), new Tree()];
      for (let i = 0; i < size; i++) cut.append(leaf(i));
      for (let i = 0; i < left; i++) fresh.append(leaf(i));
      cut.cut(BigInt(left));
      assertEquals(cut.root(), fresh.root());
      for (let i = 0; i < 5; i++) {
        cut.append(leaf(1_000 + i));
        fresh.append(leaf(1_000 + i));
      }
      assertEquals(cut.root(), fresh.root());
    }
  }
  assertThrows(() => new Tree().cut(1n), RangeError);
});
