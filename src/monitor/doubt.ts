import type { Clock } from "../world/world.ts";

/** Looks without a proof, at least, before a log is told loudly of. */
export const UNPROVEN_LOOKS = 3;
/** How long it must have lasted by then: caches keep "not found" for minutes. */
export const UNPROVEN_LASTS_MS = 5 * 60_000;
/** After how long without such a look the next one is a first one again, if others came between. */
export const UNPROVEN_FORGOTTEN_MS = 60 * 60_000;
/** How many others: between rare looks an hour passes, and nothing was learned in it. */
export const UNPROVEN_FORGOTTEN_LOOKS = 3;

/** Whether a proof that was not there for so many tries, over so long, is told of loudly. */
export function lasts({ tries, ms }: { tries: number; ms: number }): boolean {
  return tries >= UNPROVEN_LOOKS && ms >= UNPROVEN_LASTS_MS;
}

/**
 * Tells a proof that a log withholds from one that was not there for a moment. Only growth that is
 * proven ends a doubt: a log that shows an old checkpoint now and then does not get rid of it.
 */
export class Doubt {
  readonly #clock: Clock | undefined;
  #looks = 0;
  #since = 0;
  #last = 0;
  /** Looks without a doubt since the last one with it. */
  #calm = 0;

  constructor(clock: Clock | undefined) {
    this.#clock = clock;
  }

  /** A look could not be proven. Whether it has lasted by now. */
  grows(): boolean {
    // Where nobody counts time, looks alone are counted.
    const now = this.#clock?.monotonic();
    const isOld = now !== undefined && now - this.#last > UNPROVEN_FORGOTTEN_MS;
    if (isOld && this.#calm >= UNPROVEN_FORGOTTEN_LOOKS) this.#looks = 0;
    this.#calm = 0;
    if (this.#looks++ === 0) this.#since = now ?? 0;
    this.#last = now ?? 0;
    return lasts({ tries: this.#looks, ms: now === undefined ? Infinity : now - this.#since });
  }

  /** A look showed the log, and nothing that could not be proven. */
  rests(): void {
    this.#calm++;
  }

  /** Growth was proven. */
  dispelled(): void {
    this.#looks = 0;
  }
}
