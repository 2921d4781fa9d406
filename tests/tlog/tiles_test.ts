import { assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { MAX_TREE_SIZE, utf8 } from "../../src/tlog/encoding.ts";
import { HASH_BYTES, leafHash, nodeHash } from "../../src/tlog/hashing.ts";
import { impliedOlderRoot } from "../../src/tlog/proof.ts";
import {
  consistencyNodes,
  hashInTile,
  joinedHash,
  sumdbTilePath,
  type Tile,
  TILE_BYTES,
  TILE_WIDTH,
  tileOf,
  tilePath,
  type TreeNode,
} from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";

/** All pairs of sizes up to this are compared with the tree. */
const LARGEST = 160;
/** A tree above this has tiles of a third level. */
const THREE_LEVELS = TILE_WIDTH ** 2;

const leaves: Uint8Array[] = Array.from(
  { length: THREE_LEVELS + 700 },
  (_, i) => leafHash(utf8(`leaf ${i}`)),
);
const tree = new Tree();
for (const leaf of leaves) tree.append(leaf);

/** Every level of tile, as one run of hashes, hashed up from the leaves by 256 and nothing else. */
const tileLevels: Uint8Array[][] = [leaves];
for (let row: Uint8Array[] = leaves; row.length >= TILE_WIDTH;) {
  row = Array.from({ length: Math.floor(row.length / TILE_WIDTH) }, (_, i) => {
    const full = new Tree();
    for (const hash of row.slice(i * TILE_WIDTH, (i + 1) * TILE_WIDTH)) full.append(hash);
    return full.root();
  });
  tileLevels.push(row);
}

function tileBytes({ level, index, width }: Tile): Uint8Array {
  const first = Number(index) * TILE_WIDTH;
  const hashes = tileLevels[level]!.slice(first, first + width);
  assertEquals(hashes.length, width, `tile ${level}/${index} has no width ${width}`);
  return concat(hashes);
}

type NodeOf = (node: TreeNode, tile: Tile) => Uint8Array;

/** Takes nodes out of tiles, each node once for each width of its tile. */
function nodesOf(bytesOf: (tile: Tile) => Uint8Array): NodeOf {
  const known = new Map<string, Uint8Array>();
  return (node, tile) => {
    const key = `${node.level} ${node.index} ${tilePath(tile)}`;
    const hash = known.get(key) ?? hashInTile({ node, hashes: bytesOf(tile) });
    known.set(key, hash);
    return hash;
  };
}

const nodeOfTree = nodesOf(tileBytes);

/** A consistency proof and the older root, out of tiles. */
function fromTiles(sizes: { older: bigint; newer: bigint }, nodeOf: NodeOf = nodeOfTree) {
  const nodes = consistencyNodes(sizes);
  const hashOf = (node: TreeNode): Uint8Array =>
    nodeOf(node, tileOf({ node, treeSize: sizes.newer }));
  return {
    olderRoot: joinedHash(nodes.olderRoot.map(hashOf)),
    proof: nodes.proof.map((parts) => joinedHash(parts.map(hashOf))),
  };
}

function hex(hashes: readonly Uint8Array[]): string {
  return hashes.map(encodeHex).join("\n");
}

function assertFromTiles(older: number, newer: number): void {
  const sizes = { older: BigInt(older), newer: BigInt(newer) };
  const built = fromTiles(sizes);
  assertEquals(hex(built.proof), hex(tree.consistencyProof(sizes)), `${older} to ${newer}`);
  assertEquals(hex([built.olderRoot]), hex([tree.root(sizes.older)]), `root at ${older}`);
}

Deno.test("tiles: every proof and older root up to 300 leaves is the tree's", () => {
  for (let newer = 2; newer <= LARGEST; newer++) {
    for (let older = 1; older < newer; older++) assertFromTiles(older, newer);
  }
});

Deno.test("tiles: proofs around the borders of tiles of three levels are the tree's", () => {
  const sizes = [
    ...[1, 2, 255, 256, 257, 511, 512, 513, 4095, 4096, 5000, 32_767, 32_768, 32_769],
    ...[65_279, 65_280, 65_281, 65_535, 65_536, 65_537, 65_791, 65_792, 65_793, 66_000, 66_236],
  ];
  for (const newer of sizes) {
    for (const older of sizes) if (older < newer) assertFromTiles(older, newer);
  }
});

/**
 * A tree too large to hold: all its leaves are alike but a few, so a node above none of these is
 * known by its level alone.
 */
function sparseTree(different: readonly bigint[]): { hash(node: TreeNode): Uint8Array } {
  const alike = [leafHash(utf8("alike"))];
  for (let level = 1; level < 64; level++) {
    const half = alike[level - 1]!;
    alike.push(nodeHash({ left: half, right: half }));
  }
  const known = new Map<string, Uint8Array>();
  const hash = ({ level, index }: TreeNode): Uint8Array => {
    if (!different.some((leaf) => leaf >> BigInt(level) === index)) return alike[level]!;
    if (level === 0) return leafHash(utf8(`leaf ${index}`));
    const key = `${level} ${index}`;
    const result = known.get(key) ?? nodeHash({
      left: hash({ level: level - 1, index: 2n * index }),
      right: hash({ level: level - 1, index: 2n * index + 1n }),
    });
    known.set(key, result);
    return result;
  };
  return { hash };
}

/** MTH of RFC 6962 section 2.1 over leaves 0 to size - 1, cut at the bits of the size. */
function sparseRoot(sparse: { hash(node: TreeNode): Uint8Array }, size: bigint): Uint8Array {
  let root: Uint8Array | undefined;
  for (let level = 0; level < 64; level++) {
    if ((size >> BigInt(level) & 1n) === 0n) continue;
    const left = sparse.hash({ level, index: (size >> BigInt(level)) - 1n });
    root = root === undefined ? left : nodeHash({ left, right: root });
  }
  return root!;
}

Deno.test("tiles: proofs between huge sizes imply the older root and reproduce the newer", () => {
  const sizes = [
    ...[1n, 3n, 70_000n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 123_456_789_012n],
    ...[2n ** 53n, 2n ** 53n + 1n, 2n ** 62n - 1n, 2n ** 62n, 2n ** 62n + 1n, MAX_TREE_SIZE],
  ];
  const sparse = sparseTree(sizes.flatMap((size) => [size - 1n, size]));
  const nodeOf = nodesOf(({ level, index, width }) =>
    concat(
      Array.from({ length: width }, (_, i) =>
        sparse.hash({ level: 8 * level, index: index * BigInt(TILE_WIDTH) + BigInt(i) })),
    )
  );
  for (const newer of sizes) {
    const newerRoot = sparseRoot(sparse, newer);
    for (const older of sizes.filter((size) => size < newer)) {
      const { olderRoot, proof } = fromTiles({ older, newer }, nodeOf);
      const implied = impliedOlderRoot({
        older: { treeSize: older, rootHash: olderRoot },
        newer: { treeSize: newer, rootHash: newerRoot },
        proof,
      });
      assertEquals(implied && encodeHex(implied), encodeHex(sparseRoot(sparse, older)));
      assertEquals(encodeHex(olderRoot), encodeHex(sparseRoot(sparse, older)));
    }
  }
});

Deno.test("consistencyNodes: only 0 < older < newer have a proof", () => {
  const refused: [bigint, bigint][] = [[0n, 5n], [5n, 5n], [6n, 5n], [-1n, 5n], [0n, 0n]];
  for (const [older, newer] of refused) {
    assertThrows(() => consistencyNodes({ older, newer }), RangeError, "no proof from");
  }
});

Deno.test("tileOf: the tiles of 70,000 leaves have the widths that C2SP tlog-tiles gives", () => {
  // SPEC: "a tree of size 70,000 is 273 full tiles and one .p/112, 1 full and .p/17, .p/1".
  const treeSize = 70_000n;
  const tile = (level: number, index: bigint): Tile => tileOf({ node: { level, index }, treeSize });
  assertEquals(tile(0, 272n * 256n), { level: 0, index: 272n, width: 256 });
  assertEquals(tile(0, 273n * 256n), { level: 0, index: 273n, width: 112 });
  assertEquals(tile(8, 255n), { level: 1, index: 0n, width: 256 });
  assertEquals(tile(8, 256n), { level: 1, index: 1n, width: 17 });
  assertEquals(tile(16, 0n), { level: 2, index: 0n, width: 1 });
});

Deno.test("tileOf: a node that is not full in the tree has no tile", () => {
  assertEquals(tileOf({ node: { level: 3, index: 1n }, treeSize: 16n }).width, 16);
  assertThrows(() => tileOf({ node: { level: 3, index: 1n }, treeSize: 15n }), RangeError);
  assertThrows(() => tileOf({ node: { level: 0, index: 15n }, treeSize: 15n }), RangeError);
});

Deno.test("tilePath: writes the number in groups of three digits, all but the last after an x", () => {
  const path = (index: bigint, width = TILE_WIDTH): string => tilePath({ level: 0, index, width });
  assertEquals(path(0n), "tile/0/000");
  assertEquals(path(67n), "tile/0/067");
  assertEquals(path(999n), "tile/0/999");
  assertEquals(path(1000n), "tile/0/x001/000");
  // SPEC: "1234067 is x001/x234/067".
  assertEquals(path(1_234_067n), "tile/0/x001/x234/067");
  assertEquals(path(1_234_067n, 1), "tile/0/x001/x234/067.p/1");
  assertEquals(path(7n, 255), "tile/0/007.p/255");
  assertEquals(path((2n ** 63n - 1n) / 256n), "tile/0/x036/x028/x797/x018/x963/967");
  assertEquals(tilePath({ level: 5, index: 1n, width: 8 }), "tile/5/001.p/8");
});

Deno.test("sumdbTilePath: has the height of the tiles before their level", () => {
  assertEquals(sumdbTilePath({ level: 0, index: 41_998n, width: 256 }), "tile/8/0/x041/998");
  assertEquals(sumdbTilePath({ level: 2, index: 0n, width: 164 }), "tile/8/2/000.p/164");
});

Deno.test("hashInTile: gives a tile's own hashes and those hashed up from them", () => {
  const hashes = tileBytes({ level: 0, index: 1n, width: TILE_WIDTH });
  assertEquals(hashes.length, TILE_BYTES);
  for (let level = 0; level < 8; level++) {
    for (const index of [256n >> BigInt(level), 511n >> BigInt(level)]) {
      const expected = new Tree();
      const first = Number(index << BigInt(level));
      for (const leaf of leaves.slice(first, first + (1 << level))) expected.append(leaf);
      const hash = hashInTile({ node: { level, index }, hashes });
      assertEquals(hash.length, HASH_BYTES);
      assertEquals(encodeHex(hash), encodeHex(expected.root()));
    }
  }
});
