/** What a look makes of logs that are slow, limit requests, or lack a file for a moment. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  UNPROVEN_FORGOTTEN_LOOKS,
  UNPROVEN_FORGOTTEN_MS,
  UNPROVEN_LASTS_MS,
  UNPROVEN_LOOKS,
} from "../../src/monitor/doubt.ts";
import { LOOKS_UNTIL_GIVING_UP, LOOKS_UNTIL_GOING_ON } from "../../src/monitor/watch.ts";
import { MAX_LOOK_MS } from "../../src/sources/look_time.ts";
import {
  MAX_WAITED_OUT_MS,
  MAX_WAITS_PER_REQUEST,
  MIN_WAITED_OUT_MS,
} from "../../src/sources/patient_fetcher.ts";
import { MISSING_TILE_PAUSE_MS } from "../../src/sources/tlog_tiles.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { grownLog, type RequestLimit, type TiledLog } from "./tiled_log.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Sizes whose proof needs five tiles: two levels and an edge of each tree. */
const FAR = { from: 300, to: 66_000 };
/** Sizes whose proof needs three. */
const NEAR = { from: 300, to: 900 };

const LIMITS: [name: string, limit: RequestLimit][] = [
  ["one request a second", { requests: 1, perMs: SECOND }],
  ["three requests in five seconds", { requests: 3, perMs: 5 * SECOND }],
  ["one request in ten seconds", { requests: 1, perMs: MAX_WAITED_OUT_MS }],
];

for (const [name, limit] of LIMITS) {
  Deno.test(`look: a log that allows ${name} is followed within one look`, async () => {
    const { served, watching } = await grownLog(NEAR);
    served.limit = limit;
    const found = await watching.look();
    assertEquals(found.result, "extends", found.detail);
    assert(found.tookMs <= MAX_LOOK_MS, `${found.tookMs}`);
    assert(served.asked.length <= 8, `each is refused once at most: ${served.asked}`);
  });
}

Deno.test("look: a longer Retry-After ends it, and the next look goes on with the tiles it got", async () => {
  const { clock, served, watching } = await grownLog(NEAR);
  served.limit = { requests: 2, perMs: MAX_WAITED_OUT_MS + SECOND };
  const looks = [];
  while (looks.at(-1)?.result !== "extends" && looks.length < 10) {
    const found = await watching.look();
    looks.push(found);
    await clock.advance(found.retryAfterMs ?? 0);
  }
  const putOff = `unavailable ${MAX_WAITED_OUT_MS + SECOND}`;
  assertEquals(
    looks.map(({ result, retryAfterMs }) => `${result} ${retryAfterMs}`),
    // A checkpoint and a tile each, and a proof of three tiles.
    [putOff, putOff, "extends undefined"],
  );
});

Deno.test("look: full tiles are got first, so that they serve a log that has grown meanwhile", async () => {
  const { story, clock, served, watching } = await grownLog(NEAR);
  served.limit = { requests: 2, perMs: MINUTE };
  const first = await watching.look();
  assertEquals([first.result, served.asked[1]], ["unavailable", "tile/0/001"]);
  await clock.advance(first.retryAfterMs!);
  served.limit = undefined;
  served.asked.length = 0;
  story.growTo(950, "meanwhile");
  assertEquals((await watching.look()).result, "extends");
  assertEquals(served.asked.toSorted(), ["checkpoint", "tile/0/003.p/182", "tile/1/000.p/3"]);
});

Deno.test("look: a request is put off so often and no more, and never hurried", async () => {
  for (
    const [times, result] of [
      [MAX_WAITS_PER_REQUEST, "extends"],
      [MAX_WAITS_PER_REQUEST + 1, "unavailable"],
    ] as const
  ) {
    const { served, watching } = await grownLog(NEAR);
    served.busy = { times, retryAfterMs: 0 };
    const found = await watching.look();
    assertEquals(found.result, result);
    assert(found.tookMs >= MAX_WAITS_PER_REQUEST * MIN_WAITED_OUT_MS, `${found.tookMs}`);
  }
});

/** Looks of a log that grows between them, and allows a checkpoint and one tile each. */
async function growing(looks: number, change: (served: TiledLog) => void = () => {}) {
  const { story, clock, served, watching } = await grownLog(NEAR);
  served.limit = { requests: 2, perMs: MINUTE };
  change(served);
  const results = [];
  for (let look = 0; look < looks; look++) {
    const { result, checkpoint } = await watching.look();
    results.push(`${result} ${checkpoint?.treeSize}`);
    await clock.advance(MINUTE);
    story.growTo(story.size + 10, `growth ${look}`);
  }
  return { results, served };
}

