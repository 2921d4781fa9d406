/** How long to wait, whom to choose, and how waiting ends. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  jittered,
  longestGap,
  MAX_BACK_OFF_MS,
  nextPollMs,
  Rotation,
  Stop,
} from "../../src/world/pacing.ts";
import { randomShare } from "../../src/world/random.ts";
import type { Random } from "../../src/world/world.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";

/** Randomness that gives these words, over and over. */
function words(...given: readonly number[]): Random {
  let at = 0;
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      new DataView(bytes.buffer).setUint32(0, given[at++ % given.length]!);
      return bytes;
    },
  };
}

const randomness = fc.array(fc.nat(2 ** 32 - 1), { minLength: 1, maxLength: 100 });

const [LEAST, MIDDLE, MOST] = [words(0), words(2 ** 31), words(2 ** 32 - 1)];

Deno.test("pacing: a share is at least 0 and less than 1", () => {
  assertEquals([randomShare(LEAST), randomShare(MIDDLE)], [0, 0.5]);
  assert(randomShare(MOST) < 1);
  assert(randomShare(MOST) > 0.999);
});

Deno.test("pacing: an interval is jittered by a fifth at most, either way", () => {
  assertEquals([jittered(1_000, LEAST), jittered(1_000, MIDDLE)], [800, 1_000]);
  const most = jittered(1_000, MOST);
  assert(most > 1_199 && most < 1_200, `${most}`);
});

