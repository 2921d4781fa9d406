import type { ConflictRecord } from "../evidence/record.ts";
import type { IncidentJournal } from "../store/incidents.ts";

/** A case in the incident journal. */
export interface ReadCase {
  readonly seq: number;
  readonly record: ConflictRecord;
}

/** Reads the cases of a running daemon, for whoever looks at them. */
export class CaseReader {
  readonly #incidents: IncidentJournal;
  /** Where the journal is, for commands that read it. */
  readonly folder: string;

  constructor({ incidents, folder }: { incidents: IncidentJournal; folder: string }) {
    this.#incidents = incidents;
    this.folder = folder;
  }

  /**
   * The newest cases, newest first. They held when they were written, or when the daemon started.
   * @throws WorldError if one cannot be read
   */
  async newest(count: number): Promise<readonly ReadCase[]> {
    const seqs = [...this.#incidents.newest(count)].reverse();
    const cases: ReadCase[] = [];
    for (const seq of seqs) cases.push({ seq, record: await this.#incidents.read(seq) });
    return cases;
  }

  /**
   * The case of an entry; nothing if there is no such entry, or if it does not hold.
   * @throws WorldError if it cannot be read
   */
  async read(seq: number): Promise<ConflictRecord | undefined> {
    return this.#incidents.holds(seq) ? await this.#incidents.read(seq) : undefined;
  }
}
