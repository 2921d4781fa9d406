/**
 * Logs that serve their tree as tiles (C2SP tlog-tiles), and build no proofs: whoever needs one
 * builds it from the tiles.
 *
 * @module
 */
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import {
  consistencyNodes,
  hashInTile,
  joinedHash,
  type Tile,
  TILE_WIDTH,
  tileOf,
  tilePath,
  type TreeNode,
} from "../tlog/tiles.ts";
import { AnswerTooLarge, type Fetcher, fetchLatest, UnexpectedStatus } from "./fetcher.ts";
import { ProofRefused, type ServedProof, type Source } from "./source.ts";
import { TileCache } from "./tile_cache.ts";

/** Where a log of tiles has what, below its prefix. */
export interface TilePaths {
  readonly latest: string;
  tile(tile: Tile): string;
}

/** An HTTP status. */
const FORBIDDEN = 403;

/** The paths of C2SP tlog-tiles. */
const TLOG_TILES: TilePaths = { latest: "checkpoint", tile: tilePath };

/** A log of C2SP tlog-tiles, or of tiles under other paths. */
export class TileSource implements Source {
  readonly #fetcher: Fetcher;
  readonly #paths: TilePaths;
  readonly #cache = new TileCache();

  constructor({ fetcher, paths = TLOG_TILES }: { fetcher: Fetcher; paths?: TilePaths }) {
    this.#fetcher = fetcher;
    this.#paths = paths;
  }

  /** See Source. */
  distrust(): void {
    this.#fetcher.forget?.();
  }

  latest(): Promise<Uint8Array> {
    const { latest: path } = this.#paths;
    return fetchLatest({ fetcher: this.#fetcher, path, maxBytes: MAX_NOTE_BYTES });
  }

  async consistency({ older, newer }: { older: bigint; newer: bigint }): Promise<ServedProof> {
    const nodes = consistencyNodes({ older, newer });
    const placed = (node: TreeNode): Tile => tileOf({ node, treeSize: newer });
    const wanted = [...nodes.olderRoot, ...nodes.proof.flat()].map(placed);
    const used = new Map<string, UsedTile>();
    // One tile after the other: there are a few at most, and a log is not to be hurried.
    for (const tile of new Map(wanted.map((tile) => [tilePath(tile), tile])).values()) {
      used.set(tilePath(tile), { tile, hashes: await this.#tile(tile) });
    }
    const hashOf = (node: TreeNode): Uint8Array =>
      hashInTile({ node, hashes: used.get(tilePath(placed(node)))!.hashes });
    return {
      olderRoot: joinedHash(nodes.olderRoot.map(hashOf)),
      proof: nodes.proof.map((parts) => joinedHash(parts.map(hashOf))),
      settle: (holds) => this.#settle([...used.values()], holds),
    };
  }

  /**
   * What a proof was built from is kept only if the proof held; if not, what was remembered of it
   * is fetched anew the next time, so that no bad tile makes a log unproven for good.
   */
  #settle(used: readonly UsedTile[], holds: boolean): void {
    for (const { tile, hashes } of used) {
      if (!holds) this.#cache.delete(fullOf(tile));
      else if (tile.width === TILE_WIDTH) this.#cache.set(tile, hashes);
    }
  }

  /** @throws SourceUnavailable, ProofRefused */
  async #tile(tile: Tile): Promise<Uint8Array> {
    const full = fullOf(tile);
    const start = (hashes: Uint8Array | undefined): Uint8Array | undefined =>
      hashes?.subarray(0, tile.width * HASH_BYTES);
    const hashes = start(this.#cache.get(full)) ??
      (tile.width < TILE_WIDTH
        ? start(await this.#fetchPartial(tile))
        : await this.#fetchTile(tile));
    if (hashes !== undefined) return hashes;
    throw new ProofRefused(
      `The log has no tile at ${this.#locate(tile)}, which a tree of the size it claims has`,
    );
  }

  /** @returns at least what the tile holds, or nothing if the log does not have it */
  async #fetchPartial(tile: Tile): Promise<Uint8Array | undefined> {
    let forbidden: UnexpectedStatus | undefined;
    try {
      const hashes = await this.#fetchTile(tile);
      if (hashes !== undefined) return hashes;
    } catch (error) {
      // Object stores say so of what is missing, to whoever may not list it.
      if (!(error instanceof UnexpectedStatus) || error.status !== FORBIDDEN) throw error;
      forbidden = error;
    }
    // SPEC: a partial tile may be gone once the full one is there, which starts with the same.
    const full = await this.#fetchTile(fullOf(tile));
    if (full === undefined && forbidden !== undefined) throw forbidden;
    return full;
  }

  /** @returns nothing if the log does not have it */
  async #fetchTile(tile: Tile): Promise<Uint8Array | undefined> {
    const wanted = tile.width * HASH_BYTES;
    try {
      const hashes = await this.#fetcher.get(this.#paths.tile(tile), { maxBytes: wanted });
      if (hashes === undefined || hashes.length === wanted) return hashes;
      throw this.#wrongLength(tile, `${hashes.length} bytes`);
    } catch (error) {
      throw error instanceof AnswerTooLarge ? this.#wrongLength(tile, "more") : error;
    }
  }

  #wrongLength(tile: Tile, came: string): ProofRefused {
    const wanted = tile.width * HASH_BYTES;
    return new ProofRefused(
      `The log's tile at ${this.#locate(tile)} has ${came}, expected ${wanted} bytes`,
    );
  }

  #locate(tile: Tile): string {
    return this.#fetcher.locate(this.#paths.tile(tile));
  }
}

/** A tile that a proof was built from. */
interface UsedTile {
  readonly tile: Tile;
  readonly hashes: Uint8Array;
}

function fullOf(tile: Tile): Tile {
  return { ...tile, width: TILE_WIDTH };
}
