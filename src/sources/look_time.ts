import type { Clock } from "../world/world.ts";

/** How long one look at a log, or the settling of one question, may take as a whole. */
export const MAX_LOOK_MS = 60_000;

/**
 * The time that one look has, whatever it has to ask: a log that answers slowly, or wants to be asked
 * slowly, keeps it no longer.
 */
export class LookTime {
  readonly #clock: Clock;
  readonly #endsAt: number;
  readonly #waiting = new Set<() => void>();
  #isEnded = false;

  constructor({ clock, ms = MAX_LOOK_MS }: { clock: Clock; ms?: number }) {
    this.#clock = clock;
    this.#endsAt = clock.monotonic() + ms;
  }

  /** Milliseconds that are left; none once it was ended. */
  get leftMs(): number {
    return this.#isEnded ? 0 : Math.max(0, this.#endsAt - this.#clock.monotonic());
  }

  /** Whether `end` was called, and not only its time is over. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Ends it now: whoever waits goes on at once, and nothing more is asked. */
  end(): void {
    this.#isEnded = true;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves after `ms` milliseconds, or as soon as it is ended. */
  pause(ms: number): Promise<void> {
    if (this.#isEnded) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = this.#clock.after(ms, wake);
      this.#waiting.add(wake);
    });
  }
}
