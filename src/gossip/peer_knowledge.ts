import type { Log } from "../tlog/log.ts";
import type { ExchangeLimits } from "./limits.ts";

interface Peer {
  /** Evidence ids of the cases that the peer is assumed to know, oldest first. */
  readonly ids: Set<string>;
  /** On the monotonic clock: when the peer is asked about all logs again. */
  askAt: number;
  /** Why the last parcel that failed did so; the peer gets none before `retryAt` (monotonic clock). */
  failed: { readonly why: string; readonly retryAt: number } | undefined;
  /** The logs that both follow, as the peer last said. */
  bothFollow: ReadonlySet<Log> | undefined;
}

/**
 * What each peer is assumed to know, so that a round does not repeat it; and when a peer is next
 * asked, or sent a parcel. It is bounded. A case that is forgotten is handed over once more, and
 * nobody is punished for that (RULES R8).
 */
export class PeerKnowledge {
  readonly #limits: ExchangeLimits;
  readonly #peers = new Map<string, Peer>();

  constructor(limits: ExchangeLimits) {
    this.#limits = limits;
  }

  /** Whether to ask a peer about all logs: at first, and again after a time. */
  isToBeAsked(peer: string, now: number): boolean {
    return now >= (this.#peers.get(peer)?.askAt ?? -Infinity);
  }

  /** Whether a peer is assumed to know a case. */
  knows(peer: string, evidenceId: string): boolean {
    return this.#peers.get(peer)?.ids.has(evidenceId) ?? false;
  }

  /**
   * Notes that a peer knows these cases: it took them in a parcel, showed them in its answer, or
   * can conclude them itself.
   */
  knowsNow(peer: string, evidenceIds: Iterable<string>): void {
    const { ids } = this.#peer(peer);
    for (const id of evidenceIds) ids.add(id);
    dropOldest(ids, this.#limits.maxHandedOverPerPeer);
  }

  /**
   * Notes that a peer has answered a question about all logs at this time (monotonic clock, ms).
   */
  answeredAll(peer: string, now: number): void {
    this.#peer(peer).askAt = now + this.#limits.askAgainMs;
  }

  /** Notes that a parcel to a peer failed at this time (monotonic clock, ms), and why. */
  parcelFailed(peer: string, now: number, why: string): void {
    this.#peer(peer).failed = { why, retryAt: now + this.#limits.parcelRetryMs };
  }

  /**
   * Why a peer may be sent no parcel at this time: one failed a short time ago. Nothing if it may.
   * Until a parcel is sent again, nobody knows that the failure is over.
   */
  parcelFault(peer: string, now: number): string | undefined {
    const failed = this.#peers.get(peer)?.failed;
    return failed !== undefined && now < failed.retryAt ? failed.why : undefined;
  }

  /** The logs that a peer follows as well, as it last said; nothing if it never said. */
  bothFollow(peer: string): ReadonlySet<Log> | undefined {
    return this.#peers.get(peer)?.bothFollow;
  }

  /** Notes which logs a peer follows as well. */
  bothFollowNow(peer: string, logs: ReadonlySet<Log>): void {
    this.#peer(peer).bothFollow = logs;
  }

  #peer(name: string): Peer {
    const peer = this.#peers.get(name) ??
      { ids: new Set(), askAt: -Infinity, failed: undefined, bothFollow: undefined };
    // It moves to the end, so that the peer that was used least recently is forgotten first.
    this.#peers.delete(name);
    this.#peers.set(name, peer);
    dropOldest(this.#peers, this.#limits.maxPeersRemembered);
    return peer;
  }
}

function dropOldest<K>(kept: Set<K> | Map<K, unknown>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(key);
  }
}
