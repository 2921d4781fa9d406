import { randomShare } from "./random.ts";
import type { Random } from "./world.ts";

/**
 * Gives some items at a time: all of them in a random order, then all in another random order, and
 * so on. So each is given at least once in any `longestGap` turns. Independent draws would not
 * promise that.
 */
export class Rotation<T> {
  readonly #items: readonly T[];
  readonly #random: Random;
  /** The items not given yet in this order. */
  #left: T[] = [];

  constructor({ items, random }: { items: readonly T[]; random: Random }) {
    this.#items = items;
    this.#random = random;
  }

  /** The next `count` items, none of them twice; all items if there are fewer. */
  next(count: number): T[] {
    const given = this.#left.splice(0, count);
    if (given.length === count || given.length === this.#items.length) return given;
    // An order that is begun in this turn must not begin with what the last one ended with.
    const order = shuffled(this.#items, this.#random);
    const isFresh = (item: T): boolean => !given.includes(item);
    const more = order.filter(isFresh).slice(0, count - given.length);
    this.#left = order.filter((item) => !more.includes(item));
    return [...given, ...more];
  }

  /** In how many turns of `count` items an item is given at the latest; 1 is the next turn. */
  turnsUntil(item: T, count: number): number {
    const place = this.#left.indexOf(item);
    const before = place < 0 ? this.#left.length + this.#items.length - 1 : place;
    return count >= this.#items.length ? 1 : Math.floor(before / count) + 1;
  }
}

/**
 * Turns of a Rotation in which each of so many items is given at least once, `count` a turn: the
 * worst is the first of one order that is the last of the next.
 */
export function longestGap({ items, count }: { items: number; count: number }): number {
  return count >= items ? 1 : Math.ceil((2 * items - 1) / count);
}

/** The same items in a random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let left = order.length; left > 1; left--) {
    const at = Math.floor(randomShare(random) * left);
    [order[at], order[left - 1]] = [order[left - 1]!, order[at]!];
  }
  return order;
}
