/**
 * The sections of the configuration about members: whom this monitor answers, and how many members it
 * is connected to.
 *
 * @module
 */
import { unexpected } from "../tlog/members.ts";
import type { Section } from "../world/jsonc.ts";
import { countUpTo, readDuration } from "../world/setting_values.ts";

/** Whom this monitor answers: everyone, or members alone. */
export type Admit = "anyone" | "members";

/** What an operator may choose about sessions with members. */
export interface SwarmSettings {
  /** The most members it is connected to at a time. */
  readonly room: number;
  /** By how much the clocks of two members may differ. */
  readonly clockSkewMs: number;
}

/** The values of what the file leaves out, spelled as in the file. */
export const SWARM_DEFAULTS = { room: 32, clockSkew: "10m" } as const;

/** The most members that a monitor can be connected to. */
const MAX_ROOM = 256;

/** Reads `admit`. */
export const admitSection: Section<Admit> = (given) => given.read(readAdmit, "anyone");

/** Reads the value of `admit`. @throws MalformedError for anything else */
export function readAdmit(value: unknown, name: string): Admit {
  if (value === "anyone" || value === "members") return value;
  throw unexpected(value, { name, wanted: '"anyone" or "members"' });
}

/** Reads `members`. */
export const swarmSection: Section<SwarmSettings> = (given) => {
  const members = given.members({ what: "members", known: Object.keys(SWARM_DEFAULTS) });
  const room = members?.get("room").read(countUpTo(MAX_ROOM), SWARM_DEFAULTS.room);
  const clockSkewMs = members?.get("clockSkew").read(readDuration, SWARM_DEFAULTS.clockSkew);
  return room && clockSkewMs ? { room, clockSkewMs } : undefined;
};
