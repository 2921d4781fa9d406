import type { Clock } from "./world.ts";

/**
 * What addresses may ask for. What is counted (one of it) is whatever a port's work is measured in:
 * for the exchange of checkpoints a frame.
 */
export interface AllowanceLimits {
  /** What one address may take a second, with as much at once after a pause. */
  readonly perSecondPerAddress: number;
  /** What something that was refused costs its address. */
  readonly refusalCost: number;
  /**
   * What all strangers together may take a second of one thing they share, in allowances of one
   * address. At least 2, or one address alone could not use its own.
   */
  readonly strangersShare: number;
  /** Addresses whose use is remembered. */
  readonly maxAddresses: number;
}

/** How much is left, and when that was so. */
interface Bucket {
  left: number;
  at: number;
}

/** The buckets of all addresses; each holds one second's worth and fills steadily. */
class Buckets {
  readonly #clock: Clock;
  readonly #limits: AllowanceLimits;
  readonly #ofAddress = new Map<string, Bucket>();

  constructor({ clock, limits }: { clock: Clock; limits: AllowanceLimits }) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** A full one. */
  fresh(full: number): Bucket {
    return { left: full, at: this.#clock.monotonic() };
  }

  /** Lets a bucket fill up to now; an empty one takes a second. */
  fill(bucket: Bucket, full: number): Bucket {
    const now = this.#clock.monotonic();
    bucket.left = Math.min(full, bucket.left + (now - bucket.at) / 1000 * full);
    bucket.at = now;
    return bucket;
  }

  /** That of an address, filled up to now. */
  of(key: string): Bucket {
    const full = this.#limits.perSecondPerAddress;
    const bucket = this.fill(this.#ofAddress.get(key) ?? this.fresh(full), full);
    // Moved to the end, so that the address heard least recently is forgotten first.
    this.#ofAddress.delete(key);
    this.#ofAddress.set(key, bucket);
    if (this.#ofAddress.size > this.#limits.maxAddresses) {
      this.#ofAddress.delete(this.#ofAddress.keys().next().value!);
    }
    return bucket;
  }
}

/**
 * What each address may still ask for: a bucket that holds one second's worth and fills steadily.
 * What is refused costs much more than what is served, and may take the bucket below empty. That
 * keeps the address out until its bucket has filled up again.
 */
export class Allowance {
  readonly #limits: AllowanceLimits;
  readonly #buckets: Buckets;

  constructor({ clock, limits }: { clock: Clock; limits: AllowanceLimits }) {
    this.#limits = limits;
    this.#buckets = new Buckets({ clock, limits });
  }

  /** Takes from an address's allowance; false, and nothing is taken, if it has too little. */
  take(key: string, amount: number): boolean {
    const bucket = this.#buckets.of(key);
    if (bucket.left < amount) return false;
    bucket.left -= amount;
    return true;
  }

  /** Whether an address may connect at all. */
  isOpen(key: string): boolean {
    return this.#buckets.of(key).left >= 1;
  }

  /** Makes an address pay for something that was refused. */
  charge(key: string): void {
    const { refusalCost, perSecondPerAddress } = this.#limits;
    const bucket = this.#buckets.of(key);
    bucket.left = Math.max(bucket.left - refusalCost, -perSecondPerAddress);
  }

  /** A thing that strangers take of together from now on, beside what each address may take. */
  share(): StrangersShare {
    return new StrangersShare({ buckets: this.#buckets, limits: this.#limits });
  }
}

/**
 * One thing of which all strangers together may take only so much a second, since addresses are
 * cheap. Once less than half of it is left, who has taken much is refused before who has taken
 * little: an address needs as large a part of its own allowance as is missing of that half.
 */
export class StrangersShare {
  readonly #buckets: Buckets;
  readonly #ofAddress: number;
  readonly #ofAll: number;
  readonly #shared: Bucket;

  constructor({ buckets, limits }: { buckets: Buckets; limits: AllowanceLimits }) {
    this.#buckets = buckets;
    this.#ofAddress = limits.perSecondPerAddress;
    this.#ofAll = limits.perSecondPerAddress * limits.strangersShare;
    this.#shared = buckets.fresh(this.#ofAll);
  }

  /**
   * Takes from an address's allowance and from this; false, and nothing is taken, if either has too
   * little.
   */
  take(key: string, amount: number): boolean {
    const own = this.#buckets.of(key);
    const shared = this.#filled();
    if (own.left < amount || shared.left < amount || !this.#isFair(own, shared)) return false;
    own.left -= amount;
    shared.left -= amount;
    return true;
  }

  /**
   * Takes from both what was used already, below empty if need be: what some work costs is known
   * when it is done.
   */
  owe(key: string, amount: number): void {
    const own = this.#buckets.of(key);
    own.left = Math.max(own.left - amount, -this.#ofAddress);
    this.#filled().left -= amount;
  }

  /** Whether work may begin for an address of which it is not known what it costs; see `used`. */
  isOpen(key: string): boolean {
    const shared = this.#filled();
    return shared.left >= 1 && this.#isFair(this.#buckets.of(key), shared);
  }

  /** Takes from this alone what such work has cost, below empty if need be. */
  used(amount: number): void {
    this.#shared.left -= amount;
  }

  #isFair(own: Bucket, shared: Bucket): boolean {
    return own.left / this.#ofAddress + 2 * shared.left / this.#ofAll >= 1;
  }

  #filled(): Bucket {
    return this.#buckets.fill(this.#shared, this.#ofAll);
  }
}
