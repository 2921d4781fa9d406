/** Machines in memory, each with a disk, databases and a clock of its own, that run whole daemons. */
import { noSharedDatabases, type SharedSite } from "../store/shared_sqlite.ts";
import { assert, assertEquals } from "@std/assert";
import type { Policy } from "../../src/authority/policy.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import type { OpenSource } from "../../src/monitor/assembly.ts";
import { Daemon } from "../../src/monitor/daemon.ts";
import type { EventName, Level } from "../../src/monitor/events.ts";
import { IncidentNotWritten } from "../../src/monitor/case_keeper.ts";
import type { Policies } from "../../src/monitor/policies.ts";
import { defaultSettings, type Settings } from "../../src/monitor/settings.ts";
import type { Source } from "../../src/sources/source.ts";
import type { WitnessMeans } from "../../src/monitor/witnessing.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import { DurabilityLost } from "../../src/world/durable.ts";
import { isCase, readIncidents, recordOf } from "../../src/store/incidents.ts";
import type { Entry } from "../../src/evidence/entry.ts";
import type { Observation } from "../../src/store/observation.ts";
import { checkObservations } from "../../src/store/observations.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { formatLog, type Log, parseLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { parseSchedule } from "../../src/world/schedule.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import {
  type Address,
  type Connection,
  type Files,
  type Http,
  type Network,
  type OpenFile,
  type Random,
  type World,
  WorldError,
} from "../../src/world/world.ts";
import { signing } from "../sim/signing.ts";
import { grow } from "../evidence/histories.ts";
import { FakeConnection, FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";
import { ask, inTime } from "../gossip/helpers.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { MemoryDatabases } from "../store/observing.ts";

/** How often everything is polled and exchanged, unless a test says otherwise. */
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Where the observations are. */
export const STATE = "home/state";
export const INCIDENTS = "home/incidents";
const PORT = 9900;
/** Nothing reads the keys of a witness, or listens for it, in these tests. */
const WITNESS: NonNullable<Settings["witness"]> = {
  ...{ key: "witness.key", http: { hostname: "198.51.100.250", port: 80 } },
  ...{ perSecond: 1_000, perSecondPerLog: 1_000 },
};
/** What is under way with others ends at its limits at the latest. */
const LONGEST_EXCHANGE_MS = DEFAULT_LIMITS.exchangeMs + DEFAULT_LIMITS.parcelMs;

/** Nothing reads it: tests give the policy itself. */
const POLICY = "policy.txt";

function policiesOf({ policy }: Duties): Policies {
  return new Map(policy === undefined ? [] : [[POLICY, policy]]);
}

const SHARE_BYTES = 4;
/** Randomness without any: every jitter is none. What tells one start from another is random. */
const steady: Random = {
  bytes(count) {
    if (count > SHARE_BYTES) return denoWorld().random.bytes(count);
    const bytes = new Uint8Array(count);
    bytes[0] = 0x80;
    return bytes;
  },
};

/** A new log without entries. */
export function logAt(origin = "log.invalid/one"): Promise<TestLog> {
  return TestLog.create({ world: { ...denoWorld(), signing }, origin });
}

/** Something a daemon told. */
export interface Told {
  readonly name: EventName;
  readonly level: Level;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that a host follows. */
export interface Followed {
  readonly source: Source & {
    readonly story: { readonly log: Log };
    /** The source of the log as the daemon has it, if it needs that. */
    readonly openFor?: (log: Log) => Source;
  };
  readonly pollMs?: number;
  readonly patienceMs?: number;
  /** The log that it replaces. */
  readonly replaces?: Log;
  /** Whether the operator says that it replaces none. */
  readonly replacesNone?: boolean;
  /** Whether the operator knows that it does not grow any more. */
  readonly isRetired?: boolean;
}

/** A member of a host. */
export interface Member {
  readonly host: Host;
  /** Whether it is configured by its key alone. */
  readonly byKeyAlone?: boolean;
}

/** What a host's daemon is told to do. */
export interface Duties {
  readonly logs: readonly Followed[];
  readonly peers?: readonly Address[];
  /** Members, and where they can be called. */
  readonly members?: readonly Member[];
  /** The most members that it is connected to. */
  readonly room?: number;
  /** Whom it answers. */
  readonly admit?: "anyone" | "members";
  /** URLs of sourcespotter endpoints. */
  readonly spotters?: readonly string[];
  readonly gossipMs?: number;
  /** When it exchanges, in place of gossipMs. */
  readonly schedule?: string;
  readonly fanOut?: number;
  /** The folder of the observations. */
  readonly state?: string;
  /** Whether it compares checkpoints over HTTP. */
  readonly httpGossip?: boolean;
  /** What one address may send, in frames. */
  readonly framesPerSecond?: number;
  /** What is told to whom. */
  readonly alerts?: Settings["alerts"];
  /** Who cosigns the checkpoints of its logs. */
  readonly policy?: Policy;
  /** How far a witness may be behind, in milliseconds. */
  readonly cosignedWithin?: number;
  /** What it does with journals. */
  readonly federation?: Settings["federation"];
  /** The store that it shares with other sites: see `Host.shared`. */
  readonly store?: { readonly views: number; readonly leaseMs: number };
  /** Whether it is a witness, and the logs that only push to it. */
  readonly witness?: {
    readonly keys: WitnessMeans["keys"];
    readonly pushed: readonly Log[];
    /** The URL of its list of further logs. */
    readonly list?: string;
  };
}

/** A machine: what is on it outlives the daemons that run on it. */
export class Host {
  readonly clock: ManualClock;
  readonly disk = new MemoryDisk();
  readonly databases = new MemoryDatabases();
  readonly address: Address;
  /** Everything its daemons told. */
  readonly told: Told[] = [];
  /** What its daemons could not do. */
  readonly refusals: Error[] = [];
  /** Whether its daemons reach anybody. */
  online = true;
  /** Whom its daemons reach over HTTP. */
  http: Http = denoWorld().http;
  /** The door its daemons have to the disk. */
  files: Files = this.disk.files;
  /** The way to the store that its daemons share, if they share one. */
  shared: SharedSite | undefined;
  daemon: Daemon | undefined;
  /** Who else is there, and how it is reached. */
  readonly network: FakeNetwork;
  /** The key of its daemons. */
  readonly signer: Signer;
  #done: Promise<void> | undefined;
  /** The connections that its daemon has had. */
  readonly #connections = new Set<FakeConnection>();

  private constructor(
    fields: { clock: ManualClock; network: FakeNetwork; signer: Signer; hostname: string },
  ) {
    this.clock = fields.clock;
    this.network = fields.network;
    this.signer = fields.signer;
    this.address = { hostname: fields.hostname, port: PORT };
  }

  /**
   * Alone in its network, unless that is given.
   * @param clock its own, unless hosts share one
   */
  static async make(
    { clock = new ManualClock(), network = new FakeNetwork({ clock }), number = 1 }: {
      clock?: ManualClock;
      network?: FakeNetwork;
      number?: number;
    } = {},
  ): Promise<Host> {
    const hostname = `198.51.100.${number}`;
    const world = { ...denoWorld(), signing };
    const { signer } = await generateSigner({ world, name: `monitor.invalid/${number}` });
    return new Host({ clock, network, signer, hostname });
  }

  /** Everything outside, as this host sees it. */
  get world(): World {
    const network = this.network.at(this.address.hostname);
    const gated: Network = {
      listen: (address) => {
        const listener = network.listen(address);
        return {
          address: listener.address,
          accept: async () => this.#noted(await listener.accept()),
          close: () => listener.close(),
        };
      },
      connect: async (to, timeoutMs) => {
        if (!this.online) throw new WorldError("other", "network is unreachable");
        return this.#noted(await network.connect(to, timeoutMs));
      },
    };
    const { clock, files, databases, http } = this;
    return {
      ...denoWorld(),
      sharedDatabases: this.shared ?? noSharedDatabases,
      http,
      clock,
      files,
      databases,
      network: gated,
      random: steady,
      signing,
    };
  }

  #noted<T extends Connection | undefined>(connection: T): T {
    if (connection instanceof FakeConnection) this.#connections.add(connection);
    return connection;
  }

  /** What a daemon is told, and how it opens the sources of its logs. */
  #orders(duties: Duties): { settings: Settings; openSource: OpenSource } {
    const { vkey } = this.signer;
    const sources = new Map<string, Followed["source"]>();
    const logs = duties.logs.map((followed) => {
      const { source, pollMs = MINUTE, patienceMs = DAY, ...more } = followed;
      // Whose cosignatures are read belongs to the log as one daemon has it.
      const { story } = source;
      const log = duties.policy === undefined ? story.log : parseLog(formatLog(story.log));
      sources.set(log.id, source);
      return { log, source: "scripted", pollMs, patienceMs, ...more };
    });
    const { peers = [], spotters = [], gossipMs = MINUTE, state = STATE } = duties;
    const { members = [], room = 32, admit = "anyone" } = duties;
    const others = peers.length + spotters.length + members.length;
    const { fanOut = others, httpGossip = false } = duties;
    const { framesPerSecond: framesPerSecondPerAddress = 1_000_000 } = duties;
    const settings: Settings = {
      ...defaultSettings(this.world),
      ...{ name: vkey.name, state, incidents: INCIDENTS, listen: this.address, logs },
      peers: [
        ...peers.map((address) => ({ address })),
        ...spotters.map((sourcespotter) => ({ sourcespotter })),
        ...members.map(({ host: { signer, address }, byKeyAlone = false }) => ({
          vkey: signer.vkey.text,
          address: byKeyAlone ? undefined : address,
        })),
      ],
      members: { room, clockSkewMs: 10 * MINUTE },
      admit,
      gossip: {
        ...(duties.schedule === undefined
          ? { intervalMs: gossipMs }
          : { schedule: parseSchedule(duties.schedule) }),
        fanOut,
      },
      ...(duties.policy !== undefined && { policy: POLICY }),
      ...(duties.cosignedWithin !== undefined && { cosignedWithin: duties.cosignedWithin }),
      httpGossip,
      alerts: duties.alerts,
      store: duties.store && { url: "postgres://monitor@127.0.0.1/shared", ...duties.store },
      pushed: duties.witness?.pushed ?? [],
      witness: duties.witness && {
        ...WITNESS,
        ...(duties.witness.list !== undefined && { list: duties.witness.list }),
      },
      federation: duties.federation,
      // Everybody calls everybody all day: what an address may send is another test's subject.
      limits: { ...DEFAULT_LIMITS, framesPerSecondPerAddress },
    };
    return {
      settings,
      openSource: ({ log }) => {
        const source = sources.get(log.id)!;
        return source.openFor?.(log) ?? source;
      },
    };
  }

  /** Has the daemon take up other duties while it runs, as SIGHUP does. */
  async reload(duties: Duties): Promise<void> {
    const { settings, openSource } = this.#orders(duties);
    assert(this.daemon!.canTakeUp(settings, this.signer.vkey.text));
    await this.daemon!.takeUp(settings, openSource, { policies: policiesOf(duties) });
    await settled();
  }

  /** Starts a daemon without letting it run. */
  async open(duties: Duties): Promise<Daemon> {
    return await Daemon.start({
      ...{ world: this.world, signer: this.signer, ...this.#orders(duties) },
      witness: duties.witness && { keys: duties.witness.keys },
      policies: policiesOf(duties),
      storePlace: () => Promise.resolve({ url: "postgres://monitor@127.0.0.1/shared" }),
      report: {
        event: (name, level, fields) => void this.told.push({ name, level, fields }),
        workFailed: (error, more) => {
          this.refusals.push(error as Error);
          this.told.push({ name: "disk.refused", level: "error", fields: { error, more } });
        },
      },
    });
  }

  /** Starts a daemon and lets it do what is due at once. */
  async start(duties: Duties): Promise<Daemon> {
    this.#connections.clear();
    const daemon = this.daemon = await this.open(duties);
    this.#done = daemon.run();
    // Whoever stops it hears of it.
    this.#done.catch(() => {});
    await settled();
    return daemon;
  }

  /**
   * Asks the daemon to end, and waits until it has finished writing.
   * @param withinMs how much time passes meanwhile
   */
  async stop({ withinMs = LONGEST_EXCHANGE_MS } = {}): Promise<void> {
    const { daemon } = this;
    if (daemon === undefined) return;
    this.daemon = undefined;
    daemon.stop();
    await this.clock.advance(withinMs);
    await inTime(this.#done!, () => "the daemon to end");
  }

  /**
   * The power goes: from here on nothing it does has an effect.
   * @param keepShare of what was written and not synced
   */
  async crash({ keepShare = 0 } = {}): Promise<void> {
    this.disk.fail({ at: 1, when: "before", lasting: true });
    for (const connection of this.#connections) connection.reset();
    await this.stop().catch(() => {});
    this.disk.crash({ keepShare });
  }

  /**
   * A disk that refuses to write for as long as it is told to; for the daemons to come.
   * @param folder where it refuses; everywhere by default
   */
  refusableDisk(folder = ""): { refuses: boolean } {
    const state = { refuses: false };
    const refusable = (file: OpenFile, path: string): OpenFile => ({
      ...file,
      write: (bytes, at) =>
        state.refuses && path.startsWith(folder)
          ? Promise.reject(new WorldError("other", "No space left on device (os error 28)"))
          : file.write(bytes, at),
    });
    const { files } = this.disk;
    this.files = {
      ...files,
      open: async (path, mode) => refusable(await files.open(path, mode), path),
      create: async (path, permissions) => refusable(await files.create(path, permissions), path),
    };
    return state;
  }

  /** Lets time pass on this machine. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await settled();
  }

  /**
   * Somebody who remembers nothing tells it these frames, each in an exchange of its own.
   * @returns how many were answered
   */
  async hear(frames: readonly Uint8Array[], from = "192.0.2.7"): Promise<number> {
    let answered = 0;
    for (const frame of frames) {
      const answer = await ask(await this.network.at(from).connect(this.address, 1_000), frame);
      if (answer.length === FRAME_BYTES) answered++;
    }
    await settled();
    return answered;
  }

  /** What was told under this name. */
  toldOf(name: EventName): Told[] {
    return this.told.filter((one) => one.name === name);
  }

  /** The levels at which this was told, in order, without what is told only to who asks for more. */
  loud(name: EventName): Level[] {
    return this.toldOf(name).map(({ level }) => level).filter((level) => level !== "debug");
  }

  /** Its observation journal. */
  async observations(): Promise<{ entry: Entry; observation: Observation }[]> {
    const written = [];
    for await (const item of checkObservations({ files: this.disk.files, folder: STATE })) {
      if ("observation" in item) written.push(item);
    }
    return written;
  }

  /** Its incident journal. */
  async records(): Promise<ConflictRecord[]> {
    const records = [];
    for await (const item of readIncidents({ files: this.disk.files, folder: INCIDENTS })) {
      if (!("entry" in item) || !isCase(item.entry.record)) continue;
      records.push(recordOf(item.entry, INCIDENTS));
    }
    return records;
  }

  /** The evidence ids in its incident journal, each once and every one of them true. */
  async cases(): Promise<string[]> {
    const records = await this.records();
    for (const record of records) {
      const { outcome, signed } = verifyConflict({ input: record as unknown as JsonObject });
      assertEquals([outcome, signed], ["holds", true]);
    }
    const ids = records.map(({ evidence_id }) => evidence_id).sort();
    assertEquals(new Set(ids).size, ids.length, "a case is recorded once");
    return ids;
  }

  /** Asserts that its daemons could not do what they could not because of the disk, and only that. */
  assertOnlyDiskRefused(): void {
    for (const error of this.refusals) {
      const isDisk = [WorldError, DurabilityLost, IncidentNotWritten]
        .some((kind) => error instanceof kind);
      assert(isDisk, error.stack);
    }
  }

  /** Ends everything on it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.databases.clear();
  }
}

/** Some hosts in one network, of which a test starts those that it needs. */
export class Stage implements AsyncDisposable {
  readonly hosts: readonly Host[];

  private constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
  }

  /** @param clock one for all; without it each has its own */
  static async set(
    { count = 2, clock }: { count?: number; clock?: ManualClock } = {},
  ): Promise<Stage> {
    const network = new FakeNetwork({ clock: clock ?? new ManualClock() });
    const numbers = Array.from({ length: count }, (_, i) => i + 1);
    return new Stage(
      await Promise.all(
        numbers.map((number) => Host.make({ network, number, ...(clock && { clock }) })),
      ),
    );
  }

  get one(): Host {
    return this.hosts[0]!;
  }

  get two(): Host {
    return this.hosts[1]!;
  }

  /** Lets minutes pass, each on all machines. */
  async minutes(count: number): Promise<void> {
    const byClock = new Map(this.hosts.map((host) => [host.clock, host]));
    for (let minute = 0; minute < count; minute++) {
      for (const host of byClock.values()) await host.pass(MINUTE);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await host[Symbol.asyncDispose]();
  }
}

/** Two stories that one log tells, equal up to `at` entries, of these sizes. */
export async function parted(
  { at, sizes, origin }: {
    at: number;
    sizes: readonly [ours: number, theirs: number];
    origin?: string;
  },
): Promise<[ours: TestLog, theirs: TestLog]> {
  const ours = grow(await logAt(origin), at);
  const theirs = grow(ours.fork(), sizes[1], "theirs");
  return [grow(ours, sizes[0], "ours"), theirs];
}

/** The older root or the pair of one size that a record convicts; each may have one record. */
export function convicted({ kind, checkpoint_a, checkpoint_b }: ConflictRecord): string {
  const [older, newer] = [checkpoint_a, checkpoint_b]
    .sort((a, b) => Number(a.size) - Number(b.size) || (a.root < b.root ? -1 : 1));
  return kind !== "cross_size"
    ? `${kind} ${older!.size} ${older!.root} ${newer!.root}`
    : `${kind} ${older!.size} ${older!.root}`;
}
