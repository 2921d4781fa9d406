/**
 * What a quorum tolerates: how many witnesses may fail before nothing is committed, and how many may
 * lie before two inconsistent checkpoints are. Both follow from the structure of its groups.
 *
 * A _party_ is who fails or lies as one. Witnesses whose keys bear one name are one party: an
 * operator that cosigns with Ed25519 and with ML-DSA-44 is one operator. An honest party never
 * cosigns two inconsistent checkpoints, with whichever of its keys.
 *
 * With n parties of which q are enough, n - q may fail and 2q - n - 1 may lie. So f of either kind
 * are tolerated with n = 3f + 1 and q = 2f + 1. Groups in groups have no such formula.
 *
 * @module
 */
import type { PolicyMember } from "./policy.ts";

/** A party, or so many of some rules. A party may stand in several places. */
export type Rule = string | { readonly least: number; readonly of: readonly Rule[] };

/** What a quorum tolerates. */
export interface Tolerance {
  /** How many parties there are in it. */
  readonly parties: number;
  /** The least number of parties without which there is no quorum. At least 1. */
  readonly failuresToStop: number;
  /** Parties that are so many, and without which there is no quorum. */
  readonly stopping: readonly string[];
  /**
   * The least number of parties that two quorums have in common. If so many lie, the honest ones
   * can be told two stories, and two inconsistent checkpoints are committed. 0 if two quorums need
   * not share anybody.
   */
  readonly liarsToSplit: number;
  /** Parties that are so many, and whose lying is enough. */
  readonly splitting: readonly string[];
}

/**
 * Most steps of the search, about a second of work. Without parties in several places the largest
 * policy needs fewer. Each party that stands in several places makes it three times as many.
 */
export const MAX_TOLERANCE_STEPS = 60_000_000;

/** The quorum is too involved to say what it tolerates. */
export interface NotComputed {
  readonly notComputed: string;
}

/** The rule of a policy's quorum, in parties: a party is the name of a witness's key. */
export function ruleOf(member: PolicyMember): Rule {
  if (member.kind === "witness") return member.cosigner.vkey.name;
  return { least: member.threshold, of: member.members.map(ruleOf) };
}

/**
 * Computes what a quorum tolerates, exactly.
 *
 * Where every party stands in one place, the parts of the rule do not depend on one another, and
 * the least is found part by part. For parties in several places, every way to place them is tried:
 * they fail or not; they are shown one story, or the other, or lie. If that takes more than
 * MAX_TOLERANCE_STEPS, nothing is said.
 * @param rule each `least` is from 1 to the number of its parts
 */
export function toleranceOf(rule: Rule): Tolerance | NotComputed {
  const simple = simplified(rule);
  const places = partiesOf(simple);
  const parties = [...new Set(places)];
  const shared = parties.filter((party) => places.indexOf(party) !== places.lastIndexOf(party));
  // Three ways for each shared party; and all of it again for each way of each party (`choose`).
  const steps = 3 ** shared.length * stepsOf(simple) * (3 * parties.length + 1);
  if (steps > MAX_TOLERANCE_STEPS) {
    return {
      notComputed: `${shared.length} of ${parties.length} witnesses stand in several groups, and ` +
        `to try every way takes more than ${MAX_TOLERANCE_STEPS} steps`,
    };
  }
  const stop = choose({ parties, shared, ways: STOP_WAYS, cost: costToStop(simple) });
  const split = choose({ parties, shared, ways: SPLIT_WAYS, cost: costToSplit(simple) });
  return {
    parties: parties.length,
    failuresToStop: stop.least,
    stopping: stop.of("fails"),
    liarsToSplit: split.least,
    splitting: split.of("lies"),
  };
}

/** What becomes of a party. */
type Way = "works" | "fails" | "shown one" | "shown the other" | "lies";

/** The ways of a party, with what each costs: a party that fails or lies counts as one. */
type Ways = readonly (readonly [Way, number])[];
const STOP_WAYS: Ways = [["works", 0], ["fails", 1]];
const SPLIT_WAYS: Ways = [["shown one", 0], ["shown the other", 0], ["lies", 1]];

/** The parties whose way is settled. */
type Settled = ReadonlyMap<string, Way>;

/**
 * The least number of parties to fail or lie, and parties that are so many: one after the other is
 * settled in a way that leaves the least as it is.
 */
