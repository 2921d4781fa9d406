/** Whole daemons in one process: what they write, tell and do. */
import { MAX_WARNINGS_IN_WINDOW } from "../../src/monitor/warnings.ts";
import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../../src/world/version.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { Host, logAt, MINUTE, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { accountOf, hearBefore, resultsOf, served } from "./served.ts";

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
  const { lastDetail: _, nextLookAt: _nextLook, ...numbers } = watched!;
  assertEquals(numbers, {
    ...{ origin: log.log.origin, vkey: log.log.vkey.text },
    ...{ size: "5", root: base64(log.root(5n)), grewAt: startedAt },
    ...{ lastResult: "unchanged", resultSince: now, lastLookAt: now },
    ...{ incidents: 0, openQuestions: 1, waitingOthers: 1 },
    sharedBy: 1,
    counts: { first: 1, unchanged: 1 },
  });
  const { nextCallAt: _nextCall, ...counted } = peer!;
  assertEquals(counted, {
    ...{ address: "198.51.100.2:9900", lastExchangeAt: now, lastResult: "pending" },
    ...{ sharedLogs: 1, exchanges: 1, failures: 0, matches: 0, conflicts: 0 },
    software: `hearsay/${VERSION}`,
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
    // The log is frozen from the case on; this is when the journal says so.
    "error incident.step",
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

Deno.test("daemon: one that waits for callers is not well until somebody has compared with it", async () => {
  const { log, source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  const troubles = () => troublesOf(one.daemon!.status()).map(({ text }) => text);
  assertEquals(troubles(), [], "it has only begun");
  await one.pass(3 * MINUTE);
  const says = "nothing was compared yet: no peer is configured, and nobody has called";
  assertEquals(troubles(), [says]);
  await one.hear([new Uint8Array(FRAME_BYTES)]);
  assertEquals(troubles(), [says], "who has seen nothing compares nothing");
  await one.hear([(await checkpointOf(log, 5)).frame]);
  assertEquals(troubles(), []);
});
