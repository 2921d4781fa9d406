import type { IncidentJournal } from "../store/incidents.ts";
import { logIdOf } from "../store/observation.ts";
import type { SharedStore } from "../store/shared_store.ts";

/** Tells a store which cases this site has in its incident journal. */
export class OwnCases {
  readonly #incidents: Pick<IncidentJournal, "named"> | undefined;
  /** How many cases of the journal, from its first one, were told. */
  #told = 0;
  /** Their evidence ids, which the store must have. */
  readonly #ids = new Set<string>();

  constructor(incidents: Pick<IncidentJournal, "named"> | undefined) {
    this.#incidents = incidents;
  }

  /** The store has so many. If it has lost any, or it is not known, all are told again. */
  storeHas(count: number): void {
    if (count >= this.#ids.size) return;
    this.#told = 0;
    this.#ids.clear();
  }

  /** Tells what was not told yet. @throws WorldError */
  async publish(store: Pick<SharedStore, "publishCases">): Promise<void> {
    const cases = this.#incidents?.named.slice(this.#told) ?? [];
    if (cases.length === 0) return;
    await store.publishCases(cases.map(({ evidence_id: evidenceId, log, seq, recordedAt }) => ({
      ...{ evidenceId, log: logIdOf({ log }), seq, recordedAt },
    })));
    this.#told += cases.length;
    for (const { evidence_id: id } of cases) this.#ids.add(id);
  }
}