function choose({ parties, shared, ways, cost }: {
  parties: readonly string[];
  shared: readonly string[];
  ways: Ways;
  /** What it costs for the parties that are not settled. */
  cost: (settled: Settled) => number;
}): { least: number; of: (way: Way) => string[] } {
  const leastWith = (settled: Settled): number => {
    const next = shared.find((party) => !settled.has(party));
    if (next === undefined) return cost(settled);
    return Math.min(
      ...ways.map(([way, price]) => price + leastWith(new Map([...settled, [next, way]]))),
    );
  };
  const least = leastWith(new Map());
  const settled = new Map<string, Way>();
  let spent = 0;
  for (const party of parties) {
    const [way, price] = ways.find(([way, price]) =>
      spent + price + leastWith(new Map([...settled, [party, way]])) === least
    )!;
    settled.set(party, way);
    spent += price;
  }
  return { least, of: (way) => parties.filter((party) => settled.get(party) === way) };
}

/**
 * The least number of parties, besides those settled, that must fail so that a rule is not met. To
 * stop a group, so many parts are stopped that too few are left; the cheapest ones.
 */
function costToStop(rule: Rule): (settled: Settled) => number {
  const cost = (part: Rule, settled: Settled): number => {
    if (typeof part === "string") {
      const way = settled.get(part);
      return way === undefined ? 1 : way === "fails" ? 0 : Infinity;
    }
    const costs = part.of.map((one) => cost(one, settled)).sort((a, b) =>
      Number(a > b) - Number(a < b)
    );
    return sum(costs.slice(0, part.of.length - part.least + 1));
  };
  return (settled) => cost(rule, settled);
}

/** What it costs that a part is met for the one checkpoint, for the other, or for both. */
interface SplitCost {
  readonly one: number;
  readonly other: number;
  readonly both: number;
}

/** The least number of parties, besides those settled, that must lie so that a rule is met twice. */
function costToSplit(rule: Rule): (settled: Settled) => number {
  const cost = (part: Rule, settled: Settled): SplitCost =>
    typeof part === "string"
      ? splitCostOfParty(settled.get(part))
      : splitCostOfGroup(part.least, part.of.map((one) => cost(one, settled)));
  return (settled) => cost(rule, settled).both;
}

/** An honest party is told one story; which one costs nothing, unless it is settled. */
function splitCostOfParty(way: Way | undefined): SplitCost {
  switch (way) {
    case undefined:
      return { one: 0, other: 0, both: 1 };
    case "shown one":
      return { one: 0, other: Infinity, both: Infinity };
    case "shown the other":
      return { one: Infinity, other: 0, both: Infinity };
    default:
      return { one: 0, other: 0, both: 0 };
  }
}

/**
 * Goes through the parts and keeps the least cost for every number of parts, up to `least`, that
 * are met for the one checkpoint and for the other.
 */
function splitCostOfGroup(least: number, parts: readonly SplitCost[]): SplitCost {
  const width = least + 1;
  const costs = new Float64Array(width * width).fill(Infinity);
  costs[0] = 0;
  for (const part of parts) {
    // Downwards, so that each part is used once.
    for (let one = least; one >= 0; one--) {
      for (let other = least; other >= 0; other--) {
        const at = (a: number, b: number): number =>
          costs[Math.max(a, 0) * width + Math.max(b, 0)]!;
        costs[one * width + other] = Math.min(
          at(one, other),
          at(one - 1, other) + (one > 0 ? part.one : Infinity),
          at(one, other - 1) + (other > 0 ? part.other : Infinity),
          at(one - 1, other - 1) + (one > 0 && other > 0 ? part.both : Infinity),
        );
      }
    }
  }
  return {
    one: costs[least * width]!,
    other: costs[least]!,
    both: costs[least * width + least]!,
  };
}

/** How many steps it takes to go through a rule once. */
function stepsOf(rule: Rule): number {
  if (typeof rule === "string") return 1;
  return rule.of.length * (rule.least + 1) ** 2 + sum(rule.of.map(stepsOf));
}

/** A group of one party's keys is that party, however many of them are wanted. */
function simplified(rule: Rule): Rule {
  if (typeof rule === "string") return rule;
  const of = rule.of.map(simplified);
  const [first] = of;
  const isOneParty = typeof first === "string" && of.every((part) => part === first);
  return isOneParty ? first : { least: rule.least, of };
}

/** The parties of a rule, as often as they stand in it. */
function partiesOf(rule: Rule): string[] {
  return typeof rule === "string" ? [rule] : rule.of.flatMap(partiesOf);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
