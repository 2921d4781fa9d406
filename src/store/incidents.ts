import { join } from "@std/path/join";
import type { JsonObject } from "../evidence/json.ts";
import {
  type CaseName,
  type ConflictRecord,
  parseRecord,
  type RecordedHead,
} from "../evidence/record.ts";
import {
  isTransition,
  parseTransition,
  signedTransition,
  type Transition,
} from "../evidence/transition.ts";
import { type Judgement, Opinions, verifyConflict } from "../evidence/verify.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { isThere } from "../world/durable.ts";
import type { Line } from "../world/reading.ts";
import { Turns } from "../world/turns.ts";
import { type Files, WorldError } from "../world/world.ts";
import type { Entry, Link } from "../evidence/entry.ts";
import {
  EntryNotKnown,
  Journal,
  JOURNAL_FILE,
  JournalDamaged,
  type JournalItem,
  readEntries,
} from "./journal.ts";
import { isRepair, parseRepair, type Repair } from "./repaired.ts";

/** Ends an entry's line. */
const NEWLINE_BYTES = 1;

/** What became of a record that was to be written. */
export type Recorded =
  /** it is in the journal, durably */
  | { readonly outcome: "recorded"; readonly entry: Entry }
  /** the journal has this case already, as this entry (seq) */
  | { readonly outcome: "known"; readonly seq: number }
  /** it does not hold, and was not written */
  | { readonly outcome: "does not hold"; readonly judgement: Judgement };

/** A case that is in the journal, by its names. */
export interface NamedRecord extends Pick<ConflictRecord, "evidence_id" | "kind" | "log"> {
  /** Its entry. */
  readonly seq: number;
  /** When that was written, RFC 3339. */
  readonly recordedAt: string;
}

/** A step of an incident, and the entry (seq) that states it. */
export interface WrittenTransition {
  readonly seq: number;
  readonly transition: Transition;
}

/** Where an entry is in the file: see Journal.read. */
interface Place {
  readonly at: number;
  readonly length: number;
}

/**
 * The incident journal, open for writing: conflict records that held when they were written. In
 * memory it keeps which cases they are and where they stand in the file. It reads a record when it
 * is asked for.
 *
 *     const incidents = await IncidentJournal.open({ files, folder });
 *     const { outcome } = await incidents.record(signed, now); // durable once this returns
 *     await incidents.close();
 *
 * "known" and "refused" are outcomes and not errors: nothing was written.
 */
export class IncidentJournal {
  readonly #journal: Journal;
  readonly #cases: Cases;
  readonly #folder: string;
  /** By seq, the entries that hold, in order. */
  readonly #places: Map<number, Place>;
  /** Of the same entries, in order. */
  readonly #named: NamedRecord[];
  readonly #transitions: WrittenTransition[];
  // Records are written one at a time. Otherwise one case heard twice at once could be written
  // twice.
  readonly #turns = new Turns();

  /** Entries (seq) that do not hold. Whoever wrote them, they prove nothing and are not used. */
  readonly unsound: readonly number[];
  /** All repairs that the journal had when it was opened. */
  readonly repairs: readonly Repair[];
  /** By name, the monitors whose records it had when it was opened, and when each found its last case. */
  readonly detectors: ReadonlyMap<string, string>;

  private constructor(fields: {
    journal: Journal;
    cases: Cases;
    folder: string;
    places: Map<number, Place>;
    named: NamedRecord[];
    transitions: WrittenTransition[];
    unsound: readonly number[];
    repairs: readonly Repair[];
    detectors: ReadonlyMap<string, string>;
  }) {
    this.#journal = fields.journal;
    this.#cases = fields.cases;
    this.#folder = fields.folder;
    this.#places = fields.places;
    this.#named = fields.named;
    this.#transitions = fields.transitions;
    this.unsound = fields.unsound;
    this.repairs = fields.repairs;
    this.detectors = fields.detectors;
  }

  /**
   * Opens the journal of a folder; see Journal.open. It judges every record in it again.
   * @throws JournalLocked, JournalDamaged, WorldError
   */
  static async open({ files, folder }: { files: Files; folder: string }): Promise<IncidentJournal> {
    const cases = new Cases();
    const unsound: number[] = [];
    const places = new Map<number, Place>();
    const named: NamedRecord[] = [];
    const transitions: WrittenTransition[] = [];
    const opinions = new Opinions();
    const repairs: Repair[] = [];
    const detectors = new Map<string, string>();
    const onEntry = (entry: Entry, { at, bytes: { length } }: Line): void => {
      if (isRepair(entry.record)) return void repairs.push(repairOf(entry, folder));
      if (isTransition(entry.record)) {
        const transition = transitionOf(entry, folder);
        return void transitions.push({ seq: entry.seq, transition });
      }
      const record = recordOf(entry, folder);
      const { outcome } = verifyConflict({ input: entry.record, opinions });
      if (outcome === "holds") {
        cases.add(record, entry.seq);
        places.set(entry.seq, { at, length });
        named.push(nameOf(record, entry));
        if (record.detector_id !== null) detectors.set(record.detector_id, record.detected_at);
      } else unsound.push(entry.seq);
    };
    const journal = await Journal.open({ files, folder, onEntry });
    return new IncidentJournal({
      ...{ journal, cases, folder, places, named, transitions, unsound, repairs, detectors },
    });
  }

