/**
 * One daemon through one day: `deno run tests/bench/fleet.ts '{"logs":50,"peers":50,…}'` prints what
 * it cost as one line of JSON. A process of its own for each run, so that memory is that run's alone.
 *
 * Real: the daemon, its proofs from tiles, every signature checked, the journals and their syncs, the
 * database. Simulated: time, the logs behind their fetcher (so no HTTP and no TLS), and the network
 * with the peers on it, which check nothing.
 */
import process from "node:process";
import { Daemon } from "../../src/monitor/daemon.ts";
import type { EventReport } from "../../src/monitor/events.ts";
import { defaultSettings } from "../../src/monitor/settings.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { checkObservations } from "../../src/store/observations.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { FakeNetwork } from "../gossip/fake_network.ts";
import { CompressedTime } from "./compressed_time.ts";
import { GrowingLog, type Growth } from "./growing_log.ts";
import { StandInPeer } from "./stand_in_peer.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** How much there is of what, and for how long. */
export interface FleetSize {
  readonly logs: number;
  readonly peers: number;
  readonly hours: number;
  /** Whether no log grows. */
  readonly quiet?: boolean;
}

/** What a run cost. */
export interface FleetCost {
  /** CPU of the process, in seconds, without what follows. */
  readonly cpuSeconds: number;
  /** Of the process, the work of the simulated logs, which is not counted above. */
  readonly logSeconds: number;
  readonly wallSeconds: number;
  /** Bytes in use by the program after a collection, at the end of each hour. */
  readonly heapByHour: readonly number[];
  readonly timersByHour: readonly number[];
  /** The most the process had of the system at the end of an hour, before any collection. */
  readonly peakBytes: number;
  readonly journalBytes: number;
  readonly indexBytes: number;
  /** Entries of the journal, by via and result. */
  readonly entries: Readonly<Record<string, number>>;
  /** How often each result came up, repeats included. */
  readonly looks: number;
  readonly exchanges: number;
  /** Mean length of the notes in the entries that have one, and how many have. */
  readonly notes: { readonly count: number; readonly bytes: number };
  readonly trouble: readonly string[];
}

/** One log in five publishes every ten seconds, two every five minutes, two every hour. */
const GROWTH: readonly (Omit<Growth, "start"> & { readonly pollMs: number })[] = [
  { everyMs: 10 * SECOND_MS, entries: 3, pollMs: 30 * SECOND_MS },
  { everyMs: 5 * MINUTE_MS, entries: 20, pollMs: MINUTE_MS },
  { everyMs: HOUR_MS, entries: 5, pollMs: MINUTE_MS },
  { everyMs: 5 * MINUTE_MS, entries: 1, pollMs: MINUTE_MS },
  { everyMs: HOUR_MS, entries: 100, pollMs: MINUTE_MS },
];

/** As `hearsay init` writes it: two peers a minute. */
const GOSSIP_MS = MINUTE_MS;
const FAN_OUT = 2;
/** How often any one peer is called by a monitor with 50, and so calls it, in milliseconds. */
const PEER_TURN_MS = 25 * GOSSIP_MS;

const NOT_LISTENED: Level[] = ["debug", "info"];
type Level = Parameters<EventReport["event"]>[1];

