/** The sources against tiles of real logs: a Tessera log, Go's checksum database, a static-CT log. */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { HASH_BYTES } from "../../src/tlog/hashing.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { impliedOlderRoot, type TreeHead } from "../../src/tlog/proof.ts";
import { TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { openSource } from "../../src/sources/open.ts";
import { ProofRefused, type ServedProof, type Source } from "../../src/sources/source.ts";
import { staticCtSource } from "../../src/sources/static_ct.ts";
import { sumdbSource } from "../../src/sources/sumdb.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import {
  everyCase,
  flipped,
  hex,
  listFolder,
  readBytes,
  readJsonLines,
  readText,
  unbase64,
  vectorTest,
} from "../conformance/vectors.ts";
import { fetcherOf, readIfThere, readSumdbTile } from "../conformance/real_logs.ts";
import { world } from "../world/helpers.ts";

interface Pair {
  readonly older: TreeHead;
  readonly newer: TreeHead;
}

function sizesOf({ older, newer }: Pair): { older: bigint; newer: bigint } {
  return { older: older.treeSize, newer: newer.treeSize };
}

/** Whether a proof shows the signed older root to be in the signed newer one. */
function holds(pair: Pair, { olderRoot, proof }: ServedProof): boolean {
  const { treeSize } = pair.older;
  const older = { treeSize, rootHash: olderRoot };
  const implied = impliedOlderRoot({ older, newer: pair.newer, proof });
  return implied !== undefined && hex(implied) === hex(pair.older.rootHash);
}

const TESSERA = "logs/tessera-testdata";
const TESSERA_FOLDER = decodeURIComponent(
  new URL(`../../../shared/vectors/${TESSERA}`, import.meta.url).pathname,
);

function tesseraHeads(): TreeHead[] {
  const log = parseLog(readText(`${TESSERA}/vkey.txt`).trimEnd());
  return Array.from({ length: 16 }, (_, size) => {
    const opened = openCheckpoint({ note: readText(`${TESSERA}/checkpoint.${size}`), logs: [log] });
    assert(Array.isArray(opened));
    return opened[0]!;
  });
}

function tesseraPairs(): Pair[] {
  const heads = tesseraHeads().slice(1);
  return heads.flatMap((newer, i) => heads.slice(0, i).map((older) => ({ older, newer })));
}

vectorTest("TileSource: a Tessera log in a folder proves all pairs of its sizes", async () => {
  const log = parseLog(readText(`${TESSERA}/vkey.txt`).trimEnd());
  const source = openSource({ world, log, source: TESSERA_FOLDER, contact: "x" });
  const opened = openCheckpoint({ note: await source.latest(), logs: [log] });
  assert(Array.isArray(opened));
  assertEquals(opened[0]!.treeSize, 15n);
  await everyCase({
    cases: tesseraPairs(),
    count: 15 * 14 / 2,
    name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
    check: async (pair) => assert(holds(pair, await source.consistency(sizesOf(pair)))),
  });
});

vectorTest(
  "TileSource: with any one byte of a Tessera tile changed, no proof from it holds",
  async () => {
    const pairs = tesseraPairs();
    for (const name of listFolder(`${TESSERA}/tile/0/000.p`)) {
      const tile = readBytes(`${TESSERA}/tile/0/000.p/${name}`);
      const affected = pairs.filter(({ newer }) => newer.treeSize === BigInt(name));
      assertEquals(affected.length, Number(name) - 1);
      let changed = tile;
      const source = new TileSource({ fetcher: fetcherOf(() => changed) });
      for (let at = 0; at < tile.length; at++) {
        changed = flipped(tile, at);
        for (const pair of affected) {
          assert(!holds(pair, await source.consistency(sizesOf(pair))), `${name} byte ${at}`);
        }
      }
    }
  },
);

interface SumdbRow {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[];
}

function sumdbRows(): SumdbRow[] {
  return readJsonLines<SumdbRow>("logs/sumdb/consistency.jsonl");
}

function pairOf({ size1, size2, root1, root2 }: SumdbRow): Pair {
  return {
    older: { treeSize: BigInt(size1), rootHash: unbase64(root1) },
    newer: { treeSize: BigInt(size2), rootHash: unbase64(root2) },
  };
}

