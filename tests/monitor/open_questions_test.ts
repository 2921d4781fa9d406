/** Splits that were missed: lists of logs that differ, forks below the views, floods of old checkpoints. */
import { assert, assertEquals } from "@std/assert";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { type Duties, logAt, MINUTE, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** What the log that both follow is called. */
const SHARED = "log.invalid/shared";

for (const sizes of [[9, 9], [9, 6], [6, 9]] as const) {
  for (const callers of [[0, 1], [0], [1]]) {
    const name = `sizes ${sizes.join(" and ")}, ${
      callers.length === 2 ? "both call" : `${callers[0] === 0 ? "the first" : "the second"} calls`
    }`;
    Deno.test(`daemon: monitors compare what both follow, whatever else either follows: ${name}`, async () => {
      const [ours, theirs] = await parted({ at: 4, sizes, origin: SHARED });
      const onlyFirst = grow(await logAt("log.invalid/only-first"), 3);
      const onlySecond = grow(await logAt("log.invalid/only-second"), 5);
      // One that has shown its only follower nothing yet: a zero frame names no log.
      const silent = new ScriptedSource(grow(await logAt("log.invalid/silent"), 1));
      silent.latestTrouble = "garbage";
      await using stage = await Stage.set();
      const { one, two } = stage;
      const hosts = [one, two] as const;
      const logs = [
        [new ScriptedSource(onlyFirst), new ScriptedSource(ours), silent],
        [new ScriptedSource(theirs), new ScriptedSource(onlySecond)],
      ];
      for (const i of [1, 0] as const) {
        const peers = callers.includes(i) ? [hosts[1 - i]!.address] : [];
        await hosts[i].start({ logs: logs[i]!.map((source) => ({ source })), peers });
      }
      await stage.minutes(2);
      const [first, second] = [await one.cases(), await two.cases()];
      assertEquals([first.length, first], [1, second]);
      for (const i of callers) {
        const shared = hosts[i]!.daemon!.status().logs
          .map(({ origin, sharedBy }) => [origin, sharedBy]);
        const only = logs[i]!.map(({ story: { log: { origin } } }) => origin);
        const expected = only.map((origin) => [origin, origin === SHARED ? 1 : 0]);
        assertEquals(shared, expected, "a log that no peer follows is compared with nobody");
      }
      for (const host of hosts) {
        assertEquals(host.toldOf("exchange.failed").map(({ fields }) => fields.reason), []);
        assertEquals(host.toldOf("exchange.refused"), []);
        for (const { sharedLogs, failures } of host.daemon!.status().peers) {
          assertEquals([sharedLogs, failures], [1, 0]);
        }
      }
    });
  }
}

Deno.test("daemon: a peer that follows none of our logs is warned of once, and is no failure", async () => {
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(await logAt("log.invalid/b")) }] });
  const source = new ScriptedSource(grow(await logAt("log.invalid/a"), 3));
  await one.start({ logs: [{ source }], peers: [two.address] });
  for (let round = 0; round < 3; round++) await one.pass(MINUTE);
  const [peer] = one.daemon!.status().peers;
  assertEquals([peer!.sharedLogs, peer!.failures, peer!.exchanges], [0, 0, 3]);
  assertEquals(one.loud("exchange.nothing shared"), ["warning"]);
  assertEquals([one.toldOf("exchange.failed"), two.toldOf("exchange.failed")], [[], []]);
});

