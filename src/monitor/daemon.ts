import { Callee } from "../gossip/callee.ts";
import type { Heard } from "../gossip/view.ts";
import type { Source } from "../sources/source.ts";
import { DurabilityLost } from "../store/durable.ts";
import { ObservationJournal } from "../store/observations.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { formatAddress } from "../world/address.ts";
import { PeerHosts } from "../world/connection_table.ts";
import type { Signer } from "../world/signer.ts";
import { timeNow } from "../world/time.ts";
import { type Address, type Listener, type World, WorldError } from "../world/world.ts";
import { Correspondent } from "./correspondent.ts";
import type { EventReport, Level } from "./events.ts";
import { isOfTheWorld } from "./faults.ts";
import { Follower, type Shared } from "./follower.ts";
import { type IncidentNews, IncidentNotWritten, Monitor } from "./monitor.ts";
import { jittered, Rotation, Stop } from "./pacing.ts";
import { JournaledMemory } from "./recollection.ts";
import type { LogSettings, Settings } from "./settings.ts";
import type { Status } from "./status.ts";
import { WARN_AGAIN_MS, WarningLimiter } from "./warnings.ts";

/** How often repeats are summarised and old segments removed. */
const UPKEEP_MS = 3_600_000;

/** Contradictions remembered as told; then they are told once more. */
const MAX_TOLD = 10_000;

/** What a daemon is made of. */
interface Parts {
  readonly settings: Settings;
  readonly signer: Signer;
  readonly shared: Shared;
  readonly followers: readonly Follower[];
  readonly callee: Callee | undefined;
  readonly peerHosts: PeerHosts;
}

/** @throws WorldError naming the address, which the system's own message lacks */
function listenAt({ network }: World, address: Address): Listener {
  try {
    return network.listen(address);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const where = formatAddress(address);
    throw new WorldError(error.kind, `cannot listen on ${where}: ${error.message}`);
  }
}

/**
 * The daemon: looks at every log, exchanges with peers, settles what was heard, and writes
 * everything down before it acts on it. No log and no peer waits for another.
 */
export class Daemon {
  readonly #parts: Parts;
  readonly #world: World;
  readonly #report: EventReport;
  readonly #correspondents: readonly Correspondent[];
  readonly #stop = new Stop();
  /** Ends with `#stop`, and is woken when there is something to tell everyone. */
  readonly #gossipPause = new Stop();
  readonly #background = new Set<Promise<void>>();
  readonly #startedAt: string;
  readonly #toldContradictions = new Set<string>();
  readonly #warnings: WarningLimiter;
  #leftOutToldAt = -Infinity;
  #faults = 0;
  #incidents = 0;
  #unwritten = false;
  #isClosing = false;
  /** Why it ends by itself, if it does. */
  #end: unknown;

