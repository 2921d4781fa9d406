/** When rounds are due, whatever becomes of the wall clock meanwhile. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LONGEST_SLEEP_MS, paceOf } from "../../src/monitor/pace.ts";
import type { GossipSettings } from "../../src/monitor/settings.ts";
import { parseSchedule } from "../../src/world/schedule.ts";
import { Stop } from "../../src/world/stop.ts";
import type { Random } from "../../src/world/world.ts";
import { SettableClock, settled } from "../gossip/fake_network.ts";
import { words } from "../world/helpers.ts";
import { DAY, HOUR, MINUTE } from "./hosts.ts";

const SECOND = 1_000;

/** Rounds that are counted instead of made. The wall clock begins with the year 2026. */
class Stage {
  readonly clock = new SettableClock();
  readonly stop = new Stop();
  readonly pace;
  /** When rounds were due: by the wall clock, and by the monotonic clock. */
  readonly rounds: { readonly wall: string; readonly at: number }[] = [];
  readonly #done: Promise<void>;

  constructor(times: string | number, random: Random = words(0)) {
    const gossip: GossipSettings = {
      ...(typeof times === "number" ? { intervalMs: times } : { schedule: parseSchedule(times) }),
      fanOut: 1,
    };
    this.pace = paceOf(gossip, { clock: this.clock, random });
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    while (true) {
      await this.pace.wait(this.stop);
      if (this.stop.stopped) return;
      const wall = this.clock.now().toISOString().slice(5, 19);
      this.rounds.push({ wall, at: this.clock.monotonic() });
    }
  }

  /** Lets time pass. @returns when rounds were due meanwhile, by the wall clock */
  async pass(ms: number): Promise<string[]> {
    const before = this.rounds.length;
    await this.clock.advance(ms);
    return this.rounds.slice(before).map(({ wall }) => wall);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.stop();
    await this.#done;
    assertEquals(this.clock.pending, 0, "no timer is left behind");
  }
}

Deno.test("pace: a schedule by the clock is kept without jitter", async () => {
  await using stage = new Stage("0,20 * * * *", words(0, 2 ** 32 - 1));
  assertEquals(await stage.pass(2 * HOUR - 1), [
    "01-01T00:20:00",
    "01-01T01:00:00",
    "01-01T01:20:00",
  ]);
  assertEquals(await stage.pass(1), ["01-01T02:00:00"]);
  assertEquals(stage.rounds.map(({ at }) => at / MINUTE), [20, 60, 80, 120]);
});

