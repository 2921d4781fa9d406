import type { Clock } from "../world/world.ts";

/** How far the wall clock may move against the monotonic one, from one look to the next. */
export const CLOCK_JUMP_MS = 60_000;

/** Notices that the wall clock was set or the machine slept. Times in the journals jump then. */
export class ClockWatch {
  readonly #clock: Clock;
  /** By how many milliseconds the wall clock was ahead of the monotonic one at the last call. */
  #ahead: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ahead = this.#aheadNow();
  }

  /** Milliseconds by which the wall clock has jumped since the last call; nothing if it has not. */
  jump(): number | undefined {
    const before = this.#ahead;
    this.#ahead = this.#aheadNow();
    const byMs = this.#ahead - before;
    return Math.abs(byMs) > CLOCK_JUMP_MS ? Math.round(byMs) : undefined;
  }

  #aheadNow(): number {
    return this.#clock.now().getTime() - this.#clock.monotonic();
  }
}
