/**
 * The properties that every simulated run must have.
 *
 * @module
 */
/** What must hold. Violations and ARCHITECTURE use these names. */
export const PROPERTIES = [
  /** no incident is about an honest log, and each about a dishonest log is true */
  "no false accusation",
  /** no conflict record that a stranger's verify rejects */
  "evidence holds",
  /** no two entries for one case in one journal */
  "one entry a case",
  /** nothing that was acknowledged as recorded is ever lost */
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
  /** a mirror comes to hold all of the journal that it mirrors within the bound */
  "mirrors follow in time",
  /** members that know each other, and have room, have a session within the bound */
  "members meet in time",
  /** no honest member is banned by honest ones, nor said to be in two places */
  "no honest member is put out",
  /** a member that said two things under one number is recorded by all that are linked and heard both */
  "two tongues are recorded",
  /** of each case an alert arrives at a channel that works again, as one EMERGENCY, with its evidence */
  "alerts arrive",
  /** every started exchange ends */
  "exchanges end",
  /** no monitor asks a log again before the moment that the log named */
  "Retry-After is kept",
  /** the numbers of open connections, timers and open questions stay bounded */
  "bounded",
  /** trouble of logs and peers makes few lines, and its end is told */
  "trouble is told",
  /** what a site of a store saw is in the store, and a split that two of them saw is recorded by all */
  "sites share what they saw",
  /** nobody writes without a lease, fences rise, and no site believes in a lease that it has not */
  "one holder at a time",
  /** sites that take turns at a log leave it to nobody no longer than a lease and some polls */
  "no log is left alone",
  /** the status says that a store is away, and no log or peer is blamed for it */
  "the store's faults are its own",
  /** the program fails only because something outside has failed */
  "no fault of its own",
] as const;

/** One of PROPERTIES. */
export type Property = typeof PROPERTIES[number];

/** A property that did not hold, once. */
export interface Violation {
  readonly property: Property;
  /** Milliseconds since the start. */
  readonly at: number;
  readonly detail: string;
}