  private constructor(parts: Parts) {
    this.#parts = parts;
    const { world, report, monitor: { party } } = parts.shared;
    this.#world = world;
    this.#report = report;
    this.#startedAt = timeNow(world.clock);
    this.#warnings = new WarningLimiter({
      clock: world.clock,
      onLeftOut: (count) => report.event("warnings.left_out", "warning", { count }),
    });
    this.#correspondents = parts.settings.peers.map((settings) => {
      const source = formatAddress(settings.address);
      const onFailure = (reason: string): void =>
        this.#inBackground(() => this.#noteFailure(source, reason));
      const { peerHosts } = parts;
      return new Correspondent({ settings, party: { ...party, peerHosts }, report, onFailure });
    });
  }

  /**
   * Opens the journals, and the port to answer on; looks at nothing yet.
   * @param openSource makes the source of a log of its settings
   * @throws JournalLocked, JournalDamaged, WorldError; MalformedError for a source that is none
   */
  static async start({ world, settings, signer, report, openSource }: {
    world: World;
    settings: Settings;
    signer: Signer;
    report: EventReport;
    openSource: (settings: LogSettings) => Source;
  }): Promise<Daemon> {
    const sources = settings.logs.map(openSource);
    const observations = await ObservationJournal.open({
      world,
      folder: settings.state,
      onProgress: (progress) => report.event("index.progress", "info", { ...progress }),
    });
    let monitor: Monitor | undefined;
    try {
      // The monitor and its memory report to a daemon that is made of them.
      const relay: { to?: Daemon } = {};
      const names = settings.peers.map(({ address }) => formatAddress(address));
      const hosts = new Set(settings.peers.map(({ address }) => address.hostname));
      const memory = new JournaledMemory({
        ...{ observations, world },
        isPeer: (source) => hosts.has(source) || names.includes(source),
        onQuestion: (log, source) => relay.to?.onQuestion(log, source),
        onLeftOut: (log, source) => relay.to?.onLeftOut(log, source),
      });
      const refused = (error: unknown): void => {
        if (isOfTheWorld(error)) {
          report.refused(error);
          relay.to?.onRefusal(error);
          return;
        }
        const { message, stack } = error instanceof Error ? error : new Error(String(error));
        report.event("daemon.fault", "error", { reason: message, stack });
        relay.to?.onFault();
      };
      const overheard: EventReport = { event: report.event, refused };
      const early: IncidentNews[] = [];
      monitor = await Monitor.start({
        world,
        logs: settings.logs.map(({ log }) => log),
        identity: { signer, folder: settings.incidents },
        limits: settings.limits,
        recollection: memory,
        report: {
          heard: (heard, source) => relay.to?.onHeard(heard, source),
          broken: (reason, source) =>
            report.event("exchange.failed", relay.to?.warningOf(source) ?? "warning", {
              ...{ source, reason },
            }),
          refused,
          incident: (news) => relay.to ? relay.to.onIncident(news) : void early.push(news),
        },
      });
      const onContradiction = (source: string): void => relay.to?.onContradiction(source);
      const shared = { world, observations, memory, monitor, report: overheard, onContradiction };
      const followers: Follower[] = [];
      for (const [i, source] of sources.entries()) {
        followers.push(await Follower.start({ shared, settings: settings.logs[i]!, source }));
      }
      const peerHosts = new PeerHosts(settings.peers.map(({ address }) => address));
      const { listen } = settings;
      const listener = listen && listenAt(world, listen);
      const callee = listener && new Callee({ party: { ...monitor.party, peerHosts }, listener });
      const daemon = relay.to = new Daemon({
        settings,
        signer,
        shared,
        followers,
        callee,
        peerHosts,
      });
      // What a crash kept out of the journal is news; what was in it is not.
      const news = early.filter(({ outcome }) => outcome !== "known");
      for (const one of news) daemon.onIncident(one);
      return daemon;
    } catch (error) {
      await monitor?.close();
      await observations.close();
      throw error;
    }
  }

  /** Where it answers exchanges. */
  get address(): string | undefined {
    const { callee } = this.#parts;
    return callee && formatAddress(callee.address);
  }

  /** Incidents recorded since the start. */
  get incidents(): number {
    return this.#incidents;
  }

  /** Whether what a log showed at the last look contradicts what it has signed before. */
  get isContradicted(): boolean {
    return this.#parts.followers.some(({ lastResult }) => lastResult === "inconsistent");
  }

  /** Looks at every log and exchanges with every peer once; whether all of it could be done. */
  async once(): Promise<boolean> {
    this.#tellStart();
    const looks = await Promise.all(this.#parts.followers.map((follower) => follower.look()));
    const rounds = await Promise.all(this.#correspondents.map((peer) => peer.round()));
    await this.#finishBackground();
    // What was settled may be evidence that the peers lack.
    if (this.#incidents > 0) {
      await Promise.all(this.#correspondents.map((peer) => peer.round()));
      await this.#finishBackground();
    }
    const undone = ["unavailable", "unproven", "frozen"];
    return looks.every(({ result }) => !undone.includes(result)) && rounds.every((done) => done);
  }

  /**
   * Works until `stop`; then finishes writing and lets go of everything.
   * @throws DurabilityLost once a journal can be written no more: a start reads what is there, and so
   *   can write again, which is why this ends for whoever starts it anew; and whatever `close` throws
   */
  async run(): Promise<void> {
    this.#tellStart();
    await Promise.all([
      this.#parts.callee?.run(),
      this.#gossip(),
      this.#upkeep(),
      ...this.#parts.followers.map((follower) => follower.run(this.#stop)),
    ]);
    await this.close();
    if (this.#end !== undefined) throw this.#end;
  }

  /** Asks `run` to end. */
  stop(): void {
    this.#report.event("daemon.stopping", "info", {});
    this.#stop.stop();
    this.#gossipPause.stop();
    this.#parts.callee?.close();
    this.#parts.shared.memory.end();
  }

  /** Finishes writing and lets go of the journals. */
  async close(): Promise<void> {
    const { callee, shared: { memory, monitor, observations } } = this.#parts;
    callee?.close();
    memory.end();
    this.#isClosing = true;
    await this.#finishBackground();
    this.#warnings.flush();
    try {
      await monitor.close();
    } finally {
      await observations.close();
    }
  }

  /** What it can say of itself now. */
  status(): Status {
    const { settings, signer, followers } = this.#parts;
    return {
      name: settings.name,
      vkey: signer.vkey.text,
      startedAt: this.#startedAt,
      now: timeNow(this.#world.clock),
      incidents: this.#parts.shared.monitor.casesHeld,
      unwritten: this.#unwritten,
      ...(this.#faults > 0 && { faults: this.#faults }),
      logs: followers.map((follower) => follower.status()),
      peers: this.#correspondents.map((peer) => peer.status()),
    };
  }

  /** A frame or note was judged, in an exchange that either end began. */
  onHeard(heard: Heard, source: string): void {
    const { memory } = this.#parts.shared;
    const isStranger = memory.askerOf(source) === "stranger";
    // What there was no room for was not taken in: it is counted, and told in sum.
    const isLeftOut = isStranger && heard.verdict === "pending" &&
      !memory.isWrittenQuestion(heard.checkpoint);
    if (isLeftOut) return;
    this.#report.event(`exchange.${heard.verdict}`, this.#loudness(heard, source), {
      source,
      ..."checkpoint" in heard && {
        origin: heard.checkpoint.log.origin,
        size: `${heard.checkpoint.treeSize}`,
      },
      ..."detail" in heard && { detail: heard.detail },
    });
    this.#correspondents.find(({ name }) => name === source)?.hears(heard);
    if (!("checkpoint" in heard)) return;
    const { checkpoint, verdict } = heard;
    // Strangers may say it any number of times, from any number of addresses.
    if (verdict === "matches" && !isStranger) {
      this.#inBackground(() => this.#noteMatch(checkpoint, source));
    }
  }

  /** What a peer told, in a frame, a note or a record, is written down and not settled yet. */
  onQuestion({ id }: Log, source: string): void {
    if (this.#isClosing) return;
    const follower = this.#parts.followers.find(({ log }) => log.id === id);
    if (follower === undefined) return;
    const isStranger = this.#parts.shared.memory.askerOf(source) === "stranger";
    this.#inBackground(() => isStranger ? follower.settleStrangers() : follower.settle());
  }

  /** There was no room for what somebody told: once a minute at most, for all of it. */
  onLeftOut({ origin }: Log, source: string): void {
    const now = this.#world.clock.monotonic();
    if (now - this.#leftOutToldAt < WARN_AGAIN_MS) return;
    this.#leftOutToldAt = now;
    this.#report.event("exchange.left out", "warning", {
      ...{ origin, source },
      detail: "more checkpoints were told than there is room for until they are settled",
    });
  }

  /** Something could not be done; after some of it nothing more can, until a start. */
  onRefusal(error: unknown): void {
    const reason = error instanceof IncidentNotWritten ? error.cause : error;
    if (this.#end !== undefined || !(reason instanceof DurabilityLost)) return;
    this.#end = reason;
    this.stop();
  }

  /**
   * Something of our own failed: what was under way ends, and the daemon goes on. A fault in one look
   * or exchange must not end the watch over all; what it could not do is done anew the next time.
   */
  onFault(): void {
    this.#faults++;
  }

  /** What a peer told, and was settled later, contradicts our view. */
  onContradiction(source: string): void {
    this.#correspondents.find(({ name }) => name === source)?.contradicts();
  }

  /** How loud trouble with an address is: anybody can make any amount of it. */
  warningOf(source: string): Level {
    const isKnown = this.#correspondents.some(({ name }) => name === source) ||
      source === this.address;
    return this.#warnings.levelOf(source, { isKnown });
  }

  /** A contradiction is told loudly once; later it is what is known. */
  #loudness(heard: Heard, source: string): Level {
    if (heard.verdict === "refused") return this.warningOf(source);
    if (heard.verdict !== "inconsistent") return "debug";
    const { log, treeSize, root } = heard.checkpoint;
    const contradiction = `${treeSize} ${root} ${log.id}`;
    if (this.#toldContradictions.has(contradiction)) return "debug";
    this.#toldContradictions.add(contradiction);
    if (this.#toldContradictions.size > MAX_TOLD) this.#toldContradictions.clear();
    return "error";
  }

  /** A conflict was found, or could not be written. */
  onIncident(news: IncidentNews): void {
    const { outcome, record } = news;
    this.#unwritten = outcome === "not written";
    this.#report.event(`incident.${outcome}`, outcome === "known" ? "info" : "error", {
      kind: record.kind,
      origin: record.log.origin,
      evidence_id: record.evidence_id,
      sizes: [record.checkpoint_a.size, record.checkpoint_b.size],
      ..."seq" in news && { incident: news.seq },
      ..."error" in news && { reason: news.error.message },
      // Where the evidence is nowhere else, it is here.
      ...(outcome === "not written" || outcome === "refused") && { record },
    });
    if (outcome !== "recorded") return;
    this.#incidents++;
    this.#gossipPause.wake();
  }

  #tellStart(): void {
    const { settings: { name, logs, peers }, shared: { monitor, observations } } = this.#parts;
    for (const setAside of [monitor.tornFile, observations.tornFile]) {
      if (setAside !== undefined) {
        this.#report.event("journal.torn", "warning", { set_aside: setAside });
      }
    }
    if (monitor.unsoundEntries.length > 0) {
      const fields = { incidents: monitor.unsoundEntries };
      this.#report.event("journal.unsound", "warning", fields);
    }
    this.#report.event("daemon.started", "info", {
      name,
      listen: this.address ?? "nowhere",
      logs: logs.length,
      peers: peers.length,
    });
  }

  /** An exchange that failed said nothing of any log followed; that is written down as well. */
  async #noteFailure(source: string, detail: string): Promise<void> {
    const { shared: { observations }, followers } = this.#parts;
    const at = timeNow(this.#world.clock);
    for (const { log } of followers) {
      await observations.observe({
        log: { origin: log.origin, vkey: log.vkey.text },
        via: "exchange",
        source,
        result: "unavailable",
        detail,
      }, at);
    }
  }

  /**
   * A match is what is known: it is written once for a peer and a log, and then counted. What matched
   * stands in the entries of our own looks, so the note is not written again with each.
   */
  async #noteMatch({ log }: VerifiedCheckpoint, source: string): Promise<void> {
    await this.#parts.shared.observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      via: "exchange",
      source,
      result: "matches",
    }, timeNow(this.#world.clock));
  }

  /** Exchanges with some peers every interval, and with all of them after an incident. */
  async #gossip(): Promise<void> {
    const { clock, random } = this.#world;
    const { intervalMs, fanOut } = this.#parts.settings.gossip;
    const rotation = new Rotation({ items: this.#correspondents, random });
    while (!this.#stop.stopped) {
      const before = this.#incidents;
      await this.#gossipPause.pause(clock, jittered(intervalMs, random));
      if (this.#stop.stopped) return;
      if (this.#incidents > before) {
        for (const peer of this.#correspondents) this.#inBackground(() => this.#tellAnew(peer));
        continue;
      }
      for (const peer of rotation.next(fanOut)) {
        this.#inBackground(async () => void await peer.round());
      }
    }
  }

  /** The round in which a case was found may have packed what it hands over before that. */
  async #tellAnew(peer: Correspondent): Promise<void> {
    if (!this.#stop.stopped) await peer.anew();
  }

  async #upkeep(): Promise<void> {
    const { observations } = this.#parts.shared;
    for (;;) {
      await this.#stop.pause(this.#world.clock, UPKEEP_MS);
      if (this.#stop.stopped) return;
      try {
        await observations.flushRepeats(timeNow(this.#world.clock));
        const removed = await observations.removeOld(timeNow(this.#world.clock));
        this.#report.event("daemon.upkeep", "debug", { segments_removed: removed });
      } catch (error) {
        this.#report.refused(error);
      }
    }
  }

  /** Runs work that nobody waits for, except whoever closes. */
  #inBackground(work: () => Promise<void>): void {
    const running: Promise<void> = work()
      .catch((error) => this.#report.refused(error))
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  async #finishBackground(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
    await Promise.all(this.#parts.followers.map((follower) => follower.done()));
  }
}
