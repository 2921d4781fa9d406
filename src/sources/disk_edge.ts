import { concat } from "@std/bytes/concat";
import { EMPTY_ROOT, HASH_BYTES, leafHash } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { TILE_WIDTH, tilePath } from "../tlog/tiles.ts";
import { Tree } from "../tlog/tree.ts";

/** Longest entry of a bundle: its length is a uint16 (C2SP tlog-tiles). */
export const MAX_ENTRY_BYTES = 0xffff;
const LENGTH_BYTES = 2;

/** A tile or an entry bundle: its path below the log's prefix, and its bytes. */
export interface TileFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** One tile at the right edge of a tree that is not full yet; of a level, or of entries. */
export interface EdgeTile {
  readonly level: number | "entries";
  readonly index: bigint;
  readonly width: number;
}

/** The tiles that are not full in a tree of this size, the bundle first, then level by level. */
export function edgeTilesOf(treeSize: bigint): EdgeTile[] {
  const tiles: EdgeTile[] = [];
  let count = treeSize;
  for (let level = 0; count > 0n; level++, count /= BigInt(TILE_WIDTH)) {
    const index = count / BigInt(TILE_WIDTH);
    const width = Number(count % BigInt(TILE_WIDTH));
    if (width === 0) continue;
    if (level === 0) tiles.push({ level: "entries", index, width });
    tiles.push({ level, index, width });
  }
  return tiles;
}

/**
 * What must be known of a log on disk to append to it and to compute its root: at each level, the
 * hashes of the tile that is not full yet. These are a few hundred hashes, however large the log
 * is.
 */
export class DiskEdge {
  #treeSize = 0n;
  // levels[k] holds up to 255 hashes of full subtrees over 256^k leaves.
  readonly #levels: Uint8Array[][] = [];
  // The entries of the last bundle, each with its length before it.
  #bundle: Uint8Array[] = [];

  /**
   * The edge of a log of this size, from its partial tiles.
   * @param read gives a tile's bytes by its path
   * @throws MalformedError for a tile of another length
   */
  static async load(
    { treeSize, read }: { treeSize: bigint; read: (path: string) => Promise<Uint8Array> },
  ): Promise<DiskEdge> {
    const edge = new DiskEdge();
    edge.#treeSize = treeSize;
    for (const tile of edgeTilesOf(treeSize)) {
      const path = tilePath(tile);
      const bytes = await read(path);
      const parts = tile.level === "entries" ? splitBundle(bytes) : splitTile(bytes);
      if (parts?.length !== tile.width) {
        throw new MalformedError(`${path} does not hold ${tile.width} whole entries or hashes`);
      }
      if (tile.level === "entries") edge.#bundle = parts;
      else edge.#row(tile.level).push(...parts);
    }
    return edge;
  }

  /** How many entries the log has. */
  get treeSize(): bigint {
    return this.#treeSize;
  }

  /** A copy, to append to. */
  clone(): DiskEdge {
    const copy = new DiskEdge();
    copy.#treeSize = this.#treeSize;
    copy.#levels.push(...this.#levels.map((row) => [...row]));
    copy.#bundle = [...this.#bundle];
    return copy;
  }

  /**
   * Adds an entry.
   * @returns the bundle and the tiles that it filled
   * @throws MalformedError if it is longer than MAX_ENTRY_BYTES
   */
  append(entry: Uint8Array): TileFile[] {
    if (entry.length > MAX_ENTRY_BYTES) {
      throw new MalformedError(
        `the entry has ${entry.length} bytes, expected at most ${MAX_ENTRY_BYTES}`,
      );
    }
    this.#bundle.push(concat([Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry]));
    this.#row(0).push(leafHash(entry));
    this.#treeSize++;
    const full: TileFile[] = [];
    let count = this.#treeSize;
    for (let level = 0; count % BigInt(TILE_WIDTH) === 0n; level++) {
      count /= BigInt(TILE_WIDTH);
      const where = { index: count - 1n, width: TILE_WIDTH };
      if (level === 0) {
        full.push({
          path: tilePath({ level: "entries", ...where }),
          content: concat(this.#bundle),
        });
        this.#bundle = [];
      }
      const hashes = this.#row(level).splice(0);
      full.push({ path: tilePath({ level, ...where }), content: concat(hashes) });
      this.#row(level + 1).push(rootOver(hashes));
    }
    return full;
  }

  /** The bundle and the tiles that are not full yet. */
  partial(): TileFile[] {
    return edgeTilesOf(this.#treeSize).map((tile) => ({
      path: tilePath(tile),
      content: concat(tile.level === "entries" ? this.#bundle : this.#row(tile.level)),
    }));
  }

  /**
   * The root. Above a tile, RFC 6962 splits the tree only between the tile's hashes. So the smaller
   * tree to their right, however large, counts as one more hash at their level.
   */
  root(): Uint8Array {
    let right: Uint8Array | undefined;
    for (const row of this.#levels) {
      const hashes = right === undefined ? row : [...row, right];
      if (hashes.length > 0) right = rootOver(hashes);
    }
    return right ?? EMPTY_ROOT;
  }

  #row(level: number): Uint8Array[] {
    while (this.#levels.length <= level) this.#levels.push([]);
    return this.#levels[level]!;
  }
}

function rootOver(hashes: readonly Uint8Array[]): Uint8Array {
  const tree = new Tree();
  for (const hash of hashes) tree.append(hash);
  return tree.root();
}

/** The hashes of a tile; nothing if the last one is not whole. */
function splitTile(bytes: Uint8Array): Uint8Array[] | undefined {
  if (bytes.length % HASH_BYTES !== 0) return undefined;
  return Array.from(
    { length: bytes.length / HASH_BYTES },
    (_, i) => bytes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

/**
 * The entries of a bundle, each with its length before it; nothing if the last one is not whole.
 */
function splitBundle(bytes: Uint8Array): Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + LENGTH_BYTES + (bytes[at]! << 8 | (bytes[at + 1] ?? 0));
    if (end > bytes.length) return undefined;
    entries.push(bytes.slice(at, end));
    at = end;
  }
  return entries;
}
