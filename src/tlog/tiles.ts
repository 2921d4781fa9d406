/**
 * Tiles: how a log of C2SP tlog-tiles (and Go's checksum database, x/mod sumdb/tlog) cuts its tree
 * into files of up to 256 hashes, and where in them the parts of a consistency proof are. A proof
 * is built in three steps:
 *
 *     const nodes = consistencyNodes({ older, newer }); // which nodes it is made of
 *     const tile = tileOf({ node, treeSize: newer }); // for each node, the tile that holds it
 *     const hash = hashInTile({ node, hashes }); // and its hash, out of the bytes of that tile
 *
 * @module
 */
import { HASH_BYTES, nodeHash, subtreeRoot } from "./hashing.ts";

/** Levels of the tree in one tile; C2SP tlog-tiles fixes it. */
export const TILE_HEIGHT = 8;
/** Hashes of a full tile. */
export const TILE_WIDTH = 1 << TILE_HEIGHT;
/** Bytes of a full tile. */
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** A full subtree: the leaves index·2^level up to (index + 1)·2^level - 1. */
export interface TreeNode {
  /** 0 for leaves, at most 62. */
  readonly level: number;
  readonly index: bigint;
}

/** One tile: `width` hashes of nodes of tree level 8·level, from node 256·index on. */
export interface Tile {
  readonly level: number;
  readonly index: bigint;
  /** 1 to 256; below 256 the tile is partial. */
  readonly width: number;
}

/** A tile, or a bundle with the entries below the hashes of a tile of level 0. */
export type TileOrBundle = Omit<Tile, "level"> & { readonly level: number | "entries" };

/**
 * The path of a tile, or of a bundle of entries, below a log's prefix: `tile/<L>/<N>[.p/<W>]` (C2SP
 * tlog-tiles).
 *
 *     tilePath({ level: 0, index: 1_234_067n, width: 256 }) // "tile/0/x001/x234/067"
 *     tilePath({ level: 1, index: 0n, width: 3 }) // "tile/1/000.p/3"
 */
export function tilePath({ level, index, width }: TileOrBundle): string {
  return `tile/${level}/${tileNumber({ index, width })}`;
}

/** `tile/<L>/<N>[.p/<W>]`, or `tile/entries/<N>[.p/<W>]`; nothing has more than seven groups. */
const TILE_PATH =
  /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,6}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Reads what `tilePath` writes. Gives nothing for any other path, and for any other spelling. */
