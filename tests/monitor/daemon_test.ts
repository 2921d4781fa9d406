/** Whole daemons in one process: what they write, tell and do. */
import { MAX_WARNINGS_IN_WINDOW } from "../../src/monitor/warnings.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DurabilityLost } from "../../src/world/durable.ts";
import { JournalLocked } from "../../src/store/journal.ts";
import type { Observation } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { FolderFetcher } from "../../src/sources/fetcher.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { settled } from "../gossip/fake_network.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { DAY, Host, HOUR, logAt, MINUTE, parted, Stage, STATE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

/** A log of this many entries, and what serves it. */
async function served(entries: number, shown = entries) {
  const log = grow(await logAt(), entries);
  return { log, source: new ScriptedSource(log, shown) };
}

/** The results in a journal, in order, summaries marked by how often. */
async function resultsOf(host: Host): Promise<string[]> {
  return (await host.observations()).map(({ observation: { result, repeats } }) =>
    repeats === undefined ? result : `${result} ×${repeats}`
  );
}

/**
 * What a host told, in order: how loud, under which name, of which size. What it tells several times
 * in a row stands here once, and the upkeep of its journals, once an hour, not at all.
 */
function accountOf(host: Host): string[] {
  const lines = host.told.filter(({ name }) => name !== "daemon.upkeep")
    .map(({ level, name, fields: { size } }) =>
      `${level} ${name}${size === undefined ? "" : ` ${size}`}`
    );
  return lines.filter((line, i) => line !== lines[i - 1]);
}

/** Makes it as if peers had told these checkpoints before. */
async function hearBefore(
  host: Host,
  log: TestLog,
  sizes: readonly number[],
  source = "192.0.2.7",
): Promise<void> {
  const observations = await ObservationJournal.open({ world: host.world, folder: STATE });
  for (const size of sizes) {
    const { root, note } = await checkpointOf(log, size);
    const heard: Observation = {
      log: { origin: log.log.origin, vkey: log.log.vkey.text },
      ...{ via: "exchange", source, result: "pending" },
      checkpoint: { size: `${size}`, root, note },
    };
    await observations.observe(heard, host.clock.now().toISOString());
  }
  await observations.close();
}

Deno.test("daemon: two that are shown one story agree and record nothing", async () => {
  const { log } = await served(9);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(log) }] });
  await one.start({ logs: [{ source: new ScriptedSource(log) }], peers: [two.address] });
  await one.pass(MINUTE);
  // The first round asks with a note as well.
  assertEquals(one.daemon!.status().peers[0]!.matches, 2);
  // Whoever calls and is no peer of its own may say so any number of times: that is not written.
  assertEquals(await resultsOf(two), ["first"]);
  assertEquals(await resultsOf(one), ["first", "matches", "unchanged"]);
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 9"],
    ...["debug exchange.matches 9", "debug log.unchanged 9"],
  ]);
  // It calls nobody, and its own minute has not passed.
  assertEquals(accountOf(two), [
    ...["info daemon.started", "info log.first 9", "debug exchange.matches 9"],
  ]);
  assertEquals([await one.cases(), await two.cases()], [[], []]);
  assertEquals([one.refusals, two.refusals], [[], []]);
});

Deno.test("daemon: every poll is an entry, failures as faithfully as successes", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  const changes: readonly (() => void)[] = [
    () => source.size = 9,
    () => source.size = 7,
    () => source.latestTrouble = "garbage",
    () => source.latestTrouble = undefined,
    () => [source.size, source.proofTrouble] = [20, "refused"],
    () => source.proofTrouble = undefined,
  ];
  for (const change of changes) {
    change();
    await one.pass(2 * MINUTE);
  }
  await one.stop();
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 5"],
    ...["info log.extends 9", "debug log.unchanged 9"],
    ...["warning log.rolled back 7", "debug log.rolled back 7"],
    // After an outage it waits two minutes, and then finds what it found before.
    ...["warning log.unavailable", "info log.recovered", "debug log.rolled back 7"],
    ...["warning log.unproven 20", "debug log.unproven 20"],
    ...["info log.recovered", "info log.extends 20", "debug log.unchanged 20"],
    "info daemon.stopping",
  ]);
  // What is found again within the hour is counted, and written when it ends.
  assertEquals(await resultsOf(one), [
    ...["first", "extends", "unchanged", "rolled back", "unavailable", "unproven", "extends"],
    // Of 20: no repeat of what was said of 9.
    ...["unchanged", "rolled back ×3", "unproven ×1"],
  ]);
});

