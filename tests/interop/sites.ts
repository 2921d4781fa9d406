/**
 * Sites that share a database, each a process of its own as an operator starts it, and the logs that
 * they follow, which this process serves.
 */
import { publishedEntry } from "../../src/store/shared_heads.ts";
import type { PublishedEntry } from "../../src/store/shared_types.ts";
import { checkObservations } from "../../src/store/observations.ts";
import type { Status } from "../../src/monitor/status.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import type { Log } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { put, run } from "../cli/harness.ts";
import { RUN_FLAGS } from "../compile/compile.ts";
import { TiledStory } from "../monitor/tiled_log.ts";
import { signing } from "../sim/signing.ts";
import { shell } from "./go.ts";
import { freePort, Process } from "./processes.ts";
import { type PgCluster, until } from "./pg_cluster.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** A log that is served, as C2SP tlog-tiles has it. */
export interface ServedLog {
  readonly log: Log;
  checkpoint(): Uint8Array | string | Promise<Uint8Array | string>;
  tile(path: string): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** Serves logs to one site, under their numbers, and notes when it asks for what. */
export class LogServer implements AsyncDisposable {
  readonly logs: ServedLog[];
  /** By the number of a log: when its checkpoint was last asked for, by `performance.now()`. */
  readonly askedAt = new Map<number, number>();
  /** How many requests there were. */
  requests = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(logs: readonly ServedLog[]) {
    this.logs = [...logs];
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(new URL(request.url).pathname),
    );
  }

  /** The source of a log, by its number. */
  source(number: number): string {
    return `http://127.0.0.1:${this.#server.addr.port}/${number}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(path: string): Promise<Response> {
    this.requests++;
    const [, number, rest] = /^\/(\d+)\/(.*)$/.exec(path) ?? [];
    const log = this.logs[Number(number)];
    if (log === undefined) return new Response(null, { status: 404 });
    if (rest === "checkpoint") {
      this.askedAt.set(Number(number), performance.now());
      return new Response(await log.checkpoint() as BodyInit);
    }
    const tile = await log.tile(rest!);
    return new Response(tile as BodyInit | undefined ?? null, { status: tile ? 200 : 404 });
  }
}

/** A log that grows, small enough to be all in memory. */
export class GrowingStory implements ServedLog {
  readonly story: TiledStory;

  constructor(story: TiledStory) {
    this.story = story;
  }

  static async make(origin: string, size: number): Promise<GrowingStory> {
    const world = { ...denoWorld(), signing };
    return new GrowingStory(new TiledStory(await TestLog.create({ world, origin })).growTo(size));
  }

  get log(): Log {
    return this.story.test.log;
  }

  checkpoint(): Promise<string> {
    return this.story.test.checkpoint();
  }

  tile(path: string): Uint8Array | undefined {
    return this.story.tile(path);
  }
}

/** Lets logs grow by an entry each, so often, until it is disposed of. */
export function growing(
  logs: readonly GrowingStory[],
  everyMs: number,
): { grown(): number } & Disposable {
  let grown = 0;
  const timer = setInterval(() => {
    for (const { story } of logs) story.growTo(story.size + 1);
    grown += logs.length;
  }, everyMs);
  return { grown: () => grown, [Symbol.dispose]: () => clearInterval(timer) };
}

/** What a site is told in its configuration. */
export interface SiteOptions {
  /** `monitor.invalid/NAME`. */
  readonly name: string;
  /** Where its folder is made. */
  readonly within: string;
  readonly logs: LogServer;
  readonly poll: string;
  /** The store; nothing for a monitor of its own. */
  readonly store?: {
    readonly url: string;
    readonly password: string;
    readonly views: number;
    readonly lease: string;
  };
  /** Other sections of the configuration. */
  readonly more?: Readonly<Record<string, unknown>> | undefined;
  /** After how many seconds its process ends at the latest. */
  readonly seconds?: number | undefined;
}

/** One line that a daemon said. */
export interface Said {
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly level: string;
  readonly name: string;
  readonly line: string;
}

/** One site. Its process can be killed and started again; its folder stays. */
export class Site implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly #options: SiteOptions;
  readonly #http: number;
  /** The port that it listens at. */
  readonly port: number;
  #process: Process | undefined;
  /** What its processes before this one said. */
  #before = "";

  private constructor(options: SiteOptions, folder: string) {
    this.#options = options;
    this.name = `monitor.invalid/${options.name}`;
    this.folder = folder;
    [this.#http, this.port] = [freePort(), freePort()];
  }

  /** Makes its key and configuration. */
  static async make(options: SiteOptions): Promise<Site> {
    const folder = `${options.within}/${options.name}`;
    Deno.mkdirSync(folder);
    const site = new Site(options, folder);
    const { code, err } = await run("keygen", site.name, "--out", `${folder}/monitor.key`);
    if (code !== 0) throw new Error(err.join("\n"));
    site.configure();
    return site;
  }

  /** Writes its configuration, with other sections than before. */
  configure(more = this.#options.more ?? {}): void {
    const { logs, poll, store } = this.#options;
    if (store !== undefined) {
      Deno.writeTextFileSync(`${this.folder}/password`, store.password, { mode: 0o600 });
    }
    const config = {
      ...{ name: this.name, key: "monitor.key", state: "state", incidents: "incidents" },
      ...{ listen: `127.0.0.1:${this.port}`, http: `127.0.0.1:${this.#http}` },
      logs: logs.logs.map(({ log }, i) => ({
        ...{ vkey: log.vkey.text, source: logs.source(i), poll, patience: "1d" },
      })),
      ...(store && { store: { ...store, password: "password" } }),
      ...more,
    };
    put(this.folder, "hearsay.jsonc", JSON.stringify(config));
  }

