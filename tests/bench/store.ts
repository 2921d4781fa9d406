/**
 * `deno task bench-store [SECONDS [LOGS [PEERS]]]`: what it costs two daemons to share a PostgreSQL, and
 * how soon one knows what the other was shown: with 300 logs and 1,000 peers, on this machine. The same
 * daemons, logs and peers run a second time without a store, each by its own SQLite alone.
 *
 * Real: the daemons, each a process as an operator starts it, PostgreSQL with its syncs, and every
 * connection, over the loopback interface. Simulated, in this process: the logs, whose entries are all
 * alike, and the peers, which check nothing.
 */
import { migrate } from "../../src/store/shared_schema.ts";
import type { PublishedEntry } from "../../src/store/shared_types.ts";
import { isOfSite } from "../../src/monitor/shared_source.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { shell } from "../interop/go.ts";
import { PgCluster, postgresHere, until } from "../interop/pg_cluster.ts";
import { LogServer, type ServedLog, Site } from "../interop/sites.ts";
import { GrowingLog } from "./growing_log.ts";
import { median } from "./median.ts";
import { StandInPeer } from "./stand_in_peer.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_S = 86_400;
/** How long is measured, in seconds. */
const MEASURED_S = 90;
/** Before that peers call, from when every log was looked at and the leases are settled. */
const WARM_UP_MS = 15 * SECOND_MS;
/** After that: what came last arrives. */
const SETTLES_MS = 3 * SECOND_MS;
const LOGS = 300;
const PEERS = 1_000;
/** How often a site looks at a log, and a peer does. */
const POLL_MS = 30 * SECOND_MS;
const PEER_POLL_MS = 45 * SECOND_MS;
/** How often a peer calls one of the two sites, in turn: five times as often as in `fleet.ts`. */
const PEER_TURN_MS = 5 * MINUTE_MS;
/** The goal: in so many milliseconds, 99 of 100 heads are known to the other site. */
const GOAL_MS = 1_000;
/** Of five logs, how one grows: as in `fleet.ts`. */
const GROWTH = [
  { everyMs: 10 * SECOND_MS, entries: 3 },
  { everyMs: 5 * MINUTE_MS, entries: 20 },
  { everyMs: 60 * MINUTE_MS, entries: 5 },
  { everyMs: 5 * MINUTE_MS, entries: 1 },
  { everyMs: 60 * MINUTE_MS, entries: 100 },
];
/** Of a tile that is whole. */
const MAX_TILE_BYTES = 8_192;
/** All peers call from one address here, and no limit is a subject. */
const LIMITS = {
  framesPerSecondPerAddress: 1_000_000,
  ...{ maxConnections: 512, maxConnectionsPerAddress: 512 },
  ...{ maxParcelConnections: 64, maxParcelConnectionsPerAddress: 64 },
};

/** How much there is of what. */
interface Size {
  readonly seconds: number;
  readonly logs: number;
  readonly peers: number;
}

/** What was used since the processes began: CPU in seconds, the rest in bytes. */
interface Used {
  readonly at: number;
  readonly daemons: number;
  readonly postgres: number;
  readonly here: number;
  readonly database: number;
  readonly wal: number;
  readonly journals: number;
}

/** What a run came to. */
interface Measured {
  /** Of each second of the measured time. */
  readonly used: Omit<Used, "at">;
  /** Bytes of the indexes, at the end, for each byte of the journals. */
  readonly indexShare: number;
  /** MB of both daemons. */
  readonly memory: number;
  /** New heads in the measured time. */
  readonly heads: number;
  /** Of those that one site had from the other: how much later it had them, in milliseconds, sorted. */
  readonly lags: readonly number[];
  /** How many both had by themselves. */
  readonly both: number;
  /** How many one of them never had. */
  readonly lacking: number;
  readonly exchanges: number;
  readonly troubles: readonly string[];
}

