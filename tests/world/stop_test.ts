/** How waiting ends. */
import { assertEquals } from "@std/assert";
import { Stop } from "../../src/world/stop.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";

/** Whether a promise is settled by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true);
  await settled();
  return done;
}

Deno.test("stop: a pause ends in time and leaves no timer behind", async () => {
  const [clock, stop] = [new ManualClock(), new Stop()];
  const pause = stop.pause(clock, 1_000);
  await clock.advance(999);
  assertEquals(await isDone(pause), false);
  await clock.advance(1);
  assertEquals(await isDone(pause), true);
  assertEquals(await pause, true);
  assertEquals([clock.pending, stop.stopped], [0, false]);
});

Deno.test("stop: a wake ends the pauses under way and no later one", async () => {
  const [clock, stop] = [new ManualClock(), new Stop()];
  const pauses = [stop.pause(clock, 1_000), stop.pause(clock, 2_000)];
  stop.wake();
  assertEquals(await Promise.all(pauses), [false, false], "their time has not passed");
  assertEquals([clock.pending, stop.stopped], [0, false]);
  const later = stop.pause(clock, 1_000);
  assertEquals(await isDone(later), false);
  await clock.advance(1_000);
  assertEquals(await isDone(later), true);
});

Deno.test("stop: a stop ends the pauses under way and every later one", async () => {
  const [clock, stop] = [new ManualClock(), new Stop()];
  const pause = stop.pause(clock, 1_000);
  stop.stop();
  assertEquals([await pause, await stop.pause(clock, 1_000)], [false, false]);
  assertEquals([clock.pending, stop.stopped], [0, true]);
});
