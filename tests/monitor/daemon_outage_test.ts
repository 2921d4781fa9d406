/** Whole daemons in one process: logs and peers that stand still, hang or cannot be reached. */
import { assert, assertEquals } from "@std/assert";
import { FolderFetcher } from "../../src/sources/fetcher.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { grow } from "../evidence/histories.ts";
import { DAY, Host, HOUR, logAt, MINUTE, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { accountOf, hearBefore, resultsOf, served } from "./served.ts";

Deno.test("daemon: a frozen log is told once, and again only after it has grown", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source, patienceMs: 10 * MINUTE }] });
  const once = ["info daemon.started", "info log.first 5", "debug log.unchanged 5"];
  await one.pass(10 * MINUTE);
  assertEquals(accountOf(one), once, "patience is not over");
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unchanged");
  await one.pass(MINUTE);
  once.push("warning log.frozen 5");
  assertEquals(accountOf(one), once);
  await one.pass(HOUR);
  // The second one is the summary.
  const frozen = (
    size: number,
  ): string[] => [`warning log.frozen ${size}`, `debug log.frozen ${size}`];
  once.push("debug log.frozen 5", ...frozen(5));
  assertEquals(accountOf(one), once);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "frozen");
  source.size = 6;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "extends");
  await one.pass(HOUR);
  assertEquals(accountOf(one), [
    ...[...once, "info log.recovered", "info log.extends 6", "debug log.unchanged 6"],
    ...[...frozen(6), ...frozen(6)],
  ]);
  assertEquals((await resultsOf(one)).filter((result) => result === "frozen").length, 2);
  assertEquals(await one.cases(), []);
});

Deno.test("daemon: a log that freezes with questions open is told of once as well", async () => {
  const { log, source } = await served(20, 15);
  await using one = await Host.make();
  await hearBefore(one, log, [3, 5, 7]);
  source.refusesProofFrom = () => true;
  await one.start({ logs: [{ source, patienceMs: 10 * MINUTE }] });
  await one.pass(30 * MINUTE);
  assertEquals(one.loud("log.frozen"), ["warning", "warning"], "its beginning and a summary");
  // Each once when it is tried first, and once when it has lasted.
  const levels = [...Array(3).fill("warning"), ...Array(3).fill("error")];
  assertEquals(one.loud("log.unproven"), levels);
});

Deno.test("daemon: a log that freezes over a restart is told of with the patience it had left", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  const duties = { logs: [{ source, patienceMs: 10 * MINUTE }] };
  await one.start(duties);
  await one.pass(8 * MINUTE);
  await one.stop();
  await one.start(duties);
  await one.pass(3 * MINUTE);
  assertEquals(one.loud("log.frozen"), ["warning"]);
});

Deno.test("daemon: a folder that never answers is an outage, and does not keep it from ending", async () => {
  const { log } = await served(5);
  await using one = await Host.make();
  const open = (): Promise<never> => new Promise(() => {});
  const world = { ...one.world, files: { ...one.world.files, open } };
  const folder = new TileSource({ fetcher: new FolderFetcher({ world, folder: "mounted" }) });
  await one.start({ logs: [{ source: Object.assign(folder, { story: log }) }] });
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unavailable");
  await one.stop();
  assertEquals(one.clock.pending, 0);
});

Deno.test("daemon: a checkpoint withheld is told once after patience, and is no incident", async () => {
  const { log, source } = await served(20, 5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(log, 9) }] });
  const logs = [{ source, patienceMs: 10 * MINUTE }];
  await one.start({ logs, peers: [two.address] });
  await one.pass(10 * MINUTE);
  assertEquals(one.toldOf("log.withheld").length, 0, "patience is not over");
  await one.pass(HOUR);
  const told = one.toldOf("log.withheld");
  assertEquals(told.map(({ level }) => level), ["warning", "warning"], "a summary as well");
  assertEquals((await resultsOf(one)).filter((result) => result === "withheld").length, 1);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 1, "it stays an open question");
  source.size = 9;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  assertEquals([one.daemon!.status().logs[0]!.size, await one.cases()], ["9", []]);
});

