import { exchangeAcceptor, exchangeConversations, exchangeHandlers } from "../gossip/callee.ts";
import { addressesOf, type MemberPeer, membersAmong, nameOfPeer } from "../gossip/settings.ts";
import { Tolls } from "../gossip/tolls.ts";
import type { Source } from "../sources/source.ts";
import type { IncidentJournal } from "../store/incidents.ts";
import { ObservationJournal } from "../store/observations.ts";
import { Swarm } from "../swarm/swarm.ts";
import type { SwarmHost } from "../swarm/swarm_host.ts";
import type { Acceptor } from "../world/acceptor.ts";
import type { Handler } from "../world/conversations.ts";
import { formatAddress } from "../world/address.ts";
import { Background } from "../world/background.ts";
import { addressKey, PeerHosts } from "../world/connection_table.ts";
import type { Signer } from "../world/signer.ts";
import { type Address, type Listener, type World, WorldError } from "../world/world.ts";
import { mirrorKey, witnessKey } from "../response/occurrences.ts";
import type { Rule } from "../response/policy.ts";
import { Alerting } from "./alerting.ts";
import { Announcer } from "./announcer.ts";
import { ClockWatch } from "./clock_watch.ts";
import type { EventReport } from "./events.ts";
import type { Common } from "./common.ts";
import { Federating } from "./federating.ts";
import { Cosignatures } from "./cosignatures.ts";
import { keepFailed } from "./failed_answers.ts";
import { FailureCounts } from "./failure_counts.ts";
import { Follower } from "./follower.ts";
import { type Former, formerKeys } from "./former_keys.ts";
import { Happenings } from "./happenings.ts";
import { HttpGossip } from "./http_gossip.ts";
import { CaseKeeper, type KeeperReport } from "./case_keeper.ts";
import { PlaceForeign, Places } from "./places.ts";
import { knownLogs } from "./log_settings.ts";
import { JournaledMemory } from "./recollection.ts";
import type { MemberLine } from "./correspondent.ts";
import { countedLogs, type Policies } from "./policies.ts";
import { Mirroring } from "./mirroring.ts";
import { frozenMemory } from "./frozen_file.ts";
import { obeyOrder } from "./incident_orders.ts";
import { IncidentKeeper } from "./incident_keeper.ts";
import { CONSISTENCY_FAILURES, Responding } from "./responding.ts";
import { Rounds } from "./rounds.ts";
import { hexLogHash, hostOfSwarm, inPlace, MembersOnly, SessionHandler } from "./swarm_host.ts";
import type { LogSettings, PeerSettings, Settings } from "./settings.ts";
import { Tallies } from "./tallies.ts";
import { isSite } from "./shared_source.ts";
import { Sharing } from "./sharing.ts";
import type { SharedPlace } from "../world/shared_database.ts";
import { isWitnessView, WitnessViews } from "./witness_views.ts";
import { Witnessing, type WitnessMeans } from "./witnessing.ts";

/** Opens the source that a log's settings name. @throws MalformedError if it cannot be used */
export type OpenSource = (settings: LogSettings) => Source;

/** The parts of a daemon, and its settings. A reload changes those that are not `readonly`. */
export interface Parts {
  settings: Settings;
  readonly signer: Signer;
  readonly common: Common;
  readonly announcer: Announcer;
  /** Nothing if no alerts are configured. */
  readonly alerting: Alerting | undefined;
  readonly alertRules: readonly Rule[] | undefined;
  readonly tallies: Tallies;
  readonly background: Background;
  readonly peers: KnownPeers;
  readonly places: Places;
  /** For each log that is held to nothing, by its id: under which key it was followed before. */
  formerKeys: ReadonlyMap<string, Former>;
  readonly rounds: Rounds;
  followers: readonly Follower[];
  /** What callers may ask for, at the port of the exchange and over HTTP. */
  readonly tolls: Tolls;
  readonly httpGossip: HttpGossip;
  readonly swarm: Swarm;
  /** Nothing if this monitor is no witness. */
  readonly witnessing: Witnessing | undefined;
  /** Nothing if this monitor publishes no journal. */
  readonly federating: Federating | undefined;
  readonly cosignatures: Cosignatures;
  readonly witnessViews: WitnessViews;
  /** The journals of others. Nothing if this monitor publishes no journal. */
  readonly mirroring: Mirroring | undefined;
  /** What it shares with other sites. Nothing if the settings name no store. */
  readonly sharing: Sharing | undefined;
  /** What follows from what is proven. */
  readonly responding: Responding;
  /** Of what is answered at `listen`. */
  readonly handlers: readonly Handler[];
  /** Answers exchanges; nothing if the daemon listens nowhere. */
  acceptor: Acceptor | undefined;
}