async function live(size: FleetSize): Promise<FleetCost> {
  const real = denoWorld();
  const clock = new CompressedTime();
  const network = new FakeNetwork({ clock });
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-fleet-" });
  const files = clock.watched(real.files);
  const world = { ...real, clock, files, network: network.at("daemon") };
  const kinds = Array.from({ length: size.logs }, (_, i) => GROWTH[i % GROWTH.length]!);
  const logs = kinds.map((growth, i) =>
    new GrowingLog({
      origin: `log${i}.example/bench`,
      clock,
      growth: { ...growth, start: 101 * i, ...(size.quiet === true && { everyMs: 0 }) },
    })
  );
  const peers = Array.from({ length: size.peers }, (_, i) => {
    const hostname = `peer${i}`;
    return {
      address: { hostname, port: 9900 },
      peer: new StandInPeer({
        ...{ clock, network: network.at(hostname), address: { hostname, port: 9900 }, logs },
        ...{ pollMs: 45 * SECOND_MS, phaseMs: i * 45 * SECOND_MS / size.peers },
      }),
    };
  });
  const listeners = peers.map(({ peer }) => peer.listen());
  const trouble = new Map<string, number>();
  const note = (what: string): void => void trouble.set(what, (trouble.get(what) ?? 0) + 1);
  const { signer } = await generateSigner({ world: real, name: "bench.example" });
  const byOrigin = new Map(logs.map((log) => [log.log.origin, log]));
  const daemon = await Daemon.start({
    world,
    signer,
    settings: {
      ...{ ...defaultSettings(world), name: "bench.example" },
      ...{ state: `${folder}/state`, incidents: `${folder}/incidents` },
      listen: { hostname: "daemon", port: 9900 },
      logs: logs.map(({ log }, i) => ({
        ...{ log, source: log.origin, pollMs: kinds[i]!.pollMs, patienceMs: 24 * 7 * HOUR_MS },
      })),
      peers: peers.map(({ address }) => ({ address })),
      gossip: { intervalMs: PEER_TURN_MS * FAN_OUT / Math.max(1, size.peers), fanOut: FAN_OUT },
    },
    report: {
      event: (name, level, { reason, detail }) => {
        if (!NOT_LISTENED.includes(level)) note(`${name}: ${reason ?? detail}`);
      },
      workFailed: (error) =>
        note(error instanceof Error ? error.stack ?? error.message : `${error}`),
    },
    openSource: ({ log }) => new TileSource({ fetcher: byOrigin.get(log.origin)!.fetcher }),
  });
  for (const [i, { peer }] of peers.entries()) {
    const call = (): void => {
      clock.after(PEER_TURN_MS, call);
      peer.call({ hostname: "daemon", port: 9900 })
        .catch((error: Error) => note(`call: ${error.message}`));
    };
    clock.after(i * PEER_TURN_MS / size.peers, call);
  }

  const start = { cpu: process.cpuUsage(), at: performance.now() };
  const running = daemon.run();
  const heapByHour: number[] = [];
  const timersByHour: number[] = [];
  let peakBytes = 0;
  let collectMs = 0;
  for (let hour = 0; hour < size.hours; hour++) {
    await clock.advance(HOUR_MS);
    peakBytes = Math.max(peakBytes, Deno.memoryUsage().rss);
    const before = performance.now();
    (globalThis as unknown as { gc(): void }).gc();
    collectMs += performance.now() - before;
    heapByHour.push(Deno.memoryUsage().heapUsed + Deno.memoryUsage().external);
    timersByHour.push(clock.pending);
  }
  const { user, system } = process.cpuUsage(start.cpu);
  const wallSeconds = (performance.now() - start.at) / SECOND_MS;
  const looks = daemon.status().logs
    .flatMap(({ counts }) => Object.values(counts)).reduce((sum, count) => sum + count, 0);
  daemon.stop();
  await clock.advance(0);
  await running;
  for (const listener of listeners) listener.close();

  const logSeconds = logs.reduce((sum, { workedMs }) => sum + workedMs, 0) / SECOND_MS;
  const entries: Record<string, number> = {};
  const notes = { count: 0, bytes: 0 };
  for await (const item of checkObservations({ files: real.files, folder: `${folder}/state` })) {
    if (!("observation" in item)) continue;
    const { via, result, repeats, checkpoint } = item.observation;
    const kind = `${via} ${result}${repeats === undefined ? "" : " again"}`;
    entries[kind] = (entries[kind] ?? 0) + 1;
    if (checkpoint === undefined) continue;
    notes.count++;
    notes.bytes += checkpoint.note.length;
  }
  const stored = [...Deno.readDirSync(`${folder}/state`)].map(({ name }) => ({
    isIndex: name.startsWith("index"),
    bytes: Deno.statSync(`${folder}/state/${name}`).size,
  }));
  const bytesOf = (isIndex: boolean): number =>
    stored.filter((one) => one.isIndex === isIndex).reduce((sum, { bytes }) => sum + bytes, 0);
  const cost = {
    cpuSeconds: (user + system) / 1e6 - logSeconds - collectMs / SECOND_MS,
    ...{ logSeconds, wallSeconds, heapByHour, timersByHour, peakBytes, entries, looks, notes },
    ...{ journalBytes: bytesOf(false), indexBytes: bytesOf(true) },
    exchanges: peers.reduce((sum, { peer }) => sum + peer.exchanges, 0),
    trouble: [...trouble].map(([what, times]) => `${times} × ${what}`),
  };
  Deno.removeSync(folder, { recursive: true });
  return cost;
}

if (import.meta.main) {
  console.log(JSON.stringify(await live(JSON.parse(Deno.args[0]!) as FleetSize)));
}
