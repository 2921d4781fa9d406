/**
 * How long things may take at most, in milliseconds; ARCHITECTURE ("The bound D") derives it.
 *
 * @module
 */
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { MAX_BACK_OFF_MS } from "../../src/world/pacing.ts";
import { longestGap } from "../../src/world/rotation.ts";
import { MAX_LOOK_MS } from "../../src/sources/look_time.ts";

/** A look under way when all trouble ends, which has a deadline as a whole, and what it then settles. */
const LOOK_UNDER_WAY_MS = MAX_LOOK_MS + 10_000;

/** What decides how long things may take. */
export interface Pace {
  /** How long anything was out of order. */
  readonly outageMs: number;
  readonly pollMs: number;
  readonly gossipMs: number;
  readonly peers: number;
  readonly fanOut: number;
}

/** How long it may take, once all trouble has ended, until a monitor has looked at a log. */
export function lookBoundMs({ outageMs, pollMs }: Pace): number {
  const most = 1.2 * Math.max(pollMs, MAX_BACK_OFF_MS);
  return Math.min(1.5 * outageMs + 2.4 * pollMs, most) + LOOK_UNDER_WAY_MS;
}

/**
 * How long it may take, once all trouble has ended, until two honest monitors that exchange, and
 * were shown two stories, both have recorded it. ARCHITECTURE derives it.
 */
export function detectionBoundMs(pace: Pace): number {
  const { outageMs, pollMs, gossipMs, peers, fanOut } = pace;
  const { exchangeMs, parcelMs, connectMs, parcelRetryMs } = DEFAULT_LIMITS;
  const settle = outageMs + 2 * pollMs + 1.2 * pollMs;
  const round = 3 * connectMs + exchangeMs + 2 * parcelMs;
  const call = longestGap({ items: peers, count: fanOut }) * 1.2 * gossipMs + round;
  return lookBoundMs(pace) + settle + 2 * call + parcelRetryMs;
}

/** The same until two honest monitors, of which perhaps only one calls the other, hold the same cases. */
export function spreadingBoundMs(pace: Pace): number {
  return detectionBoundMs(pace) + DEFAULT_LIMITS.askAgainMs;
}
