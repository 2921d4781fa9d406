/** A log that goes on under a new key is held to what it signed under the old one. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import type { Finding } from "../../src/monitor/finding.ts";
import { LogWatch } from "../../src/monitor/watch.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { observedCheckpoint } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { formatKeyId } from "../../src/tlog/vkey.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { ask } from "../gossip/helpers.ts";
import { signing } from "../sim/signing.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { MemoryDatabases } from "../store/observing.ts";
import { Host, logAt, MINUTE, Stage, STATE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

const WORLD = { ...denoWorld(), signing };

function rotated(log: TestLog, origin?: string): Promise<TestLog> {
  return log.rotated({ world: WORLD, ...(origin !== undefined && { origin }) });
}

/**
 * A log up to a size, and the log that goes on with it under a new key. `theirs` is a second story that
 * the old key tells from size 3 on.
 */
async function rotation(
  { size = 9, grown = 20, theirs: told = 11 } = {},
): Promise<{ old: TestLog; fresh: TestLog; theirs: TestLog }> {
  const old = grow(await logAt(), 3);
  const theirs = grow(old.fork(), told, "theirs");
  grow(old, size);
  return { old, fresh: grow(await rotated(old), grown), theirs };
}

/** The same, but under the new key history was written anew from this size on. */
async function rewriting(
  { size = 9, from = 5, grown = 20 } = {},
): Promise<{ old: TestLog; fresh: TestLog }> {
  const old = grow(await logAt(), from);
  const fresh = grow(await rotated(old), grown, "rewritten");
  return { old: grow(old, size), fresh };
}

function sizesTo(most: number): number[] {
  return Array.from({ length: most + 1 }, (_, size) => size);
}

/** A watch of the new log, held to a view of the old one. */
async function watching(
  { old, fresh }: { old: TestLog; fresh: TestLog },
  { view, shown }: { view: number; shown?: number },
): Promise<{ watch: LogWatch; source: ScriptedSource; detector: EquivocationDetector }> {
  const source = new ScriptedSource(fresh, shown);
  const detector = new EquivocationDetector();
  const oldView = await checkpointOf(old, view);
  detector.observe(oldView, "the log");
  const replaced = { log: old.log, view: () => oldView };
  return { watch: new LogWatch({ log: fresh.log, source, detector, replaced }), source, detector };
}

for (const [view, shown] of [[1, 2], [4, 5], [7, 20], [8, 20], [9, 9], [0, 0], [0, 20], [8, 9]]) {
  Deno.test(`rotation: size ${shown} is the first once it is proven to continue size ${view}`, async () => {
    const logs = await rotation();
    const { watch, detector } = await watching(logs, { view: view!, shown: shown! });
    const finding = await watch.poll();
    assertEquals(finding.result, "first");
    assert(finding.detail!.includes(formatKeyId(logs.old.log.vkey.keyId)), finding.detail);
    assert(watch.advance(finding));
    const again = await watch.poll();
    assertEquals([again.result, again.detail], ["unchanged", undefined]);
    assertEquals(detector.conflicts(), []);
  });
}

for (const [view, shown] of [[6, 20], [8, 20], [9, 9], [9, 10]]) {
  Deno.test(`rotation: size ${shown} of a history written anew is unproven at a view of ${view}, and no case`, async () => {
    const logs = await rewriting();
    const { watch, detector } = await watching(logs, { view: view!, shown: shown! });
    for (let look = 0; look < 2; look++) {
      const finding = await watch.poll();
      assertEquals([finding.result, finding.mayPass ?? false], ["unproven", false]);
      assertMatch(finding.detail!, /does not continue what .* signed at size/);
      assertEquals(watch.advance(finding), false);
    }
    assertEquals([watch.view, detector.conflicts()], [undefined, []]);
  });
}

Deno.test("rotation: a first is taken if and only if it has all that the old key signed, whatever the sizes", async () => {
  const most = 9;
  const old = grow(await logAt(), most);
  const oldViews = await Promise.all(sizesTo(most).map((size) => checkpointOf(old, size)));
  const root = await rotated(await logAt());
  for (const from of sizesTo(most)) {
    // The same as the old one below this size, and other entries from there on.
    const fresh = grow(grow(root.fork(), from), most, "rewritten");
    for (const oldView of oldViews) {
      for (const shown of sizesTo(most)) {
        const source = new ScriptedSource(fresh, shown);
        const detector = new EquivocationDetector();
        const replaced = { log: old.log, view: () => oldView };
        const watch = new LogWatch({ log: fresh.log, source, detector, replaced });
        const { result } = await watch.poll();
        const size = Number(oldView.treeSize);
        const continues = size <= shown && size <= from;
        assertEquals(result, continues ? "first" : "unproven", `${size} ${from} ${shown}`);
        assertEquals(detector.conflicts(), []);
      }
    }
  }
});

