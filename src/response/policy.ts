/**
 * The alert policy: which event makes an alert, at which level, and what is done. It is a JSON file
 * (OPERATING, "Alerts"); without one, `DEFAULT_RULES` hold. The first rule that matches decides.
 *
 * @module
 */
import { MalformedError, printable } from "../tlog/malformed.ts";
import { oneOf, unexpected } from "../tlog/members.ts";
import { type Given, lineAndColumn, parseJsonc } from "../world/jsonc.ts";
import { countUpTo, readText } from "../world/setting_values.ts";
import type { World } from "../world/world.ts";
import {
  ALERT_ACTIONS,
  ALERT_LEVELS,
  type AlertAction,
  type AlertLevel,
  isAtLeast,
} from "./alert.ts";

/** Names the format of a policy. */
export const POLICY_VERSION = "hearsay/alert-policy/v1";
/** The longest policy that is read, in bytes. */
export const MAX_POLICY_BYTES = 256 * 1024;
const MAX_RULES = 1_000;
const MAX_FAULTS = 20;
/** A week. */
const MAX_AFTER_SECONDS = 7 * 24 * 3_600;
const SECONDS_MS = 1_000;

/** What an event must have for a rule to match it. */
export interface EventFacts {
  /** Its name, as `run --json` prints it. */
  readonly event: string;
  /** The level at which it was told. */
  readonly told: string;
  /** Its subject, such as the origin of a log or the address of a peer; empty for the monitor itself. */
  readonly subject: string;
  /** Whether a case is about a log, the statements of a monitor, or what a witness cosigned. */
  readonly about: "log" | "monitor" | "witness";
}

/** What a rule decides. */
export interface Decision {
  readonly level: AlertLevel;
  readonly action: AlertAction;
  /** Told only once it has lasted so long, in milliseconds. Of things that do not last, 0. */
  readonly afterMs: number;
}

/** One rule. */
export interface Rule extends Decision {
  /** The name of an event; a star at its end stands for any rest. */
  readonly event: string;
  /** Matches only events told at this level, such as `warning`. */
  readonly told?: string;
  /** Matches only what is about this log or peer. */
  readonly subject?: string;
  /** Matches only cases about a log, about a monitor, or about a witness. */
  readonly about?: "log" | "monitor" | "witness";
  /** Where it stands in its file, from 1. */
  readonly line?: number;
}

const MINUTE_MS = 60_000;

/** An outage is told once it has lasted so long. */
const OUTAGE_MS = 15 * MINUTE_MS;
/** A peer that fails is told once it has lasted so long: comparisons are made with the others. */
const PEER_MS = 60 * MINUTE_MS;

function warnings(afterMs: number, ...events: string[]): Rule[] {
  return events.map((event) => ({ event, level: "WARNING", action: "alert", afterMs }));
}

/** The rules that hold where no policy is given. */
export const DEFAULT_RULES: readonly Rule[] = [
  ...warnings(0, "incident.refused"),
  // A log is frozen on suspicion; or a person let it go on, or closed the incident.
  {
    ...{ event: "incident.step", told: "error" },
    ...{ level: "WARNING", action: "freeze_acceptance", afterMs: 0 },
  },
  { event: "incident.step", level: "INFO", action: "alert", afterMs: 0 },
  // Not a log: a monitor whose folder was copied or restored signs two statements under one number,
  // and a witness may have cosigned two roots of a log that did nothing wrong.
  ...(["monitor", "witness"] as const).map((about): Rule => ({
    ...{ event: "incident.*", about, level: "CRITICAL", action: "alert", afterMs: 0 },
  })),
  ...["incident.recorded", "incident.unrecorded", "incident.not written"].map((event): Rule => ({
    ...{ event, level: "EMERGENCY", action: "freeze_acceptance", afterMs: 0 },
  })),
  { event: "log.unverified", level: "CRITICAL", action: "reject_and_alert", afterMs: 0 },
  // A part of the proof is missing, and that may pass. If it lasts, it is told as an error.
  {
    ...{ event: "log.unproven", told: "warning" },
    ...{ level: "WARNING", action: "alert", afterMs: OUTAGE_MS },
  },
  { event: "log.unproven", level: "CRITICAL", action: "reject_and_alert", afterMs: 0 },
  ...warnings(0, "log.withheld", "log.frozen", "log.retired"),
  ...warnings(OUTAGE_MS, "log.unavailable", "log.rolled back"),
  ...warnings(PEER_MS, "exchange.failed", "exchange.refused", "exchange.nothing shared"),
  ...warnings(PEER_MS, "exchange.self"),
  ...warnings(0, "member.banned", "member.key_used_twice"),
  ...warnings(0, "disk.refused", "journal.lost", "journal.unsound", "folder.moved", "key.changed"),
  ...warnings(0, "journal.epoch"),
  ...warnings(0, "daemon.fault", "config.refused"),
  ...warnings(0, "status.failed", "witness.failed", "federation.failed"),
  // It has been behind for longer than is allowed when this is told.
  ...warnings(0, "witness.missing", "witness.lagging"),
  ...warnings(OUTAGE_MS, "witness.list_unavailable"),
  // That a mirrored journal equivocates is a case, and told as one.
  { event: "mirror.equivocated", level: "INFO", action: "none", afterMs: 0 },
  ...warnings(PEER_MS, "mirror.failed"),
  ...warnings(OUTAGE_MS, "mirror.rolled back"),
  ...warnings(0, "mirror.refused", "mirror.record refused", "mirror.began anew", "mirror.damaged"),
  ...warnings(0, "alert.disabled", "alert.lost"),
  ...warnings(OUTAGE_MS, "alert.failed", "store.away"),
  { event: "*", level: "INFO", action: "none", afterMs: 0 },
];