/** The configured peers, looked up by the source of what was heard. */
export class KnownPeers {
  readonly hosts = new PeerHosts([]);
  #names: ReadonlySet<string> = new Set();

  constructor(peers: readonly PeerSettings[]) {
    this.change(peers);
  }

  /** Replaces the peers. */
  change(peers: readonly PeerSettings[]): void {
    this.hosts.change(addressesOf(peers), membersAmong(peers).map(nameOfPeer));
    this.#names = new Set(peers.map(nameOfPeer));
  }

  /**
   * Whether a source is a peer. A peer that we call has the configured address. A peer that calls us
   * has only its host, which may be spelled differently from the configuration.
   */
  has(source: string): boolean {
    return this.#names.has(source) || this.hosts.has(addressKey(source));
  }

  /** Whether a source is the configured address, or URL, of a peer. */
  isCalled(source: string): boolean {
    return this.#names.has(source);
  }
}

/**
 * Opens the journals and puts the parts of a daemon together. No log is looked at yet.
 * @throws JournalLocked, JournalDamaged, PlaceForeign, WorldError; MalformedError for a source that
 *   cannot be used
 */
export async function assemble(
  {
    world,
    settings,
    signer,
    report: printed,
    openSource,
    reload,
    witness,
    alertRules,
    config,
    policies = new Map(),
    storePlace = () => Promise.reject(new Error("nobody said how to reach the store")),
  }: {
    world: World;
    settings: Settings;
    signer: Signer;
    report: EventReport;
    openSource: OpenSource;
    reload?: SwarmHost["reload"];
    /** What it needs to be a witness, if the settings say that it is one. */
    witness?: WitnessMeans | undefined;
    /** The alert policy; without one the default holds. */
    alertRules?: readonly Rule[] | undefined;
    /** The absolute path of the configuration, for the commands in alerts. */
    config?: string | undefined;
    /** Those that the settings name, by their paths. */
    policies?: Policies | undefined;
    /** Where the store is that the settings name, and what lets us in. */
    storePlace?: (() => Promise<SharedPlace>) | undefined;
  },
): Promise<Parts> {
  const alerting = settings.alerts && new Alerting({
    ...{ world, settings: settings.alerts, rules: alertRules, monitor: settings.name, config },
    report: printed,
  });
  const report = alerting?.report ?? printed;
  const sources = settings.logs.map(openSource);
  const happenings = new Happenings();
  const background = new Background((error) => happenings.failed(error));
  const peers = new KnownPeers(settings.peers);
  const own: { address?: string; observations?: ObservationJournal } = {};
  const announcer = new Announcer({
    ...{ clock: world.clock, report },
    isPeer: (source) => peers.isCalled(source),
    isOwn: (source) => source === own.address,
    written: () => own.observations?.last.seq ?? 0,
  });
  const tallies = new Tallies();
  let responding: Responding | undefined;
  // It freezes a log before anybody is told of the case.
  happenings.subscribe((happening) => responding?.follow(happening));
  happenings.subscribe((happening) => announcer.tell(happening));
  happenings.subscribe((happening) => tallies.count(happening));
  const places = await lookAtPlaces({ world, settings, signer, report });
  const observations = await ObservationJournal.open({
    world,
    folder: settings.state,
    onLost: (lost) => places.noteObservations(lost),
    onProgress: (progress) => happenings.tell({ kind: "indexing", progress }),
  });
  own.observations = observations;
  let keeper: CaseKeeper | undefined;
  let witnessing: Witnessing | undefined;
  let federating: Federating | undefined;
  let mirroring: Mirroring | undefined;
  try {
    const cosignatures = new Cosignatures({ clock: world.clock, observations });
    cosignatures.follow(countedLogs(settings, policies));
    const memory = new JournaledMemory({
      ...{ observations, world, cosignatures },
      isPeer: (source) =>
        peers.has(source) || isWitnessView(source) || isSite(source) ||
        mirroring?.has(source) === true,
      tell: (happening) => happenings.tell(happening),
      accepts: (log, treeSize) => responding?.gate.accepts(log, treeSize) ?? true,
    });
    keeper = await CaseKeeper.start({
      world,
      logs: [...knownLogs(settings.logs), ...settings.pushed],
      identity: { signer, folder: settings.incidents },
      limits: settings.limits,
      recollection: memory,
      report: reportTo({ happenings, memory }),
    });
    await places.compare(observations, keeper.incidents!);
    await places.claim(report);
    const { incidents } = keeper;
    noteIncidents(observations, incidents!);
    happenings.subscribe((happening) => {
      const isRecorded = happening.kind === "case" && happening.news.outcome === "recorded";
      if (isRecorded || happening.kind === "incident step") noteIncidents(observations, incidents!);
    });
    const filesInPlace = inPlace(world.files, () => observations.expectInPlace());
    const clockWatch = new ClockWatch(world.clock);
    const unguarded = { world, clockWatch, observations, memory, keeper, happenings };
    const spreading: { swarm?: Swarm } = {};
    responding = new Responding({
      ...{ common: unguarded, background, own: signer.vkey.text },
      sayUnverified: ({ log, note }) =>
        spreading.swarm?.sayUnverified({ note, logHash: hexLogHash(log) }),
      keepFailed: (content) => keepFailed({ files: filesInPlace, state: settings.state }, content),
      keeper: await IncidentKeeper.open({
        ...{ journal: incidents!, signer, clock: world.clock },
        memory: frozenMemory({ files: filesInPlace, folder: settings.state }),
        failed: (error) => happenings.failed(error),
      }),
      failures: await FailureCounts.open({
        ...{ files: filesInPlace, folder: settings.state, most: CONSISTENCY_FAILURES },
      }),
    });
    const common = { ...unguarded, gate: responding.gate };
    await responding.begin();
    const sharing = settings.store && new Sharing({
      ...{ common, settings: settings.store, place: storePlace },
      site: { vkey: signer.vkey.text, name: settings.name },
    });
    const followers: Follower[] = [];
    for (const [i, own] of sources.entries()) {
      const { log } = settings.logs[i]!;
      const source = sharing?.taken(log, own) ?? own;
      followers.push(await Follower.start({ common, settings: settings.logs[i]!, source }));
    }
    for (const { log } of countedLogs(settings, policies)) {
      cosignatures.recall(log, keeper.detector);
    }
    await keeper.keep();
    const party = { ...keeper.party, peerHosts: peers.hosts };
    const tolls = new Tolls(party);
    const plain = exchangeHandlers({ party, tolls });
    const conversations = exchangeConversations({ party, handlers: plain });
    const incident = ordersTo(responding, happenings);
    const swarm = await Swarm.open({
      ...{ signer, settings: settings.members, folder: settings.state },
      world: { ...world, files: filesInPlace },
      members: membersAmong(settings.peers),
      host: hostOfSwarm({
        own: signer.vkey.text,
        keeper,
        happenings,
        conversations,
        reload,
        incident,
        channels: alerting && ((names) => alerting.retry(names)),
      }),
    });
    spreading.swarm = swarm;
    const lineTo = ({ vkey }: MemberPeer): MemberLine => swarm.lineTo(vkey);
    const rounds = new Rounds({ party, happenings, background, settings, lineTo });
    const witnessViews = new WitnessViews({ common, background, contact: settings.contact });
    witnessViews.follow(countedLogs(settings, policies), settings.contact);
    const httpGossip = new HttpGossip({ common, party, tolls, background });
    if (settings.witness !== undefined && witness !== undefined) {
      witnessing = await Witnessing.open({
        ...{ common, background, settings: settings.witness, means: witness },
        ...{ folder: settings.state, incidents: settings.incidents },
        followed: settings.logs.map(({ log }) => log),
        pushed: settings.pushed,
        contact: settings.contact,
      });
    }
    if (settings.federation !== undefined) {
      federating = await Federating.open({
        ...{ common, background, signer, settings: settings.federation, folders: settings },
        isSuspect: places.lost.length > 0,
      });
      mirroring = await Mirroring.open({
        ...{ common, background, federating, settings: settings.federation },
        ...{ folder: settings.state, contact: settings.contact, peers: settings.peers },
      });
      federating.mirrors = mirroring;
    }
    const parts: Parts = {
      ...{
        settings,
        signer,
        common,
        announcer,
        alerting,
        alertRules,
        tallies,
        background,
        peers,
        places,
        rounds,
      },
      ...{ followers, tolls, httpGossip, swarm, witnessing, federating, acceptor: undefined },
      ...{ cosignatures, witnessViews, mirroring, responding, sharing },
      formerKeys: formerKeys(settings.logs, observations),
      handlers: [
        new SessionHandler({ swarm, tolls, listen: () => parts.settings.listen }),
        new MembersOnly(() => parts.settings.admit),
        ...plain,
      ],
    };
    answerAt(parts, listenAt(world, settings.listen));
    tellSwarm(parts, settings);
    shareTurns(parts);
    if (parts.acceptor !== undefined) own.address = formatAddress(parts.acceptor.address);
    await alerting?.open({
      ...{ state: settings.state, incidents: incidents!, subjects: subjectsOf(parts) },
      isWatching: () => isWatching(parts),
      claims: parts.sharing?.alerts,
      freezes: responding.freezes,
    });
    return parts;
  } catch (error) {
    await alerting?.close();
    await mirroring?.close();
    await federating?.close();
    await witnessing?.close();
    await responding?.close();
    await keeper?.close();
    await observations.close();
    throw error;
  }
}

