/** A daemon with a peer that is an endpoint of sourcespotter. */
import { assertEquals, assertMatch } from "@std/assert";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { grow } from "../evidence/histories.ts";
import { FakeSpotter } from "../gossip/fake_spotter.ts";
import { logAt, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const SPOTTERS = ["https://gossip.invalid/log"];

Deno.test("sourcespotter: a daemon compares with it in every round, and all is well", async () => {
  await using stage = await Stage.set({ count: 1 });
  const { one } = stage;
  const log = grow(await logAt(), 9);
  const spotter = new FakeSpotter(log);
  one.http = spotter.http;
  const daemon = await one.start({
    logs: [{ source: new ScriptedSource(log) }],
    spotters: SPOTTERS,
  });
  await stage.minutes(4);
  const { peers, logs } = daemon.status();
  assertEquals(peers.map(({ address, sharedLogs }) => [address, sharedLogs]), [[SPOTTERS[0], 1]]);
  assertEquals([logs[0]!.sharedBy, troublesOf(daemon.status())], [1, []]);
  assertEquals(spotter.told.size, 1);
});

for (const [sizes, kind] of [[[12, 12], "same_size"], [[12, 17], "cross_size"]] as const) {
  Deno.test(`sourcespotter: a split between it and a daemon is recorded, ${kind}, and it is told both halves`, async () => {
    await using stage = await Stage.set({ count: 1 });
    const { one } = stage;
    const [ours, theirs] = await parted({ at: 7, sizes });
    const spotter = new FakeSpotter(theirs);
    one.http = spotter.http;
    const source = new ScriptedSource(ours);
    await one.start({ logs: [{ source }], spotters: SPOTTERS });
    await stage.minutes(3);
    // Until our view reaches its size nothing is proven, if that is larger.
    source.story.treeSize < 17 && grow(ours, 20, "ours");
    source.size = Number(ours.treeSize);
    await stage.minutes(6);
    const records = await one.records();
    assertEquals(records.map((record) => record.kind), [kind]);
    assertEquals((await one.cases()).length, 1);
    const { checkpoint_a, checkpoint_b } = records[0]!;
    for (const { size, root } of [checkpoint_a, checkpoint_b]) {
      assertEquals(spotter.told.has(`${size} ${root}`), true, `it was told size ${size}`);
    }
  });
}

Deno.test("sourcespotter: its word alone makes no case, and stands in the status", async () => {
  await using stage = await Stage.set({ count: 1 });
  const { one } = stage;
  const log = grow(await logAt(), 9);
  const spotter = new FakeSpotter(log);
  spotter.instead = (method) => method === "POST" ? { body: "inconsistent: uh oh\n" } : undefined;
  one.http = spotter.http;
  const daemon = await one.start({
    logs: [{ source: new ScriptedSource(log) }],
    spotters: SPOTTERS,
  });
  await stage.minutes(3);
  assertEquals(await one.cases(), []);
  const [trouble] = troublesOf(daemon.status());
  assertMatch(trouble!.text, /says that size 9 is not consistent .* proves nothing/);
});

Deno.test("sourcespotter: one that is away is an outage of a peer", async () => {
  await using stage = await Stage.set({ count: 1 });
  const { one } = stage;
  const log = grow(await logAt(), 9);
  const spotter = new FakeSpotter(log);
  spotter.instead = () => ({ status: 500 });
  one.http = spotter.http;
  const daemon = await one.start({
    logs: [{ source: new ScriptedSource(log) }],
    spotters: SPOTTERS,
  });
  await stage.minutes(3);
  assertEquals(one.loud("exchange.failed"), ["warning"]);
  assertMatch(troublesOf(daemon.status())[0]!.text, /gossip\.invalid\/log .*HTTP status 500/);
});
