import type { Clock, Connection } from "../world/world.ts";
import type { ExchangeLimits } from "./limits.ts";

/** What is counted together: an IPv4 address, or the /64 an IPv6 address lies in. */
export function addressKey(hostname: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(hostname);
  if (mapped !== null) return mapped[1]!;
  if (!hostname.includes(":")) return hostname;
  const [head = "", tail] = hostname.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array(zeros).fill("0"), ...after].slice(0, 4).join(":") + "::/64";
}

/**
 * What each address may still ask for: a bucket that holds one second's worth of frames and fills
 * steadily. A frame takes one; a frame that verifies under no key takes many more, and may take
 * the bucket below empty, which keeps the address out until it has filled up again.
 */
export class Allowance {
  readonly #clock: Clock;
  readonly #limits: ExchangeLimits;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor({ clock, limits }: { clock: Clock; limits: ExchangeLimits }) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Takes `frames` from an address's allowance; false, and nothing is taken, if it has too little. */
  take(key: string, frames: number): boolean {
    const bucket = this.#bucket(key);
    if (bucket.left < frames) return false;
    bucket.left -= frames;
    return true;
  }

  /** Whether an address may connect at all. */
  isOpen(key: string): boolean {
    return this.#bucket(key).left >= 1;
  }

  /** Makes an address pay for a frame that was refused. */
  charge(key: string): void {
    const bucket = this.#bucket(key);
    bucket.left = Math.max(
      bucket.left - this.#limits.refusedFrameCost,
      -this.#limits.framesPerSecondPerAddress,
    );
  }

  #bucket(key: string): { left: number; at: number } {
    const full = this.#limits.framesPerSecondPerAddress;
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { left: full, at: now };
    bucket.left = Math.min(full, bucket.left + (now - bucket.at) / 1000 * full);
    bucket.at = now;
    // Moved to the end, so that the address heard least recently is forgotten first.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#limits.maxAddresses) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    return bucket;
  }
}

/** A connection being served. */
export interface Place {
  readonly connection: Connection;
  /** See `addressKey`. */
  readonly key: string;
  /** When it was last heard, on the monotonic clock. */
  heardAt: number;
  /** Why it was closed from here, if it was. */
  closedBecause: string | undefined;
}

/** How many connections a table holds, in all and from one address. */
export type TableLimits = Pick<ExchangeLimits, "maxConnections" | "maxConnectionsPerAddress">;

/**
 * The connections being served. When the table, or one address's share of it, is full, the one
 * that has been silent longest gives way: a table full of silent connections still serves an
 * honest one.
 */
export class ConnectionTable {
  readonly #limits: TableLimits;
  readonly #places = new Set<Place>();

  constructor(limits: TableLimits) {
    this.#limits = limits;
  }

  /** How many are being served. */
  get size(): number {
    return this.#places.size;
  }

  /** Takes a connection in, closing another if there is no room. */
  add(place: Place): void {
    const fromThere = [...this.#places].filter(({ key }) => key === place.key);
    if (fromThere.length >= this.#limits.maxConnectionsPerAddress) {
      this.#giveWay(
        fromThere,
        "this address has its most connections, and this one was silent longest",
      );
    } else if (this.#places.size >= this.#limits.maxConnections) {
      this.#giveWay(
        [...this.#places],
        "all connections are taken, and this one was silent longest",
      );
    }
    this.#places.add(place);
  }

  /** Closes a connection, for a reason that is kept with its place. */
  close(place: Place, reason: string): void {
    place.closedBecause ??= reason;
    place.connection.close();
  }

  /** Lets a place go once its connection has ended. */
  remove(place: Place): void {
    this.#places.delete(place);
  }

  /** Closes everything, as at a shutdown. */
  closeAll(): void {
    for (const place of this.#places) this.close(place, "shutting down");
  }

  #giveWay(among: readonly Place[], reason: string): void {
    const silent = among.reduce((a, b) => b.heardAt < a.heardAt ? b : a);
    this.close(silent, reason);
    this.#places.delete(silent);
  }
}
