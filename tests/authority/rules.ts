/** Rules of quorums by their definitions: every set of parties is tried. For few parties. */
import { assert, assertEquals } from "@std/assert";
import { type Rule, type Tolerance, toleranceOf } from "../../src/authority/tolerance.ts";

/** Whether these parties are a quorum. */
export function isMet(rule: Rule, parties: ReadonlySet<string>): boolean {
  if (typeof rule === "string") return parties.has(rule);
  return rule.of.filter((part) => isMet(part, parties)).length >= rule.least;
}

/** The parties of a rule, each once. */
export function partiesOf(rule: Rule): string[] {
  return typeof rule === "string" ? [rule] : [...new Set(rule.of.flatMap(partiesOf))];
}

/** All sets of these, in an order that grows like binary numbers. */
export function subsetsOf(all: readonly string[]): Set<string>[] {
  return Array.from(
    { length: 2 ** all.length },
    (_, bits) => new Set(all.filter((_, i) => (bits >> i) % 2 === 1)),
  );
}

/** Whether there is no quorum without these parties. */
export function canStop(rule: Rule, failing: ReadonlySet<string>): boolean {
  return !isMet(rule, new Set(partiesOf(rule)).difference(failing));
}

/**
 * The honest parties that are told the one story, if these liars can have two inconsistent
 * checkpoints committed: the other honest ones are told the other story. Nothing if they cannot.
 */
export function wayToSplit(rule: Rule, liars: ReadonlySet<string>): Set<string> | undefined {
  const honest = partiesOf(rule).filter((party) => !liars.has(party));
  return subsetsOf(honest).find((toldOne) => {
    const toldTheOther = new Set(honest).difference(toldOne);
    return isMet(rule, toldOne.union(liars)) && isMet(rule, toldTheOther.union(liars));
  });
}

/** The two numbers by their definitions: every set of parties, every pair of quorums. */
function byTrying(rule: Rule): { failuresToStop: number; liarsToSplit: number } {
  const subsets = subsetsOf(partiesOf(rule));
  const quorums = subsets.filter((parties) => isMet(rule, parties));
  const stopping = subsets.filter((parties) => canStop(rule, parties));
  const common = quorums.flatMap((one) => quorums.map((two) => one.intersection(two).size));
  return {
    failuresToStop: Math.min(...stopping.map(({ size }) => size)),
    liarsToSplit: common.reduce((least, size) => Math.min(least, size)),
  };
}

/** What is computed of a rule. It fails if nothing is. */
export function computedTolerance(rule: Rule): Tolerance {
  const tolerance = toleranceOf(rule);
  assert("parties" in tolerance, JSON.stringify(tolerance));
  return tolerance;
}

/** Asserts that the numbers are right, and that the named parties do it. */
export function checkTolerance(rule: Rule): void {
  const { failuresToStop, liarsToSplit, stopping, splitting } = computedTolerance(rule);
  const what = JSON.stringify(rule);
  assertEquals({ failuresToStop, liarsToSplit }, byTrying(rule), what);
  assertEquals([stopping.length, splitting.length], [failuresToStop, liarsToSplit], what);
  assert(canStop(rule, new Set(stopping)), `${what} stops`);
  assert(wayToSplit(rule, new Set(splitting)) !== undefined, `${what} splits`);
}
