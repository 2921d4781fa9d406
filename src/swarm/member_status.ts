/**
 * How a monitor stands with its members, for people and machines.
 *
 * @module
 */
import { formatAddress } from "../world/address.ts";
import { timeAt } from "../world/time.ts";
import type { Address, Clock } from "../world/world.ts";
import type { Ban } from "./conduct.ts";
import type { Refusal } from "./hello.ts";
import type { KnownMember, Link } from "./known_members.ts";
import type { Direction, Standing } from "./room.ts";

/** One member, for people and machines. */
export interface MemberStatus {
  readonly name: string;
  readonly vkey: string;
  /** Where it was reached, or is to be called. */
  readonly address?: string;
  readonly state: "connected" | "calling" | "away" | "left" | "banned" | "no address";
  /** Whose call began the session. */
  readonly direction?: Direction;
  /** Since when there is a session, or none any more, RFC 3339. */
  readonly since?: string;
  readonly roundTripMs?: number;
  /** For how long nothing has come through the session. */
  readonly silentForMs?: number;
  readonly software?: string;
  /** How many times in a row it was not reached. */
  readonly failures: number;
  /** How often something that it sent was not accepted, by the name of the reason. */
  readonly refusals?: Readonly<Record<string, number>>;
  /** Why it was not reached, the last time. */
  readonly reason?: string;
  /** With which word it refused the last session, if it did. */
  readonly notWanted?: Refusal;
  /** When its key was last seen in use twice at once, RFC 3339. */
  readonly usedTwiceAt?: string;
  /** When it is called next, RFC 3339. */
  readonly nextCallAt?: string;
  readonly bannedBecause?: string;
  /** Until when it is banned, RFC 3339; for good without it. */
  readonly bannedUntil?: string;
}

/** Everything about members, as `hearsay peers` is told. */
export interface SwarmStatus {
  /** Our own vkey. */
  readonly own: string;
  /** When this monitor began to speak to members, RFC 3339. */
  readonly startedAt: string;
  /** When this was told, RFC 3339. */
  readonly now: string;
  /** The most members that there can be a session with. */
  readonly room: number;
  /** When our own key was last seen in use by another program, RFC 3339. */
  readonly ownUsedTwiceAt?: string;
  readonly members: readonly MemberStatus[];
}

/** Where the other end of a session is. Who has called did so from a port that is of no use to others. */
function addressOf({ session: { remote, isCaller }, hello: { port } }: Link): Address {
  return isCaller || port === undefined ? remote : { hostname: remote.hostname, port };
}

/** How we stand with a member. */
export function memberStatus(
  known: KnownMember,
  { standing, ban, clock }: {
    standing: Standing | undefined;
    ban: Ban | undefined;
    clock: Clock;
  },
): MemberStatus {
  const { vkey: { text, name }, link, reason, hasLeft, notWanted, usedTwiceAt } = known;
  const since = link === undefined ? known.awaySince : link.since;
  const address = link === undefined ? known.addresses[0] : addressOf(link);
  const next = standing?.mayCallAt;
  const state = ban !== undefined
    ? "banned"
    : link !== undefined
    ? "connected"
    : standing?.isCalling
    ? "calling"
    : hasLeft
    ? "left"
    : address === undefined
    ? "no address"
    : "away";
  return {
    ...{ name, vkey: text, state },
    ...(address !== undefined && { address: formatAddress(address) }),
    ...(link !== undefined && { direction: link.seat.direction }),
    ...(since !== undefined && { since }),
    ...(link?.session.roundTripMs !== undefined && { roundTripMs: link.session.roundTripMs }),
    ...(link !== undefined && { silentForMs: Math.round(link.session.silentForMs) }),
    ...(link !== undefined && { software: link.hello.software }),
    failures: standing?.failures ?? 0,
    ...(Object.keys(known.refusals).length > 0 && { refusals: { ...known.refusals } }),
    ...(link === undefined && reason !== undefined && { reason }),
    ...(link === undefined && notWanted !== undefined && { notWanted }),
    ...(usedTwiceAt !== undefined && { usedTwiceAt }),
    ...(next !== undefined && ban === undefined &&
      { nextCallAt: timeAt(clock, next) }),
    ...(ban !== undefined && { bannedBecause: ban.reason }),
    ...(ban?.until !== undefined && { bannedUntil: ban.until }),
  };
}