for (const callers of [[0, 1], [0], [1]]) {
  for (const restarts of [false, true]) {
    const who = callers.length === 2
      ? "both call"
      : `the ${callers[0] === 0 ? "first" : "second"} calls`;
    Deno.test(`daemon: a fork below both views, shown to one, is recorded by both: ${who}${restarts ? ", after a restart" : ""}`, async () => {
      const [honest, fork] = await parted({ at: 10, sizes: [100, 30], origin: SHARED });
      await using stage = await Stage.set();
      const { one, two } = stage;
      const hosts = [one, two] as const;
      const sources = [new ScriptedSource(honest, 100), new ScriptedSource(honest, 100)] as const;
      const dutiesOf = (i: 0 | 1): Duties => ({
        logs: [{ source: sources[i] }],
        peers: callers.includes(i) ? [hosts[1 - i]!.address] : [],
      });
      for (const i of [1, 0] as const) await hosts[i].start(dutiesOf(i));
      await stage.minutes(1);
      // From now on the second is shown a fork that left at 10, with the fork's tiles alone.
      sources[1].story = fork;
      for (const size of [13, 14, 17, 23]) {
        sources[1].size = size;
        await two.pass(MINUTE);
      }
      if (restarts) {
        await two.stop();
        await two.start(dutiesOf(1));
      }
      await stage.minutes(4);
      const [first, second] = [await one.cases(), await two.cases()];
      assert(first.length > 0, "the first has recorded it");
      assertEquals(second, first);
      assertEquals(
        two.daemon!.status().logs[0]!.openQuestions,
        0,
        "what is proven is settled",
      );
      // The log still shows the fork, whose case is recorded: that is no longer a mere suspicion.
      assertEquals(two.daemon!.status().logs[0]!.lastResult, "inconsistent");
      assert(two.daemon!.isContradicted, "and so `run --once` ends with 1");
      for (const host of hosts) host.assertOnlyDiskRefused();
    });
  }
}

Deno.test("daemon: a flood of genuine old checkpoints delays no look, and no case", async () => {
  const OLD = 1_200;
  const [ours, theirs] = await parted({ at: OLD, sizes: [OLD + 20, OLD + 20], origin: SHARED });
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { hosts, one, two } = stage;
  // Nothing can be settled: every proof from an old size is refused, so all that is told stays open.
  const refusesProofFrom = (older: bigint): boolean => older < OLD;
  const sources = [new ScriptedSource(ours, OLD), new ScriptedSource(theirs, OLD)] as const;
  for (const [i, host] of hosts.entries()) {
    sources[i]!.refusesProofFrom = refusesProofFrom;
    await host.start({ logs: [{ source: sources[i]! }], peers: [hosts[1 - i]!.address] });
  }
  const frames = await Promise.all(
    Array.from({ length: OLD - 1 }, async (_, i) => (await checkpointOf(ours, i + 1)).frame),
  );
  for (const host of hosts) {
    await host.hear(frames.slice(0, 900), "192.0.2.7");
    await host.hear(frames.slice(900), "192.0.2.8");
  }
  sources[0].size = OLD + 20;
  sources[1].size = OLD + 20;
  await stage.minutes(3);
  const [first, second] = [await one.cases(), await two.cases()];
  assert(first.length > 0);
  assertEquals(second, first);
  const { openQuestions, leftOut, size } = one.daemon!.status().logs[0]!;
  assertEquals(size, `${OLD + 20}`, "it went on looking");
  assert(openQuestions <= QUESTION_LIMITS.stranger.questions, `${openQuestions} are open`);
  assert(leftOut! >= OLD - 1 - QUESTION_LIMITS.stranger.questions, `${leftOut} were left out`);
  assert(one.toldOf("exchange.left out").length <= 4, "it is told once a minute");
});

Deno.test("open questions: a checkpoint of a proven case waits for nothing, and no status says that it does", async () => {
  const [ours, theirs] = await parted({ at: 3, sizes: [8, 12] });
  await using stage = await Stage.set();
  const { one, two } = stage;
  await one.start({ logs: [{ source: new ScriptedSource(ours) }] });
  await two.start({ logs: [{ source: new ScriptedSource(theirs) }], peers: [one.address] });
  const status = () => one.daemon!.status().logs[0]!;
  await stage.minutes(3);
  assertEquals(
    [(await one.cases()).length, status().openQuestions],
    [1, 1],
    "the larger half is open",
  );
  assertEquals([status().waitingOthers, status().waitingOwn], [undefined, undefined]);
  await one.hear([(await checkpointOf(grow(ours.fork(), 20), 20)).frame]);
  assertEquals(status().waitingOthers, 1, "another one waits");
});
