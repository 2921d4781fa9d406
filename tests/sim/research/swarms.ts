/**
 * Many members without the rest of a daemon: the real `Swarm` of each, with its sessions, statements
 * and files, on the simulated network. What the monitor does for it is a stub that records what comes.
 * So fifty of them take seconds.
 *
 * @module
 */
import type { ConflictRecord } from "../../../src/evidence/record.ts";
import { CELL_BYTES, CELL_ROOM } from "../../../src/swarm/cell.ts";
import { encodeRumour, MAX_HOPS } from "../../../src/swarm/rumour.ts";
import { encodeMessage, KIND } from "../../../src/swarm/session_message.ts";
import { Swarm } from "../../../src/swarm/swarm.ts";
import type { SwarmNews } from "../../../src/swarm/swarm_host.ts";
import type { JsonObject } from "../../../src/evidence/json.ts";
import { generateSigner, type Signer } from "../../../src/world/signer.ts";
import type { World } from "../../../src/world/world.ts";
import { MemoryDisk } from "../../store/memory_disk.ts";
import { hostnameOf } from "../account.ts";
import { drawFrom } from "../draw.ts";
import { type SimMachine, SimNetwork } from "../network.ts";
import { signing } from "../signing.ts";
import { MachineTime, SimTime } from "../time.ts";
import { type Links, neighboursOf } from "./topologies.ts";

const PORT = 9_900;
/** How long a message takes one way: a round of the tables. */
const HOP_MS = 100;
const CLOCK_SKEW_MS = 600_000;
/**
 * When everyone has called everyone and said whom it is connected to. No ping is due soon after: round
 * trips are measured each minute, and sessions are kept up after half a minute more.
 */
const SETTLED_MS = 75_000;

/** What became of a case that one member had found. */
export interface Delivered {
  /** How many members know it. */
  readonly known: number;
  /** How many hops it took until the last one knew. */
  readonly rounds: number;
  /** How many messages carried it, in all: what was sent meanwhile, in the size of such a message. */
  readonly messages: number;
  /** How many links there were. */
  readonly sessions: number;
  /** What members told, besides that they are connected. */
  readonly news: readonly SwarmNews[];
}

/** How members are connected, and who of them follows the log of the case. */
export interface SwarmsSetting {
  readonly count: number;
  readonly links: Links;
  readonly seed: number;
  /** Who follows the log; everyone if left out. The others pass a case on all the same. */
  readonly follows?: (number: number) => boolean;
}

/** Connects members, has the first one find a case, and waits until all know or nothing moves. */
export async function deliver(setting: SwarmsSetting, record: ConflictRecord): Promise<Delivered> {
  const swarms = await Swarms.make(setting);
  try {
    return await swarms.deliver(record);
  } finally {
    await swarms.end();
  }
}

/** One member. */
interface Node {
  readonly number: number;
  readonly signer: Signer;
  readonly machine: SimMachine;
  readonly cases: Set<string>;
  swarm?: Swarm;
}

class Swarms {
  readonly #time = new SimTime();
  readonly #network: SimNetwork;
  readonly #setting: SwarmsSetting;
  readonly #nodes: Node[] = [];
  readonly #news: SwarmNews[] = [];
  readonly #running: Promise<void>[] = [];

