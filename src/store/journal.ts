/**
 * A hash-chained, append-only journal: one entry a line, each with the hash of the entry before. If
 * you know the last hash, you can find out whether anything before it was changed, dropped or
 * inserted (PROTOCOL section 13).
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { join } from "@std/path/join";
import {
  canonicalBody,
  type Entry,
  expectFollows,
  FIRST_LINK,
  hashOf,
  lineOf,
  type Link,
  MAX_ENTRY_BYTES,
  parseCanonicalEntry,
} from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import {
  appendDurably,
  createDurably,
  cutDurably,
  DurabilityLost,
  ensureFolder,
  expectInPlace,
  PlaceLost,
  replaceDurably,
} from "../world/durable.ts";
import { type Line, readFully, readLines } from "../world/reading.ts";
import { Turns } from "../world/turns.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";

/** Name of the journal's file in its folder. */
export const JOURNAL_FILE = "journal.jsonl";
/** Of a journal's file. */
export const JOURNAL_PERMISSIONS = 0o644;

/** A journal differs from what was written. The message names the file, the line and the damage. */
export class JournalDamaged extends Error {
  /**
   * @param path the file that is damaged, or missing
   * @param what is wrong with it, as the rest of a sentence that begins with the file
   * @param line the first line that is not as it was written, if there is such a line
   */
  constructor(
    readonly path: string,
    readonly what: string,
    readonly line?: Pick<Line, "number" | "at">,
  ) {
    super(`${path} ${what}`);
  }

  /** The folder of the journal. */
  get folder(): string {
    return join(this.path, "..");
  }
}

/**
 * An entry is as it was written, since its hash is right, and its record is none that this version
 * knows: a newer version wrote it. To repair that would set aside what is not damaged.
 */
export class EntryNotKnown extends JournalDamaged {}

/** The same for a line. */
export function damagedLine(path: string, line: Line, what: string): JournalDamaged {
  return new JournalDamaged(path, `line ${line.number} ${what}`, line);
}

/** Another process is writing the journal. */
export class JournalLocked extends Error {
  /**
   * @param path the file that is locked
   * @param advice what a person is to do, as the rest of the sentence
   */
  constructor(readonly path: string, advice = "give this one a folder of its own") {
    super(`${path} is being written by another process; ${advice}`);
  }
}

/** An entry of a journal on disk and its line; or what a crash left of the last line. */
export type JournalItem = { entry: Entry; line: Line } | { torn: Line };

/**
 * Reads a journal from its first line and checks the chain. A last line without a newline was torn
 * by a crash, or is being written now. It comes as `torn`, never as an entry.
 *
 *     for await (const item of readEntries(file, path)) {
 *       if ("torn" in item) break; // never acknowledged: not evidence of damage
 *       use(item.entry);
 *     }
 *
 * @param path the file's, for messages
 * @param after what the first entry must follow; with `anything`, whatever it says that it follows
 * @throws JournalDamaged at the first line that is not as it was written
 */
export async function* readEntries(
  file: OpenFile,
  path: string,
  after: Link | "anything" = FIRST_LINK,
): AsyncGenerator<JournalItem, void> {
  let last = after;
  for await (const line of readLines(file, MAX_ENTRY_BYTES)) {
    if (!line.complete) {
      yield { torn: line };
      return;
    }
    try {
      if (line.tooLong) throw new MalformedError(`longer than ${MAX_ENTRY_BYTES} bytes`);
      const entry = parseCanonicalEntry(textOf(line.bytes));
      if (last !== "anything") expectFollows(entry, last);
      last = entry;
      yield { entry, line };
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw damagedLine(path, line, `is damaged: ${error.message}`);
    }
  }
}

/** Where a journal is. */
interface Place {
  readonly files: Files;
  readonly folder: string;
  /** Name of its file in the folder. */
  readonly name: string;
}

/**
 * A journal, open for writing by this process alone.
 *
 *     const journal = await Journal.open({ files, folder, onEntry });
 *     await journal.append(record, now); // durable once this returns
 *     await journal.close();
 */
