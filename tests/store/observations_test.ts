/** The journal of observations: what it answers about what was seen. */
import { assertEquals, assertRejects } from "@std/assert";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import { Journal, JournalDamaged, JournalLocked } from "../../src/store/journal.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { segmentName } from "../../src/store/segments.ts";
import { MAX_TREE_SIZE } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { type Databases } from "../../src/world/world.ts";
import { MemoryDisk } from "./memory_disk.ts";
import { AT, FOLDER, MemoryDatabases, observation, rootOf, worldOn } from "./observing.ts";
import { check, LOG, ONE_ENTRY, open, OTHER, segment } from "./segmented.ts";

Deno.test("observations: what was seen at a size, the view and the counts are answered", async () => {
  const log = await open(new MemoryDisk());
  await log.append(observation({ result: "first", size: 5 }), AT);
  await log.append(observation({ size: 8, source: "b" }), AT);
  await log.append(observation({ result: "rolled back", size: 5 }), AT);
  await log.append(observation({ result: "inconsistent", size: 8, root: "other" }), AT);
  await log.append(observation({ result: "unavailable", detail: "no answer" }), AT);
  assertEquals(log.view(LOG)?.treeSize, 8n);
  assertEquals(log.rootsAt(LOG, 8n).map(({ root, seq, source }) => ({ root, seq, source })), [
    { root: rootOf("honest"), seq: 2, source: "b" },
    { root: rootOf("other"), seq: 4, source: "a" },
  ]);
  assertEquals(log.counts(LOG), {
    ...{ first: 1, extends: 1, "rolled back": 1, inconsistent: 1, unavailable: 1 },
  });
  assertEquals([log.rootsAt(LOG, 6n), log.rootsAt(OTHER, 8n), log.pending(OTHER)], [[], [], []]);
  assertEquals([log.view(OTHER), log.counts(OTHER)], [undefined, {}]);
  await log.close();
});

Deno.test("observations: of a size with many roots the first are looked for once, and again when more is written", async () => {
  let queries = 0;
  const databases = new MemoryDatabases();
  const counting: Databases = {
    open(path) {
      const database = databases.open(path);
      return { ...database, all: (...query) => (queries++, database.all(...query)) };
    },
    remove: (path) => databases.remove(path),
  };
  const disk = new MemoryDisk();
  const log = await open(disk, { databases: counting, segmentBytes: ONE_ENTRY, keepSegments: 1 });
  const write = (root: string, by = "x"): Promise<unknown> =>
    log.append(observation({ result: "matches", size: 7, root, by }), AT);
  const first = (): string[] => log.rootsAt(LOG, 7n).map(({ root }) => root);
  const roots = Array.from({ length: MAX_ROOTS_PER_SIZE + 2 }, (_, i) => `root ${i}`);
  for (const root of roots) await write(root);
  const expected = roots.slice(0, MAX_ROOTS_PER_SIZE + 1).map(rootOf);
  queries = 0;
  for (let i = 0; i < 100; i++) assertEquals(first(), expected);
  assertEquals(queries, 1);
  await log.append(observation({ size: 8 }), AT);
  assertEquals([first(), queries], [expected, 1], "an entry about another size changes nothing");
  await write("root 0", "another");
  assertEquals([first(), queries], [expected, 2]);
  // The segments of the first roots go: others are the first then.
  await log.removeOld(AT);
  assertEquals(first(), [rootOf("root 0")]);
  await log.close();
});

Deno.test("observations: what is pending is so until the same checkpoint has another result", async () => {
  const log = await open(new MemoryDisk());
  const pending = (): bigint[] => log.pending(LOG).map(({ treeSize }) => treeSize);
  await log.append(observation({ result: "pending", size: 9, via: "exchange" }), AT);
  await log.append(observation({ result: "pending", size: 7, via: "exchange" }), AT);
  assertEquals(pending(), [7n, 9n]);
  await log.append(observation({ result: "consistent", size: 7, root: "other" }), AT);
  await log.append(observation({ log: 1, result: "consistent", size: 7 }), AT);
  assertEquals(pending(), [7n, 9n]);
  await log.append(observation({ result: "consistent", size: 7 }), AT);
  assertEquals(pending(), [9n]);
  await log.close();
});

Deno.test("observations: open questions are walked without notes, in parts, up to a size, by source", async () => {
  const log = await open(new MemoryDisk());
  const ask = (size: number, source: string, root = "honest"): Promise<unknown> =>
    log.append(observation({ result: "pending", size, source, root, via: "exchange" }), AT);
  for (const size of [7, 5, 9, 3]) await ask(size, size === 9 ? "b" : "a");
  await ask(5, "b", "other");
  await ask(5, "c");
  await log.append(observation({ log: 1, result: "pending", size: 1 }), AT);
  await log.append(observation({ result: "extends", size: 2 }), AT);
  const walk = (options: Parameters<typeof log.openQuestions>[1]): [bigint, string][] =>
    log.openQuestions(LOG, options).map(({ treeSize, source }) => [treeSize, source]);
  const all: [bigint, string][] = [[3n, "a"], [5n, "a"], [5n, "b"], [7n, "a"], [9n, "b"]];
  assertEquals(walk({ limit: 5 }), all);
  assertEquals(walk({ limit: 4 }), all.slice(0, 4));
  assertEquals(walk({ limit: 5, order: "descending" }), all.toReversed());
  assertEquals(walk({ limit: 5, upTo: 5n }), all.slice(0, 3));
  assertEquals(walk({ limit: 5, upTo: 4n }), all.slice(0, 1));
  assertEquals(walk({ limit: 5, source: "b" }), [all[2]!, all[4]!]);
  const second = log.openQuestions(LOG, { limit: 2 })[1]!;
  assertEquals(walk({ limit: 2, after: second }), all.slice(2, 4));
  assertEquals(walk({ limit: 2, after: second, order: "descending" }), all.slice(0, 1));
  assertEquals(Object.keys(second).toSorted(), ["root", "seenAt", "seq", "source", "treeSize"]);
  assertEquals(log.note(LOG, second), log.rootsAt(LOG, 5n)[0]!.note);
  assertEquals(log.note(LOG, { ...second, treeSize: 6n }), undefined);
  assertEquals([log.openLoad(LOG).questions, log.openLoad(OTHER).questions], [5, 1]);
  await log.append(observation({ result: "consistent", size: 5 }), AT);
  await log.append(observation({ result: "inconsistent", size: 5, root: "other" }), AT);
  assertEquals(walk({ limit: 5 }), [all[0]!, all[3]!, all[4]!]);
  assertEquals(log.openLoad(LOG).questions, 3);
  await log.close();
});