/** CPU seconds of processes and of those of theirs that have ended. */
async function cpuOf(pids: readonly number[]): Promise<number> {
  const { out } = await shell(
    `for pid; do cat "/proc/$pid/stat" 2>/dev/null; done; getconf CLK_TCK`,
    ...pids.map((pid) => `${pid}`),
  );
  const lines = out.trim().split("\n");
  const ticks = Number(lines.pop());
  // The name of the program, in parentheses, may have spaces. After it: state, and times from the 12th.
  const times = lines.map((line) => line.slice(line.lastIndexOf(")") + 2).split(" ").slice(11, 15));
  return times.flat().reduce((sum, time) => sum + Number(time), 0) / ticks;
}

async function postgresPids({ folder }: { folder: string }): Promise<number[]> {
  const { out } = await shell(
    'pid=$(head -1 "$1/postmaster.pid"); echo $pid; ps -o pid= --ppid "$pid"',
    folder,
  );
  return out.trim().split(/\s+/).map(Number);
}

async function memoryOf(pids: readonly number[]): Promise<number> {
  const { out } = await shell('ps -o rss= -p "$1"', pids.join());
  return out.trim().split(/\s+/).reduce((sum, kB) => sum + Number(kB), 0) / 1024;
}

function bytesIn(folder: string, pattern: RegExp): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    if (pattern.test(name)) bytes += Deno.statSync(`${folder}/${name}`).size;
  }
  return bytes;
}

/** The logs and peers, in this process. */
class Surroundings implements Disposable {
  readonly served: readonly ServedLog[];
  readonly #peers: readonly StandInPeer[];
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  readonly troubles = new Map<string, number>();

