/**
 * A journal in segments: files `NAME-000001.jsonl`, `NAME-000002.jsonl`, …, through which one hash
 * chain runs. Only the last one is written to. Older ones may be removed. Before the first file is
 * removed, an entry in the chain states the removal, durably. So a gap that no entry states is
 * known to be damage.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { JsonObject } from "../evidence/json.ts";
import type { Line } from "../world/reading.ts";
import { Turns } from "../world/turns.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import { expectInPlace } from "../world/durable.ts";
import type { Entry, Link } from "../evidence/entry.ts";
import { damagedLine, Journal, openLocked, readEntries } from "./journal.ts";
import { formatRemovals, type Removal } from "./removal.ts";
import type { Repair } from "./repaired.ts";
import { type Segment, segmentName, type SegmentsPlace, Walk } from "./walk.ts";

export { type Segment, segmentName, type SegmentsPlace } from "./walk.ts";

/** A segment of at least this many bytes is not written to again. */
export const SEGMENT_BYTES = 8 * 1024 * 1024;

/** An entry of a segmented journal and where it is; or what a crash left of the last line. */
export type SegmentItem =
  & { readonly path: string; readonly line: Line }
  & ({ readonly entry: Entry } | { readonly torn: true });

/** A record, or a function that makes it from the number of the segment that it will be in. */
export type MadeRecord = JsonObject | ((segment: number) => JsonObject);

/** The numbers of the segments in a folder, ascending; none if there is no folder. */
export async function listSegments({ files, folder, name }: SegmentsPlace): Promise<number[]> {
  let names: string[];
  try {
    names = await files.list(folder);
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not found") throw error;
    return [];
  }
  return names.map((file) => /-(\d+)\.jsonl$/.exec(file))
    .filter((match) => match !== null)
    .filter((match) => match.input === segmentName(name, Number(match[1])))
    .map((match) => Number(match[1])).sort((a, b) => a - b);
}

/**
 * Reads all segments of a folder in order, without locking or changing anything, and checks the
 * chain through them. A folder or journal that does not exist has no entries.
 * @throws JournalDamaged naming file and line, WorldError
 */
export async function* readSegments(place: SegmentsPlace): AsyncGenerator<SegmentItem, void> {
  yield* readWalking(place, new Walk(place));
}

/** The same, with the walk that it makes. */
export async function* readWalking(
  place: SegmentsPlace,
  walk: Walk,
): AsyncGenerator<SegmentItem, void> {
  const numbers = await listSegments(place);
  for (const [i, number] of numbers.entries()) {
    if (walk.isAside(number)) continue;
    // It is asked when the segment was read: the segment itself may say that later ones are aside.
    const isLast = (): boolean => numbers.slice(i + 1).every((later) => walk.isAside(later));
    yield* readSegment({ place, walk, number, isLast });
  }
  walk.finish();
}

async function* readSegment(
  { place, walk, number, isLast }: {
    place: SegmentsPlace;
    walk: Walk;
    number: number;
    isLast: () => boolean;
  },
): AsyncGenerator<SegmentItem, void> {
  const path = join(place.folder, segmentName(place.name, number));
  const after = walk.enter(number);
  const file = await place.files.open(path, "read");
  try {
    for await (const item of readEntries(file, path, after)) {
      if ("entry" in item) {
        walk.take(item.entry, { path, line: item.line });
        yield { path, ...item };
      } else if (isLast()) yield { path, line: item.torn, torn: true };
      else throw damagedLine(path, item.torn, "is damaged: no newline");
    }
  } finally {
    file.close();
  }
  walk.leave(path);
}

/** A segmented journal, open for writing by this process alone. */
export class SegmentedJournal {
  readonly #place: SegmentsPlace;
  readonly #segmentBytes: number;
  readonly #lock: OpenFile;
  /** All segments but the one being written. */
  #closed: Segment[];
  #removals: readonly Removal[];
  #number: number;
  #nextNumber: number;
  #before: Link;
  /** Whether the segment being written states a repair. */
  #isRepaired: boolean;
  /** All repairs that the chain had when it was opened. */
  readonly repairs: readonly Repair[];
  #journal: Journal;
  readonly #turns = new Turns();
  /** Where a torn last line was set aside when the journal was opened, if there was one. */
  readonly tornFile: string | undefined;
  /** When the last entry was written that the journal had when it was opened: RFC 3339, UTC. */
  readonly endedAt: string | undefined;
  /** The latest time of an entry that it had then. A clock that was set back makes it another one. */
  readonly latestAt: string | undefined;

