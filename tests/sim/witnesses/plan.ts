/**
 * What a seed of the witnesses' simulation is about: the policy, who lies, and what the log is after.
 *
 * @module
 */
import { generateCosigningKey } from "../../../src/authority/cosigning.ts";
import type { Policy } from "../../../src/authority/policy.ts";
import {
  type Rule,
  ruleOf,
  type Tolerance,
  toleranceOf,
} from "../../../src/authority/tolerance.ts";
import { PushingLog } from "../../authority/pushing_log.ts";
import { wayToSplit } from "../../authority/rules.ts";
import { type Draw, drawFrom } from "../draw.ts";
import { signing } from "../signing.ts";
import type { SeededKey } from "./liar.ts";
import {
  drawQuorum,
  inParties,
  keyLabel,
  type PartyPlan,
  policyOfQuorum,
  type QuorumPlan,
} from "./quorum.ts";

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
  readonly logs: readonly PushingLog[];
  /** By label. */
  readonly keys: ReadonlyMap<string, SeededKey>;
  readonly policy: Policy;
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

/** Knuth's multiplicative hash of 32 bits (The Art of Computer Programming 3, 6.4). */
const SCATTER = 0x9e3779b1;
/** Most moves of a run. */
const MAX_MOVES = 60;

/** The logs' names. The second one is there so that records of two share a sync. */
const LOGS = ["log.invalid/one", "log.invalid/two"];

/** Plans a seed. */
export async function planWitnesses(
  seed: number,
  { quorum: wanted, aim: wantedAim }: WitnessOptions = {},
): Promise<WitnessPlan> {
  // Seeds that are near each other would draw policies that are alike.
  const draw = drawFrom(Math.imul(seed, SCATTER) >>> 0);
  const quorum = wanted ?? drawQuorum(draw.branch());
  const logs = await Promise.all(LOGS.map(PushingLog.named));
  const keys = await drawKeys(draw, quorum.parties);
  const policy = policyOfQuorum({ rule: quorum.rule, keys, logs, draw });
  const tolerance = toleranceOf(ruleOf(policy.quorum!));
  if ("notComputed" in tolerance) throw new Error(tolerance.notComputed);
  const drawn = wantedAim ?? draw.pick(AIMS);
  // If two quorums need not share anybody, nobody is fewer than those who need to lie.
  const aim = drawn.startsWith("too few") && tolerance.liarsToSplit === 0 ? "enough lie" : drawn;
  const names = quorum.parties.map(({ name }) => name);
  const liars = new Set(drawLiars({ draw, aim, names, tolerance }));
  const way = wayToSplit(inParties(quorum.rule), liars);
  const isDivided = aim === "some lie"
    ? way !== undefined
    : aim !== "too few lie" && aim !== "some fail";
  const anyWay = new Set(names.filter((name) => !liars.has(name) && draw.chance(0.5)));
  return {
    ...{ seed, draw, quorum, aim, logs, keys, policy, liars, tolerance },
    canSplit: way !== undefined,
    toldOne: isDivided ? way ?? anyWay : undefined,
    moves: draw.between(0, MAX_MOVES),
  };
}

async function drawKeys(
  draw: Draw,
  parties: readonly PartyPlan[],
): Promise<Map<string, SeededKey>> {
  const keys = new Map<string, SeededKey>();
  for (const { name, types } of parties) {
    for (const type of types) {
      const seed = draw.bytes(32);
      const world = { signing, random: { bytes: () => seed } };
      const { key } = await generateCosigningKey({ world, name, type });
      keys.set(keyLabel(name, type), { key, seed });
    }
  }
  return keys;
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
