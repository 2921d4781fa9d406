import type { Observation } from "./observation.ts";

/** Most different observations whose repeats are counted. Others are written each time. */
export const MAX_COUNTED_OBSERVATIONS = 10_000;
/** Most sources that one summary names. Its sum includes the others. */
export const MAX_NAMED_SOURCES = 100;

interface Counted {
  /** The observation as it was last seen. */
  latest: Observation;
  times: number;
  /** How often each source showed it. */
  readonly sources: Map<string, number>;
}

/** A counted observation, and how often a summary says that it was seen. */
interface Part {
  readonly counted: Counted;
  readonly times: number;
}

/**
 * Counts what is seen again and again, so that it need not be written each time. Two observations
 * are the same if their log, via, source, result, size and root are; note and detail may differ.
 * For `matches` without a checkpoint, the source may differ too; the summary says how often from
 * whom.
 */
export class Repeats {
  readonly #counted = new Map<string, Counted>();
  readonly #limit: number;
  readonly #parts = new WeakMap<Observation, Part[]>();

  constructor({ limit = MAX_COUNTED_OBSERVATIONS } = {}) {
    this.#limit = limit;
  }

  /** Whether this was written in this interval or the one before. */
  has(observation: Observation): boolean {
    return this.#counted.has(repeatKey(observation));
  }

  /** Counts an observation that `has` knows. */
  count(observation: Observation): void {
    const counted = this.#counted.get(repeatKey(observation))!;
    counted.latest = observation;
    counted.times++;
    addTimes(counted.sources, [[observation.source, 1]]);
  }

  /** Notes that an observation was written. From now on its repeats can be counted. */
  learn(observation: Observation): void {
    const key = repeatKey(observation);
    if (this.#counted.has(key)) return;
    if (this.#counted.size >= this.#limit) {
      const [oldest, { times }] = this.#counted.entries().next().value!;
      if (times > 0) return;
      this.#counted.delete(oldest);
    }
    this.#counted.set(key, { latest: observation, times: 0, sources: new Map() });
  }

  /**
   * What was counted and not written yet, as one summary for each log, via and result. A summary of
   * several checkpoints names none of them, because each of them has an entry already.
   */
  summaries(): Observation[] {
    const repeated = [...this.#counted.values()].filter(({ times }) => times > 0);
    const groups = Map.groupBy(repeated, ({ latest }) => groupOf(latest));
    return [...groups.values()].map((group) => {
      const summary = summaryOf(group);
      this.#parts.set(summary, group.map((counted) => ({ counted, times: counted.times })));
      return summary;
    });
  }

  /** Subtracts a written summary from the counts. */
  settle(summary: Observation): void {
    for (const { counted, times } of this.#parts.get(summary) ?? []) {
      counted.times -= times;
      counted.sources.clear();
    }
  }

  /** Forgets the observations that were not seen again since they were written. */
  forgetQuiet(): void {
    for (const [key, { times }] of this.#counted) if (times === 0) this.#counted.delete(key);
  }
}

function summaryOf(group: readonly Counted[]): Observation {
  const { latest } = group.at(-1)!;
  const { checkpoint, against, ...rest } = latest;
  const repeats = group.reduce((sum, { times }) => sum + times, 0);
  const sources = new Map<string, number>();
  for (const counted of group) addTimes(sources, counted.sources);
  return {
    ...rest,
    ...(group.length === 1 && checkpoint && { checkpoint }),
    ...(group.length === 1 && against && { against }),
    repeats,
    ...(sources.size > 1 && { sources: [...sources] }),
  };
}

function addTimes(sums: Map<string, number>, more: Iterable<readonly [string, number]>): void {
  for (const [source, times] of more) {
    const sum = sums.get(source);
    if (sum === undefined && sums.size >= MAX_NAMED_SOURCES) continue;
    sums.set(source, (sum ?? 0) + times);
  }
}

function groupOf({ log, via, result }: Observation): string {
  return JSON.stringify([log.vkey, log.origin, via, result]);
}

function repeatKey(observation: Observation): string {
  const { source, result, checkpoint, against } = observation;
  const isFromAnybody = result === "matches" && checkpoint === undefined;
  return JSON.stringify([
    ...[groupOf(observation), isFromAnybody ? null : source],
    ...[checkpoint?.size, checkpoint?.root, against?.size, against?.root],
  ]);
}
