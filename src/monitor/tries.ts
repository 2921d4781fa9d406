import { type Head, headKey } from "../evidence/head.ts";
import type { Clock } from "../world/world.ts";
import { lasts } from "./doubt.ts";

/** Longest pause before a question that could not be settled is tried again. */
const MAX_QUESTION_PAUSE_MS = 24 * 3_600_000;
/** How many questions' tries are remembered. One beyond is tried once more. */
const MAX_TRIED = 10_000;

/** A question that was tried and could not be settled. Times are of the monotonic clock. */
export interface Tried {
  readonly times: number;
  /** When it was first tried. */
  readonly since: number;
  /** When it may be tried again. */
  readonly retryAt: number;
  /** Whether it was told as an error, which is the loudest level. */
  readonly isTold: boolean;
}

/** The open questions of one log that were tried and could not be settled. */
export class Tries {
  readonly #clock: Clock;
  readonly #tried = new Map<string, Tried>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The tries of a question, if there were any. */
  of(question: Head): Tried | undefined {
    return this.#tried.get(headKey(question));
  }

  /** Whether a question's proof has been missing for long, counting the try that is under way. */
  lasts(question: Head): boolean {
    const tried = this.of(question);
    if (tried === undefined) return false;
    return lasts({ tries: tried.times + 1, ms: this.#clock.monotonic() - tried.since });
  }

  /**
   * Puts off the next try of a question. The pause doubles each time, up to a day.
   * @param pollMs how often the log is looked at
   * @param retryAfterMs the shortest pause that the log asked for, if it did
   */
  postpone(
    question: Head,
    { pollMs, retryAfterMs = 0, isTold }: {
      pollMs: number;
      retryAfterMs?: number | undefined;
      isTold: boolean;
    },
  ): void {
    const key = headKey(question);
    const now = this.#clock.monotonic();
    const before = this.#tried.get(key);
    const times = (before?.times ?? 0) + 1;
    const doubled = pollMs * 2 ** Math.min(times, 30);
    const pause = Math.max(retryAfterMs, Math.min(doubled, MAX_QUESTION_PAUSE_MS));
    this.#tried.delete(key);
    this.#tried.set(key, { times, since: before?.since ?? now, retryAt: now + pause, isTold });
    if (this.#tried.size > MAX_TRIED) this.#tried.delete(this.#tried.keys().next().value!);
  }

  /** Forgets the tries of a question, because it is settled. */
  forget(question: Head): void {
    this.#tried.delete(headKey(question));
  }
}
