/** What a Tessera log has signed, and the trees that follow from its entries. */
import { assert, assertEquals } from "@std/assert";
import { leafHash } from "../../src/tlog/hashing.ts";
import { verifyConsistency } from "../../src/tlog/proof.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { assertSurvivesFrame, opened } from "./opening.ts";
import { TESSERA, TESSERA_SIZES, tesseraLog, tesseraNotes } from "./real_logs.ts";
import { everyCase, hex, readBytes, vectorTest } from "./vectors.ts";

/** The entries of a bundle: each its length as uint16, big-endian, then its bytes. */
function entriesOf(bundle: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length;) {
    const end = at + 2 + (bundle[at]! << 8 | bundle[at + 1]!);
    assert(end <= bundle.length, "the bundle ends within an entry");
    entries.push(bundle.slice(at + 2, end));
    at = end;
  }
  return entries;
}

/** The entries of the partial bundle of this width; there is none of width 0. */
function tesseraEntries(width: number): Uint8Array[] {
  return width === 0 ? [] : entriesOf(readBytes(`${TESSERA}/tile/entries/000.p/${width}`));
}

function treeOf(entries: readonly Uint8Array[]): Tree {
  const tree = new Tree();
  for (const entry of entries) tree.append(leafHash(entry));
  return tree;
}

vectorTest(
  "openCheckpoint: opens all 17 checkpoints of a Tessera log, which survive a frame",
  () =>
    everyCase({
      cases: tesseraNotes(),
      count: 17,
      name: ({ name }) => name,
      check({ note, size }) {
        const log = tesseraLog();
        assertEquals(opened(note, log).treeSize, BigInt(size));
        assertSurvivesFrame(note, log);
      },
    }),
);

vectorTest("Tree: has the roots of all 17 Tessera checkpoints, from the entry bundles", () => {
  const log = tesseraLog();
  const whole = treeOf(tesseraEntries(15));
  return everyCase({
    cases: tesseraNotes(),
    count: 17,
    name: ({ name }) => name,
    check({ note, size }) {
      const { rootHash, treeSize } = opened(note, log);
      const entries = tesseraEntries(size);
      assertEquals(entries.length, size);
      assertEquals(hex(treeOf(entries).root()), hex(rootHash));
      assertEquals(hex(whole.root(treeSize)), hex(rootHash));
    },
  });
});

vectorTest("leafHash: is what the 15 partial tiles of the Tessera log hold", () =>
  everyCase({
    cases: TESSERA_SIZES.slice(1),
    count: 15,
    name: (width) => `tile/0/000.p/${width}`,
    check: (width) =>
      assertEquals(
        tesseraEntries(width).map((entry) => hex(leafHash(entry))).join(""),
        hex(readBytes(`${TESSERA}/tile/0/000.p/${width}`)),
      ),
  }));

vectorTest(
  "Tree: its consistency proofs hold between any two of the 16 Tessera checkpoints",
  () => {
    const tree = treeOf(tesseraEntries(15));
    const log = tesseraLog();
    const heads = tesseraNotes().slice(0, 16).map(({ note }) => opened(note, log));
    return everyCase({
      cases: heads.flatMap((newer, i) => heads.slice(0, i + 1).map((older) => ({ older, newer }))),
      count: 16 * 17 / 2,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check({ older, newer }) {
        const sizes = { older: older.treeSize, newer: newer.treeSize };
        assert(verifyConsistency({ older, newer, proof: tree.consistencyProof(sizes) }));
      },
    });
  },
);
