import type { Clock } from "../world/world.ts";
import type { ExchangeLimits } from "./limits.ts";

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
