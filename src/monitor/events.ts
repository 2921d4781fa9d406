import type { Result } from "../evidence/result.ts";
import type { Heard } from "../gossip/judge.ts";
import type { IncidentNews } from "./case_keeper.ts";

/** Everything that can happen, each under its stable name. */
export type EventName =
  | "clock.jumped"
  | "config.refused"
  | "config.reloaded"
  | "daemon.fault"
  | "daemon.started"
  | "daemon.stopping"
  | "daemon.upkeep"
  | "disk.refused"
  | "exchange.failed"
  | "exchange.handed over"
  | "exchange.left out"
  | "exchange.nothing shared"
  | `exchange.${Heard["verdict"]}`
  | `incident.${IncidentNews["outcome"]}`
  | "index.progress"
  | "journal.torn"
  | "journal.unsound"
  | "key.changed"
  | "key.exposed"
  | `log.${Result}`
  | "output.lost"
  | "status.failed"
  | "status.serving"
  | "warnings.left_out";

/** How loud an event is. */
export type Level = "debug" | "info" | "warning" | "error";

/** Whom a daemon tells what happened. */
export interface EventReport {
  event(name: EventName, level: Level, fields: Readonly<Record<string, unknown>>): void;
  /**
   * Work failed that is tried again: because of the disk, or of a fault of ours, told as such.
   * @param more how often it failed so since it was told last, where that was left out
   */
  workFailed(error: unknown, more?: number): void;
  /** How many events could not be told since the start, if it knows. */
  lost?(): number;
}

/** How loud each result of a look at a log is. */
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
  unproven: "error",
  inconsistent: "error",
};
