/**
 * Virtual time for a whole fleet. It jumps to the next call that is due as soon as no promise can
 * proceed.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../src/world/world.ts";
import { Heap } from "./heap.ts";

/** A call that is due later. */
interface Due {
  /** Milliseconds since the start. */
  readonly at: number;
  /** Calls due at the same moment are made in the order they were asked for. */
  readonly order: number;
  /** The call; nothing once it was made or cancelled. */
  run: (() => void) | undefined;
}

/** One clock for everything that is simulated, in milliseconds since its start. */
export class SimTime {
  #now = 0;
  #asked = 0;
  readonly #due = new Heap(isBefore);

  /** Milliseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** Calls `run` once, after `ms` milliseconds, unless cancelled. */
  after(ms: number, run: () => void): Timer {
    const due: Due = { at: this.#now + Math.max(0, ms), order: this.#asked++, run };
    this.#due.push(due);
    return { cancel: () => due.run = undefined };
  }

  /** Resolves after `ms` milliseconds. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /**
   * Lets time pass until a moment, or until `isDone` is true. `isDone` is asked after each call.
   * @returns the last answer of `isDone`
   */
  async runUntil(end: number, isDone: () => boolean = () => false): Promise<boolean> {
    await quiet();
    for (let next; (next = this.#due.first) !== undefined && next.at <= end;) {
      this.#due.shift();
      const { run } = next;
      if (run === undefined) continue;
      next.run = undefined;
      this.#now = next.at;
      run();
      await quiet();
      if (isDone()) return true;
    }
    this.#now = Math.max(this.#now, end);
    return isDone();
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Resolves when no promise can proceed: the event loop runs all of them before an immediate. */
function quiet(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => resolve()));
}

/** The clocks of one machine. They drift, and the wall clock is set now and then. */
export class MachineTime {
  static readonly #start = Date.UTC(2026, 0, 1);
  readonly #time: SimTime;
  readonly #rate: number;
  /** By how many milliseconds the wall clock is ahead. */
  ahead = 0;

  /** @param rate how much of its own time passes in one unit of true time */
  constructor({ time, rate }: { time: SimTime; rate: number }) {
    this.#time = time;
    this.#rate = rate;
  }

  /**
   * The clock of one process on this machine. Its monotonic time begins with the process.
   * @param isAlive asked before each call that is due: calls of a killed process are not made
   * @param pausedUntil until when the process stands still, in milliseconds since the start
   */
  clock(
    isAlive: () => boolean,
    pausedUntil: () => number = () => 0,
  ): Clock & { readonly pending: number } {
    const time = this.#time;
    const rate = this.#rate;
    const start = time.now;
    const due = new Set<Timer>();
    return {
      now: () => new Date(MachineTime.#start + Math.floor(time.now * rate + this.ahead)),
      monotonic: () => (time.now - start) * rate,
      after(ms, run) {
        let waiting: Timer;
        const fire = (): void => {
          const leftMs = pausedUntil() - time.now;
          if (leftMs > 0 && isAlive()) {
            waiting = time.after(leftMs, fire);
            return;
          }
          due.delete(timer);
          if (isAlive()) run();
        };
        const timer: Timer = {
          cancel() {
            due.delete(timer);
            waiting.cancel();
          },
        };
        waiting = time.after(ms / rate, fire);
        due.add(timer);
        return timer;
      },
      get pending() {
        return due.size;
      },
    };
  }
}
