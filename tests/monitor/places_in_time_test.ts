/** A log that is served in several places, of which one is slow or limits requests. */
import { assert, assertEquals } from "@std/assert";
import { REQUEST_TIMEOUT_MS, UnexpectedStatus } from "../../src/sources/fetcher.ts";
import { MAX_LOOK_MS } from "../../src/sources/look_time.ts";
import { SeveralSource } from "../../src/sources/several.ts";
import { SourceUnavailable } from "../../src/sources/source.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { type RequestLimit, TiledLog, TiledStory, TimedWatch } from "./tiled_log.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A place that makes others wait, when it is asked for some paths. */
class Trying extends TiledLog {
  /** What it does then. */
  tries: (path: string) => Promise<void> = () => Promise.resolve();

  override async get(...[path, options]: Parameters<TiledLog["get"]>) {
    await this.tries(path);
    return await super.get(path, options);
  }
}

/** Two places of one log of 300 entries, which is seen. */
async function twoPlaces() {
  const clock = new ManualClock();
  const story = await TiledStory.make(300);
  const [one, two] = [new Trying(clock, story), new TiledLog(clock, story)];
  const places = [one, two].map((fetcher) => new TileSource({ fetcher }));
  const watching = new TimedWatch({
    clock,
    story,
    source: new SeveralSource(places, places.map((_, i) => `place ${i}`)),
  });
  assertEquals((await watching.look()).result, "first");
  const after = (ms: number) =>
    new Promise<void>((resolve) => void clock.after(ms, () => resolve()));
  /** Refuses what it is asked for after some seconds, and wants to be asked again in ten. */
  const refuses = (isMeant: (path: string) => boolean) => async (path: string): Promise<void> => {
    if (!isMeant(path)) return;
    one.asked.push(path);
    await after(4 * SECOND);
    throw new UnexpectedStatus("it answers with HTTP status 429", 429, 10 * SECOND);
  };
  return { clock, story, one, two, watching, after, refuses };
}

type Places = Awaited<ReturnType<typeof twoPlaces>>;

const isTile = (path: string): boolean => path !== "checkpoint";

const TROUBLES: [name: string, begin: (places: Places) => void][] = [
  ["refuses tiles slowly and wants to be asked later", ({ one, refuses }) => {
    one.tries = refuses(isTile);
  }],
  ["refuses everything slowly and wants to be asked later", ({ one, refuses }) => {
    one.tries = refuses(() => true);
  }],
  ["refuses its checkpoint slowly and wants to be asked later", ({ one, refuses }) => {
    one.tries = refuses((path) => !isTile(path));
  }],
  ["gives wrong tiles slowly", ({ one, after }) => {
    one.tries = (path) => isTile(path) ? after(14 * SECOND) : Promise.resolve();
    one.spoils = (path, body) => isTile(path) ? body?.map((byte) => byte ^ 1) : body;
  }],
  ["lacks a tile, and says so slowly", ({ one, story, after }) => {
    story.growTo(900, "later");
    one.tries = (path) => isTile(path) ? after(14 * SECOND) : Promise.resolve();
    one.spoils = (path, body) => path.includes(".p/") ? undefined : body;
  }],
  ["shows more than anybody gives tiles of", ({ one, story, refuses }) => {
    one.story = story.fork();
    one.tries = (path) => {
      one.story.growTo(story.size + 50, "only here");
      return refuses(isTile)(path);
    };
  }],
];

for (const [name, begin] of TROUBLES) {
  Deno.test(`places: one that ${name} does not hide the other`, async () => {
    const places = await twoPlaces();
    const { clock, story, watching } = places;
    begin(places);
    for (let look = 0; look < 20; look++) {
      story.growTo(story.size + 7, `growth ${look}`);
      const { tookMs } = await watching.look();
      assert(tookMs <= MAX_LOOK_MS, `${tookMs}`);
      assertEquals(watching.watch.view?.treeSize, BigInt(story.size), `look ${look}`);
      await clock.advance(MINUTE);
    }
    const heard = await checkpointOf(story.test, 310);
    const settled = await watching.timed(() => watching.watch.settle(heard, "a peer"));
    assertEquals(settled.result, "consistent", settled.detail);
  });
}

Deno.test("places: nobody is waited for while another was not asked", async () => {
  const { story, one, watching, refuses } = await twoPlaces();
  one.tries = refuses(isTile);
  story.growTo(900, "later");
  const { result, tookMs } = await watching.look();
  assertEquals(result, "extends");
  assert(tookMs < 10 * SECOND, `${tookMs}`);
});

Deno.test("places: one that wants to be asked in an hour is not before, and the other has no part in it", async () => {
  const { clock, story, one, two, watching } = await twoPlaces();
  one.busy = { times: 99, retryAfterMs: 60 * MINUTE };
  two.breaks = isTile;
  story.growTo(900, "later");
  one.asked.length = 0;
  const { result, retryAfterMs } = await watching.look();
  assertEquals([result, retryAfterMs], ["unavailable", undefined]);
  await clock.advance(MINUTE);
  await watching.look();
  assertEquals(one.asked.filter(isTile).length, 1);
  two.breaks = () => false;
  await clock.advance(MINUTE);
  assertEquals((await watching.look()).result, "extends");
  assertEquals(one.asked.filter(isTile).length, 1);
  two.breaks = isTile;
  [one.busy, one.asked.length] = [{ times: 0, retryAfterMs: 0 }, 0];
  story.growTo(1_000, "later still");
  await clock.advance(58 * MINUTE);
  assertEquals((await watching.look()).result, "extends");
});

/** What both places allow, all together. */
const LIMITS: RequestLimit[] = [
  { requests: 1, perMs: SECOND },
  { requests: 3, perMs: 5 * SECOND },
];

for (const limit of LIMITS) {
  for (const isOut of [false, true]) {
    const other = isOut ? "is out" : "does so too";
    Deno.test(`places: one that allows ${limit.requests} requests in ${limit.perMs} ms is waited for if the other ${other}`, async () => {
      const { story, clock, one, two, watching } = await twoPlaces();
      await clock.advance(MINUTE);
      one.limit = two.limit = limit;
      two.breaks = (path) => isOut && isTile(path);
      story.growTo(900, "later");
      const found = await watching.look();
      assertEquals(found.result, "extends", found.detail);
    });
  }
}

Deno.test("places: one that there was no time to ask is asked first the next time", async () => {
  const clock = new ManualClock();
  const story = await TiledStory.make(300);
  const all = Array.from({ length: 6 }, () => new Trying(clock, story));
  const places = all.map((fetcher) => new TileSource({ fetcher }));
  const watching = new TimedWatch({
    clock,
    story,
    source: new SeveralSource(places, places.map((_, i) => `place ${i}`)),
  });
  assertEquals((await watching.look()).result, "first");
  story.growTo(900, "later");
  for (const silent of all.slice(0, -1)) {
    silent.tries = async (path) => {
      if (!isTile(path)) return;
      await new Promise<void>((resolve) => void clock.after(REQUEST_TIMEOUT_MS, resolve));
      throw new SourceUnavailable("nobody answers");
    };
  }
  assertEquals((await watching.look()).result, "unavailable");
  assertEquals((await watching.look()).result, "extends");
});