Deno.test("daemon: a proof that is refused is a warning at first, and an error once when that lasts", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  [source.size, source.proofTrouble] = [20, "refused"];
  await one.pass(3 * MINUTE);
  const before = ["info daemon.started", "info log.first 5", "warning log.unproven 20"];
  assertEquals(accountOf(one), [...before, "debug log.unproven 20"]);
  await one.pass(HOUR);
  assertEquals(accountOf(one), [
    ...[...before, "debug log.unproven 20"],
    ...["error log.unproven 20", "debug log.unproven 20"],
    // The summary.
    ...["error log.unproven 20", "debug log.unproven 20"],
  ]);
});

Deno.test("daemon: one look gives one line, also of a log below the view", async () => {
  const { source } = await served(20, 15);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  source.proofTrouble = "refused";
  for (const size of [5, 7, 9]) {
    source.size = size;
    await one.pass(MINUTE);
  }
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 15"],
    // Another reason is told once, until there is a summary.
    ...["warning log.unproven 5", "warning log.unproven 7", "debug log.unproven 9"],
  ]);
});

Deno.test("daemon: a question without a proof is a warning at first, and an error once when that lasts", async () => {
  const { log, source } = await served(20, 15);
  await using one = await Host.make();
  await hearBefore(one, log, [3, 5]);
  // Once a proof from 3 is missing for a moment, and one from 5 for good.
  let isGone = true;
  source.refusesProofFrom = (size) => size === 5n || (size === 3n && isGone);
  await one.start({ logs: [{ source }] });
  // In whatever order: which of two questions is tried first is left to their turns.
  const levels = (): string[] =>
    one.toldOf("log.unproven").map(({ level, fields }) => `${level} ${fields.size}`).toSorted();
  assertEquals(levels(), ["warning 3", "warning 5"]);
  isGone = false;
  await one.pass(4 * MINUTE);
  assertEquals(levels(), ["warning 3", "warning 5"]);
  await one.pass(DAY);
  assertEquals(levels(), ["error 5", "warning 3", "warning 5"]);
});

Deno.test("daemon: a question whose proof is given and leads nowhere is an error at once", async () => {
  const { log, source } = await served(20, 15);
  await using one = await Host.make();
  await hearBefore(one, log, [3]);
  source.proofTrouble = "wrong";
  await one.start({ logs: [{ source }] });
  const expected = ["info daemon.started", "info log.first 15", "error log.unproven 3"];
  assertEquals(accountOf(one), expected);
  assertEquals(one.toldOf("log.unproven").length, 1);
  await one.pass(DAY);
  assertEquals(one.toldOf("log.unproven").length, 1);
  assertEquals(accountOf(one), [...expected, "debug log.unchanged 15"]);
});

Deno.test("daemon: a proof that is given and leads nowhere is an error at once", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  [source.size, source.proofTrouble] = [20, "wrong"];
  await one.pass(MINUTE);
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 5", "error log.unproven 20"],
  ]);
});

Deno.test("daemon: status gives its numbers", async () => {
  const { log, source } = await served(20, 5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(log, 9) }] });
  const daemon = await one.start({ logs: [{ source }], peers: [two.address] });
  const { name, vkey, startedAt, incidents, unwritten } = daemon.status();
  assertEquals([name, vkey.startsWith(`${name}+`)], ["monitor.invalid/1", true]);
  assertEquals([startedAt, incidents, unwritten], ["2026-01-01T00:00:00.000Z", 0, false]);
  await one.pass(MINUTE);
  const { now, logs: [watched], peers: [peer] } = daemon.status();
  assertEquals(now, "2026-01-01T00:01:00.000Z");
  const { lastDetail: _, ...numbers } = watched!;
  assertEquals(numbers, {
    ...{ origin: log.log.origin, vkey: log.log.vkey.text },
    ...{ size: "5", root: base64(log.root(5n)), grewAt: startedAt },
    ...{ lastResult: "unchanged", lastLookAt: now, incidents: 0, openQuestions: 1 },
    sharedBy: 1,
    counts: { first: 1, unchanged: 1 },
  });
  assertEquals(peer, {
    ...{ address: "198.51.100.2:9900", lastExchangeAt: now, lastResult: "pending" },
    ...{ sharedLogs: 1, exchanges: 1, failures: 0, matches: 0, conflicts: 0 },
  });
  source.size = 12;
  await one.pass(MINUTE);
  const { logs: [later] } = daemon.status();
  assertEquals([later!.size, later!.grewAt], ["12", "2026-01-01T00:02:00.000Z"]);
  assertEquals([later!.openQuestions, later!.lastResult], [0, "extends"]);
  assertEquals(later!.counts, { first: 1, unchanged: 1, extends: 1, consistent: 1 });
});

