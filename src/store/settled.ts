import type { OpenLoad } from "./observation_index.ts";
import { logIdOf, type Observation, type ObservedHead } from "./observation.ts";

/** Questions of one log that are settled before an entry says so; then it is written. */
export const MAX_SETTLED_UNWRITTEN = 64;

/** What of one log was found consistent. */
interface Settled {
  /** The last one; none after the first of an interval, which has an entry of its own. */
  latest: Observation | undefined;
  /** By size and root, with the bytes of the note. */
  readonly heads: Map<string, ObservedHead & { readonly noteBytes: number }>;
}

/**
 * Open questions that were found consistent and of which the journal does not say so yet: it takes
 * one entry for many of them. That they are settled is known at once; a crash in between leaves them
 * open, and they are settled once more. So nothing depends on when that entry is written.
 */
export class SettledQuestions {
  readonly #logs = new Map<string, Settled>();

  /** Whether an observation could only settle a question, and says nothing else. */
  static canTake({ result, checkpoint, against, detail, repeats }: Observation): boolean {
    return result === "consistent" && checkpoint !== undefined && against === undefined &&
      detail === undefined && repeats === undefined;
  }

  /** Whether none of this log was settled since `flushed`: the first one is written by itself. */
  isFirst(observation: Observation): boolean {
    return !this.#logs.has(logIdOf(observation));
  }

  /** Takes note that the first one was written. */
  begin(observation: Observation): void {
    this.#logs.set(logIdOf(observation), { latest: undefined, heads: new Map() });
  }

  /** Takes in what `canTake` of a question that is open. Whether the log's entry is due now. */
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

  /** What is settled of a log. */
  load(logId: string): OpenLoad {
    const heads = [...this.#logs.get(logId)?.heads.values() ?? []];
    const noteBytes = heads.reduce((sum, head) => sum + head.noteBytes, 0);
    return { questions: heads.length, noteBytes };
  }

  /** The logs of which something is settled. */
  logIds(): string[] {
    return [...this.#logs.keys()];
  }

  /** The entry that says what is settled of a log. */
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

  /** Lets go of what is settled of a log: its entry was written. */
  written(logId: string): void {
    this.#logs.set(logId, { latest: undefined, heads: new Map() });
  }

  /** Begins a new interval. Only when everything was written. */
  flushed(): void {
    this.#logs.clear();
  }
}

function observedKey({ size, root }: ObservedHead): string {
  return `${size} ${root}`;
}
