/**
 * The observation journal: the results of every poll and every exchange. They are in a segmented
 * journal, which is the truth. An index over it is derived. An observation is durable before it is
 * indexed, and indexed before anybody is told that it was taken in.
 *
 * @module
 */
import { OPEN_RESULTS } from "../evidence/result.ts";
import { join } from "@std/path/join";
import { utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { Turns } from "../world/turns.ts";
import { type Files, type World, WorldError } from "../world/world.ts";
import { type Entry, FIRST_LINK, type Link } from "../evidence/entry.ts";
import { EntryNotKnown } from "./journal.ts";
import { isRepair, nameOfRepair, parseRepair, type Repair } from "./repaired.ts";
import { cleanObservation, logIdOf, type Observation, parseObservation } from "./observation.ts";
import {
  type Counts,
  type FirstSeen,
  type Indexable,
  ObservationIndex,
  type OpenLoad,
  type OpenQuestion,
  type OpenWalk,
  type SeenNote,
  type SeenRoot,
} from "./observation_index.ts";
import { parseRemovals, type Removal } from "./removal.ts";
import { Repeats } from "./repeats.ts";
import { SettledQuestions } from "./settled.ts";
import {
  listSegments,
  readSegments,
  type Segment,
  SegmentedJournal,
  type SegmentItem,
} from "./segments.ts";
import { Spelling } from "./spelling.ts";

/** What the segments' names begin with. */
export const OBSERVATIONS_NAME = "observations";
/** Name of the index in the folder. */
export const INDEX_FILE = "index.sqlite";
/** Segments kept, the one being written among them. */
export const KEEP_SEGMENTS = 64;
/** Entries read into the index in one transaction. */
const INDEX_BATCH = 5_000;
/**
 * Most durable entries that wait while the database refuses. Beyond them nothing more is written.
 */
const MAX_UNINDEXED = 10_000;
/** Most notes that are read of one size of a log. Few sizes have more than two. */
const MAX_NOTES_PER_SIZE = 64;

/** Entries that were there, and are no more. */
export interface LostEntries {
  /** The last one that is known to have been there. */
  readonly known: Link;
  /** The last one that is there. */
  readonly last: Link;
  /** The repairs since then: they may have set the entries aside. */
  readonly repairs: readonly Repair[];
}

/** How far the index has read the journal. */
export interface IndexProgress {
  /** The last entry read. */
  readonly seq: number;
  /** The last entry there is. */
  readonly lastSeq: number;
}

/**
 * The observation journal of a folder and its index, open for writing by this process alone.
 *
 *     const journal = await ObservationJournal.open({ world, folder });
 *     await journal.observe(observation, now); // durable or counted as a repeat once this returns
 *     const view = journal.view(log);
 *     await journal.close(); // writes the counts; a kill loses them, and nothing else
 */
export class ObservationJournal {
  readonly #world: World;
  readonly #journal: SegmentedJournal;
  readonly #index: ObservationIndex;
  readonly #keepSegments: number;
  readonly #repeats = new Repeats();
  readonly #settled = new SettledQuestions();
  readonly #spelling = new Spelling();
  /** Durable entries that the database has refused so far. */
  #unindexed: Indexable[] = [];
  readonly #turns = new Turns();
  #backlog = 0;

  private constructor(
    options: { world: World; keepSegments: number },
    opened: { journal: SegmentedJournal; index: ObservationIndex },
  ) {
    this.#world = options.world;
    this.#keepSegments = options.keepSegments;
    this.#journal = opened.journal;
    this.#index = opened.index;
  }

  /**
   * Opens the observations of a folder and makes what is missing. It takes the lock, checks the
   * whole chain, and lets the index catch up. It rebuilds an index that is missing, damaged, or of
   * other entries.
   * @param onProgress called now and then while the index reads
   * @param onLost called if the index has read entries that the journal does not have; before the
   *   index forgets them
   * @param segmentBytes a segment of at least this length is not written to again
   * @param keepSegments how many of the newest segments stay whatever is in them, at least 1
   * @throws JournalLocked, JournalDamaged, WorldError
   */
  static async open(
    { world, folder, onProgress, onLost, segmentBytes, keepSegments = KEEP_SEGMENTS }: {
      world: World;
      folder: string;
      onProgress?: (progress: IndexProgress) => void;
      onLost?: (lost: LostEntries) => Promise<void>;
      segmentBytes?: number;
      keepSegments?: number;
    },
  ): Promise<ObservationJournal> {
    const place = { files: world.files, folder, name: OBSERVATIONS_NAME };
    const journal = await SegmentedJournal.open({
      ...place,
      ...(segmentBytes !== undefined && { segmentBytes }),
    });
    let index: ObservationIndex | undefined;
    try {
      // Only with the lock held: until then the index may be another process's.
      const path = join(folder, INDEX_FILE);
      index = ObservationIndex.open({ databases: world.databases, path });
      const lost = await lostEntries(index, journal);
      if (lost !== undefined) await onLost?.(lost);
      await catchUp({ index, journal, onProgress });
      index.noteRepairs(journal.repairs.map(nameOfRepair));
      return new ObservationJournal({ world, keepSegments }, { journal, index });
    } catch (error) {
      index?.close();
      await journal.close();
      throw error;
    }
  }

  /**
   * Checks that the journal is still where it was opened.
   * @throws PlaceLost if it is not, WorldError if it cannot be told
   */
  expectInPlace(): Promise<void> {
    return this.#journal.expectInPlace();
  }

  /** The last entry of the incident journal, as it was noted here last; nothing if it never was. */
  get incidentsSeen(): Link | undefined {
    return this.#index.incidentsSeen;
  }

  /** Whether a repair of the incident journal was made since that entry was noted. */
  isNewRepair(repair: Repair): boolean {
    return !this.#index.repairsSeen.has(nameOfRepair(repair));
  }

  /**
   * Notes in the index what the last entry of the incident journal is, and its repairs.
   * @throws WorldError if the database refuses
   */
  noteIncidents({ last, repairs }: { last: Link; repairs: readonly Repair[] }): void {
    this.#index.noteIncidents(last, repairs.map(nameOfRepair));
  }

  /** Where a torn last line was set aside when the journal was opened, if there was one. */
  get tornFile(): string | undefined {
    return this.#journal.tornFile;
  }

  /** What the next entry will follow. */
  get last(): Link {
    return this.#journal.last;
  }

  /** When the last entry before this start was written: RFC 3339, UTC; nothing if there was none. */
  get endedAt(): string | undefined {
    return this.#journal.endedAt;
  }

  /** The latest time that an entry before this start names, whatever the clock was set to since. */
  get latestAt(): string | undefined {
    return this.#journal.latestAt;
  }

  /**
   * Writes an observation. Returns its entry once it is durable. If the database refuses it, it is
   * indexed later, before any question is answered.
   * @param at RFC 3339, UTC
   * @throws MalformedError if the observation's form is wrong; WorldError if the disk refuses, and
   *   then nothing was written
   */
  append(observation: Observation, at: string): Promise<Entry> {
    const clean = cleanObservation(observation);
    return this.#next(() => this.#write(clean, at));
  }

  /**
   * How many calls of `append` and `observe` have not ended. Each of them holds its observation,
   * with the note, until the disk has it. Only the caller can bound how many there are. So a caller
   * must drop what strangers cause while too many wait.
   */
  get backlog(): number {
    return this.#backlog;
  }

  async #next<T>(work: () => Promise<T>): Promise<T> {
    this.#backlog++;
    try {
      return await this.#turns.next(work);
    } finally {
      this.#backlog--;
    }
  }

  /**
   * Writes an observation, with two exceptions:
   *
   * - If it only repeats what is known, it is counted. `flushRepeats` writes how often.
   * - If it says that an open question is consistent, the question is settled at once. The first of
   *   an interval has its own entry. The others are written together, when a log has many, or by
   *   `flushRepeats`.
   *
   * @param at RFC 3339, UTC
   * @returns the entry, or nothing if none was written for it alone
   * @throws as `append`
   */
  observe(observation: Observation, at: string): Promise<Entry | undefined> {
    const clean = cleanObservation(observation);
    return this.#next(async () => {
      if (this.#isRepeat(clean)) this.#repeats.count(clean);
      else if (SettledQuestions.canTake(clean) && this.#isOpen(clean)) {
        return await this.#settle(clean, at);
      } else return await this.#write(clean, at);
      return undefined;
    });
  }

  /** Takes a question as settled. Writes an entry if it is the first of an interval. */
  async #settle(observation: Observation, at: string): Promise<Entry | undefined> {
    if (!this.#settled.isFirst(observation)) return await this.#settleLater(observation, at);
    const entry = await this.#write(observation, at);
    this.#settled.begin(observation);
    return entry;
  }

  async #settleLater(observation: Observation, at: string): Promise<undefined> {
    const id = logIdOf(observation);
    const { size, root } = observation.checkpoint!;
    const note = this.#upToDate().note(id, { treeSize: BigInt(size), root })!;
    const isDue = this.#settled.add(observation, { noteBytes: utf8(note).length });
    if (isDue) await this.#writeSettled(id, at);
  }

  async #writeSettled(logId: string, at: string): Promise<void> {
    const summary = this.#settled.summary(logId);
    if (summary === undefined) return;
    await this.#writeNow(summary, at);
    this.#settled.written(logId);
  }

  /**
   * Whether this was seen before and changes nothing. An open question must stay open, and a
   * settled one settled.
   */
  #isRepeat(observation: Observation): boolean {
    if (!this.#repeats.has(observation)) return false;
    const { checkpoint, result } = observation;
    return checkpoint === undefined || this.#isOpen(observation) === OPEN_RESULTS.includes(result);
  }

  /** Whether the checkpoint of an observation is an open question. */
  #isOpen(observation: Observation): boolean {
    const { checkpoint } = observation;
    const id = logIdOf(observation);
    return checkpoint !== undefined && this.#upToDate().isPending(id, checkpoint) &&
      !this.#settled.has(id, checkpoint);
  }

  /**
   * Writes an observation. If its checkpoint was settled and the entry is not written yet, that
   * entry goes first.
   */
  async #write(observation: Observation, at: string): Promise<Entry> {
    const { checkpoint } = observation;
    const id = logIdOf(observation);
    if (checkpoint && this.#settled.has(id, checkpoint)) await this.#writeSettled(id, at);
    return await this.#writeNow(observation, at);
  }

  async #writeNow(observation: Observation, at: string): Promise<Entry> {
    const record = parseObservation({ ...observation });
    if (this.#unindexed.length >= MAX_UNINDEXED) this.#upToDate();
    let segment = 0;
    const entry = await this.#journal.append((number) => {
      segment = number;
      return this.#spelling.shorten(record, number);
    }, at);
    this.#spelling.learn(record, segment);
    this.#indexLater({ entry, record });
    if (record.repeats === undefined) this.#repeats.learn(record);
    return entry;
  }

  /**
   * Indexes a durable entry. If the database refuses, it is asked again later; the entry itself is
   * safe.
   */
  #indexLater(item: Indexable): void {
    this.#unindexed.push(item);
    try {
      this.#upToDate();
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
    }
  }

  /** The index with every entry in it. @throws WorldError if the database refuses one */
  #upToDate(): ObservationIndex {
    if (this.#unindexed.length > 0) {
      this.#index.add(this.#unindexed);
      this.#unindexed = [];
    }
    return this.#index;
  }

  /**
   * Writes what was repeated since the last call, in one summary for each log, via and result, and
   * what was settled. Call it at regular intervals.
   * @param at RFC 3339, UTC
   * @throws WorldError if the disk refuses. The counts that were not written are kept
   */
  flushRepeats(at: string): Promise<void> {
    return this.#turns.next(async () => {
      for (const logId of this.#settled.logIds()) await this.#writeSettled(logId, at);
      this.#settled.flushed();
      this.#repeats.forgetQuiet();
      for (const summary of this.#repeats.summaries()) {
        await this.#write(summary, at);
        this.#repeats.settle(summary);
      }
    });
  }

  /**
   * Removes old segments, if there are too many, except those that a view, an open question or an
   * inconsistency rests on. Call it at regular intervals.
   * @param at RFC 3339, UTC
   * @returns how many were removed
   * @throws WorldError if the disk or the database refuses; a later call continues
   */
  removeOld(at: string): Promise<number> {
    return this.#turns.next(async () => {
      const chosen = this.#unneeded();
      if (chosen.length > 0) {
        const entry = await this.#journal.stateRemoval(chosen, at);
        this.#indexLater({ entry, record: { removals: parseRemovals(entry.record) } });
      }
      return await this.#journal.removeStated();
    });
  }

  #unneeded(): Segment[] {
    const { closed } = this.#journal;
    const old = closed.slice(0, Math.max(0, closed.length + 1 - this.#keepSegments));
    if (old.length === 0) return [];
    const needed = this.#upToDate().needed();
    return old.filter(({ before, last }) =>
      !needed.some((seq) => before.seq < seq && seq <= last.seq)
    );
  }

  /** The notes seen of a log at a size, as they were seen, at most MAX_NOTES_PER_SIZE. */
  notesAt(log: Pick<Log, "id">, treeSize: bigint): SeenNote[] {
    return this.#upToDate().notesAt(log.id, treeSize, MAX_NOTES_PER_SIZE);
  }

  /** The largest sizes seen of a log, at most so many, the smallest of them first. */
  latestSizes(log: Pick<Log, "id">, limit: number): bigint[] {
    return this.#upToDate().latestSizes(log.id, limit);
  }

  /**
   * The checkpoints that entries after this one were the first to show, and up to which entry that is
   * all. It may be one before `last`, which the index does not have yet. Its hash is empty if there may
   * be more.
   * @param limit of entries with a checkpoint
   * @throws WorldError, as all queries
   */
  seenAfter(seq: number, limit: number): { seen: FirstSeen[]; upTo: Link } {
    return this.#upToDate().seenAfter(seq, limit);
  }

  /**
   * The first roots seen of a log at a size, by first sighting.
   * @throws WorldError, as all queries
   */
  rootsAt(log: Pick<Log, "id">, treeSize: bigint): SeenRoot[] {
    return this.#upToDate().rootsAt(log.id, treeSize);
  }

  /**
   * Whether a checkpoint that was seen is an open question, or was left out because there was no
   * room.
   */
  isUnsettled(
    log: Pick<Log, "id">,
    { treeSize, root }: { treeSize: bigint; root: string },
  ): boolean {
    const head = { size: `${treeSize}`, root };
    return !this.#settled.has(log.id, head) && this.#upToDate().isUnsettled(log.id, head);
  }

  /** Whether a checkpoint was found to agree with the view, and nothing else was found since. */
  agrees(
    log: Pick<Log, "id">,
    { treeSize, root }: { treeSize: bigint; root: string },
  ): boolean {
    const head = { size: `${treeSize}`, root };
    return this.#settled.has(log.id, head) || this.#upToDate().agrees(log.id, head);
  }

  /** The view: the largest checkpoint that was proven to extend all before it. */
  view(log: Pick<Log, "id">): SeenRoot | undefined {
    return this.#upToDate().view(log.id);
  }

  /** Who showed what made the view. `view` names who told that checkpoint first, proven or not. */
  viewShownBy(log: Pick<Log, "id">): string | undefined {
    return this.#upToDate().viewShownBy(log.id);
  }

  /** The ids of all logs of which there is a view, those included that are not followed any more. */
  viewedLogs(): string[] {
    return this.#upToDate().viewedLogs();
  }

  /**
   * The open questions: checkpoints that were heard or shown and not settled since, by size. One
   * that is not above the view can be settled at once, if the log gives the proof. This gives all
   * of them with their notes. If a log leaves much open, use `openQuestions`, which gives a part
   * without notes.
   */
  pending(log: Pick<Log, "id">): SeenRoot[] {
    return this.#stillOpen(log, this.#upToDate().pending(log.id));
  }

  /**
   * Walks the open questions: at most `limit` of them, without their notes. So neither their number
   * nor their contents take much memory. To go on, give the last question of the call before as
   * `after`.
   *
   *     let after: OpenQuestion | undefined;
   *     do {
   *       const part = journal.openQuestions(log, { limit: 100, after });
   *       for (const question of part) use(question);
   *       after = part.at(-1);
   *     } while (after !== undefined);
   */
  openQuestions(log: Pick<Log, "id">, walk: OpenWalk): OpenQuestion[] {
    const { limit } = walk;
    const unwritten = this.#settled.load(log.id).questions;
    const open = this.#upToDate().openQuestions(log.id, { ...walk, limit: limit + unwritten });
    return this.#stillOpen(log, open).slice(0, limit);
  }

  #stillOpen<T extends OpenQuestion>({ id }: Pick<Log, "id">, questions: T[]): T[] {
    return questions.filter(({ treeSize, root }) =>
      !this.#settled.has(id, { size: `${treeSize}`, root })
    );
  }

  /**
   * How many questions are open, and how many bytes their notes have. Both are stored, so this is
   * cheap.
   */
  openLoad(log: Pick<Log, "id">): OpenLoad {
    const { questions, noteBytes } = this.#upToDate().openLoad(log.id);
    const settled = this.#settled.load(log.id);
    return {
      questions: questions - settled.questions,
      noteBytes: noteBytes - settled.noteBytes,
    };
  }

  /** The whole signed note of a checkpoint that was seen. */
  note(
    log: Pick<Log, "id">,
    checkpoint: Pick<OpenQuestion, "treeSize" | "root">,
  ): string | undefined {
    return this.#upToDate().note(log.id, checkpoint);
  }

  /** Sizes at which several roots of a log were seen. Each of them is a case. */
  contradictedSizes(log: Pick<Log, "id">): bigint[] {
    return this.#upToDate().contradictedSizes(log.id);
  }

  /** Checkpoints of a log that were found inconsistent, without their notes. */
  accused(log: Pick<Log, "id">): OpenQuestion[] {
    return this.#upToDate().accused(log.id);
  }

  /** How often each result was seen of a log, in the written segments that are kept. */
  counts(log: Pick<Log, "id">): Counts {
    return this.#upToDate().counts(log.id);
  }

  /**
   * Writes what was counted. Then it closes the files and frees the lock, whether or not the
   * writing succeeded.
   */
  async close(): Promise<void> {
    try {
      await this.flushRepeats(this.#world.clock.now().toISOString());
    } finally {
      this.#index.close();
      await this.#journal.close();
    }
  }
}

