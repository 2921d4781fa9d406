import { headKey } from "../evidence/head.ts";
import { millisecondsSince } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import type { Question, QuestionTable } from "./questions.ts";
import { isTheLog } from "./the_log.ts";

/** How many withheld questions are remembered as told. Beyond them they are told once more. */
const MAX_TOLD = 10_000;

/** Finds which checkpoints others were shown and the log has not shown us within its patience. */
export class Withheld {
  readonly #clock: Clock;
  readonly #questions: QuestionTable;
  /** For each open question, since when we wait for the log to show it, by the monotonic clock. */
  #awaited: ReadonlyMap<string, number>;
  /** When `#awaited` was last brought up to date, by the monotonic clock. */
  #awaitedAt: number;
  /** What was told as withheld and is beyond the view. */
  readonly #told = new Map<string, Question>();

  /** @param waitedSince since when we have waited for what was seen then, by the monotonic clock */
  constructor({ clock, questions, waitedSince }: {
    clock: Clock;
    questions: QuestionTable;
    waitedSince: (seenAt: string) => number;
  }) {
    this.#clock = clock;
    this.#questions = questions;
    this.#awaited = new Map(this.#open().map((one) => [headKey(one), waitedSince(one.seenAt)]));
    this.#awaitedAt = clock.monotonic();
  }

  /** How many are withheld, as of the last call of `news`. */
  get count(): number {
    return this.#told.size;
  }

  /** Whether a question is one of them. */
  has(question: Question): boolean {
    return this.#told.has(headKey(question));
  }

  /** One of them, if there is any. */
  get first(): Question | undefined {
    return this.#told.values().next().value;
  }

  /**
   * Those that were not given before.
   * @param reached the size that the view reaches
   * @param isOverdue whether we have waited too long
   */
  *news(
    reached: bigint,
    isOverdue: (since: number) => boolean,
  ): Generator<Question, void> {
    // A question may have given way to others. It is withheld until the log shows as much.
    for (const [key, { treeSize }] of this.#told) if (treeSize <= reached) this.#told.delete(key);
    const awaited = this.#awaitedNow();
    for (const question of this.#open()) {
      const { treeSize, source } = question;
      const key = headKey(question);
      const isLate = treeSize > reached && !isTheLog(source) && isOverdue(awaited.get(key)!);
      if (!isLate || this.#told.has(key)) continue;
      this.#told.set(key, question);
      if (this.#told.size > MAX_TOLD) this.#told.delete(this.#told.keys().next().value!);
      yield question;
    }
  }

  /** Brings `#awaited` up to date with the open questions. */
  #awaitedNow(): ReadonlyMap<string, number> {
    const now = this.#clock.monotonic();
    const known = this.#awaited;
    // A new question came after the last update. This bounds its age if the wall clock has jumped.
    const sinceLast = now - this.#awaitedAt;
    const began = (question: Question): number =>
      now - Math.min(millisecondsSince(this.#clock, question.seenAt), sinceLast);
    const since = this.#open().map((one) =>
      [headKey(one), known.get(headKey(one)) ?? began(one)] as const
    );
    [this.#awaited, this.#awaitedAt] = [new Map(since), now];
    return this.#awaited;
  }

  #open(): Question[] {
    return this.#questions.of("log", "peer", "stranger");
  }
}
