import { randomShare } from "./random.ts";
import type { Clock, Random } from "./world.ts";

/** Says that everything is to end; whoever waits is told at once. */
export class Stop {
  readonly #waiting = new Set<() => void>();
  readonly #onStop: (() => void)[] = [];
  #stopped = false;

  /** Whether `stop` was called. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Ends every wait. */
  stop(): void {
    this.#stopped = true;
    for (const run of this.#onStop.splice(0)) run();
    for (const wake of [...this.#waiting]) wake();
  }

  /** Calls `run` once this is stopped. */
  onStop(run: () => void): void {
    if (this.#stopped) return run();
    this.#onStop.push(run);
  }

  /** Ends every wait that is under way, and nothing else. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves after `ms` milliseconds, or as soon as it is woken or stopped. */
  pause(clock: Clock, ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#waiting.delete(end);
        resolve();
      };
      const timer = clock.after(ms, end);
      this.#waiting.add(end);
    });
  }
}

/** Work that nobody waits for, except whoever ends. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (error: unknown) => void;

  /** @param onFailure told what a piece of work has thrown */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Begins a piece of work. */
  run(work: () => Promise<void>): void {
    const running: Promise<void> = work()
      .catch((error) => this.#onFailure(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when nothing is under way any more, what was begun meanwhile included. */
  async done(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

/** Longest wait between two tries of a log that cannot be reached, unless it is polled less often. */
export const MAX_BACK_OFF_MS = 3_600_000;

/** An interval with up to a fifth more or less, so that a fleet does not knock all at once. */
export function jittered(ms: number, random: Random): number {
  return ms * (0.8 + 0.4 * randomShare(random));
}

/**
 * How long to wait before the next poll: the interval, and after failures twice as long for each,
 * up to MAX_BACK_OFF_MS, with jitter; never less than the log asked for.
 */
export function nextPollMs(
  { intervalMs, failures, retryAfterMs = 0, random }: {
    intervalMs: number;
    /** Polls in a row that reached nobody. */
    failures: number;
    retryAfterMs?: number | undefined;
    random: Random;
  },
): number {
  const most = Math.max(intervalMs, MAX_BACK_OFF_MS);
  const wait = Math.min(intervalMs * 2 ** Math.min(failures, 30), most);
  return Math.max(jittered(wait, random), retryAfterMs);
}

/**
 * Gives items some at a time: all of them in a random order, then all in another, and so on. So each
 * is given at least once in any `longestGap` turns, which independent draws would not promise.
 */
export class Rotation<T> {
  readonly #items: readonly T[];
  readonly #random: Random;
  /** Not given yet in this order. */
  #left: T[] = [];

  constructor({ items, random }: { items: readonly T[]; random: Random }) {
    this.#items = items;
    this.#random = random;
  }

  /** The next `count` items, none twice, or all there are. */
  next(count: number): T[] {
    const given = this.#left.splice(0, count);
    if (given.length === count || given.length === this.#items.length) return given;
    // An order that is begun in this turn must not begin with what the last one ended with.
    const order = shuffled(this.#items, this.#random);
    const isFresh = (item: T): boolean => !given.includes(item);
    const more = order.filter(isFresh).slice(0, count - given.length);
    this.#left = order.filter((item) => !more.includes(item));
    return [...given, ...more];
  }
}

/**
 * Turns of a Rotation in which each of so many items is given at least once, `count` a turn: the
 * worst is the first of one order that is the last of the next.
 */
export function longestGap({ items, count }: { items: number; count: number }): number {
  return count >= items ? 1 : Math.ceil((2 * items - 1) / count);
}

/** The same items in a random order (Fisher and Yates). */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let left = order.length; left > 1; left--) {
    const at = Math.floor(randomShare(random) * left);
    [order[at], order[left - 1]] = [order[left - 1]!, order[at]!];
  }
  return order;
}
