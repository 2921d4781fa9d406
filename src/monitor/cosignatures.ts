import { CosignedHeads, type Moment, type WitnessStanding } from "../authority/cosigned_heads.ts";
import type { Policy } from "../authority/policy.ts";
import type { Seen } from "../evidence/conflict.ts";
import type { EquivocationDetector } from "../evidence/detector.ts";
import { headKey } from "../evidence/head.ts";
import type { CheckpointMemory } from "../evidence/memory.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { ObservationJournal } from "../store/observations.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Stop } from "../world/stop.ts";
import { timeAt, timeNow, timeOf } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import type { Happenings } from "./happenings.ts";
import { openKept } from "./kept_note.ts";
import type { CosignedStatus, WitnessOfLog } from "./status.ts";
import { isTheLog } from "./the_log.ts";

/** How often what was counted is written down, and how the witnesses stand is told. */
export const COUNT_MS = 30_000;
/** Most sizes of which it is remembered what one witness has cosigned. The journal has the others. */
const MAX_SIZES = 64;
/** Most sizes whose notes are read from the journal at a start. */
const RECALLED_SIZES = 64;
/** The source of an entry that holds cosignatures which came otherwise than with a look. */
const COSIGNERS = "cosigners";

/** A log whose cosignatures are counted. */
export interface Counted {
  readonly log: Log;
  readonly policy: Policy;
  /** How far a witness may be behind, and how old its latest cosignature may be, in milliseconds. */
  readonly delayMs: number;
  /** Whether it is known that the log does not grow any more. */
  readonly isStill: boolean;
}

/** What is kept of one log. */
interface Book extends Counted {
  readonly heads: CosignedHeads;
  /** By the id of a cosigner: what it has signed of the latest sizes. */
  readonly sizes: Map<string, Map<bigint, readonly Seen[]>>;
  /** Heads with cosignatures that are in no entry yet. */
  readonly unwritten: Set<string>;
}

/** Whether two policies were read from the same text, as far as that matters here. */
function isSamePolicy(a: Policy, b: Policy): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Counts the cosignatures on the checkpoints of all logs that have a policy. It is the memory of what
 * cosigners have signed: whatever reaches the detector, from wherever, comes by here. What is older
 * than its memory is in the journal, in the notes that were seen.
 */
export class Cosignatures implements CheckpointMemory {
  readonly #clock: Clock;
  readonly #observations: ObservationJournal;
  /** By the cosigner of a log: `Log.cosigners` has these very objects. */
  readonly #byCosigner = new Map<Log, Book>();
  #books: readonly Book[] = [];
  /** What was read from the journal last, and for which size. */
  #read: { readonly at: string; readonly seen: readonly Seen[] } | undefined;

  constructor({ clock, observations }: { clock: Clock; observations: ObservationJournal }) {
    this.#clock = clock;
    this.#observations = observations;
  }

