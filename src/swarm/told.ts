import type { Clock } from "../world/world.ts";
import { MAX_HOPS } from "./rumour.ts";
import { MAX_SEEN, Seen } from "./seen.ts";

/**
 * What was told already, and with how many hops. What comes again with more than twice as many counts
 * as news: otherwise whoever hears it first could stop it here, by telling it with none.
 */
export class Told {
  readonly #seen: Seen;

  /** @param lifeMs how long it is remembered */
  constructor({ clock, lifeMs, most = MAX_SEEN }: { clock: Clock; lifeMs: number; most?: number }) {
    this.#seen = new Seen({ clock, lifeMs, most });
  }

  /** Whether this was told, with about as many hops or more. */
  has(key: string, hops: number): boolean {
    for (let level = levelOf(hops); level <= TOP_LEVEL; level++) {
      if (this.#seen.has(`${key} ${level}`)) return true;
    }
    return false;
  }

  /** Notes that it is told. @returns whether that is news */
  isNew(key: string, hops: number): boolean {
    return !this.has(key, hops) && this.#seen.isNew(`${key} ${levelOf(hops)}`);
  }
}

/** From half of the most hops on there is no difference: so far evidence goes in any case. */
const TOP_LEVEL = Math.floor(Math.log2(MAX_HOPS / 2));

function levelOf(hops: number): number {
  return Math.min(TOP_LEVEL, Math.floor(Math.log2(hops + 1)));
}
