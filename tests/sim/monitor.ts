/**
 * A machine that runs a whole monitor: the real daemon, on a simulated disk, clock and network. The
 * daemon is started, killed or cut off from power, and started again with what the disk has kept.
 *
 * @module
 */
import { Daemon } from "../../src/monitor/daemon.ts";
import type { EventName, Level } from "../../src/monitor/events.ts";
import { defaultSettings, type Settings } from "../../src/monitor/settings.ts";
import { openSource } from "../../src/sources/open.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { formatAddress } from "../../src/world/address.ts";
import {
  type Address,
  type Clock,
  type Http,
  type HttpRequest,
  type HttpResponse,
  type World,
  WorldError,
} from "../../src/world/world.ts";
import { FEDERATION_DEFAULTS } from "../../src/federation/settings.ts";
import { DEFAULT_MAX_CLOCK_SKEW_MS } from "../../src/swarm/replay.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { noSharedDatabases } from "../store/shared_sqlite.ts";
import { type DiskTrouble, SimDatabases, simFiles } from "./disk.ts";
import type { Draw } from "./draw.ts";
import { simHttp } from "./http.ts";
import { askJournal, journalUrl } from "./journals.ts";
import type { LogPlan, Shown, SimLog } from "./logs.ts";
import type { SimMachine, SimNetwork } from "./network.ts";
import { PAGED, type Pager } from "./pager.ts";
import type { MonitorPlan } from "./plan.ts";
import { nameOfPeer, type PeerSettings } from "../../src/gossip/settings.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { type SimStore, STORE_URL } from "./shared_store.ts";
import { signing } from "./signing.ts";
import type { StoreSettings } from "../../src/store/settings.ts";
import { MachineTime, type SimTime } from "./time.ts";

/** The name of the key on a machine. */
export function keyNameOf(number: number): string {
  return `monitor-${number + 1}.invalid`;
}

/** The port on which everyone answers exchanges. */
export const PORT = 9_900;
/** The folders on the disk. */
export const STATE = "state";
export const INCIDENTS = "incidents";

/** A daemon that ended by itself is started again after this time, as by a service manager. */
const RESTART_MS = 30_000;
/** For so long after a pause, what came due in it is still being done. */
const JUST_NOW_MS = 20_000;
/** How long a log may stand still, or withhold a checkpoint, before a monitor tells of it. */
const PATIENCE_MS = 10 * 60_000;

/** What is called when something happens on the machines. */
export interface Watcher {
  /** A daemon told something. */
  told(monitor: SimMonitor, name: EventName, level: Level, fields: Fields): void;
  /** A daemon could not do something. */
  refused(monitor: SimMonitor, error: unknown): void;
  /** A monitor asks a log for something, in one of its places. */
  asks(monitor: SimMonitor, log: SimLog, place: number): void;
  /** An answer that asks to wait has reached a monitor. */
  putOff(monitor: SimMonitor, log: SimLog, asked: { place: number; seconds: number }): void;
  /** A checkpoint has reached a monitor from a log. */
  shown(monitor: SimMonitor, log: SimLog, shown: Shown): void;
  /** A daemon has started, and its status can be asked. */
  started(monitor: SimMonitor, daemon: Daemon): void;
  /** A daemon has ended because of this error. */
  failed(monitor: SimMonitor, error: unknown): void;
  /** A daemon has ended without being killed, with so many connections open and timers pending. */
  letGo(monitor: SimMonitor, left: { readonly open: number; readonly pending: number }): void;
  /** A daemon has ended in any way. Only what is on its disk remains. */
  ended(monitor: SimMonitor): Promise<void>;
  /** A line for the account of what happened. */
  account(line: string): void;
}

/** The fields of an event. */
export type Fields = Readonly<Record<string, unknown>>;

/** A running program on a machine. */
interface Process {
  isAlive: boolean;
  /** Until when it stands still, in milliseconds since the start. */
  pausedUntil: number;
  daemon?: Daemon;
  /** Set once it was asked to end: how long after its end it is started again. */
  downMs?: number;
  readonly clock: Clock & { readonly pending: number };
}

/** The sources of a log, as in the settings. */
function sourceOf({ origin, places = [] }: LogPlan): string | readonly string[] {
  const first = `https://${origin}`;
  return places.length === 0 ? first : [first, ...places.map((_, i) => `${first}/place-${i + 1}`)];
}

function storeSettings({ plan: { views, leaseMs } }: SimStore): StoreSettings {
  return { url: STORE_URL, views, leaseMs };
}

