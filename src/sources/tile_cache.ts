import { type Tile, tilePath } from "../tlog/tiles.ts";

/** Most tiles remembered for one log. They take half a megabyte. */
export const MAX_REMEMBERED_TILES = 64;

/**
 * Tiles of one log, by level, index and width. If there are too many, the one not used for longest
 * is dropped.
 */
export class TileCache {
  // They are in order of use, because a Map keeps the order in which its keys were set.
  readonly #tiles = new Map<string, Uint8Array>();

  /** A tile's hashes, one after the other, if it is remembered. */
  get(tile: Tile): Uint8Array | undefined {
    const hashes = this.#tiles.get(tilePath(tile));
    if (hashes !== undefined) this.set(tile, hashes);
    return hashes;
  }

  /** Remembers a tile. */
  set(tile: Tile, hashes: Uint8Array): void {
    this.delete(tile);
    this.#tiles.set(tilePath(tile), hashes);
    if (this.#tiles.size <= MAX_REMEMBERED_TILES) return;
    const [oldest] = this.#tiles.keys();
    this.#tiles.delete(oldest!);
  }

  /** Forgets a tile, if it is remembered. */
  delete(tile: Tile): void {
    this.#tiles.delete(tilePath(tile));
  }
}