Deno.test("rotation: what was rewritten above the old view is not held against anybody", async () => {
  const logs = await rewriting({ size: 9, from: 5 });
  const { watch } = await watching(logs, { view: 5, shown: 20 });
  assertEquals((await watch.poll()).result, "first");
});

Deno.test("rotation: a smaller size than the old key signed is not the first, and may pass", async () => {
  const logs = await rotation({ size: 9, grown: 20 });
  const { watch, source } = await watching(logs, { view: 9, shown: 8 });
  const finding = await watch.poll();
  assertEquals([finding.result, finding.mayPass], ["unproven", true]);
  assertMatch(finding.detail!, /^size 8 does not reach what .* signed at size 9/);
  assertEquals(watch.advance(finding), false);
  source.size = 0;
  assertEquals((await watch.poll()).result, "unproven", "the empty tree is no exception");
  source.size = 9;
  assertEquals((await watch.poll()).result, "first");
});

Deno.test("rotation: a proof that is refused, wrong or not to be had makes no first", async () => {
  const logs = await rotation();
  for (
    const [trouble, result, mayPass] of [
      ["refused", "unproven", true],
      ["wrong", "unproven", false],
      ["unavailable", "unavailable", false],
    ] as const
  ) {
    const { watch, source } = await watching(logs, { view: 7, shown: 20 });
    source.proofTrouble = trouble;
    const finding = await watch.poll();
    assertEquals([finding.result, finding.mayPass ?? false], [result, mayPass]);
    assertEquals(finding.checkpoint?.treeSize, 20n);
    assertEquals(watch.advance(finding), false);
    source.proofTrouble = undefined;
    assertEquals((await watch.poll()).result, "first");
  }
});

Deno.test("rotation: what was proven and never written down vouches for no other history", async () => {
  const old = grow(await logAt(), 5);
  const fresh = await rotated(old);
  const bad = grow(fresh.fork(), 30, "rewritten");
  const { watch, source } = await watching(
    { old: grow(old, 9), fresh: grow(fresh, 20) },
    { view: 9, shown: 12 },
  );
  assertEquals((await watch.poll()).result, "first"); // The disk refuses it.
  source.story = bad;
  source.size = 30;
  assertEquals((await watch.poll()).result, "unproven");
});

Deno.test("rotation: a log followed before without its old key is held to it from the next look on", async () => {
  const logs = await rewriting();
  const { source, detector } = await watching(logs, { view: 9, shown: 20 });
  const oldView = await checkpointOf(logs.old, 9);
  const view = await checkpointOf(logs.fresh, 12);
  const replaced = { log: logs.old.log, view: (): VerifiedCheckpoint => oldView };
  const watch = new LogWatch({ log: logs.fresh.log, source, detector, view, replaced });
  for (const size of [20, 12, 4]) {
    source.size = size;
    const finding = await watch.poll();
    assertEquals(finding.result, "unproven", `at size ${size}`);
    assertEquals(watch.advance(finding), false);
  }
});

Deno.test("rotation: an old checkpoint of the new key is rolled back, whatever its size", async () => {
  const { old, fresh } = await rotation();
  const { source, detector } = await watching({ old, fresh }, { view: 9, shown: 4 });
  const [view, oldView] = [await checkpointOf(fresh, 20), await checkpointOf(old, 9)];
  const replaced = { log: old.log, view: (): VerifiedCheckpoint => oldView };
  const watch = new LogWatch({ log: fresh.log, source, detector, view, replaced });
  const finding = await watch.poll();
  assertEquals(finding.result, "rolled back");
  assertMatch(finding.detail!, /it is proven to continue/);
});

Deno.test("rotation: what the new key contradicts of itself is a case, whatever it continues", async () => {
  const { old, fresh } = await rewriting({ grown: 19 });
  const other = grow(fresh.fork(), 20, "another");
  const { watch, source, detector } = await watching(
    { old, fresh: grow(fresh, 20) },
    { view: 9, shown: 20 },
  );
  await watch.poll();
  source.story = other;
  const finding = await watch.poll();
  assertEquals(finding.result, "inconsistent");
  assertEquals(detector.conflicts().map(({ kind }) => kind), ["same_size"]);
});