Deno.test("daemon: what happens is told under stable names, in order", async () => {
  const [log, theirs] = await parted({ at: 4, sizes: [20, 12] });
  const source = new ScriptedSource(log, 4);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(theirs) }] });
  await one.start({ logs: [{ source }], peers: [two.address] });
  one.online = false;
  await one.pass(MINUTE);
  one.online = true;
  await one.pass(MINUTE);
  source.size = 15;
  await one.pass(MINUTE);
  await one.stop();
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 4"],
    ...["warning exchange.failed", "debug log.unchanged 4"],
    ...["debug exchange.pending 12", "info exchange.recovered", "debug log.unchanged 4"],
    ...["debug exchange.pending 12", "info log.extends 15"],
    // The case is written before anything is told of it.
    ...["error incident.recorded", "error log.inconsistent 12"],
    // Its peer is told at once, whose answer is what it said before.
    ...["debug exchange.pending 12", "info exchange.handed over"],
    "info daemon.stopping",
  ]);
  assertEquals(one.told[0]!.fields, {
    ...{ name: "monitor.invalid/1", listen: "198.51.100.1:9900", logs: 1, peers: 1 },
  });
  const [{ fields }] = one.toldOf("incident.recorded") as [ReturnType<Host["toldOf"]>[0]];
  assertEquals(fields, {
    ...{ kind: "cross_size", origin: log.log.origin, evidence_id: (await one.cases())[0] },
    ...{ sizes: ["12", "15"], incident: 1 },
  });
});

Deno.test("daemon: nothing advances and nothing is answered that is not durable", async () => {
  const { log, source } = await served(20, 5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  const disk = one.refusableDisk();
  await one.start({ logs: [{ source }] });
  await two.start({ logs: [{ source: new ScriptedSource(log, 7) }], peers: [one.address] });
  disk.refuses = true;
  source.size = 9;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.size, "5");
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 5", "error disk.refused"],
  ]);
  await two.pass(MINUTE);
  assertEquals(two.toldOf("exchange.failed").length, 1, "it gets no answer");
  assertEquals(await resultsOf(one), ["first"]);
  disk.refuses = false;
  await one.pass(2 * MINUTE);
  await two.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.size, "9");
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  const results = await resultsOf(one);
  assertEquals(results.filter((result) => result === "extends"), ["extends"]);
  const [heard] = (await one.observations())
    .filter(({ observation }) => observation.result === "consistent");
  assertEquals(heard?.observation.checkpoint?.size, "7", "what was told meanwhile is not lost");
  one.assertOnlyDiskRefused();
});

Deno.test("daemon: a full disk is our fault in the status, and the log is looked at at its own pace", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  const disk = one.refusableDisk();
  await one.start({ logs: [{ source }] });
  disk.refuses = true;
  const before = source.asked.latest;
  for (let size = 6; size < 16; size++) {
    source.size = size;
    await one.pass(MINUTE);
  }
  assertEquals(source.asked.latest - before, 10, "one a minute");
  const { lastResult, lastDetail, counts } = one.daemon!.status().logs[0]!;
  assertEquals(lastResult, "not written");
  assertStringIncludes(lastDetail!, "No space left on device");
  assertEquals(counts, { first: 1, "not written": 10 });
  disk.refuses = false;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "extends");
  one.assertOnlyDiskRefused();
});

Deno.test("daemon: a full disk gives a line a minute, however many call", async () => {
  await using one = await Host.make();
  const { log, source } = await served(200, 5);
  const disk = one.refusableDisk();
  await one.start({ logs: [{ source }] });
  disk.refuses = true;
  for (let size = 10; size < 110; size++) {
    const { frame } = await checkpointOf(log, size);
    assertEquals(await one.hear([frame]), 0, "nothing is answered");
  }
  assertEquals(one.toldOf("disk.refused").length, 1);
  await one.pass(MINUTE);
  // The other 99 calls, and a look.
  assertEquals(one.toldOf("disk.refused").map(({ fields: { more } }) => more), [undefined, 100]);
});

