import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import { type Entry } from "../../src/evidence/entry.ts";
import { Journal, JournalDamaged, JournalLocked } from "../../src/store/journal.ts";
import { RESULTS } from "../../src/evidence/result.ts";
import { type Observation, parseObservation } from "../../src/store/observation.ts";
import { ObservationIndex } from "../../src/store/observation_index.ts";
import { checkObservations, ObservationJournal } from "../../src/store/observations.ts";
import { MAX_NAMED_SOURCES, Repeats } from "../../src/store/repeats.ts";
import { segmentName } from "../../src/store/segments.ts";
import { MAX_SETTLED_UNWRITTEN } from "../../src/store/settled.ts";
import { Spelling } from "../../src/store/spelling.ts";
import { base64, MAX_TREE_SIZE, utf8 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type Databases, WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "./memory_disk.ts";
import {
  answersOf,
  AT,
  FOLDER,
  LOGS,
  MemoryDatabases,
  modelAnswers,
  observation,
  rootOf,
  worldOn,
  writtenOn,
} from "./observing.ts";

const [LOG, OTHER] = LOGS as [typeof LOGS[0], typeof LOGS[0]];
/** Small enough that every entry fills a segment. */
const ONE_ENTRY = 1;

interface Options {
  segmentBytes?: number;
  keepSegments?: number;
  databases?: Databases;
}

function open(
  disk: MemoryDisk,
  { databases, ...options }: Options = {},
): Promise<ObservationJournal> {
  return ObservationJournal.open({ world: worldOn(disk, databases), folder: FOLDER, ...options });
}

function segment(number: number): string {
  return `${FOLDER}/${segmentName("observations", number)}`;
}

function segments(disk: MemoryDisk): number[] {
  return disk.paths().map((path) => /-(\d{6})\.jsonl$/.exec(path)?.[1]).filter((n) => n)
    .map(Number);
}

async function check(disk: MemoryDisk): Promise<number> {
  let count = 0;
  for await (const _ of checkObservations({ files: disk.files, folder: FOLDER })) count++;
  return count;
}

/** Five entries of growing size, one a segment. */
async function fiveSegments(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const log = await open(disk, { segmentBytes: ONE_ENTRY });
  for (let size = 1; size <= 5; size++) await log.append(observation({ size }), AT);
  await log.close();
  return disk;
}

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

Deno.test("observations: one chain runs through the segments, and each is full before the next", async () => {
  const disk = await fiveSegments();
  assertEquals(segments(disk), [1, 2, 3, 4, 5]);
  const lines = [1, 2, 3, 4, 5].map((n) => JSON.parse(disk.content(segment(n))!));
  assertEquals(lines.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
  for (let n = 1; n < 5; n++) assertEquals(lines[n].prev_hash, lines[n - 1].hash);
  assertEquals(await check(disk), 5);
});

Deno.test("observations: a segment of exactly the limit is full, one byte less is not", async () => {
  const sample = new MemoryDisk();
  const first = await open(sample);
  await first.append(observation({ size: 1 }), AT);
  await first.close();
  const { length } = utf8(sample.content(segment(1))!);
  for (const [segmentBytes, wanted] of [[length, [1, 2]], [length + 1, [1]]] as const) {
    const disk = new MemoryDisk();
    const log = await open(disk, { segmentBytes });
    await log.append(observation({ size: 1 }), AT);
    await log.append(observation({ size: 2 }), AT);
    await log.close();
    assertEquals(segments(disk), [...wanted]);
  }
});

Deno.test("observations: a torn last line of the last segment is set aside", async () => {
  const disk = await fiveSegments();
  const whole = disk.content(segment(5))!;
  disk.put(segment(5), whole + '{"hash":"12');
  const log = await open(disk, { segmentBytes: ONE_ENTRY });
  assertEquals(disk.content(log.tornFile!), '{"hash":"12');
  assertEquals(disk.content(segment(5)), whole);
  assertEquals((await log.append(observation({ size: 6 }), AT)).seq, 6);
  await log.close();
  assertEquals(await check(disk), 6);
});

Deno.test("observations: an empty last segment, as a crash leaves it, is written to", async () => {
  const disk = await fiveSegments();
  disk.put(segment(6), "");
  const log = await open(disk, { segmentBytes: ONE_ENTRY });
  await log.append(observation({ size: 6 }), AT);
  await log.close();
  assertEquals(segments(disk), [1, 2, 3, 4, 5, 6]);
  assertEquals(await check(disk), 6);
});

for (let number = 1; number <= 5; number++) {
  Deno.test(`observations: damage in segment ${number} is named by file and line`, async () => {
    const sound = (await fiveSegments()).content(segment(number))!;
    for (let at = 0; at < sound.length - 1; at += 7) {
      const disk = await fiveSegments();
      const byte = sound[at] === "0" ? "1" : "0";
      disk.put(segment(number), sound.slice(0, at) + byte + sound.slice(at + 1));
      for (const read of [() => open(disk), () => check(disk)]) {
        const { message } = await assertRejects(read, JournalDamaged);
        assertStringIncludes(message, `${segment(number)} line 1 is damaged`);
      }
    }
  });

  if (number < 5) {
    Deno.test(`observations: segment ${number} gone, empty or torn is damage`, async () => {
      for (const left of [undefined, "", '{"hash":']) {
        const disk = await fiveSegments();
        if (left === undefined) await disk.files.remove(segment(number));
        else disk.put(segment(number), left);
        await assertRejects(() => open(disk), JournalDamaged, FOLDER);
        await assertRejects(() => check(disk), JournalDamaged, FOLDER);
      }
    });
  }
}

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

Deno.test("spelling: a log is spelled out once in a segment by each program, and named then", async () => {
  const disk = new MemoryDisk();
  const spelled = async (): Promise<string[]> => {
    const lines = segments(disk).flatMap((n) => disk.content(segment(n))!.trim().split("\n"));
    await check(disk);
    return lines.map((line) => typeof JSON.parse(line).record.log);
  };
  const first = await open(disk);
  for (const log of [0, 1, 0, 1]) await first.append(observation({ log, size: 1 }), AT);
  await first.close();
  assertEquals(await spelled(), ["object", "object", "string", "string"]);
  const second = await open(disk);
  for (const size of [2, 3]) await second.append(observation({ size }), AT);
  await second.close();
  assertEquals((await spelled()).slice(4), ["object", "string"]);
});

Deno.test("spelling: two logs of one name and key id are told apart", () => {
  const spelling = new Spelling();
  const reader = new Spelling();
  const one = observation({ size: 1 });
  const other = { ...one, log: { ...one.log, origin: "another.invalid" } };
  for (const each of [one, one, other, one, other, other]) {
    const record = spelling.shorten(each, 1);
    spelling.learn(each, 1);
    assertEquals(reader.read(record, 1), each);
  }
  assertEquals(typeof spelling.shorten(other, 1).log, "string");
  assertEquals(typeof spelling.shorten(other, 2).log, "object", "another segment begins anew");
  const nameless = new Spelling().shorten(one, 1);
  const named = { ...nameless, log: spelling.shorten(other, 2).log };
  assertEquals(reader.read(named, 2).log, other.log);
});

Deno.test("spelling: a name that nothing in its segment spells out is refused", () => {
  const one = observation({ size: 1 });
  const spelling = new Spelling();
  spelling.learn(one, 1);
  const record = spelling.shorten(one, 1);
  const said = assertThrows(() => new Spelling().read(record, 1), MalformedError).message;
  assertStringIncludes(said, "no entry before it in this segment spells that out");
});

Deno.test("spelling: a note that does not say size and root is written with them", () => {
  const one = observation({ size: 1 });
  const checkpoint = { ...one.checkpoint!, note: "origin\n2\n" };
  const record = new Spelling().shorten({ ...one, checkpoint }, 1);
  assertEquals(record.checkpoint, checkpoint);
  assertEquals(typeof new Spelling().shorten(one, 1).checkpoint, "string");
});

Deno.test("observations: a journal of entries that spell everything is read as before", async () => {
  const disk = new MemoryDisk();
  const journal = await Journal.open({
    ...{ files: disk.files, folder: FOLDER, name: segmentName("observations", 1) },
  });
  const old = [1, 2].map((size) => observation({ size }));
  for (const each of old) await journal.append({ ...each }, AT);
  await journal.close();
  const log = await open(disk);
  assertEquals(log.view(LOG)?.treeSize, 2n);
  await log.append(observation({ size: 3 }), AT);
  await log.close();
  assertEquals((await writtenOn(disk)).map(({ observation }) => observation), [
    ...[...old, observation({ size: 3 })],
  ]);
});

Deno.test("index: notes, times and roots come out as they went in, whatever their form", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const { origin } = LOG;
  const signature = base64(utf8("68 bytes or any other number"));
  const head = (size: number): string => `${origin}\n${size}\n${rootOf("honest")}\n\n`;
  const notes = [
    `${head(1)}— ${origin} ${signature}\n`,
    `${head(2)}— another.invalid ${signature}\n`,
    `${head(3)}— ${origin} ${signature}\n— witness.invalid ${signature}\n`,
    `${head(4)}— ${origin} ${signature}=\n`,
    `${head(5)}— ${origin} ${signature}`,
    `${head(7)}— ${origin} ${signature}\n`,
    `${head(7)}— ${origin} \n`,
  ];
  const times = ["2026-01-02T03:04:05.678Z", AT, "2026-01-02T03:04:05.6Z", "then"];
  for (const [i, note] of notes.entries()) {
    const made = observation({ result: "pending", size: i + 1 });
    const checkpoint = { ...made.checkpoint!, note };
    await log.append({ ...made, checkpoint }, times[i % times.length]!);
  }
  const seen = log.pending(LOG);
  assertEquals(seen.map(({ note }) => note), notes);
  assertEquals(seen.map(({ note }) => log.note(LOG, seen.find((s) => s.note === note)!)), notes);
  assertEquals(seen.map(({ seenAt }) => seenAt), notes.map((_, i) => times[i % times.length]));
  const bytes = notes.reduce((sum, note) => sum + utf8(note).length, 0);
  assertEquals(log.openLoad(LOG), { questions: notes.length, noteBytes: bytes });
  await log.close();
});

Deno.test("retention: of a checkpoint under two signatures the note that is left is answered", async () => {
  const log = await open(new MemoryDisk(), { segmentBytes: ONE_ENTRY, keepSegments: 3 });
  const sign = (by: string): Observation => {
    const made = observation({ result: "matches", size: 4, source: by });
    const text = `${LOG.origin}\n4\n${rootOf("honest")}\n\n`;
    const note = `${text}— ${LOG.origin} ${base64(utf8(by))}\n`;
    return { ...made, checkpoint: { ...made.checkpoint!, note } };
  };
  for (const by of ["one", "two", "one"]) await log.append(sign(by), AT);
  await log.append(observation({ size: 5 }), AT);
  await log.removeOld(AT);
  const [left, ...others] = log.rootsAt(LOG, 4n);
  assertEquals([left!.seq, left!.source, left!.note, others], [
    ...[2, "two", sign("two").checkpoint!.note, []],
  ]);
  await log.close();
});

Deno.test("observations: what waits for the disk is counted, and no more once it was refused or written", async () => {
  const log = await open(new MemoryDisk());
  const all = [1, 2, 3].map((size) => log.observe(observation({ size }), AT));
  assertEquals(log.backlog, 3);
  await Promise.all(all);
  assertEquals(log.backlog, 0);
  await log.close();
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

Deno.test("retention: a summary that outlives what it repeats does not open a settled question", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk, { segmentBytes: ONE_ENTRY, keepSegments: 3 });
  const heard = observation({ result: "pending", size: 9, via: "exchange" });
  await log.observe(heard, AT);
  await log.observe(heard, AT);
  await log.append(observation({ result: "consistent", size: 9, via: "local" }), AT);
  await log.flushRepeats(AT);
  await log.append(observation({ size: 10 }), AT);
  assertEquals(await log.removeOld(AT), 1);
  assertEquals([log.pending(LOG), log.rootsAt(LOG, 9n).map(({ seq }) => seq)], [[], [2]]);
  await log.close();
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

Deno.test("retention: the newest segments stay, older ones go, and the chain says so", async () => {
  const disk = await fiveSegments();
  const log = await open(disk, { segmentBytes: ONE_ENTRY, keepSegments: 2 });
  assertEquals(await log.removeOld(AT), 3);
  // The statement of the removal is an entry of its own, here in a segment of its own.
  assertEquals(segments(disk), [4, 5, 6]);
  assertEquals(log.rootsAt(LOG, 3n), []);
  assertEquals(log.view(LOG)?.treeSize, 5n);
  assertEquals(log.counts(LOG), { extends: 2 });
  for (let size = 6; size <= 8; size++) await log.append(observation({ size }), AT);
  assertEquals(await log.removeOld(AT), 4);
  assertEquals(segments(disk), [8, 9, 10]);
  await log.close();
  assertEquals(await check(disk), 3);
  await (await open(disk)).close();
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

Deno.test("index: a view whose entry is removed gives way to the largest that is left", () => {
  const index = ObservationIndex.open({ databases: new MemoryDatabases(), path: "index" });
  const link = (seq: number): { seq: number; hash: string } => ({ seq, hash: `${seq}` });
  const entry = (seq: number): Entry => (
    { ...link(seq), recorded_at: AT, record: {}, prev_hash: `${seq - 1}` }
  );
  const sizes = [3, 9, 5];
  index.add(sizes.map((size, i) => ({ entry: entry(i + 1), record: observation({ size }) })));
  assertEquals(index.view(LOG.id)?.treeSize, 9n);
  for (const [gone, left] of [[2, 5n], [3, 3n], [1, undefined]] as const) {
    const removals = [{ from: gone, to: gone, before: link(gone - 1), last: link(gone) }];
    index.add([{ entry: entry(10 + gone), record: { removals } }]);
    assertEquals(index.view(LOG.id)?.treeSize, left);
    assertEquals(index.needed(), left === undefined ? [] : [sizes.indexOf(Number(left)) + 1]);
  }
  index.close();
});

Deno.test("retention: what is beside a gap must be what the statement says", async () => {
  const link = (byte: string, seq: number) => ({ seq, hash: byte.repeat(32) });
  const place = { folder: FOLDER, name: segmentName("observations", 1) };
  for (const wrong of ["nothing", "before", "last"]) {
    const disk = new MemoryDisk();
    const one = await Journal.open({ ...place, files: disk.files });
    const { seq, hash } = await one.append({ ...observation({ size: 1 }) }, AT);
    await one.close();
    const before = wrong === "before" ? link("cd", 1) : { seq, hash };
    const last = wrong === "last" ? link("cd", 5) : link("ab", 5);
    // A segment that follows on something that is not there.
    const name = segmentName("observations", 3);
    const three = await Journal.open({ ...place, files: disk.files, name, after: link("ab", 5) });
    await three.append({ removed: [{ from: 2, to: 2, before, last }] }, AT);
    await three.close();
    if (wrong === "nothing") assertEquals(await check(disk), 2);
    else await assertRejects(() => check(disk), JournalDamaged, "does not fit the chain");
  }
});

Deno.test("retention: without a statement in the chain a missing segment is damage", async () => {
  const disk = await fiveSegments();
  const log = await open(disk, { segmentBytes: ONE_ENTRY, keepSegments: 2 });
  await log.removeOld(AT);
  await log.append(observation({ size: 6 }), AT);
  await log.close();
  for (const number of [4, 5]) {
    const content = disk.content(segment(number))!;
    await disk.files.remove(segment(number));
    await assertRejects(() => check(disk), JournalDamaged, `${segment(number)} is gone`);
    disk.put(segment(number), content);
  }
  const stated = disk.content(segment(6))!;
  await disk.files.remove(segment(6));
  await assertRejects(() => check(disk), JournalDamaged);
  disk.put(segment(6), stated);
  assertEquals(await check(disk), 4);
});

Deno.test("retention: views, open questions and inconsistencies stay, however old", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk, { segmentBytes: ONE_ENTRY, keepSegments: 1 });
  const against = { size: "30", root: rootOf("honest") };
  const needed = new Map<number, Observation>([
    [2, observation({ log: 1, result: "first", size: 3 })],
    [4, observation({ result: "pending", size: 90, via: "exchange" })],
    [6, observation({ size: 20 })],
    [8, observation({ result: "inconsistent", size: 20, root: "other" })],
    [10, observation({ size: 30 })],
    [12, observation({ result: "inconsistent", size: 10, root: "third", against })],
    [14, observation({ result: "pending", size: 90, via: "exchange", source: "b" })],
    [16, observation({ result: "matches", size: 25 })],
    [18, observation({ result: "inconsistent", size: 25 })],
    [24, observation({ size: 60 })],
  ]);
  for (let seq = 1; seq <= 24; seq++) {
    await log.append(needed.get(seq) ?? observation({ size: 30 + seq }), AT);
  }
  const before = answersOf(log, [20n, 10n, 30n, 90n]);
  await log.removeOld(AT);
  // The last view is 60, and the statement is in segment 25.
  assertEquals(segments(disk), [...needed.keys(), 25]);
  const kept = answersOf(log, [20n, 10n, 30n, 90n]);
  assertEquals(kept.map(({ counts: _, ...rest }) => rest), before.map(({ counts: _, ...r }) => r));
  await log.append(observation({ result: "consistent", size: 90 }), AT);
  await log.removeOld(AT);
  assertEquals([4, 14].map((number) => segments(disk).includes(number)), [false, false]);
  await log.close();
  await check(disk);
  const again = await open(disk);
  assertEquals(again.view(OTHER)?.treeSize, 3n);
  await again.close();
});

Deno.test("index: lost, damaged, of another journal, ahead or behind, it gives the same answers", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/index.sqlite`;
  const other = Deno.makeTempDirSync();
  const world = denoWorld();
  const sizes = [1n, 2n, 3n, 4n];
  const grow = async (at: string, from: number, root?: string): Promise<unknown> => {
    const log = await ObservationJournal.open({ world, folder: at });
    for (let size = from; size < from + 2; size++) {
      await log.append(observation({ size, ...(root && { root }) }), AT);
    }
    const answers = answersOf(log, sizes);
    await log.close();
    return answers;
  };
  const reopen = async (): Promise<unknown> => {
    const log = await ObservationJournal.open({ world, folder });
    const answers = answersOf(log, sizes);
    await log.close();
    return answers;
  };
  await grow(folder, 1);
  Deno.copyFileSync(path, `${folder}/behind`);
  const wanted = await grow(folder, 3);
  assertEquals(await reopen(), wanted);
  Deno.copyFileSync(`${folder}/behind`, path);
  assertEquals(await reopen(), wanted);
  Deno.removeSync(path);
  assertEquals(await reopen(), wanted);
  Deno.writeTextFileSync(path, "this is no database ".repeat(1000));
  assertEquals(await reopen(), wanted);
  Deno.truncateSync(path, Deno.statSync(path).size / 2);
  assertEquals(await reopen(), wanted);
  for (const from of [1, 3, 5]) {
    await grow(other, from, "other");
    Deno.copyFileSync(`${other}/index.sqlite`, path);
    assertEquals(await reopen(), wanted, `of another chain, up to ${from + 1}`);
  }
  for (const each of [folder, other]) Deno.removeSync(each, { recursive: true });
});

Deno.test("index: rebuilding reports how far it is", async () => {
  const disk = await fiveSegments();
  const seen: unknown[] = [];
  const onProgress = (progress: unknown): void => void seen.push(progress);
  const log = await ObservationJournal.open({ world: worldOn(disk), folder: FOLDER, onProgress });
  await log.close();
  assertEquals(seen.at(-1), { seq: 5, lastSeq: 5 });
});

Deno.test("index: a database that refuses loses nothing that was written", async () => {
  const disk = new MemoryDisk();
  const databases = new MemoryDatabases();
  let refuses = false;
  const refusing: Databases = {
    remove: (path) => databases.remove(path),
    open(path) {
      const database = databases.open(path);
      const transaction = <T>(work: () => T): T => {
        if (refuses) throw new WorldError("other", "SQLite: database or disk is full");
        return database.transaction(work);
      };
      return { ...database, transaction };
    },
  };
  const log = await open(disk, { databases: refusing });
  await log.append(observation({ size: 1 }), AT);
  refuses = true;
  await log.append(observation({ size: 2 }), AT);
  let said: unknown;
  try {
    log.view(LOG);
  } catch (error) {
    said = error;
  }
  assert(said instanceof WorldError, "a query does not answer without what was written");
  refuses = false;
  assertEquals(log.view(LOG)?.treeSize, 2n);
  await log.close();
});

const word = fc.constantFrom("honest", "other");
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      log: fc.constantFrom(0, 1),
      result: fc.constantFrom(...RESULTS),
      size: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
      by: fc.constantFrom("x", "y"),
      root: word,
      source: fc.constantFrom("a", "b"),
      counted: fc.constantFrom(true, true, false),
      against: fc.option(word, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.constant("flush" as const) },
  { weight: 2, arbitrary: fc.constant("remove" as const) },
  { weight: 1, arbitrary: fc.constant("restart" as const) },
  { weight: 1, arbitrary: fc.constant("rebuild" as const) },
);

Deno.test("index: after any history its answers are those of a naive model and of a rebuilt one", async () => {
  const sizes = [0n, 1n, 2n, 3n];
  const history = fc.array(step, { maxLength: 100, size: "max" });
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 4 }), async (steps, keepSegments) => {
      const disk = new MemoryDisk();
      const databases = new MemoryDatabases();
      const options = { databases, segmentBytes: 600, keepSegments };
      let log = await open(disk, options);
      const views: (bigint | undefined)[] = [undefined, undefined];
      for (const each of steps) {
        if (each === "flush") await log.flushRepeats(AT);
        else if (each === "remove") await log.removeOld(AT);
        else if (each === "restart" || each === "rebuild") {
          await log.close();
          if (each === "rebuild") databases.clear();
          log = await open(disk, options);
        } else await take(log, each);
        LOGS.forEach((of, n) => {
          const size = log.view(of)?.treeSize;
          assert(
            views[n] === undefined || (size !== undefined && size >= views[n]!),
            "rolled back",
          );
          views[n] = size;
        });
      }
      await log.flushRepeats(AT);
      const answers = answersOf(log, sizes);
      assertEquals(answers, modelAnswers(await writtenOn(disk), sizes));
      await log.close();
      databases.clear();
      const rebuilt = await open(disk, options);
      assertEquals(answersOf(rebuilt, sizes), answers);
      await rebuilt.close();
      databases.clear();
    }),
    { numRuns: 100 },
  );
});

async function take(
  log: ObservationJournal,
  { counted, against, size, ...rest }: {
    log: number;
    result: (typeof RESULTS)[number];
    size: number | undefined;
    by: string;
    root: string;
    source: string;
    counted: boolean;
    against: string | undefined;
  },
): Promise<void> {
  const made = observation({
    ...rest,
    ...(size !== undefined && { size }),
    ...(against !== undefined && { against: { size: "3", root: rootOf(against) } }),
  });
  if (counted) await log.observe(made, AT);
  else await log.append(made, AT);
}

const SOUND = observation({ size: 1, detail: "x", against: { size: "2", root: rootOf("x") } });

/** Each way an observation can be wrong, and what is said of it. */
const WRONG: readonly [what: string, change: Record<string, unknown>, said: string][] = [
  ["a member more", { more: 1 }, "unknown member"],
  ["no log", { log: undefined }, "log is missing"],
  ["a log with a member more", { log: { ...SOUND.log, id: "x" } }, "log has an unknown member"],
  ["a bad vkey", { log: { ...SOUND.log, vkey: "x" } }, "vkey"],
  ["another via", { via: "mail" }, "via is"],
  ["another result", { result: "ok" }, "result is"],
  ["no source", { source: undefined }, "source is missing"],
  ["a source of two lines", { source: "a\nb" }, "expected one short line"],
  ["a long detail", { detail: "x".repeat(257) }, "expected one short line"],
  ["a size with a leading zero", { checkpoint: { ...SOUND.checkpoint, size: "01" } }, "tree size"],
  ["a short root", { checkpoint: { ...SOUND.checkpoint, root: "AAAA" } }, "has 3 bytes"],
  ["no note", { checkpoint: { size: "1", root: rootOf("x") } }, "checkpoint.note is missing"],
  ["a checkpoint that is null", { checkpoint: null }, "checkpoint is"],
  ["against with a note", { against: SOUND.checkpoint }, "against has an unknown member"],
  ["repeats of 0", { repeats: 0 }, "repeats is"],
  [
    "sources that are more than its repeats",
    { repeats: 1, sources: [["a", 2]] },
    "sources add up to 2, expected at most 1",
  ],
  ["a source without a number", { repeats: 1, sources: [["a"]] }, "sources[0] is"],
  [
    "sources without repeats",
    { sources: [] },
    "sources add up to 0, expected no sources without repeats",
  ],
  ["settled that is no list", { settled: "1" }, "settled is"],
  ["settled beside a checkpoint", { repeats: 1, settled: [SOUND.against] }, "settled has"],
  ["repeats of a half", { repeats: 1.5 }, "repeats is"],
];

Deno.test("observation: a sound one is read as it is", () => {
  assertEquals(parseObservation({ ...SOUND, repeats: 1 }), { ...SOUND, repeats: 1 });
});

for (const [what, change, said] of WRONG) {
  Deno.test(`observation: one with ${what} is refused`, () => {
    let message = "";
    try {
      parseObservation({ ...SOUND, ...change });
    } catch (error) {
      assert(error instanceof MalformedError);
      message = error.message;
    }
    assertStringIncludes(message, said);
  });
}
