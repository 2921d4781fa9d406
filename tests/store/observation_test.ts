/** How one observation is read and written: its members, and the short spellings in a segment. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Journal } from "../../src/store/journal.ts";
import { parseObservation } from "../../src/store/observation.ts";
import { segmentName } from "../../src/store/segments.ts";
import { Spelling } from "../../src/store/spelling.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { MemoryDisk } from "./memory_disk.ts";
import { AT, FOLDER, observation, rootOf, writtenOn } from "./observing.ts";
import { check, LOG, open, segment, segments } from "./segmented.ts";

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
  assertStringIncludes(said, "no entry before it in this segment has that log in full");
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
