import type { Clock, Random } from "../world/world.ts";

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

/** Longest wait between two tries of a log that cannot be reached, unless it is polled less often. */
export const MAX_BACK_OFF_MS = 3_600_000;

/** A number from 0 up to, but not, 1. */
export function randomShare(random: Random): number {
  return new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
}

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

/** `count` items chosen at random without repeats, or all there are. */
export function chooseSome<T>(items: readonly T[], count: number, random: Random): T[] {
  const left = [...items];
  const chosen: T[] = [];
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(Math.floor(randomShare(random) * left.length), 1));
  }
  return chosen;
}
