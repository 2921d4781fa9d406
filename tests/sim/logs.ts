/**
 * Logs of a simulated fleet: they grow, are slow, stand still, show old checkpoints, serve rubbish; and
 * the dishonest ones tell some monitors another story, consistently: whoever is shown a checkpoint of
 * a story is served its tiles.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { TestLog } from "../../src/sources/test_log.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import type { Log } from "../../src/tlog/log.ts";
import { TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { checkpointOf } from "../evidence/histories.ts";
import type { Draw } from "./draw.ts";
import { signing } from "./signing.ts";

/** Who is shown the other story of a dishonest log. */
export type Deceit =
  /** these monitors, always */
  | { readonly kind: "split"; readonly deceived: readonly number[] }
  /** these, for a while: milliseconds since the start */
  | {
    readonly kind: "for a while";
    readonly deceived: readonly number[];
    readonly from: number;
    readonly to: number;
  }
  /** these, from a moment on: a fork that stays below what the others are shown */
  | { readonly kind: "below"; readonly deceived: readonly number[]; readonly from: number }
  /** these, always, in one of the places where the log is served; in the others they see the first */
  | { readonly kind: "place"; readonly deceived: readonly number[]; readonly place: number }
  /** one, with a single checkpoint */
  | { readonly kind: "once"; readonly deceived: readonly [number]; readonly from: number };

/** A further place where a log is served. */
export type PlacePlan =
  /** it shows what the first one does */
  | "same"
  /** it is some entries behind */
  | "lags"
  /** nobody answers there */
  | "down";

/** So many requests of one monitor are answered in each of these windows; the rest is put off. */
export interface RequestLimit {
  readonly requests: number;
  readonly windowMs: number;
  readonly status: 429 | 503;
}

/** What a log does. */
export interface LogPlan {
  readonly origin: string;
  /** Entries at the start. */
  readonly start: number;
  /** Milliseconds between two checkpoints, on average. */
  readonly growMs: number;
  /** Most entries that one adds. */
  readonly growBy: number;
  readonly deceit?: Deceit;
  /** Whether the two stories have equal sizes, or grow each at its own pace. */
  readonly equalSizes: boolean;
  /** Entries before the stories part: at most `start`. */
  readonly fork: number;
  /** Most milliseconds that a request takes to get there, and its answer to come, if not the usual. */
  readonly answerMs?: number;
  /** Where it is served besides its first place. */
  readonly places?: readonly PlacePlan[];
  readonly limit?: RequestLimit;
}

/** What is wrong with a log as one monitor sees it. */
export type LogTrouble =
  | "refuses"
  | "hangs"
  | "busy"
  | "garbage"
  | "truncated tiles"
  | "wrong tiles"
  | "no tiles"
  | "old checkpoints";

/** Every kind of trouble. */
export const LOG_TROUBLES: readonly LogTrouble[] = [
  ...["refuses", "hangs", "busy", "garbage", "truncated tiles", "wrong tiles"] as const,
  ...["no tiles", "old checkpoints"] as const,
];

/** A story and a size of it. */
export interface Shown {
  readonly story: number;
  readonly size: number;
  /** Where, if not in its first place. */
  readonly place?: number;
}

/** Who asks a log, and in which of its places, from 0. */
export interface Asked {
  readonly monitor: number;
  readonly place: number;
}

/** Entries that a place is behind which lags. */
const LAG = 2;

/** An answer of a log's server; nothing for a file that is not there. */
export type LogAnswer =
  | { readonly body: Uint8Array; readonly shown?: Shown }
  | undefined;

/** One history of a log. */
class Story {
  readonly test: TestLog;
  readonly #label: string;
  readonly #leaves: Uint8Array[];
  readonly #above = new Map<number, Uint8Array>();
  readonly #checkpoints = new Map<number, Promise<VerifiedCheckpoint>>();

  constructor(test: TestLog, label: string, leaves: readonly Uint8Array[] = []) {
    this.test = test;
    this.#label = label;
    this.#leaves = [...leaves];
  }

  get size(): number {
    return this.#leaves.length;
  }

  growTo(size: number): void {
    while (this.size < size) {
      const entry = `${this.#label} ${this.size}`;
      this.test.append(entry);
      this.#leaves.push(leafHash(utf8(entry)));
    }
  }