Deno.test("look: a log that grows faster than its tiles may be fetched is proven in a few looks", async () => {
  const { results } = await growing(LOOKS_UNTIL_GOING_ON + 1);
  assertEquals(results, ["unavailable 900", "unavailable 910", "extends 900"]);
});

Deno.test("look: a proof that can not be finished is given up, so that the log is seen again", async () => {
  const looks = LOOKS_UNTIL_GIVING_UP + 1;
  const { results, served } = await growing(looks, (served) => {
    served.limit = undefined;
    served.breaks = (path) => path.startsWith("tile/0/003");
  });
  const seen = served.asked.filter((path) => path === "checkpoint").length;
  assertEquals(results.at(-1), `unavailable ${900 + 10 * LOOKS_UNTIL_GIVING_UP}`);
  assertEquals(seen, LOOKS_UNTIL_GOING_ON + 1);
});

Deno.test("look: a wrong tile kept from an unfinished look is forgotten, and asked for anew", async () => {
  const { clock, served, watching } = await grownLog(NEAR);
  served.limit = { requests: 2, perMs: MINUTE };
  served.spoils = (path, body) => path === "tile/0/001" ? body?.map((byte) => byte ^ 1) : body;
  assertEquals((await watching.look()).result, "unavailable");
  await clock.advance(MINUTE);
  served.limit = undefined;
  served.spoils = (_, body) => body;
  served.asked.length = 0;
  assertEquals((await watching.look()).result, "extends");
  assertEquals(served.asked.filter((path) => path === "tile/0/001").length, 1);
});

Deno.test("look: tiles that take 14 s each end it in time, and the next goes on with those it got", async () => {
  const { served, watching } = await grownLog(FAR);
  served.answerMs = 14 * SECOND;
  const first = await watching.look();
  assertEquals(first.result, "unavailable");
  assertStringIncludes(first.detail!, "a look may take 60 s");
  assert(first.tookMs <= MAX_LOOK_MS, `${first.tookMs}`);
  const second = await watching.look();
  assertEquals(second.result, "extends", second.detail);
  assert(second.tookMs <= MAX_LOOK_MS, `${second.tookMs}`);
});

Deno.test("settle: a question has its time as well, and says when to come again", async () => {
  const { story, served, watching } = await grownLog(FAR);
  assertEquals((await watching.look()).result, "extends");
  const heard = await checkpointOf(story.test, 30_000);
  served.answerMs = 14 * SECOND;
  served.limit = { requests: 1, perMs: 2 * MINUTE };
  const putOff = await watching.timed(() => watching.watch.settle(heard, "a peer"));
  assertEquals([putOff.result, putOff.retryAfterMs], ["unavailable", 106 * SECOND]);
  assert(putOff.tookMs <= MAX_LOOK_MS, `${putOff.tookMs}`);
});

Deno.test("look: one that waits goes on at once when the watch is stopped", async () => {
  const { served, watching } = await grownLog(NEAR);
  served.limit = { requests: 1, perMs: MAX_WAITED_OUT_MS };
  const looking = watching.timed(() => {
    watching.clock.after(SECOND, () => watching.watch.stop());
    return watching.watch.poll();
  });
  const found = await looking;
  assertEquals(found.result, "unavailable");
  assert(found.tookMs <= 2 * SECOND, `${found.tookMs}`);
  assertEquals(served.asked.length, 2);
  await watching.look();
  assertEquals(served.asked.length, 2, "and nothing is asked any more");
});

/** What can be wrong with one tile for a moment. */
const GONE: [name: string, spoilt: (body: Uint8Array) => Uint8Array | undefined][] = [
  ["not there", () => undefined],
  ["empty", () => new Uint8Array(0)],
  ["too short", (body) => body.subarray(1)],
];

