/**
 * With whom we have sessions, and whom to call for more. It opens and closes nothing itself: it counts
 * seats and says what may be done.
 *
 *     for (const member of room.toCall()) {
 *       // Each call ends in one of these three:
 *       room.failed(member); // it was not reached
 *       room.refused(member); // it answered, and did not want the session
 *       const admission = room.admit(member, "outbound"); // there is a session
 *     }
 *     // A session that ended is told by its seat, however often:
 *     room.left(seat);
 *
 * @module
 */
import { jittered } from "../world/pacing.ts";
import { randomShare } from "../world/random.ts";
import { shuffled } from "../world/rotation.ts";
import type { Clock, Random } from "../world/world.ts";

/** The wait before a member is called again: at first, and the longest. In between it doubles. */
export const FIRST_BACK_OFF_MS = 1_000;
/** See `FIRST_BACK_OFF_MS`. */
export const LONGEST_BACK_OFF_MS = 600_000;
/** A member that was not reached so many times in a row is unhealthy. */
export const UNHEALTHY_AFTER = 3;
/** How many members are being called at a time: each call costs a handshake. */
export const MOST_CALLS = 4;
/** A session that ended sooner does not shorten the wait before the next call. */
export const STEADY_MS = 60_000;
/**
 * Two members that call each other at once have two sessions. The second begins within this time of
 * the first: a call and its handshake must not take longer.
 */
export const CROSSING_MS = 30_000;

/** Whose call began a session: `outbound` is ours. */
export type Direction = "inbound" | "outbound";

/** One session, as far as it is counted. Two seats are the same only if they are one object. */
export interface Seat {
  readonly member: string;
  readonly direction: Direction;
  /** On the monotonic clock. */
  readonly since: number;
}

/**
 * Why there is no seat. `unknown`: not a member. `full`: no seat is left for this direction. `seated`:
 * the member has a session with us already, and that one is kept.
 */
export type NoSeat = "unknown" | "full" | "seated";

/** Whether a session has a seat. If it has, the session of the seat that it replaces is to be closed. */
export type Admission =
  | { readonly seat: Seat; readonly replaces: Seat | undefined }
  | { readonly refusal: NoSeat };

/** How we stand with one member. */
export interface Standing {
  readonly seat: Seat | undefined;
  readonly isCalling: boolean;
  /** How many times in a row it was not reached. */
  readonly failures: number;
  readonly isHealthy: boolean;
  /**
   * From when on it may be called, on the monotonic clock; nothing if it has a seat, is being called,
   * or has no address.
   */
  readonly mayCallAt: number | undefined;
}

/** What is remembered of a member, as long as it is one. */
interface Record {
  failures: number;
  /** Calls in a row that led to no session that lasted. */
  vain: number;
  mayCallAt: number;
}

/**
 * The seats of one monitor. Each session takes one, and so does each call that is under way. Half of
 * them, or one more, are kept for our own calls: whoever calls us cannot take those. One member has at
 * most one seat, from however many addresses it calls.
 *
 * So nobody can surround a monitor by calling it. Whom we call is drawn at random. The members we have
 * called and kept for longest are the anchors: they are not rotated out, and are called first after a
 * restart.
 */
export class Room {
  readonly #own: string;
  #size = 0;
  readonly #anchors: number;
  readonly #remembered: readonly string[];
  readonly #rotateMs: number;
  readonly #hasAddress: (member: string) => boolean;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #random: Random;
  #records = new Map<string, Record>();
  /** By member. */
  readonly #seats = new Map<string, Seat>();
  readonly #calling = new Set<string>();
  #rotateAt: number;

  constructor({ own, members, room, anchors, remembered, rotateMs, hasAddress, clock, random }: {
    /** Our own vkey. */
    own: string;
    /** The vkeys of the members; ours is left out. */
    members: Iterable<string>;
    /** How many sessions there may be. With fewer than 2, nobody can call us. */
    room: number;
    /** How many anchors; at most half of the seats for our own calls, so that the others rotate. */
    anchors: number;
    /** What `anchors` gave before the restart. */
    remembered: readonly string[];
    /** How often one member that we call gives way to another. */
    rotateMs: number;
    /** Whether an address of a member is known now. */
    hasAddress: (member: string) => boolean;
    clock: Pick<Clock, "monotonic">;
    random: Random;
  }) {
    this.#own = own;
    this.#anchors = anchors;
    this.#remembered = remembered;
    this.#rotateMs = rotateMs;
    this.#hasAddress = hasAddress;
    this.#clock = clock;
    this.#random = random;
    this.#rotateAt = this.#after(rotateMs);
    this.change({ members, room });
  }

