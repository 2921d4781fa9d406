/**
 * Where a log's checkpoints and proofs come from. There is one interface, and one file for each
 * kind.
 *
 * @module
 */

import type { LookTime } from "./look_time.ts";

/**
 * A log as it is served. Nothing that it gives is authenticated; the caller must do that.
 *
 *     const note = await source.latest(); // opens under the log's key, or is nobody's word
 *     const served = await source.consistency({ older: 6n, newer: 8n });
 *     const implied = impliedOlderRoot({
 *       older: { treeSize: 6n, rootHash: served.olderRoot },
 *       newer,
 *       proof: served.proof,
 *     });
 *     served.judged(implied !== undefined); // always: bad tiles are forgotten by it
 */
export interface Source {
  /** If one log is served in several places: each of them. The caller compares what they show. */
  readonly parts?: readonly Source[] | undefined;
  /** Whether the log said, when it was asked last, that it does not grow any more. */
  readonly isRetired?: boolean;
  /** The name of one of these places. */
  placeOf?(part: Source): string | undefined;
  /**
   * The log's latest signed note.
   * @param time what the look has; without one nothing is waited out
   * @throws SourceUnavailable
   */
  latest(time?: LookTime): Promise<Uint8Array>;
  /**
   * Tells the source that the last note of `latest` did not open. It must fetch the next one
   * unconditionally.
   */
  distrust?(): void;
  /**
   * The proof that the tree of `older` leaves is a prefix of the tree of `newer`, for 0 < older <
   * newer. The caller checks it with `impliedOlderRoot`, and then tells the outcome with `judged`.
   * @param time what the look has; without one nothing is waited out
   * @throws SourceUnavailable, ProofRefused
   */
  consistency(sizes: { older: bigint; newer: bigint }, time?: LookTime): Promise<ServedProof>;
}

/** A consistency proof as served or built; nothing in it is authenticated. */
export interface ServedProof {
  /** The root at the older size, 32 bytes. A proof from a power of two does not contain it. */
  readonly olderRoot: Uint8Array;
  /** RFC 9162 section 2.1.4; 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /**
   * Tells the source whether the proof led to a signed root. If it did, the source may keep what it
   * built the proof from. If not, it must fetch that anew the next time.
   */
  judged(holds: boolean): void;
}

/** An outage: nobody answered in time, or the answer made no sense. It proves nothing. */
export class SourceUnavailable extends Error {
  /** How many milliseconds to wait before it is asked again, if it said so. */
  constructor(message: string, readonly retryAfterMs?: number) {
    super(message);
  }
}

/**
 * The log answers, but does not give the proof that it was asked for. That is suspicion, not proof.
 */
export class ProofRefused extends Error {}
