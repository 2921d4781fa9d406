import { type Tile, tilePath } from "../tlog/tiles.ts";

/** Tiles remembered for one log: half a megabyte of them. */
export const MAX_REMEMBERED_TILES = 64;

/** Tiles of one log, by what they are and how wide. The one not used for longest gives way. */
export class TileCache {
  // In order of use: a Map keeps the order in which its keys were set.
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