  get config(): string {
    return `${this.folder}/hearsay.jsonc`;
  }

  /** Starts it, and waits until it serves its status. */
  async start(): Promise<void> {
    this.#process = Process.start(
      [Deno.execPath(), "run", ...RUN_FLAGS, "--no-check", MAIN, "run", "--config", this.config],
      this.folder,
      this.#options.seconds,
    );
    await this.#process.printed(/ daemon\.started /);
  }

  /** Sends a signal to the daemon itself, and not to what ends it in time. */
  async signal(name: "KILL" | "STOP" | "CONT"): Promise<void> {
    const { code, err } = await shell(`kill -${name} "$1"`, `${await this.pid()}`);
    if (code !== 0) throw new Error(`no ${name}: ${err}`);
  }

  /** The process of the daemon. */
  async pid(): Promise<number> {
    const { out } = await shell('ps -o pid= --ppid "$1"', `${this.#process!.pid}`);
    return Number(out.trim());
  }

  /** Ends it as an operator does, or waits for what was killed. */
  async stop(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    await process[Symbol.asyncDispose]();
    this.#before += process.said;
  }

  /** As `stop`, also if it is paused. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== undefined) await this.signal("CONT").catch(() => {});
    await this.stop();
  }

  /** What it says of itself. */
  async status(): Promise<Status> {
    const response = await fetch(`http://127.0.0.1:${this.#http}/status`);
    return await response.json();
  }

  /** Its status, with what it says of the store, which it must share. */
  async store(): Promise<NonNullable<Status["store"]>> {
    return (await this.status()).store!;
  }

  /** Waits until it has published all that it has. */
  async publishedAll(): Promise<void> {
    await until(`${this.name} has published all`, async () => {
      const { state, behind } = await this.store();
      return state === "connected" && behind === 0;
    }, () => Promise.resolve(this.said().map(({ line }) => line).slice(-20).join("\n")));
  }

  /** The events that it told, in order. */
  said(): Said[] {
    const text = this.#before + (this.#process?.said ?? "");
    return [...text.matchAll(/^(\S+Z) (\w+) ([a-z_.]+).*$/gm)].map(([line, at, level, name]) => ({
      ...{ at: Date.parse(at!), level: level!, name: name!, line },
    }));
  }

  /** What it told that somebody should look into, and is not about the store. */
  troubles(): string[] {
    return this.said().filter(({ level, name }) =>
      !["info", "debug", "notice"].includes(level) && !name.startsWith("store.")
    ).map(({ line }) => line);
  }

  /** The checkpoints in its observation journal, of whichever source, with their place in it. */
  async heads(): Promise<PublishedEntry[]> {
    const heads: PublishedEntry[] = [];
    const { files } = denoWorld();
    for await (const item of checkObservations({ files, folder: `${this.folder}/state` })) {
      if (!("observation" in item)) continue;
      const head = publishedEntry({ entry: item.entry, record: item.observation });
      if (head !== undefined) heads.push(head);
    }
    return heads;
  }
}

/** How two sites share a store. */
export interface PairOptions {
  readonly cluster: PgCluster;
  /** An empty folder. */
  readonly within: string;
  /** The logs as each of them is shown them: the same, in the same order. */
  readonly logs: readonly [readonly ServedLog[], readonly ServedLog[]];
  readonly poll: string;
  readonly views: number;
  readonly lease: string;
  readonly more?: SiteOptions["more"];
  readonly seconds?: number | undefined;
}

/** Two sites that share a store, and compare with each other besides, as with any peer. */
export class SitePair implements AsyncDisposable {
  readonly sites: readonly [Site, Site];
  readonly servers: readonly [LogServer, LogServer];

  private constructor(sites: readonly [Site, Site], servers: readonly [LogServer, LogServer]) {
    this.sites = sites;
    this.servers = servers;
  }

  /** Makes the tables, and starts both. */
  static async start({ cluster, logs, views, lease, ...options }: PairOptions): Promise<SitePair> {
    const store = { url: cluster.url, password: cluster.password, views, lease };
    const servers = [new LogServer(logs[0]), new LogServer(logs[1])] as const;
    const site = (name: string, logs: LogServer) => Site.make({ name, ...options, logs, store });
    const pair = new SitePair([await site("a", servers[0]), await site("b", servers[1])], servers);
    try {
      await pair.#begin(options);
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #begin({ more }: Pick<PairOptions, "more">): Promise<void> {
    const migrated = await run("store", "migrate", "--config", this.sites[0].config);
    if (migrated.code !== 0) throw new Error(migrated.err.join("\n"));
    for (const site of this.sites) {
      const { port } = this.sites.find((other) => other !== site)!;
      site.configure({ peers: [{ address: `127.0.0.1:${port}` }], ...more });
      await site.start();
    }
    await this.publishedAll();
  }

  /** Waits until both have published all that they have. */
  async publishedAll(): Promise<void> {
    for (const site of this.sites) await site.publishedAll();
  }

  /** Ends both as an operator does. */
  async stop(): Promise<void> {
    for (const site of this.sites) await site[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const server of this.servers) await server[Symbol.asyncDispose]();
  }
}

/** Some logs, each of so many entries. */
export function growingStories(count: number, size = 8): Promise<GrowingStory[]> {
  const named = (_: unknown, i: number) => GrowingStory.make(`log.invalid/${i}`, size);
  return Promise.all(Array.from({ length: count }, named));
}
