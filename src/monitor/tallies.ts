import type { Log } from "../tlog/log.ts";
import type { IncidentNews } from "./case_keeper.ts";
import type { Found, Happening } from "./happenings.ts";
import type { LogTally, LookResult, PeerTally } from "./status.ts";

/** A tally while it is counted. */
type Counted<Tally> = { -readonly [Name in keyof Tally]: Tally[Name] };

/** A call of a peer failed. */
function fails(peer: Counted<PeerTally>, reason: string): void {
  delete peer.isUnwritten;
  peer.failures++;
  peer.lastResult = reason;
  if (peer.failing === undefined && peer.lastExchangeAt !== undefined) {
    peer.failingSince = peer.lastExchangeAt;
  }
  peer.failing = reason;
}

/** Counts what happens in a daemon, since its start. */
export class Tallies {
  readonly #logs = new Map<string, Counted<LogTally>>();
  readonly #peers = new Map<string, Counted<PeerTally>>();
  #incidents = 0;
  #faults = 0;
  #isUnwritten = false;
  #hasCompared = false;

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

  /** Whether anybody has shown a checkpoint of a log followed here, since the start. */
  get hasCompared(): boolean {
    return this.#hasCompared;
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
        return this.#case(happening.news);
      case "fault":
        this.#faults++;
        return;
      case "heard": {
        const { heard: { verdict }, source } = happening;
        if (verdict !== "refused" && verdict !== "nothing") this.#hasCompared = true;
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
        return fails(this.#peer(happening.source), happening.reason);
      }
      case "call not written": {
        const peer = this.#peer(happening.source);
        peer.isUnwritten = true;
        delete peer.failing;
        delete peer.failingSince;
        return;
      }
      case "called": {
        const { source, sharedLogs, fault } = happening;
        const peer = this.#peer(source);
        delete peer.isUnwritten;
        if (fault !== undefined) fails(peer, fault);
        else {
          delete peer.failing;
          delete peer.failingSince;
        }
        if (sharedLogs === undefined) delete peer.sharedLogs;
        else peer.sharedLogs = sharedLogs;
        return;
      }
    }
  }

  #case({ outcome, record }: IncidentNews): void {
    this.#isUnwritten = outcome === "not written";
    if (outcome !== "recorded") return;
    this.#incidents++;
    for (const source of [record.source_a, record.source_b]) {
      const peer = this.#peers.get(source);
      // It may have shown the record as a whole. Then nothing that it told was counted yet.
      if (peer !== undefined) peer.conflicts ||= 1;
    }
  }

  #found({ finding, result, about, at }: Found): void {
    const { log, source, detail, isRewritten, shrankFrom, checkpoint } = finding;
    if (about === "look") {
      const shrankTo = shrankFrom === undefined ? undefined : `${checkpoint!.treeSize}`;
      return this.#looked(log, { result, detail, at, isRewritten, shrankTo });
    }
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
    { result, detail, at, isRewritten = false, shrankTo }: {
      result: LookResult;
      detail: string | undefined;
      at: string;
      isRewritten?: boolean | undefined;
      shrankTo?: string | undefined;
    },
  ): void {
    const log = this.#log(id);
    log.counts[result] = (log.counts[result] ?? 0) + 1;
    if (log.lastResult !== result) log.resultSince = at;
    log.lastResult = result;
    if (detail === undefined) delete log.lastDetail;
    else log.lastDetail = detail;
    if (isRewritten) log.isRewritten = true;
    else delete log.isRewritten;
    if (shrankTo !== undefined) log.shrankTo = shrankTo;
    else delete log.shrankTo;
    log.lastLookAt = at;
  }

  #log(id: string): Counted<LogTally> {
    let log = this.#logs.get(id);
    if (log === undefined) this.#logs.set(id, log = { counts: {} });
    return log;
  }

  #peer(source: string): Counted<PeerTally> {
    let peer = this.#peers.get(source);
    if (peer === undefined) {
      peer = { exchanges: 0, failures: 0, matches: 0, conflicts: 0 };
      this.#peers.set(source, peer);
    }
    return peer;
  }
}
