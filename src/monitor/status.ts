import type { Result } from "../evidence/result.ts";

/**
 * What a look came to as it is counted: `not written` where our own disk or database kept it from being
 * made or written down, which says nothing of the log.
 */
export type LookResult = Result | "not written";

/** What is counted of one log while a daemon runs. */
export interface LogTally {
  /** What the last look came to. */
  readonly lastResult?: LookResult;
  readonly lastDetail?: string;
  readonly lastLookAt?: string;
  /** How often each result came up since the start. */
  readonly counts: Record<string, number>;
}

/** One log in a daemon's status. */
export interface LogStatus extends LogTally {
  readonly origin: string;
  readonly vkey: string;
  /** Decimal; nothing before the first checkpoint. */
  readonly size?: string;
  /** Base64. */
  readonly root?: string;
  /** When the view last grew, RFC 3339. */
  readonly grewAt?: string;
  /** Incidents of this log in the journal. */
  readonly incidents: number;
  /** How many of the peers that say what they follow say this log; nothing before any has said. */
  readonly sharedBy?: number;
  /** Checkpoints heard that are not settled yet. */
  readonly openQuestions: number;
  /** Checkpoints heard since the start for which there was no room. */
  readonly leftOut?: number;
}

/** What is counted of one peer while a daemon runs. */
export interface PeerTally {
  readonly lastExchangeAt?: string;
  /** What it told last, or why the last exchange failed. */
  readonly lastResult?: string;
  /** How many of the logs followed here it follows too, as it said last. */
  readonly sharedLogs?: number;
  /** Why the last exchange failed, if it did. */
  readonly failing?: string;
  readonly exchanges: number;
  readonly failures: number;
  readonly matches: number;
  readonly conflicts: number;
}

/** One peer in a daemon's status. */
export interface PeerStatus extends PeerTally {
  readonly address: string;
  readonly vkey?: string;
}

/** What a running daemon says of itself, as `GET /status` gives it. */
export interface Status {
  /** Of the program. */
  readonly version?: string;
  readonly name: string;
  readonly vkey: string;
  /** Where it answers exchanges, if anywhere. */
  readonly listen?: string;
  readonly startedAt: string;
  readonly now: string;
  /** Incidents in the journal, of the logs followed. */
  readonly incidents: number;
  /** Whether a proven conflict could not be written, because the disk refuses. */
  readonly unwritten: boolean;
  /** Faults in Hearsay itself since the start; their stacks were told as `daemon.fault`. */
  readonly faults?: number;
  /** Events since the start that could not be printed; the journals have what they were about. */
  readonly eventsLost?: number;
  readonly logs: readonly LogStatus[];
  readonly peers: readonly PeerStatus[];
}