/**
 * Lets the index read the entries that it has not read. If it has read entries that are not in the
 * journal, it begins anew.
 */
async function catchUp(
  { index, journal, onProgress }: {
    index: ObservationIndex;
    journal: SegmentedJournal;
    onProgress: ((progress: IndexProgress) => void) | undefined;
  },
): Promise<void> {
  const { last } = journal;
  if (await placeOf(index.position, journal) !== "there") index.clear();
  const start = index.position.seq;
  if (start === last.seq) return;
  let batch: Indexable[] = [];
  const spelling = new Spelling();
  const addBatch = (): void => {
    index.add(batch);
    batch = [];
    onProgress?.({ seq: index.position.seq, lastSeq: last.seq });
  };
  for await (const item of journal.readFrom(start + 1)) {
    // Earlier entries of the segment define names that later ones use.
    const record = recordOf(item, spelling);
    if (item.entry.seq <= start) continue;
    batch.push({ entry: item.entry, record });
    if (batch.length === INDEX_BATCH) addBatch();
  }
  if (batch.length > 0) addBatch();
}

/**
 * Whether an entry is in the journal. `removed`: the journal begins after it, or goes on beyond it, as
 * it does when old segments are removed.
 */
async function placeOf(
  { seq, hash }: Link,
  journal: SegmentedJournal,
): Promise<"there" | "removed" | "lost"> {
  if (seq === FIRST_LINK.seq) return "there";
  if (seq > journal.last.seq) return "lost";
  for await (const { entry } of journal.readFrom(seq)) {
    if (entry.seq < seq) continue;
    if (entry.seq > seq) return "removed";
    return entry.hash === hash ? "there" : "lost";
  }
  // The journal has no entry; what it follows on is its last.
  return hash === journal.last.hash ? "there" : "lost";
}

