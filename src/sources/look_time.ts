import type { Clock } from "../world/world.ts";

/** How long one look at a log, or the settling of one question, may take as a whole. */
export const MAX_LOOK_MS = 60_000;

/**
 * The time that one look has, whatever it has to ask: a log that answers slowly, or wants to be asked
 * slowly, keeps it no longer.
 */
export class LookTime {
  /** Whether this is the time to wait until a log wants to be asked again. */
  readonly mayWait: boolean;
  readonly #clock: Clock;
  readonly #endsAt: number;
  /** What this is a turn of. */
  readonly #whole: LookTime | undefined;
  readonly #waiting = new Set<() => void>();
  #isEnded = false;

  constructor({ clock, ms = MAX_LOOK_MS, whole, mayWait = true }: {
    clock: Clock;
    ms?: number;
    whole?: LookTime;
    mayWait?: boolean;
  }) {
    this.mayWait = mayWait;
    this.#clock = clock;
    this.#endsAt = clock.monotonic() + ms;
    this.#whole = whole;
  }

  /** Milliseconds that are left of the whole look; none once it was ended. */
  get leftMs(): number {
    return this.#whole?.leftMs ?? this.turnMs;
  }

  /** Milliseconds that are left of this turn: what is begun in it may end later, with the look. */
  get turnMs(): number {
    return this.isEnded ? 0 : Math.max(0, this.#endsAt - this.#clock.monotonic());
  }

  /** The monotonic clock that it is counted by. */
  get now(): number {
    return this.#clock.monotonic();
  }

  /** Whether `end` was called, and not only its time is over. */
  get isEnded(): boolean {
    return this.#whole?.isEnded ?? this.#isEnded;
  }

  /**
   * A turn, for one of so many who are still to be asked: an equal part of what is left, so that
   * nobody uses up the time of those who come after.
   */
  turn({ of, mayWait = this.mayWait }: { of: number; mayWait?: boolean }): LookTime {
    return new LookTime({ clock: this.#clock, ms: this.turnMs / of, whole: this, mayWait });
  }

  /** Ends it now: whoever waits goes on at once, and nothing more is asked. */
  end(): void {
    this.#isEnded = true;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves after `ms` milliseconds, or as soon as it is ended. */
  pause(ms: number): Promise<void> {
    if (this.#whole !== undefined) return this.#whole.pause(ms);
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
