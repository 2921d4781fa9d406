/**
 * Tiles in folders, and the proofs that can be built from them: those that Go's client keeps beside its
 * lookups, and those of a tlog-tiles log beside its checkpoint. No tile is trusted: a proof counts only
 * if it leads to a root that the log has signed. If it does not, a tile is wrong or of another tree, and
 * that says nothing against the log.
 *
 * @module
 */
import { join } from "@std/path/join";
import { HASH_BYTES, hashNodeInto } from "../tlog/hashing.ts";
import {
  consistencyNodes,
  joinedHash,
  type Tile,
  TILE_BYTES,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileOf,
  tilePath,
  type TreeNode,
} from "../tlog/tiles.ts";
import { readFully } from "../world/reading.ts";
import { type Files, WorldError } from "../world/world.ts";

/** Most tiles kept in memory, at 16 kB each. */
const MAX_TILES = 2_048;

/** A tile that would be needed and is in no folder. */
export class TileMissing extends Error {}

/** The folder of Go's tiles, beside its lookups. It has a folder for each level. */
export function goTilesBeside(folder: string): string {
  return join(folder, "tile", `${TILE_HEIGHT}`);
}

/** The folder of tiles of C2SP tlog-tiles, beside the checkpoint. It has a folder for each level. */
export function tilesBeside(folder: string): string {
  return join(folder, "tile");
}

/** The path of a tile below such a folder: `<L>/<N>[.p/<W>]`. */
function pathOf(tile: Tile): string {
  return tilePath(tile).slice("tile/".length);
}

/** The tiles of several folders, each as `goTilesBeside` and `tilesBeside` name them. */
export class TilesOnDisk {
  readonly #files: Files;
  /** By folder and path; nothing if the folder has none. */
  readonly #tiles = new Map<string, Rows | undefined>();

  constructor(files: Files) {
    this.#files = files;
  }

  /**
   * Builds the consistency proof between two sizes.
   * @param folders where tiles are looked for, in this order
   * @returns the root that these tiles give at the older size, and the proof
   * @throws TileMissing, or WorldError if a tile cannot be read
   * @throws RangeError unless 0 < older < newer
   */
  async proof(
    { older, newer, folders }: { older: bigint; newer: bigint; folders: readonly string[] },
  ): Promise<{ olderRoot: Uint8Array; proof: Uint8Array[] }> {
    const nodes = consistencyNodes({ older, newer });
    const hashesOf = async (parts: readonly TreeNode[]): Promise<Uint8Array> => {
      const hashes: Uint8Array[] = [];
      for (const node of parts) hashes.push(await this.#hash(node, { treeSize: newer, folders }));
      return joinedHash(hashes);
    };
    const olderRoot = await hashesOf(nodes.olderRoot);
    const proof: Uint8Array[] = [];
    for (const parts of nodes.proof) proof.push(await hashesOf(parts));
    return { olderRoot, proof };
  }

  async #hash(
    node: TreeNode,
    { treeSize, folders }: { treeSize: bigint; folders: readonly string[] },
  ): Promise<Uint8Array> {
    const tile = tileOf({ node, treeSize });
    for (const folder of folders) {
      const hash = (await this.#rows(folder, tile))?.hash(node);
      if (hash !== undefined) return hash;
    }
    throw new TileMissing(`no tile ${tilePath(tile)}`);
  }

  /** The widest version of a tile in a folder: each narrower one is the start of it. */
  async #rows(
    folder: string,
    { level, index }: { level: number; index: bigint },
  ): Promise<Rows | undefined> {
    const full = join(folder, pathOf({ level, index, width: TILE_WIDTH }));
    let rows = this.#tiles.get(full);
    if (rows === undefined && !this.#tiles.has(full)) {
      const hashes = await this.#read(full) ?? await this.#readWidest(`${full}.p`);
      rows = hashes && new Rows(hashes);
    }
    // Those used last stay.
    this.#tiles.delete(full);
    this.#tiles.set(full, rows);
    if (this.#tiles.size > MAX_TILES) this.#tiles.delete(this.#tiles.keys().next().value!);
    return rows;
  }

  async #readWidest(folder: string): Promise<Uint8Array | undefined> {
    const widths = (await ifThere(() => this.#files.list(folder)) ?? [])
      .filter((name) => /^[1-9]\d{0,2}$/.test(name)).map(Number).filter((w) => w < TILE_WIDTH);
    return widths.length === 0
      ? undefined
      : await this.#read(join(folder, `${Math.max(...widths)}`));
  }

  /** The hashes of a file. What does not have the length of whole hashes is no tile. */
  async #read(path: string): Promise<Uint8Array | undefined> {
    // Who opens a pipe waits for a writer.
    if (await ifThere(() => this.#files.kindOf(path)) !== "file") return undefined;
    const file = await ifThere(() => this.#files.open(path, "read"));
    if (file === undefined) return undefined;
    try {
      if (!file.isRegular) return undefined;
      const buffer = new Uint8Array(TILE_BYTES + 1);
      const filled = await readFully(file, buffer, 0);
      const isTile = filled > 0 && filled <= TILE_BYTES && filled % HASH_BYTES === 0;
      return isTile ? buffer.slice(0, filled) : undefined;
    } finally {
      file.close();
    }
  }
}

async function ifThere<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof WorldError) return undefined;
    throw error;
  }
}

/** The hashes of a tile, and of all full subtrees over them, each computed once. */
class Rows {
  /** Row k has the nodes k levels above the tile's own hashes. */
  readonly #rows: Uint8Array[];

  constructor(hashes: Uint8Array) {
    this.#rows = [hashes];
  }

  /** The hash of a node of this tile; nothing if the tile is too narrow for it. */
  hash({ level, index }: TreeNode): Uint8Array | undefined {
    const height = level % TILE_HEIGHT;
    const at = Number(index % BigInt(TILE_WIDTH >> height)) * HASH_BYTES;
    const row = this.#row(height);
    return at + HASH_BYTES <= row.length ? row.subarray(at, at + HASH_BYTES) : undefined;
  }

  #row(height: number): Uint8Array {
    const known = this.#rows[height];
    if (known !== undefined) return known;
    const below = this.#row(height - 1);
    const row = new Uint8Array(Math.floor(below.length / HASH_BYTES / 2) * HASH_BYTES);
    for (let at = 0; at < row.length; at += HASH_BYTES) {
      hashNodeInto(row.subarray(at, at + HASH_BYTES), {
        left: below.subarray(2 * at, 2 * at + HASH_BYTES),
        right: below.subarray(2 * at + HASH_BYTES, 2 * at + 2 * HASH_BYTES),
      });
    }
    return this.#rows[height] = row;
  }
}
