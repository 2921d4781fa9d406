import type { SyncOutcome } from "../federation/mirror_report.ts";
import type { Clock } from "../world/world.ts";
import type { EventReport, Level } from "./events.ts";
import type { Happening } from "./happenings.ts";
import { LastingTroubles } from "./lasting_troubles.ts";
import { UNHEALTHY_AFTER } from "./mirrored_journal.ts";

/** How a sync ended that is trouble at once, and at which level it is told. */
const AT_ONCE: ReadonlyMap<SyncOutcome, Level> = new Map<SyncOutcome, Level>([
  ["rolled back", "warning"],
  ["equivocated", "error"],
  ["refused", "error"],
]);
/** What a failed sync is told as, if it is told at once by no other name. */
const FAILED = "failed";

/**
 * Tells of mirrored journals. What a publisher shows that is wrong is told at once; that it cannot be
 * reached, after some failures in a row; each now and then while it lasts, and when it is over.
 */
export class MirrorTeller {
  readonly #report: EventReport;
  readonly #troubles: LastingTroubles;

  constructor({ clock, report }: { clock: Clock; report: EventReport }) {
    this.#report = report;
    this.#troubles = new LastingTroubles(clock);
  }

  /** A sync came to its end. */
  synced({ name, report, failures }: Extract<Happening, { kind: "mirror synced" }>): void {
    const { outcome, received, before, after, theirs, error } = report;
    const sizes = {
      ...{ monitor: name, received: Number(received), before: `${before}`, after: `${after}` },
      ...(theirs !== undefined && { theirs: `${theirs}` }),
    };
    const kind = AT_ONCE.has(outcome) ? outcome : FAILED;
    const isWell = outcome === "synced" || outcome === "up to date";
    for (const trouble of this.#troubles.of(name)) {
      // What it shows now ends what it showed before; only what holds ends an outage of old lies.
      if (!isWell && (kind === FAILED || trouble.kind === kind)) continue;
      const lasted = this.#troubles.stayedAway(trouble);
      if (lasted === undefined) continue;
      const after = trouble.kind;
      this.#report.event("mirror.recovered", "info", { monitor: name, after, ...lasted });
    }
    if (isWell) {
      return this.#report.event("mirror.synced", received > 0n ? "info" : "debug", sizes);
    }
    const reason = error ?? outcome;
    const fields = { ...sizes, outcome, reason, failures };
    const isTold = AT_ONCE.has(outcome) || failures >= UNHEALTHY_AFTER;
    if (!isTold) return this.#report.event("mirror.failed", "debug", fields);
    const level = AT_ONCE.get(outcome) ?? "warning";
    const told = this.#troubles.cameUp({ subject: name, kind }, { reason, level });
    const event = `mirror.${kind as "rolled back" | "equivocated" | "refused" | "failed"}` as const;
    this.#report.event(event, told.level, { ...fields, ...told.lasted });
  }

  /** A monitor has pushed its journal here. */
  pushedTo({ name, before, outcome }: Extract<Happening, { kind: "mirror pushed to" }>): void {
    const { status } = outcome;
    const more = "detail" in outcome ? { reason: outcome.detail } : { size: `${outcome.size}` };
    const isNews = status === 200 && outcome.size > before;
    this.#report.event("mirror.pushed", isNews ? "info" : "debug", {
      ...{ monitor: name, status, before: `${before}`, ...more },
    });
  }
}
