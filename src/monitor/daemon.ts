import { DurabilityLost, PlaceLost } from "../world/durable.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { formatAddress } from "../world/address.ts";
import type { Signer } from "../world/signer.ts";
import { Stop } from "../world/stop.ts";
import { timeNow } from "../world/time.ts";
import { VERSION } from "../world/version.ts";
import { type World, WorldError } from "../world/world.ts";
import { membersAmong, nameOfPeer } from "../gossip/settings.ts";
import type { Rule } from "../response/policy.ts";
import type { Federating } from "./federating.ts";
import { assemble, type OpenSource, type Parts, subjectsOf } from "./assembly.ts";
import { canTakeUp, type ReadFiles, takeUp } from "./changes.ts";
import type { ToldOverHttp } from "./told_over_http.ts";
import { cosignedStatus } from "./cosigned_status.ts";
import type { EventReport, Level } from "./events.ts";
import type { Found, Happening } from "./happenings.ts";
import { replacesAdvice } from "./former_keys.ts";
import type { HttpGossip } from "./http_gossip.ts";
import { IncidentNotWritten } from "./case_keeper.ts";
import type { Policies } from "./policies.ts";
import type { StepOrder, Stepped } from "./incident_keeper.ts";
import type { Settings } from "./settings.ts";
import { hexLogHash, isOwnFinding } from "./swarm_host.ts";
import { CaseReader } from "./case_reader.ts";
import { Shown, type ShownHead } from "./shown.ts";
import type { SharedPlace } from "../world/shared_database.ts";
import type { Sharing } from "./sharing.ts";
import type { NamedPeer } from "./heard_peers.ts";
import type { MemberStatus } from "../swarm/member_status.ts";
import {
  type ClosedCases,
  type FrozenStatus,
  type HeardElsewhere,
  type LogStatus,
  MAX_CLOSED_BY,
  type Status,
} from "./status.ts";
import type { Responding } from "./responding.ts";
import type { Witnessing, WitnessMeans } from "./witnessing.ts";
import { WriteProbe } from "./write_probe.ts";

/** How often it is looked whether the folders are still where they were. */
const PLACES_MS = 60_000;
/** How often repeats are summarised in the journal, and old segments removed. */
const UPKEEP_MS = 3_600_000;

/**
 * The daemon. It looks at every log, exchanges with peers, settles what was heard, and writes
 * everything to its journals before it acts on it. No log and no peer waits for another. Its parts are
 * put together in `assembly.ts`; what can happen in it is listed in `happenings.ts`.
 */
