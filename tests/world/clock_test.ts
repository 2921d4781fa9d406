import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { world } from "./helpers.ts";

const { clock, random } = world;

Deno.test("clock: calls once, not before its time", async () => {
  const start = clock.monotonic();
  let calls = 0;
  await new Promise<void>((resolve) => {
    clock.after(20, () => {
      calls++;
      resolve();
    });
  });
  assertEquals(calls, 1);
  // The system's timers count whole milliseconds.
  assert(clock.monotonic() - start >= 19, `after ${clock.monotonic() - start} ms`);
});

Deno.test("clock: a cancelled call is never made, and cancelling a made one does nothing", async () => {
  let made = "";
  const early = clock.after(1, () => made += "early ");
  const never = clock.after(2, () => made += "cancelled ");
  await new Promise<void>((resolve) => {
    clock.after(3, () => {
      early.cancel();
      resolve();
    });
    never.cancel();
    never.cancel();
  });
  assertEquals(made, "early ");
});

Deno.test("clock: a wait longer than a timer of the system takes is not cut short", async () => {
  let made = "";
  const month = clock.after(31 * 24 * 3_600_000, () => made += "month ");
  const longest = clock.after(2 ** 31, () => made += "longest ");
  await new Promise<void>((resolve) => void clock.after(50, resolve));
  month.cancel();
  longest.cancel();
  assertEquals(made, "");
});

Deno.test("clock: monotonic time never goes back, and the wall clock is the wall clock", () => {
  let last = clock.monotonic();
  for (let i = 0; i < 1_000; i++) {
    const now = clock.monotonic();
    assert(now >= last);
    last = now;
  }
  assert(Math.abs(clock.now().getTime() - Date.now()) < 1_000);
});

Deno.test("random: gives as many bytes as asked for, others every time", () => {
  assertEquals([0, 1, 32, 100].map((count) => random.bytes(count).length), [0, 1, 32, 100]);
  assertNotEquals(random.bytes(32), random.bytes(32));
});