for (const pollMs of [5 * MINUTE, 15 * MINUTE]) {
  Deno.test(`daemon: a quiet log polled every ${pollMs / MINUTE} minutes fills no disk`, async () => {
    const { log } = await served(9);
    await using stage = await Stage.set();
    const { one, two } = stage;
    await two.start({ logs: [{ source: new ScriptedSource(log) }] });
    const logs = [{ source: new ScriptedSource(log), pollMs, patienceMs: 2 * DAY }];
    await one.start({ logs, peers: [two.address], gossipMs: pollMs });
    await one.pass(DAY);
    const results = await resultsOf(one);
    const plain = results.filter((result) => !result.includes("×"));
    assertEquals(plain, ["first", "matches", "unchanged"]);
    // One summary an hour of each of the two that repeat.
    assertEquals(results.length, 3 + 2 * 24);
    await one.stop();
    const polls = (await one.observations()).filter(({ observation: { via } }) => via === "poll")
      .reduce((sum, { observation: { repeats } }) => sum + (repeats ?? 1), 0);
    assertEquals(polls, DAY / pollMs + 1, "every poll is in the journal");
  });
}

Deno.test("daemon: a log that cannot be reached is asked less and less often", async () => {
  const { source } = await served(5);
  source.latestTrouble = "unavailable";
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  // After 1, 2, 4, 8, 16, 32 minutes, and then every hour.
  const asked: number[] = [];
  for (const minutes of [1, 1, 4, 8, 16, 32, 60, 60]) {
    await one.pass(minutes * MINUTE);
    asked.push(source.asked.latest);
  }
  assertEquals(asked, [1, 2, 3, 4, 5, 6, 7, 8]);
  source.latestTrouble = undefined;
  await one.pass(HOUR);
  const before = source.asked.latest;
  await one.pass(5 * MINUTE);
  assertEquals(source.asked.latest - before, 5, "and as often as ever once it answers");
});

Deno.test("daemon: a log that says when to come again is not asked before", async () => {
  const { source } = await served(5);
  source.latestTrouble = "unavailable";
  source.retryAfterMs = 3 * HOUR;
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  await one.pass(3 * HOUR - 1);
  assertEquals(source.asked.latest, 1);
  await one.pass(1);
  assertEquals(source.asked.latest, 2);
});

Deno.test("daemon: a log that hangs delays no other, nor any peer", async () => {
  const stuck = await served(5);
  const well = { log: grow(await logAt("log.invalid/two"), 9) };
  const source = new ScriptedSource(well.log, 4);
  stuck.source.latestTrouble = "hangs";
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({
    logs: [{ source: new ScriptedSource(well.log) }, { source: new ScriptedSource(stuck.log) }],
  });
  await one.start({ logs: [{ source: stuck.source }, { source }], peers: [two.address] });
  await one.pass(10 * MINUTE);
  assertEquals([stuck.source.asked.latest, source.asked.latest], [1, 11]);
  assertEquals(one.daemon!.status().peers[0]!.exchanges, 10);
  source.size = 9;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs.map(({ size }) => size), [undefined, "9"]);
  stuck.source.letGo();
});

Deno.test("daemon: peers that hang delay no other, nor any log", async () => {
  const { log, source } = await served(9);
  await using stage = await Stage.set();
  const { one, two } = stage;
  // It takes calls and says nothing.
  const silent = one.world.network.listen({ hostname: "203.0.113.9", port: 9900 });
  await two.start({ logs: [{ source: new ScriptedSource(log) }] });
  const peers = [silent.address, two.address];
  await one.start({ logs: [{ source }], peers, gossipMs: 10_000 });
  await one.pass(10 * MINUTE);
  const [hanging, answering] = one.daemon!.status().peers;
  assertEquals([answering!.exchanges, answering!.failures], [60, 0]);
  // One call at a time, each given up after its limit.
  assert(hanging!.exchanges > 10 && hanging!.exchanges <= 30, `${hanging!.exchanges}`);
  assert(hanging!.failures >= hanging!.exchanges - 1);
  assertEquals(source.asked.latest, 11);
  await one.stop();
  silent.close();
});
