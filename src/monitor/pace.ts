import { jittered, MOST_JITTER } from "../world/pacing.ts";
import type { Schedule } from "../world/schedule.ts";
import type { Stop } from "../world/stop.ts";
import { timeAt, timeOf } from "../world/time.ts";
import type { Clock, Random } from "../world/world.ts";
import type { GossipSettings } from "./settings.ts";

/**
 * How soon it is noticed that the wall clock was set, or that the machine slept: no wait by that clock
 * is longer, and after each the time that is due is computed anew.
 */
export const LONGEST_SLEEP_MS = 10_000;

/** When rounds are due, one after the other. */
export interface Pace {
  /** Resolves when the next round is due, or as soon as it is woken. */
  wait(stop: Stop): Promise<void>;
  /**
   * When a round is due at the latest, in RFC 3339; nothing if none is waited for.
   * @param later how many others come before it
   */
  dueAt(later: number): string | undefined;
}

/** The pace that is configured. */
export function paceOf(
  gossip: GossipSettings,
  { clock, random }: { clock: Clock; random: Random },
): Pace {
  return "schedule" in gossip
    ? new SchedulePace(gossip.schedule, clock)
    : new IntervalPace(gossip.intervalMs, { clock, random });
}

/** A round each interval, with jitter, by the monotonic clock. */
class IntervalPace implements Pace {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #random: Random;
  /** When the next round begins, by the monotonic clock; nothing if none is waited for. */
  #nextAt: number | undefined;

  constructor(intervalMs: number, { clock, random }: { clock: Clock; random: Random }) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#random = random;
  }

  async wait(stop: Stop): Promise<void> {
    const pauseMs = jittered(this.#intervalMs, this.#random);
    this.#nextAt = this.#clock.monotonic() + pauseMs;
    await stop.pause(this.#clock, pauseMs);
    this.#nextAt = undefined;
  }

  dueAt(later: number): string | undefined {
    if (this.#nextAt === undefined) return undefined;
    return timeAt(this.#clock, this.#nextAt + later * MOST_JITTER * this.#intervalMs);
  }
}

/**
 * A round at each time of a schedule, by the wall clock. If that clock is put forward, what was due
 * meanwhile is one round, at once. If it is put back, the next time is computed from where it is now.
 */
class SchedulePace implements Pace {
  readonly #schedule: Schedule;
  readonly #clock: Clock;
  /** The times that are due next, as far as they were asked for; the first is waited for. */
  #due: number[];
  /** The last time that had its round, and when that was by the monotonic clock. */
  #last: { readonly due: number; readonly at: number } | undefined;
  #isWaiting = false;

  constructor(schedule: Schedule, clock: Clock) {
    this.#schedule = schedule;
    this.#clock = clock;
    this.#due = [schedule.next(this.#now())];
  }

  async wait(stop: Stop): Promise<void> {
    this.#isWaiting = true;
    let isOver = true;
    while (isOver && !this.#takeDue()) {
      const leftMs = this.#due[0]! - this.#now();
      isOver = await stop.pause(this.#clock, Math.min(leftMs, LONGEST_SLEEP_MS));
    }
    this.#isWaiting = false;
  }

  dueAt(later: number): string | undefined {
    while (this.#due.length <= later) this.#due.push(this.#schedule.next(this.#due.at(-1)!));
    const due = this.#due[later]!;
    return this.#isWaiting && Number.isFinite(due) ? timeOf(due) : undefined;
  }

  /** Takes the time that is due, if it has come. */
  #takeDue(): boolean {
    const now = this.#now();
    const due = this.#due[0]!;
    if (now < due) {
      const next = this.#nextFrom(now);
      if (next < due) this.#due = [next];
      return false;
    }
    this.#last = { due, at: this.#clock.monotonic() };
    this.#due = [this.#schedule.next(now)];
    return true;
  }

  /** The time that is due next. A small step back of the clock does not bring the last one again. */
  #nextFrom(now: number): number {
    const next = this.#schedule.next(now);
    if (next !== this.#last?.due) return next;
    const after = this.#schedule.next(next);
    const apartMs = this.#clock.monotonic() - this.#last.at + next - now;
    return apartMs < (after - next) / 2 ? after : next;
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}
