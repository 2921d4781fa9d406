/** Daemons whose wall clock is set while they wait: patience is counted by the monotonic clock. */
import { assertEquals } from "@std/assert";
import { CLOCK_JUMP_MS } from "../../src/monitor/clock_watch.ts";
import type { EventName } from "../../src/monitor/events.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { grow } from "../evidence/histories.ts";
import { DAY, type Host, hostsOf, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** A clock whose wall part can be set. */
class SettableClock extends ManualClock {
  /** Milliseconds the wall clock is ahead. */
  ahead = 0;

  override now(): Date {
    return new Date(super.now().getTime() + this.ahead);
  }
}

const PATIENCE_MS = 10 * MINUTE;

/** Hosts that share a settable clock, and a log of 20 entries of which 5 are shown. */
async function waiting(count: number) {
  const clock = new SettableClock();
  const hosts = await hostsOf(count, { clock });
  const log = grow(await logAt(), 20);
  const source = new ScriptedSource(log, 5);
  return { clock, hosts, log, logs: [{ source, patienceMs: PATIENCE_MS }] };
}

/** How often a host told something aloud. */
function loud(host: Host, name: EventName): number {
  return host.toldOf(name).filter(({ level }) => level !== "debug").length;
}

for (const jumpMs of [2 * DAY, -2 * DAY]) {
  const jumps = `jumps by ${jumpMs / DAY} days`;

  Deno.test(`clock: one that ${jumps} makes no log frozen, and lets none be so unseen`, async () => {
    const { clock, hosts, logs } = await waiting(1);
    await using one = hosts[0]!;
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
    const { clock, hosts, log, logs } = await waiting(2);
    const [one, two] = hosts as [Host, Host];
    await using _one = one;
    await using _two = two;
    await two.start({ logs: [{ source: new ScriptedSource(log, 9) }] });
    await one.start({ logs, peers: [two.address] });
    await one.pass(5 * MINUTE);
    clock.ahead += jumpMs;
    await one.pass(5 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 0, "patience is not over");
    await one.pass(2 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 1);
  });

  Deno.test(`clock: one that ${jumps} between a question and the next look is not counted`, async () => {
    const { clock, hosts, log, logs } = await waiting(2);
    const [one, two] = hosts as [Host, Host];
    await using _one = one;
    await using _two = two;
    await one.start({ logs, peers: [two.address], gossipMs: MINUTE / 2 });
    await one.pass(3 * MINUTE);
    await two.start({ logs: [{ source: new ScriptedSource(log, 9) }] });
    await one.pass(MINUTE - 1);
    assertEquals(one.daemon!.status().logs[0]!.openQuestions, 1);
    clock.ahead += jumpMs;
    await one.pass(9 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 0, "patience is not over");
    await one.pass(3 * MINUTE);
    assertEquals(loud(one, "log.withheld"), 1);
  });

  Deno.test(`clock: one that ${jumps} between two starts makes nothing frozen or withheld`, async () => {
    const { clock, hosts, log, logs } = await waiting(2);
    const [one, two] = hosts as [Host, Host];
    await using _one = one;
    await using _two = two;
    await two.start({ logs: [{ source: new ScriptedSource(log, 9) }] });
    await one.start({ logs, peers: [two.address] });
    await one.pass(5 * MINUTE);
    await one.stop();
    clock.ahead += jumpMs;
    await one.start({ logs, peers: [two.address] });
    await one.pass(3 * MINUTE);
    assertEquals([loud(one, "log.frozen"), loud(one, "log.withheld")], [0, 0]);
    // At the latest the whole patience after the start.
    await one.pass(PATIENCE_MS - 2 * MINUTE);
    assertEquals([loud(one, "log.frozen"), loud(one, "log.withheld")], [1, 1]);
    assertEquals(loud(one, "clock.jumped"), 0, "nobody saw it jump");
  });
}

Deno.test("clock: what a process has waited before counts, and no time in which nobody looked", async () => {
  const { hosts, log, logs } = await waiting(2);
  const [one, two] = hosts as [Host, Host];
  await using _one = one;
  await using _two = two;
  await two.start({ logs: [{ source: new ScriptedSource(log, 9) }] });
  await one.start({ logs, peers: [two.address] });
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
  const { clock, hosts, logs } = await waiting(1);
  await using one = hosts[0]!;
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
  const { hosts, logs } = await waiting(1);
  await using one = hosts[0]!;
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
  const { clock, hosts, logs } = await waiting(1);
  await using one = hosts[0]!;
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
