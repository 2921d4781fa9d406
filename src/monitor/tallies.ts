import type { Log } from "../tlog/log.ts";
import type { Found, Happening } from "./happenings.ts";
import type { LogTally, LookResult, PeerTally } from "./status.ts";

/** Counts what happens in a daemon, since its start. */
export class Tallies {
  readonly #logs = new Map<string, { -readonly [Name in keyof LogTally]: LogTally[Name] }>();
  readonly #peers = new Map<string, { -readonly [Name in keyof PeerTally]: PeerTally[Name] }>();
  #incidents = 0;
  #faults = 0;
  #isUnwritten = false;

  /** Incidents recorded. */
  get incidents(): number {
    return this.#incidents;
  }

  /** Faults in Hearsay itself. */
  get faults(): number {
    return this.#faults;
  }

  /** Whether a proven conflict could not be written yet, because the disk refuses. */
  get isUnwritten(): boolean {
    return this.#isUnwritten;
  }

  /** The counts of one log. */
  ofLog({ id }: Log): LogTally {
    return this.#log(id);
  }

  /** The counts of the peer with this address. */
  ofPeer(source: string): PeerTally {
    return this.#peer(source);
  }

  /** Whether the peer with this address was this monitor itself when it was last called. */
  isSelf(source: string): boolean {
    return this.#peers.get(source)?.isSelf === true;
  }

  /** Counts one happening. */
  count(happening: Happening): void {
    switch (happening.kind) {
      case "found":
        return this.#found(happening);
      case "look failed": {
        const { log, detail, at } = happening;
        return this.#looked(log, { result: "not written", detail, at });
      }
      case "case":
        this.#isUnwritten = happening.news.outcome === "not written";
        if (happening.news.outcome === "recorded") this.#incidents++;
        return;
      case "fault":
        this.#faults++;
        return;
      case "heard": {
        const { heard: { verdict }, source } = happening;
        const peer = this.#peers.get(source);
        if (peer === undefined) return;
        // A monitor that agrees with itself has compared nothing.
        if (peer.isSelf && verdict === "matches") return;
        peer.lastResult = verdict;
        if (verdict === "matches") peer.matches++;
        if (verdict === "inconsistent") peer.conflicts++;
        return;
      }
      case "greeted": {
        const { source, isSelf, software } = happening;
        const peer = this.#peer(source);
        delete peer.isSelf;
        delete peer.software;
        if (isSelf) peer.isSelf = true;
        if (software !== undefined) peer.software = software;
        return;
      }
      case "calling": {
        const peer = this.#peer(happening.source);
        peer.exchanges++;
        peer.lastExchangeAt = happening.at;
        return;
      }
      case "call failed": {
        const peer = this.#peer(happening.source);
        peer.failures++;
        peer.lastResult = peer.failing = happening.reason;
        return;
      }
      case "called": {
        const { source, sharedLogs, fault } = happening;
        const peer = this.#peer(source);
        delete peer.failing;
        if (fault !== undefined) {
          peer.failures++;
          peer.lastResult = peer.failing = fault;
        }
        if (sharedLogs === undefined) delete peer.sharedLogs;
        else peer.sharedLogs = sharedLogs;
        return;
      }
    }
  }

  #found({ finding: { log, source, detail }, result, about, at }: Found): void {
    if (about === "look") return this.#looked(log, { result, detail, at });
    const { counts } = this.#log(log.id);
    counts[result] = (counts[result] ?? 0) + 1;
    const peer = this.#peers.get(source);
    if (result !== "inconsistent" || peer === undefined) return;
    // A checkpoint that this peer told earlier contradicts our own view.
    peer.lastResult = result;
    peer.conflicts++;
  }

  #looked(
    { id }: Log,
    { result, detail, at }: { result: LookResult; detail: string | undefined; at: string },
  ): void {
    const log = this.#log(id);
    log.counts[result] = (log.counts[result] ?? 0) + 1;
    log.lastResult = result;
    if (detail === undefined) delete log.lastDetail;
    else log.lastDetail = detail;
    log.lastLookAt = at;
  }

  #log(id: string): { -readonly [Name in keyof LogTally]: LogTally[Name] } {
    let log = this.#logs.get(id);
    if (log === undefined) this.#logs.set(id, log = { counts: {} });
    return log;
  }

  #peer(source: string): { -readonly [Name in keyof PeerTally]: PeerTally[Name] } {
    let peer = this.#peers.get(source);
    if (peer === undefined) {
      peer = { exchanges: 0, failures: 0, matches: 0, conflicts: 0 };
      this.#peers.set(source, peer);
    }
    return peer;
  }
}
