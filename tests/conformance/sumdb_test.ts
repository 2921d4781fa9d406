/** What Go's checksum database has signed and proven. */
import { assert, assertEquals } from "@std/assert";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { impliedOlderRoot, verifyConsistency, verifyInclusion } from "../../src/tlog/proof.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { assertSurvivesFrame, frameBytes, opened } from "./opening.ts";
import { SUMDB_ORIGIN, SUMDB_VKEY, sumdbHeads, sumdbNote } from "./real_logs.ts";
import {
  everyCase,
  flipped,
  hex,
  readJsonLines,
  readText,
  unbase64,
  vectorTest,
} from "./vectors.ts";

vectorTest("openCheckpoint: opens all 34 heads of sum.golang.org as what they state", () => {
  const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
  return everyCase({
    cases: sumdbHeads(),
    count: 28 + 6,
    name: ({ size }) => `size ${size}`,
    check(head) {
      const checkpoint = opened(sumdbNote(head), log);
      assertEquals(checkpoint.treeSize, BigInt(head.size));
      assertEquals(hex(checkpoint.rootHash), hex(unbase64(head.root)));
      assertEquals(hex(checkpoint.signature), hex(unbase64(head.sig)));
    },
  });
});

vectorTest(
  "openFrame: all 34 heads go from note to frame to the same note, one origin only",
  () => {
    const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
    return everyCase({
      cases: sumdbHeads(),
      count: 28 + 6,
      name: ({ size }) => `size ${size}`,
      check(head) {
        const { size, root, sig } = head;
        const note = sumdbNote(head);
        assertSurvivesFrame(note, log);
        assertEquals(
          hex(opened(note, log).frame),
          frameBytes({ size: BigInt(size), root: unbase64(root), signature: unbase64(sig) }),
        );
      },
    });
  },
);

vectorTest("openCheckpoint: refuses all 34 heads with one bit of size, root or signature", () => {
  const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
  return everyCase({
    cases: sumdbHeads().entries(),
    count: 28 + 6,
    name: ([, { size }]) => `size ${size}`,
    check([i, head]) {
      const changed = [
        { ...head, size: head.size ^ 1 },
        { ...head, root: flipped(unbase64(head.root), i).toBase64() },
        { ...head, sig: flipped(unbase64(head.sig), i).toBase64() },
      ];
      for (const one of changed) {
        const result = openCheckpoint({ note: sumdbNote(one), logs: [log] });
        assert("refused" in result);
        assertEquals(result.refused, "bad signature");
      }
    },
  });
});

/** The same bytes in base64 with a pad bit set, which Go's decoder takes for the same. */
function respelled(base64: string): string {
  const match = /^(.*)(.)=$/.exec(base64)!; // One "=": the last character has two spare bits.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const other = `${match[1]}${alphabet[alphabet.indexOf(match[2]!) | 1]}=`;
  assertEquals(hex(unbase64(other)), hex(unbase64(base64)));
  return other;
}

vectorTest("openCheckpoint: refuses all 34 heads with root or signature in other base64", () => {
  const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
  return everyCase({
    cases: sumdbHeads(),
    count: 28 + 6,
    name: ({ size }) => `size ${size}`,
    check(head) {
      const note = sumdbNote(head);
      const signature = note.trimEnd().split(" ").at(-1)!;
      const refusals = [head.root, signature].map((base64) => {
        const result = openCheckpoint({
          note: note.replace(base64, respelled(base64)),
          logs: [log],
        });
        return "refused" in result && result.refused;
      });
      // A signature line in such a spelling is none we know, so nobody has signed the note.
      assertEquals(refusals, ["malformed", "unknown log"]);
    },
  });
});

vectorTest("openCheckpoint: refuses a head whose log is configured for another origin", () => {
  const log = parseLog(SUMDB_VKEY); // Whose origin is then sum.golang.org.
  return everyCase({
    cases: sumdbHeads(),
    count: 28 + 6,
    name: ({ size }) => `size ${size}`,
    check(head) {
      const result = openCheckpoint({ note: sumdbNote(head), logs: [log] });
      assert("refused" in result);
      assertEquals(result.refused, "unknown log");
    },
  });
});

interface SumdbConsistency {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[];
}

function sumdbConsistency() {
  return readJsonLines<SumdbConsistency>("logs/sumdb/consistency.jsonl").map((row) => ({
    older: { treeSize: BigInt(row.size1), rootHash: unbase64(row.root1) },
    newer: { treeSize: BigInt(row.size2), rootHash: unbase64(row.root2) },
    proof: row.proof.map(unbase64),
  }));
}

