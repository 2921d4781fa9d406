/**
 * One history of another monitor's journal on this disk: its lines, exactly as they came, and the last
 * signed head to which they led.
 *
 *     journal.jsonl    the lines
 *     head             the signed note; replaced when all lines below it are durable
 *     log/             checkpoint, tiles and bundles (C2SP tlog-tiles), derived from the two
 *
 * The lines may go on behind the head: a range that is being fetched. What is behind the head is served
 * to nobody, and is cut off if it leads to no signed head.
 *
 * @module
 */
import { join } from "@std/path/join";
import { FIRST_LINK, type Link, MAX_ENTRY_BYTES } from "../evidence/entry.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import type { TreeHead } from "../tlog/proof.ts";
import { parseTilePath } from "../tlog/tiles.ts";
import {
  appendDurably,
  cutDurably,
  DurabilityLost,
  ensureFolder,
  replaceDurably,
} from "../world/durable.ts";
import { readFully, readLinesOfChunks } from "../world/reading.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import { followingLink } from "./entry_line.ts";
import { LineTree } from "./line_tree.ts";
import { LogFiles, tileContent } from "./log_files.ts";
import { formatRecords, PATHS } from "./wire.ts";

/** The lines. */
export const LINES_FILE = "journal.jsonl";
/** The signed note. */
export const HEAD_FILE = "head";
/** The folder of the static files. */
export const LOG_FOLDER = "log";
const PERMISSIONS = 0o644;

/** What is on the disk is not what was mirrored. */
export class MirrorDamaged extends Error {}

/** See the module. One process at a time opens it. */
export class MirroredHistory {
  readonly log: Log;
  readonly #files: Files;
  readonly #folder: string;
  readonly #file: OpenFile;
  readonly #lines: LineTree;
  readonly #static: LogFiles;
  /** For each line that is held or staged, its place in the chain; only the last ones are needed. */
  #last: Link = FIRST_LINK;
  /** The chain's place at the last line that is held. */
  #lastHeld: Link = FIRST_LINK;
  /** The chain's place at the head. */
  #lastOfHead: Link = FIRST_LINK;
  /** How many lines are durable. Those behind them are staged. */
  #held = 0n;
  #staged: Uint8Array[] = [];
  #head: VerifiedCheckpoint | undefined;
  #broken: DurabilityLost | undefined;
  #isFiled = false;

  private constructor(
    { log, files, folder, file }: { log: Log; files: Files; folder: string; file: OpenFile },
  ) {
    this.log = log;
    this.#files = files;
    this.#folder = folder;
    this.#file = file;
    this.#lines = new LineTree({ file, path: join(folder, LINES_FILE) });
    this.#static = new LogFiles({ files, folder: join(folder, LOG_FOLDER), isSynced: false });
  }