Deno.test("observations: sizes up to 2^63-1 are kept exactly", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  await log.append(observation({ size: MAX_TREE_SIZE - 1n }), AT);
  await log.append(observation({ size: MAX_TREE_SIZE }), AT);
  await log.append(observation({ size: 2n ** 53n + 1n }), AT);
  assertEquals(log.view(LOG)?.treeSize, MAX_TREE_SIZE);
  assertEquals(log.rootsAt(LOG, MAX_TREE_SIZE - 1n).length, 1);
  assertEquals(log.rootsAt(LOG, 2n ** 53n), []);
  await assertRejects(
    () => log.append(observation({ size: MAX_TREE_SIZE + 1n }), AT),
    MalformedError,
    "tree size",
  );
  await log.close();
  assertEquals(await check(disk), 3);
});

Deno.test("observations: an entry that is no observation stops the start with file and line", async () => {
  const disk = new MemoryDisk();
  const journal = await Journal.open({
    ...{ files: disk.files, folder: FOLDER, name: segmentName("observations", 1) },
  });
  await journal.append({ ...observation({ size: 1 }), result: "fine" }, AT);
  await journal.close();
  await assertRejects(
    () => open(disk),
    JournalDamaged,
    `${segment(1)} line 1 holds no observation`,
  );
  await assertRejects(() => check(disk), JournalDamaged, "line 1 holds no observation");
});

Deno.test("observations: a second writer is refused, also while segments change", async () => {
  const disk = new MemoryDisk();
  const databases = new MemoryDatabases();
  const log = await open(disk, { segmentBytes: ONE_ENTRY, databases });
  for (let size = 1; size <= 3; size++) {
    await log.append(observation({ size }), AT);
    await assertRejects(() => open(disk, { databases }), JournalLocked, "another process");
  }
  assertEquals(log.view(LOG)?.treeSize, 3n);
  await log.close();
  await (await open(disk, { databases })).close();
});

Deno.test("observations: a folder that is not there has none, and reading makes none", async () => {
  const disk = new MemoryDisk();
  assertEquals(await check(disk), 0);
  assertEquals(disk.paths(), []);
});

Deno.test("observations: what waits for the disk is counted, and no more once it was refused or written", async () => {
  const log = await open(new MemoryDisk());
  const all = [1, 2, 3].map((size) => log.observe(observation({ size }), AT));
  assertEquals(log.backlog, 3);
  await Promise.all(all);
  assertEquals(log.backlog, 0);
  await log.close();
});

Deno.test("observations: of two roots proven at one size, the one proven first is the view", async () => {
  const log = await open(new MemoryDisk());
  for (const root of ["x", "honest", "x", "honest"]) {
    await log.append(
      observation({ result: root === "x" ? "first" : "extends", size: 4, root }),
      AT,
    );
    assertEquals(log.view(LOG)?.root, rootOf("x"));
  }
  await log.close();
});

Deno.test("observations: what was seen first is given up to the last indexed entry, not beyond", async () => {
  const world = worldOn(new MemoryDisk());
  /** Holds back the last step of each write, if it is there: the entry is written, and not indexed. */
  const held = Promise.withResolvers<void>();
  let isHeld = false;
  let asked = 0;
  const files = {
    ...world.files,
    async identity(path: string) {
      if (isHeld && ++asked === 2) await held.promise;
      return await world.files.identity(path);
    },
  };
  const log = await ObservationJournal.open({ world: { ...world, files }, folder: FOLDER });
  const one = await log.append(observation({ result: "first", size: 1 }), AT);
  isHeld = true;
  const writing = log.append(observation({ size: 2 }), AT);
  while (log.last.seq === one.seq) await new Promise((resolve) => setTimeout(resolve));
  const sizes = (after: number, limit: number) => {
    const { seen, upTo: { seq, hash } } = log.seenAfter(after, limit);
    return { sizes: seen.map(({ treeSize }) => treeSize), upTo: { seq, hash } };
  };
  const first = { seq: one.seq, hash: one.hash };
  assertEquals(sizes(0, 9), { sizes: [1n], upTo: first });
  assertEquals(sizes(one.seq, 9), { sizes: [], upTo: first });
  held.resolve();
  const { seq, hash } = await writing;
  assertEquals(sizes(one.seq, 9), { sizes: [2n], upTo: { seq, hash } });
  // There may be more.
  assertEquals(sizes(0, 1), { sizes: [1n], upTo: { seq: one.seq, hash: "" } });
  await log.close();
});
