/**
 * What a witness must never forget: for each log, the latest checkpoint that it has cosigned.
 *
 * It is one file to which lines are added, and an index of it in memory. Why no database: SQLite
 * syncs in the one thread that also verifies and signs, and each commit waits for the disk alone.
 * Here the disk works beside that thread. Whatever comes while one sync is under way shares the next
 * one (group commit). So the more callers there are, the less each sync costs.
 *
 * A line is `SUM BATCH.LEFT NOTE`:
 *
 * - SUM is the first 16 hex digits of SHA-256 of the rest of the line.
 * - BATCH numbers what was written and synced together; LEFT is how many lines of it follow.
 * - NOTE is a JSON string: the checkpoint with the log's signatures and our cosignatures.
 *
 * An empty line stands before each batch, so that no damage to the end of one reaches the next.
 * A batch begins only when the one before is on the disk. So whatever a crash has torn is in the last
 * batch, and nobody was answered about it: it is cut off. A line that does not hold in an earlier
 * batch is no crash. Then the disk has lost what was promised, and the witness does not start.
 *
 * Behind the last batch stand zeros. They are space that is taken in advance: a batch that fits into
 * them leaves the file as long as it was, so the disk has only the batch to write when it syncs.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { parseCheckpointText } from "../tlog/checkpoint.ts";
import { base64, textOf, utf8 } from "../tlog/encoding.ts";
import { sha256Hex } from "../tlog/hashing.ts";
import { parseNote } from "../tlog/note.ts";
import { Ended } from "../world/calls.ts";
import {
  appendDurably,
  createDurably,
  cutDurably,
  DurabilityLost,
  expectInPlace,
  PlaceLost,
  replaceDurably,
} from "../world/durable.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";

/** The name of the file in the folder of the state. */
export const WITNESS_FILE = "witness.log";
const PERMISSIONS = 0o644;
const SUM_DIGITS = 16;
/** Bytes read at a time when the file is opened. */
const READ_BYTES = 1024 * 1024;
/** The longest line that can be one. A note has half a million bytes at most. */
const MAX_LINE_BYTES = 2 * 1024 * 1024;
/** Bytes of lines in one sync. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Zeros that are written behind a batch for which those before were too few. */
const SPACE_BYTES = 64 * 1024;
/** The file is written anew if it is this much longer than what is still needed of it. */
const WASTE_BYTES = 64 * 1024 * 1024;

/** What was recorded of a log: a size and its root, in base64. */
export interface RecordedHead {
  readonly treeSize: bigint;
  readonly root: string;
}

/** A recorded head, and where its line is in the file. */
interface Kept extends RecordedHead {
  readonly at: number;
  readonly length: number;
}

/** A line that is to be written. */
interface Waiting {
  readonly origin: string;
  readonly head: RecordedHead;
  readonly note: string;
  readonly written: () => void;
  readonly failed: (error: unknown) => void;
}

/** The file holds something that no crash leaves there. */
export class WitnessStateDamaged extends Error {}

/** Another process has the file. */
export class WitnessStateLocked extends Error {}

/** The durable memory of a witness. */
export class WitnessState {
  readonly #files: Files;
  readonly #path: string;
  #file: OpenFile;
  /** By origin. */
  readonly #heads = new Map<string, Kept>();
  /** The origin of each recorded log, by `originHash`. */
  readonly #origins = new Map<string, string>();
  #batch = 0;
  /** Bytes of the batches. */
  #size = 0;
  /** Bytes of the file: those of the batches, and zeros. */
  #fileSize = 0;
  /** Bytes of the lines that are still needed. */
  #needed = 0;
  /** The file is written anew if it is this much longer than what is still needed of it. */
  readonly #wasteBytes: number;
  #compactAbove: number;
  #waiting: Waiting[] = [];
  /** Logs with a line that is not durable yet. */
  readonly #claimed = new Set<string>();
  #committing: Promise<void> | undefined;
  /** Why nothing can be written before a new start. */
  #lost: Error | undefined;
  /** Bytes that were cut off at the start, because a crash had torn them. */
  tornBytes = 0;

