/**
 * The account of a run, for people: who is who, and what happened.
 *
 * @module
 */
import type { EventName } from "../../src/monitor/events.ts";
import type { Deceit } from "./logs.ts";
import type { Fields } from "./monitor.ts";
import type { FleetPlan } from "./plan.ts";

/** The address of a machine: monitors first, then malicious peers. */
export function hostnameOf(number: number): string {
  return `10.${number >> 16}.${(number >> 8) & 0xff}.${number & 0xff}`;
}

/** Matches host names and addresses as `hostnameOf` makes them. */
const ADDRESSES = /\b10\.(\d+)\.(\d+)\.(\d+)(?::\d+)?/g;

/** The name of a machine in the account. */
export function nameOf(
  { monitors, troublemakers, maliciousMembers = [] }: FleetPlan,
  number: number,
): string {
  if (number < monitors.length) return `monitor ${number + 1}`;
  const one = number - monitors.length;
  const other = one - troublemakers.length;
  if (other >= 0 && other < maliciousMembers.length) {
    return `malicious member ${number + 1} (${maliciousMembers[other]})`;
  }
  if (other >= 0) return `stranger ${other - maliciousMembers.length + 1}`;
  return `malicious peer ${one + 1} (${troublemakers[one]})`;
}

/** Replaces the addresses of machines in a line by their names. */
export function withNames(plan: FleetPlan, line: string): string {
  return line.replace(ADDRESSES, (_, ...parts) => {
    const [high, middle, low] = parts.map(Number) as [number, number, number];
    return nameOf(plan, (high << 16) | (middle << 8) | low);
  });
}

/** Which logs are honest, and which shows another story to whom. */
export function introductionOf(plan: FleetPlan): string[] {
  return plan.logs.map(({ origin, deceit, equalSizes }) => {
    if (deceit === undefined) return `${origin} is honest`;
    const whom = deceit.deceived.map((number) => nameOf(plan, number)).join(", ");
    const sizes = equalSizes ? "of equal sizes" : "of unequal sizes";
    return `${origin} shows another story, ${sizes}, to ${whom}, ${whenOf(deceit)}`;
  });
}

function whenOf(deceit: Deceit): string {
  switch (deceit.kind) {
    case "split":
      return "always";
    case "once":
      return `once, from ${clockTime(deceit.from)} on`;
    case "place":
      return `always, in its place ${deceit.place + 1}`;
    case "below":
      return `far below, from ${clockTime(deceit.from)} on`;
    case "for a while":
      return `from ${clockTime(deceit.from)} to ${clockTime(deceit.to)}`;
  }
}

/** Minutes, seconds and milliseconds since the start. */
export function clockTime(ms: number): string {
  const now = Math.floor(ms);
  const pad = (count: number, digits = 2): string => String(count).padStart(digits, "0");
  return `${pad(Math.floor(now / 60_000))}:${pad(Math.floor(now / 1_000) % 60)}.` +
    pad(now % 1_000, 3);
}

/** How many characters of an evidence id an account shows. */
const SHORT_ID = 8;

/** An event as a line for people: its name, then its fields. */
export function sentenceOf(name: EventName, fields: Fields): string {
  const values = Object.entries(fields).map(([key, value]) => {
    switch (key) {
      case "source":
        return `from ${value}`;
      case "size":
        return `size ${value}`;
      case "sizes":
        return `sizes ${(value as readonly unknown[]).join(" and ")}`;
      case "evidence_id":
        return `case ${String(value).slice(0, SHORT_ID)}`;
      case "evidence_ids":
        return `cases ${(value as string[]).map((id) => id.slice(0, SHORT_ID)).join(", ")}`;
      case "record":
        return "with its record";
      case "origin":
      case "kind":
      case "reason":
      case "detail":
        return `${value}`;
      default:
        return `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`;
    }
  });
  return [name.replace(/^\w+\./, (room) => `${room.slice(0, -1)} `), ...values].join(", ");
}
