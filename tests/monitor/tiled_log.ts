/** A log of tiles in virtual time, that is slow, limits requests, or lacks files. */
import { concat } from "@std/bytes/concat";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import type { Finding } from "../../src/monitor/finding.ts";
import { LogWatch } from "../../src/monitor/watch.ts";
import { type Fetcher, type FetchOptions, UnexpectedStatus } from "../../src/sources/fetcher.ts";
import type { Source } from "../../src/sources/source.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash, nodeHash } from "../../src/tlog/hashing.ts";
import { TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { signing } from "../sim/signing.ts";

const TILE_PATH = /^tile\/(\d)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/;

/** So many requests in so long; the next is told when to come again. */
export interface RequestLimit {
  readonly requests: number;
  readonly perMs: number;
}

/** A history with its tiles. */
export class TiledStory {
  readonly test: TestLog;
  readonly #leaves: Uint8Array[];

  constructor(test: TestLog, leaves: readonly Uint8Array[] = []) {
    this.test = test;
    this.#leaves = [...leaves];
  }

  static async make(size: number): Promise<TiledStory> {
    const world = { ...denoWorld(), signing };
    const story = new TiledStory(await TestLog.create({ world, origin: "log.invalid/tiled" }));
    return story.growTo(size);
  }

  get size(): number {
    return this.#leaves.length;
  }

  growTo(size: number, label = "entry"): this {
    const entries = Array.from({ length: size - this.size }, (_, i) => `${label} ${i}`);
    this.#leaves.push(...entries.map((entry) => leafHash(utf8(entry))));
    for (const entry of entries) this.test.append(entry);
    return this;
  }

  fork(): TiledStory {
    return new TiledStory(this.test.fork(), this.#leaves);
  }

  /** The hashes of a tile, if the log has grown that far. */
  tile(path: string): Uint8Array | undefined {
    const [, level, number, width = `${TILE_WIDTH}`] = TILE_PATH.exec(path) ?? [];
    const first = Number(number!.replace(/\D/g, "")) * TILE_WIDTH;
    const span = TILE_WIDTH ** Number(level);
    if ((first + Number(width)) * span > this.size) return undefined;
    const roots = Array.from({ length: Number(width) }, (_, i) => {
      const start = (first + i) * span;
      return rootOf(this.#leaves.slice(start, start + span));
    });
    return concat(roots);
  }
}

/** The root over a full subtree, the plain way. */
function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const below = row;
    row = Array.from(
      { length: below.length / 2 },
      (_, i) => nodeHash({ left: below[2 * i]!, right: below[2 * i + 1]! }),
    );
  }
  return row[0]!;
}

/** A server of a story. */
export class TiledLog implements Fetcher {
  story: TiledStory;
  /** How long each answer takes. */
  answerMs = 0;
  limit: RequestLimit | undefined;
  /** What is spoilt of the answer to a path; nothing is a 404. */
  spoils: (path: string, body: Uint8Array | undefined) => Uint8Array | undefined = (_, body) =>
    body;
  /** Which paths are answered with an error of the server. */
  breaks: (path: string) => boolean = () => false;
  /** To how many requests for tiles in a row it says that it is busy, and for how long. */
  busy = { times: 0, retryAfterMs: 0 };
  /** Every request, refused or not. */
  readonly asked: string[] = [];
  readonly #clock: ManualClock;
  #answeredAt: number[] = [];

  constructor(clock: ManualClock, story: TiledStory) {
    this.#clock = clock;
    this.story = story;
  }

  locate(path: string): string {
    return `https://log.invalid/${path}`;
  }

  async get(path: string, _options: FetchOptions): Promise<Uint8Array | undefined> {
    this.asked.push(path);
    await new Promise<void>((resolve) => void this.#clock.after(this.answerMs, resolve));
    this.#checkLimit();
    if (this.breaks(path)) throw new UnexpectedStatus("it answers with HTTP status 502", 502);
    if (path !== "checkpoint" && this.busy.times-- > 0) {
      throw new UnexpectedStatus("it answers with HTTP status 503", 503, this.busy.retryAfterMs);
    }
    if (path === "checkpoint") return utf8(await this.story.test.checkpoint());
    return this.spoils(path, this.story.tile(path));
  }

  /** As the common limiters do: whole seconds until the oldest request is far enough away. */
  #checkLimit(): void {
    if (this.limit === undefined) return;
    const { requests, perMs } = this.limit;
    const now = this.#clock.monotonic();
    this.#answeredAt = this.#answeredAt.filter((at) => now - at < perMs);
    if (this.#answeredAt.length < requests) return void this.#answeredAt.push(now);
    const waitMs = Math.ceil((this.#answeredAt[0]! + perMs - now) / 1000) * 1000;
    throw new UnexpectedStatus("it answers with HTTP status 429", 429, waitMs);
  }
}

/** What a look came to, and how long it took. */
export type Timed = Finding & { readonly tookMs: number };

/** A watch over a log of tiles, in virtual time. */
export class TimedWatch {
  readonly clock: ManualClock;
  readonly watch: LogWatch;

  constructor({ clock, story, source }: {
    clock: ManualClock;
    story: TiledStory;
    source: Source;
  }) {
    this.clock = clock;
    const { log } = story.test;
    this.watch = new LogWatch({ log, source, detector: new EquivocationDetector(), clock });
  }

  /** Looks, letting time pass as needed, and takes what is found. */
  async look(): Promise<Timed> {
    return await this.timed(() => this.watch.poll());
  }

  async timed(work: () => Promise<Finding>): Promise<Timed> {
    const start = this.clock.monotonic();
    let found: Finding | undefined;
    let failed: unknown;
    work().then((finding) => found = finding, (error) => failed = error);
    while (found === undefined && failed === undefined) await this.clock.advance(100);
    if (found === undefined) throw failed;
    this.watch.advance(found);
    return { ...found, tookMs: this.clock.monotonic() - start };
  }
}

/** A log whose view is this size already, and that has grown since. */
export async function grownLog({ from, to }: { from: number; to: number }) {
  const clock = new ManualClock();
  const story = await TiledStory.make(from);
  const served = new TiledLog(clock, story);
  const watching = new TimedWatch({ clock, story, source: new TileSource({ fetcher: served }) });
  await watching.look();
  served.asked.length = 0;
  story.growTo(to, "later");
  return { clock, story, served, watching };
}