/** Every proof that differs from this one in one bit of one hash: one for each hash. */
function withOneBit(proof: readonly Uint8Array[]): Uint8Array[][] {
  return proof.map((hash, i) => proof.with(i, flipped(hash, i)));
}

vectorTest(
  "verifyConsistency: holds for all 150 proofs between heads of sum.golang.org",
  () =>
    everyCase({
      cases: sumdbConsistency(),
      count: 150,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check: (one) => assert(verifyConsistency(one)),
    }),
);

vectorTest(
  "verifyConsistency: fails with one bit of any of the 2,850 hashes changed",
  () =>
    everyCase({
      cases: sumdbConsistency().flatMap((one) =>
        withOneBit(one.proof).map((proof) => ({ ...one, proof }))
      ),
      count: 2850,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check(one) {
        assert(!verifyConsistency(one));
        // Every hash is on the way to the newer root, so such a proof implies nothing at all.
        assertEquals(impliedOlderRoot(one), undefined);
      },
    }),
);

vectorTest(
  "impliedOlderRoot: is root1 for all 150 proofs, whatever older root is claimed",
  () =>
    everyCase({
      cases: sumdbConsistency(),
      count: 150,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check({ older, newer, proof }) {
        const claimed = { ...older, rootHash: new Uint8Array(32) };
        assertEquals(hex(impliedOlderRoot({ older: claimed, newer, proof })!), hex(older.rootHash));
        assert(!verifyConsistency({ older: claimed, newer, proof }));
      },
    }),
);

vectorTest("verifyConsistency: the 150 proofs lead between heads that the log signed", () => {
  const signed = new Set(sumdbHeads().map(({ size, root }) => `${size} ${root}`));
  return everyCase({
    cases: sumdbConsistency(),
    count: 150,
    name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
    check({ older, newer }) {
      for (const { treeSize, rootHash } of [older, newer]) {
        assert(signed.has(`${treeSize} ${rootHash.toBase64()}`));
      }
    },
  });
});

interface SumdbInclusion {
  readonly index: number;
  readonly size: number;
  readonly root: string;
  readonly leaf_hash: string;
  readonly proof: readonly string[];
}

function sumdbInclusion() {
  return readJsonLines<SumdbInclusion>("logs/sumdb/inclusion.jsonl").map((row) => ({
    leafHash: unbase64(row.leaf_hash),
    index: BigInt(row.index),
    tree: { treeSize: BigInt(row.size), rootHash: unbase64(row.root) },
    proof: row.proof.map(unbase64),
  }));
}

vectorTest("verifyInclusion: holds for all 77 proofs of sum.golang.org and their records", () => {
  const records = new Map(
    readJsonLines<{ index: number; text: string }>("logs/sumdb/records.jsonl")
      .map(({ index, text }) => [BigInt(index), text]),
  );
  assertEquals(records.size, 68);
  return everyCase({
    cases: sumdbInclusion(),
    count: 77,
    name: ({ index, tree }) => `${index} in ${tree.treeSize}`,
    check(one) {
      assert(verifyInclusion(one));
      const text = records.get(one.index)!;
      assertEquals(hex(leafHash(new TextEncoder().encode(text))), hex(one.leafHash));
    },
  });
});

vectorTest(
  "verifyInclusion: fails with one bit of any of the 1,682 hashes changed",
  () =>
    everyCase({
      cases: sumdbInclusion().flatMap((one) =>
        withOneBit(one.proof).map((proof) => ({ ...one, proof }))
      ),
      count: 1682,
      name: ({ index, tree }) => `${index} in ${tree.treeSize}`,
      check: (one) => assert(!verifyInclusion(one)),
    }),
);

vectorTest("verifyInclusion: fails for all 77 with another index or leaf hash", () =>
  everyCase({
    cases: sumdbInclusion(),
    count: 77,
    name: ({ index, tree }) => `${index} in ${tree.treeSize}`,
    check(one) {
      assert(!verifyInclusion({ ...one, index: one.index ^ 1n }));
      assert(!verifyInclusion({ ...one, leafHash: flipped(one.leafHash, 0) }));
    },
  }));

vectorTest(
  "parseVkey: reads the vkey of sum.golang.org, of which the name is not the origin",
  () => {
    const vkey = parseVkey(SUMDB_VKEY);
    assertEquals([vkey.name, vkey.keyId, vkey.type], ["sum.golang.org", 0x033de0ae, 1]);
    assert(readText("logs/sumdb/README").includes(SUMDB_VKEY));
    assert(readText("logs/sumdb/README").includes(`"${SUMDB_ORIGIN}" - NOT equal to the key name`));
  },
);
