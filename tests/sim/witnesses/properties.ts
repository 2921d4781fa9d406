/**
 * What must hold in every simulated run of witnesses.
 *
 * @module
 */

/** What must hold. Violations and ARCHITECTURE use these names. */
export const WITNESS_PROPERTIES = [
  /** with fewer liars than the policy check names, no two inconsistent checkpoints are committed */
  "one history is committed",
  /** with the liars that it names, the log finds a way to have two committed */
  "a predicted break is found",
  /** a checkpoint is committed unless so many fail as it names, and never without those it names */
  "a quorum is met if it can be",
  /** no honest witness ever cosigns two heads that no tree can have */
  "a witness tells one story",
  /** a witness that was killed, or lost its power, remembers each cosignature that has left */
  "a witness remembers",
  /** it cosigns from the recorded size only, starts after any crash, and goes on with its history */
  "a witness answers as specified",
  /** a log's two roots at one size are handed on when they are refused */
  "a refusal keeps evidence",
  /** a client counts what a witness of its policy has signed about this checkpoint, and no more */
  "only cosignatures count",
] as const;

/** One of WITNESS_PROPERTIES. */
export type WitnessProperty = typeof WITNESS_PROPERTIES[number];

/** A property that did not hold, once. */
export interface WitnessViolation {
  readonly property: WitnessProperty;
  readonly detail: string;
}

/** Counts how often each property was looked at, and keeps what was violated. */
export class WitnessChecks {
  readonly checked: Record<string, number> = {};
  readonly violations: WitnessViolation[] = [];

  /** Looks at one property. */
  expect(holds: boolean, property: WitnessProperty, detail: () => string): void {
    this.checked[property] = (this.checked[property] ?? 0) + 1;
    if (!holds) this.violations.push({ property, detail: detail() });
  }
}