export class Daemon {
  readonly #parts: Parts;
  readonly #world: World;
  readonly #startedAt: string;
  readonly #stop = new Stop();
  readonly #shown: Shown;
  /** The loops that work until they are stopped. */
  readonly #loops = new Set<Promise<void>>();
  #isClosing = false;
  #reloadRefused: string | undefined;
  /** Ends when everything is closed; nothing before anybody asked for that. */
  #closed: Promise<void> | undefined;
  /** The error that made it end by itself, if one did. */
  #end: unknown;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#world = parts.common.world;
    this.#startedAt = timeNow(this.#world.clock);
    this.#shown = new Shown({
      isPeer: (source) => parts.rounds.peers.some(({ name }) => name === source),
      now: () => timeNow(this.#world.clock),
    });
    parts.common.happenings.subscribe((happening) => this.#shown.take(happening));
    parts.common.happenings.subscribe((happening) => this.#follow(happening));
  }

  /**
   * Opens the journals, and the port to answer on. It does not look at any log yet.
   * @param settled.reload reads the configuration again, because its operator asks for it
   * @throws JournalLocked, JournalDamaged, WorldError; MalformedError for a source that cannot be used
   */
  static async start(settled: {
    world: World;
    settings: Settings;
    signer: Signer;
    report: EventReport;
    openSource: OpenSource;
    reload?: () => Promise<string | undefined>;
    witness?: WitnessMeans | undefined;
    /** The alert policy; without one the default holds. */
    alertRules?: readonly Rule[] | undefined;
    /** The absolute path of the configuration, for the commands in alerts. */
    config?: string | undefined;
    policies?: Policies | undefined;
    /** Where the store is that the settings name, and what lets us in. */
    storePlace?: (() => Promise<SharedPlace>) | undefined;
  }): Promise<Daemon> {
    return new Daemon(await assemble(settled));
  }

  /** The address at which it answers exchanges; nothing if it answers none. */
  get address(): string | undefined {
    const { acceptor } = this.#parts;
    return acceptor && formatAddress(acceptor.address);
  }

  /** Compares checkpoints over HTTP; nothing if the settings do not say so. */
  get httpGossip(): HttpGossip | undefined {
    const { settings, httpGossip } = this.#parts;
    return settings.httpGossip ? httpGossip : undefined;
  }

  /**
   * What it tells at its HTTP address.
   * @param config the absolute path of its configuration, which the commands on its page name
   */
  page({ config }: { config?: string } = {}): ToldOverHttp {
    const { state, incidents: folder } = this.#parts.settings;
    const probe = new WriteProbe({ world: this.#world, folders: [state, folder] });
    return {
      status: () => this.status(),
      gossip: () => this.httpGossip,
      cases: this.cases()!,
      tryWriting: () => probe.look(),
      people: {
        status: () => this.status(),
        shown: (log) => this.shown(log),
        cases: () => this.cases(),
        config,
      },
      pause: () => new Promise((resolve) => this.#world.clock.after(0, resolve)),
    };
  }

  /** The witness; nothing if this monitor is none. */
  get witnessing(): Witnessing | undefined {
    return this.#parts.witnessing;
  }

  /** The own journal as a log; nothing if it is not published. */
  get federating(): Federating | undefined {
    return this.#parts.federating;
  }

  /** What peers last showed of a log. */
  shown(log: Pick<LogStatus, "origin" | "vkey">): readonly ShownHead[] {
    return this.#shown.of(log);
  }

  /** Reads the incidents and cases of its journal. */
  cases(): CaseReader | undefined {
    const { responding: { runbook }, common: { keeper: { incidents } } } = this.#parts;
    return incidents && new CaseReader({ incidents, runbook });
  }

  /** Incidents recorded since the start. */
  get incidents(): number {
    return this.#parts.tallies.incidents;
  }

  /**
   * Incidents in its journal, those of earlier runs included: of the logs followed, of those that its
   * witness's list names, and about monitors.
   */
  get casesHeld(): number {
    const { common: { keeper }, witnessing, mirroring } = this.#parts;
    return keeper.casesHeld + (witnessing?.listedCases.length ?? 0) +
      (mirroring?.formerCases ?? 0);
  }

  /** How many of them ask something of a person: their incidents are not closed, or they have none. */
  get casesOpen(): number {
    return this.casesHeld - (this.#closedCases().closed?.cases ?? 0);
  }

  #closedCases(): { closed?: ClosedCases } {
    const { common: { keeper }, witnessing, responding: { runbook } } = this.#parts;
    const ids = [...keeper.idsHeld, ...witnessing?.listedCases ?? []];
    const by = ids.flatMap((id) => runbook.closedBy(id) ?? []);
    if (by.length === 0) return {};
    return { closed: { cases: by.length, by: [...new Set(by)].slice(0, MAX_CLOSED_BY) } };
  }

  /** Whether any log contradicted at the last look what it has signed before. */
  get isContradicted(): boolean {
    const { followers, mirroring, tallies } = this.#parts;
    return [...followers, ...mirroring?.followers ?? []].some(({ log }) =>
      tallies.ofLog(log).lastResult === "inconsistent"
    );
  }

  /**
   * Looks at every log and exchanges with every peer once.
   * @returns whether all of it could be done, and nothing of what was known before is lost
   */
  async once(): Promise<boolean> {
    const { followers, rounds, places, sharing } = this.#parts;
    this.#tellStart();
    const looks = await Promise.all(followers.map((follower) => follower.look()));
    const couldShare = await sharing?.once() ?? true;
    const couldExchange = await rounds.all();
    await this.#finishBackground();
    // A case that was recorded meanwhile may be one that the peers lack.
    if (this.incidents > 0) {
      await rounds.all();
      await this.#finishBackground();
    }
    await this.#parts.alerting?.once();
    const undone = ["unavailable", "unverified", "unproven", "frozen", "not written"];
    return looks.every(({ result }) => !undone.includes(result)) && couldExchange && couldShare &&
      places.lost.length === 0;
  }

  /**
   * Works until `stop`, then finishes writing and closes everything.
   * @throws DurabilityLost once a journal can no longer be written, or is no longer in its place. A
   *   new start reads what is there and can write again, so the service manager should start it anew.
   *   Also whatever `close` throws.
   */
  async run(): Promise<void> {
    const { acceptor, followers, rounds, swarm, witnessing, federating, mirroring, alerting } =
      this.#parts;
    this.#tellStart();
    if (acceptor !== undefined) this.#loop(acceptor.run());
    this.#loop(rounds.run());
    this.#loop(swarm.run());
    if (witnessing !== undefined) this.#loop(witnessing.run(this.#stop));
    if (alerting !== undefined) this.#loop(alerting.run());
    if (federating !== undefined) this.#loop(federating.run(this.#stop));
    this.#loop(this.#parts.witnessViews.run(this.#stop));
    this.#loop(this.#parts.cosignatures.run(this.#stop, this.#parts.common.happenings));
    if (mirroring !== undefined) this.#loop(mirroring.run());
    this.#loop(this.#parts.responding.run(this.#stop));
    if (this.#parts.sharing !== undefined) this.#loop(this.#parts.sharing.run(this.#stop));
    this.#loop(this.#upkeep());
    this.#loop(this.#watchPlaces());
    for (const follower of followers) this.#loop(follower.run());
    while (this.#loops.size > 0) await Promise.all(this.#loops);
    if (this.#end instanceof PlaceLost) await this.#noteMoved(this.#end);
    await this.close();
    if (this.#end !== undefined) throw this.#end;
  }

  /** Asks `run` to end. */
  stop(): void {
    const { common: { happenings, memory }, rounds, followers, acceptor, httpGossip } = this.#parts;
    happenings.tell({ kind: "stopping" });
    this.#stop.stop();
    memory.end();
    httpGossip.end();
    rounds.stop();
    // It says goodbye, which takes a moment; `close` waits for that.
    this.#loop(this.#parts.swarm.stop());
    for (const follower of followers) follower.stop();
    this.#parts.alerting?.stop();
    this.#parts.mirroring?.end();
    acceptor?.close();
    memory.end();
  }

  /** Finishes writing and closes the journals. Whoever asks again waits for the same end. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const { acceptor, httpGossip, announcer, common, witnessing, federating, responding } =
      this.#parts;
    const { memory, keeper, observations } = common;
    acceptor?.close();
    httpGossip.end();
    witnessing?.end();
    this.#parts.mirroring?.end();
    memory.end();
    await this.#parts.swarm.stop();
    this.#isClosing = true;
    await this.#finishBackground();
    try {
      await this.#parts.mirroring?.close();
      await witnessing?.close();
      // The last exchange may have brought a case. If the disk refuses it, `keeper.close` says so.
      await keeper.keep().catch(() => {});
      await responding.close();
      await keeper.close();
    } finally {
      // After the last case is written.
      await federating?.advance();
      await federating?.close();
      // After the last thing that could be told: what it counts then would never be told.
      announcer.close();
      try {
        await this.#parts.alerting?.close();
      } finally {
        await observations.close();
      }
    }
  }

  /**
   * Whether it can take up these settings while it runs; otherwise it has to be started anew.
   * @param alertRules of the alert policy, read again
   */
  canTakeUp(settings: Settings, vkey: string, alertRules?: readonly Rule[]): boolean {
    return canTakeUp(this.#parts, { settings, vkey, alertRules });
  }

  /**
   * Takes up changed settings while it runs. Everything else stays as it was: uptime, counters,
   * connections, open questions, and what is under way. Calls must not overlap.
   * @param settings must be accepted by `canTakeUp`
   * @param files what was read again of the files that the settings name
   * @throws MalformedError, WorldError, IncidentNotWritten; then nothing has changed
   */
  async takeUp(
    settings: Settings,
    openSource: OpenSource,
    files: ReadFiles = {},
  ): Promise<void> {
    const parts = this.#parts;
    const open: OpenSource = (settings) => {
      const source = openSource(settings);
      return parts.sharing?.taken(settings.log, source) ?? source;
    };
    const { begun, isMoved } = await takeUp({ parts, settings, openSource: open, files });
    const { acceptor, common: { happenings } } = parts;
    if (isMoved && acceptor !== undefined) this.#loop(acceptor.run());
    for (const follower of begun) this.#loop(follower.run());
    if (this.#stop.stopped) {
      acceptor?.close();
      for (const follower of begun) follower.stop();
    }
    const { followers, rounds: { peers } } = parts;
    const subjects = subjectsOf(parts);
    parts.alerting?.reloaded(subjects);
    const counts = { logs: followers.length, peers: peers.length };
    this.#reloadRefused = undefined;
    happenings.tell({ kind: "reloaded", subjects, ...counts });
    this.#tellFormerKeys();
  }

  /**
   * Shows in the status why a changed configuration was refused, until one is taken up, and has an
   * alert made of it.
   */
  noteRefusedReload(reason: string | undefined): void {
    this.#reloadRefused = reason;
    if (reason !== undefined) this.noteTold({ name: "config.refused", level: "error", reason });
  }

  /** Has an alert made of something that was told past this daemon. */
  noteTold({ name, level, reason }: {
    name: `${"config" | "status" | "witness" | "federation"}.${"refused" | "failed"}`;
    level: Level;
    reason: string;
  }): void {
    this.#parts.alerting?.take({ name, level, fields: { reason } });
  }

  /**
   * Makes a step of an incident that a person orders.
   * @throws MalformedError if a name or a reason is none; WorldError if the disk refuses
   */
  step(order: StepOrder): Promise<Stepped> {
    return this.#parts.responding.step(order);
  }

  /** The status of the daemon now, as `GET /status` gives it. */
  status(): Status {
    const { settings, signer, followers, tallies, rounds, announcer, places, swarm } = this.#parts;
    const { witnessing, federating, mirroring, alerting, responding, sharing } = this.#parts;
    const { keeper } = this.#parts.common;
    const isUncompared = rounds.peers.length === 0 && this.address !== undefined &&
      !tallies.hasCompared;
    const members = membersAmong(settings.peers).length > 0 ? swarm.status() : undefined;
    const lists = this.#listsOfPeers();
    const isClosed = (id: string): boolean => responding.runbook.closedBy(id) !== undefined;
    return {
      version: VERSION,
      name: settings.name,
      vkey: signer.vkey.text,
      ...(this.address !== undefined && { listen: this.address }),
      startedAt: this.#startedAt,
      now: timeNow(this.#world.clock),
      incidents: this.casesHeld,
      ...this.#closedCases(),
      ...(keeper.memberCases > 0 && { memberCases: keeper.memberCases }),
      unwritten: tallies.isUnwritten,
      ...(tallies.faults > 0 && { faults: tallies.faults }),
      ...(announcer.lost > 0 && { eventsLost: announcer.lost }),
      ...(places.lost.length > 0 && { lost: places.lost }),
      ...(isUncompared && { isUncompared }),
      ...(this.#reloadRefused !== undefined && { reloadRefused: this.#reloadRefused }),
      logs: followers.map((one) => ({
        ...one.status(isClosed),
        ...sharedBy(one.log, lists),
        ...cosignedStatus(this.#parts, one.log),
        ...this.#formerKeyOf(one.log),
        ...freezeOf(responding, one.log),
        ...lookersOf(sharing, one.log),
        ...tallies.ofLog(one.log),
      })),
      ...(members !== undefined && { members }),
      ...(witnessing !== undefined &&
        { witness: witnessing.status({ freezeOf: (log) => responding.status(log), isClosed }) }),
      ...(alerting !== undefined && { alerts: alerting.status() }),
      ...(sharing !== undefined && { store: sharing.status() }),
      ...(federating !== undefined && { federation: federating.status() }),
      ...(mirroring !== undefined && { mirrors: mirroring.status() }),
      peers: rounds.peers.map((peer) => {
        const { name, vkey } = peer;
        const member = members?.members.find((one) => one.vkey === vkey);
        const isAway = member !== undefined && member.state !== "connected";
        const nextCallAt = isAway ? member.nextCallAt : rounds.nextCallAt(peer);
        const { failing, failingSince } = tallies.ofPeer(name);
        const unreachedSince = isAway
          ? (isSought(member) ? member.since ?? this.#startedAt : undefined)
          : failing && failingSince;
        return {
          address: name,
          ...(vkey !== undefined && { vkey }),
          ...(nextCallAt !== undefined && { nextCallAt }),
          ...heardByOf(sharing, peer, unreachedSince),
          ...tallies.ofPeer(name),
        };
      }),
    };
  }

  #formerKeyOf({ id }: Log): { formerKey?: string; formerSize?: string } {
    const former = this.#parts.formerKeys.get(id);
    return former === undefined ? {} : { formerKey: former.log, formerSize: former.size };
  }

  /** The logs of each peer, as it last said. This monitor itself is none of them. */
  #listsOfPeers(): readonly ReadonlySet<Log>[] {
    const { rounds, tallies, common: { keeper: { party: { peerKnowledge } } } } = this.#parts;
    const others = rounds.peers.filter(({ name }) => !tallies.isSelf(name));
    return others.flatMap(({ name }) => peerKnowledge.bothFollow(name) ?? []);
  }

  /** Does what a happening makes necessary. */
  #follow(happening: Happening): void {
    const { background, rounds } = this.#parts;
    switch (happening.kind) {
      case "world refused":
        return this.#endIfLost(happening.error);
      case "case": {
        const { outcome, record } = happening.news;
        if (outcome !== "recorded") return;
        rounds.incidentRecorded();
        const { swarm, settings: { peers } } = this.#parts;
        const names = membersAmong(peers).map(nameOfPeer);
        return swarm.spreadRecord(record, { isOwnFinding: isOwnFinding(record, names) });
      }
      case "member":
        if (happening.news.kind === "connected") rounds.connected(happening.news.member);
        return;
      case "found":
        return this.#state(happening);
      case "asked":
        return this.#settle(happening.log, happening.source);
      case "heard": {
        const { heard, source } = happening;
        // Strangers may say it any number of times, from any number of addresses.
        const { tallies, common: { memory } } = this.#parts;
        if (heard.verdict !== "matches" || memory.askerOf(source) === "stranger") return;
        if (tallies.isSelf(source)) return;
        return background.run(() => this.#noteMatch(heard.checkpoint, source));
      }
      case "call failed": {
        const { source, reason } = happening;
        return background.run(() => this.#noteFailure(source, reason));
      }
    }
  }

  /** States to members what a look has shown, if the view has grown by it. */
  #state({ about, finding: { log, checkpoint }, result }: Found): void {
    const { swarm, common: { observations } } = this.#parts;
    const isNews = result === "first" || result === "extends";
    if (about !== "look" || !isNews || checkpoint === undefined) return;
    const logHash = hexLogHash(log);
    const { noteWithCosignatures: note } = checkpoint;
    swarm.sayCheckpoint({ note, observation: observations.last.hash, logHash });
  }

  /** Ends the daemon if an error means that nothing more can be written before a new start. */
  #endIfLost(error: unknown): void {
    const reason = error instanceof IncidentNotWritten ? error.cause : error;
    if (this.#end !== undefined || !(reason instanceof DurabilityLost)) return;
    this.#end = reason;
    this.stop();
  }

  /** Settles the open questions of a log, because this source has told a new one. */
  #settle({ id }: Log, source: string): void {
    if (this.#isClosing) return;
    const { followers, mirroring, background, common: { memory } } = this.#parts;
    const follower = [...followers, ...mirroring?.followers ?? []].find(({ logs }) =>
      logs.some((log) => log.id === id)
    );
    if (follower === undefined) return;
    const isStranger = memory.askerOf(source) === "stranger";
    background.run(() => isStranger ? follower.settleStrangers() : follower.settle());
  }

  /**
   * Looks now and then whether the folders are still where they were, and whether a person has seen
   * what was lost. If a folder was moved, the daemon ends: what it writes would not be found.
   */
  async #watchPlaces(): Promise<void> {
    const { places, common: { observations, keeper, happenings } } = this.#parts;
    for (;;) {
      await this.#stop.pause(this.#world.clock, PLACES_MS);
      if (this.#stop.stopped) return;
      try {
        await observations.expectInPlace();
        await keeper.incidents?.expectInPlace();
        await this.#parts.witnessing?.expectInPlace();
        await places.refresh();
      } catch (error) {
        if (error instanceof PlaceLost) happenings.failed(error);
        // If the disk refuses to tell, the next write says so.
        else if (!(error instanceof WorldError)) throw error;
      }
    }
  }

  async #noteMoved(error: PlaceLost): Promise<void> {
    const { places, common: { observations, keeper } } = this.#parts;
    await places.noteMoved(error, {
      state: () => observations.expectInPlace(),
      incidents: async () => await keeper.incidents?.expectInPlace(),
    }, { state: observations.last, incidents: keeper.incidents!.last });
  }

  #tellStart(): void {
    const { settings: { name, logs, peers }, common, places, responding } = this.#parts;
    const { keeper, observations, happenings } = common;
    for (const setAside of [keeper.tornFile, observations.tornFile]) {
      if (setAside !== undefined) happenings.tell({ kind: "journal torn", setAside });
    }
    const { tornBytes = 0 } = this.#parts.witnessing ?? {};
    if (tornBytes > 0) happenings.tell({ kind: "witness torn", bytes: tornBytes });
    const unsound = [...keeper.unsoundEntries, ...responding.illegal.map(({ seq }) => seq)];
    if (unsound.length > 0) happenings.tell({ kind: "journal unsound", incidents: unsound });
    const counts = { logs: logs.length, peers: peers.length };
    for (const detail of places.lost) happenings.tell({ kind: "journal lost", detail });
    happenings.tell({ kind: "started", name, listen: this.address, ...counts });
    this.#tellFormerKeys();
  }

  #tellFormerKeys(): void {
    const { formerKeys, common: { happenings } } = this.#parts;
    for (const former of formerKeys.values()) {
      happenings.tell({ kind: "trap", detail: `${former.detail}: ${replacesAdvice(former)}` });
    }
  }

  /** Writes down, for each log followed, that an exchange failed and so said nothing about it. */
  async #noteFailure(source: string, detail: string): Promise<void> {
    const { common: { observations }, followers } = this.#parts;
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
   * Writes down that a peer's checkpoint matches ours. The journal has one entry for a peer and a log,
   * and counts the repeats. The entry has no note, as the entries of our own looks have it.
   */
  async #noteMatch({ log }: VerifiedCheckpoint, source: string): Promise<void> {
    await this.#parts.common.observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      via: "exchange",
      source,
      result: "matches",
    }, timeNow(this.#world.clock));
  }

  async #upkeep(): Promise<void> {
    const { observations, happenings } = this.#parts.common;
    for (;;) {
      await this.#stop.pause(this.#world.clock, UPKEEP_MS);
      if (this.#stop.stopped) return;
      try {
        await observations.flushRepeats(timeNow(this.#world.clock));
        const segmentsRemoved = await observations.removeOld(timeNow(this.#world.clock));
        happenings.tell({ kind: "upkeep", segmentsRemoved });
      } catch (error) {
        happenings.failed(error);
      }
    }
  }

  /** Keeps a loop for as long as this daemon runs. If the loop fails, the daemon ends. */
  #loop(running: Promise<void>): void {
    const loop: Promise<void> = running
      .catch((error) => {
        this.#end ??= error;
        this.stop();
      })
      .finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  async #finishBackground(): Promise<void> {
    const { background, followers, mirroring } = this.#parts;
    await background.done();
    await Promise.all(followers.map((follower) => follower.done()));
    await mirroring?.done();
  }
}

/** The other sites whose turn it is to look at a log. */
function lookersOf(sharing: Sharing | undefined, log: Log): { lookedAtBy?: readonly string[] } {
  const lookedAtBy = sharing?.sitesAt(log) ?? [];
  return lookedAtBy.length === 0 ? {} : { lookedAtBy };
}

/** Whether a member that there is no session with should be there. */
function isSought({ state }: MemberStatus): boolean {
  return state === "away" || state === "calling";
}

/** The other site that hears a peer which this one cannot reach. */
function heardByOf(
  sharing: Sharing | undefined,
  peer: NamedPeer,
  since: string | undefined,
): { heardBy?: HeardElsewhere } {
  const heardBy = since === undefined ? undefined : sharing?.heardBy(peer, since);
  return heardBy === undefined ? {} : { heardBy };
}

/** What the status says of a log of which nothing is accepted now. */
function freezeOf(responding: Responding, log: Log): { freeze?: FrozenStatus } {
  const freeze = responding.status(log);
  return freeze === undefined ? {} : { freeze };
}

/** How many of these lists have a log; nothing if there are none. */
function sharedBy(log: Log, lists: readonly ReadonlySet<Log>[]): { sharedBy?: number } {
  return lists.length === 0 ? {} : { sharedBy: lists.filter((list) => list.has(log)).length };
}