  private constructor(
    options: { place: SegmentsPlace; segmentBytes: number; lock: OpenFile },
    opened: { walk: Walk; journal: Journal; number: number },
  ) {
    this.#place = options.place;
    this.#segmentBytes = options.segmentBytes;
    this.#lock = options.lock;
    const { segments, removals, repairs } = opened.walk;
    this.#closed = segments.filter(({ number }) => number !== opened.number);
    const current = segments.find(({ number }) => number === opened.number)!;
    this.#before = current.before;
    this.#isRepaired = current.isRepaired;
    this.#nextNumber = opened.walk.nextAfter(opened.number);
    this.repairs = repairs;
    this.#removals = removals;
    this.#number = opened.number;
    this.#journal = opened.journal;
    this.tornFile = opened.journal.tornFile;
    this.endedAt = opened.walk.lastAt;
    this.latestAt = opened.walk.latestAt;
  }

  /**
   * Opens the journal of a folder and makes what is missing. It takes the lock, checks the whole
   * chain, moves a torn last line into a file of its own, and ends a removal or a repair that a
   * crash cut short.
   * @throws JournalLocked, JournalDamaged, WorldError
   */
  static async open(
    { segmentBytes = SEGMENT_BYTES, ...place }: SegmentsPlace & { segmentBytes?: number },
  ): Promise<SegmentedJournal> {
    for (;;) {
      const opened = await SegmentedJournal.#openUnlessAside({ ...place, segmentBytes });
      if (opened !== undefined) return opened;
    }
  }

