import { formatAddress } from "./address.ts";
import type { Address, Connection } from "./world.ts";

/** What is counted together: an IPv4 address, or the /64 an IPv6 address lies in. */
export function addressKey(hostname: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(hostname);
  if (mapped !== null) return mapped[1]!;
  if (!hostname.includes(":")) return hostname;
  const [head = "", tail] = hostname.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array(zeros).fill("0"), ...after].slice(0, 4).join(":") + "::/64";
}

/** Hosts that have been promised places. */
export interface FavouredHosts {
  /** @param key see `addressKey` */
  has(key: string): boolean;
}

/**
 * The hosts of peers: of a peer known by a literal address that one, of one known by a name the
 * address at which it was last reached.
 */
export class PeerHosts implements FavouredHosts {
  /** By the address of the configuration. */
  #keys = new Map<string, string>();
  #known: ReadonlySet<string> = new Set();

  constructor(peers: readonly Address[]) {
    this.change(peers);
  }

  /** These are the peers from now on; where the others were reached is kept. */
  change(peers: readonly Address[]): void {
    const before = this.#keys;
    this.#keys = new Map(peers.map((peer) => {
      const name = formatAddress(peer);
      return [name, before.get(name) ?? addressKey(peer.hostname)];
    }));
    this.#known = new Set(this.#keys.values());
  }

  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** Notes where a peer was reached. */
  reached(peer: Address, { hostname }: Address): void {
    const name = formatAddress(peer);
    if (!this.#keys.has(name)) return;
    this.#keys.set(name, addressKey(hostname));
    this.#known = new Set(this.#keys.values());
  }
}

/** A connection being served. */
export interface Place {
  readonly connection: Connection;
  /** See `addressKey`. */
  readonly key: string;
  /** When it was last heard, on the monotonic clock; at first, when it came. */
  heardAt: number;
  /** Why it was closed from here, if it was. */
  closedBecause: string | undefined;
}

/** How many connections a table holds, in all and from one address. */
export interface TableLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** Why a connection was closed, if that was because everything ends. */
export const SHUTTING_DOWN = "shutting down";

/** How long until a connection that was let in weighs half as much. */
const HALF_WEIGHT_MS = 30_000;
/** Addresses of which is remembered how often they were let in. */
const MAX_REMEMBERED = 16_384;
/** The share of a table that favoured hosts have for themselves. */
const FAVOURED_SHARE = 1 / 2;

/**
 * The connections being served. When one address's share is full, that of its own gives way that has
 * been silent longest. When the table is full, the address gives way that takes most: connections it
 * holds and those it was lately let in with, so that who comes again and again pushes out itself and
 * not who comes now and then; of its connections, and among equals, the one silent longest. Favoured
 * hosts have half of the table to themselves: there they give way to nobody, and others to them.
 */
export class ConnectionTable {
  readonly #limits: TableLimits;
  readonly #favoured: FavouredHosts | undefined;
  readonly #places = new Set<Place>();
  /** By address, how often it was let in, as it weighed at a time; the latest last. */
  readonly #letIn = new Map<string, { weight: number; at: number }>();

  constructor(limits: TableLimits, favoured?: FavouredHosts) {
    this.#limits = limits;
    this.#favoured = favoured;
  }

  /** How many are being served. */
  get size(): number {
    return this.#places.size;
  }

  /**
   * Takes a connection in, closing another if there is no room, or itself if its address takes more
   * than any other.
   */
  add(place: Place): void {
    const now = place.heardAt;
    const fromThere = [...this.#places].filter(({ key }) => key === place.key);
    if (fromThere.length >= this.#limits.maxConnectionsPerAddress) {
      this.#giveWay(
        silentLongest(fromThere),
        "this address has its most connections, and this one was silent longest",
      );
    } else if (this.#places.size >= this.#limits.maxConnections) {
      const leaving = this.#heaviest(place, now);
      this.#giveWay(
        leaving,
        leaving === place
          ? "all connections are taken, and this address has taken most"
          : "all connections are taken, and this one was silent longest",
      );
    }
    this.#remember(place.key, now);
    if (place.closedBecause === undefined) this.#places.add(place);
  }

  /** Closes a connection, for a reason that is kept with its place. */
  close(place: Place, reason: string): void {
    place.closedBecause ??= reason;
    place.connection.close();
  }

  /** Lets a place go once its connection has ended. */
  remove(place: Place): void {
    this.#places.delete(place);
  }

  /** Closes everything, as at a shutdown. */
  closeAll(): void {
    for (const place of this.#places) this.close(place, SHUTTING_DOWN);
  }

  /** Who gives way to a newcomer in a full table; it may be the newcomer. */
  #heaviest(newcomer: Place, now: number): Place {
    const { candidates, isPromised } = this.#candidates(newcomer);
    if (candidates.length === 0) return newcomer;
    const held = Map.groupBy(this.#places, ({ key }) => key);
    // Whole numbers: among those who came once, silence decides, and not who came last.
    const weightOf = (key: string): number =>
      (held.get(key)?.length ?? 0) + Math.round(this.#lately(key, now));
    const weights = new Map(candidates.map(({ key }) => [key, weightOf(key)]));
    const most = Math.max(...weights.values());
    if (!isPromised && weightOf(newcomer.key) > most) return newcomer;
    return silentLongest(candidates.filter(({ key }) => weights.get(key) === most));
  }

  /** Who may have to give way, and whether the newcomer was promised a place. */
  #candidates(newcomer: Place): { candidates: readonly Place[]; isPromised: boolean } {
    const all = [...this.#places];
    const others = all.filter((place) => !this.#isFavoured(place));
    const favoured = all.length - others.length;
    const promised = Math.floor(this.#limits.maxConnections * FAVOURED_SHARE);
    if (!this.#isFavoured(newcomer)) {
      return { candidates: favoured <= promised ? others : all, isPromised: false };
    }
    const isPromised = favoured < promised;
    return { candidates: isPromised ? others : all, isPromised };
  }

  #isFavoured({ key }: Place): boolean {
    return this.#favoured?.has(key) === true;
  }

  /** What an address weighs for the connections that it was let in with before. */
  #lately(key: string, now: number): number {
    const known = this.#letIn.get(key);
    return known === undefined ? 0 : known.weight * 2 ** ((known.at - now) / HALF_WEIGHT_MS);
  }

  /** Counts a connection, also one that was turned away: who goes on trying takes our time. */
  #remember(key: string, now: number): void {
    const weight = this.#lately(key, now) + 1;
    this.#letIn.delete(key);
    this.#letIn.set(key, { weight, at: now });
    if (this.#letIn.size > MAX_REMEMBERED) this.#letIn.delete(this.#letIn.keys().next().value!);
  }

  #giveWay(place: Place, reason: string): void {
    this.close(place, reason);
    this.#places.delete(place);
  }
}

function silentLongest(places: readonly Place[]): Place {
  return places.reduce((a, b) => b.heardAt < a.heardAt ? b : a);
}
