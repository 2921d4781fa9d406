import { assert, assertEquals } from "@std/assert";
import type { Level } from "../../src/monitor/events.ts";
import {
  FIRST_CALM_MS,
  FIRST_SUMMARY_MS,
  LastingTroubles,
  MAX_CALM_MS,
  RETURNS_WITHIN_MS,
  SUMMARY_AGAIN_MS,
} from "../../src/monitor/lasting_troubles.ts";
import { ManualClock } from "../gossip/fake_network.ts";

const NAME = { subject: "peer.invalid:9900", kind: "failed" };
const DAY = 24 * 60 * 60_000;

/** Troubles, and what is told of one of them. */
function troubled() {
  const clock = new ManualClock();
  const troubles = new LastingTroubles(clock);
  const fails = (reason = "it is gone", level: Level = "warning") =>
    troubles.cameUp(NAME, { reason, level });
  const isTold = (reason?: string, level?: Level): boolean =>
    fails(reason, level).level !== "debug";
  return { clock, troubles, fails, isTold, works: () => troubles.stayedAway(NAME) };
}

Deno.test("lasting troubles: a beginning is told, the same again is not, and the end is", async () => {
  const { clock, fails, works } = troubled();
  assertEquals(works(), undefined, "nothing began");
  assertEquals(fails(), { level: "warning" });
  for (let i = 0; i < 5; i++) {
    await clock.advance(1_000);
    assertEquals(fails(), { level: "debug" });
  }
  await clock.advance(1_000);
  assertEquals(works(), { since: "2026-01-01T00:00:00.000Z", times: 6 });
  assertEquals(works(), undefined, "it is over once");
});

Deno.test("lasting troubles: what lasts is summarised after a while, and then rarely", async () => {
  const { clock, fails, isTold } = troubled();
  fails();
  await clock.advance(FIRST_SUMMARY_MS - 1);
  assertEquals(isTold(), false);
  await clock.advance(1);
  const lasted = { since: "2026-01-01T00:00:00.000Z", times: 3 };
  assertEquals(fails(), { level: "warning", lasted });
  for (let i = 0; i < 3; i++) {
    await clock.advance(SUMMARY_AGAIN_MS - 1);
    assertEquals(isTold(), false);
    await clock.advance(1);
    assertEquals(isTold(), true);
  }
});

Deno.test("lasting troubles: another reason is told, once between two summaries", async () => {
  const { clock, isTold } = troubled();
  assertEquals([isTold("a"), isTold("b"), isTold("c"), isTold("a")], [true, true, false, false]);
  await clock.advance(FIRST_SUMMARY_MS);
  assertEquals([isTold("c"), isTold("c"), isTold("d"), isTold("e")], [true, false, true, false]);
});

Deno.test("lasting troubles: what gets worse is told at once", () => {
  const { fails, isTold } = troubled();
  assertEquals([isTold("a"), isTold("b"), isTold("b", "error")], [true, true, true]);
  assertEquals([fails("b", "error").level, fails("b").level], ["debug", "debug"]);
});

Deno.test("lasting troubles: what fails every other time is not told for ever, whatever its pace", async () => {
  for (const pace of [1_000, 60_000, 11 * 60_000, 25 * 60_000, 45 * 60_000]) {
    const { clock, isTold, works } = troubled();
    let lines = 0;
    for (let ms = 0; ms < DAY; ms += 2 * pace) {
      if (isTold()) lines++;
      await clock.advance(pace);
      if (works() !== undefined) lines++;
      await clock.advance(pace);
    }
    // A summary an hour, and some lines until it is known to come back.
    assert(lines <= 24 + 8, `${lines} lines at a pace of ${pace}`);
  }
});

Deno.test("lasting troubles: the end of what came back is told once it has stayed away", async () => {
  const { clock, fails, works } = troubled();
  fails();
  assert(works() !== undefined);
  for (const calm of [FIRST_CALM_MS, 2 * FIRST_CALM_MS, 4 * FIRST_CALM_MS, MAX_CALM_MS]) {
    await clock.advance(RETURNS_WITHIN_MS - 1);
    assertEquals(fails().level, "warning", "it is told that it came back");
    await clock.advance(calm - 1);
    assertEquals(works(), undefined);
    await clock.advance(1);
    assertEquals(works()?.times, 1);
  }
  await clock.advance(RETURNS_WITHIN_MS);
  fails();
  assert(works() !== undefined, "by now it is a new trouble");
});

Deno.test("lasting troubles: since when is told by the clock as it is set now", async () => {
  const { clock, fails, works } = troubled();
  await clock.advance(5_000);
  fails();
  await clock.advance(60_000);
  const jumped = new Date("2030-06-01T00:01:00Z");
  clock.now = () => jumped;
  assertEquals(works(), { since: "2030-06-01T00:00:00.000Z", times: 1 });
});

Deno.test("lasting troubles: a place, a kind and a subject are each on their own", () => {
  const { troubles, fails } = troubled();
  fails();
  const others = [{ ...NAME, place: "there" }, { ...NAME, kind: "refused" }, {
    ...NAME,
    subject: "b",
  }];
  for (const name of others) {
    assertEquals(troubles.stayedAway(name), undefined);
    assertEquals(troubles.cameUp(name, { reason: "", level: "warning" }).level, "warning");
  }
  assertEquals(troubles.of(NAME.subject).length, 3);
});

Deno.test("lasting troubles: what is forgotten begins anew", () => {
  const { troubles, fails, works } = troubled();
  fails();
  troubles.keep((subject) => subject !== NAME.subject);
  assertEquals([works(), troubles.of(NAME.subject)], [undefined, []]);
  assertEquals(fails(), { level: "warning" });
  troubles.keep(() => true);
  assertEquals(fails(), { level: "debug" });
});