  /** Where a torn last line was set aside when the journal was opened, if there was one. */
  get tornFile(): string | undefined {
    return this.#journal.tornFile;
  }

  /**
   * Writes a conflict record, unless the case is known. Returns once the record is durable. It
   * judges the record first, so nothing that a stranger would refuse gets into the journal.
   * @param recordedAt RFC 3339, UTC
   * @throws WorldError if the disk refuses
   */
  record(record: ConflictRecord, recordedAt: string): Promise<Recorded> {
    return this.#turns.next(() => this.#recordNext(record, recordedAt));
  }

  async #recordNext(record: ConflictRecord, recordedAt: string): Promise<Recorded> {
    // This comes before the judgement. At a start every case of the journal is offered once more. A
    // known case convicts nobody again, so it does not matter whether this record of it holds.
    const known = this.#cases.find(record);
    if (known !== undefined) return { outcome: "known", seq: known };
    const judgement = verifyConflict({ input: record as unknown as JsonObject });
    if (judgement.outcome !== "holds" || !judgement.signed) {
      return { outcome: "does not hold", judgement };
    }
    const at = this.#journal.end;
    const entry = await this.#journal.append(record as unknown as JsonObject, recordedAt);
    this.#cases.add(record, entry.seq);
    this.#places.set(entry.seq, { at, length: this.#journal.end - at - NEWLINE_BYTES });
    this.#named.push(nameOf(record, entry));
    return { outcome: "recorded", entry };
  }

  /** Bytes of its file. All of them are durable, and whole lines. */
  get end(): number {
    return this.#journal.end;
  }

  /**
   * Writes a step of an incident, and returns its entry once it is durable. Whether the step may be
   * made now is for the runbook.
   * @param signature of the monitor that the step names, over `transitionBytes`
   * @param recordedAt RFC 3339, UTC
   * @throws MalformedError if its form or signature is wrong; WorldError if the disk refuses
   */
  step(
    { transition, signature }: { transition: Transition; signature: Uint8Array },
    recordedAt: string,
  ): Promise<Entry> {
    return this.#turns.next(async () => {
      const record = signedTransition(transition, signature);
      parseTransition(record);
      const entry = await this.#journal.append(record, recordedAt);
      this.#transitions.push({ seq: entry.seq, transition });
      return entry;
    });
  }

  /** The steps of incidents, in order. */
  get transitions(): readonly WrittenTransition[] {
    return this.#transitions;
  }

  /** The cases whose records hold, in order. */
  get named(): readonly NamedRecord[] {
    return this.#named;
  }

  /** The last entry. */
  get last(): Link {
    return this.#journal.last;
  }

  /**
   * The entry with this number as it is in the file; nothing if there is none.
   * @throws WorldError
   */
  async hashOf(seq: number): Promise<string | undefined> {
    if (seq === this.last.seq) return this.last.hash;
    return seq < this.last.seq ? await this.#journal.hashOf(seq) : undefined;
  }

  /** See Journal. */
  expectInPlace(): Promise<void> {
    return this.#journal.expectInPlace();
  }

  /** The entry (seq) that has a case, if the journal has it. */
  find(name: CaseName): number | undefined {
    return this.#cases.find(name);
  }

  /**
   * The record of an entry that holds.
   * @throws WorldError if it cannot be read
   */
  async read(seq: number): Promise<ConflictRecord> {
    const place = this.#places.get(seq);
    if (place === undefined) throw new RangeError(`there is no entry ${seq}, or it does not hold`);
    return recordOf(await this.#journal.read(place), this.#folder);
  }

  /** How many entries hold. */
  get count(): number {
    return this.#places.size;
  }

  /** The entries (seq) after this one that hold, in their order, at most so many. */
  after(seq: number, most: number): readonly number[] {
    const found: number[] = [];
    for (const each of this.#places.keys()) {
      if (found.length >= most) break;
      if (each > seq) found.push(each);
    }
    return found;
  }

  /** Whether this entry (seq) holds. */
  has(seq: number): boolean {
    return this.#places.has(seq);
  }

  /** The newest entries (seq) that hold, in their order. */
  newest(count: number): readonly number[] {
    return [...this.#places.keys()].slice(-count);
  }

  /**
   * Every record in the journal that holds, one in memory at a time. A monitor that starts learns
   * from it what was known before.
   * @throws WorldError if one cannot be read
   */
  async *records(): AsyncGenerator<{ seq: number; record: ConflictRecord }, void> {
    for (const seq of [...this.#places.keys()]) yield { seq, record: await this.read(seq) };
  }

  /** Waits for what is being written, then lets go of the file and the lock. */
  async close(): Promise<void> {
    await this.#turns.done();
    await this.#journal.close();
  }
}

/**
 * Which contradicted roots have their record (RULES R6).
 *
 * - A `same_size` record, and one of a cosigner, joins two roots of one size. A further record is a known case if its two
 *   roots are joined already, through whichever records. So k roots have k - 1 records.
 * - A `cross_size` record convicts the older root. That root has one record.
 */
export class Cases {
  /** By root: the entry that convicts it first. */
  readonly #entries = new Map<string, number>();
  /** By root of a `same_size` record: the next root on the way to the head of its group. */
  readonly #joined = new Map<string, string>();

  add(record: CaseName, seq: number): void {
    const [root, other] = convictedRoots(record);
    for (const each of [root, other ?? root]) {
      if (!this.#entries.has(each)) this.#entries.set(each, seq);
    }
    if (other !== undefined) {
      const [head, joining] = [this.#headOf(root), this.#headOf(other)];
      if (head !== joining) this.#joined.set(joining, head);
    }
  }

  find(record: CaseName): number | undefined {
    const [root, other] = convictedRoots(record);
    const isKnown = other === undefined || this.#headOf(root) === this.#headOf(other);
    return isKnown ? this.#entries.get(other ?? root) : undefined;
  }

  /** The head of a root's group. Every root passed on the way then points to the head directly. */
  #headOf(root: string): string {
    const passed: string[] = [];
    let head = root;
    for (let next; (next = this.#joined.get(head)) !== undefined;) {
      passed.push(head);
      head = next;
    }
    for (const each of passed) this.#joined.set(each, head);
    return head;
  }
}

/** The roots that a record convicts: both of one size, or the older of two sizes. */
function convictedRoots(
  { kind, log, checkpoint_a, checkpoint_b }: CaseName,
): [root: string, other?: string] {
  // Type and key as the vkey spells them, without the key's name, as in `Log.id`. Only the form is
  // read here, because reading a key takes longer than all else. The judgement checks the key.
  const key = log.vkey.split("+").slice(2).join("+");
  // If the key does not sign the origin, a case has one entry, whatever origin it is told under.
  const origin = isTreeHeadKey(key) ? "" : log.origin;
  const name = ({ size, root }: RecordedHead): string => `${kind} ${size} ${root} ${key} ${origin}`;
  if (kind !== "cross_size") return [name(checkpoint_a), name(checkpoint_b)];
  return [name(isBelow(checkpoint_a.size, checkpoint_b.size) ? checkpoint_a : checkpoint_b)];
}

/** Whether a key, as vkeys spell it, is of type 0x05: base64 of that first byte begins so. */
function isTreeHeadKey(key: string): boolean {
  return /^B[Q-Za-f]/.test(key);
}

/** Compares decimals without leading zeros, as a judged record's sizes are. */
function isBelow(one: string, other: string): boolean {
  return one.length === other.length ? one < other : one.length < other.length;
}

/** Whether the record of an entry is one of a conflict, and no statement about the journal or a case. */
export function isCase(record: JsonObject): boolean {
  return !isRepair(record) && !isTransition(record);
}

/** Whether there is an incident journal in a folder, with or without entries. */
export async function hasIncidents(files: Files, folder: string): Promise<boolean> {
  return await isThere(files, join(folder, JOURNAL_FILE));
}

/**
 * Reads the incident journal of a folder without locking or changing it. A folder or journal that
 * does not exist has no entries.
 * @throws JournalDamaged, WorldError
 */
export async function* readIncidents(
  { files, folder }: { files: Files; folder: string },
): AsyncGenerator<JournalItem, void> {
  const path = join(folder, JOURNAL_FILE);
  let file;
  try {
    file = await files.open(path, "read");
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return;
    throw error;
  }
  try {
    yield* readEntries(file, path);
  } finally {
    file.close();
  }
}

/**
 * The conflict record of a journal entry. It checks the form, and does not judge the evidence.
 * @param folder for the message
 * @throws EntryNotKnown if the entry holds something else
 */
export function recordOf({ seq, record }: Entry, folder: string): ConflictRecord {
  try {
    return parseRecord(record);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const path = join(folder, JOURNAL_FILE);
    throw new EntryNotKnown(path, `line ${seq} holds no conflict record: ${error.message}`);
  }
}

/**
 * The step of an incident that a journal entry states.
 * @param folder for the message
 * @throws JournalDamaged if it does not hold
 */
export function transitionOf({ seq, record }: Entry, folder: string): Transition {
  try {
    return parseTransition(record);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const path = join(folder, JOURNAL_FILE);
    throw new JournalDamaged(path, `line ${seq} states no sound transition: ${error.message}`);
  }
}

function nameOf(
  { evidence_id, kind, log }: ConflictRecord,
  { seq, recorded_at: recordedAt }: Entry,
): NamedRecord {
  return { seq, recordedAt, evidence_id, kind, log };
}

/**
 * The repair that a journal entry states.
 * @param folder for the message
 * @throws JournalDamaged if it does not hold
 */
export function repairOf(entry: Entry, folder: string): Repair {
  try {
    return parseRepair(entry);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const path = join(folder, JOURNAL_FILE);
    throw new JournalDamaged(path, `line ${entry.seq} states no sound repair: ${error.message}`);
  }
}
