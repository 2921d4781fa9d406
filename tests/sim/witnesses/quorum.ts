/**
 * Policies for the simulation of witnesses: flat ones, those of real policies, and nested ones.
 *
 * @module
 */
import type { CosignerType } from "../../../src/authority/cosigning.ts";
import { parsePolicy, type Policy } from "../../../src/authority/policy.ts";
import type { Rule } from "../../../src/authority/tolerance.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import type { PushingLog } from "../../authority/pushing_log.ts";
import type { Draw } from "../draw.ts";
import type { SeededKey } from "./liar.ts";

/** An operator of a witness: one name, and one key or two of different types. */
export interface PartyPlan {
  readonly name: string;
  readonly types: readonly CosignerType[];
}

/** A quorum before its keys are made. */
export interface QuorumPlan {
  readonly parties: readonly PartyPlan[];
  /** The rule in keys, each named as `keyLabel` does. Each stands in one place. */
  readonly rule: Rule;
}

const { cosignature, mldsa44 } = SIGNATURE_TYPE;
/** Operators that have a key of ML-DSA-44, at most: to sign with it takes 7 ms. */
const MAX_MLDSA = 2;
/** Operators of a nested policy, at most. Every set of them is tried. */
const MAX_PARTIES = 7;

/** What a policy calls a key. */
export function keyLabel(party: string, type: CosignerType): string {
  return `${party}-${type}`;
}

/** The rule in parties: who lies, lies with both of its keys. */
export function inParties(rule: Rule): Rule {
  if (typeof rule === "string") return rule.slice(0, rule.lastIndexOf("-"));
  return { least: rule.least, of: rule.of.map(inParties) };
}

/** Five of seven, where each has an Ed25519 key. */
export function fiveOfSeven(): QuorumPlan {
  return planned({ least: 5, of: namesOf(7) });
}

/** A quorum with one Ed25519 key for each name in the rule. */
export function planned(rule: Rule): QuorumPlan {
  const parties: PartyPlan[] = [];
  const keyed = (part: Rule): Rule => {
    if (typeof part !== "string") return { least: part.least, of: part.of.map(keyed) };
    parties.push({ name: part, types: [cosignature] });
    return keyLabel(part, cosignature);
  };
  return { rule: keyed(rule), parties };
}

/** Draws a quorum: five of seven in four of ten cases. */
export function drawQuorum(draw: Draw): QuorumPlan {
  const parties = draw.chance(0.4) ? 7 : draw.between(1, MAX_PARTIES);
  const isFlat = parties === 7;
  const withMldsa = draw.chance(0.25) ? draw.between(1, MAX_MLDSA) : 0;
  const plans = namesOf(parties).map((name, i): PartyPlan => {
    if (i >= withMldsa) return { name, types: [cosignature] };
    return { name, types: draw.chance(0.3) ? [mldsa44] : [cosignature, mldsa44] };
  });
  if (isFlat) {
    const places = plans.map(({ name, types }): Rule => {
      const labels = types.map((type) => keyLabel(name, type));
      return labels.length === 1 ? labels[0]! : { least: draw.between(1, 2), of: labels };
    });
    return { parties: plans, rule: { least: 5, of: places } };
  }
  // The two keys of one operator may stand in groups that are far apart.
  const labels = plans.flatMap(({ name, types }) => types.map((type) => keyLabel(name, type)));
  return { parties: plans, rule: nested(draw, draw.shuffled(labels), 3) };
}

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `w${i + 1}.invalid`);
}

/** Groups in groups over these labels. */
function nested(draw: Draw, labels: readonly string[], depth: number): Rule {
  const [only] = labels;
  if (labels.length === 1 && draw.chance(0.8)) return only!;
  const count = draw.between(1, Math.min(4, labels.length));
  const parts = depth === 0 ? labels.map((label) => [label]) : dealt(labels, count);
  const of = parts.map((part) => depth === 0 ? part[0]! : nested(draw, part, depth - 1));
  return { least: draw.between(Math.ceil(of.length / 2), of.length), of };
}

/** Deals labels to so many parts; each has one at least. */
function dealt(labels: readonly string[], count: number): string[][] {
  const parts: string[][] = Array.from({ length: count }, () => []);
  labels.forEach((label, i) => parts[i % count]!.push(label));
  return parts;
}

/** Writes a policy and reads it. */
export function policyOfQuorum(
  { rule, keys, logs, draw }: {
    rule: Rule;
    /** By label. */
    keys: ReadonlyMap<string, SeededKey>;
    logs: readonly PushingLog[];
    draw: Draw;
  },
): Policy {
  const lines = logs.map(({ log: { vkey } }) => `log ${vkey.text}`);
  for (const [label, { key: { vkey } }] of keys) lines.push(`witness ${label} ${vkey.text}`);
  let groups = 0;
  const define = (part: Rule): string => {
    if (typeof part === "string") return part;
    const members = part.of.map(define);
    const name = `group-${++groups}`;
    const isAll = part.least === members.length && draw.chance(0.5);
    const threshold = isAll ? "all" : part.least === 1 && draw.chance(0.5) ? "any" : part.least;
    lines.push(`group ${name} ${threshold} ${members.join(" ")}`);
    return name;
  };
  lines.push(`quorum ${define(rule)}`);
  return parsePolicy(utf8(lines.map((line) => `${line}\n`).join("")));
}