/** The proof of a row, or nothing where a tile of it is not among the vectors. */
async function provenFrom(source: Source, pair: Pair): Promise<ServedProof | undefined> {
  try {
    return await source.consistency(sizesOf(pair));
  } catch (error) {
    if (error instanceof ProofRefused) return undefined;
    throw error;
  }
}

vectorTest("sumdbSource: proofs from the tiles of sum.golang.org are the ones given", async () => {
  const source = sumdbSource(fetcherOf(readSumdbTile));
  let built = 0;
  await everyCase({
    cases: sumdbRows(),
    count: 150,
    name: ({ size1, size2 }) => `${size1} to ${size2}`,
    async check(row) {
      const pair = pairOf(row);
      const served = await provenFrom(source, pair);
      if (served === undefined) return;
      built++;
      assertEquals(served.proof.map((hash) => hash.toBase64()), row.proof);
      assert(holds(pair, served));
      served.judged(true);
    },
  });
  assertEquals(built, 150, "pairs whose tiles are all there");
});

vectorTest(
  "sumdbSource: no changed tile of sum.golang.org gives another proof that holds",
  async () => {
    for (const row of sumdbRows().slice(0, 2)) {
      const pair = pairOf(row);
      const used = new Map<string, Uint8Array>();
      const noting = sumdbSource(fetcherOf((path) => {
        const tile = readSumdbTile(path);
        if (tile !== undefined) used.set(path, tile);
        return tile;
      }));
      const right = await noting.consistency(sizesOf(pair));
      let mattered = 0;
      for (const [path, tile] of used) {
        // One byte of each hash.
        for (let at = 7; at < tile.length; at += HASH_BYTES) {
          const changed = flipped(tile, at);
          const read = (asked: string): Uint8Array => asked === path ? changed : used.get(asked)!;
          const served = await sumdbSource(fetcherOf(read)).consistency(sizesOf(pair));
          if (sameProof(served, right)) continue;
          mattered++;
          assert(!holds(pair, served), `${path} byte ${at}`);
        }
      }
      // All hashes of a tile matter but the one over the next tile below, if there is one.
      const hashes = [...used.values()].reduce((sum, { length }) => sum + length / HASH_BYTES, 0);
      assert(mattered >= hashes - used.size, `${mattered} of ${hashes} mattered`);
    }
  },
);

function sameProof(a: ServedProof, b: ServedProof): boolean {
  return hex(concat([a.olderRoot, ...a.proof])) === hex(concat([b.olderRoot, ...b.proof]));
}

const NAVIGLI = "logs/static-ct-navigli2025h2/tile/0";

vectorTest(
  "staticCtSource: the first 1024 leaves of a static-CT log prove each other",
  async () => {
    const full = listFolder(NAVIGLI).filter((name) => !name.endsWith(".p"));
    const leaves = concat(full.map((name) => readBytes(`${NAVIGLI}/${name}`)));
    const tree = new Tree();
    for (let at = 0; at < leaves.length; at += HASH_BYTES) tree.append(leaves.slice(at, at + 32));
    assertEquals(tree.treeSize, 1024n);
    // The tile above is not among the vectors.
    const above = concat([...full.keys()].map((i) => rootOfTile(leaves, i)));
    const source = staticCtSource(fetcherOf((path) => {
      const width = Number(/^tile\/1\/000\.p\/(\d+)$/.exec(path)?.[1] ?? 0);
      if (width > 0) return above.slice(0, width * HASH_BYTES);
      // Of the partial tiles, the log kept the one of width 10; for others the full one is read.
      return readIfThere(path.replace("tile/0", NAVIGLI));
    }));
    const sizes = [1n, 3n, 256n, 300n, 512n, 700n, 768n, 777n, 778n, 1000n, 1024n];
    for (const newer of sizes) {
      for (const older of sizes.filter((size) => size < newer)) {
        const pair = {
          older: { treeSize: older, rootHash: tree.root(older) },
          newer: { treeSize: newer, rootHash: tree.root(newer) },
        };
        assert(holds(pair, await source.consistency({ older, newer })), `${older} to ${newer}`);
      }
    }
  },
);

function rootOfTile(leaves: Uint8Array, index: number): Uint8Array {
  const tree = new Tree();
  for (let i = index * TILE_WIDTH; i < (index + 1) * TILE_WIDTH; i++) {
    tree.append(leaves.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES));
  }
  return tree.root();
}
