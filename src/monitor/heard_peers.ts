import type { SharedStore } from "../store/shared_store.ts";
import type { PeerRow } from "../store/shared_types.ts";
import { millisecondsBetween, timeAt } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import type { Happening } from "./happenings.ts";
import type { HeardElsewhere } from "./status.ts";

/** What another site heard of a peer counts for so long. */
export const HEARD_LATELY_MS = 900_000;

/** A peer of the configuration: what it is called, and its key if that is known. */
export interface NamedPeer {
  readonly name: string;
  readonly vkey: string | undefined;
}

/**
 * Which peers each site of a store hears, so that a peer that this site cannot reach is not taken for
 * dead while another one hears it. Nobody is accused or believed by that.
 */
export class HeardPeers {
  readonly #clock: Clock;
  #peers: () => readonly NamedPeer[] = () => [];
  /** By name: when this site heard of it last, by the monotonic clock. */
  readonly #heardAt = new Map<string, number>();
  /** Of what was heard before this, the store was told. */
  #toldUpTo = -Infinity;
  /** By the store's name of a peer: who heard of it last. */
  #rows: ReadonlyMap<string, PeerRow> = new Map();
  /** When they were read, by the monotonic clock. */
  #readAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** These are the peers of the configuration, whenever it is asked. */
  follow(peers: () => readonly NamedPeer[]): void {
    this.#peers = peers;
  }

  /** A peer of the configuration answered a call. */
  take({ source, fault }: Extract<Happening, { kind: "called" }>): void {
    if (fault === undefined) this.#heardAt.set(source, this.#clock.monotonic());
  }

  /** The store may lack what it was told. */
  forget(): void {
    this.#toldUpTo = -Infinity;
    this.#rows = new Map();
  }

  /** Tells of which peers this site heard, and learns of which the others did. @throws WorldError */
  async exchange(store: Pick<SharedStore, "heardPeers" | "peersHeard">): Promise<void> {
    const peers = this.#peers();
    const names = new Set(peers.map(({ name }) => name));
    for (const name of this.#heardAt.keys()) if (!names.has(name)) this.#heardAt.delete(name);
    if (peers.length === 0) return;
    const now = this.#clock.monotonic();
    await store.heardPeers(peers.flatMap((peer) => {
      const at = this.#heardAt.get(peer.name);
      if (at === undefined || at < this.#toldUpTo) return [];
      return [{ peer: keyOf(peer), agoMs: now - at }];
    }));
    this.#toldUpTo = now;
    const rows = await store.peersHeard();
    this.#readAt = this.#clock.monotonic();
    this.#rows = new Map(rows.flatMap((row) => "damaged" in row ? [] : [[row.peer, row]]));
  }

  /**
   * Which other site has heard of a peer lately, and since this one could not reach it.
   * @param own our vkey
   * @param since when this site began not to reach it, RFC 3339
   */
  elsewhere(
    peer: NamedPeer,
    { own, since }: { own: string; since: string },
  ): HeardElsewhere | undefined {
    const row = this.#rows.get(keyOf(peer));
    if (row === undefined || row.site === own) return undefined;
    const heardAt = this.#readAt - row.agoMs;
    if (this.#clock.monotonic() - heardAt > HEARD_LATELY_MS) return undefined;
    const at = timeAt(this.#clock, heardAt);
    return millisecondsBetween(since, at) > 0 ? { site: row.siteName, at } : undefined;
  }
}

/** A peer's name in the store: sites may call one peer at several addresses. */
function keyOf({ name, vkey }: NamedPeer): string {
  return vkey ?? name;
}
