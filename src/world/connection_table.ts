import { formatAddress } from "./address.ts";
import type { Address, Connection } from "./world.ts";

/**
 * The part of an address that is counted as one: an IPv4 address, or the /64 of an IPv6 address.
 */
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

/** What stands for the address of a member whose connection goes through a session. */
export function memberKey(name: string): string {
  return `member ${name}`;
}

/** Hosts for which places are reserved. */
export interface FavouredHosts {
  /** @param key see `addressKey` */
  has(key: string): boolean;
}

/**
 * The hosts of peers. If a peer is configured by an address, it is that address. If it is
 * configured by a name, it is the address at which the peer was last reached.
 */
export class PeerHosts implements FavouredHosts {
  /** By the address in the configuration. */
  #keys = new Map<string, string>();
  #known: ReadonlySet<string> = new Set();
  /** The keys of the members, whose connections go through sessions; see `memberKey`. */
  #members: ReadonlySet<string> = new Set();

  constructor(peers: readonly Address[]) {
    this.change(peers);
  }

  /**
   * Sets the peers, and the members by their names. For a peer that stays, the address at which it was
   * reached is kept.
   */
  change(peers: readonly Address[], members: readonly string[] = []): void {
    this.#members = new Set(members.map(memberKey));
    const before = this.#keys;
    this.#keys = new Map(peers.map((peer) => {
      const name = formatAddress(peer);
      return [name, before.get(name) ?? addressKey(peer.hostname)];
    }));
    this.#known = new Set(this.#keys.values());
  }

  has(key: string): boolean {
    return this.#known.has(key) || this.#members.has(key);
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
  /** See `addressKey`; or what stands for it, if the connection goes through a session. */
  readonly key: string;
  /** The name of the other end, if it is not the host of the connection. */
  readonly source?: string;
  /** When it was last heard, on the monotonic clock. At first, when it was accepted. */
  heardAt: number;
  /** Why this end closed it, if it did. */
  closedBecause: string | undefined;
}

/** How many connections a table holds, in all and from one address. */
export interface TableLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

/** The reason for closing a connection when everything ends. */
export const SHUTTING_DOWN = "shutting down";

/** After this time, an earlier connection weighs half as much. */
const HALF_WEIGHT_MS = 30_000;
/** For how many addresses it is remembered how often they were let in. */
const MAX_REMEMBERED = 16_384;
/** The share of a table that is reserved for favoured hosts. */
const FAVOURED_SHARE = 1 / 2;

/**
 * The connections being served. If the share of one address is full, the connection of that address
 * that was silent longest gives way. If the table is full, the address that takes most gives way.
 * Its weight counts the connections that it holds and those that it was let in with lately. So an
 * address that comes again and again pushes out itself, and not one that comes now and then. Of its
 * connections, and among equal addresses, the one that was silent longest gives way. Half of the
 * table is reserved for favoured hosts: there they give way to nobody, and others give way to them.
 */
export class ConnectionTable {
  readonly #limits: TableLimits;
  readonly #favoured: FavouredHosts | undefined;
  readonly #places = new Set<Place>();
  /** By address, the weight of its earlier connections at some time. The latest address is last. */
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
   * Takes a connection in. If there is no room, closes another one, or this one if its address
   * takes more than any other.
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

  /** Closes a connection. The reason is kept with its place. */
  close(place: Place, reason: string): void {
    place.closedBecause ??= reason;
    place.connection.close();
  }

  /** Frees a place when its connection has ended. */
  remove(place: Place): void {
    this.#places.delete(place);
  }

  /** Closes all connections, at a shutdown. */
  closeAll(): void {
    for (const place of this.#places) this.close(place, SHUTTING_DOWN);
  }

  /** The connection that gives way to a newcomer in a full table. It may be the newcomer. */
  #heaviest(newcomer: Place, now: number): Place {
    const { candidates, isPromised } = this.#candidates(newcomer);
    if (candidates.length === 0) return newcomer;
    const held = Map.groupBy(this.#places, ({ key }) => key);
    // Weights are whole numbers. So among addresses that came once, silence decides, and not which
    // came last.
    const weightOf = (key: string): number =>
      (held.get(key)?.length ?? 0) + Math.round(this.#lately(key, now));
    const weights = new Map(candidates.map(({ key }) => [key, weightOf(key)]));
    const most = Math.max(...weights.values());
    if (!isPromised && weightOf(newcomer.key) > most) return newcomer;
    return silentLongest(candidates.filter(({ key }) => weights.get(key) === most));
  }

  /**
   * The connections that may have to give way, and whether a place is reserved for the newcomer.
   */
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

  /** The weight of an address for the connections that it was let in with before. */
  #lately(key: string, now: number): number {
    const known = this.#letIn.get(key);
    return known === undefined ? 0 : known.weight * 2 ** ((known.at - now) / HALF_WEIGHT_MS);
  }

  /**
   * Counts a connection, even if it was turned away, because one that keeps trying takes our time.
   */
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
