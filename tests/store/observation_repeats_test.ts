/** Repeats are counted, settled questions are written together, and nothing is lost by either. */
import { assert, assertEquals } from "@std/assert";
import { type Observation } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { MAX_NAMED_SOURCES, Repeats } from "../../src/store/repeats.ts";
import { MAX_SETTLED_UNWRITTEN } from "../../src/store/settled.ts";
import { MemoryDisk } from "./memory_disk.ts";
import { answersOf, AT, MemoryDatabases, observation, writtenOn } from "./observing.ts";
import { LOG, open, OTHER } from "./segmented.ts";

Deno.test("observations: repeats of what is known are counted and written as one summary", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const quiet = observation({ result: "unchanged", size: 4 });
  const down = observation({ log: 1, result: "unavailable", detail: "refused" });
  await log.append(observation({ result: "first", size: 4 }), AT);
  assertEquals((await log.observe(quiet, AT))?.seq, 2);
  assertEquals((await log.observe(down, AT))?.seq, 3);
  for (let n = 0; n < 10; n++) assertEquals(await log.observe(quiet, AT), undefined);
  assertEquals(await log.observe({ ...down, detail: "timed out" }, AT), undefined);
  await log.flushRepeats(AT);
  assertEquals(await log.observe(quiet, AT), undefined);
  await log.close();
  const written = (await writtenOn(disk)).map(({ observation: { result, repeats, detail } }) => [
    ...[result, repeats, detail],
  ]);
  assertEquals(written, [
    ["first", undefined, undefined],
    ["unchanged", undefined, undefined],
    ["unavailable", undefined, "refused"],
    ["unchanged", 10, undefined],
    ["unavailable", 1, "timed out"],
    ["unchanged", 1, undefined],
  ]);
  const again = await open(disk);
  assertEquals(again.counts(LOG), { first: 1, unchanged: 12 });
  assertEquals(again.counts(OTHER), { unavailable: 2 });
  await again.close();
});

Deno.test("observations: matches are told once for a log and then counted, with how often from whom", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const match = (source: string): Promise<unknown> =>
    log.observe(observation({ result: "matches", source, via: "exchange" }), AT);
  assert(await match("a") !== undefined, "the first is written at once");
  for (const source of ["b", "a", "b", "c"]) assertEquals(await match(source), undefined);
  for (let n = 0; n < MAX_NAMED_SOURCES; n++) await match(`stranger ${n}`);
  await log.close();
  const [, summary, ...more] = (await writtenOn(disk)).map(({ observation }) => observation);
  assertEquals(more, []);
  assertEquals(summary!.repeats, 4 + MAX_NAMED_SOURCES);
  assertEquals(summary!.sources!.slice(0, 3), [["b", 2], ["a", 1], ["c", 1]]);
  assertEquals(summary!.sources!.length, MAX_NAMED_SOURCES);
});

Deno.test("observations: repeats of many checkpoints are one summary of each log, via and result", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  for (const size of [1, 2, 1, 2, 2]) {
    await log.observe(observation({ result: "unchanged", size }), AT);
  }
  await log.close();
  const [, , summary, ...more] = (await writtenOn(disk)).map(({ observation }) => observation);
  assertEquals([summary!.repeats, summary!.checkpoint, more], [3, undefined, []]);
});

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const path of disk.paths()) copy.put(path, disk.content(path)!);
  return copy;
}

/** Hears these sizes, then finds all of them consistent. */
async function hearAndSettle(log: ObservationJournal, sizes: readonly number[]): Promise<void> {
  const results = ["pending", "consistent"] as const;
  for (const result of results) {
    for (const size of sizes) await log.observe(observation({ result, size, via: "exchange" }), AT);
  }
}

