/**
 * A journal as a log of C2SP tlog-tiles in a folder, which any web server can serve: the signed
 * checkpoint, the tiles of its tree and the bundles of its leaves. All of it is derived from the lines
 * of the journal. So a file that is missing or wrong is written anew.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { join } from "@std/path/join";
import { utf8 } from "../tlog/encoding.ts";
import { TILE_HEIGHT, TILE_WIDTH, type TileOrBundle, tilePath } from "../tlog/tiles.ts";
import { ensureFolder, replaceFile } from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import { type Files, WorldError } from "../world/world.ts";
import type { LineTree } from "./line_tree.ts";
import { PATHS } from "./wire.ts";

/** Anybody may read them. */
const PERMISSIONS = 0o644;
/** So many widths of one partial tile stay, for those who read by an older checkpoint. */
export const KEPT_WIDTHS = 16;

/** A log that is to be in the folder. */
export interface FiledLog {
  readonly lines: LineTree;
  /** At most as many as the lines. */
  readonly treeSize: bigint;
  /** The signed note over them. */
  readonly checkpoint: string;
}

/**
 * The content of a tile or a bundle (C2SP tlog-tiles).
 * @param treeSize of the tree that it is part of
 * @returns nothing if that tree has not so many hashes or leaves there
 * @throws WorldError if the leaves cannot be read
 */
export async function tileContent(
  { level, index, width }: TileOrBundle,
  { lines, treeSize }: Omit<FiledLog, "checkpoint">,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const start = index * BigInt(TILE_WIDTH);
  const end = start + BigInt(width);
  if (level === "entries") {
    if (end > treeSize) return undefined;
    return bundled(await lines.leaves({ start, end }));
  }
  const height = level * TILE_HEIGHT;
  if (end > treeSize >> BigInt(height)) return undefined;
  const hashes = Array.from(
    { length: width },
    (_, i) => lines.tree.node({ level: height, index: start + BigInt(i) }),
  );
  return concat(hashes);
}

/** SPEC: "each entry: big-endian uint16 length prefix + data". */
function bundled(leaves: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(leaves.reduce((sum, { length }) => sum + 2 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const leaf of leaves) {
    view.setUint16(at, leaf.length);
    bytes.set(leaf, at + 2);
    at += 2 + leaf.length;
  }
  return bytes;
}

/** Files written at once. Most of the time of each is spent waiting for the disk. */
const FILES_AT_ONCE = 16;

/** Waits for all, whichever fails. */
async function allOf(batch: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(batch)) {
    if (result.status === "rejected") throw result.reason;
  }
}

/** The files of one log. One process writes them. */
export class LogFiles {
  readonly #files: Files;
  readonly #folder: string;
  readonly #folders = new Set<string>();
  /** The size that the files have; nothing before they were looked at, or after a failure. */
  #filed: bigint | undefined;

  readonly #isSynced: boolean;

  /**
   * @param isSynced whether each file is on the disk before the checkpoint is replaced. Otherwise a loss
   *   of power may leave a checkpoint without its tiles, until the next start has compared them
   */
  constructor(
    { files, folder, isSynced = true }: { files: Files; folder: string; isSynced?: boolean },
  ) {
    this.#files = files;
    this.#folder = folder;
    this.#isSynced = isSynced;
  }

  /**
   * Brings the folder to this log, the checkpoint last. The first time it compares every file with the
   * log and writes those that differ.
   * @throws WorldError if the disk refuses; then the next call compares every file again
   */
  async bring(log: FiledLog): Promise<void> {
    const before = this.#filed;
    this.#filed = undefined;
    let batch: Promise<void>[] = [];
    for (const tile of tilesOf({ from: before ?? 0n, to: log.treeSize })) {
      batch.push(this.#putTile(tile, log, before === undefined));
      if (batch.length < FILES_AT_ONCE) continue;
      await allOf(batch);
      batch = [];
    }
    await allOf(batch);
    await this.#put(PATHS.checkpoint, utf8(log.checkpoint), before === undefined);
    this.#filed = log.treeSize;
  }

  async #putTile(tile: TileOrBundle, log: FiledLog, isCompared: boolean): Promise<void> {
    const content = await tileContent(tile, log);
    await this.#put(tilePath(tile), content!, isCompared);
    await this.#removeOldWidths(tile);
  }

  /** The checkpoint that is in the folder; nothing if there is none. @throws WorldError */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#read(PATHS.checkpoint);
  }

  async #put(
    name: string,
    content: Uint8Array<ArrayBuffer>,
    isCompared: boolean,
  ): Promise<void> {
    if (isCompared) {
      const there = await this.#read(name);
      if (there !== undefined && equals(there, content)) return;
    }
    const path = join(this.#folder, name);
    const folder = join(path, "..");
    if (!this.#folders.has(folder)) await ensureFolder(this.#files, folder);
    this.#folders.add(folder);
    const isSynced = this.#isSynced;
    await replaceFile({ files: this.#files, path, content, permissions: PERMISSIONS, isSynced });
  }

  async #read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const file = await this.#files.open(join(this.#folder, name), "read");
      try {
        const content = new Uint8Array(await file.size());
        return content.subarray(0, await readFully(file, content, 0));
      } finally {
        file.close();
      }
    } catch (error) {
      if (error instanceof WorldError && error.kind === "not found") return undefined;
      throw error;
    }
  }

  /** SPEC: a partial tile may go once the full one is there. Of the others the widest stay. */
  async #removeOldWidths({ width, ...tile }: TileOrBundle): Promise<void> {
    const folder = join(this.#folder, tilePath({ ...tile, width: 1 }), "..");
    const kept = width === TILE_WIDTH ? 0 : KEPT_WIDTHS;
    for (const old of (await this.#widths(folder)).slice(kept)) {
      await this.#files.remove(join(folder, `${old}`));
    }
  }

  /** The widths of a partial tile that are there, the widest first. */
  async #widths(folder: string): Promise<number[]> {
    try {
      const names = await this.#files.list(folder);
      return names.filter((name) => /^\d{1,3}$/.test(name)).map(Number).sort((a, b) => b - a);
    } catch (error) {
      if (error instanceof WorldError && error.kind === "not found") return [];
      throw error;
    }
  }
}

/** The tiles and bundles of a tree of size `to` that a tree of size `from` does not have. */
function* tilesOf({ from, to }: { from: bigint; to: bigint }): Generator<TileOrBundle, void> {
  const width = BigInt(TILE_WIDTH);
  for (const level of ["entries", ...Array(TILE_HEIGHT).keys()] as const) {
    const height = BigInt(level === "entries" ? 0 : level * TILE_HEIGHT);
    const [before, now] = [from >> height, to >> height];
    if (before === now) continue;
    for (let index = before / width; index * width < now; index++) {
      const left = now - index * width;
      yield { level, index, width: left < width ? Number(left) : TILE_WIDTH };
    }
  }
}
