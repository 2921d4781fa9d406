import { timeNow } from "../../src/world/time.ts";
import { assertEquals } from "@std/assert";
import {
  MAX_WARNINGS_IN_WINDOW,
  RefusalLimiter,
  REFUSED_AGAIN_MS,
  WARN_AGAIN_MS,
  WarningLimiter,
  WARNINGS_WINDOW_MS,
} from "../../src/monitor/warnings.ts";
import { ManualClock } from "../gossip/fake_network.ts";

/** A limiter, and what it told of what was left out. */
function limiting() {
  const clock = new ManualClock();
  const told: number[] = [];
  const warnings = new WarningLimiter({ clock, onLeftOut: (count) => told.push(count) });
  const isLoud = (source: string, isKnown = false): boolean =>
    warnings.levelOf(source, { isKnown }) === "warning";
  return { clock, told, warnings, isLoud };
}

/** Trouble with this many addresses, and how much of it was told loudly. */
function trouble(isLoud: (source: string) => boolean, addresses: number): number {
  return Array.from({ length: addresses }, (_, i) => isLoud(`address ${i}`)).filter((l) => l)
    .length;
}

Deno.test("warnings: an address is warned of once in a time, and then again", async () => {
  const { clock, isLoud } = limiting();
  assertEquals([isLoud("a"), isLoud("a"), isLoud("b")], [true, false, true]);
  await clock.advance(WARN_AGAIN_MS - 1);
  assertEquals(isLoud("a"), false);
  await clock.advance(1);
  assertEquals(isLoud("a"), true);
});

Deno.test("warnings: however many addresses, so many in all, and the rest is counted once", async () => {
  const { clock, told, isLoud } = limiting();
  assertEquals(trouble(isLoud, 100_000), MAX_WARNINGS_IN_WINDOW);
  assertEquals(told, []);
  await clock.advance(WARNINGS_WINDOW_MS);
  assertEquals(told, [100_000 - MAX_WARNINGS_IN_WINDOW]);
  assertEquals(clock.pending, 0);
});

Deno.test("warnings: as many as are allowed leave nothing out", async () => {
  const { clock, told, isLoud } = limiting();
  assertEquals(trouble(isLoud, MAX_WARNINGS_IN_WINDOW), MAX_WARNINGS_IN_WINDOW);
  await clock.advance(2 * WARNINGS_WINDOW_MS);
  assertEquals([told, clock.pending], [[], 0]);
});

Deno.test("warnings: after the time there is room again, also for who was left out", async () => {
  const { clock, isLoud } = limiting();
  trouble(isLoud, MAX_WARNINGS_IN_WINDOW);
  assertEquals(isLoud("late"), false);
  await clock.advance(WARNINGS_WINDOW_MS);
  assertEquals(isLoud("late"), true);
});

Deno.test("warnings: strangers do not crowd out a configured peer, nor it them", () => {
  const { isLoud } = limiting();
  for (let i = 0; i < 2 * MAX_WARNINGS_IN_WINDOW; i++) isLoud(`peer ${i}`, true);
  assertEquals(trouble(isLoud, 1_000), MAX_WARNINGS_IN_WINDOW);
  assertEquals([isLoud("peer", true), isLoud("peer", true)], [true, false]);
});

Deno.test("warnings: at the end what was left out is told, and no timer is left", () => {
  const { clock, told, warnings, isLoud } = limiting();
  trouble(isLoud, MAX_WARNINGS_IN_WINDOW + 3);
  warnings.flush();
  warnings.flush();
  assertEquals([told, clock.pending], [[3], 0]);
});

/** Nothing is ever written. */
const QUIET = { tellEnd: () => {}, written: () => 0 };

Deno.test("refusals: it is over once nothing was refused for a time and something was written", async () => {
  const clock = new ManualClock();
  const ends: unknown[] = [];
  let written = 7;
  const limiter = new RefusalLimiter({
    ...{ clock, tell: () => {}, written: () => written },
    tellEnd: (lasted) => ends.push(lasted),
  });
  const since = timeNow(clock);
  limiter.add(new Error("disk full"));
  limiter.add(new Error("disk full"));
  await clock.advance(10 * REFUSED_AGAIN_MS);
  assertEquals(ends, [], "nobody has tried");
  written++;
  limiter.add(new Error("disk full"));
  await clock.advance(10 * REFUSED_AGAIN_MS);
  assertEquals(ends, [], "what was written before the last refusal is no sign");
  written++;
  await clock.advance(REFUSED_AGAIN_MS);
  assertEquals(ends, [{ since, times: 3 }]);
  await clock.advance(10 * REFUSED_AGAIN_MS);
  assertEquals([ends.length, clock.pending], [1, 0], "told once");
  limiter.add(new Error("disk full"));
  limiter.flush();
  assertEquals(clock.pending, 0);
});

Deno.test("refusals: a reason is told at once, and then once in a time with how many there were", async () => {
  const clock = new ManualClock();
  const told: [reason: string, more: number | undefined][] = [];
  const limiter = new RefusalLimiter({
    clock,
    tell: (error, more) => told.push([(error as Error).message, more]),
    ...QUIET,
  });
  for (let i = 0; i < 500; i++) limiter.add(new Error("disk full"));
  limiter.add(new Error("database is locked"));
  assertEquals(told.splice(0), [["disk full", undefined], ["database is locked", undefined]]);
  await clock.advance(REFUSED_AGAIN_MS - 1);
  assertEquals(told, []);
  await clock.advance(1);
  assertEquals(told.splice(0), [["disk full", 499]]);
  limiter.add(new Error("disk full"));
  limiter.flush();
  assertEquals([told.splice(0), clock.pending], [[["disk full", 1]], 0]);
  // Where it was not refused for a time, it is news again.
  limiter.add(new Error("disk full"));
  await clock.advance(REFUSED_AGAIN_MS);
  limiter.add(new Error("disk full"));
  assertEquals(told, [["disk full", undefined], ["disk full", undefined]]);
});

Deno.test("refusals: reasons without end are told in bounds", async () => {
  const clock = new ManualClock();
  let lines = 0;
  const limiter = new RefusalLimiter({ clock, tell: () => lines++, ...QUIET });
  for (let i = 0; i < 10_000; i++) limiter.add(new Error(`reason ${i}`));
  assertEquals(lines, 101);
  await clock.advance(REFUSED_AGAIN_MS);
  assertEquals(lines, 102, "and one for all that were left out");
});
