import type { OpenLoad } from "./observation_index.ts";
import { logIdOf, type Observation, type ObservedHead } from "./observation.ts";

/** When so many questions of one log are settled, the entry that says so is written. */
export const MAX_SETTLED_UNWRITTEN = 64;

/** The questions of one log that were found consistent. */
interface Settled {
  /**
   * The last question added. There is none right after the first of an interval, because that one
   * has an entry of its own.
   */
  latest: Observation | undefined;
  /** By size and root, with the bytes of the note. */
  readonly heads: Map<string, ObservedHead & { readonly noteBytes: number }>;
}

/**
 * Open questions that were found consistent, while the journal does not say so yet. One entry is
 * written for many of them. They count as settled at once. A crash before the entry leaves them
 * open, and they are settled again. So nothing depends on when the entry is written.
 */
export class SettledQuestions {
  readonly #logs = new Map<string, Settled>();

  /** Whether an observation settles a question and says nothing else. */
  static canTake({ result, checkpoint, against, detail, repeats }: Observation): boolean {
    return result === "consistent" && checkpoint !== undefined && against === undefined &&
      detail === undefined && repeats === undefined;
  }

  /**
   * Whether none of this log was settled since `flushed`. The first one gets an entry of its own.
   */
  isFirst(observation: Observation): boolean {
    return !this.#logs.has(logIdOf(observation));
  }

  /** Notes that the first one was written. */
  begin(observation: Observation): void {
    this.#logs.set(logIdOf(observation), { latest: undefined, heads: new Map() });
  }

  /**
   * Adds an observation for which `canTake` holds, about an open question. Returns whether the
   * log's entry is due now.
   */
  add(observation: Observation, { noteBytes }: { noteBytes: number }): boolean {
    const id = logIdOf(observation);
    const settled = this.#logs.get(id) ?? { latest: observation, heads: new Map() };
    this.#logs.set(id, settled);
    settled.latest = observation;
    const { size, root } = observation.checkpoint!;
    settled.heads.set(observedKey({ size, root }), { size, root, noteBytes });
    return settled.heads.size >= MAX_SETTLED_UNWRITTEN;
  }

  /** Whether this question of a log is settled. */
  has(logId: string, head: ObservedHead): boolean {
    return this.#logs.get(logId)?.heads.has(observedKey(head)) ?? false;
  }

  /** How much of a log is settled and not written. */
  load(logId: string): OpenLoad {
    const heads = [...this.#logs.get(logId)?.heads.values() ?? []];
    const noteBytes = heads.reduce((sum, head) => sum + head.noteBytes, 0);
    return { questions: heads.length, noteBytes };
  }

  /** The logs (id) of which something is settled. */
  logIds(): string[] {
    return [...this.#logs.keys()];
  }

  /** The entry that lists the settled questions of a log. */
  summary(logId: string): Observation | undefined {
    const settled = this.#logs.get(logId);
    if (settled?.latest === undefined) return undefined;
    const { latest, heads } = settled;
    if (heads.size === 1) return latest;
    const { checkpoint: _, ...rest } = latest;
    return {
      ...rest,
      repeats: heads.size,
      settled: [...heads.values()].map(({ size, root }) => ({ size, root })),
    };
  }

  /** Forgets the settled questions of a log, because their entry was written. */
  written(logId: string): void {
    this.#logs.set(logId, { latest: undefined, heads: new Map() });
  }

  /** Begins a new interval. Call it only when everything was written. */
  flushed(): void {
    this.#logs.clear();
  }
}

function observedKey({ size, root }: ObservedHead): string {
  return `${size} ${root}`;
}
