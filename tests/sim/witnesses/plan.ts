/**
 * What a seed of the witnesses' simulation is about: the policy, who lies, and what the log is after.
 *
 * @module
 */
import { type Rule, type Tolerance, toleranceOf } from "../../../src/authority/tolerance.ts";
import { wayToSplit } from "../../authority/rules.ts";
import { type Draw, drawFrom } from "../draw.ts";
import { drawQuorum, inParties, type QuorumPlan } from "./quorum.ts";

/** What the log and the liars are after. */
export type Aim =
  /** The log tells stories in any order; fewer lie than the policy check names. */
  | "too few lie"
  /** As before, and the log keeps to a way to divide the honest witnesses. */
  | "too few lie, and the honest are divided"
  /** The liars that the policy check names, or more; the honest are divided. */
  | "enough lie"
  /** Anybody lies; the honest are divided if that leads anywhere. */
  | "some lie"
  /** The log is honest; some witnesses do not answer. */
  | "some fail";

/** All aims. */
export const AIMS: readonly Aim[] = [
  ...["too few lie", "too few lie, and the honest are divided", "enough lie"] as const,
  ...["some lie", "some fail"] as const,
];

/** A run before it begins. */
export interface WitnessPlan {
  readonly seed: number;
  readonly draw: Draw;
  readonly quorum: QuorumPlan;
  readonly aim: Aim;
  /** Who lies, or fails. */
  readonly liars: ReadonlySet<string>;
  /** The honest ones that are told history 0 first; the others are told history 1. */
  readonly toldOne: ReadonlySet<string> | undefined;
  /** Whether these liars can have two histories committed, by trying every way. */
  readonly canSplit: boolean;
  /** What the policy check says. */
  readonly tolerance: Tolerance;
  /** How many things the log and the liars do before the last two checkpoints. */
  readonly moves: number;
}

/** What a run may be told instead of drawing it. */
export interface WitnessOptions {
  readonly quorum?: QuorumPlan;
  readonly aim?: Aim;
}

/** Most moves of a run. */
const MAX_MOVES = 60;

/** Plans a seed. */
export function planWitnesses(
  seed: number,
  { quorum: wanted, aim: wantedAim }: WitnessOptions = {},
): WitnessPlan {
  const draw = drawFrom(seed);
  const quorum = wanted ?? drawQuorum(draw.branch());
  const rule = inParties(quorum.rule);
  const tolerance = toleranceOf(rule);
  if ("notComputed" in tolerance) throw new Error(tolerance.notComputed);
  const drawn = wantedAim ?? draw.pick(AIMS);
  // If two quorums need not share anybody, nobody is fewer than those who need to lie.
  const aim = drawn.startsWith("too few") && tolerance.liarsToSplit === 0 ? "enough lie" : drawn;
  const names = quorum.parties.map(({ name }) => name);
  const liars = new Set(drawLiars({ draw, aim, names, tolerance }));
  const way = wayToSplit(rule, liars);
  const isDivided = aim === "some lie"
    ? way !== undefined
    : aim !== "too few lie" && aim !== "some fail";
  const anyWay = new Set(names.filter((name) => !liars.has(name) && draw.chance(0.5)));
  return {
    ...{ seed, draw, quorum, aim, liars, tolerance },
    canSplit: way !== undefined,
    toldOne: isDivided ? way ?? anyWay : undefined,
    moves: draw.between(0, MAX_MOVES),
  };
}

function drawLiars(
  { draw, aim, names, tolerance: { splitting, liarsToSplit, stopping, failuresToStop } }: {
    draw: Draw;
    aim: Aim;
    names: readonly string[];
    tolerance: Tolerance;
  },
): readonly string[] {
  const some = (most: number): string[] =>
    draw.shuffled(names).slice(0, draw.chance(0.7) ? most : draw.between(0, most));
  switch (aim) {
    case "too few lie":
    case "too few lie, and the honest are divided":
      return some(liarsToSplit - 1);
    case "enough lie":
      return draw.chance(0.7) ? splitting : [...splitting, ...some(names.length)];
    case "some lie":
      return some(draw.between(0, names.length));
    case "some fail":
      return draw.chance(0.5) ? stopping : some(failuresToStop - 1);
  }
}

/** A rule for people: `2 of (a, b, 1 of (c, d))`. */
export function formatRule(rule: Rule): string {
  if (typeof rule === "string") return rule.replace(".invalid", "");
  return `${rule.least} of (${rule.of.map(formatRule).join(", ")})`;
}
