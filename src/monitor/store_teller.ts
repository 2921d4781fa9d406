import type { Clock } from "../world/world.ts";
import type { EventReport } from "./events.ts";
import { LastingTroubles } from "./lasting_troubles.ts";

/** It is the only one. */
const AWAY = { subject: "store", kind: "away" } as const;

/** Tells when the shared store is away, now and then while that lasts, and when it is back. */
export class StoreTeller {
  readonly #report: EventReport;
  readonly #troubles: LastingTroubles;
  #wasConnected = false;

  constructor({ clock, report }: { clock: Clock; report: EventReport }) {
    this.#report = report;
    this.#troubles = new LastingTroubles(clock);
  }

  /** It cannot be used. */
  away(reason: string): void {
    const { level, lasted } = this.#troubles.cameUp(AWAY, { reason, level: "warning" });
    const advice = "this monitor goes on alone: it looks at every log itself, and catches up later";
    this.#report.event("store.away", level, { reason, advice, ...lasted });
  }

  /** It can be used; told again and again. */
  connected(): void {
    const lasted = this.#troubles.stayedAway(AWAY);
    const isFirst = !this.#wasConnected;
    this.#wasConnected = true;
    if (isFirst || lasted !== undefined) {
      this.#report.event("store.connected", "info", { ...lasted });
    }
  }
}
