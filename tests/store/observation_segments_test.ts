/** How the journal of observations is cut into segments, and what may be removed of them. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Journal, JournalDamaged } from "../../src/store/journal.ts";
import { type Observation } from "../../src/store/observation.ts";
import { segmentName } from "../../src/store/segments.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { MemoryDisk } from "./memory_disk.ts";
import { answersOf, AT, FOLDER, observation, rootOf } from "./observing.ts";
import {
  check,
  fiveSegments,
  LOG,
  ONE_ENTRY,
  open,
  OTHER,
  segment,
  segments,
} from "./segmented.ts";

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
    else await assertRejects(() => check(disk), JournalDamaged, "do not fit the chain");
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
