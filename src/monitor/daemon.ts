import { Callee } from "../gossip/callee.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import type { Heard } from "../gossip/view.ts";
import type { Source } from "../sources/source.ts";
import { DurabilityLost } from "../world/durable.ts";
import { ObservationJournal } from "../store/observations.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { formatLog, type Log } from "../tlog/log.ts";
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
import type { LogSettings, PeerSettings, Settings } from "./settings.ts";
import type { Status } from "./status.ts";
import { WARN_AGAIN_MS, WarningLimiter } from "./warnings.ts";

/** How often repeats are summarised and old segments removed. */
const UPKEEP_MS = 3_600_000;

/** Contradictions remembered as told; then they are told once more. */
const MAX_TOLD = 10_000;

/** Makes the source of a log of its settings. @throws MalformedError if it is none */
export type OpenSource = (settings: LogSettings) => Source;

/** What a daemon is made of, and what it is told to do. */
interface Parts {
  settings: Settings;
  readonly signer: Signer;
  readonly shared: Shared;
  followers: readonly Follower[];
  callee: Callee | undefined;
  readonly peers: KnownPeers;
}

/** Whom a daemon is told to exchange with, as whoever hears something asks it. */
class KnownPeers {
  readonly hosts = new PeerHosts([]);
  #sources: ReadonlySet<string> = new Set();

  constructor(peers: readonly PeerSettings[]) {
    this.change(peers);
  }

  /** These are the peers from now on. */
  change(peers: readonly PeerSettings[]): void {
    const addresses = peers.map(({ address }) => address);
    this.hosts.change(addresses);
    this.#sources = new Set(addresses.flatMap((one) => [one.hostname, formatAddress(one)]));
  }

