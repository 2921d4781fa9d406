/** Splits that were missed: lists of logs that differ, forks below the views, floods of old checkpoints. */
import { assert, assertEquals } from "@std/assert";
import type { TestLog } from "../../src/sources/test_log.ts";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";
import { ask } from "../gossip/helpers.ts";
import { type Duties, Host, hostsOf, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** Two stories of one log that part after `fork` entries. */
async function parted(fork: number, sizes: readonly [number, number]): Promise<[TestLog, TestLog]> {
  const ours = grow(await logAt("log.invalid/shared"), fork);
  const theirs = ours.fork();
  return [grow(ours, sizes[0], "ours"), grow(theirs, sizes[1], "theirs")];
}

for (const sizes of [[9, 9], [9, 6], [6, 9]] as const) {
  for (const callers of [[0, 1], [0], [1]]) {
    const name = `sizes ${sizes.join(" and ")}, ${
      callers.length === 2 ? "both call" : `${callers[0] === 0 ? "the first" : "the second"} calls`
    }`;
    Deno.test(`daemon: monitors compare what both follow, whatever else either follows: ${name}`, async () => {
      const [ours, theirs] = await parted(4, sizes);
      const onlyFirst = grow(await logAt("log.invalid/only-first"), 3);
      const onlySecond = grow(await logAt("log.invalid/only-second"), 5);
      // One that has shown its only follower nothing yet: a zero frame names no log.
      const silent = new ScriptedSource(grow(await logAt("log.invalid/silent"), 1));
      silent.latestTrouble = "garbage";
      const hosts = await hostsOf(2) as [Host, Host];
      await using _first = hosts[0];
      await using _second = hosts[1];
      const logs = [
        [new ScriptedSource(onlyFirst), new ScriptedSource(ours), silent],
        [new ScriptedSource(theirs), new ScriptedSource(onlySecond)],
      ];
      for (const i of [1, 0] as const) {
        const peers = callers.includes(i) ? [hosts[1 - i]!.address] : [];
        await hosts[i].start({ logs: logs[i]!.map((source) => ({ source })), peers });
      }
      for (let round = 0; round < 2; round++) {
        for (const host of hosts) await host.pass(MINUTE);
      }
      const [first, second] = [await hosts[0].cases(), await hosts[1].cases()];
      assertEquals([first.length, first], [1, second]);
      for (const i of callers) {
        const shared = hosts[i]!.daemon!.status().logs
          .map(({ origin, sharedBy }) => [origin, sharedBy]);
        const only = logs[i]!.map(({ story: { log: { origin } } }) => origin);
        const expected = only.map((origin) => [origin, origin === "log.invalid/shared" ? 1 : 0]);
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
  const [one, two] = await hostsOf(2) as [Host, Host];
  await using _one = one;
  await using _two = two;
  await two.start({ logs: [{ source: new ScriptedSource(await logAt("log.invalid/b")) }] });
  const source = new ScriptedSource(grow(await logAt("log.invalid/a"), 3));
  await one.start({ logs: [{ source }], peers: [two.address] });
  for (let round = 0; round < 3; round++) await one.pass(MINUTE);
  const [peer] = one.daemon!.status().peers;
  assertEquals([peer!.sharedLogs, peer!.failures, peer!.exchanges], [0, 0, 3]);
  assertEquals(one.toldOf("exchange.nothing shared").map(({ level }) => level), ["warning"]);
  assertEquals([one.toldOf("exchange.failed"), two.toldOf("exchange.failed")], [[], []]);
});

for (const callers of [[0, 1], [0], [1]]) {
  for (const restarts of [false, true]) {
    const who = callers.length === 2
      ? "both call"
      : `the ${callers[0] === 0 ? "first" : "second"} calls`;
    Deno.test(`daemon: a fork below both views, shown to one, is recorded by both: ${who}${restarts ? ", after a restart" : ""}`, async () => {
      const honest = grow(await logAt("log.invalid/shared"), 10);
      const fork = grow(honest.fork(), 30, "forked");
      grow(honest, 100, "honest");
      const hosts = await hostsOf(2) as [Host, Host];
      await using _first = hosts[0];
      await using _second = hosts[1];
      const sources = [new ScriptedSource(honest, 100), new ScriptedSource(honest, 100)] as const;
      const dutiesOf = (i: 0 | 1): Duties => ({
        logs: [{ source: sources[i] }],
        peers: callers.includes(i) ? [hosts[1 - i]!.address] : [],
      });
      for (const i of [1, 0] as const) await hosts[i].start(dutiesOf(i));
      for (const host of hosts) await host.pass(MINUTE);
      // From now on the second is shown a fork that left at 10, with the fork's tiles alone.
      sources[1].story = fork;
      for (const size of [13, 14, 17, 23]) {
        sources[1].size = size;
        await hosts[1].pass(MINUTE);
      }
      if (restarts) {
        await hosts[1].stop();
        await hosts[1].start(dutiesOf(1));
      }
      for (let round = 0; round < 4; round++) {
        for (const host of hosts) await host.pass(MINUTE);
      }
      const [first, second] = [await hosts[0].cases(), await hosts[1].cases()];
      assert(first.length > 0, "the first has recorded it");
      assertEquals(second, first);
      assertEquals(
        hosts[1].daemon!.status().logs[0]!.openQuestions,
        0,
        "what is proven is settled",
      );
      for (const host of hosts) host.assertOnlyDiskRefused();
    });
  }
}

/** Tells a host these checkpoints from an address; how many were answered. */
async function flood(
  { network, host, from, frames }: {
    network: FakeNetwork;
    host: Host;
    from: string;
    frames: readonly Uint8Array[];
  },
): Promise<void> {
  for (const frame of frames) {
    const connection = await network.at(from).connect(host.address, 1_000);
    await ask(connection, frame);
  }
  await settled();
}

Deno.test("daemon: a flood of genuine old checkpoints delays no look, and no case", async () => {
  const OLD = 1_200;
  const ours = grow(await logAt("log.invalid/shared"), OLD);
  const theirs = ours.fork();
  grow(ours, OLD + 20, "ours");
  grow(theirs, OLD + 20, "theirs");
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const hosts = [
    await Host.make({ network, number: 1, clock }),
    await Host.make({ network, number: 2, clock }),
  ] as const;
  await using _first = hosts[0];
  await using _second = hosts[1];
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
    await flood({ network, host, from: "192.0.2.7", frames: frames.slice(0, 900) });
    await flood({ network, host, from: "192.0.2.8", frames: frames.slice(900) });
  }
  sources[0].size = OLD + 20;
  sources[1].size = OLD + 20;
  for (let round = 0; round < 3; round++) await clock.advance(MINUTE).then(settled);
  const [first, second] = [await hosts[0].cases(), await hosts[1].cases()];
  assert(first.length > 0);
  assertEquals(second, first);
  const { openQuestions, leftOut, size } = hosts[0].daemon!.status().logs[0]!;
  assertEquals(size, `${OLD + 20}`, "it went on looking");
  assert(openQuestions <= QUESTION_LIMITS.stranger.questions, `${openQuestions} are open`);
  assert(leftOut! >= OLD - 1 - QUESTION_LIMITS.stranger.questions, `${leftOut} were left out`);
  assert(hosts[0].toldOf("exchange.left out").length <= 4, "it is told once a minute");
});
