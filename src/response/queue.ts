/**
 * The durable queue of alerts, and what was last told about each case. It is one file to which lines
 * are added, in the folder `alerts` of the state, and a copy of it in memory.
 *
 * A line is `SUM [CHANGE, …]`: SUM is the first 16 hex digits of SHA-256 of the rest. All changes of
 * a line hold together or not at all. So "this alert waits" and "this case was told" can never be
 * apart. A torn last line is cut off: it was not promised to anybody. A line in the middle that does
 * not hold was damaged later; it is counted and told, and the rest is used.
 *
 * If the disk refuses, an alert is sent all the same: news must not wait for a disk. Then a crash may
 * have it sent again. A receiver knows repeats by the alert's id.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { join } from "@std/path/join";
import { utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import {
  appendDurably,
  createDurably,
  cutDurably,
  DurabilityLost,
  ensureFolder,
  isThere,
  replaceDurably,
} from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import { type Clock, type Files, type OpenFile, type Timer, WorldError } from "../world/world.ts";
import type { Alert, AlertAction, AlertLevel } from "./alert.ts";
import { isAtLeast } from "./alert.ts";
import type { CaseNature } from "./occurrences.ts";

/** The folder in the state folder, and the file in it. */
export const ALERTS_FOLDER = "alerts";
/** See `ALERTS_FOLDER`. */
export const QUEUE_FILE = "queue.log";
/** What alerts say is for the operator alone. */
const PERMISSIONS = 0o600;
const SUM_DIGITS = 16;
const NEWLINE = 0x0a;
/** The file is written anew if it has so many bytes more than the last time that this was done. */
export const WASTE_BYTES = 4 * 1024 * 1024;
/** The most alerts that wait for one channel. Of more, the least grave and oldest is left out. */
export const MAX_WAITING = 1_000;
/** So many changes wait for a disk that refuses. Of more, the file is written anew from memory. */
export const MAX_UNWRITTEN = 10_000;
/** How long after a refusal of the disk it is tried again. */
const AGAIN_MS = 10_000;

/** What is remembered of a case. Times are RFC 3339, UTC. */
export interface CaseState {
  readonly key: string;
  readonly nature: CaseNature;
  readonly event: string;
  readonly level: AlertLevel;
  readonly action: AlertAction;
  readonly subject: string;
  readonly isOfMonitor: boolean;
  /** When it came up first. */
  readonly since: string;
  readonly lastUpAt: string;
  /** When an event said that it is over; nothing while it lasts. */
  readonly overAt?: string;
  /** How often it came up. */
  readonly count: number;
  /** The count when an alert was last made. */
  readonly toldCount: number;
  /** How many alerts were made about it. */
  readonly transitions: number;
  /** `waiting` for its time; `told`; or `quiet`: its end or sum was told, and it is remembered. */
  readonly phase: "waiting" | "told" | "quiet";
  /** How long it must be told only after it came up, in milliseconds. */
  readonly afterMs: number;
  /** How long it must stay away until its end is told, in milliseconds. */
  readonly calmMs: number;
  readonly detail: string;
  readonly logId?: string;
  /** The key of the case in which it was told together with others. */
  readonly together?: string;
  /** For a proven case: its sizes, and the entry of the incident journal. */
  readonly sizes?: readonly string[];
  readonly seq?: number;
}

/** The last entry of the incident journal that was made an alert of. */
export interface Mark {
  readonly seq: number;
  readonly hash: string;
}

/** An alert that waits for channels. */
export interface Waiting {
  /** It is sent after those with smaller numbers, as far as they are about the same case. */
  readonly number: number;
  readonly alert: Alert;
}

/** One change of what is remembered. */
export type Change =
  | { readonly next: number }
  | { readonly mark: Mark }
  | { readonly case: CaseState }
  | { readonly forget: string }
  | { readonly alert: Alert; readonly number: number; readonly to: readonly string[] }
  | { readonly sent: number; readonly to: string }
  | { readonly failing: string; readonly since: string | null };

/** The queue, open for writing. */
export class AlertQueue {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #wasteBytes: number;
  readonly #failed: (error: unknown) => void;
  #file: OpenFile;
  #size = 0;
  #sizeWhenAnew = 0;
  #next = 1;
  #mark: Mark | undefined;
  readonly #cases = new Map<string, CaseState>();
  readonly #alerts = new Map<number, { alert: Alert; to: Set<string> }>();
  readonly #failingSince = new Map<string, string>();
  /** What is not in the file yet. */
  #unwritten: Change[] = [];
  #writing: Promise<void> | undefined;
  #again: Timer | undefined;
  #isClosed = false;
  /** Whether the file cannot be added to any more. All of it is in memory, too. */
  #mustWriteAnew = false;
  /** How many lines were written since the start. */
  written = 0;
  /** Lines that did not hold when the file was opened, a torn last one not counted. */
  damagedLines = 0;
  /** Whether there was such a file when it was opened. */
  readonly isNew: boolean;