Deno.test("settled: questions found consistent are settled at once and written together", async () => {
  const disk = new MemoryDisk();
  const databases = new MemoryDatabases();
  const log = await open(disk, { databases });
  await hearAndSettle(log, [1, 2, 3]);
  await log.observe(observation({ result: "pending", size: 9, via: "exchange" }), AT);
  const openSizes = (of: ObservationJournal): bigint[] =>
    of.openQuestions(LOG, { limit: 2 }).map(({ treeSize }) => treeSize);
  assertEquals([openSizes(log), log.openLoad(LOG).questions, log.pending(LOG).length], [
    [9n],
    1,
    1,
  ]);
  assertEquals((await writtenOn(disk)).length, 5, "three heard, the first settled, one heard");
  const killed = await open(copyOf(disk));
  assertEquals(openSizes(killed), [2n, 3n], "what a kill leaves open is asked once more");
  await killed.close();
  const before = answersOf(log, []);
  await log.flushRepeats(AT);
  const { observation: last } = (await writtenOn(disk)).at(-1)!;
  assertEquals(last.settled?.map(({ size }) => size), ["2", "3"]);
  assertEquals(answersOf(log, []).map(({ open, openLoad }) => [open, openLoad]), [
    ...before.map(({ open, openLoad }) => [open, openLoad]),
  ]);
  await log.close();
});

Deno.test("settled: at most so many questions wait for the entry that says so", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const sizes = Array.from({ length: MAX_SETTLED_UNWRITTEN + 1 }, (_, i) => i + 1);
  await hearAndSettle(log, sizes.slice(0, -1));
  const written = async (): Promise<number> =>
    (await writtenOn(disk)).filter(({ observation: { settled } }) => settled).length;
  assertEquals(await written(), 0);
  await hearAndSettle(log, sizes.slice(-1));
  assertEquals(await written(), 1);
  await log.close();
});

Deno.test("settled: a question that is asked anew before the entry stays open behind it", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  await hearAndSettle(log, [1, 2, 3]);
  const again = observation({ result: "unproven", size: 2, via: "exchange" });
  assert(await log.observe(again, AT) !== undefined);
  await log.flushRepeats(AT);
  assertEquals(log.pending(LOG).map(({ treeSize }) => treeSize), [2n]);
  await log.close();
  const rebuilt = await open(disk);
  assertEquals(rebuilt.pending(LOG).map(({ treeSize }) => treeSize), [2n]);
  await rebuilt.close();
});

Deno.test("observations: another source, size, root, via or result is no repeat", async () => {
  const log = await open(new MemoryDisk());
  const one = { result: "matches", size: 4 } as const;
  const all: Observation[] = [
    observation(one),
    observation({ ...one, source: "b" }),
    observation({ ...one, size: 5 }),
    observation({ ...one, root: "other" }),
    observation({ ...one, via: "exchange" }),
    observation({ ...one, result: "consistent" }),
    observation({ ...one, log: 1 }),
  ];
  for (const each of all) assert(await log.observe(each, AT) !== undefined);
  for (const each of all) assertEquals(await log.observe(each, AT), undefined);
  await log.close();
});

Deno.test("observations: what was not repeated in an interval is written anew in the next", async () => {
  const log = await open(new MemoryDisk());
  const quiet = observation({ result: "unchanged", size: 4 });
  assert(await log.observe(quiet, AT) !== undefined);
  await log.flushRepeats(AT);
  assert(await log.observe(quiet, AT) !== undefined);
  await log.close();
});

Deno.test("observations: a summary of pending does not open a settled question again", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const heard = observation({ result: "pending", size: 9, via: "exchange" });
  await log.observe(heard, AT);
  assertEquals(await log.observe(heard, AT), undefined);
  await log.append(observation({ result: "consistent", size: 9, via: "local" }), AT);
  await log.flushRepeats(AT);
  assertEquals(log.pending(LOG), []);
  assert(await log.observe(heard, AT) !== undefined, "asked again, it is an open question again");
  assertEquals(log.pending(LOG).length, 1);
  await log.close();
  const again = await open(disk);
  assertEquals(again.pending(LOG).length, 1);
  await again.close();
});

Deno.test("repeats: what does not fit the limit is written each time, and no count is lost", () => {
  const repeats = new Repeats({ limit: 2 });
  const [a, b, c] = [1, 2, 3].map((size) => observation({ size })) as [
    ...[Observation, Observation, Observation],
  ];
  repeats.learn(a);
  repeats.learn(b);
  repeats.count(a);
  repeats.learn(c);
  assertEquals([a, b, c].map((each) => repeats.has(each)), [true, true, false]);
  repeats.settle(repeats.summaries()[0]!);
  repeats.learn(c);
  assertEquals([a, b, c].map((each) => repeats.has(each)), [false, true, true]);
});
