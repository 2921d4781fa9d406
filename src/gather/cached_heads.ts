import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, strictBase64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { impliedOlderRoot } from "../tlog/proof.ts";
import type { StatedProof } from "../tlog/stated_proof.ts";
import type { Files } from "../world/world.ts";
import type { TileLayout } from "./walk.ts";
import { goTilesBeside, TileMissing, tilesBeside, TilesOnDisk } from "./tiles_on_disk.ts";

/** Most heads of a log that are compared by cached tiles, at about 200 bytes each. */
export const MAX_CACHED_HEADS = 100_000;
/** Most folders of tiles of a log. */
export const MAX_TILE_FOLDERS = 10_000;
/** Most folders in which a tile is looked for, beside that of the head itself. */
const MAX_FOLDERS_TRIED = 8;

/** A signed head, and the folder of tiles beside it, if there is one. */
interface CachedHead {
  readonly treeSize: bigint;
  readonly root: string;
  readonly folder: string | undefined;
}

/** A proof that the tiles give, and the folder they are in. */
export interface TileProof {
  readonly folder: string;
  readonly proof: StatedProof;
}

/** What the cached tiles say about the heads of one log. */
export interface Compared {
  readonly log: Log;
  /** How many heads were compared: distinct sizes and roots. */
  readonly heads: number;
  readonly largest: bigint;
  /** How many of them are proven to be of one history. */
  readonly joined: number;
  /** The others, by the reason. */
  readonly apart: ReadonlyMap<Apart, number>;
  /** How many were left out, because there were more than MAX_CACHED_HEADS. */
  readonly leftOut: number;
}

/** Why a head is not proven to be of one history with most others. */
export type Apart =
  /** a proof shows that they contradict each other; the detector has the case */
  | "contradicted"
  /** a tile that the proof needs is not in the cache. It proves nothing */
  | "tile missing"
  /** the cached tiles lead to no root that the log has signed. The cache is wrong, or another tree's */
  | "tiles wrong";

interface LogHeads {
  readonly log: Log;
  /** By size and root. */
  readonly heads: Map<string, CachedHead>;
  /** The folders of tiles beside its lookups and checkpoints. */
  readonly folders: Set<string>;
  leftOut: number;
}

/** The heads of logs of which tiles are here, and the folders of these tiles. */
export class CachedHeads {
  readonly #logs = new Map<string, LogHeads>();
  /** Folders of Go's tiles, by the name of what they are in. In a cache it is that of the log's key. */
  readonly #goFolders = new Map<string, string[]>();
  /** Folders of tiles of C2SP tlog-tiles. */
  readonly #folders = new Set<string>();
  /** Those of them that are beside a checkpoint, and so are of its log. */
  readonly #claimed = new Set<string>();
  #folderCount = 0;