export function parseTilePath(path: string): TileOrBundle | undefined {
  const [, kind, number, width] = TILE_PATH.exec(path) ?? [];
  if (kind === undefined || number === undefined) return undefined;
  const tile: TileOrBundle = {
    level: kind === "entries" ? kind : Number(kind),
    index: BigInt(number.replaceAll(/[x/]/g, "")),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  return tilePath(tile) === path && tile.width <= TILE_WIDTH ? tile : undefined;
}

/** The path of a tile in Go's checksum database, which names the height: `tile/8/<L>/<N>[.p/<W>]`. */
export function sumdbTilePath({ level, index, width }: Tile): string {
  return `tile/${TILE_HEIGHT}/${level}/${tileNumber({ index, width })}`;
}

/** Digits of one element of a tile's number. */
const GROUP_DIGITS = 3;

/** SPEC: "3-digit zero-padded path elements; all but the last prefixed by x": x001/x234/067. */
function tileNumber({ index, width }: { index: bigint; width: number }): string {
  const digits = index.toString();
  const padded = digits.padStart(Math.ceil(digits.length / GROUP_DIGITS) * GROUP_DIGITS, "0");
  const number = padded.replace(/\d{3}(?=\d)/g, "x$&/");
  return width === TILE_WIDTH ? number : `${number}.p/${width}`;
}

/** The nodes a consistency proof between two sizes is made of. */
export interface ConsistencyNodes {
  /** The nodes that `joinedHash` joins to the older root, left to right. */
  readonly olderRoot: readonly TreeNode[];
  /** For each hash of the proof, in its order, the nodes it is joined from: one, or several. */
  readonly proof: readonly (readonly TreeNode[])[];
}

/**
 * The nodes that make up PROOF(older, D[newer]) of RFC 6962 section 2.1.2, and those that make up
 * the root at `older`.
 * @throws RangeError unless 0 < older < newer
 */
export function consistencyNodes(
  { older, newer }: { older: bigint; newer: bigint },
): ConsistencyNodes {
  if (older <= 0n || older >= newer) throw new RangeError(`no proof from ${older} to ${newer}`);
  return {
    olderRoot: fullSubtrees({ start: 0n, end: older }),
    proof: subproof({ older, leaves: { start: 0n, end: newer }, whole: true }).map(fullSubtrees),
  };
}

/**
 * Leaves start to end - 1, as RFC 6962 cuts a tree. `start` is a multiple of the smallest power of
 * two that is not below `end - start`.
 */
interface Leaves {
  readonly start: bigint;
  readonly end: bigint;
}

/** SUBPROOF(older, D[start:end], whole) of RFC 6962 section 2.1.2, as ranges of leaves. */
function subproof(
  { older, leaves, whole }: { older: bigint; leaves: Leaves; whole: boolean },
): Leaves[] {
  const { start, end } = leaves;
  if (older === end) return whole ? [] : [leaves];
  // The largest power of two smaller than the number of leaves.
  const middle = start + (1n << BigInt(bitLength(end - start - 1n) - 1));
  const left = { start, end: middle };
  const right = { start: middle, end };
  return older <= middle
    ? [...subproof({ older, leaves: left, whole }), right]
    : [...subproof({ older, leaves: right, whole: false }), left];
}

/** The fewest nodes that cover these leaves, left to right: one for each bit of their number. */
function fullSubtrees({ start, end }: Leaves): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = start; at < end;) {
    const level = bitLength(end - at) - 1;
    nodes.push({ level, index: at >> BigInt(level) });
    at += 1n << BigInt(level);
  }
  return nodes;
}

function bitLength(n: bigint): number {
  return n.toString(2).length;
}

/**
 * The RFC 6962 hash over neighbouring nodes of falling levels, as `consistencyNodes` gives them.
 * @param hashes of the nodes, left to right, at least one, 32 bytes each
 */
export function joinedHash(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash({ left, right }));
}

/**
 * The tile that holds a node, with the width that it has in a tree of this size.
 * @throws RangeError if the node is not full in that tree: no tile holds it
 */
export function tileOf({ node, treeSize }: { node: TreeNode; treeSize: bigint }): Tile {
  const { level, index } = node;
  if ((index + 1n) << BigInt(level) > treeSize) {
    throw new RangeError(`node ${index} of level ${level} is not full in a tree of ${treeSize}`);
  }
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const tileIndex = lowestIndex(node) >> BigInt(TILE_HEIGHT);
  // SPEC: "partial width at level L for size s = floor(s / 256^L) mod 256": the last tile's width.
  const hashes = (treeSize >> BigInt(TILE_HEIGHT * tileLevel)) - tileIndex * BigInt(TILE_WIDTH);
  const width = hashes < TILE_WIDTH ? Number(hashes) : TILE_WIDTH;
  return { level: tileLevel, index: tileIndex, width };
}

/**
 * The hash of a node, out of its tile: one of the tile's own hashes, or the root over several of
 * them.
 * @param hashes the tile's bytes: at least as many hashes as `tileOf` says, one after the other
 */
export function hashInTile(
  { node, hashes }: { node: TreeNode; hashes: Uint8Array },
): Uint8Array {
  const first = Number(lowestIndex(node) % BigInt(TILE_WIDTH));
  const count = 1 << levelInTile(node);
  return subtreeRoot(hashes.subarray(first * HASH_BYTES, (first + count) * HASH_BYTES));
}

/** Levels between a node and the hashes that its tile stores. */
function levelInTile({ level }: TreeNode): number {
  return level % TILE_HEIGHT;
}

/** The index, on the level its tile stores, of the first hash below a node. */
function lowestIndex(node: TreeNode): bigint {
  return node.index << BigInt(levelInTile(node));
}
