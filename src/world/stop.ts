import type { Clock } from "./world.ts";

/** Says that everything must end, and ends every wait at once. */
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

  /**
   * Resolves after `ms` milliseconds, or as soon as it is woken or stopped.
   * @returns whether the whole time has passed
   */
  pause(clock: Clock, ms: number): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (isOver: boolean): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve(isOver);
      };
      const wake = (): void => end(false);
      const timer = clock.after(ms, () => end(true));
      this.#waiting.add(wake);
    });
  }
}
