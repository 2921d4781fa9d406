/**
 * A walk through the segments of a journal, in order. It checks that an entry states every gap: that
 * segments were removed because nothing needed them, or that a repair set them aside.
 *
 * @module
 */
import { join } from "@std/path/join";
import { type Entry, FIRST_LINK, type Link } from "../evidence/entry.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Line } from "../world/reading.ts";
import type { Files } from "../world/world.ts";
import { damagedLine, JournalDamaged } from "./journal.ts";
import { parseRemovals, type Removal } from "./removal.ts";
import { isRepair, parseRepair, type Repair } from "./repaired.ts";

const SEGMENT_DIGITS = 6;

/** A segment on disk and the part of the chain in it. */
export interface Segment {
  /** From 1. */
  readonly number: number;
  /** What its first entry follows on. */
  readonly before: Link;
  /** Its last entry; `before` if it is empty. */
  readonly last: Link;
  /** Whether a repair is stated in it. */
  readonly isRepaired: boolean;
}

/** Where a segmented journal is. */
export interface SegmentsPlace {
  readonly files: Files;
  readonly folder: string;
  /** What the segments' file names begin with. */
  readonly name: string;
}

/** The file name of a segment. */
export function segmentName(name: string, number: number): string {
  return `${name}-${String(number).padStart(SEGMENT_DIGITS, "0")}.jsonl`;
}

/** Segments that a repair set aside, by their numbers. */
interface Aside {
  readonly from: number;
  readonly to: number;
}

/** See the module. */
export class Walk {
  readonly #place: SegmentsPlace;
  readonly segments: Segment[] = [];
  /** The removals that the last such entry in the chain states. */
  removals: readonly Removal[] = [];
  /** All repairs. */
  readonly repairs: Repair[] = [];
  readonly #aside: Aside[] = [];
  /** When the last entry was written; nothing if there is none. */
  lastAt: string | undefined;
  /** The latest time that an entry names; nothing if there is none. */
  latestAt: string | undefined;
  #number = 0;
  #before: Link | undefined = FIRST_LINK;
  #last: Link | undefined = FIRST_LINK;
  #isRepaired = false;

  constructor(place: SegmentsPlace) {
    this.#place = place;
  }

  /** Whether a repair has set a segment aside. If its file is still there, a crash left it. */
  isAside(number: number): boolean {
    return this.#aside.some(({ from, to }) => from <= number && number <= to);
  }

  /** The number of the first segment that may come after this one. */
  nextAfter(number: number): number {
    return Math.max(number, ...this.#aside.map(({ to }) => to)) + 1;
  }

  /**
   * Begins a segment. Gives what its first entry must follow, or `anything` if segments before it
   * are missing that no repair has set aside.
   */
  enter(number: number): Link | "anything" {
    for (let gone = this.#number + 1; gone < number; gone++) {
      if (!this.isAside(gone)) this.#last = undefined;
    }
    this.#number = number;
    this.#before = this.#last;
    this.#isRepaired = false;
    return this.#last ?? "anything";
  }

  take(entry: Entry, { path, line }: { path: string; line: Line }): void {
    this.#before ??= { seq: entry.seq - 1, hash: entry.prev_hash };
    this.#last = { seq: entry.seq, hash: entry.hash };
    this.lastAt = entry.recorded_at;
    // These times are all spelled alike.
    if (this.latestAt === undefined || this.lastAt > this.latestAt) this.latestAt = this.lastAt;
    try {
      if ("removed" in entry.record) this.removals = parseRemovals(entry.record);
      else if (isRepair(entry.record)) this.#takeRepair(parseRepair(entry));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw damagedLine(path, line, `is damaged: ${error.message}`);
    }
  }

  #takeRepair(repair: Repair): void {
    const { next, removed } = repair;
    if (next === undefined || removed === undefined || next <= this.#number) {
      throw new MalformedError(`next is ${next}, expected more than ${this.#number}, and removed`);
    }
    this.repairs.push(repair);
    this.removals = removed;
    this.#aside.push({ from: this.#number + 1, to: next - 1 });
    this.#isRepaired = true;
  }

  /** Ends a segment. */
  leave(path: string): void {
    if (this.#before === undefined || this.#last === undefined) {
      throw new JournalDamaged(path, "is empty, and the segment before it is gone");
    }
    this.segments.push({
      ...{ number: this.#number, before: this.#before, last: this.#last },
      isRepaired: this.#isRepaired,
    });
  }

  /**
   * Checks that an entry states every gap.
   * @throws JournalDamaged naming the file that is missing
   */
  finish(): void {
    const gap = this.gap(this.removals);
    if (gap !== undefined) throw new JournalDamaged(gap.path, gap.what);
  }

  /** The first gap that neither these removals nor a repair explains, and the segment after it. */
  gap(
    removals: readonly Removal[],
  ): { path: string; what: string; next: Segment } | undefined {
    const { folder, name } = this.#place;
    let previous: Segment = { number: 0, before: FIRST_LINK, last: FIRST_LINK, isRepaired: false };
    for (const segment of this.segments) {
      for (let gone = previous.number + 1; gone < segment.number; gone++) {
        const what = this.isAside(gone)
          ? undefined
          : gapFault(removals, { gone, previous, next: segment });
        const path = join(folder, segmentName(name, gone));
        if (what !== undefined) return { path, what, next: segment };
      }
      previous = segment;
    }
    return undefined;
  }
}

/** What is wrong with a gap, if anything. */
function gapFault(
  removals: readonly Removal[],
  { gone, previous, next }: { gone: number; previous: Segment; next: Segment },
): string | undefined {
  const stated = removals.find(({ from, to }) => from <= gone && gone <= to);
  if (stated === undefined) return "is gone, and no entry says that it was removed";
  const fits = (stated.from !== previous.number + 1 || sameLink(stated.before, previous.last)) &&
    (stated.to !== next.number - 1 || sameLink(stated.last, next.before));
  return fits ? undefined : "was removed, and the segments beside it do not fit the chain";
}

function sameLink(a: Link, b: Link): boolean {
  return a.seq === b.seq && a.hash === b.hash;
}