Deno.test("pacing: the wait doubles with each failure, up to the longest", () => {
  const waits = Array.from(
    { length: 9 },
    (_, failures) => nextPollMs({ intervalMs: 60_000, failures, random: MIDDLE }) / 60_000,
  );
  assertEquals(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  for (const failures of [30, 31, 1_000, 1e9]) {
    const wait = nextPollMs({ intervalMs: 1, failures, random: MIDDLE });
    assertEquals(wait, MAX_BACK_OFF_MS);
  }
});

Deno.test("pacing: a log polled less often than the longest back-off keeps its interval", () => {
  const intervalMs = 2 * MAX_BACK_OFF_MS;
  for (const failures of [0, 1, 5]) {
    assertEquals(nextPollMs({ intervalMs, failures, random: MIDDLE }), intervalMs);
  }
});

Deno.test("pacing: back-off is jittered as well", () => {
  const wait = (random: Random) => nextPollMs({ intervalMs: 1_000, failures: 3, random });
  assertEquals(wait(LEAST), 6_400);
  assert(wait(MOST) > 9_599 && wait(MOST) < 9_600);
});

Deno.test("pacing: after an outage of any length the log is looked at within the stated time", () => {
  const P = 60_000;
  let closest = 0;
  fc.assert(
    fc.property(randomness, fc.integer({ min: 1, max: 6 * 3_600_000 }), (given, outageMs) => {
      const random = words(...given);
      let at = 0;
      for (let failures = 1; at < outageMs; failures++) {
        at += nextPollMs({ intervalMs: P, failures, random });
      }
      const stated = Math.min(1.5 * outageMs + 2.4 * P, 1.2 * MAX_BACK_OFF_MS);
      assert(at - outageMs <= stated, `${at - outageMs} ms after ${outageMs} ms`);
      closest = Math.max(closest, (at - outageMs) / stated);
    }),
    { numRuns: 2_000 },
  );
  assert(closest > 0.9, `the bound is looser than it must be: ${closest}`);
});

Deno.test("pacing: what the log asks for is the least, however long, and no jitter shortens it", () => {
  const wait = (retryAfterMs: number) =>
    nextPollMs({ intervalMs: 1_000, failures: 1, retryAfterMs, random: LEAST });
  assertEquals([wait(0), wait(1_599), wait(1_600), wait(1_601)], [1_600, 1_600, 1_600, 1_601]);
  assertEquals(wait(10 * MAX_BACK_OFF_MS), 10 * MAX_BACK_OFF_MS);
});

/** Turns of a rotation. */
function turns({ items, count, random, times }: {
  items: readonly number[];
  count: number;
  random: Random;
  times: number;
}): number[][] {
  const rotation = new Rotation({ items, random });
  return Array.from({ length: times }, () => rotation.next(count));
}

Deno.test("pacing: a rotation gives some without repeats, and all if fewer are there", () => {
  const items = [1, 2, 3, 4, 5];
  for (const random of [LEAST, MIDDLE, MOST, words(1e9, 3e9, 7)]) {
    for (let count = 0; count <= 7; count++) {
      for (const given of turns({ items, count, random, times: 9 })) {
        assertEquals(given.length, Math.min(count, 5));
        assertEquals(new Set(given).size, given.length);
        assert(given.every((one) => items.includes(one)));
      }
    }
  }
  assertEquals(items, [1, 2, 3, 4, 5], "what is given stays");
  assertEquals(turns({ items: [], count: 3, random: MOST, times: 2 }), [[], []]);
});

Deno.test("pacing: a rotation gives each item at least once in its longest gap, and no more seldom", () => {
  let longest = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 8 }),
      randomness,
      (length, count, given) => {
        const items = Array.from({ length }, (_, i) => i);
        const gap = longestGap({ items: length, count });
        const all = turns({ items, count, random: words(...given), times: 6 * gap });
        for (const item of items) {
          let last = -1;
          for (const [turn, some] of [...all, [item]].entries()) {
            if (!some.includes(item)) continue;
            assert(turn - last <= gap, `${item} was not given in ${turn - last} turns`);
            if (length === 4 && count === 1) longest = Math.max(longest, turn - last);
            last = turn;
          }
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assertEquals(
    longest,
    longestGap({ items: 4, count: 1 }),
    "the bound is not looser than it must be",
  );
});

Deno.test("pacing: every order of a rotation is as likely as any other", () => {
  const seen = new Map<string, number>();
  let word = 1;
  const random: Random = {
    bytes(count) {
      const bytes = new Uint8Array(count);
      word = Math.imul(word, 1_664_525) + 1_013_904_223;
      new DataView(bytes.buffer).setUint32(0, word >>> 0);
      return bytes;
    },
  };
  const rotation = new Rotation({ items: [1, 2, 3], random });
  for (let i = 0; i < 6_000; i++) {
    const order = Array.from({ length: 3 }, () => rotation.next(1)).join("");
    seen.set(order, (seen.get(order) ?? 0) + 1);
  }
  assertEquals(seen.size, 6);
  for (const [order, times] of seen) assert(times > 800 && times < 1_200, `${order}: ${times}`);
});

/** Whether a promise is settled by now. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true);
  await settled();
  return done;
}

Deno.test("pacing: a pause ends in time and leaves no timer behind", async () => {
  const [clock, stop] = [new ManualClock(), new Stop()];
  const pause = stop.pause(clock, 1_000);
  await clock.advance(999);
  assertEquals(await isDone(pause), false);
  await clock.advance(1);
  assertEquals(await isDone(pause), true);
  assertEquals([clock.pending, stop.stopped], [0, false]);
});

Deno.test("pacing: a wake ends the pauses under way and no later one", async () => {
  const [clock, stop] = [new ManualClock(), new Stop()];
  const pauses = [stop.pause(clock, 1_000), stop.pause(clock, 2_000)];
  stop.wake();
  await Promise.all(pauses);
  assertEquals([clock.pending, stop.stopped], [0, false]);
  const later = stop.pause(clock, 1_000);
  assertEquals(await isDone(later), false);
  await clock.advance(1_000);
  assertEquals(await isDone(later), true);
});

Deno.test("pacing: a stop ends the pauses under way and every later one", async () => {
  const [clock, stop] = [new ManualClock(), new Stop()];
  const pause = stop.pause(clock, 1_000);
  stop.stop();
  await pause;
  await stop.pause(clock, 1_000);
  assertEquals([clock.pending, stop.stopped], [0, true]);
});
