/**
 * What a mirror tells: what it was shown, and what came of each sync.
 *
 * @module
 */
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";

/** What a mirror tells, and to whom it hands what it was shown. */
export interface MirrorParty {
  /**
   * A head with a sound signature was shown, whatever else is wrong with it. What it convicts is durable
   * when this resolves.
   */
  shown(head: VerifiedCheckpoint): Promise<void>;
  /** The journal began anew, as another log. */
  began(log: Log): Promise<void>;
  /** What was mirrored was damaged on our disk; it is fetched anew. */
  damaged(detail: string): void;
}

/** How a sync can end. */
export type SyncOutcome =
  /** there were new entries, and all of them are durable */
  | "synced"
  /** there were none */
  | "up to date"
  /** it shows less than before, or an older epoch; this is no evidence */
  | "rolled back"
  /** it signed another root than the one we hold at this size */
  | "equivocated"
  /** nobody answers, or with a refusal */
  | "unavailable"
  /** what it answers is wrong, or does not lead to what it signed */
  | "refused"
  /** our own disk refuses, which says nothing about it */
  | "not written";

/** What came of one sync. */
export interface SyncReport {
  readonly outcome: SyncOutcome;
  /** Entries that were added. */
  readonly received: bigint;
  /** Our sizes before and after. */
  readonly before: bigint;
  readonly after: bigint;
  /** The size that the publisher signed, if it showed one. */
  readonly theirs?: bigint;
  /** Why it failed. */
  readonly error?: string;
  /** How long it asks to wait. */
  readonly retryAfterMs?: number;
}
