/**
 * The results of a look at a log and of an exchange with a peer, as the entries of the observation
 * journal have them. There is one list for all (RULES, "Results").
 *
 * @module
 */

/** Every result there is. The index has their positions, so a new one comes last. */
export const RESULTS = [
  /** the first checkpoint this monitor was shown of a log */
  "first",
  /** larger than the view and proven to extend it */
  "extends",
  /** the view again */
  "unchanged",
  /** older than the view, and consistent with it; a log may rightly serve an old checkpoint */
  "rolled back",
  /** no tree can have both this and what the log signed before: evidence */
  "inconsistent",
  /** a proof was refused or fails: suspicion, but proof of nothing */
  "unproven",
  /** the log has not grown for longer than its patience */
  "frozen",
  /** nobody answered, or the answer is no signed checkpoint: an outage */
  "unavailable",
  /** peers were shown it; the log answers us, but does not show it */
  "withheld",
  /** heard, and larger than the view: settled when the view reaches it */
  "pending",
  /** heard, and part of the view's history */
  "consistent",
  /** heard, and the same as this monitor was shown */
  "matches",
  /** left out: it was an open question and had to give way to others */
  "refused",
  /** the answer is a signed checkpoint, but no known key of this log has signed it */
  "unverified",
] as const;
/** One of RESULTS. */
export type Result = (typeof RESULTS)[number];

/** The results that move this monitor's own view: the checkpoint was proven to extend the last. */
export const PROVING_RESULTS: readonly Result[] = ["first", "extends"];

/**
 * The results that say that a checkpoint agrees with the view. A `frozen` one was `unchanged` or
 * `rolled back`.
 */
export const AGREEING_RESULTS: readonly Result[] = [
  ...["first", "extends", "unchanged", "rolled back", "frozen", "consistent", "matches"] as const,
];

/**
 * The results that leave a checkpoint an open question. It was heard and the view has not reached
 * it yet, or there was no proof to compare it by. It is not forgotten, because a later view may
 * contradict it.
 */
export const OPEN_RESULTS: readonly Result[] = ["pending", "unproven", "unavailable"];