  constructor({ logs: logCount, peers: peerCount }: Size) {
    const { clock, network } = denoWorld();
    const logs = Array.from({ length: logCount }, (_, i) =>
      new GrowingLog({
        origin: `log${i}.example/bench`,
        clock,
        growth: { ...GROWTH[i % GROWTH.length]!, start: i },
      }));
    this.served = logs.map((log) => ({
      log: log.log,
      checkpoint: () => log.checkpointAt(clock.monotonic()).note,
      tile: (path) => log.fetcher.get(path, { maxBytes: MAX_TILE_BYTES }),
    }));
    this.#peers = Array.from({ length: peerCount }, (_, i) =>
      new StandInPeer({
        ...{ clock, network, address: { hostname: "127.0.0.1", port: 1 }, logs },
        ...{ pollMs: PEER_POLL_MS, phaseMs: i * PEER_POLL_MS / peerCount },
      }));
  }

  get exchanges(): number {
    return this.#peers.reduce((sum, { exchanges }) => sum + exchanges, 0);
  }

  /** Has every peer call a site again and again. */
  callAt(ports: readonly number[]): void {
    for (const [i, peer] of this.#peers.entries()) {
      let turn = i;
      const call = (): void => {
        const port = ports[turn++ % ports.length]!;
        peer.call({ hostname: "127.0.0.1", port }).catch((error: Error) => {
          this.troubles.set(error.message, (this.troubles.get(error.message) ?? 0) + 1);
        });
      };
      const later = setTimeout(() => {
        call();
        this.#timers.push(setInterval(call, PEER_TURN_MS));
      }, i * PEER_TURN_MS / this.#peers.length);
      this.#timers.push(later);
    }
  }

  [Symbol.dispose](): void {
    this.#timers.forEach((timer) => clearTimeout(timer));
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Runs two daemons, which share a store if there is one. */
async function measure(size: Size, cluster?: PgCluster): Promise<Measured> {
  const within = Deno.makeTempDirSync({ prefix: "hearsay-bench-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.removeSync(within, { recursive: true }));
  using around = new Surroundings(size);
  const sites: Site[] = [];
  for (const name of ["a", "b"]) {
    const logs = stack.use(new LogServer(around.served));
    const store = cluster &&
      { url: cluster.url, password: cluster.password, views: 1, lease: "30s" };
    const site = await Site.make({
      ...{ name, within, logs, poll: `${POLL_MS / SECOND_MS}s`, more: { limits: LIMITS } },
      ...(store && { store }),
      seconds: size.seconds + 300,
    });
    sites.push(stack.use(site));
  }
  for (const site of sites) await site.start();
  for (const site of sites) {
    await until(
      `${site.name} has looked at every log`,
      async () => {
        const { logs, store } = await site.status();
        return logs.every(({ size }) => size !== undefined) && store?.state !== "away";
      },
      undefined,
      3 * POLL_MS,
    );
  }
  around.callAt(sites.map(({ port }) => port));
  await pause(WARM_UP_MS);
  const pids = await Promise.all(sites.map((site) => site.pid()));
  const use = async (): Promise<Used> => {
    const database = await cluster?.sql("select pg_database_size(current_database())") ?? 0;
    const wal = await cluster?.sql("select pg_current_wal_lsn() - '0/0'::pg_lsn") ?? 0;
    const state = sites.map(({ folder }) => `${folder}/state`);
    const bytes = (pattern: RegExp): number =>
      state.reduce((sum, folder) => sum + bytesIn(folder, pattern), 0);
    return {
      at: performance.now(),
      daemons: await cpuOf(pids),
      postgres: cluster === undefined ? 0 : await cpuOf(await postgresPids(cluster.primary())),
      here: await cpuOf([Deno.pid]),
      ...{ database: Number(database), wal: Number(wal) },
      journals: bytes(/\.jsonl$/),
    };
  };
  const [before, from, exchanges] = [await use(), Date.now(), around.exchanges];
  await pause(size.seconds * SECOND_MS);
  const [after, to, memory] = [await use(), Date.now(), await memoryOf(pids)];
  const made = around.exchanges - exchanges;
  around[Symbol.dispose]();
  await pause(SETTLES_MS);
  for (const site of sites) await site.stop();
  const troubles = [
    ...sites.flatMap((site) => site.troubles()),
    ...[...around.troubles].map(([what, times]) => `a peer, ${times} times: ${what}`),
  ];
  const perSecond = (name: keyof Used): number =>
    (after[name] - before[name]) * SECOND_MS / (after.at - before.at);
  const used = {
    ...{ daemons: perSecond("daemons"), postgres: perSecond("postgres"), here: perSecond("here") },
    ...{ database: perSecond("database"), wal: perSecond("wal") },
    journals: perSecond("journals"),
  };
  // While it is open, its size says little. It grows as the journals do.
  const bytesOf = (pattern: RegExp): number =>
    sites.reduce((sum, { folder }) => sum + bytesIn(`${folder}/state`, pattern), 0);
  const indexShare = bytesOf(/^index/) / bytesOf(/\.jsonl$/);
  return {
    used,
    indexShare,
    memory,
    exchanges: made,
    troubles,
    ...await compare(sites, { from, to }),
  };
}

/** When each site wrote of which head first, and whether it had it from the other. */
async function compare(
  sites: readonly Site[],
  { from, to }: { from: number; to: number },
): Promise<Pick<Measured, "heads" | "lags" | "both" | "lacking">> {
  const first = await Promise.all(sites.map(async (site) => {
    const heads = new Map<string, PublishedEntry>();
    for (const head of await site.heads()) {
      const key = `${head.log} ${head.checkpoint.size} ${head.checkpoint.root}`;
      if (!heads.has(key)) heads.set(key, head);
    }
    return heads;
  }));
  const lags: number[] = [];
  const counts = { heads: 0, both: 0, lacking: 0 };
  for (const key of new Set(first.flatMap((heads) => [...heads.keys()]))) {
    const seen = first.flatMap((heads) => heads.get(key) ?? []);
    const times = seen.map(({ recordedAt }) => Date.parse(recordedAt));
    if (Math.min(...times) < from || Math.min(...times) > to) continue;
    counts.heads++;
    if (seen.length < sites.length) counts.lacking++;
    else if (!seen.some(({ source }) => isOfSite(source))) counts.both++;
    else lags.push(Math.max(...times) - Math.min(...times));
  }
  return { ...counts, lags: lags.toSorted((a, b) => a - b) };
}

/** The value that so many hundredths of the sorted ones do not exceed. */
function percentile(sorted: readonly number[], hundredths: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * hundredths / 100) - 1)] ?? NaN;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const perDay = (bytes: number): string => `${(bytes * DAY_S / 1e6).toFixed(0)} MB`;

function told(name: string, { used, ...run }: Measured): void {
  console.log(
    `${name}: ${run.heads} new heads, ${run.exchanges} exchanges with peers; the daemons take ` +
      `${percent(used.daemons)} of a core and ${run.memory.toFixed(0)} MB, both together; ` +
      `a day: journals ${perDay(used.journals)}, indexes ${perDay(used.journals * run.indexShare)}`,
  );
  for (const trouble of run.troubles.slice(0, 5)) console.log(`  ${trouble}`);
  if (run.troubles.length > 5) console.log(`  and ${run.troubles.length - 5} more`);
}

function report(shared: Measured, alone: Measured, load: string): void {
  told("sharing", shared);
  told("SQLite alone", alone);
  const { lags, both, lacking, used } = shared;
  const lag = percentile(lags, 99);
  console.log(
    `a new head, from one site to the other: ${median(lags)} ms, 99 of 100 within ${lag} ms ` +
      `(goal ${GOAL_MS} ms), at most ${
        lags.at(-1)
      } ms: ${lags.length} heads; ${both} more both had ` +
      `by themselves, ${lacking} one of them lacks`,
  );
  console.log(
    `without a store: ${alone.both} both had by themselves, ${alone.lacking} one of them lacks`,
  );
  console.log(
    `PostgreSQL takes ${percent(used.postgres)} of a core; a day, as in the measured time: ` +
      `${perDay(used.database)} in the database, ` +
      `${
        (used.database / (shared.heads / MEASURED.seconds)).toFixed(0)
      } bytes for each new head; ` +
      `${perDay(used.wal)} of write-ahead log`,
  );
  const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)} x`;
  console.log(
    `sharing to SQLite alone: CPU of the daemons ${
      ratio(used.daemons, alone.used.daemons)
    }, with ` +
      `PostgreSQL ${ratio(used.daemons + used.postgres, alone.used.daemons)}; memory ` +
      `${ratio(shared.memory, alone.memory)}; journals ` +
      `${ratio(used.journals, alone.used.journals)}; indexes ` +
      ratio(used.journals * shared.indexShare, alone.used.journals * alone.indexShare),
  );
  console.log(
    `(the simulated logs and peers took ${percent(used.here)} and ${percent(alone.used.here)})`,
  );
  console.log(`(runnable processes, mean of the last minute and of five: ${load})`);
  if (!(lag < GOAL_MS) || lacking > 0) Deno.exitCode = 1;
}

const [seconds, logs, peers] = Deno.args.map(Number);
const MEASURED: Size = {
  ...{ seconds: seconds ?? MEASURED_S, logs: logs ?? LOGS, peers: peers ?? PEERS },
};

async function main(): Promise<void> {
  const here = await postgresHere();
  if ("absent" in here) return console.log(`skipped: ${here.absent}`);
  const shared = await (async () => {
    await using cluster = await PgCluster.start({ hasStandby: false, settings: ["fsync=on"] });
    const db = await denoWorld().sharedDatabases.connect(cluster);
    await migrate(db);
    await db.close();
    return await measure(MEASURED, cluster);
  })();
  const alone = await measure(MEASURED);
  const { out } = await shell("cut -d ' ' -f 1,2 /proc/loadavg");
  report(shared, alone, out.trim());
}

if (import.meta.main) await main();
