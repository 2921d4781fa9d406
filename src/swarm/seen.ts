import type { Clock } from "../world/world.ts";

/** Most hashes remembered at once. Each takes about 100 bytes. */
export const MAX_SEEN = 16_384;

/**
 * Remembers for a while what was seen, by hash, so that what comes several ways is judged once. It is
 * bounded: if it is full, the oldest goes. It forgets by the time of the first sight, so nobody keeps a
 * hash in it by sending it again and again.
 *
 * Put in only what was verified. Otherwise a stranger could fill it with anything.
 */
export class Seen {
  readonly #clock: Clock;
  readonly #lifeMs: number;
  readonly #most: number;
  /** Hashes, oldest first, and when each was first seen (monotonic). */
  readonly #at = new Map<string, number>();

  /** @param lifeMs how long a hash is remembered */
  constructor({ clock, lifeMs, most = MAX_SEEN }: { clock: Clock; lifeMs: number; most?: number }) {
    this.#clock = clock;
    this.#lifeMs = lifeMs;
    this.#most = most;
  }

  /** How many hashes it holds now. */
  get size(): number {
    this.#expire();
    return this.#at.size;
  }

  /** Whether this hash was seen; it is not remembered by this. */
  has(hash: string): boolean {
    this.#expire();
    return this.#at.has(hash);
  }

  /** Whether this hash was not seen yet. It is from now on. */
  isNew(hash: string): boolean {
    if (this.has(hash)) return false;
    this.#at.set(hash, this.#clock.monotonic());
    if (this.#at.size > this.#most) this.#at.delete(this.#at.keys().next().value!);
    return true;
  }

  #expire(): void {
    const oldest = this.#clock.monotonic() - this.#lifeMs;
    for (const [hash, at] of this.#at) {
      if (at > oldest) return;
      this.#at.delete(hash);
    }
  }
}
