/**
 * How a monitor stands with a member, in plain words.
 *
 * @module
 */
import type { MemberStatus, SwarmStatus } from "../swarm/member_status.ts";
import { ago, soon, span } from "./spans.ts";

/** What the words of a refusal mean to the one that was refused. */
const REFUSED: Readonly<Record<string, string>> = {
  "unknown": "it does not know this monitor",
  "banned": "it has banned this monitor",
  "full": "it has no room now",
  "in use": "it has a session with this monitor already",
  "version": "it speaks another version of sessions",
  "shutting down": "it was about to end",
};

/** Why there is no session with a member; nothing if there is one, or if nobody knows. */
export function whyAway(member: MemberStatus, now: string): string | undefined {
  const { state, notWanted, reason, bannedBecause, bannedUntil } = member;
  if (state === "banned") {
    const end = bannedUntil === undefined
      ? "it lasts until 'hearsay peers unban'"
      : `it ends ${soon("in", now, bannedUntil)}, at ${bannedUntil}`;
    return `${bannedBecause}; ${end}`;
  }
  if (state === "connected") return undefined;
  if (state === "left") return "it said goodbye";
  if (notWanted !== undefined) return REFUSED[notWanted] ?? notWanted;
  if (state === "no address" && reason === undefined) return "it has to call";
  return reason;
}

/** What was not accepted of what a member sent, by the name of the reason; nothing if nothing was. */
export function refusalsOf({ refusals = {} }: MemberStatus): string | undefined {
  const counts = Object.entries(refusals).filter(([, times]) => times > 0);
  if (counts.length === 0) return undefined;
  return counts.map(([name, times]) => `${name} ${times}`).join(", ");
}

/** How it stands with one member, in one sentence. */
export function memberInWords(member: MemberStatus, now: string): string {
  const { name, since, roundTripMs } = member;
  if (member.state !== "connected") return awayInWords(member, now);
  const trip = roundTripMs === undefined
    ? ""
    : `; a round trip takes ${Math.round(roundTripMs)} ms`;
  const lasts = since === undefined ? "" : ` for ${span(since, now)}`;
  return `${name} is connected${lasts}${trip}`;
}

/** What there is to say of all members: first how many are connected, then each that is not. */
export function membersInWords(status: SwarmStatus): string[] {
  const { members, now, ownUsedTwiceAt } = status;
  if (members.length === 0) return [];
  const connected = members.filter(({ state }) => state === "connected").length;
  const twice = members.filter(({ usedTwiceAt }) => usedTwiceAt !== undefined);
  return [
    `Members: connected to ${connected} of ${members.length}`,
    ...members.filter(({ state }) => state !== "connected").map((one) => awayInWords(one, now)),
    ...twice.map(({ name, usedTwiceAt }) =>
      `The key of ${name} was used twice ${ago(usedTwiceAt, now)}`
    ),
    ...(ownUsedTwiceAt === undefined
      ? []
      : [`This monitor's own key was used twice ${ago(ownUsedTwiceAt, now)}`]),
  ];
}

function awayInWords(member: MemberStatus, now: string): string {
  const { name, state, since } = member;
  const why = whyAway(member, now);
  switch (state) {
    case "banned":
      return `${name} is banned: ${why}`;
    case "left":
      return `${name} left${since === undefined ? "" : ` ${ago(since, now)}`}`;
    default: {
      const how = since === undefined ? "is not connected yet" : `is away for ${span(since, now)}`;
      return `${name} ${how}${why === undefined ? "" : `: ${why}`}`;
    }
  }
}
