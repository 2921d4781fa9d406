/**
 * What members have measured: which of them have a session with each other, and how long a message
 * takes there and back. Out of this come the paths to members with whom we have no session.
 *
 *     const graph = new Graph({ own: vkey.text, members, mostLinks, keepMs, clock });
 *     graph.measured([[neighbour, 12.4]]);
 *     graph.take({ from: neighbour, epoch, sequence, links: [[vkey.text, 13], [other, 30]] });
 *     const path = graph.bestPath(other); // { members: [own, neighbour, other], costMs: 43 }
 *     const next = graph.bestPath(other, { without: { members: [neighbour] } }); // another, or none
 *
 * @module
 */
import dijkstra from "dijkstrajs";
import type { Clock } from "../world/world.ts";

/**
 * No link costs less. A member may say that its links take no time at all; a path of many such links
 * is still worse than one of few.
 */
export const LEAST_RTT_MS = 1;
/** No session has a longer round-trip time: one that is silent for so long is ended. */
export const MOST_RTT_MS = 90_000;

/** A neighbour, by its vkey, and the round-trip time to it in milliseconds. */
export type MeasuredLink = readonly [vkey: string, rttMs: number];

/** What one member said about its own links, in a statement that was verified before. */
export interface LinksStatement {
  /** The member that said it, by its vkey. */
  readonly from: string;
  /** Which series of statements it belongs to: a later series has a larger number. */
  readonly epoch: bigint;
  /** Its number in that series. */
  readonly sequence: bigint;
  readonly links: readonly MeasuredLink[];
}

/**
 * What became of a statement. All but `taken` change nothing. `not later` is no fault of anybody:
 * statements come over several ways. The last four are faults of who said it.
 */
export type Taking =
  | "taken"
  | "unknown member"
  | "not later"
  | "too many links"
  | "named itself"
  | "named one twice"
  | "no round-trip time";

/** A way from us to a member. */
export interface Path {
  /** All members on it: we are the first, and who is to be reached is the last. */
  readonly members: readonly string[];
  /** The sum of its links' costs, in milliseconds. */
  readonly costMs: number;
}

/** What a path must do without, because it was found dead just now. */
export interface Without {
  readonly members?: Iterable<string>;
  /** Links by their two ends, in any order. */
  readonly links?: Iterable<readonly [string, string]>;
}

/** A link that both ends tell of. */
export interface Link {
  /** Its ends, the smaller text first. */
  readonly ends: readonly [string, string];
  /** The larger of the two ends' figures, so that one end alone cannot make it look better. */
  readonly costMs: number;
}

/** A link that only one end tells of. No path uses it. */
export interface OneWayLink {
  /** Who tells of it. */
  readonly from: string;
  readonly to: string;
  readonly rttMs: number;
}

/** All that is known of the links and paths now, in a fixed order. It can be told as JSON. */
export interface Routes {
  readonly own: string;
  /** All members, we among them. */
  readonly members: readonly string[];
  readonly links: readonly Link[];
  readonly oneWay: readonly OneWayLink[];
  /** The best path to each other member to whom one leads. */
  readonly paths: readonly Path[];
  /** The members to whom no path leads. */
  readonly disconnected: readonly string[];
}

/** What is remembered of one member. */
interface Told {
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly links: ReadonlyMap<string, number>;
  /** On the monotonic clock. */
  readonly heardAt: number;
}

/** What follows from all that was told. */
interface Found extends Pick<Routes, "links" | "oneWay"> {
  readonly pathTo: (to: string) => Path | undefined;
  /** When the next statement is too old, on the monotonic clock. */
  readonly until: number;
}

/**
 * The members of our configuration and the links between them. It holds at most one statement of each
 * member, of at most `mostLinks` links.
 *
 * A member can lie about its links only with a second liar at their other end: a link counts if both
 * ends tell of it, and costs what the slower of them says.
 */