  /** Whether what came from here came from a peer: who calls is known by its host, who is called by all. */
  has(source: string): boolean {
    return this.#sources.has(source);
  }
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

/** What changed settings say of one log. */
interface LogChange {
  readonly settings: LogSettings;
  /** Who follows it already. */
  readonly follower?: Follower;
  /** Where it is asked, if nobody follows it yet. */
  readonly added?: Source;
  /** Where it is asked from now on, if that changed. */
  readonly moved?: Source;
  /** Whether anything else of it changed. */
  readonly isChanged?: boolean;
}

function addressText(address: Address | undefined): string | undefined {
  return address && formatAddress(address);
}

/**
 * The daemon: looks at every log, exchanges with peers, settles what was heard, and writes
 * everything down before it acts on it. No log and no peer waits for another.
 */
export class Daemon {
  readonly #parts: Parts;
  readonly #world: World;
  readonly #report: EventReport;
  #correspondents: readonly Correspondent[];
  #rotation: Rotation<Correspondent>;
  readonly #stop = new Stop();
  /** Ends with `#stop`, and is woken when there is something to tell everyone. */
  readonly #gossipPause = new Stop();
  readonly #background = new Set<Promise<void>>();
  /** What works until it is stopped. */
  readonly #loops = new Set<Promise<void>>();
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
    const { world, report } = parts.shared;
    this.#world = world;
    this.#report = report;
    this.#startedAt = timeNow(world.clock);
    this.#warnings = new WarningLimiter({
      clock: world.clock,
      onLeftOut: (count) => report.event("warnings.left_out", "warning", { count }),
    });
    this.#correspondents = parts.settings.peers.map((peer) => this.#correspondent(peer));
    this.#rotation = new Rotation({ items: this.#correspondents, random: world.random });
  }

  #correspondent(settings: PeerSettings): Correspondent {
    const source = formatAddress(settings.address);
    const onFailure = (reason: string): void =>
      this.#inBackground(() => this.#noteFailure(source, reason));
    return new Correspondent({ settings, party: this.#party, report: this.#report, onFailure });
  }

  get #party(): ExchangeParty {
    const { shared, peers } = this.#parts;
    return { ...shared.monitor.party, peerHosts: peers.hosts };
  }

  /**
   * Opens the journals, and the port to answer on; looks at nothing yet.
   * @throws JournalLocked, JournalDamaged, WorldError; MalformedError for a source that is none
   */
  static async start({ world, settings, signer, report, openSource }: {
    world: World;
    settings: Settings;
    signer: Signer;
    report: EventReport;
    openSource: OpenSource;
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
      const peers = new KnownPeers(settings.peers);
      const memory = new JournaledMemory({
        ...{ observations, world },
        isPeer: (source) => peers.has(source),
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
      const { listen } = settings;
      const listener = listen && listenAt(world, listen);
      const party = { ...monitor.party, peerHosts: peers.hosts };
      const callee = listener && new Callee({ party, listener });
      const daemon = relay.to = new Daemon({ settings, signer, shared, followers, callee, peers });
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
    const { callee, followers } = this.#parts;
    if (callee !== undefined) this.#loop(callee.run());
    this.#loop(this.#gossip());
    this.#loop(this.#upkeep());
    for (const follower of followers) this.#loop(follower.run());
    while (this.#loops.size > 0) await Promise.all(this.#loops);
    await this.close();
    if (this.#end !== undefined) throw this.#end;
  }

  /** Goes on for as long as this daemon does; if it cannot, the daemon ends. */
  #loop(running: Promise<void>): void {
    const loop: Promise<void> = running
      .catch((error) => {
        this.#end ??= error;
        this.stop();
      })
      .finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  /**
   * Whether a daemon that runs can take up these settings: another name, key, folder or limit makes
   * it another monitor, which has to be started.
   */
  canTakeUp(settings: Settings, vkey: string): boolean {
    const { settings: now, signer } = this.#parts;
    return vkey === signer.vkey.text && settings.name === now.name &&
      settings.state === now.state && settings.incidents === now.incidents &&
      JSON.stringify(settings.limits) === JSON.stringify(now.limits);
  }

  /**
   * Takes up changed settings while it runs. What did not change goes on as it was: uptime, counters,
   * connections, open questions, and what is under way. One call at a time.
   * @param settings those that `canTakeUp` accepts
   * @throws MalformedError, WorldError, IncidentNotWritten; then nothing has changed
   */
  async takeUp(settings: Settings, openSource: OpenSource): Promise<void> {
    const { settings: before } = this.#parts;
    const logs = settings.logs.map((one) => this.#changeOf(one, settings.contact, openSource));
    const isMoved = addressText(settings.listen) !== addressText(before.listen);
    const listener = isMoved && settings.listen !== undefined
      ? listenAt(this.#world, settings.listen)
      : undefined;
    let followers: readonly Follower[];
    try {
      followers = await this.#withAdded(logs);
    } catch (error) {
      listener?.close();
      throw error;
    }
    // From here on nothing is refused.
    this.#changePeers(settings.peers);
    if (isMoved) this.#answerAt(listener);
    await this.#changeFollowers(followers, logs);
    this.#parts.settings = { ...settings, logs: logs.map((log) => log.settings) };
    this.#gossipPause.wake();
    const counts = { logs: logs.length, peers: settings.peers.length };
    this.#report.event("config.reloaded", "info", counts);
  }

  /** What one log of the settings changes. @throws MalformedError if its source is none */
  #changeOf(settings: LogSettings, contact: string, openSource: OpenSource): LogChange {
    const { settings: before, followers } = this.#parts;
    const follower = followers.find(({ log }) => formatLog(log) === formatLog(settings.log));
    const then = before.logs.find(({ log }) => log === follower?.log);
    if (follower === undefined || then === undefined) {
      return { settings, added: openSource(settings) };
    }
    const kept = { ...settings, log: follower.log };
    const isMoved = contact !== before.contact ||
      JSON.stringify(settings.source) !== JSON.stringify(then.source);
    if (isMoved) return { settings: kept, follower, moved: openSource(kept) };
    const isChanged = settings.pollMs !== then.pollMs || settings.patienceMs !== then.patienceMs;
    return { settings: kept, follower, isChanged };
  }

  /** The followers of all these logs, those of added ones started. */
  async #withAdded(logs: readonly LogChange[]): Promise<readonly Follower[]> {
    const { shared } = this.#parts;
    const before = shared.monitor.view.logs;
    const added = logs.filter(({ added }) => added !== undefined).map(({ settings }) =>
      settings.log
    );
    try {
      await shared.monitor.follow([...before, ...added]);
      const followers: Follower[] = [];
      for (const { settings, follower, added: source } of logs) {
        followers.push(follower ?? await Follower.start({ shared, settings, source: source! }));
      }
      return followers;
    } catch (error) {
      await shared.monitor.follow(before);
      throw error;
    }
  }

  /** Lets these follow from now on: removed logs are left alone, and added ones looked at. */
  async #changeFollowers(
    followers: readonly Follower[],
    logs: readonly LogChange[],
  ): Promise<void> {
    const { followers: before, shared: { monitor } } = this.#parts;
    this.#parts.followers = followers;
    for (const removed of before.filter((one) => !followers.includes(one))) {
      removed.stop();
      this.#inBackground(() => removed.done());
    }
    for (const { follower, settings, moved, isChanged } of logs) {
      if (follower === undefined || (moved === undefined && isChanged !== true)) continue;
      this.#inBackground(() => follower.change(settings, moved));
    }
    for (const added of followers.filter((one) => !before.includes(one))) {
      if (this.#stop.stopped) added.stop();
      this.#loop(added.run());
    }
    // What was added is followed already, so nothing is read of the journal that could fail.
    await monitor.follow(followers.map(({ log }) => log));
  }

  /** Answers there from now on, and where it did no more. */
  #answerAt(listener: Listener | undefined): void {
    this.#parts.callee?.close();
    const callee = listener && new Callee({ party: this.#party, listener });
    this.#parts.callee = callee;
    if (callee === undefined) return;
    if (this.#stop.stopped) callee.close();
    this.#loop(callee.run());
  }

  #changePeers(settings: readonly PeerSettings[]): void {
    const before = new Map(this.#correspondents.map((peer) => [`${peer.name} ${peer.vkey}`, peer]));
    this.#parts.peers.change(settings);
    this.#correspondents = settings.map((peer) =>
      before.get(`${formatAddress(peer.address)} ${peer.vkey}`) ?? this.#correspondent(peer)
    );
    const { random } = this.#world;
    this.#rotation = new Rotation({ items: this.#correspondents, random });
  }

  /** Asks `run` to end. */
  stop(): void {
    this.#report.event("daemon.stopping", "info", {});
    this.#stop.stop();
    this.#gossipPause.stop();
    for (const follower of this.#parts.followers) follower.stop();
    this.#parts.callee?.close();
  }

  /** Finishes writing and lets go of the journals. */
  async close(): Promise<void> {
    const { callee, shared: { monitor, observations } } = this.#parts;
    callee?.close();
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
      !memory.questions(heard.checkpoint.log).has(heard.checkpoint);
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
    while (!this.#stop.stopped) {
      const { intervalMs, fanOut } = this.#parts.settings.gossip;
      const before = this.#incidents;
      await this.#gossipPause.pause(clock, jittered(intervalMs, random));
      if (this.#stop.stopped) return;
      if (this.#incidents > before) {
        for (const peer of this.#correspondents) this.#inBackground(() => this.#tellAnew(peer));
        continue;
      }
      for (const peer of this.#rotation.next(fanOut)) {
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
