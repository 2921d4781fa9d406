import { join } from "@std/path/join";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, parseRecord } from "../evidence/record.ts";
import { type Judgement, verifyConflict } from "../evidence/verify.ts";
import { parseLog } from "../tlog/log.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { type Files, WorldError } from "../world/world.ts";
import {
  type Entry,
  Journal,
  JOURNAL_FILE,
  JournalDamaged,
  type JournalItem,
  readEntries,
} from "./journal.ts";
import { Turns } from "./turns.ts";

/** What became of a record that was to be written. */
export type Recorded =
  /** it is in the journal, durably */
  | { readonly outcome: "recorded"; readonly entry: Entry }
  /** the journal has this case already, as this entry (seq) */
  | { readonly outcome: "known"; readonly seq: number }
  /** it does not hold, and was not written */
  | { readonly outcome: "refused"; readonly judgement: Judgement };

/** The incident journal open for writing: conflict records that held when they were written. */
export class IncidentLog {
  readonly #journal: Journal;
  readonly #cases: Cases;
  // One at a time, so that one case heard twice at once is not written twice.
  readonly #turns = new Turns();

  private constructor(journal: Journal, cases: Cases) {
    this.#journal = journal;
    this.#cases = cases;
  }

  /**
   * Opens the journal of a folder; see Journal.open.
   * @throws JournalLocked, JournalDamaged, WorldError
   */
  static async open({ files, folder }: { files: Files; folder: string }): Promise<IncidentLog> {
    const cases = new Cases();
    const onEntry = (entry: Entry): void => cases.add(recordOf(entry, folder), entry.seq);
    return new IncidentLog(await Journal.open({ files, folder, onEntry }), cases);
  }

  /** Where a torn last line was set aside when the journal was opened, if there was one. */
  get tornFile(): string | undefined {
    return this.#journal.tornFile;
  }

  /**
   * Writes a conflict record, unless the case is known; returns once it is durable.
   * The record is judged first: nothing that a stranger would refuse gets into the journal.
   * @param recordedAt RFC 3339, UTC
   * @throws WorldError if the disk refuses
   */
  record(record: ConflictRecord, recordedAt: string): Promise<Recorded> {
    return this.#turns.next(() => this.#recordNext(record, recordedAt));
  }

  async #recordNext(record: ConflictRecord, recordedAt: string): Promise<Recorded> {
    const judgement = verifyConflict({ input: record as unknown as JsonObject });
    if (judgement.outcome !== "holds" || !judgement.signed) {
      return { outcome: "refused", judgement };
    }
    const seq = this.#cases.find(record);
    if (seq !== undefined) return { outcome: "known", seq };
    const entry = await this.#journal.append(record as unknown as JsonObject, recordedAt);
    this.#cases.add(record, entry.seq);
    return { outcome: "recorded", entry };
  }

  /** The case a record is about, if the journal has it: its entry's seq. */
  find(record: ConflictRecord): number | undefined {
    return this.#cases.find(record);
  }

  /** Every record in the journal, for a monitor that starts to know what was known. */
  records(): readonly ConflictRecord[] {
    return this.#cases.records;
  }

  /** Waits for what is being written, then lets go of the file and the lock. */
  async close(): Promise<void> {
    await this.#turns.done();
    await this.#journal.close();
  }
}

/**
 * Which contradicted roots have their record (DESIGN, rule 6): of a `same_size` case, both roots;
 * of a `cross_size` case, the older one. A record that convicts no further root is a known case,
 * whichever checkpoints it pairs.
 */
class Cases {
  readonly #roots = new Map<string, number>();
  readonly records: ConflictRecord[] = [];

  add(record: ConflictRecord, seq: number): void {
    for (const root of convictedRoots(record)) {
      if (!this.#roots.has(root)) this.#roots.set(root, seq);
    }
    this.records.push(record);
  }

  find(record: ConflictRecord): number | undefined {
    const entries = convictedRoots(record).map((root) => this.#roots.get(root));
    const [first = 0, ...rest] = entries;
    if (entries.includes(undefined)) return undefined;
    return Math.max(first, ...rest as number[]);
  }
}

function convictedRoots({ kind, log, checkpoint_a, checkpoint_b }: ConflictRecord): string[] {
  const { id } = parseLog(`${log.vkey} ${log.origin}`);
  const isOlderA = parseTreeSize(checkpoint_a.size) < parseTreeSize(checkpoint_b.size);
  const convicted = kind === "same_size"
    ? [checkpoint_a, checkpoint_b]
    : [isOlderA ? checkpoint_a : checkpoint_b];
  return convicted.map(({ size, root }) => `${kind} ${size} ${root} ${id}`);
}

/**
 * Reads the incident journal of a folder without locking or changing it; a folder or journal that
 * is not there has no entries.
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
 * The conflict record of a journal entry. Its form is read, its evidence is not judged.
 * @param folder for the message
 * @throws JournalDamaged if the entry holds something else
 */
export function recordOf({ seq, record }: Entry, folder: string): ConflictRecord {
  try {
    return parseRecord(record);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new JournalDamaged(
      `${join(folder, JOURNAL_FILE)} line ${seq} holds no conflict record: ${error.message}`,
    );
  }
}
