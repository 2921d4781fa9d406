/**
 * The properties that every simulated run is held to.
 *
 * @module
 */
/** What must hold; a violation names one of them, and so does ARCHITECTURE. */
export const PROPERTIES = [
  /** no incident against an honest log, and none that is not true of a dishonest one */
  "no false accusation",
  /** no conflict record that a stranger's verify rejects */
  "evidence holds",
  /** no two entries for one case in one journal */
  "one entry a case",
  /** nothing that was acknowledged as recorded is ever gone */
  "nothing acknowledged is lost",
  /** no view rolls back, or changes its story */
  "no view rolls back",
  /** journals and observation chains always check */
  "chains check",
  /** what two honest connected monitors were shown is recorded by both within the bound */
  "both know in time",
  /** the view of every monitor reaches what an honest log shows within the bound */
  "views catch up in time",
  /** honest connected monitors come to hold the same convictions within the bound */
  "evidence spreads in time",
  /** every started exchange ends */
  "exchanges end",
  /** nobody asks a log again before it said that it may */
  "Retry-After is kept",
  /** open connections, and calls that are due, stay bounded */
  "bounded",
  /** the program fails only as it may: because the outside did */
  "no fault of its own",
] as const;

/** One of PROPERTIES. */
export type Property = typeof PROPERTIES[number];

/** One thing that must not have happened. */
export interface Violation {
  readonly property: Property;
  /** Milliseconds since the start. */
  readonly at: number;
  readonly detail: string;
}
