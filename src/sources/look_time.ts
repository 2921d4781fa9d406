import type { Clock } from "../world/world.ts";

/** How long one look at a log, or settling one question, may take as a whole. */
export const MAX_LOOK_MS = 60_000;

/**
 * The time of one look, whatever it has to ask. A log that answers slowly, or limits requests,
 * cannot extend it.
 */
export class LookTime {
  /** Whether a look may wait now until a log wants to be asked again. */
  readonly mayWait: boolean;
  readonly #clock: Clock;
  readonly #endsAt: number;
  /** The whole time, if this is a turn of it. */
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

  /** Milliseconds that are left of the whole look; 0 once it was ended. */
  get leftMs(): number {
    return this.#whole?.leftMs ?? this.turnMs;
  }

  /**
   * Milliseconds that are left of this turn. Work that begins in the turn may end later, within the
   * look.
   */
  get turnMs(): number {
    return this.isEnded ? 0 : Math.max(0, this.#endsAt - this.#clock.monotonic());
  }

  /** The monotonic clock by which it is counted. */
  get now(): number {
    return this.#clock.monotonic();
  }

  /** Whether `end` was called. It is false if only the time is over. */
  get isEnded(): boolean {
    return this.#whole?.isEnded ?? this.#isEnded;
  }

  /**
   * A turn for one of `of` places that are still to be asked: an equal part of the time left. So no
   * place uses up the time of the next ones.
   */
  turn({ of, mayWait = this.mayWait }: { of: number; mayWait?: boolean }): LookTime {
    return new LookTime({ clock: this.#clock, ms: this.turnMs / of, whole: this, mayWait });
  }

  /** Ends it now. All pauses end at once, and nothing more is asked. */
  end(): void {
    this.#isEnded = true;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves after `ms` milliseconds, or at once when `end` is called. */
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
