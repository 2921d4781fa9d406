import type { ConflictRecord } from "../evidence/record.ts";
import type { Incident, Runbook } from "../response/runbook.ts";
import type { IncidentJournal } from "../store/incidents.ts";

/** A case in the incident journal. */
export interface ReadCase {
  readonly seq: number;
  readonly record: ConflictRecord;
}

/** The incidents and cases of an incident journal, for whoever looks at them. */
export interface Cases {
  /** How many cases there are. */
  readonly count: number;
  /** How the incidents stand. */
  readonly runbook: Pick<Runbook, "incidents" | "find" | "withCase">;
  /** The numbers (seq) of an incident's cases, in the order in which the journal has them. */
  numbersOf(incident: Pick<Incident, "cases">): readonly number[];
  /** The numbers (seq) of the cases that no incident has, in order. */
  apart(): readonly number[];
  /** The numbers (seq) of those with a larger number, in order, at most so many. */
  after(seq: number, most: number): readonly number[];
  /**
   * The newest cases, newest first. They held when they were written, or when the daemon started.
   * @throws WorldError if one cannot be read
   */
  newest(count: number): Promise<readonly ReadCase[]>;
  /**
   * The case of an entry; nothing if there is no such entry, or if it does not hold.
   * @throws WorldError if it cannot be read
   */
  read(seq: number): Promise<ConflictRecord | undefined>;
}

/** Reads the cases of the journal that a running daemon writes. */
export class CaseReader implements Cases {
  readonly #incidents: IncidentJournal;
  readonly runbook: Runbook;

  constructor({ incidents, runbook }: { incidents: IncidentJournal; runbook: Runbook }) {
    this.#incidents = incidents;
    this.runbook = runbook;
  }

  /** See Cases. */
  get count(): number {
    return this.#incidents.count;
  }

  /** See Cases. */
  numbersOf({ cases }: Pick<Incident, "cases">): readonly number[] {
    const wanted = new Set(cases);
    return this.#numbersWhere((id) => wanted.has(id));
  }

  /** See Cases. */
  apart(): readonly number[] {
    return this.#numbersWhere((id) => this.runbook.withCase(id) === undefined);
  }

  #numbersWhere(isWanted: (evidenceId: string) => boolean): number[] {
    return this.#incidents.named.filter(({ evidence_id: id }) => isWanted(id))
      .map(({ seq }) => seq);
  }

  /** See Cases. */
  after(seq: number, most: number): readonly number[] {
    return this.#incidents.after(seq, most);
  }

  /** See Cases. */
  async newest(count: number): Promise<readonly ReadCase[]> {
    const seqs = [...this.#incidents.newest(count)].reverse();
    const cases: ReadCase[] = [];
    for (const seq of seqs) cases.push({ seq, record: await this.#incidents.read(seq) });
    return cases;
  }

  /** See Cases. */
  async read(seq: number): Promise<ConflictRecord | undefined> {
    return this.#incidents.has(seq) ? await this.#incidents.read(seq) : undefined;
  }
}
