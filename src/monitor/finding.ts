import type { Result } from "../evidence/result.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { FailedProof } from "./proving.ts";
import { THE_LOG } from "./the_log.ts";

/** One result, and what it is about. It must be durable before the view is advanced by it. */
export interface Finding {
  readonly log: Log;
  readonly result: Result;
  /** Who showed it: `the log`, the log at one of its places, a peer, or a stranger. */
  readonly source: string;
  /** The checkpoint, if one was verified. */
  readonly checkpoint?: VerifiedCheckpoint;
  /** The checkpoint of another size that it contradicts, if a proof has shown that. */
  readonly against?: VerifiedCheckpoint;
  /** The checkpoint of another size that it could not be proven to agree with. */
  readonly beside?: VerifiedCheckpoint;
  /** What was served as the log's checkpoint and did not verify, if it is a signed note at all. */
  readonly note?: string;
  /** How much the log has shown before, if what could not be proven is its latest and is less. */
  readonly shrankFrom?: bigint;
  /** Whether the log shows a history that is not the one it signed under the key before (RULES R10). */
  readonly isRewritten?: boolean;
  /** A sentence for a person, where the result needs one. */
  readonly detail?: string;
  /** The shortest time to wait before the log is asked again, in milliseconds, if it said one. */
  readonly retryAfterMs?: number | undefined;
  /**
   * Whether it is unproven only because a part of the proof is missing, and that may be temporary. For
   * a look it is no longer set once this has lasted too long (see Doubt). It is never set for a proof
   * that was served and does not hold.
   */
  readonly mayPass?: boolean;
  /**
   * If it is unverified: the note that was shown. It names the log, and no key of the log has signed it.
   */
  readonly failedNote?: string;
  /** The proof between these checkpoints that the log gave, again and again, and that does not hold. */
  readonly failedProof?: FailedProof;
  /**
   * If the log is served in several places: the findings of this look about the other places, where
   * they are new. Each is the log's word, and is recorded like this one.
   */
  readonly others?: readonly Finding[];
  /** If it is served in several places: the others of these findings, which are not new. */
  readonly standing?: readonly Finding[];
  /** If it is served in several places: those that this look asked, each as a source. */
  readonly asked?: readonly string[];
}

/** The results of a look at which the log holds: what it shows agrees with what it showed before. */
export const HOLDS: readonly Result[] = ["first", "extends", "unchanged", "rolled back"];

/** How serious a finding is: 0 is the most serious, and is told as the result of the look. */
export function weight({ result }: Finding): number {
  const order: readonly (readonly Result[])[] = [
    ...[["inconsistent"], ["unproven"], HOLDS, ["unverified"]] as const,
  ];
  const at = order.findIndex((results) => results.includes(result));
  return at < 0 ? order.length : at;
}

/** One outage for all places: the log may be asked again as soon as one of them may be. */
export function soonest(outages: readonly Finding[]): Finding {
  const waits = outages.map(({ retryAfterMs }) => retryAfterMs ?? 0);
  const retryAfterMs = Math.min(...waits);
  const [first] = outages as [Finding];
  return {
    ...first,
    // An outage of all places is the log's. An answer that is not the log's came from one place.
    source: first.result === "unavailable" ? THE_LOG : first.source,
    retryAfterMs: retryAfterMs === 0 ? undefined : retryAfterMs,
  };
}
