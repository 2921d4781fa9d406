import { assertEquals } from "@std/assert";
import { MAX_SEEN, Seen } from "../../src/swarm/seen.ts";
import { HandClock } from "./stage.ts";

Deno.test("seen: a hash is new once", () => {
  const seen = new Seen({ clock: new HandClock(), lifeMs: 1_000 });
  assertEquals([seen.has("a"), seen.isNew("a"), seen.isNew("a"), seen.has("a")], [
    ...[false, true, false, true],
  ]);
});

Deno.test("seen: a hash is forgotten after its time, however often it was sent", () => {
  const clock = new HandClock();
  const seen = new Seen({ clock, lifeMs: 1_000 });
  seen.isNew("a");
  clock.pass(600);
  seen.isNew("b");
  clock.pass(399);
  assertEquals(seen.isNew("a"), false);
  clock.pass(1);
  assertEquals([seen.has("a"), seen.has("b"), seen.size], [false, true, 1]);
});

Deno.test("seen: a wall clock that is set changes nothing", () => {
  const clock = new HandClock();
  const seen = new Seen({ clock, lifeMs: 1_000 });
  seen.isNew("a");
  clock.ms += 3_600_000;
  assertEquals(seen.has("a"), true);
});

Deno.test("seen: no more than the most are held, and the oldest goes first", () => {
  const seen = new Seen({ clock: new HandClock(), lifeMs: 1_000, most: 3 });
  for (const hash of ["a", "b", "c"]) seen.isNew(hash);
  seen.isNew("a");
  seen.isNew("d");
  assertEquals(["a", "b", "c", "d"].map((hash) => seen.has(hash)), [false, true, true, true]);
  assertEquals(seen.size, 3);
});

Deno.test("seen: MAX_SEEN is the limit if none is given", () => {
  const seen = new Seen({ clock: new HandClock(), lifeMs: 1_000 });
  for (let i = 0; i < MAX_SEEN; i++) seen.isNew(`${i}`);
  assertEquals(seen.has("0"), true);
  seen.isNew("one more");
  assertEquals([seen.has("0"), seen.size], [false, MAX_SEEN]);
});
