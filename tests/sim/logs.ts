/**
 * Logs of a simulated fleet. They grow, are slow, stand still, show old checkpoints and serve rubbish.
 * Dishonest ones tell some monitors another story, and do so consistently: a monitor that is shown a
 * checkpoint of a story is served the tiles of that story.
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

/** Which monitors a dishonest log shows its other story, and when. */
export type Deceit =
  /** these monitors, always */
  | { readonly kind: "split"; readonly deceived: readonly number[] }
  /** these monitors, for a while: the times are milliseconds since the start */
  | {
    readonly kind: "for a while";
    readonly deceived: readonly number[];
    readonly from: number;
    readonly to: number;
  }
  /** these monitors, from a moment on: a fork that stays smaller than what the others are shown */
  | { readonly kind: "below"; readonly deceived: readonly number[]; readonly from: number }
  /** these monitors, always, at one of the log's places; the other places show them the first story */
  | { readonly kind: "place"; readonly deceived: readonly number[]; readonly place: number }
  /** one monitor, with a single checkpoint */
  | { readonly kind: "once"; readonly deceived: readonly [number]; readonly from: number };

/** A further place where a log is served. */
export type PlacePlan =
  /** it shows what the first place shows */
  | "same"
  /** it is some entries behind */
  | "lags"
  /** nobody answers there */
  | "down";

/** A log answers so many requests of one monitor in each window of time, and puts off the rest. */
export interface RequestLimit {
  readonly requests: number;
  readonly windowMs: number;
  readonly status: 429 | 503;
}

/** What a log does. */
export interface LogPlan {
  readonly origin: string;
  /** How many entries it has at the start. */
  readonly start: number;
  /** The average time between two checkpoints, in milliseconds. */
  readonly growMs: number;
  /** The most entries that one checkpoint adds. */
  readonly growBy: number;
  readonly deceit?: Deceit;
  /** Whether the two stories have equal sizes. Otherwise each grows at its own pace. */
  readonly equalSizes: boolean;
  /** How many entries the two stories have in common; at most `start`. */
  readonly fork: number;
  /** The longest way of a request, and of its answer, in milliseconds, if not the usual one. */
  readonly answerMs?: number;
  /** The places where it is served besides its first place. */
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
  /** The place where it is shown, if not the first. */
  readonly place?: number;
}

/** The monitor that asks a log, and the place where it asks, from 0. */
export interface Asked {
  readonly monitor: number;
  readonly place: number;
}

/** By how many entries a place that lags is behind. */
const LAG = 2;

/** An answer of a log's server; nothing for a file that does not exist. */
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

  /** A copy, which then grows with entries of its own. */
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
  /** For each monitor and place, what was shown last. The monitor gets the tiles of that story. */
  readonly #last = new Map<string, Shown>();
  /** For each monitor and place, the window of the last request, and the number of requests in it. */
  readonly #requests = new Map<string, { window: number; count: number }>();
  /** Monitors that were shown their one deceitful checkpoint. */
  readonly #spent = new Set<number>();
  /** For each monitor, what is wrong with this log as that monitor sees it. */
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

  /** Grows both stories. The fork stays smaller. */
  #growBelow(by: number): void {
    const [honest, other] = this.#stories;
    honest!.growTo(honest!.size + by);
    other!.growTo(Math.min(other!.size + by, honest!.size - 1));
  }

  /** Ends a freeze, and grows every story beyond all that was ever shown. */
  catchUp(): void {
    this.isFrozen = false;
    if (this.plan.deceit?.kind === "below") return this.#growBelow(1);
    // The fork is never the largest that anybody is shown, so only a monitor that compares all places
    // can find it.
    if (this.plan.deceit?.kind === "place") return this.#growBelow(2);
    const most = Math.max(...this.sizes);
    for (const story of this.#stories) {
      story.growTo(most + (this.plan.equalSizes ? 1 : this.#draw.between(1, 4)));
    }
    // A checkpoint that is shown once may be shown only now. If the log then never grew beyond it, the
    // split could not be proven, and nothing is guaranteed for that. So this log grows on.
    const [honest, other] = this.#stories;
    const { deceit } = this.plan;
    if (deceit !== undefined && deceit.kind !== "split") honest!.growTo(other!.size + 1);
  }

  /** The signed checkpoint of a story at a size. */
  checkpoint({ story, size }: Shown): Promise<VerifiedCheckpoint> {
    return this.#stories[story]!.checkpoint(size);
  }

  /** The stories with this root at this size: both before they part; none if no story has it. */
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

  /** Whether a place does not answer. */
  isDown(place: number): boolean {
    return this.#placeAt(place) === "down";
  }

  /** How long a monitor that asks now has to wait, in milliseconds; nothing if it is answered. */
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

  /** Answers a monitor that asks for a file now. The caller applies the trouble of that monitor. */
  async answer(asked: Asked, path: string, now: number): Promise<LogAnswer> {
    if (path === "checkpoint") return await this.#latest(asked, now);
    const match = TILE_PATH.exec(path);
    if (match === null) return undefined;
    // Whoever never asked for a checkpoint has one from another site, and is told the story meant for it.
    const story = this.#last.get(keyOf(asked))?.story ?? this.#storyFor(asked, now);
    const tile = this.#stories[story]!.tile({
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
