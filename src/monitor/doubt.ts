import type { Clock } from "../world/world.ts";

/** A missing proof is told as an error only after this many looks without it. */
export const UNPROVEN_LOOKS = 3;
/** It must also have been missing for so long, because caches keep "not found" for minutes. */
export const UNPROVEN_LASTS_MS = 5 * 60_000;
/** A doubt is forgotten if it did not come up for so long, and for so many looks: */
export const UNPROVEN_FORGOTTEN_MS = 60 * 60_000;
/** see UNPROVEN_FORGOTTEN_MS. If looks are rare, an hour may hold a single look. */
export const UNPROVEN_FORGOTTEN_LOOKS = 3;

/** Whether a missing proof has lasted: it was missing in so many tries, over so many milliseconds. */
export function lasts({ tries, ms }: { tries: number; ms: number }): boolean {
  return tries >= UNPROVEN_LOOKS && ms >= UNPROVEN_LASTS_MS;
}

/**
 * Distinguishes a proof that a log withholds from one that was missing for a moment. A doubt begins at
 * a look whose proof is missing. Only proven growth ends it at once: a log that shows an old checkpoint
 * now and then does not end it.
 */
export class Doubt {
  readonly #clock: Clock | undefined;
  #looks = 0;
  #since = 0;
  #last = 0;
  /** How many looks had no doubt since the last one that had. */
  #calm = 0;

  constructor(clock: Clock | undefined) {
    this.#clock = clock;
  }

  /** Counts a look whose proof is missing. @returns whether the doubt has lasted by now */
  grows(): boolean {
    // Without a clock only looks are counted.
    const now = this.#clock?.monotonic();
    const isOld = now !== undefined && now - this.#last > UNPROVEN_FORGOTTEN_MS;
    if (isOld && this.#calm >= UNPROVEN_FORGOTTEN_LOOKS) this.#looks = 0;
    this.#calm = 0;
    if (this.#looks++ === 0) this.#since = now ?? 0;
    this.#last = now ?? 0;
    return lasts({ tries: this.#looks, ms: now === undefined ? Infinity : now - this.#since });
  }

  /** Counts a look that had no doubt and proved no growth. */
  rests(): void {
    this.#calm++;
  }

  /** Growth was proven. */
  dispelled(): void {
    this.#looks = 0;
  }
}