/** Looks at the folders before a start. @throws PlaceForeign, which is told too; WorldError */
async function lookAtPlaces({ world, settings, signer, report }: {
  world: World;
  settings: Settings;
  signer: Signer;
  report: EventReport;
}): Promise<Places> {
  try {
    return await Places.look({ world, settings, own: signer.vkey });
  } catch (error) {
    if (error instanceof PlaceForeign) {
      report.event("folder.foreign", "error", { detail: error.message });
    }
    throw error;
  }
}

/** Does what the operator orders about incidents. What the disk refuses is told to both. */
function ordersTo(responding: Responding, happenings: Happenings): SwarmHost["incident"] {
  return async (order) => {
    try {
      return await obeyOrder(order, responding);
    } catch (error) {
      happenings.failed(error);
      return { refused: error instanceof Error ? error.message : String(error) };
    }
  };
}

/** Notes in the index what the incident journal has now. The next start compares it. */
function noteIncidents(observations: ObservationJournal, incidents: IncidentJournal): void {
  try {
    observations.noteIncidents(incidents);
  } catch (error) {
    // The witness is then a little behind, which is no loss.
    if (!(error instanceof WorldError)) throw error;
  }
}

/** Turns the reports of exchanges into happenings. */
function reportTo(
  { happenings, memory }: { happenings: Happenings; memory: JournaledMemory },
): KeeperReport {
  return {
    heard: (heard, source) => {
      // A checkpoint without room was not taken in. It is counted, and told as `left out`.
      const isLeftOut = heard.verdict === "pending" && memory.askerOf(source) === "stranger" &&
        !memory.isWrittenQuestion(heard.checkpoint);
      if (!isLeftOut) happenings.tell({ kind: "heard", heard, source });
    },
    broken: (reason, source) => happenings.tell({ kind: "broken", source, reason }),
    notAnswered: (error) => happenings.failed(error),
    greeted: (source, { isSelf, about }) =>
      happenings.tell({ kind: "greeted", source, isSelf, software: about?.software }),
    incident: (news) => happenings.tell({ kind: "case", news }),
  };
}

