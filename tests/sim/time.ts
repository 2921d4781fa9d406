/**
 * Virtual time for a whole fleet: it goes on to the next thing due as soon as everything that could
 * go on has gone on.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../src/world/world.ts";

/** A call that is due later. */
interface Due {
  /** Milliseconds since the start. */
  readonly at: number;
  /** Among equals the order they were asked for in. */
  readonly order: number;
  /** Nothing once it was made or dropped. */
  run: (() => void) | undefined;
}

/** One clock for everything that is simulated, in milliseconds since its start. */
export class SimTime {
  #now = 0;
  #asked = 0;
  /** A binary heap: each is due before the two at twice its place plus 1 and 2. */
  readonly #due: Due[] = [];

  /** Milliseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** Calls `run` once, after `ms` milliseconds, unless cancelled. */
  after(ms: number, run: () => void): Timer {
    const due: Due = { at: this.#now + Math.max(0, ms), order: this.#asked++, run };
    this.#push(due);
    return { cancel: () => due.run = undefined };
  }

  /** Resolves after `ms` milliseconds. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /**
   * Lets time pass until a moment, or until `isDone`, which is asked after each thing that happened.
   * @returns whether it was done before
   */
  async runUntil(end: number, isDone: () => boolean = () => false): Promise<boolean> {
    await quiet();
    for (let next; (next = this.#due[0]) !== undefined && next.at <= end;) {
      this.#shift();
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

  #push(due: Due): void {
    const heap = this.#due;
    let at = heap.length;
    heap.push(due);
    for (let above; at > 0 && isBefore(due, heap[above = (at - 1) >> 1]!); at = above) {
      heap[at] = heap[above]!;
      heap[above] = due;
    }
  }

  #shift(): void {
    const heap = this.#due;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Resolves when no promise is left that could go on: those are followed up before this is called. */
function quiet(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => resolve()));
}

/** A machine's idea of the time: it drifts, and the wall clock is set now and then. */
export class MachineTime {
  static readonly #start = Date.UTC(2026, 0, 1);
  readonly #time: SimTime;
  readonly #rate: number;
  /** Milliseconds the wall clock is ahead. */
  ahead = 0;

  /** @param rate how much of its own time passes in one unit of true time */
  constructor({ time, rate }: { time: SimTime; rate: number }) {
    this.#time = time;
    this.#rate = rate;
  }

  /**
   * The clock of one process on this machine; its monotonic part begins with it.
   * @param isAlive asked before each call that is due: those of a process that was killed are not made
   */
  clock(isAlive: () => boolean): Clock & { readonly pending: number } {
    const time = this.#time;
    const rate = this.#rate;
    const start = time.now;
    const due = new Set<Timer>();
    return {
      now: () => new Date(MachineTime.#start + Math.floor(time.now * rate + this.ahead)),
      monotonic: () => (time.now - start) * rate,
      after(ms, run) {
        const timer = time.after(ms / rate, () => {
          due.delete(timer);
          if (isAlive()) run();
        });
        due.add(timer);
        return {
          cancel() {
            due.delete(timer);
            timer.cancel();
          },
        };
      },
      get pending() {
        return due.size;
      },
    };
  }
}
