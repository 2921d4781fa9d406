/**
 * Logs that serve their tree as tiles (C2SP tlog-tiles). Such a log builds no proofs. We build them
 * from its tiles.
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
import type { LookTime } from "./look_time.ts";
import { hasTimeToAsk, within } from "./patient_fetcher.ts";
import { ProofRefused, type ServedProof, type Source, SourceUnavailable } from "./source.ts";
import { TileCache } from "./tile_cache.ts";

/** How long to wait before a tile that is missing or malformed is asked for once more. */
export const MISSING_TILE_PAUSE_MS = 2_000;
/** The status of a server that does not say whether a file exists. */
const FORBIDDEN = 403;

/** The paths of a tiled log, below its prefix. */
export interface TilePaths {
  readonly latest: string;
  tile(tile: Tile): string;
}

/** The paths of C2SP tlog-tiles. */
const TLOG_TILES: TilePaths = { latest: "checkpoint", tile: tilePath };

/** A log of C2SP tlog-tiles, or of tiles under other paths. */
export class TileSource implements Source {
  readonly #fetcher: Fetcher;
  readonly #paths: TilePaths;
  /** Tiles of proofs that held. */
  readonly #cache = new TileCache();
  /** Tiles fetched for a proof that could not be finished. Nothing has shown them to be true. */
  readonly #unproven = new TileCache();

  constructor({ fetcher, paths = TLOG_TILES }: { fetcher: Fetcher; paths?: TilePaths }) {
    this.#fetcher = fetcher;
    this.#paths = paths;
  }

  /** See Source. */
  distrust(): void {
    this.#fetcher.forget?.();
  }