  /**
   * Counts for these logs from now on. What is known of a log whose policy did not change stays.
   * @returns the logs of which nothing is known yet: see `recall`
   */
  follow(counted: readonly Counted[]): readonly Log[] {
    const before = this.#books;
    const now = this.#now();
    this.#books = counted.map((one) => {
      const known = before.find(({ log, policy }) =>
        log === one.log && isSamePolicy(policy, one.policy)
      );
      return known === undefined
        ? {
          ...one,
          heads: new CosignedHeads({ ...one, now }),
          sizes: new Map(),
          unwritten: new Set(),
        }
        : { ...known, delayMs: one.delayMs, isStill: one.isStill };
    });
    this.#read = undefined;
    for (const { log } of before) log.cosigners.change([]);
    this.#byCosigner.clear();
    for (const book of this.#books) {
      const { log, heads: { cosigners } } = book;
      log.cosigners.change(cosigners);
      for (const cosigner of cosigners) this.#byCosigner.set(cosigner, book);
    }
    return this.#books.filter(({ heads }) => !before.some((one) => one.heads === heads))
      .map(({ log }) => log);
  }

  /** Takes up what the journal has of the latest checkpoints of a log. */
  recall(log: Log, detector: EquivocationDetector): void {
    for (const treeSize of this.#observations.latestSizes(log, RECALLED_SIZES)) {
      for (const { checkpoint, source } of this.#journaled(log, treeSize)) {
        for (const cosigned of checkpoint.cosigned) detector.takeIn(cosigned, source);
      }
    }
    this.#bookOf(log)?.unwritten.clear();
  }

  /** See CheckpointMemory: what a cosigner has signed at a size. */
  at(cosigner: Log, treeSize: bigint): readonly Seen[] {
    const book = this.#byCosigner.get(cosigner);
    if (book === undefined) return [];
    const known = book.sizes.get(cosigner.id)?.get(treeSize);
    if (known !== undefined) return known;
    const roots = new Map<string, Seen>();
    for (const { checkpoint, source } of this.#journaled(book.log, treeSize)) {
      const cosigned = checkpoint.cosigned.find(({ log }) => log.id === cosigner.id);
      if (cosigned === undefined || roots.has(cosigned.root)) continue;
      roots.set(cosigned.root, { checkpoint: cosigned, source });
    }
    return [...roots.values()];
  }

  /**
   * See CheckpointMemory. What comes as evidence is not counted: the cosigner may have signed it
   * without the log.
   */
  remember(seen: Seen, { isEvidence } = { isEvidence: false }): boolean {
    const { checkpoint: { log: cosigner, treeSize } } = seen;
    const book = this.#byCosigner.get(cosigner);
    if (book === undefined) return false;
    const there = this.at(cosigner, treeSize);
    const sizes = book.sizes.get(cosigner.id) ?? new Map<bigint, readonly Seen[]>();
    book.sizes.set(cosigner.id, sizes.set(treeSize, [...there, seen]));
    if (sizes.size > MAX_SIZES) sizes.delete(sizes.keys().next().value!);
    if (!isEvidence) this.#count(book, seen);
    return true;
  }

  /** See CheckpointMemory. */
  repeated(seen: Seen, { isEvidence } = { isEvidence: false }): void {
    const book = this.#byCosigner.get(seen.checkpoint.log);
    if (book !== undefined && !isEvidence) this.#count(book, seen);
  }

  #count({ heads, delayMs, unwritten }: Book, { checkpoint, source }: Seen): void {
    const key = headKey(checkpoint);
    const isKnown = heads.has(checkpoint);
    const isNews = heads.take(checkpoint, { now: this.#now(), delayMs });
    // The entry of a look has the note as it was first shown.
    if (isNews && (isKnown || !isTheLog(source))) unwritten.add(key);
  }

  /** The checkpoints of a log at a size, in each note that the journal has of them. */
  #journaled(log: Log, treeSize: bigint): readonly Seen[] {
    // All cosigners of a note are asked about one size in a row, and each note is verified once.
    const at = `${this.#observations.last.seq} ${treeSize} ${log.id}`;
    if (this.#read?.at !== at) {
      const seen = this.#observations.notesAt(log, treeSize).flatMap(({ note, source }) => {
        const checkpoint = openKept(note, log);
        return checkpoint === undefined ? [] : [{ checkpoint, source }];
      });
      this.#read = { at, seen };
    }
    return this.#read.seen;
  }

  /** The vkeys of the witnesses whose cosignatures are counted. */
  get witnesses(): readonly string[] {
    const all = this.#books.flatMap(({ policy }) => policy.witnesses);
    return [...new Set(all.map(({ cosigner: { vkey } }) => vkey.text))];
  }

  /** What the status says of a log; nothing if its cosignatures are not counted. */
  status(
    log: Log,
    view: VerifiedCheckpoint | undefined,
    accepts: (treeSize: bigint) => boolean = () => true,
  ): CosignedStatus | undefined {
    const book = this.#bookOf(log);
    if (book === undefined) return undefined;
    const { policy, heads } = book;
    // A policy may ask for no quorum. Then what the log has signed is committed.
    const head = policy.quorum !== undefined
      ? heads.committedWithin(accepts)
      : view !== undefined && accepts(view.treeSize)
      ? view
      : undefined;
    return {
      ...(head && { committed: { size: `${head.treeSize}`, root: head.root } }),
      witnesses: this.#standings(book).map((standing) => this.#describe(standing)),
    };
  }

  #describe({ witness, keeping, latest, behindSince }: WitnessStanding): WitnessOfLog {
    const { name, cosigner: { vkey }, url } = witness;
    return {
      ...{ name, vkey: vkey.text, keeping },
      ...(url !== undefined && { url }),
      ...(latest && {
        ...{ size: `${latest.treeSize}`, root: latest.root },
        cosignedAt: timeOf(latest.cosignedAt),
      }),
      ...(behindSince !== undefined && { behindSince: timeAt(this.#clock, behindSince) }),
    };
  }

  /** Writes down what was counted and tells how the witnesses stand, now and then, until stopped. */
  async run(stop: Stop, happenings: Happenings): Promise<void> {
    for (;;) {
      await stop.pause(this.#clock, COUNT_MS);
      if (stop.stopped) return;
      this.tellStandings(happenings);
      try {
        await this.write();
      } catch (error) {
        happenings.failed(error);
      }
    }
  }

  /** Tells how each witness of each log stands. */
  tellStandings(happenings: Happenings): void {
    for (const book of this.#books) {
      for (const standing of this.#standings(book)) {
        happenings.tell({ kind: "witness", log: book.log, ...this.#describe(standing) });
      }
    }
  }

  /**
   * Writes, for each log, the note of the largest checkpoint whose new cosignatures are in no entry. It
   * is one that agrees with the view. So after a restart it is known what is committed, and a witness
   * can still be held to what it has signed.
   */
  async write(): Promise<void> {
    for (const { log, heads, unwritten } of this.#books) {
      // While a log cannot be looked at, others may tell of heads without end.
      const remembered = new Set(heads.heads.map(headKey));
      for (const key of unwritten) if (!remembered.has(key)) unwritten.delete(key);
      const head = heads.heads.findLast((one) =>
        unwritten.has(headKey(one)) && this.#observations.agrees(log, one)
      );
      if (head === undefined) continue;
      const shown = this.#journaled(log, head.treeSize)
        .find(({ checkpoint }) => checkpoint.root === head.root)?.checkpoint;
      if (shown === undefined) continue;
      const note = shown.noteWith([...head.by.values()]);
      await this.#observations.append({
        log: { origin: log.origin, vkey: log.vkey.text },
        ...{ via: "exchange", source: COSIGNERS, result: "matches" },
        checkpoint: { ...observedCheckpoint(shown), note },
      }, timeNow(this.#clock));
      // Those of smaller heads are not written any more: a larger one says more.
      for (const { treeSize, root } of heads.heads) {
        if (treeSize <= head.treeSize) unwritten.delete(headKey({ treeSize, root }));
      }
    }
  }

  #standings({ heads, delayMs, isStill }: Book): WitnessStanding[] {
    return heads.standings({ now: this.#now(), delayMs, isStill });
  }

  #bookOf({ id }: Log): Book | undefined {
    return this.#books.find(({ log }) => log.id === id);
  }

  #now(): Moment {
    return { wall: this.#clock.now().getTime(), monotonic: this.#clock.monotonic() };
  }
}