  /** The same up to now, to be grown apart. */
  fork(label: string): Story {
    return new Story(this.test.fork(), label, this.#leaves);
  }

  /** Its checkpoint at a size, signed and opened once. */
  checkpoint(size: number): Promise<VerifiedCheckpoint> {
    let checkpoint = this.#checkpoints.get(size);
    if (checkpoint === undefined) {
      this.#checkpoints.set(size, checkpoint = checkpointOf(this.test, size));
    }
    return checkpoint;
  }

  /** C2SP tlog-tiles: the hashes of a tile, if the log has grown that far. */
  tile({ level, index, width }: { level: number; index: number; width: number }):
    | Uint8Array
    | undefined {
    const first = index * TILE_WIDTH;
    if (level > 1 || (first + width) * TILE_WIDTH ** level > this.size) return undefined;
    return concat(Array.from({ length: width }, (_, i) => this.#hash(level, first + i)));
  }

  #hash(level: number, index: number): Uint8Array {
    if (level === 0) return this.#leaves[index]!;
    let hash = this.#above.get(index);
    if (hash === undefined) {
      const tree = new Tree();
      const first = index * TILE_WIDTH;
      for (const leaf of this.#leaves.slice(first, first + TILE_WIDTH)) tree.append(leaf);
      this.#above.set(index, hash = tree.root());
    }
    return hash;
  }
}

const TILE_PATH = /^tile\/(\d)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/;

/** One log and its server. */
export class SimLog {
  readonly plan: LogPlan;
  readonly log: Log;
  readonly #draw: Draw;
  readonly #stories: Story[];
  /** By monitor and place: what it was shown last, whose tiles it gets. */
  readonly #last = new Map<string, Shown>();
  /** By monitor and place: the window of its last request, and how many there were in it. */
  readonly #requests = new Map<string, { window: number; count: number }>();
  /** Monitors that were shown their one deceitful checkpoint. */
  readonly #spent = new Set<number>();
  /** By monitor: what is wrong with it from there. */
  readonly troubles = new Map<number, LogTrouble>();
  /** Whether it stands still. */
  isFrozen = false;

  private constructor(plan: LogPlan, draw: Draw, test: TestLog) {
    this.plan = plan;
    this.log = test.log;
    this.#draw = draw;
    const honest = new Story(test, `${plan.origin} honest`);
    honest.growTo(plan.fork);
    this.#stories = [honest];
    if (plan.deceit !== undefined) this.#stories.push(honest.fork(`${plan.origin} other`));
    const [, other] = this.#stories;
    honest.growTo(plan.start);
    other?.growTo(plan.deceit?.kind === "below" ? plan.fork + 1 : plan.start);
  }

  /** Makes a log with a key of its own. */
  static async make(plan: LogPlan, draw: Draw): Promise<SimLog> {
    const world = {
      ...denoWorld(),
      signing,
      random: { bytes: (count: number) => draw.bytes(count) },
    };
    const test = await TestLog.create({ world, origin: plan.origin });
    return new SimLog(plan, draw, test);
  }

  /** Whether it tells two stories. */
  get isDishonest(): boolean {
    return this.#stories.length > 1;
  }

  /** Its stories' sizes. */
  get sizes(): readonly number[] {
    return this.#stories.map(({ size }) => size);
  }

  /** Grows each story to a size. */
  growTo(sizes: readonly number[]): void {
    for (const [i, story] of this.#stories.entries()) story.growTo(sizes[i]!);
  }

  /** Adds entries. */
  grow(): void {
    if (this.isFrozen) return;
    const { growBy, equalSizes } = this.plan;
    const by = this.#draw.between(1, growBy);
    const { deceit } = this.plan;
    if (deceit?.kind === "below" || deceit?.kind === "place") return this.#growBelow(by);
    for (const story of this.#stories) {
      story.growTo(story.size + (equalSizes ? by : this.#draw.between(0, growBy)));
    }
  }

  /** The fork grows too, and stays below. */
  #growBelow(by: number): void {
    const [honest, other] = this.#stories;
    honest!.growTo(honest!.size + by);
    other!.growTo(Math.min(other!.size + by, honest!.size - 1));
  }

  /** Grows every story beyond all that was ever shown, and stands still no more. */
  catchUp(): void {
    this.isFrozen = false;
    if (this.plan.deceit?.kind === "below") return this.#growBelow(1);
    // Never the largest that anybody is shown: who does not compare all places knows nothing of it.
    if (this.plan.deceit?.kind === "place") return this.#growBelow(2);
    const most = Math.max(...this.sizes);
    for (const story of this.#stories) {
      story.growTo(most + (this.plan.equalSizes ? 1 : this.#draw.between(1, 4)));
    }
    // What is shown once may be shown only now. A log that then never grows beyond it stays unproven,
    // which is outside of what is guaranteed; this one goes on.
    const [honest, other] = this.#stories;
    const { deceit } = this.plan;
    if (deceit !== undefined && deceit.kind !== "split") honest!.growTo(other!.size + 1);
  }

  /** The signed checkpoint of a story at a size. */
  checkpoint({ story, size }: Shown): Promise<VerifiedCheckpoint> {
    return this.#stories[story]!.checkpoint(size);
  }

  /** Which stories have this root at this size: both before they part, none if it made none of it. */
  storiesOf({ size, root }: { size: number; root: string }): number[] {
    return this.#stories.flatMap((story, i) =>
      size <= story.size && base64(story.test.root(BigInt(size))) === root ? [i] : []
    );
  }

  /** The proof between two sizes of a story, as the log would build it. */
  proof(story: number, sizes: { older: number; newer: number }): Uint8Array[] {
    return this.#stories[story]!.test.consistencyProof({
      older: BigInt(sizes.older),
      newer: BigInt(sizes.newer),
    });
  }

  /** Which story a monitor is shown now. */
  #storyFor({ monitor, place }: Asked, now: number): number {
    const { deceit } = this.plan;
    if (deceit === undefined || !deceit.deceived.includes(monitor)) return 0;
    switch (deceit.kind) {
      case "split":
        return 1;
      case "place":
        return place === deceit.place ? 1 : 0;
      case "below":
        return deceit.from <= now ? 1 : 0;
      case "for a while":
        return deceit.from <= now && now < deceit.to ? 1 : 0;
      case "once":
        return deceit.from <= now && !this.#spent.has(monitor) ? 1 : 0;
    }
  }

  /** Whether nobody answers in a place. */
  isDown(place: number): boolean {
    return this.#placeAt(place) === "down";
  }

  /** Milliseconds for which a monitor that asks now is put off; nothing if it is answered. */
  putOffMs(asked: Asked, now: number): number | undefined {
    const { limit } = this.plan;
    if (limit === undefined) return undefined;
    const window = Math.floor(now / limit.windowMs);
    const last = this.#requests.get(keyOf(asked));
    const count = 1 + (last?.window === window ? last.count : 0);
    this.#requests.set(keyOf(asked), { window, count });
    return count > limit.requests ? (window + 1) * limit.windowMs - now : undefined;
  }

  #placeAt(place: number): PlacePlan {
    return place === 0 ? "same" : this.plan.places?.[place - 1] ?? "same";
  }

  /** Answers a monitor that asks for a file now; its trouble is the caller's to apply. */
  async answer(asked: Asked, path: string, now: number): Promise<LogAnswer> {
    if (path === "checkpoint") return await this.#latest(asked, now);
    const match = TILE_PATH.exec(path);
    const shown = this.#last.get(keyOf(asked));
    if (match === null || shown === undefined) return undefined;
    const tile = this.#stories[shown.story]!.tile({
      level: Number(match[1]),
      index: Number(match[2]!.replace(/[x/]/g, "")),
      width: Number(match[3] ?? TILE_WIDTH),
    });
    return tile && { body: tile };
  }

  async #latest(asked: Asked, now: number): Promise<LogAnswer> {
    const { monitor, place } = asked;
    const story = this.#storyFor(asked, now);
    const behind = this.#placeAt(place) === "lags" ? LAG : 0;
    const newest = Math.max(0, this.#stories[story]!.size - behind);
    const isOld = this.troubles.get(monitor) === "old checkpoints" && this.#draw.chance(0.7);
    const size = isOld ? this.#draw.between(0, newest) : newest;
    if (story === 1 && this.plan.deceit?.kind === "once") this.#spent.add(monitor);
    const shown: Shown = { story, size, ...(place > 0 && { place }) };
    this.#last.set(keyOf(asked), shown);
    return { body: utf8((await this.checkpoint(shown)).note), shown };
  }
}

function keyOf({ monitor, place }: Asked): string {
  return `${monitor} ${place}`;
}