/**
 * What troubles can be about: the ids of the logs, the addresses of the peers, and the names of alerts'
 * cases about witnesses and mirrored journals.
 */
export function subjectsOf(
  { followers, mirroring, cosignatures, rounds: { peers } }: Parts,
): ReadonlySet<string> {
  const all = [...followers, ...mirroring?.followers ?? []];
  return new Set([
    ...all.map(({ log }) => log.id),
    ...peers.map(({ name }) => name),
    ...cosignatures.witnesses.map(witnessKey),
    ...mirroring?.names.map(mirrorKey) ?? [],
  ]);
}

/** How late a look may begin, and how long it may take, in milliseconds. */
const LATE_LOOK_MS = 10 * 60_000;

/** Whether every log is looked at when it should be. Whether it answers is another question. */
function isWatching({ followers, common: { world: { clock } } }: Parts): boolean {
  return followers.every(({ lookDueAt }) =>
    lookDueAt !== undefined && clock.monotonic() - lookDueAt <= LATE_LOOK_MS
  );
}

/** Counts cosignatures under these policies from now on. */
export async function count(
  { cosignatures, witnessViews, settings, common: { keeper, memory, happenings } }: Parts,
  policies: Policies,
): Promise<void> {
  const counted = countedLogs(settings, policies);
  const added = cosignatures.follow(counted);
  witnessViews.follow(counted, settings.contact);
  memory.forgetOpened();
  try {
    // The cases about the witnesses that came with it are known again.
    await keeper.follow(keeper.judge.logs);
    for (const log of added) cosignatures.recall(log, keeper.detector);
    await keeper.keep();
  } catch (error) {
    // What could not be written is tried again by every exchange.
    happenings.failed(error);
  }
}