  private constructor(
    fields: { files: Files; path: string; file: OpenFile; wasteBytes: number },
  ) {
    this.#wasteBytes = this.#compactAbove = fields.wasteBytes;
    this.#files = fields.files;
    this.#path = fields.path;
    this.#file = fields.file;
  }

  /**
   * Opens the state in a folder that exists, or makes a new one.
   * @throws WitnessStateDamaged, WitnessStateLocked, WorldError
   */
  static async open(
    { files, folder, wasteBytes = WASTE_BYTES }: {
      files: Files;
      folder: string;
      wasteBytes?: number;
    },
  ): Promise<WitnessState> {
    const path = `${folder}/${WITNESS_FILE}`;
    const file = await openOrCreate(files, path);
    const state = new WitnessState({ files, path, file, wasteBytes });
    try {
      await state.#load();
      await state.#settle(folder);
      return state;
    } catch (error) {
      state.#file.close();
      throw error;
    }
  }

  /** How many logs it has cosigned. */
  get logs(): number {
    return this.#heads.size;
  }

  /** The latest head that was cosigned of the log with this origin; nothing if none ever was. */
  head(origin: string): RecordedHead | undefined {
    return this.#heads.get(origin);
  }

  /** The recorded origin with this `originHash`. */
  originOf(hash: string): string | undefined {
    return this.#origins.get(hash);
  }

