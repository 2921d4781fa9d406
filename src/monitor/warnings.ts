import type { Clock, Timer } from "../world/world.ts";
import type { Level } from "./events.ts";

/** How often one address that calls badly is warned of; the rest is told to who looks closely. */
export const WARN_AGAIN_MS = 60_000;
/** Addresses whose last warning is remembered. */
const MAX_WARNED = 10_000;
/** The time in which warnings are counted. */
export const WARNINGS_WINDOW_MS = 60_000;
/**
 * Warnings that strangers can cause in that time, all addresses together. A service manager drops
 * what comes faster than about 300 lines a second, whatever it is; `incident.recorded` must not be
 * among it.
 */
export const MAX_WARNINGS_IN_WINDOW = 60;

/**
 * How loud trouble is that anybody can cause. Each address is warned of now and then; and however many
 * addresses there are, only so many times in all: then one line tells how many were left out.
 */
export class WarningLimiter {
  readonly #clock: Clock;
  readonly #onLeftOut: (count: number) => void;
  /** By address, when it was last warned of. */
  readonly #warned = new Map<string, number>();
  #windowFrom = -Infinity;
  #inWindow = 0;
  #leftOut = 0;
  #telling: Timer | undefined;

  /** @param onLeftOut told after a time in which warnings were left out, how many */
  constructor({ clock, onLeftOut }: { clock: Clock; onLeftOut: (count: number) => void }) {
    this.#clock = clock;
    this.#onLeftOut = onLeftOut;
  }

  /**
   * How loud this trouble is to be told.
   * @param isKnown whether the source is a configured one, such as a peer: of these there are only so
   *   many, and strangers must not crowd them out
   */
  levelOf(source: string, { isKnown }: { isKnown: boolean }): Level {
    const now = this.#clock.monotonic();
    const warnedAt = this.#warned.get(source);
    if (warnedAt !== undefined && now - warnedAt < WARN_AGAIN_MS) return "debug";
    if (!isKnown && !this.#hasRoom(now)) return "debug";
    this.#warned.delete(source);
    this.#warned.set(source, now);
    if (this.#warned.size > MAX_WARNED) this.#warned.delete(this.#warned.keys().next().value!);
    return "warning";
  }

  #hasRoom(now: number): boolean {
    if (now - this.#windowFrom >= WARNINGS_WINDOW_MS) {
      this.#windowFrom = now;
      this.#inWindow = 0;
    }
    if (this.#inWindow < MAX_WARNINGS_IN_WINDOW) {
      this.#inWindow++;
      return true;
    }
    if (this.#leftOut++ === 0) {
      const rest = this.#windowFrom + WARNINGS_WINDOW_MS - now;
      this.#telling = this.#clock.after(rest, () => this.flush());
    }
    return false;
  }

  /** Tells how many were left out, if any were; at the end of a window, and before an end. */
  flush(): void {
    this.#telling?.cancel();
    const count = this.#leftOut;
    this.#leftOut = 0;
    if (count > 0) this.#onLeftOut(count);
  }
}

/** How often one reason for which the disk refuses is told. */
export const REFUSED_AGAIN_MS = 60_000;
/** Reasons that are limited apart; all beyond count as one. */
const MAX_REASONS = 100;

/**
 * Tells what the disk refuses: a reason at once, and then, for as long as it is refused again, once in
 * a time and with how many there were. Everybody who calls may cause one.
 */
export class RefusalLimiter {
  readonly #clock: Clock;
  readonly #tell: (error: unknown, more: number | undefined) => void;
  /** By reason, what was told of it less than that time ago. */
  readonly #told = new Map<string, { error: unknown; more: number; timer: Timer }>();

  constructor({ clock, tell }: {
    clock: Clock;
    /** Given how many more there were, if any were left out. */
    tell: (error: unknown, more: number | undefined) => void;
  }) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** The disk, or another part of the world, refused something. */
  add(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const key = this.#told.has(reason) || this.#told.size < MAX_REASONS ? reason : "";
    const told = this.#told.get(key);
    if (told === undefined) return this.#tellNow(key, error);
    told.error = error;
    told.more++;
  }

  #tellNow(key: string, error: unknown, more?: number): void {
    const timer = this.#clock.after(REFUSED_AGAIN_MS, () => this.#tellMore(key));
    this.#told.set(key, { error, more: 0, timer });
    this.#tell(error, more);
  }

  #tellMore(key: string): void {
    const { error, more } = this.#told.get(key)!;
    this.#told.delete(key);
    if (more > 0) this.#tellNow(key, error, more);
  }

  /** Tells how many were left out, if any were; before an end. */
  flush(): void {
    for (const { error, more, timer } of this.#told.values()) {
      timer.cancel();
      if (more > 0) this.#tell(error, more);
    }
    this.#told.clear();
  }
}
