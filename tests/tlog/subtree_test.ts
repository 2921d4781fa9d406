import { assert, assertEquals } from "@std/assert";
import { MAX_TREE_SIZE, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { verifyConsistency, verifyInclusion } from "../../src/tlog/proof.ts";
import { isSubtree, verifySubtree } from "../../src/tlog/subtree.ts";
import { naiveRoot, naiveSubtreeProof } from "./naive_subtrees.ts";

const LEAVES = Array.from({ length: 40 }, (_, i) => leafHash(utf8(`leaf ${i}`)));

/** Every subtree of every tree up to so many leaves. */
function* subtrees(most: number) {
  for (let size = 1; size <= most; size++) {
    for (let end = 1; end <= size; end++) {
      for (let start = 0; start < end; start++) {
        const range = { start: BigInt(start), end: BigInt(end) };
        if (!isSubtree(range)) continue;
        const leaves = LEAVES.slice(0, size);
        const proof = naiveSubtreeProof({ start, end, leaves });
        const tree = { treeSize: BigInt(size), rootHash: naiveRoot(leaves) };
        yield { range, hash: naiveRoot(LEAVES.slice(start, end)), tree, proof };
      }
    }
  }
}

Deno.test("isSubtree: start is a multiple of the least power of two that is no less than the width", () => {
  for (let start = 0; start < 70; start++) {
    for (let end = 0; end < 70; end++) {
      // BIT_CEIL of the draft, by counting up.
      const bitCeil = [1, 2, 4, 8, 16, 32, 64, 128].find((power) => power >= end - start)!;
      const expected = start < end && start % bitCeil === 0;
      assertEquals(isSubtree({ start: BigInt(start), end: BigInt(end) }), expected);
    }
  }
});

Deno.test("isSubtree: nothing below 0, nor above 2^63 - 1", () => {
  assert(isSubtree({ start: 0n, end: MAX_TREE_SIZE }));
  assert(!isSubtree({ start: 0n, end: MAX_TREE_SIZE + 1n }));
  assert(!isSubtree({ start: -1n, end: 0n }));
});

Deno.test("verifySubtree: every subtree of every tree up to 40 leaves, by the recursive definition", () => {
  let count = 0;
  for (const subtree of subtrees(40)) {
    assert(verifySubtree(subtree), `${subtree.range.start} ${subtree.range.end}`);
    count++;
  }
  assert(count > 1_000, "the test is not empty");
});

Deno.test("verifySubtree: for start 0, and for one entry, it is what RFC 9162 says", () => {
  for (const { range: { start, end }, hash, tree, proof } of subtrees(20)) {
    if (start === 0n) {
      assert(
        verifyConsistency({ older: { treeSize: end, rootHash: hash }, newer: tree, proof }),
      );
    }
    if (end - start === 1n) {
      assert(verifyInclusion({ leafHash: hash, index: start, tree, proof }));
    }
  }
});

Deno.test("verifySubtree: another hash, range, tree or proof fails", () => {
  const other = leafHash(utf8("other"));
  for (const right of subtrees(17)) {
    const { range: { start, end }, hash, tree, proof } = right;
    const { treeSize, rootHash } = tree;
    const wrong = [
      { ...right, hash: other },
      { ...right, hash: hash.slice(1) },
      { ...right, tree: { treeSize, rootHash: other } },
      { ...right, tree: { treeSize, rootHash: rootHash.slice(1) } },
      { ...right, proof: [...proof, other] },
      { ...right, proof: [other, ...proof] },
      ...proof.map((_, i) => ({ ...right, proof: proof.with(i, other) })),
      ...proof.map((_, i) => ({ ...right, proof: proof.toSpliced(i, 1) })),
      { ...right, range: { start: end, end: start } },
      { ...right, tree: { treeSize: end - 1n, rootHash } },
    ];
    for (const [i, each] of wrong.entries()) {
      assert(!verifySubtree(each), `${start} ${end} of ${treeSize}, way ${i}`);
    }
  }
});

Deno.test("verifySubtree: no other range of a tree has this hash and proof", () => {
  for (const right of subtrees(13)) {
    for (let end = 1n; end <= right.tree.treeSize; end++) {
      for (let start = 0n; start < end; start++) {
        if (start === right.range.start && end === right.range.end) continue;
        assert(!verifySubtree({ ...right, range: { start, end } }));
      }
    }
  }
});