  private constructor(fields: {
    files: Files;
    clock: Clock;
    path: string;
    file: OpenFile;
    isNew: boolean;
    wasteBytes: number;
    failed: (error: unknown) => void;
  }) {
    this.#files = fields.files;
    this.#clock = fields.clock;
    this.#path = fields.path;
    this.#file = fields.file;
    this.isNew = fields.isNew;
    this.#wasteBytes = fields.wasteBytes;
    this.#failed = fields.failed;
  }

  /**
   * Opens the queue of a state folder, or makes a new one. One process at a time may have it.
   * @param failed told what the disk refused; it is tried again
   * @throws WorldError
   */
  static async open({ files, clock, state, failed, wasteBytes = WASTE_BYTES }: {
    files: Files;
    clock: Clock;
    /** The state folder. */
    state: string;
    failed: (error: unknown) => void;
    wasteBytes?: number;
  }): Promise<AlertQueue> {
    const folder = join(state, ALERTS_FOLDER);
    const path = join(folder, QUEUE_FILE);
    await ensureFolder(files, folder);
    const isNew = !await isThere(files, path);
    const file = isNew
      ? await createDurably({ files, path, content: new Uint8Array(0), permissions: PERMISSIONS })
      : await openLocked(files, path);
    const queue = new AlertQueue({ files, clock, path, file, isNew, wasteBytes, failed });
    try {
      await queue.#load();
      return queue;
    } catch (error) {
      queue.#file.close();
      throw error;
    }
  }

  /** The case with this key. */
  case(key: string): CaseState | undefined {
    return this.#cases.get(key);
  }