Deno.test("rotation: checkpoints under the old key are settled by the old view and by the new one", async () => {
  const logs = await rotation({ size: 12 });
  const { watch } = await watching(logs, { view: 9, shown: 20 });
  const heard = async (log: TestLog, size: number): Promise<Finding> =>
    await watch.settle(await checkpointOf(log, size), "192.0.2.7");
  assertEquals((await heard(logs.old, 12)).result, "pending", "nothing reaches it yet");
  assertEquals((await heard(logs.old, 4)).result, "consistent", "the old view has it");
  assert(watch.advance(await watch.poll()));
  for (const size of [4, 9, 10, 12]) {
    const { result, log } = await heard(logs.old, size);
    assertEquals([result, log], ["consistent", logs.old.log], `size ${size}`);
  }
  const above = await heard(logs.theirs, 11);
  assertEquals(above.result, "unproven", "two keys are no evidence");
});

Deno.test("rotation: below the old view the old key can still be convicted", async () => {
  const { old, fresh, theirs } = await rotation({ theirs: 7 });
  const { watch, detector } = await watching({ old, fresh }, { view: 9, shown: 20 });
  assert(watch.advance(await watch.poll()));
  const finding = await watch.settle(await checkpointOf(theirs, 7), "192.0.2.7");
  assertEquals(finding.result, "inconsistent");
  const [conflict] = detector.conflicts();
  assertEquals([conflict!.kind, conflict!.first.checkpoint.log], ["cross_size", old.log]);
});

/** A daemon that has followed the old log up to a size. */
async function followed(
  old: TestLog,
  size: number,
): Promise<{ one: Host; source: ScriptedSource }> {
  const one = await Host.make();
  const source = new ScriptedSource(old, size);
  await one.start({ logs: [{ source }] });
  return { one, source };
}

Deno.test("rotation: a daemon says that the key is unknown, and goes on with the log after a reload", async () => {
  const { old, fresh } = await rotation({ size: 9, grown: 20 });
  const { one, source } = await followed(old, 9);
  await using _ = one;
  const next = new ScriptedSource(fresh, 12);
  source.story = fresh;
  source.size = 12;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unverified");
  await one.reload({ logs: [{ source: next, replaces: old.log }] });
  const [log, ...more] = one.daemon!.status().logs;
  assertEquals(more, []);
  assertEquals([log!.lastResult, log!.size], ["first", "12"]);
  assertEquals([log!.vkey, log!.replaces], [fresh.log.vkey.text, old.log.vkey.text]);
  next.size = 20;
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "extends");
  assertEquals(troublesOf(one.daemon!.status()).filter(({ text }) => text.startsWith("log")), []);
  assertEquals(await one.cases(), []);
});

Deno.test("rotation: a daemon that is shown a history written anew says so until it ends, and records nothing", async () => {
  const { old, fresh } = await rewriting();
  const { one } = await followed(old, 9);
  await using _ = one;
  const next = new ScriptedSource(fresh, 12);
  await one.reload({ logs: [{ source: next, replaces: old.log }] });
  next.size = 20;
  await one.pass(10 * MINUTE);
  await one.stop();
  await one.start({ logs: [{ source: next, replaces: old.log }] });
  const [log] = one.daemon!.status().logs;
  assertEquals([log!.lastResult, log!.size], ["unproven", undefined]);
  const [trouble] = troublesOf(one.daemon!.status()).filter(({ text }) => text.startsWith("log"));
  assertMatch(
    trouble!.text,
    /has changed its history with its key \(the tree of size 20 does not continue what .* at size 9/,
  );
  assertMatch(trouble!.advice, /two keys have signed, and it does not pass by itself/);
  assert(!/cache|tried again/.test(trouble!.advice), trouble!.advice);
  assertEquals([log!.waitingOwn, log!.waitingOthers], [2, undefined], "the log showed both itself");
  assert(one.loud("log.unproven").includes("error"));
  assertEquals(await one.cases(), []);
});

Deno.test("rotation: the old view outlives the removal of old segments", async () => {
  const { old, fresh } = await rotation({ grown: 200 });
  const { files } = new MemoryDisk();
  const world = { ...denoWorld(), files, databases: new MemoryDatabases() };
  const journal = await ObservationJournal.open({
    ...{ world, folder: STATE, segmentBytes: 2_000, keepSegments: 1 },
  });
  const write = async (log: TestLog, size: number): Promise<void> => {
    const { origin, vkey } = log.log;
    const checkpoint = observedCheckpoint(await checkpointOf(log, size));
    await journal.observe({
      ...{ log: { origin, vkey: vkey.text }, via: "poll", source: "the log", checkpoint },
      result: size === 9 ? "first" : "extends",
    }, "2026-01-01T00:00:00.000Z");
  };
  await write(old, 9);
  for (let size = 10; size < 60; size++) await write(fresh, size);
  assert(await journal.removeOld("2026-01-02T00:00:00.000Z") > 5, "segments are removed");
  assertEquals(journal.view(old.log)?.treeSize, 9n);
  await journal.close();
  world.databases = new MemoryDatabases();
  const reopened = await ObservationJournal.open({ world, folder: STATE });
  assertEquals(reopened.view(old.log)?.treeSize, 9n);
  await reopened.close();
});

Deno.test("rotation: a daemon answers frames of the old key as before, and settles them", async () => {
  const { old, fresh } = await rotation({ size: 15 });
  const { one } = await followed(old, 9);
  await using _ = one;
  // What strangers were shown before the rotation and this monitor was not.
  assertEquals(await one.hear([(await checkpointOf(old, 12)).frame]), 1);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 1);
  await one.reload({ logs: [{ source: new ScriptedSource(fresh, 20), replaces: old.log }] });
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0, "what was open is settled");
  assertEquals(await one.hear([(await checkpointOf(old, 15)).frame]), 1, "and what comes later");
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  assertEquals(await one.cases(), []);
});

