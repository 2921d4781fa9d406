/**
 * What is passed on to members, at a pace. A member takes so much a second from another one, and charges
 * for more. What others tell us may be more than that: whoever passed on all of it would be put out for
 * somebody else's flood.
 *
 * @module
 */
import { Allowance } from "../world/allowance.ts";
import type { Clock, Timer } from "../world/world.ts";

/** What a member may send in a second, in units of spreading.ts. */
export const UNITS_PER_SECOND = 2_048;
/**
 * What is passed on to one member in a second: together less than half of what it takes, because what was
 * sent evenly may come at once. The rest is for what this monitor says itself.
 */
const TALK_PER_SECOND = 256;
/** The largest record must fit in: 64 units, and one for every 4 KiB. */
const EVIDENCE_PER_SECOND = 640;
/** Of that, what one member has said. So one that says much does not silence the others. */
const TALK_PER_SIGNER = 64;
/** How often it is tried again. */
const RETRY_MS = 100;
/** Most bytes that wait for one member, of those that one other member has sent. */
const MAX_LANE_BYTES = 2_200_000;

/** To whom something is sent. */
export interface Recipient {
  /** Its vkey. */
  readonly key: string;
  post(body: Uint8Array): void;
}

interface Waiting {
  readonly body: Uint8Array;
  readonly units: number;
  readonly to: Recipient;
}

/** What waits for one member: by who sent it, so that each of them has its turn. */
interface Waitings {
  readonly lanes: Map<string, Waiting[]>;
  timer: Timer | undefined;
}

/** See the module. */
export class Outbox {
  readonly #clock: Clock;
  readonly #talk: Allowance;
  readonly #evidence: Allowance;
  readonly #signers: Allowance;
  readonly #waiting = new Map<string, Waitings>();

  /** @param most how many members there may be */
  constructor({ clock, most }: { clock: Clock; most: number }) {
    this.#clock = clock;
    const allowance = (perSecondPerAddress: number): Allowance =>
      new Allowance({
        clock,
        limits: { perSecondPerAddress, refusalCost: 0, strangersShare: 2, maxAddresses: most },
      });
    this.#talk = allowance(TALK_PER_SECOND);
    this.#evidence = allowance(EVIDENCE_PER_SECOND);
    this.#signers = allowance(TALK_PER_SIGNER);
  }

  /** Whether what a member has said may be passed on now. */
  mayPassOn(signer: string, units: number): boolean {
    return this.#signers.take(signer, units);
  }

  /** Sends what may get lost: it is said again, in other words. */
  offer(to: Recipient, body: Uint8Array, units: number): void {
    if (this.#talk.take(to.key, units)) to.post(body);
  }

  /**
   * Sends evidence, as soon as it may. If too much waits, the largest gets lost.
   * @param from who sent it here
   */
  hand(to: Recipient, body: Uint8Array, { units, from }: { units: number; from: string }): void {
    const waiting: Waitings = this.#waiting.get(to.key) ??
      { lanes: new Map(), timer: undefined };
    this.#waiting.set(to.key, waiting);
    const lane = waiting.lanes.get(from) ?? [];
    waiting.lanes.set(from, lane);
    const after = lane.findIndex((other) => other.units > units);
    lane.splice(after < 0 ? lane.length : after, 0, { body, units, to });
    let bytes = lane.reduce((sum, { body: { length } }) => sum + length, 0);
    while (bytes > MAX_LANE_BYTES && lane.length > 1) bytes -= lane.pop()!.body.length;
    if (waiting.timer === undefined) this.#send(to.key, waiting);
  }

  /** Forgets what waits for a member: it is told anew. */
  forget(key: string): void {
    this.#waiting.get(key)?.timer?.cancel();
    this.#waiting.delete(key);
  }

  /** Forgets all that waits. */
  close(): void {
    for (const key of [...this.#waiting.keys()]) this.forget(key);
  }

  /** Sends what may be sent, in turn of each lane. */
  #send(key: string, waiting: Waitings): void {
    waiting.timer = undefined;
    for (const [from, lane] of waiting.lanes) {
      const [first] = lane;
      if (first !== undefined) {
        if (!this.#evidence.take(key, first.units)) {
          waiting.timer = this.#clock.after(RETRY_MS, () => this.#send(key, waiting));
          return;
        }
        lane.shift();
        first.to.post(first.body);
      }
      // It comes again after the others.
      waiting.lanes.delete(from);
      if (lane.length > 0) waiting.lanes.set(from, lane);
    }
    this.#waiting.delete(key);
  }
}
