/**
 * A small tlog-tiles log in a folder, for trials, tests and demonstrations. It signs whatever it is
 * told, and it can fork. Never rely on such a log; its name says that it is a test.
 *
 *     checkpoint        the signed note, always written last
 *     tile/…            hash tiles, partial tiles and entry bundles (C2SP tlog-tiles)
 *     log.key           the private key, for the owner alone; never served
 *
 * @module
 */
import { join } from "@std/path/join";
import { formatCheckpointText, openCheckpoint } from "../tlog/checkpoint.ts";
import { fileText, utf8 } from "../tlog/encoding.ts";
import { type Log, parseLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { formatNote } from "../tlog/note.ts";
import { TILE_WIDTH, tilePath } from "../tlog/tiles.ts";
import { isThere, replaceDurably } from "../world/durable.ts";
import { generateSigner, loadSigner, type Signer } from "../world/signer.ts";
import { type Files, type OpenFile, type World, WorldError } from "../world/world.ts";
import { DiskEdge, edgeTilesOf, type TileFile } from "./disk_edge.ts";
import {
  CHECKPOINT_FILE,
  createKey,
  CUT_OFF,
  KEY_FILE,
  openKey,
  PUBLIC_PERMISSIONS,
  readFile,
  readKey,
  writeTiles,
} from "./disk_files.ts";

/** Put before an origin that does not say that it is a test log's. */
const TEST_PREFIX = "test/";

/**
 * The origin of a trial log: the name as given if a word of it begins with "test", otherwise
 * "test/" and the name.
 */
export function testOrigin(name: string): string {
  return /(?<![a-z])test/i.test(name) ? name : TEST_PREFIX + name;
}

/**
 * A log in a folder. Only this process can change it until it is closed.
 *
 *     const log = await DiskLog.create({ world, folder, origin: testOrigin("trial") });
 *     await log.append([utf8("an entry")]); // tiles first, the checkpoint last
 *     await log.fork(other); // a second history under the same key
 *     log.close();
 */
export class DiskLog {
  /** What monitors are given to follow it. */
  readonly log: Log;
  readonly #files: Files;
  readonly #folder: string;
  readonly #signer: Signer;
  readonly #key: OpenFile;
  #edge: DiskEdge;

  private constructor(
    fields: { files: Files; folder: string; signer: Signer; key: OpenFile; edge: DiskEdge },
  ) {
    this.#files = fields.files;
    this.#folder = fields.folder;
    this.#signer = fields.signer;
    this.#key = fields.key;
    this.#edge = fields.edge;
    this.log = parseLog(fields.signer.vkey.text);
  }

  /**
   * Makes a new log without entries, under a new key, and publishes its first checkpoint.
   * @param origin also the key's name; see `testOrigin`
   * @throws MalformedError if the folder has a key or a checkpoint, or the origin cannot be a key's
   *   name; then nothing was made
   */
  static async create(
    { world, folder, origin }: { world: World; folder: string; origin: string },
  ): Promise<DiskLog> {
    const { files } = world;
    const { signer, privateKey } = await generateSigner({ world, name: origin });
    const key = await createKey({ files, folder, content: utf8(privateKey + "\n") });
    try {
      const log = new DiskLog({ files, folder, signer, key, edge: new DiskEdge() });
      await log.#publish(log.#edge);
      return log;
    } catch (error) {
      key.close();
      throw error;
    }
  }

  /**
   * Opens the log of a folder.
   * @throws MalformedError if there is none, another process holds it, or its parts do not agree
   */
  static async open({ world, folder }: { world: World; folder: string }): Promise<DiskLog> {
    const { files } = world;
    const key = await openKey(files, folder);
    try {
      const signer = await loadLogKey({ world, folder, key });
      const edge = await loadEdge({ files, folder, log: parseLog(signer.vkey.text) });
      return new DiskLog({ files, folder, signer, key, edge });
    } catch (error) {
      key.close();
      throw error;
    }
  }

  /** How many entries its checkpoint covers. */
  get treeSize(): bigint {
    return this.#edge.treeSize;
  }

  /** The root of its checkpoint. */
  root(): Uint8Array {
    return this.#edge.root();
  }

  /**
   * Adds entries under one new checkpoint. The checkpoint is written when every tile that it needs
   * is durable. So a reader, or a crash, finds the old checkpoint or the new one, with all of its
   * tiles.
   * @throws MalformedError for an entry that is too long, WorldError; nothing is added then
   */
  async append(entries: Iterable<Uint8Array>): Promise<void> {
    const edge = this.#edge.clone();
    const there = new Set(this.#edge.partial().map(({ path }) => path));
    function* files(): Generator<TileFile> {
      for (const entry of entries) yield* edge.append(entry);
      yield* edge.partial().filter(({ path }) => !there.has(path));
    }
    await writeTiles({ files: this.#files, folder: this.#folder, tiles: files() });
    await this.#publish(edge);
    this.#edge = edge;
  }

  /**
   * Copies the log into another folder, under the same key. The two histories are equal up to now
   * and can grow apart.
   * @throws MalformedError if that folder has a key or a checkpoint; then nothing was made
   */
  async fork(folder: string): Promise<void> {
    const files = this.#files;
    // The key comes first: it claims the folder. Without a checkpoint it is not yet a log.
    const key = await createKey({ files, folder, content: await readKey(this.#key) });
    try {
      await writeTiles({ files, folder, tiles: this.#tiles() });
      const path = join(folder, CHECKPOINT_FILE);
      const content = await readFile({ files, folder: this.#folder, path: CHECKPOINT_FILE });
      await replaceDurably({ files, path, content, permissions: PUBLIC_PERMISSIONS });
    } finally {
      key.close();
    }
  }

  /**
   * Copies the log into another folder, under a new key: the same history goes on there.
   * @throws MalformedError if that folder has a key or a checkpoint; then nothing was made
   */
  async rotate({ world, folder }: { world: World; folder: string }): Promise<DiskLog> {
    const files = this.#files;
    const { signer, privateKey } = await generateSigner({ world, name: this.log.origin });
    const key = await createKey({ files, folder, content: utf8(privateKey + "\n") });
    try {
      await writeTiles({ files, folder, tiles: this.#tiles() });
      const log = new DiskLog({ files, folder, signer, key, edge: this.#edge });
      await log.#publish(log.#edge);
      return log;
    } catch (error) {
      key.close();
      throw error;
    }
  }

  /** Unlocks the folder. */
  close(): void {
    this.#key.close();
  }

  /** Every tile and bundle that a reader of this or an earlier checkpoint may ask for. */
  async *#tiles(): AsyncGenerator<TileFile> {
    const [files, folder] = [this.#files, this.#folder];
    for (const { path, optional } of publishedTiles(this.treeSize)) {
      try {
        yield { path, content: await readFile({ files, folder, path }) };
      } catch (error) {
        if (!(optional && error instanceof WorldError && error.kind === "not found")) throw error;
      }
    }
  }

  async #publish(edge: DiskEdge): Promise<void> {
    const { origin, vkey } = this.log;
    const text = formatCheckpointText({ origin, treeSize: edge.treeSize, rootHash: edge.root() });
    const signature = await this.#signer.sign(utf8(text));
    await replaceDurably({
      files: this.#files,
      path: join(this.#folder, CHECKPOINT_FILE),
      content: utf8(formatNote({ text, vkey, signature })),
      permissions: PUBLIC_PERMISSIONS,
    });
  }
}

/**
 * Paths of the tiles of a log of this size. A narrower partial tile is optional: it exists only if
 * the log had a checkpoint of that size.
 */
function* publishedTiles(treeSize: bigint): Generator<{ path: string; optional: boolean }> {
  let full = treeSize / BigInt(TILE_WIDTH);
  for (let level = 0; full > 0n; level++, full /= BigInt(TILE_WIDTH)) {
    for (let index = 0n; index < full; index++) {
      const where = { index, width: TILE_WIDTH };
      if (level === 0) yield { path: tilePath({ level: "entries", ...where }), optional: false };
      yield { path: tilePath({ level, ...where }), optional: false };
    }
  }
  for (const tile of edgeTilesOf(treeSize)) {
    for (let width = 1; width <= tile.width; width++) {
      yield { path: tilePath({ ...tile, width }), optional: width < tile.width };
    }
  }
}

/** Loads the key. If it cannot, the error says which file is wrong and what to do about it. */
async function loadLogKey(
  { world, folder, key }: { world: World; folder: string; key: OpenFile },
): Promise<Signer> {
  const { files, signing } = world;
  try {
    return await loadSigner({ signing, privateKey: fileText(await readKey(key)) });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const advice = await isThere(files, join(folder, CHECKPOINT_FILE))
      ? "put a copy of the key in its place; without the key this log cannot be changed"
      : `there is no checkpoint either: ${CUT_OFF}`;
    throw new MalformedError(`${quoted(join(folder, KEY_FILE))}: ${error.message}; ${advice}`);
  }
}

/** The edge of the log at its checkpoint. It checks that the tiles have the checkpoint's root. */
async function loadEdge(
  { files, folder, log }: { files: Files; folder: string; log: Log },
): Promise<DiskEdge> {
  const read = (path: string): Promise<Uint8Array> => readFile({ files, folder, path });
  let note: Uint8Array;
  try {
    note = await read(CHECKPOINT_FILE);
  } catch (error) {
    if (!(error instanceof WorldError && error.kind === "not found")) throw error;
    throw new MalformedError(`${quoted(folder)} has a key and no checkpoint: ${CUT_OFF}`);
  }
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) {
    throw new MalformedError(`${quoted(folder)} is not a log of ours: ${opened.detail}`);
  }
  const { treeSize, root } = opened[0]!;
  const edge = await DiskEdge.load({ treeSize, read });
  if (edge.root().toBase64() !== root) {
    throw new MalformedError(`the tiles in ${quoted(folder)} are not those of its checkpoint`);
  }
  return edge;
}