/** The key of a machine, and the number in its name. */
export interface Identity {
  readonly number: number;
  readonly seed: Uint8Array<ArrayBuffer>;
}

/** The machine of one honest monitor. */
export class SimMonitor {
  readonly number: number;
  readonly plan: MonitorPlan;
  readonly disk = new MemoryDisk();
  readonly databases = new SimDatabases();
  readonly trouble: DiskTrouble;
  readonly machine: SimMachine;
  readonly machineTime: MachineTime;
  /** Whether the disk may have refused something since the daemon was started. */
  hadDiskTrouble = false;
  readonly #draw: Draw;
  readonly #identity: Identity;
  readonly #time: SimTime;
  readonly #network: SimNetwork;
  readonly #logs: readonly SimLog[];
  readonly #peers: readonly Address[];
  readonly #addressOf: (number: number) => Address;
  readonly #keyOf: (number: number) => string;
  readonly #monitorAt: (hostname: string) => SimMonitor | undefined;
  readonly #watcher: Watcher;
  readonly #store: SimStore | undefined;
  /** Who takes its alerts; it has none otherwise. */
  readonly pager: Pager | undefined;
  #process: Process | undefined;
  #isRetired = false;

  constructor(fields: {
    number: number;
    plan: MonitorPlan;
    draw: Draw;
    time: SimTime;
    network: SimNetwork;
    machine: SimMachine;
    /** Whose key it has; one of its own if left out. */
    identity?: Identity;
    logs: readonly SimLog[];
    /** Addresses of machines, and the vkeys of those that are members of somebody. */
    addressOf: (number: number) => Address;
    keyOf: (number: number) => string;
    /** The honest monitor on a machine, whose journal may be asked for. */
    monitorAt: (hostname: string) => SimMonitor | undefined;
    /** The store that it shares with others, if it is a site. */
    store?: SimStore | undefined;
    watcher: Watcher;
    pager?: Pager | undefined;
  }) {
    this.#store = fields.store;
    this.number = fields.number;
    this.plan = fields.plan;
    this.trouble = { ...fields.plan.disk };
    this.machine = fields.machine;
    this.#draw = fields.draw;
    this.#identity = fields.identity ?? { number: fields.number, seed: fields.draw.bytes(32) };
    this.#time = fields.time;
    this.#network = fields.network;
    this.#logs = fields.logs;
    this.#peers = fields.plan.peers.map(fields.addressOf);
    this.#addressOf = fields.addressOf;
    this.#keyOf = fields.keyOf;
    this.#monitorAt = fields.monitorAt;
    this.#watcher = fields.watcher;
    this.pager = fields.pager;
    this.machineTime = new MachineTime({ time: fields.time, rate: fields.plan.rate });
  }

  /** Whether it follows a log. */
  follows(origin: string): boolean {
    return this.#logs.some(({ log }) => log.origin === origin);
  }

  /** Whether a source is one of its configured peers. */
  isPeer(source: string): boolean {
    return this.#peers.some((peer) => [peer.hostname, formatAddress(peer)].includes(source)) ||
      this.#members.some((member) => nameOfPeer(member) === source);
  }

  /** Whether a source is a peer that it calls, and not only the host of one. */
  isCalled(source: string): boolean {
    return this.isPeer(source) && (source.includes(":") || source.endsWith(".invalid"));
  }