  /** All cases that are remembered. */
  get cases(): readonly CaseState[] {
    return [...this.#cases.values()];
  }

  /** See `Mark`; nothing before the first. */
  get mark(): Mark | undefined {
    return this.#mark;
  }

  /** The alerts that wait for a channel, in order. */
  waiting(channel: string): Waiting[] {
    return [...this.#alerts].filter(([, { to }]) => to.has(channel))
      .map(([number, { alert }]) => ({ number, alert }));
  }

  /** Since when a channel fails, RFC 3339; nothing if it does not. */
  failingSince(channel: string): string | undefined {
    return this.#failingSince.get(channel);
  }

  /** Makes an alert wait for these channels, with the changes that belong to it. Not durable yet. */
  add(alert: Alert, to: readonly string[], changes: readonly Change[]): void {
    const number = this.#next;
    this.change({ alert, number, to }, ...changes);
  }

  /** Makes changes that need not be durable at once. */
  change(...changes: readonly Change[]): void {
    for (const one of changes) this.#apply(one);
    this.#unwritten.push(...changes);
  }

  /**
   * Writes all changes. When it resolves they are durable, or the disk has refused, which was told and
   * is tried again.
   */
  async write(): Promise<void> {
    this.#writing ??= this.#writeAll();
    await this.#writing;
  }

  /** Drops what waits for channels that are not configured. */
  keepChannels(names: ReadonlySet<string>): void {
    for (const [number, { to }] of [...this.#alerts]) {
      for (const name of [...to]) if (!names.has(name)) this.change({ sent: number, to: name });
    }
  }

  /**
   * Leaves out what is too much for a channel.
   * @returns how many alerts were left out
   */
  trim(channel: string, most = MAX_WAITING): number {
    const waiting = this.waiting(channel);
    const tooMany = Math.max(0, waiting.length - most);
    const byGravity = waiting.toSorted((a, b) =>
      Number(isAtLeast(a.alert.level, b.alert.level)) -
        Number(isAtLeast(b.alert.level, a.alert.level)) || a.number - b.number
    );
    for (const { number } of byGravity.slice(0, tooMany)) {
      this.change({ sent: number, to: channel });
    }
    return tooMany;
  }

  /** Writes what is left, and lets go of the file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#again?.cancel();
    await this.#writing;
    await this.write();
    this.#again?.cancel();
    this.#file.close();
  }

  #apply(change: Change): void {
    if ("next" in change) this.#next = change.next;
    else if ("mark" in change) this.#mark = change.mark;
    else if ("case" in change) this.#cases.set(change.case.key, change.case);
    else if ("forget" in change) this.#cases.delete(change.forget);
    else if ("alert" in change) {
      const { alert, number, to } = change;
      this.#next = Math.max(this.#next, number + 1);
      if (to.length > 0) this.#alerts.set(number, { alert, to: new Set(to) });
    } else if ("sent" in change) {
      const waiting = this.#alerts.get(change.sent);
      waiting?.to.delete(change.to);
      if (waiting?.to.size === 0) this.#alerts.delete(change.sent);
    } else if (change.since === null) this.#failingSince.delete(change.failing);
    else this.#failingSince.set(change.failing, change.since);
  }

  async #writeAll(): Promise<void> {
    // What comes in this same turn of the event loop shares the sync.
    await Promise.resolve();
    while (this.#unwritten.length > 0) {
      const changes = this.#unwritten;
      this.#unwritten = [];
      try {
        const line = lineOf(changes);
        if (this.#mustWriteAnew) await this.#writeAnew();
        else {
          await appendDurably(this.#file, line, this.#size);
          this.#size += line.length;
          if (this.#size - this.#sizeWhenAnew > this.#wasteBytes) await this.#writeAnew();
        }
        this.written++;
      } catch (error) {
        this.#failed(error);
        // What may be half written can only be made good by writing all of it anew.
        if (error instanceof DurabilityLost) this.#mustWriteAnew = true;
        this.#unwritten = [...changes, ...this.#unwritten];
        if (this.#unwritten.length > MAX_UNWRITTEN) {
          this.#mustWriteAnew = true;
          this.#unwritten = this.#unwritten.slice(-1);
        }
        this.#tryAgain();
        break;
      }
    }
    // In the same step as the last look at what is unwritten: what comes after it begins a new write.
    this.#writing = undefined;
  }

  #tryAgain(): void {
    if (this.#isClosed) return;
    this.#again?.cancel();
    this.#again = this.#clock.after(AGAIN_MS, () => void this.write());
  }

  /** Writes the file anew with what is needed. */
  async #writeAnew(): Promise<void> {
    const content = lineOf([
      { next: this.#next },
      ...(this.#mark === undefined ? [] : [{ mark: this.#mark }]),
      ...this.cases.map((one) => ({ case: one })),
      ...[...this.#alerts].map(([number, { alert, to }]) => ({ alert, number, to: [...to] })),
      ...[...this.#failingSince].map(([failing, since]) => ({ failing, since })),
    ]);
    const files = this.#files;
    // If a step fails, the path may lead to either file.
    this.#mustWriteAnew = true;
    await replaceDurably({ files, path: this.#path, content, permissions: PERMISSIONS });
    const file = await openLocked(files, this.#path);
    this.#file.close();
    this.#file = file;
    this.#size = this.#sizeWhenAnew = content.length;
    this.#mustWriteAnew = false;
  }

  async #load(): Promise<void> {
    const buffer = new Uint8Array(await this.#file.size());
    const bytes = buffer.subarray(0, await readFully(this.#file, buffer, 0));
    let end = 0;
    for (let at = 0; at < bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, at);
      const next = newline < 0 ? bytes.length : newline + 1;
      const changes = newline < 0 ? undefined : changesIn(bytes.subarray(at, newline));
      for (const change of changes ?? []) this.#apply(change);
      if (changes === undefined && next < bytes.length) this.damagedLines++;
      if (changes !== undefined) end = next;
      at = next;
    }
    if (end < bytes.length) await cutDurably(this.#file, end);
    this.#size = this.#sizeWhenAnew = end;
  }
}

async function openLocked(files: Files, path: string): Promise<OpenFile> {
  const file = await files.open(path, "write");
  if (await file.tryLock()) return file;
  file.close();
  throw new WorldError("other", `${path} is in use by another process`);
}

function lineOf(changes: readonly Change[]): Uint8Array<ArrayBuffer> {
  const rest = JSON.stringify(changes);
  return utf8(`${sumOf(rest)} ${rest}\n`);
}

/** The changes of a line; nothing if it does not hold. */
function changesIn(line: Uint8Array): readonly Change[] | undefined {
  const text = new TextDecoder().decode(line);
  const rest = text.slice(SUM_DIGITS + 1);
  if (text.slice(0, SUM_DIGITS + 1) !== `${sumOf(rest)} `) return undefined;
  return JSON.parse(rest);
}

function sumOf(rest: string): string {
  return encodeHex(sha256(utf8(rest))).slice(0, SUM_DIGITS);
}
