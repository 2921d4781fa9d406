import { randomShare } from "./random.ts";
import type { Random } from "./world.ts";

/**
 * The longest wait between two tries if a place cannot be reached, unless it is polled less often.
 */
export const MAX_BACK_OFF_MS = 3_600_000;

/** How much longer than the interval a jittered one may be. */
export const MOST_JITTER = 1.2;

/**
 * An interval with up to a fifth more or less, so that the monitors of a fleet do not all call at
 * once.
 */
export function jittered(ms: number, random: Random): number {
  return ms * (0.8 + 0.4 * randomShare(random));
}

/**
 * How long to wait before the next poll: the interval, and after failures twice as long for each,
 * up to MAX_BACK_OFF_MS, with jitter. It is never less than the polled place asked for.
 */
export function nextPollMs(
  { intervalMs, failures, retryAfterMs = 0, random }: {
    intervalMs: number;
    /** How many polls in a row reached nobody. */
    failures: number;
    retryAfterMs?: number | undefined;
    random: Random;
  },
): number {
  const most = Math.max(intervalMs, MAX_BACK_OFF_MS);
  const wait = Math.min(intervalMs * 2 ** Math.min(failures, 30), most);
  return Math.max(jittered(wait, random), retryAfterMs);
}