  /** Opens the journal; or removes segments that a repair has set aside, and gives nothing. */
  static async #openUnlessAside(
    { segmentBytes, ...place }: SegmentsPlace & { segmentBytes: number },
  ): Promise<SegmentedJournal | undefined> {
    const { files, folder, name } = place;
    // The lock has a file of its own, because the segment that is written to changes.
    const lock = await openLocked({ files, folder, name: `${name}.lock` });
    let journal: Journal | undefined;
    try {
      const walk = new Walk(place);
      const numbers = await listSegments(place);
      const number = numbers.at(-1) ?? 1;
      for (const closed of numbers.slice(0, -1)) {
        for await (const _ of readSegment({ place, walk, number: closed, isLast: () => false }));
        if (!numbers.some((number) => walk.isAside(number))) continue;
        await removeAside(place, numbers.filter((number) => walk.isAside(number)));
        lock.close();
        return undefined;
      }
      journal = await openLast({ place, walk, number });
      walk.finish();
      const opened = new SegmentedJournal({ place, segmentBytes, lock }, { walk, journal, number });
      await opened.removeStated();
      return opened;
    } catch (error) {
      await journal?.close();
      lock.close();
      throw error;
    }
  }

  /** What the next entry will follow. */
  get last(): Link {
    return this.#journal.last;
  }

  /**
   * The segments that may be removed: no longer written to, and not stated as removed, oldest first.
   * One that states a repair stays, because it alone explains what is missing.
   */
  get closed(): readonly Segment[] {
    return this.#closed.filter((segment) => !segment.isRepaired && !this.#isStated(segment));
  }

  /**
   * Reads the segment that has this entry, and all later ones.
   * @throws JournalDamaged, WorldError
   */
  async *readFrom(seq: number): AsyncGenerator<SegmentItem & { readonly entry: Entry }, void> {
    const { files, folder, name } = this.#place;
    const current = { number: this.#number, before: this.#before, last: this.#journal.last };
    const segments = [...this.#closed, current].filter(({ last }) => last.seq >= seq);
    for (const { number, before } of segments) {
      const path = join(folder, segmentName(name, number));
      const file = await files.open(path, "read");
      try {
        for await (const item of readEntries(file, path, before)) {
          if ("entry" in item) yield { path, ...item };
        }
      } finally {
        file.close();
      }
    }
  }

  /**
   * Appends an entry and returns it once it is durable. If the last segment is full, the entry
   * begins a new one.
   * @param record the record, or a function that makes it from the number of its segment
   * @param recordedAt RFC 3339, UTC
   * @throws WorldError if the disk refuses; then the chain is as it was before
   */
  append(record: MadeRecord, recordedAt: string): Promise<Entry> {
    return this.#turns.next(() => this.#appendNext(record, recordedAt));
  }

  async #appendNext(record: MadeRecord, recordedAt: string): Promise<Entry> {
    if (this.#journal.size >= this.#segmentBytes) await this.#rotate();
    const made = typeof record === "function" ? record(this.#number) : record;
    return await this.#journal.append(made, recordedAt);
  }

  /**
   * Begins a new segment. If a crash interrupts this, an empty segment may remain. The next start
   * writes to it.
   */
  async #rotate(): Promise<void> {
    const { files, folder, name } = this.#place;
    const full = this.#journal;
    await this.#expectInPlace();
    const number = this.#nextNumber;
    this.#journal = await Journal.open({
      files,
      folder,
      name: segmentName(name, number),
      after: full.last,
    });
    await full.close();
    this.#closed.push({
      ...{ number: this.#number, before: this.#before, last: full.last },
      isRepaired: this.#isRepaired,
    });
    this.#number = number;
    this.#nextNumber = number + 1;
    this.#before = full.last;
    this.#isRepaired = false;
  }

  async #expectInPlace(): Promise<void> {
    const { files, folder, name } = this.#place;
    await expectInPlace(files, join(folder, `${name}.lock`), this.#lock);
  }

  /**
   * Checks that the files it holds are still where they were opened.
   * @throws PlaceLost if they are not, WorldError if it cannot be told
   */
  async expectInPlace(): Promise<void> {
    await this.#expectInPlace();
    await this.#journal.expectInPlace();
  }

  /**
   * States that closed segments are removed, and returns the entry once it is durable. The next
   * `removeStated` removes their files, or the next opening of the journal.
   * @param chosen from `closed`
   * @throws WorldError if the disk refuses; then nothing was stated
   */
  stateRemoval(chosen: readonly Segment[], recordedAt: string): Promise<Entry> {
    return this.#turns.next(async () => {
      const removals = mergeRemovals([
        ...this.#removals,
        ...chosen.map(({ number, before, last }) => ({ from: number, to: number, before, last })),
      ]);
      const entry = await this.#appendNext(formatRemovals(removals), recordedAt);
      this.#removals = removals;
      return entry;
    });
  }

  /**
   * Removes the files of segments that the chain says are removed.
   * @returns how many
   * @throws WorldError if the disk refuses; a later call continues
   */
  removeStated(): Promise<number> {
    return this.#turns.next(async () => {
      const { files, folder, name } = this.#place;
      await this.#expectInPlace();
      const stated = this.#closed.filter((segment) => this.#isStated(segment));
      for (const segment of stated) {
        await removeIfThere(files, join(folder, segmentName(name, segment.number)));
        this.#closed = this.#closed.filter((other) => other !== segment);
      }
      if (stated.length > 0) await files.syncFolder(folder);
      return stated.length;
    });
  }

  #isStated({ number }: Segment): boolean {
    return this.#removals.some(({ from, to }) => from <= number && number <= to);
  }

  /** Waits for what is being written, then lets go of the files and the lock. */
  async close(): Promise<void> {
    await this.#turns.done();
    await this.#journal.close();
    this.#lock.close();
  }
}

async function openLast(
  { place, walk, number }: { place: SegmentsPlace; walk: Walk; number: number },
): Promise<Journal> {
  const { files, folder } = place;
  const name = segmentName(place.name, number);
  const path = join(folder, name);
  const after = walk.enter(number);
  const journal = await Journal.open({
    files,
    folder,
    name,
    after,
    onEntry: (entry, line) => walk.take(entry, { path, line }),
  });
  walk.leave(path);
  return journal;
}

/** Removes the files of segments that a repair has set aside: their copies are durable. */
export async function removeAside(
  { files, folder, name }: SegmentsPlace,
  numbers: readonly number[],
): Promise<void> {
  for (const number of numbers) await removeIfThere(files, join(folder, segmentName(name, number)));
  if (numbers.length > 0) await files.syncFolder(folder);
}

async function removeIfThere(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not found") throw error;
  }
}

/** The same removals with neighbours joined, so that the statement stays short. */
function mergeRemovals(removals: readonly Removal[]): Removal[] {
  const merged: Removal[] = [];
  for (const removal of [...removals].sort((a, b) => a.from - b.from)) {
    const previous = merged.at(-1);
    if (previous?.to === removal.from - 1) {
      merged[merged.length - 1] = { ...previous, to: removal.to, last: removal.last };
    } else merged.push(removal);
  }
  return merged;
}
