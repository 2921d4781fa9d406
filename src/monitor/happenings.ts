import type { Result } from "../evidence/result.ts";
import type { Heard } from "../gossip/judge.ts";
import type { Incident } from "../response/runbook.ts";
import type { IndexProgress } from "../store/observations.ts";
import type { SwarmNews } from "../swarm/swarm_host.ts";
import type { Log } from "../tlog/log.ts";
import { Ended } from "../world/calls.ts";
import { isOfTheWorld } from "./faults.ts";
import type { IncidentNews } from "./case_keeper.ts";
import type { SyncReport } from "../federation/mirror_report.ts";
import type { PushOutcome } from "../federation/wire.ts";
import type { Finding } from "./finding.ts";
import type { ListNews } from "./list_follower.ts";
import type { WitnessOfLog } from "./status.ts";
import type { Pushed } from "./journal_pusher.ts";

/**
 * Everything that can happen in a daemon. Whoever finds out tells it here, once. Log lines,
 * counters and the daemon's next steps follow from it (see Happenings).
 */
export type Happening =
  /** Of the daemon itself. */
  | { readonly kind: "started"; readonly name: string; readonly listen: string | undefined }
    & Counts
  | {
    readonly kind: "reloaded";
    /** The logs, by their ids, and the addresses of the peers. */
    readonly subjects: ReadonlySet<string>;
  } & Counts
  | { readonly kind: "stopping" }
  | { readonly kind: "upkeep"; readonly segmentsRemoved: number }
  | { readonly kind: "indexing"; readonly progress: IndexProgress }
  /** the wall clock was set, forwards if it is more than 0, or the machine slept */
  | { readonly kind: "clock jumped"; readonly byMs: number }
  /** a crash tore the last line of a journal; it was set aside in this file */
  | { readonly kind: "journal torn"; readonly setAside: string }
  /** so many bytes of the witness's state were cut off: a crash tore them, and nobody was answered */
  | { readonly kind: "witness torn"; readonly bytes: number }
  /** the witness's list of logs was fetched, or cannot be */
  | { readonly kind: "witness list"; readonly news: ListNews }
  /** entries of the incident journal that do not hold, and are not used */
  | { readonly kind: "journal unsound"; readonly incidents: readonly number[] }
  /** the incident journal does not continue what was signed of it: it is another log from now on */
  | { readonly kind: "journal epoch"; readonly origin: string; readonly detail: string }
  /** a sync with the publisher of a mirrored journal came to its end */
  | {
    readonly kind: "mirror synced";
    /** Of the monitor whose journal it is. */
    readonly name: string;
    readonly report: SyncReport;
    /** Syncs in a row that failed. */
    readonly failures: number;
  }
  /** a monitor has pushed its journal here */
  | {
    readonly kind: "mirror pushed to";
    readonly name: string;
    readonly before: bigint;
    readonly outcome: PushOutcome;
  }
  /** a monitor's journal began anew, as this log */
  | { readonly kind: "mirror began anew"; readonly name: string; readonly origin: string }
  /** a mirror was damaged on our disk, and is fetched anew */
  | { readonly kind: "mirror damaged"; readonly name: string; readonly detail: string }
  /** an entry of a mirrored journal is no record, or one that does not hold */
  | {
    readonly kind: "mirrored record refused";
    readonly name: string;
    readonly seq: number;
    readonly detail: string;
  }
  /** our own journal was pushed to whoever may mirror it, or could not be */
  | { readonly kind: "journal pushed"; readonly url: string; readonly pushed: Pushed }
  /** the store that this daemon shares with other sites cannot be used now: it goes on alone */
  | { readonly kind: "store away"; readonly detail: string }
  /** the store can be used; told again and again */
  | { readonly kind: "store connected" }
  /** something that was in our folders is no more, as a person has not seen yet */
  | { readonly kind: "journal lost"; readonly detail: string }
  /** the configuration says, of a log, what is hardly meant */
  | { readonly kind: "trap"; readonly detail: string }
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
  /** after a look: how many checkpoints the log withholds, if it withheld any; 0 once it shows them all */
  | {
    readonly kind: "withholding";
    readonly log: Log;
    readonly checkpoints: number;
    /** About one of them, for a person. */
    readonly detail: string;
  }
  /** a log is not frozen only because it says that it does not grow any more; told once */
  | { readonly kind: "retired"; readonly log: Log }
  /** how a witness of a log keeps up; told again and again */
  | { readonly kind: "witness"; readonly log: Log } & WitnessOfLog
  | { readonly kind: "case"; readonly news: IncidentNews }
  /** a member says that it was shown this in place of a log's checkpoint */
  | {
    readonly kind: "unverified elsewhere";
    readonly log: Log;
    readonly note: string;
    /** Its vkey. */
    readonly member: string;
  }
  /** an incident went one step further, durably */
  | {
    readonly kind: "incident step";
    readonly incident: Incident;
    /** Whether its log is frozen now, by this incident or another one. */
    readonly isFrozen: boolean;
  }
  /** Of exchanges; `source` is the other end: an address of the configuration, or the host that called. */
  | { readonly kind: "heard"; readonly heard: Heard; readonly source: string }
  /** what somebody told is written down as an open question */
  | { readonly kind: "asked"; readonly log: Log; readonly source: string }
  /** there was no room for what somebody told */
  | { readonly kind: "left out"; readonly log: Log; readonly source: string }
  /** an exchange that another began, or the wait for one, ended badly */
  | { readonly kind: "broken"; readonly source: string; readonly reason: string }
  /** a peer that was called has answered the greeting */
  | {
    readonly kind: "greeted";
    readonly source: string;
    /** Whether it is this monitor itself, or repeats what this monitor says about itself. */
    readonly isSelf: boolean;
    /** The software that it says it is. */
    readonly software: string | undefined;
  }
  /** of members and the sessions with them */
  | { readonly kind: "member"; readonly news: SwarmNews }
  /** an exchange begins here */
  | { readonly kind: "calling"; readonly source: string; readonly at: string }
  /** it failed */
  | { readonly kind: "call failed"; readonly source: string; readonly reason: string }
  /** the peer answered, and our own disk or database refused what came of it */
  | { readonly kind: "call not written"; readonly source: string }
  /** it came to its end */
  | {
    readonly kind: "called";
    readonly source: string;
    /** Logs that both ends follow, if the peer says so. */
    readonly sharedLogs: number | undefined;
    /** Evidence that was handed over. */
    readonly evidenceIds: readonly string[];
    /** What failed of it, though frames were exchanged. */
    readonly fault: string | undefined;
  };

