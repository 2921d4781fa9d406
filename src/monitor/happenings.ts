import type { Result } from "../evidence/result.ts";
import type { Heard } from "../gossip/judge.ts";
import type { IndexProgress } from "../store/observations.ts";
import type { Log } from "../tlog/log.ts";
import { Ended } from "../world/calls.ts";
import { isOfTheWorld } from "./faults.ts";
import type { IncidentNews } from "./case_keeper.ts";
import type { Finding } from "./watch.ts";

/**
 * Everything that can happen in a daemon. Whoever finds out tells it here, once; log lines, counters
 * and what the daemon does next come of it (see Happenings).
 */
export type Happening =
  /** Of the daemon itself. */
  | { readonly kind: "started"; readonly name: string; readonly listen: string | undefined }
    & Counts
  | { readonly kind: "reloaded" } & Counts
  | { readonly kind: "stopping" }
  | { readonly kind: "upkeep"; readonly segmentsRemoved: number }
  | { readonly kind: "indexing"; readonly progress: IndexProgress }
  /** the wall clock was set, forwards if it is more than 0, or the machine slept */
  | { readonly kind: "clock jumped"; readonly byMs: number }
  /** a crash tore the last line of a journal; it was set aside in this file */
  | { readonly kind: "journal torn"; readonly setAside: string }
  /** entries of the incident journal that do not hold, and are not used */
  | { readonly kind: "journal unsound"; readonly incidents: readonly number[] }
  /** something that was in our folders is no more, as a person has not seen yet */
  | { readonly kind: "journal lost"; readonly detail: string }
  /** our own disk, database or network refused something that is tried again */
  | { readonly kind: "world refused"; readonly error: unknown }
  /** something in Hearsay itself failed: nobody else's fault */
  | { readonly kind: "fault"; readonly error: unknown }
  /** warnings that strangers caused and that were not printed */
  | { readonly kind: "warnings left out"; readonly count: number }
  /** Of logs. */
  | Found
  /** our own disk or database kept a look from being made or written down */
  | {
    readonly kind: "look failed";
    readonly log: Log;
    readonly detail: string;
    /** RFC 3339, UTC. */
    readonly at: string;
  }
  | { readonly kind: "case"; readonly news: IncidentNews }
  /** Of exchanges; `source` is the other end: an address of the configuration, or the host that called. */
  | { readonly kind: "heard"; readonly heard: Heard; readonly source: string }
  /** what somebody told is written down as an open question */
  | { readonly kind: "asked"; readonly log: Log; readonly source: string }
  /** there was no room for what somebody told */
  | { readonly kind: "left out"; readonly log: Log; readonly source: string }
  /** an exchange that another began, or the wait for one, ended badly */
  | { readonly kind: "broken"; readonly source: string; readonly reason: string }
  /** an exchange begins here */
  | { readonly kind: "calling"; readonly source: string; readonly at: string }
  /** it failed */
  | { readonly kind: "call failed"; readonly source: string; readonly reason: string }
  /** it came to its end */
  | {
    readonly kind: "called";
    readonly source: string;
    /** Logs that both ends follow, if the peer says so. */
    readonly sharedLogs: number | undefined;
    /** Whether that is none, and was not none before. */
    readonly isNewlyNone: boolean;
    /** Evidence that was handed over. */
    readonly evidenceIds: readonly string[];
    /** What failed of it, though frames were exchanged. */
    readonly fault: string | undefined;
  };

/** What a look at a log came to, or the settling of what somebody told. */
export interface Found {
  readonly kind: "found";
  readonly finding: Finding;
  readonly result: Result;
  /** Whether it is what the log shows now, and not something heard before. */
  readonly isLook: boolean;
  /** Whether the last look came to something else. */
  readonly isNews: boolean;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/** How much a daemon has to do. */
interface Counts {
  readonly logs: number;
  readonly peers: number;
}

/** Whom what happens is told to. */
export type Subscriber = (happening: Happening) => void;

/** Passes what happens on to everyone who has subscribed so far, at once and in that order. */
export class Happenings {
  readonly #subscribers: Subscriber[] = [];

  /** Tells this one too, after those before. */
  subscribe(subscriber: Subscriber): void {
    this.#subscribers.push(subscriber);
  }

  /** Tells everyone what happened. */
  tell(happening: Happening): void {
    for (const subscriber of this.#subscribers) subscriber(happening);
  }

  /**
   * Something failed that is gone on without: the world refused it, or it is a fault of ours. What
   * was not finished because this daemon ends is neither.
   */
  failed(error: unknown): void {
    if (error instanceof Ended) return;
    this.tell({ kind: isOfTheWorld(error) ? "world refused" : "fault", error });
  }
}