export class Graph {
  readonly #own: string;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #mostLinks: number;
  readonly #keepMs: number;
  #members: ReadonlySet<string> = new Set();
  readonly #told = new Map<string, Told>();
  #ownLinks: ReadonlyMap<string, number> = new Map();
  /** What follows from all of this, if it was asked for since the last change. */
  #found: Found | undefined;

  constructor({ own, members, mostLinks, keepMs, clock }: {
    /** Our own vkey. */
    own: string;
    /** The vkeys of all members; whether ours is among them makes no difference. */
    members: Iterable<string>;
    /** How many neighbours one member may name: no fewer than the largest room of any of them. */
    mostLinks: number;
    /** For how long a statement counts after it came. */
    keepMs: number;
    clock: Pick<Clock, "monotonic">;
  }) {
    this.#own = own;
    this.#mostLinks = mostLinks;
    this.#keepMs = keepMs;
    this.#clock = clock;
    this.change(members);
  }

  /** Sets the members. What those said who are members no longer is forgotten. */
  change(members: Iterable<string>): void {
    this.#found = undefined;
    this.#members = new Set([this.#own, ...members]);
    for (const from of this.#told.keys()) {
      if (!this.#members.has(from)) this.#told.delete(from);
    }
  }

  /**
   * Takes in what a member said, in place of what it said before. Neighbours that are not members here
   * are passed over, because its configuration may have others.
   */
  take({ from, epoch, sequence, links }: LinksStatement): Taking {
    // We know our own links better than anything that comes back to us.
    if (!this.#members.has(from) || from === this.#own) return "unknown member";
    const before = this.#told.get(from);
    if (before !== undefined && !isLater({ epoch, sequence }, before)) return "not later";
    const fault = this.#faultOf(from, links);
    if (fault !== undefined) return fault;
    const heardAt = this.#clock.monotonic();
    this.#found = undefined;
    this.#told.set(from, { epoch, sequence, links: this.#known(links), heardAt });
    return "taken";
  }

  /** Sets our own links: all sessions that we have now. What cannot be a round-trip time is left out. */
  measured(links: readonly MeasuredLink[]): void {
    const others = links.filter(([to, rttMs]) => to !== this.#own && isRtt(rttMs));
    this.#found = undefined;
    this.#ownLinks = this.#known(others);
  }

  /** Forgets the links that a member told of, because it left. What it says later is taken in. */
  left(member: string): void {
    this.#found = undefined;
    const told = this.#told.get(member);
    // Its number is remembered, so that an older statement on its way does not bring them back.
    if (told !== undefined) this.#told.set(member, { ...told, links: new Map() });
  }

  /**
   * The best path to a member; nothing if it is disconnected, or is no member. With a thousand members
   * of 32 links each, a search takes 0.1 s. One search finds the paths to all members, until something
   * changes; what a path must do without needs a search of its own.
   */
  bestPath(to: string, { without = {} }: { without?: Without } = {}): Path | undefined {
    if (!this.#members.has(to)) return undefined;
    const { links, pathTo } = this.#find();
    const left = remaining(links, without);
    return left.length === links.length ? pathTo(to) : pathsFrom(this.#own, left)(to);
  }

  /** The links, paths and disconnected members now. */
  routes(): Routes {
    const { links, oneWay, pathTo } = this.#find();
    const members = [...this.#members].toSorted();
    const others = members.filter((member) => member !== this.#own);
    const paths = others.map(pathTo).filter((path) => path !== undefined);
    const disconnected = others.filter((member) => pathTo(member) === undefined);
    return { own: this.#own, members, links, oneWay, paths, disconnected };
  }

  #faultOf(from: string, links: readonly MeasuredLink[]): Taking | undefined {
    if (links.length > this.#mostLinks) return "too many links";
    if (links.some(([to]) => to === from)) return "named itself";
    if (new Set(links.map(([to]) => to)).size < links.length) return "named one twice";
    return links.every(([, rttMs]) => isRtt(rttMs)) ? undefined : "no round-trip time";
  }

  #known(links: readonly MeasuredLink[]): Map<string, number> {
    const known = links.filter(([to]) => this.#members.has(to));
    return new Map(known.map(([to, rttMs]) => [to, clamped(rttMs)]));
  }

  /** The links that a member tells of now. */
  #linksOf(member: string): ReadonlyMap<string, number> {
    if (member === this.#own) return this.#ownLinks;
    const told = this.#told.get(member);
    const isKept = told !== undefined && this.#clock.monotonic() - told.heardAt <= this.#keepMs;
    return isKept ? told.links : new Map();
  }

  /** All that follows from what was told, computed anew only if it may have changed. */
  #find(): Found {
    const now = this.#clock.monotonic();
    if (this.#found === undefined || now > this.#found.until) {
      const ends = [...this.#told.values()].map(({ heardAt }) => heardAt + this.#keepMs);
      const until = Math.min(Infinity, ...ends.filter((end) => end >= now));
      const { links, oneWay } = this.#both();
      this.#found = { links, oneWay, pathTo: pathsFrom(this.#own, links), until };
    }
    return this.#found;
  }

  /** All links between members, those that both ends tell of and those that one tells of. */
  #both(): Pick<Routes, "links" | "oneWay"> {
    const links: Link[] = [];
    const oneWay: OneWayLink[] = [];
    // In a fixed order, so that equal statements give equal paths, whichever came first.
    for (const from of [...this.#members].toSorted()) {
      for (const [to, rttMs] of [...this.#linksOf(from)].toSorted(byText)) {
        if (!this.#members.has(to)) continue;
        const back = this.#linksOf(to).get(from);
        if (back === undefined) oneWay.push({ from, to, rttMs });
        else if (from < to) links.push({ ends: [from, to], costMs: Math.max(rttMs, back) });
      }
    }
    return { links, oneWay };
  }
}

/** Whether a statement of a member was made after another one of it. */
function isLater(
  one: Pick<LinksStatement, "epoch" | "sequence">,
  other: Pick<LinksStatement, "epoch" | "sequence">,
): boolean {
  if (one.epoch !== other.epoch) return one.epoch > other.epoch;
  return one.sequence > other.sequence;
}

function isRtt(ms: unknown): boolean {
  return typeof ms === "number" && ms >= 0 && ms <= MOST_RTT_MS;
}

/** In whole milliseconds: sums of them are exact, so equal paths cost the same in whatever order. */
function clamped(rttMs: number): number {
  return Math.max(LEAST_RTT_MS, Math.round(rttMs));
}

function byText([one]: MeasuredLink, [other]: MeasuredLink): number {
  return one < other ? -1 : 1;
}

/** The links that are left without some of them, and without those of some members. */
function remaining(
  links: readonly Link[],
  { members = [], links: dead = [] }: Without,
): readonly Link[] {
  const deadMembers = new Set(members);
  // A vkey has no space.
  const nameOf = (ends: readonly [string, string]): string => ends.toSorted().join(" ");
  const deadLinks = new Set([...dead].map(nameOf));
  if (deadMembers.size + deadLinks.size === 0) return links;
  return links.filter(({ ends }) =>
    !ends.some((end) => deadMembers.has(end)) && !deadLinks.has(nameOf(ends))
  );
}

/**
 * Finds the cheapest paths from one member to all others. The library is used here and nowhere else.
 * It takes members as names of properties; a vkey has plus signs, so it is no name that an object has
 * from its beginning.
 * @returns the path to a member; nothing if none leads there
 */
function pathsFrom(own: string, links: readonly Link[]): (to: string) => Path | undefined {
  const costs: Record<string, Record<string, number>> = {};
  for (const { ends: [one, other], costMs } of links) {
    (costs[one] ??= {})[other] = costMs;
    (costs[other] ??= {})[one] = costMs;
  }
  const before = dijkstra.single_source_shortest_paths(costs, own);
  return (to) => {
    const members = [to];
    let costMs = 0;
    while (members[0] !== own) {
      const previous = before[members[0]!];
      if (previous === undefined) return undefined;
      costMs += costs[previous]![members[0]!]!;
      members.unshift(previous);
    }
    return { members, costMs };
  };
}