for (const [name, spoilt] of GONE) {
  for (const missing of ["tile/0/003.p/132", "tile/0/001"]) {
    Deno.test(`look: ${missing} that is ${name} for a moment is asked for again`, async () => {
      const { clock, served, watching } = await grownLog(NEAR);
      const backAt = clock.monotonic() + MISSING_TILE_PAUSE_MS;
      served.spoils = (path, body) =>
        path === missing && clock.monotonic() < backAt ? spoilt(body!) : body;
      assertEquals((await watching.look()).result, "extends");
    });

    Deno.test(`look: ${missing} that stays ${name} is unproven`, async () => {
      const { served, watching } = await grownLog(NEAR);
      served.spoils = (path, body) => path === missing ? spoilt(body!) : body;
      const found = await watching.look();
      assertEquals([found.result, found.mayPass], ["unproven", true]);
      assertStringIncludes(found.detail!, missing);
      assertEquals(served.asked.filter((path) => path === missing).length, 2);
    });
  }
}

Deno.test("look: what stays unproven is told to pass no more after some looks and some minutes", async () => {
  const { clock, served, watching } = await grownLog(NEAR);
  served.spoils = () => undefined;
  const start = clock.monotonic();
  const looks: { atMs: number; mayPass: boolean | undefined }[] = [];
  for (let look = 0; look < 8; look++) {
    const { result, mayPass } = await watching.look();
    assertEquals(result, "unproven");
    looks.push({ atMs: clock.monotonic() - start, mayPass });
    await clock.advance(MINUTE);
  }
  const since = looks[0]!.atMs;
  for (const [i, { atMs, mayPass }] of looks.entries()) {
    assertEquals(mayPass, i + 1 < UNPROVEN_LOOKS || atMs - since < UNPROVEN_LASTS_MS, `look ${i}`);
  }
  assertEquals([looks[0]!.mayPass, looks.at(-1)!.mayPass], [true, false]);
});

Deno.test("look: a proof that is given and leads nowhere is not told to pass", async () => {
  const { served, watching } = await grownLog(NEAR);
  served.spoils = (_, body) => body?.map((byte) => byte ^ 1);
  const found = await watching.look();
  assertEquals([found.result, found.mayPass], ["unproven", undefined]);
});

Deno.test("look: rare looks need their number, and growth that is proven ends the doubt", async () => {
  const { story, clock, served, watching } = await grownLog(NEAR);
  const pauseMs = UNPROVEN_LASTS_MS * 2;
  const mayPass = async (): Promise<boolean | undefined> => {
    await clock.advance(pauseMs);
    return (await watching.look()).mayPass;
  };
  served.spoils = () => undefined;
  assertEquals([await mayPass(), await mayPass(), await mayPass()], [true, true, false]);
  served.spoils = (_, body) => body;
  assertEquals((await watching.look()).result, "extends");
  story.growTo(1_000, "later still");
  served.spoils = () => undefined;
  assertEquals([await mayPass(), await mayPass(), await mayPass()], [true, true, false]);
});

Deno.test("look: what stays unproven is told loudly by the number of looks, however rare they are", async () => {
  const { clock, served, watching } = await grownLog(NEAR);
  served.spoils = () => undefined;
  const passes = [];
  for (let look = 0; look < UNPROVEN_LOOKS; look++) {
    await clock.advance(UNPROVEN_FORGOTTEN_MS * 12);
    passes.push((await watching.look()).mayPass);
  }
  assertEquals(passes, [true, true, false]);
});

for (
  const [name, calm, pauseMs, mayPass] of [
    ["one a day is no doubt", UNPROVEN_FORGOTTEN_LOOKS, UNPROVEN_FORGOTTEN_MS, true],
    ["too few between", UNPROVEN_FORGOTTEN_LOOKS - 1, UNPROVEN_FORGOTTEN_MS, false],
    ["too soon", UNPROVEN_FORGOTTEN_LOOKS, UNPROVEN_LASTS_MS, false],
  ] as const
) {
  Deno.test(`look: a doubt is forgotten after an hour and some looks without one: ${name}`, async () => {
    const { story, clock, served, watching } = await grownLog(NEAR);
    assertEquals((await watching.look()).result, "extends");
    const old = story.fork();
    story.growTo(1_000, "later still");
    served.spoils = () => undefined;
    for (let look = 0; look < UNPROVEN_LOOKS - 1; look++) {
      assertEquals((await watching.look()).mayPass, true);
    }
    served.story = old;
    for (let look = 0; look < calm; look++) {
      assertEquals((await watching.look()).result, "unchanged");
    }
    served.story = story;
    await clock.advance(pauseMs);
    assertEquals((await watching.look()).mayPass, mayPass);
  });
}