/** Answers exchanges and sessions on a listener from now on; nobody without a listener. */
export function answerAt(parts: Parts, listener: Listener | undefined): void {
  const { common: { keeper }, peers, tolls, handlers } = parts;
  const party = { ...keeper.party, peerHosts: peers.hosts };
  parts.acceptor = listener && exchangeAcceptor({ party, listener, tolls, handlers });
}

/** Has the sites that share a store take turns at the logs that are followed now. */
export function shareTurns({ sharing, followers, rounds }: Parts): void {
  sharing?.followPeers(() => rounds.peers);
  sharing?.follow(
    followers.map((follower) => {
      const { log: { id }, pollMs, patienceMs } = follower;
      return { id, pollMs, patienceMs, stillMs: () => follower.stillMs };
    }),
    ({ id }) => followers.find(({ log }) => log.id === id)?.wake(),
  );
}

/** Tells the swarm who the members are, and where this monitor can be called. */
export function tellSwarm({ swarm, acceptor }: Parts, settings: Settings): void {
  swarm.change({
    members: membersAmong(settings.peers),
    settings: settings.members,
    port: acceptor?.address.port,
    speaksToStrangers: settings.admit === "anyone",
  });
}

/**
 * Listens at an address; nothing without an address.
 * @throws WorldError that names the address, because the system's message does not
 */
export function listenAt({ network }: World, address: Address | undefined): Listener | undefined {
  if (address === undefined) return undefined;
  try {
    return network.listen(address);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const where = formatAddress(address);
    throw new WorldError(error.kind, `cannot listen on ${where}: ${error.message}`);
  }
}