/** What the index has read and the journal does not have. */
async function lostEntries(
  { position, repairsSeen }: ObservationIndex,
  journal: SegmentedJournal,
): Promise<LostEntries | undefined> {
  const { last } = journal;
  if (await placeOf(position, journal) !== "lost") return undefined;
  const repairs = journal.repairs.filter((repair) => !repairsSeen.has(nameOfRepair(repair)));
  return { known: position, last, repairs };
}

function recordOf(
  { entry, path, line }: SegmentItem & { entry: Entry },
  spelling: Spelling,
): Indexable["record"] {
  try {
    if ("removed" in entry.record) return { removals: parseRemovals(entry.record) };
    // A repair is no observation. What was removed before it is not in the index.
    if (isRepair(entry.record)) return { removals: [] };
    return spelling.read(entry.record, path);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const what = `line ${line.number} holds no observation: ${error.message}`;
    throw new EntryNotKnown(path, what, line);
  }
}

/** An entry of the observation journal and where it is; or what a crash left of the last line. */
export type ObservationItem =
  & { readonly path: string; readonly lineNumber: number }
  & (
    | { readonly entry: Entry; readonly observation: Observation }
    /** segments were removed; this lists all that were removed so far */
    | { readonly entry: Entry; readonly removals: readonly Removal[] }
    /** a part of the journal was damaged, and set aside */
    | { readonly entry: Entry; readonly repair: Repair }
    | { readonly torn: true }
  );

/** Whether there is an observation journal in a folder, with or without entries. */
export async function hasObservations(files: Files, folder: string): Promise<boolean> {
  return (await listSegments({ files, folder, name: OBSERVATIONS_NAME })).length > 0;
}

/**
 * Reads the observations of a folder and checks their chain, without locking or changing anything.
 * A folder that does not exist has none.
 * @throws JournalDamaged naming file and line, WorldError
 */
export async function* checkObservations(
  { files, folder }: { files: Files; folder: string },
): AsyncGenerator<ObservationItem, void> {
  const spelling = new Spelling();
  for await (const item of readSegments({ files, folder, name: OBSERVATIONS_NAME })) {
    const at = { path: item.path, lineNumber: item.line.number };
    if ("torn" in item) {
      yield { ...at, torn: true };
      continue;
    }
    if (isRepair(item.entry.record)) {
      yield { ...at, entry: item.entry, repair: parseRepair(item.entry) };
      continue;
    }
    const record = recordOf(item, spelling);
    if ("removals" in record) yield { ...at, entry: item.entry, removals: record.removals };
    else yield { ...at, entry: item.entry, observation: record };
  }
}
