import { timeNow } from "../world/time.ts";
import type { Clock, Timer } from "../world/world.ts";
import type { Level } from "./events.ts";

/** Each address causes one warning in this time at most. The rest is told at level `debug`. */
export const WARN_AGAIN_MS = 60_000;
/** For how many addresses the last warning is remembered. */
const MAX_WARNED = 10_000;
/** The time over which strangers' warnings are counted. */
export const WARNINGS_WINDOW_MS = 60_000;
/**
 * How many warnings all strangers together can cause in that time. A service manager drops lines that
 * come faster than about 300 a second, whatever they say; it must not drop `incident.recorded`.
 */
export const MAX_WARNINGS_IN_WINDOW = 60;

/**
 * Limits warnings that anybody can cause, for each address and for all strangers together. One line
 * then tells how many were left out.
 */
export class WarningLimiter {
  readonly #clock: Clock;
  readonly #onLeftOut: (count: number) => void;
  /** For each address, when a warning about it was last printed. */
  readonly #warned = new Map<string, number>();
  #windowFrom = -Infinity;
  #inWindow = 0;
  #leftOut = 0;
  #telling: Timer | undefined;

  /** @param onLeftOut called with the number of warnings left out, at the end of each such window */
  constructor({ clock, onLeftOut }: { clock: Clock; onLeftOut: (count: number) => void }) {
    this.#clock = clock;
    this.#onLeftOut = onLeftOut;
  }

  /**
   * The level at which to tell of trouble with this source.
   * @param isKnown whether the source is configured, such as a peer. Only strangers count towards the
   *   common limit, so they cannot hide warnings about peers
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

  /** Tells how many were left out, if any. Called at the end of a window and when the daemon ends. */
  flush(): void {
    this.#telling?.cancel();
    const count = this.#leftOut;
    this.#leftOut = 0;
    if (count > 0) this.#onLeftOut(count);
  }
}

/** Each reason for which the disk refuses is told once in this time at most. */
export const REFUSED_AGAIN_MS = 60_000;
/** How many reasons are limited separately. All further reasons together count as one. */
const MAX_REASONS = 100;

/**
 * Limits what is told of a disk that refuses, since every call may cause such a refusal. The first
 * refusal for a reason is told at once. Later ones are told once in `REFUSED_AGAIN_MS`, with their
 * number. It is over once nothing was refused for that time and something was written since.
 */
export class RefusalLimiter {
  readonly #clock: Clock;
  readonly #tell: (error: unknown, more: number | undefined) => void;
  readonly #written: () => number;
  readonly #tellEnd: (lasted: { since: string; times: number }) => void;
  /** What lasts: since when, how often, and how much was written when something was refused last. */
  #lasting: { since: string; times: number; written: number; refusedAt: number } | undefined;
  #watching: Timer | undefined;
  /** The reasons told less than that time ago, each with what came since. */
  readonly #told = new Map<string, { error: unknown; more: number; timer: Timer }>();

  constructor({ clock, tell, tellEnd, written }: {
    clock: Clock;
    /** `more` is how many refusals were left out since the last call for this reason, if any. */
    tell: (error: unknown, more: number | undefined) => void;
    /** Called when writing works again, with RFC 3339 and the number of refusals. */
    tellEnd: (lasted: { since: string; times: number }) => void;
    /** How much was written so far, as a number that grows. */
    written: () => number;
  }) {
    this.#clock = clock;
    this.#tell = tell;
    this.#tellEnd = tellEnd;
    this.#written = written;
  }

  /** The disk, or another part of the world, refused something. */
  add(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const { since = timeNow(this.#clock), times = 0 } = this.#lasting ?? {};
    const now = { written: this.#written(), refusedAt: this.#clock.monotonic() };
    this.#lasting = { since, times: times + 1, ...now };
    this.#watching ??= this.#clock.after(REFUSED_AGAIN_MS, () => this.#lookForEnd());
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

  #lookForEnd(): void {
    this.#watching = undefined;
    const { since, times, written, refusedAt } = this.#lasting!;
    const isCalm = this.#clock.monotonic() - refusedAt >= REFUSED_AGAIN_MS;
    if (isCalm && this.#written() > written) {
      this.#lasting = undefined;
      return this.#tellEnd({ since, times });
    }
    this.#watching = this.#clock.after(REFUSED_AGAIN_MS, () => this.#lookForEnd());
  }

  /** Tells how many were left out, if any. Called when the daemon ends. */
  flush(): void {
    this.#watching?.cancel();
    for (const { error, more, timer } of this.#told.values()) {
      timer.cancel();
      if (more > 0) this.#tell(error, more);
    }
    this.#told.clear();
  }
}
