/**
 * Where a log's checkpoints and proofs come from: one interface, one file a kind.
 *
 * @module
 */

import type { LookTime } from "./look_time.ts";

/** A log as it is served. Nothing it gives is authenticated; the caller does that. */
export interface Source {
  /** Where one log is served in several places: each of them, whose words are to be compared. */
  readonly parts?: readonly Source[];
  /** How one of these places is called. */
  placeOf?(part: Source): string | undefined;
  /**
   * The log's latest signed note.
   * @param time what the look has; without one nothing is waited out
   * @throws SourceUnavailable
   */
  latest(time?: LookTime): Promise<Uint8Array>;
  /** Tells that the last note of `latest` did not open: it must be fetched anew, unconditionally. */
  distrust?(): void;
  /**
   * What proves that the tree of `older` leaves is a prefix of the tree of `newer`, for
   * 0 < older < newer. The caller checks it with `impliedOlderRoot`; the caller then
   * tells the proof with `judged`.
   * @param time what the look has; without one nothing is waited out
   * @throws SourceUnavailable, ProofRefused
   */
  consistency(sizes: { older: bigint; newer: bigint }, time?: LookTime): Promise<ServedProof>;
}

/** A consistency proof as served or built; nothing in it is authenticated. */
export interface ServedProof {
  /** The root at the older size, which a proof from a power of two does not hold. 32 bytes. */
  readonly olderRoot: Uint8Array;
  /** RFC 9162 section 2.1.4; 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /**
   * Tells the source whether the proof led to a signed root: what it was built from may be kept, or
   * must be fetched anew the next time.
   */
  judged(holds: boolean): void;
}

/** An outage: nobody answered, not in time, or with an answer that is no answer. Proves nothing. */
export class SourceUnavailable extends Error {
  /** Not before this many milliseconds should it be asked again, if it said so. */
  constructor(message: string, readonly retryAfterMs?: number) {
    super(message);
  }
}

/** The log is there and does not give the proof it was asked for: suspicion, without proof. */
export class ProofRefused extends Error {}
