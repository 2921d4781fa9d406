/** Journals to publish: their lines made by hand, on a disk in memory, and a clock set by hand. */
import { FIRST_LINK, type Link, parseCanonicalEntry } from "../../src/evidence/entry.ts";
import {
  type HeadMemory,
  JournalLog,
  type JournalLogMeans,
} from "../../src/federation/journal_log.ts";
import { headMemory } from "../../src/monitor/journal_head.ts";
import { JOURNAL_FILE, nextLine } from "../../src/store/journal.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { makeLog } from "../../src/tlog/log.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import type { Clock, Files } from "../../src/world/world.ts";
import { signing } from "../sim/signing.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { world } from "../world/helpers.ts";

export const STATE = "state";
export const INCIDENTS = "incidents";
export const STATIC = `${STATE}/incidents-log`;
export const JOURNAL = `${INCIDENTS}/${JOURNAL_FILE}`;
export const NAME = "monitor.invalid/ada";

/** Of the monitor. */
export const { signer } = await generateSigner({
  world: { ...world, signing, random: { bytes: (count) => new Uint8Array(count).fill(3) } },
  name: NAME,
});

/** A clock that is set by hand. */
export class SetClock implements Clock {
  ms = Date.UTC(2026, 10, 28);

  now(): Date {
    return new Date(this.ms);
  }

  monotonic(): number {
    return this.ms;
  }

  after(): never {
    throw new Error("no test waits here");
  }
}

/** Lines of a journal, each with its newline, and where the next one goes on. */
export interface Lines {
  readonly bytes: readonly Uint8Array[];
  readonly last: Link;
}

/**
 * Makes lines of a journal.
 * @param story differs between two histories
 * @param padding how long the record of an entry is
 */
export function linesOf(
  count: number,
  { after = FIRST_LINK, story = "a", padding = () => 0 }: {
    after?: Link;
    story?: string;
    padding?: (index: number) => number;
  } = {},
): Lines {
  const bytes: Uint8Array[] = [];
  let last = after;
  for (let i = 0; i < count; i++) {
    const record = { story, padding: "x".repeat(padding(i)) };
    const { entry, line } = nextLine(last, record, "2026-11-28T00:00:00Z");
    bytes.push(line);
    last = entry;
  }
  return { bytes, last };
}

/** A monitor's folders, and the log that is made of its journal. */
export class Publisher {
  readonly disk: MemoryDisk;
  readonly clock = new SetClock();
  /** Why new epochs began. */
  readonly told: string[] = [];
  files: Files;
  log!: JournalLog;
  #lines: readonly Uint8Array[] = [];
  #last: Link = FIRST_LINK;
  /** All notes that left. */
  readonly notes: string[] = [];

  constructor(disk = new MemoryDisk()) {
    this.disk = disk;
    this.files = disk.files;
    this.disk.put(JOURNAL, "");
  }

  get lines(): readonly Uint8Array[] {
    return this.#lines;
  }

  /** The journal has these lines from now on, durably. */
  put({ bytes, last }: Lines): void {
    this.#lines = bytes;
    this.#last = last;
    this.disk.put(JOURNAL, concatAll(bytes));
  }

  /** The journal has more lines from now on, durably. */
  async append(count: number, options: Parameters<typeof linesOf>[1] = {}): Promise<void> {
    const { bytes, last } = linesOf(count, { ...options, after: this.#last });
    const file = await this.disk.files.open(JOURNAL, "write");
    await file.write(concatAll(bytes), await file.size());
    await file.sync();
    file.close();
    this.#lines = [...this.#lines, ...bytes];
    this.#last = last;
  }

  /**
   * After a crash the journal has the whole lines that are on the disk, as a start of the daemon cuts
   * it; or fewer, as a disk that breaks its promise leaves it.
   */
  recover(lost = 0): void {
    const text = new TextDecoder().decode(this.disk.bytes(JOURNAL));
    const all = text.split("\n").slice(0, -1);
    const whole = all.slice(0, Math.max(0, all.length - lost));
    const last = whole.length === 0 ? FIRST_LINK : parseCanonicalEntry(whole.at(-1)!);
    this.put({ bytes: whole.map((line) => new TextEncoder().encode(`${line}\n`)), last });
  }

  /** Starts the log on what the disk has. */
  async start(
    { by = signer, memory, isSuspect }: {
      by?: Signer;
      memory?: HeadMemory;
      isSuspect?: boolean;
    } = {},
  ): Promise<JournalLog> {
    const means: JournalLogMeans = {
      ...{ files: this.files, clock: this.clock, signer: by, folder: STATIC },
      memory: memory ?? headMemory({ files: this.files, folder: STATE }),
      journal: {
        path: JOURNAL,
        durableEnd: () => this.#lines.reduce((sum, { length }) => sum + length, 0),
      },
      onNewEpoch: ({ detail }) => this.told.push(detail),
      ...(isSuspect !== undefined && { isSuspect }),
    };
    this.log = await JournalLog.open(means);
    this.note();
    return this.log;
  }

  /** Signs what there is, and notes what leaves, also if the disk refuses. */
  async advance(): Promise<void> {
    try {
      await this.log.advance();
    } finally {
      this.note();
    }
  }

  note(): void {
    this.notes.push(this.log.status().checkpoint);
  }

  /** Ends the log and starts it anew. */
  async restart(options: Parameters<Publisher["start"]>[0] = {}): Promise<void> {
    await this.log.close();
    await this.start(options);
  }
}

/** The bytes of several arrays. */
export function concatAll(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What a note states, after its signature was checked: origin, size and root. */
export function stated(note: string): { origin: string; treeSize: bigint; root: string } {
  const origin = note.split("\n")[0]!;
  const opened = openCheckpoint({ note, logs: [makeLog({ vkey: signer.vkey, origin })] });
  if ("refused" in opened) throw new Error(opened.detail);
  return { origin, treeSize: opened[0]!.treeSize, root: opened[0]!.root };
}

/** Sizes at which two roots were signed under one origin. */
export function equivocations(notes: Iterable<string>): string[] {
  const roots = new Map<string, string>();
  const found = new Set<string>();
  for (const note of notes) {
    const { origin, treeSize, root } = stated(note);
    const head = `${origin} at ${treeSize}`;
    if ((roots.get(head) ?? root) !== root) found.add(head);
    roots.set(head, root);
  }
  return [...found];
}