Deno.test("rotation: a second story told under the old key is still a case, after a restart too", async () => {
  const { old, fresh, theirs } = await rotation({ theirs: 9 });
  const { one } = await followed(old, 9);
  await using _ = one;
  const duties = { logs: [{ source: new ScriptedSource(fresh, 20), replaces: old.log }] };
  await one.reload(duties);
  await one.stop();
  await one.start(duties);
  const called = await one.network.at("192.0.2.8").connect(one.address, 1_000);
  const answer = await ask(called, (await checkpointOf(old, 5)).frame);
  assertEquals(answer, (await checkpointOf(old, 9)).frame, "it is answered with the old view");
  await one.hear([(await checkpointOf(theirs)).frame]);
  assertEquals((await one.cases()).length, 1);
  assertEquals(one.daemon!.status().logs[0]!.incidents, 1);
});

Deno.test("rotation: two monitors of which one follows the new key compare the old one all the same", async () => {
  const { old, fresh, theirs } = await rotation({ theirs: 9 });
  await using stage = await Stage.set();
  await stage.one.start({ logs: [{ source: new ScriptedSource(old, 9) }] });
  await stage.one.reload({ logs: [{ source: new ScriptedSource(fresh), replaces: old.log }] });
  await stage.two.start({
    logs: [{ source: new ScriptedSource(theirs) }],
    peers: [stage.one.address],
  });
  await stage.minutes(3);
  assertEquals((await stage.one.cases()).length, 1);
  assertEquals(await stage.one.cases(), await stage.two.cases());
});

Deno.test("rotation: without a view of the old log the first checkpoint is taken, and says so", async () => {
  const { old, fresh } = await rotation();
  await using one = await Host.make();
  await one.start({ logs: [{ source: new ScriptedSource(fresh, 20), replaces: old.log }] });
  const [log] = one.daemon!.status().logs;
  assertEquals(log!.lastResult, "first");
  assertMatch(log!.lastDetail!, /it replaces .* of which nothing was seen here/);
});

Deno.test("rotation: the old log's origin may be another one", async () => {
  const old = grow(await logAt("log.invalid/before"), 9);
  const fresh = grow(await rotated(old, "log.invalid/after"), 20);
  const { one } = await followed(old, 9);
  await using _ = one;
  await one.reload({ logs: [{ source: new ScriptedSource(fresh, 20), replaces: old.log }] });
  const [log] = one.daemon!.status().logs;
  assertEquals([log!.origin, log!.lastResult], ["log.invalid/after", "first"]);
  assertMatch(log!.lastDetail!, /continue log\.invalid\/before \(key [0-9a-f]{8}\) from size 9$/);
});

Deno.test("rotation: a reload that first forgets the old key and then names it holds the log to it", async () => {
  const { old, fresh } = await rewriting();
  const { one } = await followed(old, 9);
  await using _ = one;
  const source = new ScriptedSource(fresh, 20);
  await one.reload({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "first");
  await one.reload({ logs: [{ source, replaces: old.log }] });
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unproven");
  await one.reload({ logs: [{ source }] });
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "unchanged");
});

Deno.test("rotation: a source that still shows the old key is unverified, and what that key signed is not lost", async () => {
  const { old, fresh, theirs } = await rotation({ size: 12, theirs: 9 });
  const { one } = await followed(old, 9);
  await using _ = one;
  const source = new ScriptedSource(old, 12);
  const next = Object.assign(new ScriptedSource(fresh, 20), { latest: () => source.latest() });
  await one.reload({ logs: [{ source: next, replaces: old.log }] });
  const [log] = one.daemon!.status().logs;
  assertEquals([log!.lastResult, log!.size, log!.openQuestions], ["unverified", undefined, 1]);
  assertEquals(await one.cases(), []);
  source.story = theirs;
  source.size = 9;
  await one.pass(5 * MINUTE);
  assertEquals((await one.cases()).length, 1, "the old key has signed two roots at size 9");
});