export class Journal {
  readonly #files: Files;
  readonly #file: OpenFile;
  readonly #path: string;
  #end: number;
  #last: Link;
  #broken: DurabilityLost | undefined;
  readonly #turns = new Turns();
  /** Where a torn last line was set aside when the journal was opened, if there was one. */
  readonly tornFile: string | undefined;

  private constructor(
    fields: { files: Files; file: OpenFile; path: string; end: number; last: Link },
    tornFile: string | undefined,
  ) {
    this.#files = fields.files;
    this.#file = fields.file;
    this.#path = fields.path;
    this.#end = fields.end;
    this.#last = fields.last;
    this.tornFile = tornFile;
  }

  /**
   * Opens the journal of a folder. It makes both if they are missing, takes the lock, checks the
   * whole chain, and moves a torn last line into a file of its own.
   * @param name the file's name in the folder
   * @param after what its first entry follows; with `anything`, whatever the first entry there says
   * @param onEntry called with every entry that is already there, in order
   * @throws JournalLocked, JournalDamaged, WorldError
   */
  static async open(
    { files, folder, name = JOURNAL_FILE, after = FIRST_LINK, onEntry }: {
      files: Files;
      folder: string;
      name?: string;
      after?: Link | "anything";
      onEntry?: (entry: Entry, line: Line) => void;
    },
  ): Promise<Journal> {
    const path = join(folder, name);
    const file = await openLocked({ files, folder, name });
    try {
      // The process that created the file may have crashed before the file's name was durable.
      await files.syncFolder(folder);
      let last = after;
      let end = await file.size();
      let tornFile: string | undefined;
      for await (const item of readEntries(file, path, after)) {
        if ("entry" in item) {
          onEntry?.(item.entry, item.line);
          last = item.entry;
        } else {
          tornFile = await setAside({ files, folder, name, file, torn: item.torn });
          end = item.torn.at;
        }
      }
      if (last === "anything") {
        throw new JournalDamaged(path, "is empty, and nothing says which entry comes next");
      }
      // If a program was killed before its sync, a power failure could still take its last entries.
      await file.sync();
      return new Journal({ files, file, path, end, last }, tornFile);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** What the next entry will follow. */
  get last(): Link {
    return this.#last;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#end;
  }

  /**
   * Appends an entry and returns it once it is durable. Other calls wait their turn.
   * @param recordedAt RFC 3339, UTC
   * @throws WorldError if the disk refuses; then the journal is as it was before. PlaceLost if the
   *   file is no longer where it was opened; then nobody would look for the entry where it is
   */
  append(record: JsonObject, recordedAt: string): Promise<Entry> {
    return this.#turns.next(() => this.#appendNext(record, recordedAt));
  }

  async #appendNext(record: JsonObject, recordedAt: string): Promise<Entry> {
    if (this.#broken !== undefined) throw this.#broken;
    const { entry, line } = nextLine(this.#last, record, recordedAt);
    try {
      await this.expectInPlace();
      await appendDurably(this.#file, line, this.#end);
    } catch (error) {
      if (error instanceof PlaceLost) throw this.#broken = error;
      if (error instanceof DurabilityLost) {
        this.#broken = new DurabilityLost(
          `Cannot write ${this.#path} any more: ${error.message}`,
        );
        throw this.#broken;
      }
      throw error;
    }
    this.#end += line.length;
    this.#last = entry;
    await this.#expectStillInPlace();
    return entry;
  }

  /** The folder may have been moved while an entry was written. Then nobody may rely on the entry. */
  async #expectStillInPlace(): Promise<void> {
    try {
      await this.expectInPlace();
    } catch (error) {
      if (error instanceof PlaceLost) throw this.#broken = error;
      // It cannot be told now. The entry is in the file, and the next append asks again.
      if (!(error instanceof WorldError)) throw error;
    }
  }

  /**
   * Checks that the file is still where it was opened.
   * @throws PlaceLost if it is not, WorldError if it cannot be told
   */
  expectInPlace(): Promise<void> {
    return expectInPlace(this.#files, this.#path, this.#file);
  }

  /** Where the next entry begins, in bytes from the start of the file. */
  get end(): number {
    return this.#end;
  }

  /**
   * Reads once more an entry that is in the journal.
   * @param at where its line begins, in bytes from the start of the file
   * @param length bytes of its line, without the newline
   * @throws WorldError if it cannot be read, or is no longer what was written
   */
  async read({ at, length }: { at: number; length: number }): Promise<Entry> {
    const bytes = new Uint8Array(length);
    const count = await readFully(this.#file, bytes, at);
    try {
      return parseCanonicalEntry(textOf(bytes.subarray(0, count)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      const where = `${this.#path}, the entry at byte ${at},`;
      throw new WorldError("other", `${where} is no longer what was written: ${error.message}`);
    }
  }

  /**
   * The hash of an entry of a journal that begins with entry 1; nothing if there is none.
   * @throws WorldError
   */
  async hashOf(seq: number): Promise<string | undefined> {
    for await (const item of readEntries(this.#file, this.#path)) {
      if ("entry" in item && item.entry.seq === seq) return item.entry.hash;
    }
    return undefined;
  }

  /** Waits for what is being written, then lets go of the file and the lock. */
  async close(): Promise<void> {
    await this.#turns.done();
    this.#file.close();
  }
}

/**
 * The entry that follows another one, and its line.
 * @param recordedAt RFC 3339, UTC
 * @throws RangeError if it is too long
 */
export function nextLine(
  last: Link,
  record: JsonObject,
  recordedAt: string,
): { entry: Entry; line: Uint8Array } {
  const body = { seq: last.seq + 1, recorded_at: recordedAt, record, prev_hash: last.hash };
  const text = canonicalBody(body);
  const entry = { ...body, hash: hashOf(text) };
  const line = utf8(lineOf(text, entry.hash));
  if (line.length > MAX_ENTRY_BYTES) {
    throw new RangeError(`entry has ${line.length} bytes, at most ${MAX_ENTRY_BYTES} are written`);
  }
  return { entry, line };
}

/**
 * Opens a file for this process alone. It makes the file and its folder if they are missing.
 * @throws JournalLocked, WorldError
 */
export async function openLocked({ files, folder, name }: Place): Promise<OpenFile> {
  const path = join(folder, name);
  const file = await openOrCreate({ files, folder, name });
  try {
    if (!await file.tryLock()) {
      throw new JournalLocked(path);
    }
    // A repair may have replaced the file while it was opened here. Then this one is no journal now.
    await expectInPlace(files, path, file);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openOrCreate({ files, folder, name }: Place): Promise<OpenFile> {
  const path = join(folder, name);
  const existing = await openExisting({ files, folder, name });
  if (existing !== undefined) return existing;
  await ensureFolder(files, folder);
  try {
    return await files.create(path, JOURNAL_PERMISSIONS);
  } catch (error) {
    // Another process made it meanwhile. The lock decides who writes.
    if (!(error instanceof WorldError) || error.kind !== "already exists") throw error;
    return await files.open(path, "write");
  }
}

/**
 * Opens a file that exists. The process that made it may have ended before its name was durable.
 */
async function openExisting({ files, folder, name }: Place): Promise<OpenFile | undefined> {
  let file: OpenFile;
  try {
    file = await files.open(join(folder, name), "write");
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not found") throw error;
    return undefined;
  }
  try {
    await files.syncFolder(folder);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Moves a torn last line into a file of its own, durably, before it is cut off. A crash in between
 * leaves both, and the next start writes the copy again under the same name.
 */
async function setAside(
  { files, folder, name, file, torn }: Place & { file: OpenFile; torn: Line },
): Promise<string> {
  const content = new Uint8Array(await file.size() - torn.at);
  await readFully(file, content, torn.at);
  const hash = encodeHex(sha256(content)).slice(0, 16);
  const path = join(folder, `${name.replace(/\.jsonl$/, "")}.torn-${torn.at}-${hash}`);
  try {
    (await createDurably({ files, path, content, permissions: JOURNAL_PERMISSIONS })).close();
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "already exists") throw error;
    await replaceDurably({ files, path, content, permissions: JOURNAL_PERMISSIONS });
  }
  await cutDurably(file, torn.at);
  return path;
}
