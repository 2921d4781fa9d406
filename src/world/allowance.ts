import type { Clock } from "./world.ts";

/**
 * How much addresses may ask for. A port chooses the unit in which its work is counted: for the
 * exchange of checkpoints it is a frame.
 */
export interface AllowanceLimits {
  /** How much one address may take in a second. After a pause it may take as much at once. */
  readonly perSecondPerAddress: number;
  /** How much a refusal costs the address; nothing if left out. */
  readonly refusalCost?: number;
  /**
   * How much all strangers together may take in a second of one thing that they share, in
   * allowances of one address. It is at least 2, because otherwise one address alone could not use
   * its own allowance. It is 2 if left out.
   */
  readonly strangersShare?: number;
  /** How many addresses' use is remembered. */
  readonly maxAddresses: number;
}

/** How much was left, and when. */
interface Bucket {
  left: number;
  at: number;
}

/** The buckets of all addresses. Each holds the allowance of one second and fills steadily. */
class Buckets {
  readonly #clock: Clock;
  readonly #limits: AllowanceLimits;
  readonly #ofAddress = new Map<string, Bucket>();

  constructor({ clock, limits }: { clock: Clock; limits: AllowanceLimits }) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** A full bucket. */
  fresh(full: number): Bucket {
    return { left: full, at: this.#clock.monotonic() };
  }

  /** Lets a bucket fill up to now. An empty bucket takes a second. */
  fill(bucket: Bucket, full: number): Bucket {
    const now = this.#clock.monotonic();
    bucket.left = Math.min(full, bucket.left + (now - bucket.at) / 1000 * full);
    bucket.at = now;
    return bucket;
  }

  /** The bucket of an address, filled up to now. */
  of(key: string): Bucket {
    const full = this.#limits.perSecondPerAddress;
    const bucket = this.fill(this.#ofAddress.get(key) ?? this.fresh(full), full);
    // It moves to the end, so that the address that was heard least recently is forgotten first.
    this.#ofAddress.delete(key);
    this.#ofAddress.set(key, bucket);
    if (this.#ofAddress.size > this.#limits.maxAddresses) {
      this.#ofAddress.delete(this.#ofAddress.keys().next().value!);
    }
    return bucket;
  }
}

/**
 * How much each address may still ask for. Each has a bucket that holds the allowance of one second
 * and fills steadily. A refusal costs much more than an answer, and may take the bucket below
 * empty. That keeps the address out until its bucket has filled up again.
 */
export class Allowance {
  readonly #limits: AllowanceLimits;
  readonly #buckets: Buckets;

  constructor({ clock, limits }: { clock: Clock; limits: AllowanceLimits }) {
    this.#limits = limits;
    this.#buckets = new Buckets({ clock, limits });
  }

  /** Takes from an address's allowance. If it has too little, takes nothing and returns false. */
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
    const { refusalCost = 0, perSecondPerAddress } = this.#limits;
    const bucket = this.#buckets.of(key);
    bucket.left = Math.max(bucket.left - refusalCost, -perSecondPerAddress);
  }

  /** Makes a thing that all strangers share, in addition to the allowance of each address. */
  share(): StrangersShare {
    return new StrangersShare({ buckets: this.#buckets, limits: this.#limits });
  }
}

/**
 * One thing of which all strangers together may take only so much in a second, because addresses
 * are cheap. Once less than half of it is left, an address that has taken much is refused before
 * one that has taken little. An address then needs as large a part of its own allowance as is
 * missing of that half.
 */
export class StrangersShare {
  readonly #buckets: Buckets;
  readonly #ofAddress: number;
  readonly #ofAll: number;
  readonly #shared: Bucket;

  constructor({ buckets, limits }: { buckets: Buckets; limits: AllowanceLimits }) {
    this.#buckets = buckets;
    this.#ofAddress = limits.perSecondPerAddress;
    this.#ofAll = limits.perSecondPerAddress * (limits.strangersShare ?? 2);
    this.#shared = buckets.fresh(this.#ofAll);
  }

  /**
   * Takes from an address's allowance and from this. If either has too little, takes nothing and
   * returns false.
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
   * Takes from both what was used already, even below empty. The cost of some work is known only
   * when it is done.
   */
  owe(key: string, amount: number): void {
    const own = this.#buckets.of(key);
    own.left = Math.max(own.left - amount, -this.#ofAddress);
    this.#filled().left -= amount;
  }

  /** Whether work of unknown cost may begin for an address; see `used`. */
  isOpen(key: string): boolean {
    const shared = this.#filled();
    return shared.left >= 1 && this.#isFair(this.#buckets.of(key), shared);
  }

  /** Takes the cost of such work from this alone, even below empty. */
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