  /**
   * Opens a history, or begins it. A last line that a crash tore is cut off: it will come again.
   * @throws MirrorDamaged if the lines do not lead to the head; WorldError
   */
  static async open(
    { files, folder, log }: { files: Files; folder: string; log: Log },
  ): Promise<MirroredHistory> {
    await ensureFolder(files, folder);
    const head = await readHead({ files, folder, log });
    const file = await openLines(files, folder);
    try {
      const history = new MirroredHistory({ log, files, folder, file });
      await history.#takeUp(head);
      return history;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The last signed head to which the lines led; nothing before the first. */
  get head(): VerifiedCheckpoint | undefined {
    return this.#head;
  }

  /** How many entries the head covers. */
  get treeSize(): bigint {
    return this.#head?.treeSize ?? 0n;
  }

  /** How many lines are durable, those behind the head included. */
  get held(): bigint {
    return this.#held;
  }

  /** Bytes of all lines, the staged ones included. */
  get bytes(): number {
    return this.#lines.end;
  }

  /** Bytes of the staged lines. */
  get stagedBytes(): number {
    return this.#lines.end - this.#lines.startOf(this.#held);
  }

  /** What all lines come to, the staged ones included. */
  get reached(): TreeHead {
    const { tree } = this.#lines;
    return { treeSize: tree.treeSize, rootHash: tree.root() };
  }

  /**
   * Puts lines behind the others, in memory only, so that it can be seen what they lead to.
   * @throws MalformedError at the first that does not follow the one before; then none is staged
   */
  stage(lines: readonly Uint8Array[]): void {
    try {
      for (const line of lines) {
        this.#last = followingLink(line, this.#last);
        this.#lines.append(line);
      }
      this.#staged.push(...lines);
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  /** Forgets what is staged. */
  drop(): void {
    this.#lines.cut(this.#held);
    this.#last = this.#lastHeld;
    this.#staged = [];
  }

  /**
   * Makes what is staged durable. Whoever calls it has seen that it leads to a signed root, or will.
   * @throws WorldError if the disk refuses; then nothing is staged. DurabilityLost if the history must
   *   be opened anew
   */
  async keep(): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#staged.length === 0) return;
    const at = this.#lines.startOf(this.#held);
    try {
      await appendDurably(this.#file, formatRecords(this.#staged), at);
    } catch (error) {
      if (error instanceof DurabilityLost) this.#broken = error;
      this.drop();
      throw error;
    }
    this.#staged = [];
    this.#held = this.#lines.size;
    this.#lastHeld = this.#last;
  }

  /**
   * Makes a head durable, and then brings the static files to it.
   * @param head its root is what all lines lead to, and all of them are durable
   * @throws WorldError; then it is the head, or the one before is
   */
  async commit(head: VerifiedCheckpoint): Promise<void> {
    const { treeSize, rootHash } = this.reached;
    if (treeSize !== this.#held || treeSize !== head.treeSize || base64(rootHash) !== head.root) {
      throw new Error(`the lines lead to size ${treeSize}, and not to the head ${head.treeSize}`);
    }
    await replaceDurably({
      files: this.#files,
      path: join(this.#folder, HEAD_FILE),
      content: utf8(head.note),
      permissions: PERMISSIONS,
    });
    this.#head = head;
    this.#lastOfHead = this.#lastHeld;
    this.#isFiled = false;
    await this.file();
  }

  /** Brings the static files to the head, unless they are there. @throws WorldError */
  async file(): Promise<void> {
    if (this.#isFiled || this.#head === undefined) return;
    const { treeSize, note: checkpoint } = this.#head;
    await this.#static.bring({ lines: this.#lines, treeSize, checkpoint });
    this.#isFiled = true;
  }

  /** Cuts off the lines behind the head: they lead to no signed head. @throws WorldError */
  async cutToHead(): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    this.drop();
    if (this.#held === this.treeSize) return;
    await cutDurably(this.#file, this.#lines.startOf(this.treeSize));
    this.#lines.cut(this.treeSize);
    this.#held = this.treeSize;
    this.#last = this.#lastHeld = this.#lastOfHead;
  }

  /**
   * Lines below the head, each with its newline, at most MAX_RECORDS_BYTES of them and at least one.
   * @throws WorldError
   */
  async records({ start, count }: { start: bigint; count: number }): Promise<Uint8Array> {
    return await this.#lines.records({ start, count, treeSize: this.treeSize });
  }

  /** Where the static files are. */
  get staticFolder(): string {
    return join(this.#folder, LOG_FOLDER);
  }

  /** A static file; nothing if there is none of this name. @throws WorldError */
  async staticFile(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const head = this.#head;
    if (head === undefined) return undefined;
    if (name === PATHS.checkpoint) return utf8(head.note);
    const tile = parseTilePath(name);
    return tile && await tileContent(tile, { lines: this.#lines, treeSize: head.treeSize });
  }

  /** A consistency proof between two sizes up to the head's, and the root at the older one. */
  proof(
    sizes: { older: bigint; newer: bigint },
  ): { olderRoot: Uint8Array; proof: readonly Uint8Array[] } {
    const { tree } = this.#lines;
    return { olderRoot: tree.root(sizes.older), proof: tree.consistencyProof(sizes) };
  }

  /** Lets go of the files. */
  close(): void {
    this.#file.close();
  }

  async #takeUp(head: VerifiedCheckpoint | undefined): Promise<void> {
    const { end, why } = await this.#readLines(head);
    const { treeSize = 0n, root = "" } = head ?? {};
    if (head !== undefined) {
      const leads = this.#lines.size >= treeSize &&
        base64(this.#lines.tree.root(treeSize)) === root;
      if (!leads) {
        throw new MirrorDamaged(
          `${
            join(this.#folder, LINES_FILE)
          } does not lead to the head of size ${treeSize} beside ` +
            `it: it has ${this.#lines.size} sound lines${
              why === undefined ? "" : `; then, ${why}`
            }`,
        );
      }
    }
    // What is cut off was told to nobody: it will come again.
    if (await this.#file.size() > end) await cutDurably(this.#file, end);
    this.#held = this.#lines.size;
    this.#lastHeld = this.#last;
    this.#head = head;
    await this.file();
  }

  /** Takes in the lines of the file, up to the first that does not follow. */
  async #readLines(head: VerifiedCheckpoint | undefined): Promise<{ end: number; why?: string }> {
    for await (const lines of readLinesOfChunks(this.#file, MAX_ENTRY_BYTES)) {
      for (const line of lines) {
        if (!line.complete || line.tooLong) return { end: line.at, why: "a line is not whole" };
        try {
          this.#last = followingLink(line.bytes, this.#last);
        } catch (error) {
          if (!(error instanceof MalformedError)) throw error;
          return { end: line.at, why: error.message };
        }
        this.#lines.append(line.bytes);
        if (this.#lines.size === head?.treeSize) this.#lastOfHead = this.#last;
      }
    }
    return { end: this.#lines.end };
  }
}

/**
 * Reads the head of a history's folder.
 * @returns nothing if there is none
 * @throws MirrorDamaged if it is no head of this log, WorldError
 */
export async function readHead(
  { files, folder, log }: { files: Files; folder: string; log: Log },
): Promise<VerifiedCheckpoint | undefined> {
  const path = join(folder, HEAD_FILE);
  const note = await readWhole({ files, path, maxBytes: MAX_NOTE_BYTES });
  if (note === undefined) return undefined;
  const opened = openCheckpoint({ note, logs: [log] });
  if (!("refused" in opened)) return opened[0]!;
  throw new MirrorDamaged(`${path} is no head of this journal: ${opened.detail}`);
}

/** A whole file; nothing if it is not there. @throws WorldError, `too large` among its kinds */
export async function readWhole(
  { files, path, maxBytes }: { files: Files; path: string; maxBytes: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let file: OpenFile;
  try {
    file = await files.open(path, "read");
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return undefined;
    throw error;
  }
  try {
    const size = await file.size();
    if (size > maxBytes) throw new WorldError("too large", `${path} has ${size} bytes`);
    const content = new Uint8Array(size);
    return content.subarray(0, await readFully(file, content, 0));
  } finally {
    file.close();
  }
}

/** Opens the file of the lines, and makes it if it is missing. */
async function openLines(files: Files, folder: string): Promise<OpenFile> {
  const path = join(folder, LINES_FILE);
  let file: OpenFile;
  try {
    file = await files.open(path, "write");
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not found") throw error;
    file = await files.create(path, PERMISSIONS);
  }
  try {
    if (!await file.tryLock()) {
      throw new WorldError("other", `${path} is being written by another process`);
    }
    await files.syncFolder(folder);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
