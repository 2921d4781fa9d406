import { exchangeAcceptor } from "../gossip/callee.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import type { Source } from "../sources/source.ts";
import { ObservationJournal } from "../store/observations.ts";
import type { Acceptor } from "../world/acceptor.ts";
import { formatAddress } from "../world/address.ts";
import { Background } from "../world/background.ts";
import { addressKey, PeerHosts } from "../world/connection_table.ts";
import type { Signer } from "../world/signer.ts";
import { type Address, type Listener, type World, WorldError } from "../world/world.ts";
import { Announcer } from "./announcer.ts";
import { ClockWatch } from "./clock_watch.ts";
import type { EventReport } from "./events.ts";
import { Follower, type Shared } from "./follower.ts";
import { Happenings } from "./happenings.ts";
import { CaseKeeper, type KeeperReport } from "./case_keeper.ts";
import { JournaledMemory } from "./recollection.ts";
import { Rounds } from "./rounds.ts";
import type { LogSettings, PeerSettings, Settings } from "./settings.ts";
import { Tallies } from "./tallies.ts";

/** Makes the source of a log of its settings. @throws MalformedError if it is none */
export type OpenSource = (settings: LogSettings) => Source;

/** What a daemon is made of, and what it is told to do. What is not readonly a reload changes. */
export interface Parts {
  settings: Settings;
  readonly signer: Signer;
  readonly shared: Shared;
  readonly announcer: Announcer;
  readonly tallies: Tallies;
  readonly background: Background;
  readonly peers: KnownPeers;
  readonly rounds: Rounds;
  followers: readonly Follower[];
  /** Where exchanges are answered, if anywhere. */
  acceptor: Acceptor | undefined;
}

/** Whom a daemon is told to exchange with, as whoever hears something asks it. */
export class KnownPeers {
  readonly hosts = new PeerHosts([]);
  #names: ReadonlySet<string> = new Set();

  constructor(peers: readonly PeerSettings[]) {
    this.change(peers);
  }

  /** These are the peers from now on. */
  change(peers: readonly PeerSettings[]): void {
    const addresses = peers.map(({ address }) => address);
    this.hosts.change(addresses);
    this.#names = new Set(addresses.map(formatAddress));
  }

  /**
   * Whether what came from here came from a peer: who is called is known by the whole address, who
   * calls by the host, which may be spelled otherwise than in the configuration.
   */
  has(source: string): boolean {
    return this.#names.has(source) || this.hosts.has(addressKey(source));
  }

  /** Whether this is the address at which a peer is called. */
  isCalled(source: string): boolean {
    return this.#names.has(source);
  }
}

/**
 * Opens the journals and puts a daemon together from the rooms; nothing is looked at yet.
 * @throws JournalLocked, JournalDamaged, WorldError; MalformedError for a source that is none
 */
export async function assemble({ world, settings, signer, report, openSource }: {
  world: World;
  settings: Settings;
  signer: Signer;
  report: EventReport;
  openSource: OpenSource;
}): Promise<Parts> {
  const sources = settings.logs.map(openSource);
  const happenings = new Happenings();
  const peers = new KnownPeers(settings.peers);
  const own: { address?: string } = {};
  const announcer = new Announcer({
    ...{ clock: world.clock, report },
    isConfigured: (source) => peers.isCalled(source) || source === own.address,
  });
  const tallies = new Tallies();
  happenings.subscribe((happening) => announcer.tell(happening));
  happenings.subscribe((happening) => tallies.count(happening));
  const observations = await ObservationJournal.open({
    world,
    folder: settings.state,
    onProgress: (progress) => happenings.tell({ kind: "indexing", progress }),
  });
  let keeper: CaseKeeper | undefined;
  try {
    const memory = new JournaledMemory({
      ...{ observations, world },
      isPeer: (source) => peers.has(source),
      tell: (happening) => happenings.tell(happening),
    });
    keeper = await CaseKeeper.start({
      world,
      logs: settings.logs.map(({ log }) => log),
      identity: { signer, folder: settings.incidents },
      limits: settings.limits,
      recollection: memory,
      report: reportTo({ happenings, memory }),
    });
    const clockWatch = new ClockWatch(world.clock);
    const shared = { world, clockWatch, observations, memory, keeper, happenings };
    const followers: Follower[] = [];
    for (const [i, source] of sources.entries()) {
      followers.push(await Follower.start({ shared, settings: settings.logs[i]!, source }));
    }
    const party = { ...keeper.party, peerHosts: peers.hosts };
    const acceptor = answerAt({ party, listener: listenAt(world, settings.listen) });
    if (acceptor !== undefined) own.address = formatAddress(acceptor.address);
    const background = new Background((error) => happenings.failed(error));
    const { gossip } = settings;
    const rounds = new Rounds({ party, happenings, background, gossip, peers: settings.peers });
    const parts = { settings, signer, shared, announcer, tallies, background, peers };
    return { ...parts, rounds, followers, acceptor };
  } catch (error) {
    await keeper?.close();
    await observations.close();
    throw error;
  }
}

/** Tells what exchanges come to as what happens. */
function reportTo(
  { happenings, memory }: { happenings: Happenings; memory: JournaledMemory },
): KeeperReport {
  return {
    heard: (heard, source) => {
      // What there was no room for was not taken in: it is counted, and told in sum.
      const isLeftOut = heard.verdict === "pending" && memory.askerOf(source) === "stranger" &&
        !memory.isWrittenQuestion(heard.checkpoint);
      if (!isLeftOut) happenings.tell({ kind: "heard", heard, source });
    },
    broken: (reason, source) => happenings.tell({ kind: "broken", source, reason }),
    refused: (error) => happenings.failed(error),
    incident: (news) => happenings.tell({ kind: "case", news }),
  };
}

/** The answering end at an address that is listened to, if one is. */
export function answerAt(
  { party, listener }: { party: ExchangeParty; listener: Listener | undefined },
): Acceptor | undefined {
  return listener && exchangeAcceptor({ party, listener });
}

/**
 * Listens at an address, if there is one.
 * @throws WorldError naming the address, which the system's own message lacks
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