/** The first of these rules that matches; nothing if none does. */
export function ruleFor(rules: readonly Rule[], facts: EventFacts): Rule | undefined {
  return rules.find((rule) =>
    matchesName(rule.event, facts.event) &&
    (rule.told === undefined || rule.told === facts.told) &&
    (rule.subject === undefined || rule.subject === facts.subject) &&
    (rule.about === undefined || rule.about === facts.about)
  );
}

/** The events that come with evidence which a machine can check. No other may be CRITICAL or graver. */
export const PROVABLE_EVENTS: readonly string[] = [
  ...["incident.recorded", "incident.unrecorded", "incident.not written"],
  ...["log.unverified", "log.unproven"],
];

/** Whether the name in a rule is that of an event; a star at its end stands for any rest. */
export function matchesName(wanted: string, event: string): boolean {
  return wanted.endsWith("*") ? event.startsWith(wanted.slice(0, -1)) : wanted === event;
}

/** The events' own levels, which a rule may name. */
const TOLD = ["info", "warning", "error"];
const RULE_MEMBERS = ["event", "told", "subject", "about", "level", "action", "afterSeconds"];

/**
 * Reads a policy.
 * @param path of the file, for messages
 * @throws MalformedError with one line for each fault, each with its place
 */
export function parsePolicy(
  text: string,
  { path, world }: { path: string; world: World },
): readonly Rule[] {
  const file = { path, world, faults: [] };
  const given = parseJsonc(text, file);
  const rules = given && readRules(given, text);
  const faults: { offset: number; message: string }[] = file.faults;
  if (rules !== undefined && faults.length === 0) return rules;
  const lines = faults.toSorted((a, b) => a.offset - b.offset).slice(0, MAX_FAULTS)
    .map((fault) => `${printable(path)}:${lineAndColumn(text, fault)}: ${fault.message}`);
  throw new MalformedError(lines.join("\n"));
}

function readRules(given: Given, text: string): readonly Rule[] | undefined {
  const members = given.members({ what: "the policy", known: ["version", "rules"] });
  if (members === undefined) return undefined;
  members.get("version").read(choice([POLICY_VERSION]));
  const items = members.get("rules").items({ least: 1, most: MAX_RULES });
  return items.flatMap((item) => readRule(item, text) ?? []);
}

function readRule(given: Given, text: string): Rule | undefined {
  const members = given.members({ what: "a rule", known: RULE_MEMBERS });
  if (members === undefined) return undefined;
  const event = members.get("event").read(readEventName);
  const told = members.get("told").maybe(choice(TOLD));
  const subject = members.get("subject").maybe(readText);
  const about = members.get("about").maybe(choice(["log", "monitor", "witness"] as const));
  const level = members.get("level").read(choice(ALERT_LEVELS));
  const action = members.get("action").read(choice(ALERT_ACTIONS));
  const after = members.get("afterSeconds").maybe(countUpTo(MAX_AFTER_SECONDS));
  if (!event || !level || !action) return undefined;
  if (isAtLeast(level, "CRITICAL") && !PROVABLE_EVENTS.includes(event)) {
    members.get("level").fail(
      `level is ${level} for ${event}, which has no evidence that a machine can check; expected ` +
        `WARNING or INFO, or one of the events ${PROVABLE_EVENTS.join(", ")}`,
    );
  }
  return {
    ...{ event, level, action, afterMs: (after ?? 0) * SECONDS_MS },
    ...(told !== undefined && { told }),
    ...(subject !== undefined && { subject }),
    ...(about !== undefined && { about }),
    line: text.slice(0, given.offset).split("\n").length,
  };
}

function readEventName(value: unknown, name: string): string {
  const event = readText(value, name);
  if (/^(?:[a-z]+\.[a-z_ ]*\*?|\*)$/.test(event)) return event;
  throw unexpected(value, { name, wanted: 'an event such as log.frozen, "log.*" or "*"' });
}

function choice<T extends string>(wanted: readonly T[]): (value: unknown, name: string) => T {
  const check = oneOf(wanted);
  return (value, name) => {
    check(value, name);
    return value as T;
  };
}