  /** Notes a folder that holds `tile`. @param layout whose paths the tiles have */
  addFolder(folder: string, layout: TileLayout): void {
    if (this.#folderCount++ >= MAX_TILE_FOLDERS) return;
    if (layout === "C2SP") return void this.#folders.add(tilesBeside(folder));
    const name = folder.split(/[\\/]/).at(-1)!;
    const folders = this.#goFolders.get(name);
    if (folders === undefined) this.#goFolders.set(name, [goTilesBeside(folder)]);
    else folders.push(goTilesBeside(folder));
  }

  /** Notes a head. @param path the file it was found in */
  addHead({ log, treeSize, root }: VerifiedCheckpoint, path: string): void {
    if (treeSize === 0n) return; // The empty tree is the beginning of every tree.
    let known = this.#logs.get(log.id);
    if (known === undefined) {
      known = { log, heads: new Map(), folders: new Set(), leftOut: 0 };
      this.#logs.set(log.id, known);
    }
    const folder = this.#tilesOf(path);
    if (folder !== undefined && known.folders.size < MAX_TILE_FOLDERS) known.folders.add(folder);
    const key = `${treeSize} ${root}`;
    const isNew = !known.heads.has(key);
    if (isNew && known.heads.size >= MAX_CACHED_HEADS) known.leftOut++;
    else if (isNew || folder !== undefined) known.heads.set(key, { treeSize, root, folder });
  }

  /** The tiles that lie beside a file: those that came with Go's lookups, or those of a checkpoint. */
  #tilesOf(path: string): string | undefined {
    const lookup = /^(?:(.*)[\\/])?lookup[\\/]/.exec(path);
    if (lookup !== null) return goTilesBeside(lookup[1] ?? ".");
    const checkpoint = /^(?:(.*)[\\/])?checkpoint$/.exec(path);
    if (checkpoint === null) return;
    const folder = tilesBeside(checkpoint[1] ?? ".");
    if (this.#claimed.size < MAX_TILE_FOLDERS) this.#claimed.add(folder);
    return folder;
  }

  /** How many heads of a log were left out, because there were more than MAX_CACHED_HEADS. */
  leftOut(log: Log): number {
    return this.#logs.get(log.id)?.leftOut ?? 0;
  }

  /**
   * The proof from a checkpoint of somebody else to the largest head here, by the cached tiles. What it
   * implies at the older size need not be what was signed there.
   * @returns nothing if that head is not larger, or the tiles here lead to no signed root
   */
  async proofFrom(
    files: Files,
    { log, treeSize, root }: VerifiedCheckpoint,
  ): Promise<StatedProof | undefined> {
    const known = this.#logs.get(log.id);
    const newer = [...known?.heads.values() ?? []].sort(bySize).at(-1);
    if (known === undefined || newer === undefined || treeSize === 0n) return undefined;
    if (newer.treeSize <= treeSize) return undefined;
    const older = { treeSize, root, folder: undefined };
    const [tiles, folders] = [new TilesOnDisk(files), this.#foldersOf(known)];
    const result = await prove({ tiles, log, older, newer, folders });
    return typeof result === "string" ? undefined : result.proof;
  }

  /** The folders whose tiles may be of a log. Tiles without a checkpoint may be of any log. */
  #foldersOf({ log, folders }: LogHeads): string[] {
    const loose = [...this.#folders].filter((folder) => !this.#claimed.has(folder));
    return [...new Set([...folders, ...this.#goFolders.get(log.vkey.name) ?? [], ...loose])];
  }

  /**
   * Compares the heads of each log with each other by the cached tiles, without any network. Each is
   * proven to be the beginning of a larger one: of the largest of its own cache, of the next larger, or
   * of the same two of all caches. So a chain of proofs joins all heads of one history.
   * @returns for each log what came of it, after the proofs that lead to a signed root
   */
  async *compare(files: Files): AsyncGenerator<TileProof | Compared, void> {
    for (const known of this.#logs.values()) {
      const { log, heads, leftOut } = known;
      const folders = this.#foldersOf(known);
      if (folders.length === 0) continue;
      const sorted = [...heads.values()].sort(bySize);
      const tiles = new TilesOnDisk(files);
      const joined = new Joined(sorted.length);
      const reasons: Apart[] = [];
      for (const [i, at] of candidates(sorted)) {
        if (joined.isJoined(i)) continue;
        const [older, newer] = [sorted[i]!, sorted[at]!];
        const result = await prove({ tiles, log, older, newer, folders });
        if (typeof result !== "string") yield result;
        if (typeof result === "string") reasons[i] = strongest(reasons[i], result);
        else if (base64(result.proof.older.rootHash) === older.root) joined.join(i, at);
        else reasons[i] = "contradicted";
      }
      const apart = new Map<Apart, number>();
      for (const i of joined.apart()) {
        const reason = reasons[i] ?? "tile missing";
        apart.set(reason, (apart.get(reason) ?? 0) + 1);
      }
      const { length } = sorted;
      const largest = sorted.at(-1)!.treeSize;
      yield { log, heads: length, largest, joined: length - joined.apart().length, apart, leftOut };
    }
  }
}

function bySize(a: CachedHead, b: CachedHead): number {
  return a.treeSize < b.treeSize ? -1 : a.treeSize > b.treeSize ? 1 : 0;
}

function strongest(before: Apart | undefined, now: Apart): Apart {
  return before === undefined || before === "tile missing" ? now : before;
}

/** Which heads to compare with which larger ones, one after the other until they are joined. */
function* candidates(sorted: readonly CachedHead[]): Generator<[older: number, newer: number]> {
  const lists = new Map<string, number[]>();
  for (const [i, { folder = "" }] of sorted.entries()) {
    const list = lists.get(folder);
    if (list === undefined) lists.set(folder, [i]);
    else list.push(i);
  }
  const places = new Map<string, number>();
  for (const [i, { treeSize, folder = "" }] of sorted.entries()) {
    const own = lists.get(folder)!;
    const place = (places.get(folder) ?? -1) + 1;
    places.set(folder, place);
    const nextOwn = own.slice(place + 1, place + 1 + MAX_EQUAL_SIZES);
    const next = Array.from({ length: MAX_EQUAL_SIZES }, (_, k) => i + 1 + k);
    const larger = (at: number | undefined): boolean =>
      at !== undefined && (sorted[at]?.treeSize ?? 0n) > treeSize;
    const wanted = [own.at(-1), nextOwn.find(larger), sorted.length - 1, next.find(larger)];
    for (const at of new Set(wanted.filter(larger))) yield [i, at!];
  }
}

/** Most heads of one size that are passed over to find a larger one. */
const MAX_EQUAL_SIZES = 8;

/**
 * The proof that the tiles give, if it leads to the root that the log has signed; or why there is none.
 * Caches may hold tiles of two trees, and a mixture of both leads nowhere. So each folder is asked
 * first once, that of the larger head before the others: the tiles that are wanted are of its tree.
 */
async function prove(
  { folders, ...given }: {
    tiles: TilesOnDisk;
    log: Log;
    older: CachedHead;
    newer: CachedHead;
    folders: readonly string[];
  },
): Promise<TileProof | "tile missing" | "tiles wrong"> {
  const own = [given.newer.folder, given.older.folder].filter((folder) => folder !== undefined);
  const tried = [...new Set([...own, ...folders.slice(0, MAX_FOLDERS_TRIED)])];
  try {
    for (const first of tried) {
      const proof = await proofBy({
        ...given,
        folders: [first, ...tried.filter((one) => one !== first)],
      });
      if (proof !== undefined) return { folder: first, proof };
    }
    return "tiles wrong";
  } catch (error) {
    if (error instanceof TileMissing) return "tile missing"; // However the folders are ordered.
    throw error;
  }
}

/** @throws TileMissing if no folder has a tile that the proof needs */
async function proofBy(
  { tiles, log, older, newer, folders }: Parameters<typeof prove>[0],
): Promise<StatedProof | undefined> {
  const sizes = { older: older.treeSize, newer: newer.treeSize };
  const { olderRoot, proof } = await tiles.proof({ ...sizes, folders });
  const stated = {
    log,
    older: { treeSize: sizes.older, rootHash: olderRoot },
    newer: { treeSize: sizes.newer, rootHash: strictBase64(newer.root) },
    proof,
  };
  return impliedOlderRoot(stated) === undefined ? undefined : stated;
}

/** Which of a number of things are joined with which. */
class Joined {
  readonly #above: number[];

  constructor(count: number) {
    this.#above = Array.from({ length: count }, (_, i) => i);
  }

  join(a: number, b: number): void {
    this.#above[this.#top(a)] = this.#top(b);
  }

  /** Whether it was joined to another one. */
  isJoined(i: number): boolean {
    return this.#above[i] !== i;
  }

  /** Those that are not in the largest group. */
  apart(): number[] {
    const sizes = new Map<number, number>();
    const tops = this.#above.map((_, i) => this.#top(i));
    for (const top of tops) sizes.set(top, (sizes.get(top) ?? 0) + 1);
    const [largest] = [...sizes].reduce((a, b) => b[1] >= a[1] ? b : a);
    return tops.flatMap((top, i) => top === largest ? [] : [i]);
  }

  #top(i: number): number {
    let top = i;
    while (this.#above[top] !== top) top = this.#above[top]!;
    this.#above[i] = top;
    return top;
  }
}
