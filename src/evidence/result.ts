/**
 * What a look at a log, an exchange with a peer, and so an entry of the observation journal comes to. One
 * list for all of them (RULES, "Results").
 *
 * @module
 */

/** Every result there is. */
export const RESULTS = [
  /** the first checkpoint this monitor was shown of a log */
  "first",
  /** larger than the view and proven to extend it */
  "extends",
  /** the view again */
  "unchanged",
  /** older than the view, and consistent with it: an old view may be served legitimately */
  "rolled back",
  /** no tree has both it and what the log signed before: evidence */
  "inconsistent",
  /** a proof was refused or fails: suspicion, and proof of nothing */
  "unproven",
  /** the log stands for longer than it may */
  "frozen",
  /** nobody answered, or with what is no checkpoint of this log: an outage */
  "unavailable",
  /** peers were shown it, and the log, though it answers, does not show it to us */
  "withheld",
  /** heard, and larger than the view: settled when the view reaches it */
  "pending",
  /** heard, and part of the view's history */
  "consistent",
  /** heard, and what this monitor was shown itself */
  "matches",
  /** left out: it had been an open question, and had to give way */
  "refused",
] as const;
/** One of RESULTS. */
export type Result = (typeof RESULTS)[number];

/** The results that move this monitor's own view: the checkpoint was proven to extend the last. */
export const PROVING_RESULTS: readonly Result[] = ["first", "extends"];

/**
 * The results that leave a checkpoint an open question: heard and not reached yet, or not compared
 * because the proof was not to be had. Later views may contradict it, so it is not forgotten.
 */
export const OPEN_RESULTS: readonly Result[] = ["pending", "unproven", "unavailable"];
