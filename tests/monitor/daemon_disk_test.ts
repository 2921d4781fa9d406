/** Whole daemons in one process: a disk that refuses, a stop, a second daemon, a new start. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { DurabilityLost } from "../../src/world/durable.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { JournalLocked } from "../../src/store/journal.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { settled } from "../gossip/fake_network.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { Host, MINUTE, parted, Stage, type Told } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";
import { accountOf, hearBefore, resultsOf, served } from "./served.ts";

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
  assertEquals(one.toldOf("disk.recovered"), []);
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "extends");
  await one.pass(2 * MINUTE);
  const [{ fields, level }, ...more] = one.toldOf("disk.recovered") as [Told, ...Told[]];
  assertEquals([level, fields, more], [
    "info",
    { since: "2026-01-01T00:01:00.000Z", times: 10 },
    [],
  ]);
  one.assertOnlyDiskRefused();
});

Deno.test("daemon: a peer that answers again is not blamed for our own disk", async () => {
  const { log, source } = await served(20, 5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  const disk = one.refusableDisk();
  await one.start({ logs: [{ source }], peers: [two.address] });
  await stage.minutes(2);
  const troubles = () =>
    troublesOf(one.daemon!.status()).filter(({ text }) => text.startsWith("peer"))
      .map(({ text }) => text.replace(/^peer \S+ /, ""));
  assertMatch(troubles().join(), /^cannot be reached/);
  await two.start({ logs: [{ source: new ScriptedSource(log, 7) }] });
  disk.refuses = true;
  await stage.minutes(2);
  assertEquals(troubles(), ["answered, and our own disk or database refuses to write that down"]);
  assertEquals(one.toldOf("exchange.recovered").length, 1, "the peer is back");
  disk.refuses = false;
  await stage.minutes(2);
  assertEquals(troubles(), []);
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
