/**
 * How long things may take at most, in milliseconds. ARCHITECTURE ("The bound D") derives the formulas.
 *
 * @module
 */
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { MAX_BACK_OFF_MS } from "../../src/world/pacing.ts";
import { longestGap } from "../../src/world/rotation.ts";
import { MAX_LOOK_MS } from "../../src/sources/look_time.ts";
import { LONGEST_BACK_OFF_MS } from "../../src/swarm/room.ts";
import { SESSION_LIMITS } from "../../src/swarm/session.ts";

/** The longest time of a look that is under way when all trouble ends, and of what it then settles. */
const LOOK_UNDER_WAY_MS = MAX_LOOK_MS + 10_000;

/** The times and numbers that the bounds depend on. */
export interface Pace {
  /** How long there was trouble of any kind. */
  readonly outageMs: number;
  readonly pollMs: number;
  readonly gossipMs: number;
  readonly peers: number;
  readonly fanOut: number;
  /** Whether some peers are members. */
  readonly hasMembers: boolean;
}

/** How long it takes at most to notice that the other end of a session has vanished. */
const VANISHED_MS = SESSION_LIMITS.silenceMs;
/** A call to a member: the connection, the handshake and the hello. */
const MEMBER_CALL_MS = 30_000;
/** A member that left may not be called for so long. */
const LEFT_MS = 60_000;

/**
 * The longest time from the end of all trouble until two members that know each other, and have room,
 * have a session. The wait between calls doubles up to a limit, during the outage and while the other
 * end does not know yet that an earlier session is over.
 */
export function meetingBoundMs({ outageMs, hasMembers }: Pace): number {
  if (!hasMembers) return 0;
  const doubled = 1.2 * Math.min(2 * (outageMs + VANISHED_MS), LONGEST_BACK_OFF_MS);
  return (outageMs === 0 ? 0 : VANISHED_MS + LEFT_MS + doubled) + 2 * MEMBER_CALL_MS;
}

/** The longest time from the end of all trouble until a monitor has looked at a log. */
export function lookBoundMs({ outageMs, pollMs }: Pace): number {
  const most = 1.2 * Math.max(pollMs, MAX_BACK_OFF_MS);
  return Math.min(1.5 * outageMs + 2.4 * pollMs, most) + LOOK_UNDER_WAY_MS;
}

/**
 * The longest time from the end of all trouble, and of all news that it caused, until a mirror holds the
 * journal that it mirrors. It fetches as often as its log, and waits as long after failures.
 */
export function mirroringBoundMs(pace: Pace): number {
  return spreadingBoundMs(pace) + 2 * lookBoundMs(pace);
}

/**
 * The longest time from the end of all trouble until two honest monitors that exchange, and that were
 * shown two stories, have both recorded the case.
 */
export function detectionBoundMs(pace: Pace): number {
  const { outageMs, pollMs, gossipMs, peers, fanOut } = pace;
  const { exchangeMs, parcelMs, connectMs, parcelRetryMs } = DEFAULT_LIMITS;
  const settle = outageMs + 2 * pollMs + 1.2 * pollMs;
  const round = 3 * connectMs + exchangeMs + 2 * parcelMs;
  const call = longestGap({ items: peers, count: fanOut }) * 1.2 * gossipMs + round;
  return lookBoundMs(pace) + settle + meetingBoundMs(pace) + 2 * call + parcelRetryMs;
}

/** The longest time until two such monitors hold the same cases, even if only one calls the other. */
export function spreadingBoundMs(pace: Pace): number {
  return detectionBoundMs(pace) + DEFAULT_LIMITS.askAgainMs;
}
