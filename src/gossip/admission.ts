import type { Clock } from "../world/world.ts";
import type { ExchangeLimits } from "./limits.ts";

/** How much is left, in frames, and when that was so. */
interface Bucket {
  left: number;
  at: number;
}

/**
 * What each address may still ask for: a bucket that holds one second's worth of frames and fills
 * steadily. A frame takes one; a frame that verifies under no key takes many more, and may take
 * the bucket below empty, which keeps the address out until it has filled up again.
 */
export class Allowance {
  readonly #clock: Clock;
  readonly #limits: ExchangeLimits;
  readonly #buckets = new Map<string, Bucket>();
  /** What the parcels of all strangers may still cost. */
  readonly #parcels: Bucket;
  /** The signatures that may still be checked of strangers' frames. */
  readonly #signatures: Bucket;

  constructor({ clock, limits }: { clock: Clock; limits: ExchangeLimits }) {
    this.#clock = clock;
    this.#limits = limits;
    const left = limits.framesPerSecondPerAddress * limits.strangersShare;
    this.#parcels = { left, at: clock.monotonic() };
    this.#signatures = { left, at: clock.monotonic() };
  }

  /** Takes `frames` from an address's allowance; false, and nothing is taken, if it has too little. */
  take(key: string, frames: number): boolean {
    const bucket = this.#bucket(key);
    if (bucket.left < frames) return false;
    bucket.left -= frames;
    return true;
  }

  /**
   * The same for a stranger's parcel, which takes from what all strangers' parcels may cost together
   * as well; see `#isFair`.
   */
  takeOfParcel(key: string, frames: number): boolean {
    const own = this.#bucket(key);
    const shared = this.#fillShared(this.#parcels);
    if (own.left < frames || shared.left < frames || !this.#isFair(own, shared)) return false;
    own.left -= frames;
    shared.left -= frames;
    return true;
  }

  /**
   * Takes what a stranger's parcel has cost beyond what was taken of it before, below empty if need be:
   * what looking for its answer takes is known when it is done.
   */
  owe(key: string, frames: number): void {
    const own = this.#bucket(key);
    own.left = Math.max(own.left - frames, -this.#limits.framesPerSecondPerAddress);
    this.#fillShared(this.#parcels).left -= frames;
  }

  /**
   * Whether a stranger's frame that was not verified before may be looked at: the signatures checked
   * of all strangers' frames have an allowance together, since one frame may cost as many as logs are
   * followed, and addresses are cheap. What it took in the end is for `checked`.
   */
  mayCheck(key: string): boolean {
    const shared = this.#fillShared(this.#signatures);
    return shared.left >= 1 && this.#isFair(this.#bucket(key), shared);
  }

  /** Takes the signatures that were checked of a stranger's frame. */
  checked(signatures: number): void {
    this.#signatures.left -= signatures;
  }

  /**
   * Once less than half of what strangers share is left, who has taken much is refused before who has
   * taken little: an address needs as large a part of its own allowance as is missing of that half.
   */
  #isFair(own: Bucket, shared: Bucket): boolean {
    const { framesPerSecondPerAddress: full, strangersShare } = this.#limits;
    return own.left / full + 2 * shared.left / (full * strangersShare) >= 1;
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

  /** Lets a bucket fill up to now; an empty one takes a second. */
  #fill(bucket: Bucket, full: number): Bucket {
    const now = this.#clock.monotonic();
    bucket.left = Math.min(full, bucket.left + (now - bucket.at) / 1000 * full);
    bucket.at = now;
    return bucket;
  }

  #fillShared(bucket: Bucket): Bucket {
    const { framesPerSecondPerAddress, strangersShare } = this.#limits;
    return this.#fill(bucket, framesPerSecondPerAddress * strangersShare);
  }

  #bucket(key: string): Bucket {
    const full = this.#limits.framesPerSecondPerAddress;
    const fresh = { left: full, at: this.#clock.monotonic() };
    const bucket = this.#fill(this.#buckets.get(key) ?? fresh, full);
    // Moved to the end, so that the address heard least recently is forgotten first.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#limits.maxAddresses) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    return bucket;
  }
}
