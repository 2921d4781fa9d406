import { formatRecord } from "../evidence/record.ts";
import type { IncidentJournal } from "../store/incidents.ts";
import { logIdOf } from "../store/observation.ts";
import { ours } from "./own_refusal.ts";
import type { SharedStore } from "../store/shared_store.ts";

/** What is needed of the incident journal. */
type Cases = Pick<IncidentJournal, "named" | "read">;

/** Tells a store which cases this site has in its incident journal, with their records. */
export class OwnCases {
  readonly #incidents: Cases | undefined;
  /** How many cases of the journal, from its first one, were told. */
  #told = 0;
  /** Their evidence ids, which the store must have. */
  readonly #ids = new Set<string>();

  constructor(incidents: Cases | undefined) {
    this.#incidents = incidents;
  }

  /** The store has so many. If it has lost any, or it is not known, all are told again. */
  storeHas(count: number): void {
    if (count >= this.#ids.size) return;
    this.#told = 0;
    this.#ids.clear();
  }

  /** Tells what was not told yet. @throws WorldError, OwnRefusal */
  async publish(store: Pick<SharedStore, "publishCases" | "publishRecord">): Promise<void> {
    const incidents = this.#incidents;
    const cases = incidents?.named.slice(this.#told) ?? [];
    if (incidents === undefined || cases.length === 0) return;
    // The records come first: a case that the store has is not told again.
    for (const { evidence_id: evidenceId, log, seq } of cases) {
      const record = formatRecord(await ours(() => incidents.read(seq)));
      await store.publishRecord({ evidenceId, log: logIdOf({ log }), record });
    }
    await store.publishCases(cases.map(({ evidence_id: evidenceId, log, seq, recordedAt }) => ({
      ...{ evidenceId, log: logIdOf({ log }), seq, recordedAt },
    })));
    this.#told += cases.length;
    for (const { evidence_id: id } of cases) this.#ids.add(id);
  }
}
