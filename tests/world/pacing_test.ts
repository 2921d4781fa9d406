/** How long to wait. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { jittered, MAX_BACK_OFF_MS, nextPollMs } from "../../src/world/pacing.ts";
import { randomShare } from "../../src/world/random.ts";
import type { Random } from "../../src/world/world.ts";
import { words } from "./helpers.ts";

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
