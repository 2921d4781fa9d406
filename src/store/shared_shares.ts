/**
 * Who looks at which log: of the sites that follow it and are alive, those with the greatest weight
 * for it. A weight is a hash of site and log (rendezvous hashing, Thaler and Ravishankar 1998). So all
 * sites come to the same choice without a word, each has a like share, and when a site joins or leaves
 * only the logs that it takes or leaves change hands.
 *
 * @module
 */
import { utf8 } from "../tlog/encoding.ts";
import { sha256Hex } from "../tlog/hashing.ts";

/** A slot of a log, as the store has it. */
export interface Slot {
  readonly slot: number;
  /** Who has it; nothing if it is free. */
  readonly holder: string | undefined;
  /** For how long it has been free, in milliseconds. */
  readonly freeMs: number;
  /** Whose row it still is, although the lease has run out. */
  readonly lapsedOf: string | undefined;
}

/** One log, as a site finds it. */
export interface LogSituation {
  readonly log: string;
  /** The vkeys of the sites that are alive and follow it, this one too. */
  readonly followers: readonly string[];
  /** Those below `views` that the store has rows of. */
  readonly slots: readonly Slot[];
}

/** What a site does about a log. */
export interface Share {
  /** Whether it gives up the slot that it has. */
  readonly givesUp: boolean;
  /** The slots that it tries to take, one after the other, until it has one. */
  readonly tries: readonly number[];
}

const NOTHING: Share = { givesUp: false, tries: [] };

const weights = new Map<string, string>();
/** Most weights that are remembered: ten sites with a thousand logs. */
const MAX_WEIGHTS = 10_000;

/** SHA-256, in hex, of the site's vkey, a newline and the log's id. */
function weightOf(site: string, log: string): string {
  const text = `${site}\n${log}`;
  let weight = weights.get(text);
  if (weight === undefined) {
    weight = sha256Hex(utf8(text));
    if (weights.size >= MAX_WEIGHTS) weights.clear();
    weights.set(text, weight);
  }
  return weight;
}

/** Sites in the order in which a log is theirs: the greatest weight first. */
export function ranked(log: string, sites: readonly string[]): readonly string[] {
  const order = [...new Set(sites)].map((site) => ({ site, weight: weightOf(site, log) }));
  order.sort((a, b) => a.weight < b.weight ? 1 : -1);
  return order.map(({ site }) => site);
}

/**
 * What a site does about a log that it follows.
 * @param patienceMs for how long a slot is left to those whose it is
 */
export function shareOf(
  { log, followers, slots }: LogSituation,
  { me, views, patienceMs }: { me: string; views: number; patienceMs: number },
): Share {
  const order = ranked(log, followers);
  const chosen = order.slice(0, views);
  const taken = slots.filter(({ holder }) => holder !== undefined);
  const free = views - taken.length;
  const has = (site: string): boolean => taken.some(({ holder }) => holder === site);
  if (has(me)) {
    // One after the other, the last in order first, and not while there is a slot for those chosen: so
    // a log that changes hands is still looked at.
    const others = order.filter((site) => has(site) && !chosen.includes(site));
    return { givesUp: free === 0 && others.at(-1) === me, tries: [] };
  }
  const rank = order.indexOf(me);
  if (rank < 0 || free === 0) return NOTHING;
  const isMine = rank < views;
  const known = new Map(slots.map((slot) => [slot.slot, slot]));
  const own = slots.find(({ lapsedOf }) => lapsedOf === me);
  // Each begins at another slot, so that two who come at once do not try the same.
  const all = Array.from({ length: views }, (_, at) => (rank + at) % views);
  const tries = (own === undefined ? all : [own.slot]).filter((slot) => {
    const found = known.get(slot);
    if (found === undefined) return isMine;
    return found.holder === undefined && (isMine || found.freeMs > patienceMs);
  });
  return { givesUp: false, tries };
}