Deno.test("pace: an interval is jittered, and no wall clock counts", async () => {
  for (const [random, ms] of [[words(0), 48 * SECOND], [words(2 ** 31), MINUTE]] as const) {
    await using stage = new Stage(MINUTE, random);
    await stage.pass(ms - 1);
    stage.clock.ahead = 2 * DAY;
    assertEquals(stage.rounds.length, 0);
    await stage.pass(1);
    stage.clock.ahead = -2 * DAY;
    await stage.pass(10 * ms);
    assertEquals(stage.rounds.map(({ at }) => at / ms), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  }
});

Deno.test("pace: it tells when rounds are due", async () => {
  await using stage = new Stage("0,20 * * * *");
  await settled();
  const due = [0, 1, 2, 3].map((later) => stage.pace.dueAt(later)?.slice(5, 16));
  assertEquals(due, ["01-01T00:20", "01-01T01:00", "01-01T01:20", "01-01T02:00"]);
  await stage.pass(30 * MINUTE);
  assertEquals(stage.pace.dueAt(0), "2026-01-01T01:00:00.000Z");
  stage.stop.stop();
  await settled();
  assertEquals(stage.pace.dueAt(0), undefined, "none is waited for");
});

Deno.test("pace: a clock put forward by days makes one round, and soon", async () => {
  await using stage = new Stage("*/10 * * * *");
  assertEquals((await stage.pass(25 * MINUTE)).length, 2);
  stage.clock.ahead += 2 * DAY;
  assertEquals(await stage.pass(LONGEST_SLEEP_MS), ["01-03T00:25:10"]);
  assertEquals(await stage.pass(20 * MINUTE), ["01-03T00:30:00", "01-03T00:40:00"]);
});

Deno.test("pace: a clock put back by days stops nothing", async () => {
  await using stage = new Stage("*/10 * * * *");
  assertEquals((await stage.pass(25 * MINUTE)).length, 2);
  stage.clock.ahead -= 2 * DAY;
  assertEquals(await stage.pass(20 * MINUTE), ["12-30T00:30:00", "12-30T00:40:00"]);
});

Deno.test("pace: a small step back does not bring the same time again", async () => {
  await using stage = new Stage("*/10 * * * *");
  await stage.pass(10 * MINUTE);
  for (let turn = 1; turn <= 20; turn++) {
    assertEquals(stage.rounds.length, turn);
    await stage.pass(2 * SECOND);
    // It is long enough to be noticed before that time has passed again.
    stage.clock.ahead -= 2 * LONGEST_SLEEP_MS;
    assertEquals(await stage.pass(MINUTE), []);
    assertEquals((await stage.pass(9 * MINUTE - 2 * SECOND + 2 * LONGEST_SLEEP_MS)).length, 1);
  }
});

Deno.test("pace: after a large step back the same time comes again, when it comes", async () => {
  await using stage = new Stage("0 * * * *");
  assertEquals(await stage.pass(HOUR + MINUTE), ["01-01T01:00:00"]);
  stage.clock.ahead -= 50 * MINUTE;
  assertEquals(await stage.pass(49 * MINUTE), ["01-01T01:00:00"]);
  assertEquals(await stage.pass(HOUR), ["01-01T02:00:00"]);
});

Deno.test("pace: whatever jumps a clock makes, each makes one round more at most, and none is missed", async () => {
  const jump = fc.record({
    afterMs: fc.integer({ min: 1, max: 15 * MINUTE }),
    byMs: fc.integer({ min: -2 * HOUR, max: 2 * HOUR }),
  });
  const gap = 5 * MINUTE;
  await fc.assert(
    fc.asyncProperty(fc.array(jump, { maxLength: 8 }), async (jumps) => {
      await using stage = new Stage("*/5 * * * *");
      for (const { afterMs, byMs } of jumps) {
        await stage.pass(afterMs);
        stage.clock.ahead += byMs;
      }
      await stage.pass(HOUR);
      const passed = stage.clock.monotonic();
      assert(stage.rounds.length <= passed / gap + jumps.length + 1, "no storm");
      // Between two jumps, no wait is longer than the gap, but for one that was half over.
      const moments = [0, ...stage.rounds.map(({ at }) => at), passed];
      const jumped: number[] = [];
      jumps.reduce((at, { afterMs }) => (jumped.push(at + afterMs), at + afterMs), 0);
      for (let i = 1; i < moments.length; i++) {
        const [from, to] = [moments[i - 1]!, moments[i]!];
        const steps = jumped.filter((at) => at >= from && at <= to).length;
        const most = gap + steps * (1.5 * gap + LONGEST_SLEEP_MS);
        assert(to - from <= most, `${to - from} ms without a round, and ${steps} jumps`);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("pace: who is woken goes on waiting for the same time", async () => {
  await using stage = new Stage("*/10 * * * *");
  await stage.pass(7 * MINUTE);
  stage.stop.wake();
  await settled();
  assertEquals(stage.rounds.map(({ at }) => at / MINUTE), [7], "what it does then is its business");
  assertEquals(await stage.pass(3 * MINUTE), ["01-01T00:10:00"]);
});

Deno.test("pace: a clock beyond all schedules stops the rounds until it is set", async () => {
  await using stage = new Stage("@hourly");
  stage.clock.ahead = 1_500 * 365 * DAY;
  assertEquals((await stage.pass(MINUTE)).length, 1, "what was due before");
  assertEquals(stage.pace.dueAt(0), undefined);
  assertEquals((await stage.pass(DAY)).length, 0);
  stage.clock.ahead = 0;
  assertEquals(await stage.pass(HOUR), ["01-02T01:00:00"]);
});