Deno.test("daemon: a case that cannot be written is told once with its record, and written later", async () => {
  const [log, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const source = new ScriptedSource(log, 9);
  await using stage = await Stage.set();
  const { one, two } = stage;
  const disk = one.refusableDisk();
  await one.start({ logs: [{ source }] });
  await two.start({ logs: [{ source: new ScriptedSource(theirs, 9) }], peers: [one.address] });
  disk.refuses = true;
  for (let i = 0; i < 3; i++) {
    await two.pass(MINUTE);
    await one.pass(MINUTE);
  }
  const told = one.toldOf("incident.not written");
  assertEquals(told.length, 1);
  assert(told[0]!.fields.record !== undefined, "where the evidence is nowhere else, it is there");
  assertEquals(one.daemon!.status().unwritten, true);
  assertEquals([await one.cases(), await two.cases()], [[], []], "nobody is told before it is");
  disk.refuses = false;
  await two.pass(MINUTE);
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().unwritten, false);
  assertEquals((await one.cases()).length, 1);
  assertEquals(await two.cases(), await one.cases());
  one.assertOnlyDiskRefused();
});

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

Deno.test("daemon: no more questions are settled after one look than there is a limit for", async () => {
  const { log, source } = await served(110);
  await using one = await Host.make();
  await hearBefore(one, log, Array.from({ length: 100 }, (_, i) => i + 1));
  await one.start({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 36);
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  assertEquals(one.daemon!.status().logs[0]!.counts.consistent, 100);
});

Deno.test("daemon: questions that cannot be settled keep no other from being settled", async () => {
  const { log, source } = await served(110);
  await using one = await Host.make();
  await hearBefore(one, log, Array.from({ length: 100 }, (_, i) => i + 1));
  source.refusesProofFrom = (older) => older <= 64n;
  await one.start({ logs: [{ source }] });
  await one.pass(3 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 64);
  source.refusesProofFrom = () => false;
  // They were refused a few times, and are asked about ever less often.
  await one.pass(15 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
});

Deno.test("daemon: an outage of a log's proofs is met once a look, not once a question", async () => {
  const { log, source } = await served(110);
  await using one = await Host.make();
  await hearBefore(one, log, Array.from({ length: 100 }, (_, i) => i + 1));
  source.proofTrouble = "unavailable";
  await one.start({ logs: [{ source }] });
  assertEquals(source.asked, { latest: 1, consistency: 1 });
  await one.pass(5 * MINUTE);
  assertEquals(source.asked, { latest: 6, consistency: 6 });
  source.proofTrouble = undefined;
  // First those that were not tried yet, 64 at a look, and then the six that were.
  await one.pass(3 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
});

for (const trouble of ["refused", "unavailable"] as const) {
  Deno.test(`daemon: what the log showed while its proofs were ${trouble} is compared later`, async () => {
    const [log, theirs] = await parted({ at: 9, sizes: [20, 12] });
    const source = new ScriptedSource(log, 9);
    await using one = await Host.make();
    await one.start({ logs: [{ source }] });
    source.story = theirs;
    [source.size, source.proofTrouble] = [12, trouble];
    await one.pass(MINUTE);
    assertEquals(await one.cases(), []);
    source.story = log;
    [source.size, source.proofTrouble] = [15, undefined];
    await one.pass(5 * MINUTE);
    assertEquals(one.daemon!.status().logs[0]!.size, "15");
    assertEquals((await one.cases()).length, 1, "it signed 12 of one tree and 15 of another");
    assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  });

  Deno.test(`daemon: what a peer told stays a question while the log's proofs are ${trouble}`, async () => {
    const [log, theirs] = await parted({ at: 9, sizes: [20, 12] });
    const source = new ScriptedSource(log, 9);
    await using one = await Host.make();
    await hearBefore(one, theirs, [12]);
    await one.start({ logs: [{ source }] });
    source.story = theirs;
    [source.size, source.proofTrouble] = [12, trouble];
    await one.pass(MINUTE);
    source.story = log;
    [source.size, source.proofTrouble] = [15, undefined];
    await one.pass(5 * MINUTE);
    assertEquals((await one.cases()).length, 1);
  });
}

Deno.test("daemon: honest growth while proofs are refused leaves no question and no incident", async () => {
  const { source } = await served(20, 9);
  await using one = await Host.make();
  await one.start({ logs: [{ source, patienceMs: 10 * MINUTE }] });
  [source.size, source.proofTrouble] = [12, "refused"];
  await one.pass(HOUR);
  const results = await resultsOf(one);
  assert(results.length < 10, `${results}`);
  assertEquals(one.toldOf("log.withheld"), [], "the log itself has shown it");
  [source.size, source.proofTrouble] = [15, undefined];
  await one.pass(MINUTE);
  const { size, openQuestions } = one.daemon!.status().logs[0]!;
  assertEquals([size, openQuestions, await one.cases()], ["15", 0, []]);
});

Deno.test("daemon: a stop lets a look that is under way finish, and write", async () => {
  const { log, source } = await served(20, 5);
  await using one = await Host.make();
  const duties = { logs: [{ source }] };
  const daemon = await one.start(duties);
  await one.pass(3 * MINUTE);
  const late = Promise.withResolvers<void>();
  const latest = source.latest.bind(source);
  source.latest = async () => {
    await late.promise;
    return await latest();
  };
  source.size = 9;
  await one.pass(MINUTE);
  daemon.stop();
  await settled();
  late.resolve();
  await one.stop();
  // What was counted is written as well.
  assertEquals(await resultsOf(one), ["first", "unchanged", "extends", "unchanged ×2"]);
  await one.start(duties);
  assertEquals(one.daemon!.status().logs[0]!.root, base64(log.root(9n)), "the lock is free");
});

Deno.test("daemon: a second one on the same folders is refused, and the first goes on", async () => {
  const { log, source } = await served(9, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  const again = { logs: [{ source: new ScriptedSource(log) }] };
  await assertRejects(() => one.open(again), JournalLocked);
  await assertRejects(() => one.open({ ...again, state: "home/elsewhere" }), JournalLocked);
  source.size = 9;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.size, "9");
  await one.stop();
  // Nothing of the refused ones is left locked.
  await one.start({ ...again, state: "home/elsewhere" });
  await one.stop();
  await one.start(again);
  assertEquals(one.daemon!.status().logs[0]!.size, "9");
});

Deno.test("daemon: an address that calls badly is warned of once a minute, however often it calls", async () => {
  const { source } = await served(9);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  const frame = new Uint8Array(FRAME_BYTES).fill(7);
  const levels: string[] = [];
  for (const after of [0, 1, 58_999, 1_000]) {
    await one.pass(after);
    assertEquals(await one.hear([frame, frame, frame]), 0);
    levels.push(one.toldOf("exchange.refused").slice(-3).map(({ level }) => level[0]).join(""));
  }
  assertEquals(levels, ["wdd", "ddd", "ddd", "wdd"]);
});

Deno.test("daemon: however many addresses call badly, warnings have a bound, and the rest is counted", async () => {
  const { source } = await served(9);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  const frame = new Uint8Array(FRAME_BYTES).fill(7);
  const callers = 2 * MAX_WARNINGS_IN_WINDOW;
  for (let i = 0; i < callers; i++) {
    await one.hear([frame], `198.51.100.${i}`);
  }
  const events = ["exchange.refused", "exchange.failed"] as const;
  const loud = events.flatMap((name) => one.toldOf(name)).filter(({ level }) =>
    level === "warning"
  );
  assertEquals(loud.length, MAX_WARNINGS_IN_WINDOW);
  await one.pass(MINUTE);
  const leftOut = one.toldOf("warnings.left_out").map(({ level }) => level);
  assertEquals(leftOut, ["warning"]);
});

Deno.test("daemon: who tells many checkpoints keeps nobody else's waiting", async () => {
  const { log, source } = await served(300);
  await using one = await Host.make();
  // More than are settled at one look, and all of them larger than what somebody else told.
  await hearBefore(one, log, Array.from({ length: 200 }, (_, i) => 100 + i), "192.0.2.66");
  await hearBefore(one, log, [3, 2], "192.0.2.7");
  await one.start({ logs: [{ source }] });
  await one.stop();
  const seen = (await one.observations()).map(({ observation }) => observation);
  const heard = seen.filter(({ result }) => result === "pending");
  const sources = seen.filter(({ result }) => result === "consistent")
    .flatMap(({ checkpoint, settled = [] }) => [...(checkpoint ? [checkpoint] : []), ...settled])
    .map(({ size }) => heard.find(({ checkpoint }) => checkpoint?.size === size)!.source);
  assert(sources.length < 200, "not all at once");
  assertEquals(sources.slice(0, 4).sort(), ["192.0.2.66", "192.0.2.66", "192.0.2.7", "192.0.2.7"]);
});

Deno.test("daemon: one that can write a journal no more ends by itself, and a start goes on", async () => {
  const { log, source } = await served(9, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  // Neither the write nor cutting it back succeeds.
  one.disk.fail({ at: 1, when: "before", lasting: true });
  source.size = 9;
  await noteOf(log, 9);
  await one.pass(MINUTE);
  assertEquals(one.toldOf("daemon.stopping").length, 1);
  one.disk.fail(undefined);
  await assertRejects(() => one.stop(), DurabilityLost, "Cannot write");
  await one.start({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.size, "9");
  assertEquals(await resultsOf(one), ["first", "extends"]);
});

Deno.test("daemon: it starts with what it knew, and without its index as well", async () => {
  const { log, source } = await served(20, 12);
  await using one = await Host.make();
  const duties = { logs: [{ source }] };
  await hearBefore(one, log, [15]);
  await one.start(duties);
  await one.stop();
  source.size = 7;
  for (const loses of ["nothing", "the index"]) {
    if (loses === "the index") one.databases.clear();
    await one.start(duties);
    const { size, openQuestions, lastResult } = one.daemon!.status().logs[0]!;
    assertEquals([size, openQuestions, lastResult], ["12", 1, "rolled back"], loses);
    await one.stop();
  }
});

Deno.test("daemon: once looks, exchanges and says whether all of it could be done", async () => {
  const [log, theirs] = await parted({ at: 9, sizes: [20, 12] });
  const source = new ScriptedSource(log, 15);
  await using stage = await Stage.set();
  const { one, two } = stage;
  const honest = new ScriptedSource(grow(await logAt("honest.invalid/log"), 4));
  await two.start({ logs: [{ source: honest }, { source: new ScriptedSource(theirs, 12) }] });
  const daemon = await one.open({
    logs: [{ source: honest }, { source }],
    peers: [two.address],
  });
  assertEquals(await daemon.once(), true);
  assertEquals(daemon.incidents, 1);
  assertEquals(daemon.status().logs.map(({ incidents }) => incidents), [0, 1]);
  await daemon.close();
  assertEquals((await one.cases()).length, 1);
  assertEquals(await two.cases(), await one.cases(), "the peer was handed it");
});

for (const what of ["the log", "its proofs", "a peer"] as const) {
  Deno.test(`daemon: once says that not all could be done without ${what}`, async () => {
    const { log, source } = await served(20, 9);
    await using stage = await Stage.set();
    const { one, two } = stage;
    if (what !== "a peer") await two.start({ logs: [{ source: new ScriptedSource(log) }] });
    const daemon = await one.open({ logs: [{ source }], peers: [two.address] });
    if (what === "its proofs") {
      await daemon.once();
      [source.size, source.proofTrouble] = [20, "refused"];
    }
    if (what === "the log") source.latestTrouble = "unavailable";
    assertEquals(await daemon.once(), false);
    await daemon.close();
    assertEquals(daemon.incidents, 0);
  });
}

Deno.test("daemon: a log's note under another key is an outage to it", async () => {
  const { source } = await served(9, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  source.latestTrouble = { note: await noteOf(grow(await logAt(), 9)) };
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unavailable");
  assertEquals(await one.cases(), []);
});

Deno.test("daemon: an exchange that fails is an entry as well, and its repeats are counted", async () => {
  const { source } = await served(5);
  await using stage = await Stage.set();
  const { one, two } = stage; // It never starts.
  await one.start({ logs: [{ source }], peers: [two.address] });
  await one.pass(10 * MINUTE);
  const failures = (await one.observations()).filter(({ observation: { via, result } }) =>
    via === "exchange" && result === "unavailable"
  );
  assertEquals(failures.length, 1);
  assert(failures[0]!.observation.detail!.includes("cannot be reached"));
  assert(one.daemon!.status().peers[0]!.failures > 5);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unchanged", "the log is well");
});

Deno.test("daemon: a case settled from what a peer told counts as that peer's contradiction", async () => {
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 6] });
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(theirs) }] });
  await one.start({ logs: [{ source: new ScriptedSource(ours) }], peers: [two.address] });
  await one.pass(2 * MINUTE);
  assertEquals((await one.cases()).length, 1);
  assert(one.daemon!.status().peers[0]!.conflicts >= 1);
});
