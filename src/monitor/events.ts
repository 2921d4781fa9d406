import type { Result } from "../evidence/result.ts";
import type { Heard } from "../gossip/judge.ts";
import type { EventAbout } from "../response/occurrences.ts";
import type { IncidentNews } from "./case_keeper.ts";

/** The stable names of all events. */
export type EventName =
  | "alert.disabled"
  | "alert.failed"
  | "alert.lost"
  | "alert.recovered"
  | "clock.jumped"
  | "config.refused"
  | "config.reloaded"
  | "config.trap"
  | "daemon.fault"
  | "daemon.started"
  | "daemon.stopping"
  | "daemon.upkeep"
  | "disk.recovered"
  | "disk.refused"
  | "exchange.failed"
  | "exchange.handed over"
  | "exchange.left out"
  | "exchange.nothing shared"
  | "exchange.recovered"
  | "exchange.self"
  | `exchange.${Heard["verdict"]}`
  | `incident.${IncidentNews["outcome"]}`
  | "folder.foreign"
  | "folder.moved"
  | "incident.step"
  | "index.progress"
  | "federation.failed"
  | "federation.serving"
  | "journal.epoch"
  | "journal.lost"
  | "journal.torn"
  | "journal.unsound"
  | "key.changed"
  | "key.exposed"
  | `log.${Result}`
  | "log.recovered"
  | "log.retired"
  | "member.accused"
  | "member.banned"
  | "member.connected"
  | "member.disconnected"
  | "member.key_used_twice"
  | "member.left"
  | "member.not_wanted"
  | "member.refused"
  | "member.turned_away"
  | "member.undelivered"
  | "mirror.began anew"
  | "mirror.damaged"
  | "mirror.equivocated"
  | "mirror.failed"
  | "mirror.pushed"
  | "mirror.record refused"
  | "mirror.recovered"
  | "mirror.refused"
  | "mirror.rolled back"
  | "mirror.synced"
  | "journal.pushed"
  | "output.lost"
  | "status.failed"
  | "status.serving"
  | "store.away"
  | "store.connected"
  | "warnings.left_out"
  | "witness.failed"
  | "witness.cosigning"
  | "witness.lagging"
  | "witness.list"
  | "witness.list_unavailable"
  | "witness.missing"
  | "witness.recovered"
  | "witness.serving"
  | "witness.torn";

/** The levels of events, from the least to the loudest. */
export const LEVELS = ["debug", "info", "warning", "error"] as const;
/** The level of an event. */
export type Level = typeof LEVELS[number];

/** What a daemon reports its events to. */
export interface EventReport {
  /** @param about what alerts are made of, beside the fields; it is not printed */
  event(
    name: EventName,
    level: Level,
    fields: Readonly<Record<string, unknown>>,
    about?: EventAbout,
  ): void;
  /**
   * Tells that work failed and will be tried again: the disk refused, or Hearsay has a fault.
   * @param more how often it failed for the same reason since it was last told
   */
  workFailed(error: unknown, more?: number): void;
  /** How many events could not be told since the start, if it knows. */
  lost?(): number;
}

/** The level at which each result of a look at a log is told. */
export const RESULT_LEVELS: Readonly<Record<Result, Level>> = {
  first: "info",
  extends: "info",
  unchanged: "debug",
  consistent: "debug",
  pending: "debug",
  matches: "debug",
  refused: "debug",
  "rolled back": "warning",
  frozen: "warning",
  withheld: "warning",
  unavailable: "warning",
  unverified: "warning",
  unproven: "error",
  inconsistent: "error",
};
