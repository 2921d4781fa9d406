import type { Observation } from "./observation.ts";

/** Most different observations whose repeats are counted; those beyond it are written each time. */
export const MAX_COUNTED_OBSERVATIONS = 10_000;

interface Counted {
  /** As it was seen last. */
  latest: Observation;
  times: number;
}

/**
 * Counts what is seen again and again, so that it need not be written each time. An observation is
 * the same if log, via, source, result, size and root are; its note and detail may differ.
 */
export class Repeats {
  readonly #counted = new Map<string, Counted>();
  readonly #limit: number;

  constructor({ limit = MAX_COUNTED_OBSERVATIONS } = {}) {
    this.#limit = limit;
  }

  /** Whether this was written in this interval or the one before. */
  has(observation: Observation): boolean {
    return this.#counted.has(keyOf(observation));
  }

  /** Counts an observation that `has` knows. */
  count(observation: Observation): void {
    const counted = this.#counted.get(keyOf(observation))!;
    counted.latest = observation;
    counted.times++;
  }

  /** Takes in an observation that was written: from now on its repeats can be counted. */
  learn(observation: Observation): void {
    const key = keyOf(observation);
    if (this.#counted.has(key)) return;
    if (this.#counted.size >= this.#limit) {
      const [oldest, { times }] = this.#counted.entries().next().value!;
      if (times > 0) return;
      this.#counted.delete(oldest);
    }
    this.#counted.set(key, { latest: observation, times: 0 });
  }

  /** What was counted and not written yet, as summaries. */
  summaries(): Observation[] {
    return [...this.#counted.values()].filter(({ times }) => times > 0)
      .map(({ latest, times }) => ({ ...latest, repeats: times }));
  }

  /** Takes a summary that was written off the count. */
  settle(summary: Observation): void {
    const counted = this.#counted.get(keyOf(summary));
    if (counted !== undefined) counted.times -= summary.repeats!;
  }

  /** Forgets what was not seen again since it was written. */
  forgetQuiet(): void {
    for (const [key, { times }] of this.#counted) if (times === 0) this.#counted.delete(key);
  }
}

function keyOf({ log, via, source, result, checkpoint, against }: Observation): string {
  return JSON.stringify([
    ...[log.vkey, log.origin, via, source, result],
    ...[checkpoint?.size, checkpoint?.root, against?.size, against?.root],
  ]);
}