  /**
   * Sets the members and the number of seats. Members that stay keep their seats and what is remembered
   * of them, even if there are fewer seats now: then nobody gets one until enough have left.
   * @returns the seats of others. Their sessions are to be closed; until `left` they count
   */
  change({ members, room }: { members: Iterable<string>; room: number }): readonly Seat[] {
    this.#size = room;
    const before = this.#records;
    const others = [...members].filter((member) => member !== this.#own);
    const fresh = (): Record => ({ failures: 0, vain: 0, mayCallAt: this.#clock.monotonic() });
    this.#records = new Map(others.map((member) => [member, before.get(member) ?? fresh()]));
    return this.seats.filter(({ member }) => !this.#records.has(member));
  }

  /** All seats that are taken by sessions. */
  get seats(): readonly Seat[] {
    return [...this.#seats.values()];
  }

  /** How many seats are free. A call that is under way takes one. */
  get free(): number {
    return Math.max(0, this.#size - this.#taken());
  }

  /** Why a session with a member would get no seat now; nothing if it would. */
  mayAdmit(member: string, direction: Direction): NoSeat | undefined {
    if (!this.#records.has(member)) return "unknown";
    const seat = this.#seats.get(member);
    if (seat !== undefined && !this.#givesWay(seat, direction)) return "seated";
    // What this member has already would be replaced, so it does not count.
    if (this.#taken(member) >= this.#size) return "full";
    if (direction === "outbound") return undefined;
    const inbound = this.seats.filter((other) =>
      other.direction === "inbound" && other.member !== member
    );
    return inbound.length >= this.#size - keptSeats(this.#size) ? "full" : undefined;
  }

  /**
   * Gives a session a seat. The call to this member, if there was one, has ended then.
   *
   * If two members call each other at once, one of the two sessions is kept: the one that was called
   * by the member whose vkey is the smaller text (compared by UTF-16 units, as `<` does). Both ends
   * compute that alike. If the older session is of the same direction, or has lasted longer than
   * `CROSSING_MS`, the calls did not cross: who called again has lost the older one, perhaps by a
   * restart, and so the newer one is kept.
   */
  admit(member: string, direction: Direction): Admission {
    const refusal = this.mayAdmit(member, direction);
    if (direction === "outbound") this.#calling.delete(member);
    if (refusal !== undefined) return { refusal };
    const replaces = this.#seats.get(member);
    const seat: Seat = { member, direction, since: this.#clock.monotonic() };
    this.#seats.set(member, seat);
    const record = this.#records.get(member)!;
    record.failures = 0;
    record.mayCallAt = seat.since;
    return { seat, replaces };
  }

  /** Frees a seat. Without effect if it was freed or replaced before. */
  left(seat: Seat): void {
    if (this.#seats.get(seat.member) !== seat) return;
    this.#seats.delete(seat.member);
    const record = this.#records.get(seat.member);
    if (record === undefined) return;
    if (this.#clock.monotonic() - seat.since >= STEADY_MS) record.vain = 0;
    this.#backOff(record);
  }

  /** Notes that a call did not reach a member. */
  failed(member: string): void {
    this.#calling.delete(member);
    const record = this.#records.get(member);
    // It called us meanwhile, so it is not out of reach.
    if (record === undefined || this.#seats.has(member)) return;
    record.failures++;
    this.#backOff(record);
  }

  /** Notes that a member answered a call and gave us no session, because it is full for example. */
  refused(member: string): void {
    this.#calling.delete(member);
    const record = this.#records.get(member);
    if (record === undefined) return;
    record.failures = 0;
    if (!this.#seats.has(member)) this.#backOff(record);
  }

  /**
   * Has a member not called for so long, because it left or is banned. A session with it, whoever
   * called, ends this.
   */
  holdOff(member: string, ms: number): void {
    const record = this.#records.get(member);
    if (record === undefined) return;
    record.mayCallAt = Math.max(record.mayCallAt, this.#clock.monotonic() + ms);
  }

  /**
   * Whom to call now. Their seats are taken from here on, until `admit`, `failed` or `refused` is
   * told. Anchors come first, then healthy members in a random order, then unhealthy ones.
   */
  toCall(): readonly string[] {
    const count = Math.max(0, Math.min(this.free, MOST_CALLS - this.#calling.size));
    const chosen = this.#due().slice(0, count);
    for (const member of chosen) this.#calling.add(member);
    return chosen;
  }

  /**
   * Lets one member that we called give way to another one, drawn at random, once each `rotateMs`. The
   * seat is freed and taken for the call: the session of `leaves` is to be closed, and `calls` to be
   * called. Nothing if it is not the time, or if a seat is free, since others are called then anyway.
   */
  rotate(): { readonly leaves: Seat; readonly calls: string } | undefined {
    if (this.#clock.monotonic() < this.#rotateAt) return undefined;
    this.#rotateAt = this.#after(this.#rotateMs);
    if (this.free > 0 || this.#calling.size >= MOST_CALLS) return undefined;
    const leaves = this.#oneOf(this.#longestStanding().slice(this.#mostAnchors));
    const calls = this.#oneOf(this.#due().filter((member) => this.#isHealthy(member)));
    if (leaves === undefined || calls === undefined) return undefined;
    this.left(leaves);
    this.#calling.add(calls);
    return { leaves, calls };
  }

  /**
   * When to ask `toCall` and `rotate` again, on the monotonic clock. It may be in the past. Nothing if
   * only something that is told can change what they say.
   */
  nextAt(): number | undefined {
    if (this.#calling.size >= MOST_CALLS) return undefined;
    if (this.free === 0) return this.#rotateAt;
    const times = this.#callable().map((member) => this.#records.get(member)!.mayCallAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /**
   * The members to be remembered over a restart: those whom we called and kept for longest. As long as
   * there are fewer, those remembered from before stay, so that a short run does not lose them.
   */
  anchors(): readonly string[] {
    const standing = this.#longestStanding().map(({ member }) => member);
    const before = this.#remembered.filter((member) => this.#records.has(member));
    return [...new Set([...standing, ...before])].slice(0, this.#mostAnchors);
  }

  /** How we stand with a member; nothing if it is none. */
  standing(member: string): Standing | undefined {
    const record = this.#records.get(member);
    if (record === undefined) return undefined;
    return {
      seat: this.#seats.get(member),
      isCalling: this.#calling.has(member),
      failures: record.failures,
      isHealthy: this.#isHealthy(member),
      mayCallAt: this.#isCallable(member) ? record.mayCallAt : undefined,
    };
  }

  /** How many seats are taken by sessions and calls of members other than `except`. */
  #taken(except?: string): number {
    const taken = new Set([...this.#seats.keys(), ...this.#calling]);
    if (except !== undefined) taken.delete(except);
    return taken.size;
  }

  #givesWay(seat: Seat, direction: Direction): boolean {
    if (seat.direction === direction) return true;
    if (this.#clock.monotonic() - seat.since > CROSSING_MS) return true;
    const isOurs = direction === "outbound";
    return isOurs === (this.#own < seat.member);
  }

  #backOff(record: Record): void {
    record.vain++;
    const doubled = FIRST_BACK_OFF_MS * 2 ** Math.min(record.vain - 1, 30);
    const next = this.#after(Math.min(doubled, LONGEST_BACK_OFF_MS));
    // It may be held off for longer.
    record.mayCallAt = Math.max(record.mayCallAt, next);
  }

  /** So long after now, with jitter; rounded up, so that no timer comes just before it. */
  #after(ms: number): number {
    return Math.ceil(this.#clock.monotonic() + jittered(ms, this.#random));
  }

  /** How many anchors there may be; as many of the seats of our calls are left to rotate. */
  get #mostAnchors(): number {
    return Math.min(this.#anchors, Math.floor(keptSeats(this.#size) / 2));
  }

  #isHealthy(member: string): boolean {
    return (this.#records.get(member)?.failures ?? 0) < UNHEALTHY_AFTER;
  }

  #isCallable(member: string): boolean {
    const isBusy = this.#seats.has(member) || this.#calling.has(member);
    return !isBusy && this.#hasAddress(member);
  }

  #callable(): string[] {
    return [...this.#records.keys()].filter((member) => this.#isCallable(member));
  }

  /** The members that may be called now, in the order of `toCall`. */
  #due(): string[] {
    const now = this.#clock.monotonic();
    const due = this.#callable().filter((member) => this.#records.get(member)!.mayCallAt <= now);
    const rank = (member: string): number => {
      if (!this.#isHealthy(member)) return 2;
      return this.#remembered.includes(member) ? 0 : 1;
    };
    return shuffled(due, this.#random).toSorted((one, other) => rank(one) - rank(other));
  }

  /** The seats of our own calls, the oldest first. */
  #longestStanding(): Seat[] {
    return this.seats.filter(({ direction }) => direction === "outbound")
      .toSorted((one, other) => one.since - other.since);
  }

  #oneOf<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(randomShare(this.#random) * items.length)];
  }
}

/** How many seats only our own calls may take. */
function keptSeats(room: number): number {
  return Math.ceil(room / 2);
}