  private constructor(setting: SwarmsSetting) {
    this.#setting = setting;
    this.#network = new SimNetwork({
      ...{ time: this.#time, draw: drawFrom(setting.seed), onBytes: () => {} },
      weather: {
        ...{ delayMs: HOP_MS, jitterMs: 0, loss: 0, doubled: 0 },
        ...{ segmentBytes: 16 * CELL_BYTES, windowBytes: 65_536 },
      },
    });
  }

  static async make(setting: SwarmsSetting): Promise<Swarms> {
    const swarms = new Swarms(setting);
    for (let number = 0; number < setting.count; number++) {
      const seed = drawFrom(1_000 * setting.seed + number).bytes(32);
      const { signer } = await generateSigner({
        world: { signing, random: { bytes: () => seed } } as unknown as World,
        name: `member-${number}.invalid`,
      });
      const machine = swarms.#network.machine(hostnameOf(number));
      swarms.#nodes.push({ number, signer, machine, cases: new Set() });
    }
    swarms.#cutOthers();
    for (const node of swarms.#nodes) await swarms.#start(node);
    await swarms.#time.runUntil(SETTLED_MS);
    return swarms;
  }

  /** Members learn where others are, and would call them. Only where there is a link, calls get through. */
  #cutOthers(): void {
    const near = neighboursOf(this.#setting.links, this.#setting.count);
    for (const { number: a } of this.#nodes) {
      for (const { number: b } of this.#nodes) {
        const isLink = near[a]!.includes(b);
        if (!isLink) this.#network.cut(hostnameOf(a), hostnameOf(b), true);
      }
    }
  }

  async deliver(record: ConflictRecord): Promise<Delivered> {
    const from = this.#time.now;
    const before = this.#network.carried.bytes;
    const [first] = this.#nodes;
    first!.cases.add(record.evidence_id);
    first!.swarm!.spreadRecord(record, { isOwnFinding: true });
    const { count, follows = () => true } = this.#setting;
    const wanted = this.#nodes.filter(({ number }) => follows(number)).length;
    let rounds = Infinity;
    const isKnown = (): boolean => this.#known() >= wanted;
    if (await this.#time.runUntil(from + 2 * count * HOP_MS, isKnown)) {
      rounds = Math.round((this.#time.now - from) / HOP_MS);
    }
    // What is still under way arrives.
    await this.#time.runUntil(this.#time.now + 3 * HOP_MS);
    const bytes = this.#network.carried.bytes - before;
    const sessions = this.#nodes.reduce((sum, { swarm }) => {
      return sum + swarm!.status().members.filter(({ state }) => state === "connected").length / 2;
    }, 0);
    const messages = Math.round(bytes / (CELL_BYTES * cellsOf(record)));
    return { known: this.#known(), rounds, messages, sessions, news: [...this.#news] };
  }

  async end(): Promise<void> {
    const ends = this.#nodes.map(({ swarm }) => swarm!.stop());
    await this.#time.runUntil(this.#time.now + 60_000);
    for (const { machine } of this.#nodes) {
      for (const listener of machine.listeners.values()) listener.close();
    }
    await this.#time.runUntil(this.#time.now + 1_000);
    await Promise.all([...ends, ...this.#running]);
  }

  #known(): number {
    return this.#nodes.filter(({ cases }) => cases.size > 0).length;
  }

  async #start(node: Node): Promise<void> {
    const { number, machine, signer, cases } = node;
    const { seed, links, follows = () => true } = this.#setting;
    const draw = drawFrom(1_000_000 + 1_000 * seed + number);
    const clock = new MachineTime({ time: this.#time, rate: 1 }).clock(() => true);
    const network = this.#network.at(machine);
    const world = {
      ...{ clock, network, signing, files: new MemoryDisk().files },
      random: { bytes: (count: number) => draw.bytes(count) },
    } as unknown as World;
    const others = links.flatMap(([a, b]) => a === number ? [b] : b === number ? [a] : []);
    const calls = new Set(links.flatMap(([a, b]) => a === number ? [b] : []));
    // Everyone knows everyone: who is no neighbour is known by its key alone.
    const members = this.#nodes.filter((other) => other !== node).map((other) => ({
      vkey: other.signer.vkey.text,
      address: calls.has(other.number)
        ? { hostname: other.machine.hostname, port: PORT }
        : undefined,
    }));
    const settings = { room: Math.max(2, 2 * others.length), clockSkewMs: CLOCK_SKEW_MS };
    const swarm = node.swarm = await Swarm.open({
      ...{ world, signer, settings, members, folder: "state" },
      host: {
        logs: () => [],
        serve: (stream) => Promise.resolve(stream.close()),
        hearNote: () => Promise.resolve({ outcome: "not followed" }),
        hearUnverified: () => {},
        hearRecord: (record) => {
          if (!follows(number)) return Promise.resolve("not followed");
          if (cases.has(record.evidence_id)) return Promise.resolve("known");
          cases.add(record.evidence_id);
          swarm.spreadRecord(record, { isOwnFinding: false });
          return Promise.resolve("recorded");
        },
        memberCase: () => Promise.resolve(undefined),
        recentCases: () => Promise.resolve([]),
        tell: (news) => {
          // Statements come round a ring both ways, and where there is no link nobody is reached.
          // Of two that call each other at once, one call is not wanted.
          const isUsual =
            ["connected", "not reached", "not wanted", "turned away"].includes(news.kind) ||
            (news.kind === "refused" && news.refused === "duplicate");
          if (!isUsual) this.#news.push(news);
        },
        failed: (error) => {
          throw error;
        },
      },
    });
    swarm.change({ members, settings, port: undefined, speaksToStrangers: false });
    const listener = network.listen({ hostname: machine.hostname, port: PORT });
    this.#running.push(this.#answerAll(listener, swarm), swarm.run());
  }

  async #answerAll(listener: ReturnType<World["network"]["listen"]>, swarm: Swarm) {
    for (let next; (next = await listener.accept()) !== undefined;) {
      void swarm.answer({
        ...{ connection: next, begun: new Uint8Array(0), isLocal: false },
        ...{ onSeated() {}, onHeard() {} },
      });
    }
  }
}

function cellsOf(record: ConflictRecord): number {
  const item = record as unknown as JsonObject;
  const body = encodeRumour({ hops: MAX_HOPS, what: "record", item });
  return Math.ceil(encodeMessage(KIND.rumour, body).length / CELL_ROOM);
}