/** A checkpoint signed by two logs with one history. */
async function byBoth(one: TestLog, other: TestLog, size: number): Promise<string> {
  const note = await noteOf(one, size);
  const [text, line] = (await noteOf(other, size)).split("\n\n") as [string, string];
  assert(note.startsWith(`${text}\n\n`), "both sign the same");
  return note + line;
}

Deno.test("rotation: what a log signs with both keys counts under the old one too", async () => {
  const { old, fresh, theirs } = await rotation({ theirs: 12 });
  const goesOn = grow(old.fork(), 20);
  const { one } = await followed(old, 9);
  await using _ = one;
  const source = new ScriptedSource(fresh);
  source.latestTrouble = { note: await byBoth(fresh, goesOn, 12) };
  await one.reload({ logs: [{ source, replaces: old.log }] });
  await one.pass(2 * MINUTE);
  const [log] = one.daemon!.status().logs;
  assertEquals([log!.lastResult, log!.size, log!.openQuestions], ["unchanged", "12", 0]);
  assertEquals(await one.cases(), []);
  await one.hear([(await checkpointOf(theirs, 12)).frame]);
  assertEquals((await one.cases()).length, 1, "the old key has signed two roots at size 12");
});

Deno.test("rotation: history written anew is a case if the old key has signed it too", async () => {
  const old = grow(await logAt(), 5);
  const anew = grow(old.fork(), 20, "rewritten");
  const fresh = grow(await rotated(old), 20, "rewritten");
  grow(old, 9);
  const { one } = await followed(old, 9);
  await using _ = one;
  const source = new ScriptedSource(fresh);
  source.latestTrouble = { note: await byBoth(fresh, anew, 20) };
  await one.reload({ logs: [{ source, replaces: old.log }] });
  await one.pass(2 * MINUTE);
  const [record, ...more] = await one.records();
  assertEquals([record!.kind, record!.log.vkey, more], ["cross_size", old.log.vkey.text, []]);
  assertEquals((await one.cases()).length, 1);
  assertEquals(one.daemon!.status().logs[0]!.size, undefined, "it is not followed into it");
});

Deno.test('rotation: a key that is swapped without "replaces" is trouble until a person says what is meant', async () => {
  const { old, fresh } = await rewriting();
  const { one } = await followed(old, 9);
  await using _ = one;
  const source = new ScriptedSource(fresh, 20);
  const says =
    `log log.invalid/one is held to nothing that it signed under the key that was followed ` +
    "before, up to size 9";
  const troubles = () =>
    troublesOf(one.daemon!.status()).filter(({ text }) => text.includes("held to nothing"));
  await one.reload({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.lastResult, "first");
  const [trouble, ...more] = troubles();
  assertEquals([trouble!.text, more.length], [says, 0]);
  assertStringIncludes(trouble!.advice, `"replaces": "${old.log.vkey.text}"`);
  assertStringIncludes(trouble!.advice, '"replaces": "none"');
  const [told] = one.toldOf("config.trap");
  assertEquals(told!.level, "warning");
  assertMatch(
    String(told!.fields.detail),
    /^this monitor followed log\.invalid\/one under key [0-9a-f]{8} up to size 9; without "replaces"/,
  );
  await one.stop();
  await one.start({ logs: [{ source }] });
  assertEquals(troubles().length, 1, "after a start as well");
  assertEquals(one.loud("config.trap"), ["warning", "warning"]);
  await one.reload({ logs: [{ source, replaces: grow(await logAt(), 1).log }] });
  assertEquals(troubles().length, 1, "another log that was never seen holds it to nothing either");
  await one.reload({ logs: [{ source, replaces: old.log }] });
  assertEquals(troubles(), []);
  await one.reload({ logs: [{ source }] });
  assertEquals(troubles().length, 1);
  await one.reload({ logs: [{ source, replacesNone: true }] });
  assertEquals(troubles(), []);
  await one.reload({ logs: [{ source }, { source: new ScriptedSource(old, 9) }] });
  assertEquals(troubles(), [], "both are followed");
  await one.reload({
    logs: [{ source: new ScriptedSource(grow(await logAt("log.invalid/two"), 3), 3) }],
  });
  assertEquals(troubles(), [], "it has another origin");
});