/** The result of a look at a log, or of settling a checkpoint that somebody told. */
export interface Found {
  readonly kind: "found";
  readonly finding: Finding;
  readonly result: Result;
  /** What it is about: a look at the log, another place of the log, or a checkpoint heard before. */
  readonly about: "look" | "place" | "question";
  /** Whether the last look had another result. */
  readonly isNews: boolean;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/** How much a daemon has to do. */
interface Counts {
  readonly logs: number;
  readonly peers: number;
}

/** Is told what happens. */
export type Subscriber = (happening: Happening) => void;

/** Tells every subscriber what happens, at once, in the order in which they subscribed. */
export class Happenings {
  readonly #subscribers: Subscriber[] = [];

  /** Adds a subscriber. It is told after the earlier ones. */
  subscribe(subscriber: Subscriber): void {
    this.#subscribers.push(subscriber);
  }

  /** Tells everyone what happened. */
  tell(happening: Happening): void {
    for (const subscriber of this.#subscribers) subscriber(happening);
  }

  /**
   * Tells that something failed and the daemon goes on: the world refused something, or Hearsay has
   * a fault. Work that ended early because this daemon ends is neither.
   */
  failed(error: unknown): void {
    if (error instanceof Ended) return;
    this.tell({ kind: isOfTheWorld(error) ? "world refused" : "fault", error });
  }
}
