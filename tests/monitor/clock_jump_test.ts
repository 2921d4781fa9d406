/** Daemons whose wall clock is set while they wait: patience is counted by the monotonic clock. */
import { assertEquals } from "@std/assert";
import { CLOCK_JUMP_MS } from "../../src/monitor/clock_watch.ts";
import type { EventName } from "../../src/monitor/events.ts";
import { SettableClock } from "../gossip/fake_network.ts";
import { grow } from "../evidence/histories.ts";
import { DAY, type Host, logAt, MINUTE, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const PATIENCE_MS = 10 * MINUTE;

/**
 * Two hosts that share a settable clock: the first follows a log of 20 entries of which it is shown 5,
 * the second, where it is started, is shown 9.
 */
async function waiting() {
  const clock = new SettableClock();
  const stage = await Stage.set({ clock });
  const log = grow(await logAt(), 20);
  const logs = [{ source: new ScriptedSource(log, 5), patienceMs: PATIENCE_MS }];
  const { one, two } = stage;
  const peers = [two.address];
  const others = { logs: [{ source: new ScriptedSource(log, 9) }] };
  return {
    ...{ clock, one, two, logs, peers, others },
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
}

/** How often a host told something aloud. */
function loud(host: Host, name: EventName): number {
  return host.loud(name).length;
}

for (const jumpMs of [2 * DAY, -2 * DAY]) {
  const jumps = `jumps by ${jumpMs / DAY} days`;

  Deno.test(`clock: one that ${jumps} makes no log frozen, and lets none be so unseen`, async () => {
    await using stage = await waiting();
    const { clock, one, logs } = stage;
    await one.start({ logs });
    await one.pass(5 * MINUTE);
    clock.ahead += jumpMs;
    await one.pass(5 * MINUTE);
    assertEquals(loud(one, "log.frozen"), 0, "patience is not over");
    await one.pass(2 * MINUTE);
    assertEquals(loud(one, "log.frozen"), 1);
    const jumped = one.toldOf("clock.jumped");
    assertEquals(jumped.map(({ level, fields }) => [level, fields]), [
      ["warning", { by_ms: jumpMs }],
    ], "told once");
  });

  Deno.test(`clock: one that ${jumps} withholds nothing, and hides nothing withheld`, async () => {
    await using stage = await waiting();
    const { clock, one, two, logs, peers, others } = stage;
    await two.start(others);
    await one.start({ logs, peers });
    await one.pass(5 * MINUTE);
    clock.ahead += jumpMs;
    await one.pass(5 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 0, "patience is not over");
    await one.pass(2 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 1);
  });

  Deno.test(`clock: one that ${jumps} between a question and the next look is not counted`, async () => {
    await using stage = await waiting();
    const { clock, one, two, logs, peers, others } = stage;
    await one.start({ logs, peers, gossipMs: MINUTE / 2 });
    await one.pass(3 * MINUTE);
    await two.start(others);
    await one.pass(MINUTE - 1);
    assertEquals(one.daemon!.status().logs[0]!.openQuestions, 1);
    clock.ahead += jumpMs;
    await one.pass(9 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 0, "patience is not over");
    await one.pass(3 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 1);
  });

  Deno.test(`clock: one that ${jumps} between two starts makes nothing frozen or withheld`, async () => {
    await using stage = await waiting();
    const { clock, one, two, logs, peers, others } = stage;
    await two.start(others);
    await one.start({ logs, peers });
    await one.pass(5 * MINUTE);
    await one.stop();
    clock.ahead += jumpMs;
    await one.start({ logs, peers });
    await one.pass(3 * MINUTE);
    assertEquals([loud(one, "log.frozen"), loud(one, "log.withheld")], [0, 0]);
    // At the latest the whole patience after the start.
    await one.pass(PATIENCE_MS - 2 * MINUTE);
    assertEquals([loud(one, "log.frozen"), loud(one, "log.withheld")], [1, 1]);
    assertEquals(loud(one, "clock.jumped"), 0, "nobody saw it jump");
  });
}

Deno.test("clock: what a process has waited before counts, and no time in which nobody looked", async () => {
  await using stage = await waiting();
  const { one, two, logs, peers, others } = stage;
  await two.start(others);
  await one.start({ logs, peers });
  await one.pass(8 * MINUTE);
  await one.stop();
  await two.stop();
  await one.clock.advance(2 * DAY);
  await one.start({ logs });
  await one.pass(MINUTE);
  assertEquals([loud(one, "log.frozen"), loud(one, "log.withheld")], [0, 0]);
  await one.pass(3 * MINUTE);
  assertEquals([loud(one, "log.frozen"), loud(one, "log.withheld")], [1, 1]);
});

Deno.test("clock: what was written while it was ahead counts for no more than it shows now", async () => {
  await using stage = await waiting();
  const { clock, one, logs } = stage;
  await one.start({ logs });
  await one.pass(3 * MINUTE);
  clock.ahead += 2 * DAY;
  await one.pass(3 * MINUTE);
  await one.stop();
  clock.ahead -= 2 * DAY;
  await one.start({ logs });
  await one.pass(MINUTE);
  assertEquals(loud(one, "log.frozen"), 0, "patience is not over");
});

Deno.test("clock: looks by one process each are waits as well", async () => {
  await using stage = await waiting();
  const { one, logs } = stage;
  const done: boolean[] = [];
  for (let look = 0; look < 4; look++) {
    const daemon = await one.open({ logs });
    done.push(await daemon.once());
    await daemon.close();
    await one.clock.advance(6 * MINUTE);
  }
  assertEquals(done, [true, true, true, false]);
  assertEquals(loud(one, "log.frozen"), 1);
});

Deno.test("clock: one that is set by a minute is not told of, by more it is", async () => {
  await using stage = await waiting();
  const { clock, one, logs } = stage;
  await one.start({ logs });
  for (const [jumpMs, times] of [[CLOCK_JUMP_MS, 0], [CLOCK_JUMP_MS + 1, 1]] as const) {
    for (const direction of [1, -1]) {
      const before = loud(one, "clock.jumped");
      clock.ahead += direction * jumpMs;
      await one.pass(3 * MINUTE);
      assertEquals(loud(one, "clock.jumped") - before, times, `${direction * jumpMs}`);
    }
  }
});