  /**
   * The note of the latest checkpoint cosigned, with the log's signatures and our cosignatures.
   * @throws WorldError if it cannot be read
   */
  async note(origin: string): Promise<string | undefined> {
    // The file may be written anew meanwhile, and then the line is elsewhere.
    for (;;) {
      const kept = this.#heads.get(origin);
      if (kept === undefined) return undefined;
      const line = new Uint8Array(kept.length);
      const file = this.#file;
      try {
        await readWhole(file, line, kept.at);
      } catch (error) {
        if (this.#file === file) throw error;
      }
      if (this.#file !== file) continue;
      const note = readLine(line)?.note;
      if (note === undefined) {
        throw new WorldError("other", `${this.#path} has changed on the disk`);
      }
      return note;
    }
  }

  /**
   * Records a new head, if the recorded one still has this size: check and set. When it resolves with
   * true, the head is on the disk. It never takes back what is recorded: not with a smaller size, and
   * not with another root at the same size.
   * @param oldSize 0 if nothing is recorded
   * @param note of a checkpoint of that size and root, with its cosignatures
   * @throws WorldError if it could not be written; then nothing has changed. DurabilityLost if nothing
   *   can be written before a new start
   */
  async replace(
    { origin, oldSize, head, note }: {
      origin: string;
      oldSize: bigint;
      head: RecordedHead;
      note: string;
    },
  ): Promise<boolean> {
    if (this.#lost !== undefined) throw this.#lost;
    const before = this.#heads.get(origin);
    if (this.#claimed.has(origin) || (before?.treeSize ?? 0n) !== oldSize) return false;
    const isTakenBack = before !== undefined && (head.treeSize < before.treeSize ||
      (head.treeSize === before.treeSize && head.root !== before.root));
    if (isTakenBack) return false;
    this.#claimed.add(origin);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ origin, head, note, written: resolve, failed: reject });
    this.#committing ??= this.#commitAll();
    try {
      await promise;
      return true;
    } finally {
      this.#claimed.delete(origin);
    }
  }

  /** Finishes writing and lets go of the file. */
  async close(): Promise<void> {
    await this.#committing;
    this.#lost ??= new Ended();
    this.#file.close();
  }

  /** Checks that the path still leads to the file. @throws PlaceLost, WorldError */
  async expectInPlace(): Promise<void> {
    await expectInPlace(this.#files, this.#path, this.#file);
  }

  async #commitAll(): Promise<void> {
    // Those who ask in this same turn of the event loop share the first sync too.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#commit(this.#nextBatch());
      if (this.#size - this.#needed > this.#compactAbove) await this.#compact();
    }
    this.#committing = undefined;
  }

  #nextBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ note }) => (bytes += note.length) > MAX_BATCH_BYTES);
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : Math.max(1, end));
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const number = this.#batch + 1;
    const lines = batch.map(({ note }, i) => formatLine(number, batch.length - 1 - i, note));
    try {
      if (this.#lost !== undefined) throw this.#lost;
      await this.#append(concat([EMPTY_LINE, ...lines]));
    } catch (error) {
      if (error instanceof DurabilityLost) this.#lost = error;
      this.#fileSize = this.#size;
      for (const { failed } of batch) failed(error);
      return;
    }
    this.#batch = number;
    this.#size += EMPTY_LINE.length;
    for (const [i, { origin, head, written }] of batch.entries()) {
      const { length } = lines[i]!;
      this.#keep(origin, { ...head, at: this.#size, length });
      this.#size += length;
      written();
    }
  }

  /** Writes behind the last batch, and takes new space if it does not fit. If it fails, none is left. */
  async #append(batch: Uint8Array): Promise<void> {
    const end = this.#size + batch.length;
    const isFull = end > this.#fileSize;
    const bytes = isFull ? concat([batch, new Uint8Array(SPACE_BYTES)]) : batch;
    await appendDurably(this.#file, bytes, this.#size);
    if (isFull) this.#fileSize = end + SPACE_BYTES;
  }

  #keep(origin: string, kept: Kept): void {
    const before = this.#heads.get(origin);
    if (before === undefined) this.#origins.set(originHash(origin), origin);
    this.#heads.set(origin, kept);
    this.#needed += kept.length - (before?.length ?? 0);
  }

  /** Writes the file anew with the lines that are needed. Nothing else is written meanwhile. */
  async #compact(): Promise<void> {
    const moved: [origin: string, kept: Kept][] = [];
    const number = this.#batch + 1;
    let size = EMPTY_LINE.length;
    try {
      const content = async (file: OpenFile): Promise<void> => {
        let left = this.#heads.size;
        await file.write(EMPTY_LINE, 0);
        for (const [origin, kept] of this.#heads) {
          const old = new Uint8Array(kept.length);
          await readWhole(this.#file, old, kept.at);
          const note = readLine(old)?.note;
          if (note === undefined) throw new WorldError("other", `${this.#path} has changed`);
          const line = formatLine(number, --left, note);
          await file.write(line, size);
          moved.push([origin, { ...kept, at: size, length: line.length }]);
          size += line.length;
        }
      };
      const files = this.#files;
      await replaceDurably({ files, path: this.#path, content, permissions: PERMISSIONS });
      const file = await lockedFile(files, this.#path);
      this.#file.close();
      this.#file = file;
    } catch (error) {
      return await this.#giveUpCompacting(error);
    }
    this.#batch = number;
    this.#heads.clear();
    for (const [origin, kept] of moved) this.#heads.set(origin, kept);
    this.#size = this.#fileSize = this.#needed = size;
    this.#compactAbove = this.#wasteBytes;
  }

  /** Goes on with the file as it is, if the path still leads to it. */
  async #giveUpCompacting(error: unknown): Promise<void> {
    if (!(error instanceof WorldError || error instanceof WitnessStateLocked)) throw error;
    try {
      await this.expectInPlace();
      this.#compactAbove *= 2;
    } catch (second) {
      if (!(second instanceof WorldError || second instanceof PlaceLost)) throw second;
      this.#lost = new DurabilityLost(`${this.#path}: ${error.message}; ${second.message}`);
    }
  }

  /**
   * Syncs what was read, and its name. A process that was killed before its sync leaves both to the
   * next one, which hands out what it reads. Without this a power cut could still take them.
   */
  async #settle(folder: string): Promise<void> {
    await this.#file.sync();
    await this.#files.syncFolder(folder);
  }

  /** Reads the file, and cuts off the batch that a crash has torn. */
  async #load(): Promise<void> {
    this.#fileSize = await this.#file.size();
    let isTorn = false;
    // Where the zeros at the end begin.
    let end = 0;
    let batch: [origin: string, kept: Kept][] = [];
    for await (const { bytes, at } of linesOf(this.#file)) {
      end = Math.max(end, at + bytes.findLastIndex((byte) => byte !== 0) + 1);
      if (bytes.length === 1 && bytes[0] === NEWLINE) continue;
      const line = readLine(bytes);
      isTorn ||= line === undefined;
      if (line === undefined) continue;
      if (isTorn) {
        // The torn batch is the one after the last whole one; what else is left of it is nothing new.
        if (line.batch <= this.#batch + 1) continue;
        throw new WitnessStateDamaged(
          `${this.#path} is damaged before byte ${at}, and what was written later holds. A witness ` +
            "must not forget what it has cosigned: restore the file, or give the witness a new key",
        );
      }
      const { origin, treeSize, rootHash } = parseCheckpointText(parseNote(line.note).text);
      batch.push([origin, { treeSize, root: base64(rootHash), at, length: bytes.length }]);
      if (line.left > 0) continue;
      for (const [origin, kept] of batch) this.#keep(origin, kept);
      batch = [];
      this.#batch = line.batch;
      this.#size = at + bytes.length;
    }
    this.tornBytes = end - this.#size;
    if (this.tornBytes === 0) return;
    await cutDurably(this.#file, this.#size);
    this.#fileSize = this.#size;
  }
}

/** How the monitoring path names a log: lower-case hex of SHA-256 of its origin (tlog-witness). */
export function originHash(origin: string): string {
  return sha256Hex(utf8(origin));
}

async function openOrCreate(files: Files, path: string): Promise<OpenFile> {
  try {
    return await lockedFile(files, path);
  } catch (error) {
    if (!(error instanceof WorldError && error.kind === "not found")) throw error;
  }
  const content = new Uint8Array(0);
  return await createDurably({ files, path, content, permissions: PERMISSIONS });
}

async function lockedFile(files: Files, path: string): Promise<OpenFile> {
  const file = await files.open(path, "write");
  try {
    if (await file.tryLock()) return file;
    throw new WitnessStateLocked(`another process has ${path} open`);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function readWhole(file: OpenFile, into: Uint8Array, at: number): Promise<void> {
  for (let length = 0; length < into.length;) {
    const count = await file.read(into.subarray(length), at + length);
    if (count === 0) return;
    length += count;
  }
}

/** The lines of a file, each with its newline; the last one may lack it. */
async function* linesOf(file: OpenFile): AsyncGenerator<{ bytes: Uint8Array; at: number }> {
  const buffer = new Uint8Array(READ_BYTES);
  let rest = new Uint8Array(0);
  let at = 0;
  for (let count; (count = await file.read(buffer, at + rest.length)) > 0;) {
    const bytes = concat([rest, buffer.subarray(0, count)]);
    let from = 0;
    for (let end; (end = bytes.indexOf(NEWLINE, from)) >= 0; from = end + 1) {
      yield { bytes: bytes.subarray(from, end + 1), at: at + from };
    }
    // No line is so long. What stands there is given in pieces, none of which holds.
    if (bytes.length - from > MAX_LINE_BYTES) {
      yield { bytes: bytes.subarray(from), at: at + from };
      from = bytes.length;
    }
    rest = bytes.slice(from);
    at += from;
  }
  if (rest.length > 0) yield { bytes: rest, at };
}

const NEWLINE = 0x0a;
const EMPTY_LINE = Uint8Array.of(NEWLINE);

function formatLine(batch: number, left: number, note: string): Uint8Array<ArrayBuffer> {
  const rest = utf8(`${batch}.${left} ${JSON.stringify(note)}\n`);
  return concat([utf8(`${sumOf(rest.subarray(0, -1))} `), rest]);
}

function sumOf(bytes: Uint8Array): string {
  return sha256Hex(bytes).slice(0, SUM_DIGITS);
}

/** A line's parts; nothing if it does not hold. */
function readLine(
  bytes: Uint8Array,
): { batch: number; left: number; note: string } | undefined {
  if (bytes.at(-1) !== NEWLINE || bytes.length < SUM_DIGITS + 2) return undefined;
  const rest = bytes.subarray(SUM_DIGITS + 1, -1);
  if (ascii(bytes.subarray(0, SUM_DIGITS + 1)) !== `${sumOf(rest)} `) return undefined;
  const [, batch, left, note] = /^(\d{1,15})\.(\d{1,9}) ([^]*)$/.exec(textOf(rest)) ?? [];
  if (note === undefined) return undefined;
  return { batch: Number(batch), left: Number(left), note: JSON.parse(note) };
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