  latest(time?: LookTime): Promise<Uint8Array> {
    const { latest: path } = this.#paths;
    const fetcher = within({ fetcher: this.#fetcher, time });
    return fetchLatest({ fetcher, path, maxBytes: MAX_NOTE_BYTES });
  }

  async consistency(
    { older, newer }: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    const nodes = consistencyNodes({ older, newer });
    const placed = (node: TreeNode): Tile => tileOf({ node, treeSize: newer });
    const used = await this.#gather([...nodes.olderRoot, ...nodes.proof.flat()].map(placed), time);
    const hashOf = (node: TreeNode): Uint8Array =>
      hashInTile({ node, hashes: used.get(tilePath(placed(node)))!.hashes });
    return {
      olderRoot: joinedHash(nodes.olderRoot.map(hashOf)),
      proof: nodes.proof.map((parts) => joinedHash(parts.map(hashOf))),
      judged: (holds) => this.#judged([...used.values()], holds),
    };
  }

  /**
   * Gets all of these tiles. If some cannot be had, the others are kept for the next time, until a
   * proof from them fails. Only a proof tells whether they are true.
   * @throws SourceUnavailable, ProofRefused
   */
  async #gather(
    wanted: readonly Tile[],
    time: LookTime | undefined,
  ): Promise<ReadonlyMap<string, UsedTile>> {
    const used = new Map<string, UsedTile>();
    const tiles = [...new Map(wanted.map((tile) => [tilePath(tile), tile])).values()];
    // Full tiles come first, because they stay useful when the log has grown.
    const byUse = tiles.toSorted((a, b) => Number(isPartial(a)) - Number(isPartial(b)));
    try {
      // One tile after the other: there are few, and a log should not be hurried.
      for (const tile of byUse) used.set(tilePath(tile), { tile, ...await this.#tile(tile, time) });
    } catch (error) {
      const isExpected = error instanceof SourceUnavailable || error instanceof ProofRefused;
      if (isExpected) {
        for (const { tile, hashes } of used.values()) this.#unproven.set(tile, hashes);
      }
      throw error;
    }
    return used;
  }

  /**
   * Keeps the tiles of a proof if the proof held. If it did not, forgets them, so that they are
   * fetched anew. Otherwise one bad tile would leave a log unproven for ever.
   */
  #judged(used: readonly UsedTile[], holds: boolean): void {
    for (const { tile, hashes } of used) {
      if (holds && !isPartial(tile)) this.#cache.set(tile, hashes);
      if (holds) continue;
      for (const wrong of [tile, fullOf(tile)]) {
        this.#cache.delete(wrong);
        this.#unproven.delete(wrong);
      }
    }
  }

  /** @throws SourceUnavailable, ProofRefused */
  async #tile(tile: Tile, time: LookTime | undefined): Promise<{ hashes: Uint8Array }> {
    const known = this.#known(tile);
    if (known !== undefined) return { hashes: known };
    const fetcher = within({ fetcher: this.#fetcher, time });
    const first = await this.#spelled(tile, fetcher);
    if ("hashes" in first) return first;
    // The file may be about to be replaced, or a cache may be stale. A second try later tells that
    // from a refusal.
    if (time === undefined || !hasTimeToAsk(time, MISSING_TILE_PAUSE_MS)) throw first.refused;
    await time.pause(MISSING_TILE_PAUSE_MS);
    const second = await this.#spelled(tile, fetcher);
    if ("hashes" in second) return second;
    throw second.refused;
  }

  /** The hashes of a tile that were fetched before, if there are any. */
  #known(tile: Tile): Uint8Array | undefined {
    const full = fullOf(tile);
    return startOf(this.#cache.get(full), tile) ?? startOf(this.#unproven.get(full), tile) ??
      this.#unproven.get(tile);
  }

  /**
   * Fetches a tile under its own path, or else the start of the full tile. SPEC: a partial tile may
   * be gone once the full one exists. The full one starts with the same hashes.
   * @throws SourceUnavailable
   */
  async #spelled(tile: Tile, fetcher: Fetcher): Promise<Fetched> {
    const own = await this.#fetchTile(tile, fetcher);
    if ("hashes" in own || !isPartial(tile)) return own;
    const full = await this.#fetchTile(fullOf(tile), fetcher);
    // An error names the tile that was asked for.
    return "hashes" in full ? { hashes: startOf(full.hashes, tile)! } : own;
  }

  /** @throws SourceUnavailable */
  async #fetchTile(tile: Tile, fetcher: Fetcher): Promise<Fetched> {
    const wanted = tile.width * HASH_BYTES;
    try {
      const hashes = await fetcher.get(this.#paths.tile(tile), { maxBytes: wanted });
      if (hashes === undefined) return { refused: this.#missing(tile) };
      if (hashes.length === wanted) return { hashes };
      return { refused: this.#wrongLength(tile, `${hashes.length} bytes`) };
    } catch (error) {
      if (error instanceof AnswerTooLarge) return { refused: this.#wrongLength(tile, "more") };
      // Some object stores answer so for a file that does not exist, if the caller may not list
      // files.
      const isForbidden = error instanceof UnexpectedStatus && error.status === FORBIDDEN;
      // If the full tile fails too, it is an outage, because everything may be forbidden.
      if (isForbidden && isPartial(tile)) return { refused: error };
      throw error;
    }
  }

  #missing(tile: Tile): ProofRefused {
    return new ProofRefused(
      `The log has no tile at ${this.#locate(tile)}, which a tree of the size it claims has`,
    );
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

/** The outcome of asking for a tile. */
type Fetched = { readonly hashes: Uint8Array } | {
  readonly refused: ProofRefused | UnexpectedStatus;
};

/** A tile that a proof was built from. */
interface UsedTile {
  readonly tile: Tile;
  readonly hashes: Uint8Array;
}

function fullOf(tile: Tile): Tile {
  return { ...tile, width: TILE_WIDTH };
}

function isPartial({ width }: Tile): boolean {
  return width < TILE_WIDTH;
}

/** The hashes of a tile, out of those of the full tile. */
function startOf(hashes: Uint8Array | undefined, { width }: Tile): Uint8Array | undefined {
  return hashes?.subarray(0, width * HASH_BYTES);
}
