/**
 * Pseudo-random draws from one seed. The same seed gives the same draws on any machine.
 *
 * @module
 */
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A stream of draws. */
export interface Draw {
  /** A whole number from 0 up to, but not, `count`; `count` is at most 2^32. */
  below(count: number): number;
  /** A number from 0 up to, but not, 1. */
  share(): number;
  /** True in this share of cases. */
  chance(share: number): boolean;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** One of these. There must be at least one. */
  pick<T>(items: readonly T[]): T;
  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[];
  /** Random bytes. */
  bytes(count: number): Uint8Array<ArrayBuffer>;
  /** A separate stream: drawing from it does not change what is drawn here. */
  branch(): Draw;
}

/** The draws of a seed, which may be any whole number. */
export function drawFrom(seed: number): Draw {
  // xoroshiro128+ takes 32 bits, so the upper half of the seed is mixed in.
  const generator = xoroshiro128plus((seed ^ Math.floor(seed / 2 ** 32)) | 0);
  // The first outputs are similar for similar seeds, so they are skipped.
  for (let skipped = 0; skipped < 20; skipped++) generator.next();
  const word = (): number => generator.next() >>> 0;
  const share = (): number => word() / 2 ** 32;
  const below = (count: number): number => Math.floor(share() * count);
  return {
    below,
    share,
    chance: (of) => share() < of,
    between: (low, high) => low + below(high - low + 1),
    pick: (items) => {
      if (items.length === 0) throw new RangeError("nothing to pick from");
      return items[below(items.length)]!;
    },
    shuffled(items) {
      const order = [...items];
      for (let left = order.length; left > 1; left--) {
        const at = below(left);
        [order[at], order[left - 1]] = [order[left - 1]!, order[at]!];
      }
      return order;
    },
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count; at++) bytes[at] = word() >>> 24;
      return bytes;
    },
    branch: () => drawFrom(word()),
  };
}
