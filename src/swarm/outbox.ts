/**
 * What is passed on to members, at a pace. A member takes so much a second from another one, and charges
 * for more. What others tell us may be more than that: whoever passed on all of it would be put out for
 * somebody else's flood.
 *
 * Evidence waits in lanes, one for each member that has found some. The lanes have their turns, so nobody
 * who makes up any number of cases delays those of others by more than its own turn. The lane is that of
 * who has signed the record, and not of who passed it on: so this holds at every hop.
 *
 * @module
 */
import { Allowance } from "../world/allowance.ts";
import type { Clock, Timer } from "../world/world.ts";
import { Told } from "./told.ts";

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
/** Most bytes that wait for one member in one lane. The largest record must fit in. */
const MAX_LANE_BYTES = 2_200_000;
/** Most bytes that wait for one member. */
const MAX_WAITING_BYTES = 4 * MAX_LANE_BYTES;
/** How long it is remembered which evidence was sent to a member, and how much of it. */
const SENT_MS = 3_600_000;
const MAX_SENT = 4_096;

/** To whom something is sent. */
export interface Recipient {
  /** Its vkey. */
  readonly key: string;
  /** @returns whether it is taken; if not, it has not read enough of what came before */
  post(body: Uint8Array): boolean;
}

/** A piece of evidence to be sent. */
export interface Piece {
  readonly body: Uint8Array;
  /** What it costs. */
  readonly units: number;
  /** Whose turn it takes. */
  readonly lane: string;
  /** When the case was found, in ms. The latest of a lane goes first. */
  readonly at: number;
  /** Which case it is, and how many hops it has: it goes to a member once. Without it, it always goes. */
  readonly news?: { readonly key: string; readonly hops: number };
}

interface Waiting extends Piece {
  readonly to: Recipient;
}

/** What waits for one member, and what it was sent. */
interface Place {
  readonly lanes: Map<string, Waiting[]>;
  readonly sent: Told;
  bytes: number;
  timer: Timer | undefined;
}

/** See the module. */
export class Outbox {
  readonly #clock: Clock;
  readonly #talk: Allowance;
  readonly #evidence: Allowance;
  readonly #signers: Allowance;
  readonly #places = new Map<string, Place>();

  /** @param most how many members there may be */
  constructor({ clock, most }: { clock: Clock; most: number }) {
    this.#clock = clock;
    const allowance = (perSecondPerAddress: number): Allowance =>
      new Allowance({ clock, limits: { perSecondPerAddress, maxAddresses: most } });
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

  /** Whether a member was not sent this case yet. It may be waiting. */
  lacks(to: string, { key, hops }: NonNullable<Piece["news"]>): boolean {
    return this.#places.get(to)?.sent.has(key, hops) !== true;
  }

  /** Notes that a member has told us of this case: it need not be sent there. */
  knows(to: string, { key, hops }: NonNullable<Piece["news"]>): void {
    this.#place(to).sent.isNew(key, hops);
  }

  /** Sends evidence, as soon as it may. If too much waits, the oldest of the fullest lane gets lost. */
  hand(to: Recipient, piece: Piece): void {
    const place = this.#place(to.key);
    const { news } = piece;
    if (news !== undefined && place.sent.has(news.key, news.hops)) return;
    const lane = place.lanes.get(piece.lane) ?? [];
    const waits = lane.some((other) =>
      news !== undefined && other.news?.key === news.key && other.news.hops >= news.hops
    );
    if (waits) return;
    place.lanes.set(piece.lane, lane);
    const after = lane.findIndex(({ at }) => at < piece.at);
    lane.splice(after < 0 ? lane.length : after, 0, { ...piece, to });
    place.bytes += piece.body.length;
    while (bytesOf(lane) > MAX_LANE_BYTES && lane.length > 1) drop(place, lane);
    while (place.bytes > MAX_WAITING_BYTES) drop(place, fullest(place));
    if (place.timer === undefined) this.#send(to.key, place);
  }

  /** Forgets what waits for a member, and what it was sent: it is told anew. */
  forget(key: string): void {
    this.#places.get(key)?.timer?.cancel();
    this.#places.delete(key);
  }

  /** Forgets all that waits. */
  close(): void {
    for (const key of [...this.#places.keys()]) this.forget(key);
  }

  #place(key: string): Place {
    let place = this.#places.get(key);
    if (place === undefined) {
      const sent = new Told({ clock: this.#clock, lifeMs: SENT_MS, most: MAX_SENT });
      this.#places.set(key, place = { lanes: new Map(), sent, bytes: 0, timer: undefined });
    }
    return place;
  }

  /** Sends what may be sent, in turn of each lane. */
  #send(key: string, place: Place): void {
    place.timer = undefined;
    for (const [name, lane] of place.lanes) {
      const [first] = lane;
      if (first !== undefined) {
        const { news } = first;
        // It may have come in another lane meanwhile.
        const isSent = news !== undefined && place.sent.has(news.key, news.hops);
        if (!isSent && !this.#post(key, first)) {
          place.timer = this.#clock.after(RETRY_MS, () => this.#send(key, place));
          return;
        }
        if (news !== undefined) place.sent.isNew(news.key, news.hops);
        lane.shift();
        place.bytes -= first.body.length;
      }
      // It comes again after the others.
      place.lanes.delete(name);
      if (lane.length > 0) place.lanes.set(name, lane);
    }
  }

  #post(key: string, { body, units, to }: Waiting): boolean {
    return this.#evidence.take(key, units) && to.post(body);
  }
}

function bytesOf(lane: readonly Waiting[]): number {
  return lane.reduce((sum, { body: { length } }) => sum + length, 0);
}

function fullest({ lanes }: Place): Waiting[] {
  return [...lanes.values()].reduce((most, lane) => bytesOf(lane) > bytesOf(most) ? lane : most);
}

function drop(place: Place, lane: Waiting[]): void {
  place.bytes -= lane.pop()?.body.length ?? 0;
}