  /** The number of the member with this key name. */
  memberNamed(name: string): number | undefined {
    return this.plan.membership?.members
      .find(({ number }) => parseVkey(this.#keyOf(number)).name === name)?.number;
  }

  /** Its own vkey. */
  async vkey(): Promise<string> {
    return (await this.#signer()).vkey.text;
  }

  /** Its name in the account. */
  get name(): string {
    return `monitor ${this.number + 1}`;
  }

  /** Whether a daemon runs on it now, or is starting. */
  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** Whether its daemon was asked to end. */
  get isEnding(): boolean {
    return this.#process?.downMs !== undefined;
  }

  /** The daemon that runs on it, once it has started. */
  get daemon(): Daemon | undefined {
    return this.#process?.daemon;
  }

  /** Whether it shares a store with others. */
  get isSite(): boolean {
    return this.#store !== undefined;
  }

  /** Whether its program stands still. */
  get isPaused(): boolean {
    return (this.#process?.pausedUntil ?? -Infinity) > this.#time.now;
  }

  /** Whether its program stands still, or did just now. */
  get wasPaused(): boolean {
    return (this.#process?.pausedUntil ?? -Infinity) > this.#time.now - JUST_NOW_MS;
  }

  /** Its program stands still for a while. What others do to it goes on: its timers and answers wait. */
  pause(ms: number): void {
    if (this.#process !== undefined) this.#process.pausedUntil = this.#time.now + ms;
  }

  /** How many timers of its daemon are pending. */
  get pending(): number {
    return this.#process?.clock.pending ?? 0;
  }

  /** Starts a daemon, unless one runs. */
  boot(): void {
    if (this.#process !== undefined || this.#isRetired) return;
    this.machine.isDown = false;
    this.hadDiskTrouble = this.trouble.full || this.trouble.flaky > 0;
    const process: Process = {
      isAlive: true,
      pausedUntil: -Infinity,
      clock: this.machineTime.clock(() => process.isAlive, () => process.pausedUntil),
    };
    this.#process = process;
    this.#run(process).then(
      () => this.#ended(process, "ended"),
      (error) => {
        if (process.isAlive) this.#watcher.failed(this, error);
        this.#ended(process, `failed: ${(error as Error).message}`);
      },
    );
  }

  /** Asks the daemon to end for good. */
  retire(): void {
    this.#isRetired = true;
    this.stop(Infinity);
  }

  /** Asks the daemon to end. */
  stop(downMs: number): void {
    const process = this.#process;
    if (process === undefined) return;
    process.downMs = downMs;
    process.daemon?.stop();
  }

  /** The program is killed. The system closes its connections and keeps its files. */
  async kill(downMs: number): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    for (const listener of this.machine.listeners.values()) listener.close();
    for (const socket of [...this.machine.sockets]) socket.close();
    this.#end(process);
    this.disk.kill();
    await this.#watcher.ended(this);
    this.#bootLater(downMs);
  }

  /**
   * The machine loses its power. Connections fall silent, and a part of what was not synced is lost.
   * @param keepShare the share that is kept of what was written and not synced
   */
  async losePower({ keepShare, downMs }: { keepShare: number; downMs: number }): Promise<void> {
    const process = this.#process;
    this.trouble.powerCut = undefined;
    this.machine.isDown = true;
    for (const listener of this.machine.listeners.values()) listener.close();
    for (const socket of [...this.machine.sockets]) socket.vanish();
    if (process !== undefined) this.#end(process);
    this.disk.crash({ keepShare });
    this.databases.powerCut(this.#draw);
    await this.#watcher.ended(this);
    this.#bootLater(downMs);
  }

  #bootLater(ms: number): void {
    this.#time.after(ms, () => this.boot());
  }

  #end(process: Process): void {
    process.isAlive = false;
    this.#process = undefined;
    this.#store?.ended(this.number);
  }

  async #signer(): Promise<Signer> {
    const { number, seed } = this.#identity;
    const random = { bytes: () => seed };
    // Of the world, a key takes these two.
    const world = { signing, random } as unknown as World;
    return (await generateSigner({ world, name: keyNameOf(number) })).signer;
  }

  async #run(process: Process): Promise<void> {
    const isAlive = (): boolean => process.isAlive;
    const watcher = this.#watcher;
    const world = this.#world(process);
    const signer = await this.#signer();
    const daemon = await Daemon.start({
      world,
      signer,
      settings: this.#settings(signer.vkey.name),
      storePlace: () => Promise.resolve({ url: STORE_URL }),
      openSource: ({ log, source }) =>
        openSource({ world, log, source, contact: "nobody@monitor.invalid" }),
      report: {
        event: (name, level, fields) => {
          if (isAlive()) watcher.told(this, name, level, fields);
        },
        workFailed: (error, more) => {
          // What is told later, in sum, was told at its time: by now the disk may work again.
          if (isAlive() && more === undefined) watcher.refused(this, error);
        },
      },
    });
    if (!isAlive()) return;
    process.daemon = daemon;
    watcher.started(this, daemon);
    if (process.downMs !== undefined) daemon.stop();
    await daemon.run();
  }

  #ended(process: Process, how: string): void {
    if (!process.isAlive) return;
    this.#watcher.account(`${this.name} ${how}`);
    const { sockets, listeners } = this.machine;
    const open = sockets.size + listeners.size;
    this.#watcher.letGo(this, { open, pending: process.clock.pending });
    this.#end(process);
    // The system closes what a program has left open.
    for (const listener of this.machine.listeners.values()) listener.close();
    for (const socket of [...sockets]) socket.close();
    this.disk.kill();
    void this.#watcher.ended(this);
    this.#bootLater(process.downMs ?? RESTART_MS);
  }

  #settings(name: string): Settings {
    const { fanOut, gossipMs, pollMs, membership, mirrors } = this.plan;
    return {
      ...defaultSettings(denoWorld()),
      ...{ name, state: STATE, incidents: INCIDENTS },
      listen: { hostname: this.machine.hostname, port: PORT },
      logs: this.#logs.map(({ log, plan }) => ({
        ...{ log, source: sourceOf(plan), pollMs, patienceMs: PATIENCE_MS },
      })),
      peers: [...this.#peers.map((address) => ({ address })), ...this.#members],
      gossip: { intervalMs: gossipMs, fanOut },
      ...(membership !== undefined && {
        admit: membership.admit,
        members: { room: membership.room, clockSkewMs: DEFAULT_MAX_CLOCK_SKEW_MS },
      }),
      ...(this.pager !== undefined && { alerts: PAGED }),
      ...(mirrors !== undefined && { federation: this.#federation(mirrors) }),
      ...(this.#store && { store: storeSettings(this.#store) }),
    };
  }

  #federation(mirrors: readonly number[]): Settings["federation"] {
    const { perSecondPerAddress, perSecond } = FEDERATION_DEFAULTS;
    return {
      ...{ admit: "members", perSecondPerAddress, perSecond },
      mirrors: mirrors.map((number) => ({
        vkey: parseVkey(this.#keyOf(number)),
        url: journalUrl(this.#addressOf(number).hostname),
        everyMs: this.plan.pollMs,
      })),
    };
  }

  get #members(): readonly PeerSettings[] {
    return (this.plan.membership?.members ?? []).map(({ number, byKeyAlone }) => ({
      vkey: this.#keyOf(number),
      address: byKeyAlone ? undefined : this.#addressOf(number),
    }));
  }

  #world(process: Process): World {
    const { clock } = process;
    const isAlive = (): boolean => process.isAlive;
    const [time, draw, trouble] = [this.#time, this.#draw, this.trouble];
    const network = this.#network.at(this.machine);
    const never = new Promise<never>(() => {});
    return {
      clock,
      random: { bytes: (count) => draw.bytes(count) },
      network: {
        listen: (address) => network.listen(address),
        async connect(to, timeoutMs) {
          if (!isAlive()) return await never;
          const connection = await network.connect(to, timeoutMs);
          if (isAlive()) return connection;
          connection.close();
          return await never;
        },
      },
      files: simFiles({ disk: this.disk, time, draw, trouble, isAlive }),
      databases: this.databases.at({ draw, trouble, isAlive }),
      sharedDatabases: this.#store?.at(this.number, (answer) => this.#awake(process, answer)) ??
        noSharedDatabases,
      http: this.#wakeful(
        process,
        simHttp({
          logs: new Map(this.#logs.map((log) => [log.log.origin, log])),
          monitor: this.number,
          others: (asking) => this.#askJournal(asking),
          ...{ time, draw, isAlive },
          onAsked: (log, place) => {
            if (isAlive()) this.#watcher.asks(this, log, place);
          },
          onPutOff: (log, place, seconds) => this.#watcher.putOff(this, log, { place, seconds }),
          onShown: (log, shown) => this.#watcher.shown(this, log, shown),
        }),
      ),
      signing,
      mail: denoWorld().mail,
      commands: { ...denoWorld().commands, ...this.pager?.commands(isAlive) },
      passphrases: denoWorld().passphrases,
    };
  }

  /** An answer, held back while a process is paused, and for ever if it is over. */
  async #awake<T>(process: Process, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      while (process.pausedUntil > this.#time.now) {
        await this.#time.pause(process.pausedUntil - this.#time.now);
      }
      if (!process.isAlive) await new Promise<never>(() => {});
    }
  }

  #wakeful(process: Process, http: Http): Http {
    if (this.#store === undefined) return http;
    return { ...http, request: (asked) => this.#awake(process, http.request(asked)) };
  }

  async #askJournal(asking: HttpRequest): Promise<HttpResponse> {
    const of = this.#monitorAt(new URL(asking.url).hostname);
    if (of === undefined) throw new WorldError("other", "Connection refused (os error 111)");
    return await askJournal(asking, {
      ...{ of, from: this.machine.hostname, time: this.#time, draw: this.#draw },
      isCut: (from, to) => this.#network.isCut(from, to),
    });
  }

  /** Closes what would outlast the run. */
  close(): void {
    this.databases.close();
  }
}
