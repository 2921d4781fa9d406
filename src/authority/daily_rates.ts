import type { Clock } from "../world/world.ts";

const DAY_MS = 24 * 3_600_000;

/**
 * How many requests each log may still make in a day ("qpd", C2SP tlog-list). Each has as many at
 * once, and gets them back steadily, one after each day/qpd. So in no day does it make more than twice
 * as many, and on average no more than that.
 *
 * For each log it keeps one number: when all of its requests will be back, by the monotonic clock
 * (GCRA, ITU-T I.371, "virtual scheduling").
 */
export class DailyRates {
  readonly #clock: Clock;
  readonly #backAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes one request of a log.
   * @param qpd requests a day, at least 1
   * @returns nothing if it may; otherwise the seconds, at least 1, after which it may
   */
  take(origin: string, qpd: number): number | undefined {
    const now = this.#clock.monotonic();
    const backAt = Math.max(now, this.#backAt.get(origin) ?? now) + DAY_MS / qpd;
    const early = backAt - now - DAY_MS;
    // A part of a microsecond is the rounding of many sums.
    if (early > 1e-3) return Math.max(1, Math.ceil(early / 1000));
    this.#backAt.set(origin, backAt);
    return undefined;
  }

  /** Forgets the logs that have all their requests back. */
  prune(): void {
    const now = this.#clock.monotonic();
    for (const [origin, backAt] of this.#backAt) if (backAt <= now) this.#backAt.delete(origin);
  }
}
