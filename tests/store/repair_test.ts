/** Damaged journals are repaired: nothing is lost, and nobody can make a cut look like a repair. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Conflict } from "../../src/evidence/conflict.ts";
import type { Entry } from "../../src/evidence/entry.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { buildRecord, signedBytes, withSignature } from "../../src/evidence/record.ts";
import { TRANSITION_VERSION, transitionBytes } from "../../src/evidence/transition.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { IncidentJournal, readIncidents, recordOf, repairOf } from "../../src/store/incidents.ts";
import { EntryNotKnown, Journal, JournalDamaged, JournalLocked } from "../../src/store/journal.ts";
import { checkObservations, ObservationJournal } from "../../src/store/observations.ts";
import { isRepair, parseRepair, type Repair, signRepair } from "../../src/store/repaired.ts";
import { repairableIncidents, repairableObservations } from "../../src/store/repairables.ts";
import { asideFaults, planRepair, repairJournal } from "../../src/store/repairing.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { DurabilityLost } from "../../src/world/durable.ts";
import { WorldError } from "../../src/world/world.ts";
import { checkpointOf, grow, newLog, newSigner } from "../evidence/histories.ts";
import { type Fault, MemoryDisk } from "./memory_disk.ts";
import { AT, FOLDER as STATE, LOGS, observation, worldOn } from "./observing.ts";

const INCIDENTS = "home/incidents";
const JOURNAL = `${INCIDENTS}/journal.jsonl`;
const signer = await newSigner();

/** The lines of an incident journal with as many cases of one log as there are stories beside the first. */
const lines = await (async (): Promise<string[]> => {
  const log = await newLog();
  const stories = await Promise.all(
    ["a", "b", "c", "d", "e"].map((story) => checkpointOf(grow(log.fork(), 4, story))),
  );
  const disk = new MemoryDisk();
  const journal = await IncidentJournal.open({ files: disk.files, folder: INCIDENTS });
  for (const other of stories.slice(1)) {
    const conflict: Conflict = {
      kind: "same_size",
      first: { checkpoint: stories[0]!, source: "x" },
      second: { checkpoint: other, source: "y" },
    };
    const record = buildRecord({ conflict, detectedAt: AT, detector: signer.vkey });
    await journal.record(withSignature(record, await signer.sign(signedBytes(record))), AT);
  }
  await journal.close();
  return disk.content(JOURNAL)!.split("\n").slice(0, -1);
})();

/** How many bytes of a text come before a line, from 1. */
function startOf(content: string, line: number): number {
  return utf8(content.split("\n").slice(0, line - 1).map((one) => one + "\n").join("")).length;
}

/** What of a text comes from a byte on. */
function from(content: string, at: number): string {
  return new TextDecoder().decode(utf8(content).subarray(at));
}

/** A line of which one character is another. */
function altered(line: string): string {
  return line.replace('"recorded_at":"2026', '"recorded_at":"2025');
}

function incidentsOf(content: string | Uint8Array): MemoryDisk {
  const disk = new MemoryDisk();
  disk.put(JOURNAL, content);
  return disk;
}

function repair(disk: MemoryDisk): ReturnType<typeof repairJournal> {
  const journal = repairableIncidents({ files: disk.files, folder: INCIDENTS });
  return repairJournal(journal, { signer, at: AT });
}

/** The entries of the incident journal, and what it says of repairs. The chain must be whole. */
async function entriesOf(disk: MemoryDisk): Promise<{ entries: Entry[]; repairs: Repair[] }> {
  const entries: Entry[] = [];
  for await (const item of readIncidents({ files: disk.files, folder: INCIDENTS })) {
    if ("entry" in item) entries.push(item.entry);
  }
  const repairs = entries.filter(({ record }) => isRepair(record))
    .map((entry) => repairOf(entry, INCIDENTS));
  for (const entry of entries) if (!isRepair(entry.record)) recordOf(entry, INCIDENTS);
  return { entries, repairs };
}

/** The evidence ids in the journal, sorted; every one of them must hold. */
async function casesOf(disk: MemoryDisk): Promise<string[]> {
  const { entries } = await entriesOf(disk);
  const records = entries.map(({ record }) => record).filter((record) => !isRepair(record));
  for (const input of records) assertEquals(verifyConflict({ input }).outcome, "holds");
  return records.map(({ evidence_id }) => evidence_id as string).sort();
}

const ALL_CASES = lines.map((line) => JSON.parse(line).record.evidence_id as string).sort();

Deno.test("repair: a whole journal is not changed, by a repair or by a second one", async () => {
  const disk = incidentsOf(lines.join("\n") + "\n");
  assertEquals(await repair(disk), undefined);
  assertEquals([disk.paths(), disk.content(JOURNAL)], [[JOURNAL], lines.join("\n") + "\n"]);
  const damaged = incidentsOf([altered(lines[0]!), ...lines.slice(1)].join("\n") + "\n");
  assert(await repair(damaged) !== undefined);
  const [paths, content] = [damaged.paths(), damaged.content(JOURNAL)];
  assertEquals(await repair(damaged), undefined, "it is whole");
  assertEquals([damaged.paths(), damaged.content(JOURNAL)], [paths, content]);
});

Deno.test("repair: what is damaged is set aside byte for byte, and the chain states it and goes on", async () => {
  const damaged = [lines[0], altered(lines[1]!), ...lines.slice(2)].join("\n") + "\n";
  const disk = incidentsOf(damaged);
  const plan = await repair(disk);
  const at = startOf(damaged, 2);
  const tail = from(damaged, at);
  const hash = encodeHex(sha256(utf8(tail)));
  const file = `journal.damaged-${at}-${hash.slice(0, 16)}`;
  assertEquals(disk.content(`${INCIDENTS}/${file}`), tail);
  const { entries, repairs } = await entriesOf(disk);
  assertEquals(entries[0], JSON.parse(lines[0]!), "what was before it is as it was");
  const [{ reason, ...stated }] = repairs as [Repair];
  const last = JSON.parse(lines[3]!) as Entry;
  assertEquals(stated, {
    by: signer.vkey.text,
    after: { seq: 1, hash: entries[0]!.hash },
    aside: [{
      from: "journal.jsonl",
      line: 2,
      at,
      file,
      lines: 3,
      bytes: utf8(tail).length,
      sha256: hash,
    }],
    last: { seq: 4, hash: last.hash },
    again: 3,
  });
  assertMatch(
    reason,
    /^journal\.jsonl line 2 is damaged: hash is [0-9a-f]{64}, computed [0-9a-f]{64}$/,
  );
  assertEquals(plan!.again.length, 3);
  assertEquals(
    await casesOf(disk),
    ALL_CASES,
    "every record holds by itself, and is written again",
  );
  const journal = await IncidentJournal.open({ files: disk.files, folder: INCIDENTS });
  assertEquals([journal.last.seq, journal.unsound, journal.repairs.length], [5, [], 1]);
  await journal.close();
});

Deno.test("repair: a record that does not hold by itself is set aside and not written again", async () => {
  const forged = lines[1]!.replace(/"source_a":"x"/, '"source_a":"z"');
  assert(forged !== lines[1]);
  const disk = incidentsOf([lines[0], forged, lines[1], lines[1], "{}"].join("\n") + "\n");
  await repair(disk);
  const own = [lines[0], lines[1]].map((line) => JSON.parse(line!).record.evidence_id).sort();
  assertEquals(await casesOf(disk), own, "once each");
});

/** What follows the first line and is of a kind that this program does not know. */
const OF_ANOTHER_KIND = await (async (): Promise<string> => {
  const disk = incidentsOf(lines[0]! + "\n");
  const journal = await Journal.open({ files: disk.files, folder: INCIDENTS });
  await journal.append({ something: "else" }, AT);
  await journal.close();
  return disk.content(JOURNAL)!.split("\n")[1]!;
})();

/** Ways to damage a journal; each must be found, and after the repair every whole record be there. */
const DAMAGES: readonly (readonly [what: string, damage: () => string, lost: number])[] = [
  ["the first line gone", () => lines.slice(1).join("\n") + "\n", 1],
  ["a line gone", () => [lines[0], ...lines.slice(2)].join("\n") + "\n", 1],
  ["two lines swapped", () => [lines[1], lines[0], lines[2], lines[3]].join("\n") + "\n", 0],
  ["a line twice", () => [lines[0], lines[0], ...lines.slice(1)].join("\n") + "\n", 0],
  ["an empty line", () => [lines[0], "", ...lines.slice(1)].join("\n") + "\n", 0],
  ["zeros", () => `${lines[0]}\n${"\0".repeat(5_000)}\n${lines.slice(1).join("\n")}\n`, 0],
  ["a line beyond the limit", () => `${lines[0]}\n${"x".repeat(5_000_000)}\n${lines[1]}\n`, 2],
  ["nothing whole", () => "garbage\n", 4],
];

for (const [what, damage, lost] of DAMAGES) {
  Deno.test(`repair: ${what}: found, set aside, and every record that holds is kept`, async () => {
    const disk = incidentsOf(damage());
    await assertRejects(() => entriesOf(disk), JournalDamaged);
    const before = damage();
    await repair(disk);
    const { repairs } = await entriesOf(disk);
    assertEquals(repairs.length, 1);
    assertEquals((await casesOf(disk)).length, lines.length - lost);
    const [{ at, file }] = repairs[0]!.aside as [Repair["aside"][0]];
    assertEquals(disk.content(`${INCIDENTS}/${file}`), from(before, at));
  });
}

Deno.test("repair: a whole entry of a kind that this version does not know is no damage, and stays", async () => {
  const content = `${lines[0]}\n${OF_ANOTHER_KIND}\n`;
  const disk = incidentsOf(content);
  await assertRejects(() => repair(disk), EntryNotKnown, "line 2 holds no conflict record");
  assertEquals(disk.content(JOURNAL), content);
});

Deno.test("repair: a flipped bit anywhere loses at most the record it is in", async () => {
  const content = utf8(lines.join("\n") + "\n");
  // All bytes would take minutes; these fall on every member of every line.
  for (let at = 3; at < content.length; at += 211) {
    const flipped = content.slice();
    flipped[at]! ^= 1 << (at % 8);
    const disk = incidentsOf(flipped);
    await repair(disk);
    const found = await casesOf(disk);
    assert(found.length >= lines.length - 2, `byte ${at}: ${found.length} cases`);
    const { repairs: [stated] } = await entriesOf(disk);
    if (stated === undefined) continue; // The last newline: the line is torn, as a crash leaves it.
    const aside = disk.bytes(`${INCIDENTS}/${stated.aside[0]!.file}`)!;
    assertEquals(aside, flipped.slice(stated.aside[0]!.at));
  }
});

Deno.test("repair: cut at any byte, it is whole or torn and there is nothing to repair", async () => {
  const content = lines.join("\n") + "\n";
  for (let size = 0; size <= content.length; size += 57) {
    assertEquals(await repair(incidentsOf(content.slice(0, size))), undefined);
  }
});

Deno.test("repair: nothing is done while another program writes the journal", async () => {
  const disk = incidentsOf(lines[0]! + "\n");
  const journal = await Journal.open({ files: disk.files, folder: INCIDENTS });
  await assertRejects(() => repair(disk), JournalLocked);
  await journal.close();
  assertEquals(disk.paths(), [JOURNAL]);
});

Deno.test("repair: to look what would be done changes nothing", async () => {
  const content = "garbage\n" + lines.join("\n") + "\n";
  const disk = incidentsOf(content);
  const plan = await planRepair(repairableIncidents({ files: disk.files, folder: INCIDENTS }));
  assertEquals([plan!.aside[0]!.bytes, plan!.again.length], [utf8(content).length, 4]);
  assertEquals([disk.paths(), disk.content(JOURNAL)], [[JOURNAL], content]);
});

/** Repairs while an operation fails, loses power, and repairs again. @returns whether one failed */
async function survives(fault: Fault, keepShare: number): Promise<boolean> {
  const damaged = [lines[0], altered(lines[1]!), lines[2]].join("\n") + "\n";
  const disk = incidentsOf(damaged);
  disk.fail(fault);
  await repair(disk).catch((error) => assert(error instanceof WorldError, error.stack));
  const hit = disk.operations >= fault.at;
  disk.crash({ keepShare });
  const now = disk.content(JOURNAL)!;
  if (now !== damaged) {
    // It is repaired, then: whole, with everything that it states beside it.
    const { repairs } = await entriesOf(disk);
    assertEquals(await asideFaults({ files: disk.files, folder: INCIDENTS }, repairs[0]!), []);
  }
  await repair(disk);
  assertEquals((await casesOf(disk)).length, 3, JSON.stringify(fault));
  const { repairs } = await entriesOf(disk);
  assertEquals(repairs.length, 1);
  assertEquals(await asideFaults({ files: disk.files, folder: INCIDENTS }, repairs[0]!), []);
  return hit;
}

Deno.test("repair: whatever operation fails, the journal is the damaged one or the repaired one", async () => {
  let failures = 0;
  for (const when of ["before", "after"] as const) {
    for (const lasting of [false, true]) {
      for (let at = 1; await survives({ at, when, lasting }, at % 3 / 2); at++) failures++;
    }
  }
  assert(failures > 60, `only ${failures} faults were tried`);
});

/** Replaces the repair of a journal by another record there, and goes on from it. */
async function withStatement(change: (repaired: JsonObject) => JsonObject): Promise<MemoryDisk> {
  const disk = incidentsOf(`${lines[0]}\n${altered(lines[1]!)}\n`);
  await repair(disk);
  const { entries } = await entriesOf(disk);
  const forged = new MemoryDisk();
  const journal = await Journal.open({ files: forged.files, folder: INCIDENTS });
  for (const { record } of entries) {
    const { repaired } = record as { repaired?: JsonObject };
    await journal.append(repaired === undefined ? record : { repaired: change(repaired) }, AT);
  }
  await journal.close();
  return forged;
}

Deno.test("repair: a statement that nobody signed, or that was made for another place, is damage", async () => {
  const other = await newSigner("monitor.invalid/other");
  const forgeries: ((repaired: JsonObject) => JsonObject)[] = [
    (repaired) => ({ ...repaired, reason: "another one" }),
    (repaired) => ({ ...repaired, by: other.vkey.text }),
    (repaired) => ({ ...repaired, aside: [] }),
    (repaired) => ({ ...repaired, again: 0 }),
    (repaired) => ({ ...repaired, more: 1 }),
    ({ signature: _, ...repaired }) => repaired,
    (repaired) => ({ ...repaired, after: { seq: 0, hash: "0".repeat(64) } }),
    (repaired) => ({
      ...repaired,
      aside: (repaired.aside as JsonObject[]).map((one) => ({ ...one, file: "../elsewhere" })),
    }),
  ];
  assertEquals((await entriesOf(await withStatement((repaired) => repaired))).repairs.length, 1);
  for (const forgery of forgeries) {
    const disk = await withStatement(forgery);
    await assertRejects(() => entriesOf(disk), JournalDamaged, "states no sound repair");
    await assertRejects(
      () => IncidentJournal.open({ files: disk.files, folder: INCIDENTS }),
      JournalDamaged,
    );
  }
});

Deno.test("repair: its signature fits no other place, nor anything that is not a repair", async () => {
  const after = { seq: 1, hash: "ab".repeat(32) };
  const stated: Repair = {
    ...{ by: signer.vkey.text, reason: "it is damaged", after, again: 0 },
    aside: [{
      from: "j",
      line: 1,
      at: 0,
      file: "j.x",
      lines: 1,
      bytes: 1,
      sha256: "cd".repeat(32),
    }],
  };
  const record = await signRepair(stated, signer);
  const entry = { seq: 2, recorded_at: AT, prev_hash: after.hash, record };
  assertEquals(parseRepair(entry), stated);
  assertThrows(() => parseRepair({ ...entry, seq: 3 }), MalformedError, "stands elsewhere");
  assertThrows(() => parseRepair({ ...entry, prev_hash: "0".repeat(64) }), MalformedError);
});

Deno.test("repair: a file set aside that is gone or altered is told", async () => {
  const disk = incidentsOf(`${lines[0]}\n${altered(lines[1]!)}\n`);
  await repair(disk);
  const { repairs: [stated] } = await entriesOf(disk);
  const path = `${INCIDENTS}/${stated!.aside[0]!.file}`;
  const faults = (): Promise<string[]> =>
    asideFaults({ files: disk.files, folder: INCIDENTS }, stated!);
  assertEquals(await faults(), []);
  disk.put(path, disk.content(path)!.replace("a", "b"));
  assertEquals(await faults(), [`${path} is not what the repair set aside: it was altered since`]);
  await disk.files.remove(path);
  assertEquals(await faults(), [`${path} is gone: it has what a repair set aside`]);
});

/** Small enough for a few entries. */
const SEGMENT_BYTES = 2_000;

/** A state folder of which every size up to `count` was proven, in segments; some are removed. */
async function observed(count: number, keepSegments = 100): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const journal = await ObservationJournal.open({
    ...{ world, folder: STATE, segmentBytes: SEGMENT_BYTES, keepSegments },
  });
  for (let size = 1; size <= count; size++) {
    await journal.append(observation({ size, root: `${size}` }), AT);
  }
  await journal.removeOld(AT);
  await journal.append(observation({ size: count + 1, root: "last" }), AT);
  await journal.close();
  return disk;
}

function segmentsOf(disk: MemoryDisk): string[] {
  return disk.paths().filter((path) => path.endsWith(".jsonl"));
}

function repairState(disk: MemoryDisk): ReturnType<typeof repairJournal> {
  const journal = repairableObservations({ files: disk.files, folder: STATE });
  return repairJournal(journal, { signer, at: AT });
}

/** Reads all; the chain must be whole. */
async function checkState(disk: MemoryDisk): Promise<{ sizes: bigint[]; repairs: Repair[] }> {
  const sizes: bigint[] = [];
  const repairs: Repair[] = [];
  for await (const item of checkObservations({ files: disk.files, folder: STATE })) {
    if ("repair" in item) repairs.push(item.repair);
    if ("observation" in item) sizes.push(BigInt(item.observation.checkpoint!.size));
  }
  return { sizes, repairs };
}

function damageSegment(disk: MemoryDisk, path: string, line: number): void {
  const content = disk.content(path)!.split("\n");
  content[line - 1] = altered(content[line - 1]!);
  disk.put(path, content.join("\n"));
}

/** What the journal answers after a start, and one more entry. */
async function goOn(disk: MemoryDisk): Promise<{ view: bigint; open: bigint[] }> {
  const journal = await ObservationJournal.open({
    ...{ world: worldOn(disk), folder: STATE, segmentBytes: SEGMENT_BYTES, keepSegments: 1 },
  });
  const log = LOGS[0]!;
  const answers = {
    view: journal.view(log)?.treeSize ?? 0n,
    open: journal.pending(log).map(({ treeSize }) => treeSize),
  };
  for (let size = 101; size < 120; size++) {
    await journal.append(observation({ size, root: `${size}` }), AT);
  }
  await journal.removeOld(AT);
  await journal.close();
  return answers;
}

for (const [what, keepSegments] of [["with all segments", 100], ["after removals", 4]] as const) {
  Deno.test(`repair: observations ${what}, damaged in any segment, go on and keep their view as a question`, async () => {
    const { length } = segmentsOf(await observed(20, keepSegments));
    assert(length >= 4, `${length} segments`);
    for (let i = 0; i < length; i++) {
      for (const line of [1, 2]) {
        const disk = await observed(20, keepSegments);
        const segments = segmentsOf(disk);
        const before = new Map(segments.map((path) => [path, disk.content(path)!]));
        damageSegment(disk, segments[i]!, line);
        const where = `${segments[i]} line ${line}`;
        await assertRejects(() => checkState(disk), JournalDamaged, undefined, where);
        await repairState(disk);
        const { repairs: [stated], sizes } = await checkState(disk);
        assertEquals(stated!.aside.length, segments.length - i, where);
        assertEquals(await asideFaults({ files: disk.files, folder: STATE }, stated!), []);
        for (const { from, file, at } of stated!.aside.slice(1)) {
          assertEquals([disk.content(`${STATE}/${file}`), at], [before.get(`${STATE}/${from}`), 0]);
        }
        const isLast = i === length - 1 &&
          before.get(segments[i]!)!.split("\n").length - 1 === line;
        const largest = isLast ? 20n : 21n;
        assertEquals(sizes.at(-1), largest, "the view is written again");
        assertEquals(await repairState(disk), undefined, "it is whole");
        const { view, open } = await goOn(disk);
        // Without any entry before it, it is the first that is known of the log: our view again.
        assertEquals(open, view === largest ? [] : [largest], where);
        const isKnown = stated!.after.seq > 0;
        assertEquals(view === largest, isLast || !isKnown, where);
        const { repairs } = await checkState(disk);
        assertEquals(repairs.length, 1, "no removal takes the statement away");
        assertEquals((await goOn(disk)).view, 119n);
      }
    }
  });
}

Deno.test("repair: a segment that is gone is damage, and what follows it is set aside", async () => {
  for (const gone of [0, 1, 2]) {
    const disk = await observed(20);
    const segments = segmentsOf(disk);
    await disk.files.remove(segments[gone]!);
    await assertRejects(() => checkState(disk), JournalDamaged, "is gone, and no entry says");
    await repairState(disk);
    const { repairs: [stated] } = await checkState(disk);
    assertEquals(stated!.aside.map(({ from }) => `${STATE}/${from}`), segments.slice(gone + 1));
    const { view, open } = await goOn(disk);
    assertEquals([view === 21n, open], gone === 0 ? [true, []] : [false, [21n]]);
  }
});

/** Repairs observations while an operation fails, loses power, and goes on. */
async function stateSurvives(fault: Fault, keepShare: number): Promise<boolean> {
  const disk = await observed(14);
  const segments = segmentsOf(disk);
  damageSegment(disk, segments[1]!, 2);
  disk.crash({ keepShare: 1 });
  const damaged = disk.content(segments[1]!);
  disk.fail(fault);
  await repairState(disk).catch((error) =>
    assert(error instanceof WorldError || error instanceof DurabilityLost, error.stack)
  );
  const hit = disk.operations >= fault.at;
  disk.crash({ keepShare });
  if (disk.content(segments[1]!) === damaged) {
    assertEquals(segmentsOf(disk), segments, "all of it is there");
    await repairState(disk);
  }
  // Whether a start or another repair comes next: both find it whole.
  if (fault.at % 2 === 0) assertEquals(await repairState(disk), undefined);
  const { repairs: [stated] } = await checkState(disk);
  assertEquals(await asideFaults({ files: disk.files, folder: STATE }, stated!), []);
  assertEquals((await goOn(disk)).open, [15n], JSON.stringify(fault));
  const left = segmentsOf(disk).map((path) => path.slice(-11));
  assert(!left.includes("000003.jsonl"), "what a crash left of set aside segments is removed");
  return hit;
}

Deno.test("repair: whatever operation fails, segments are the damaged ones or the repaired ones", async () => {
  let failures = 0;
  for (const when of ["before", "after"] as const) {
    for (const lasting of [false, true]) {
      for (let at = 1; await stateSurvives({ at, when, lasting }, at % 3 / 2); at++) failures++;
    }
  }
  assert(failures > 100, `only ${failures} faults were tried`);
});

Deno.test("repair: a start that removes what a repair left tells what failed, whatever that is", async () => {
  let failures = 0;
  for (let at = 1, hit = true; hit; at++) {
    const disk = await observed(14);
    const segments = segmentsOf(disk);
    const left = disk.bytes(segments[2]!)!;
    damageSegment(disk, segments[1]!, 2);
    await repairState(disk);
    disk.put(segments[2]!, left);
    disk.crash({ keepShare: 1 });
    disk.fail({ at, when: "before", lasting: false });
    try {
      await goOn(disk);
    } catch (error) {
      assert(error instanceof WorldError || error instanceof DurabilityLost, `${error}`);
      failures++;
    }
    hit = disk.operations >= at && failures < 60;
  }
  assert(failures > 20, `only ${failures} faults were tried`);
});

Deno.test("repair: steps of incidents that are set aside are written again, in their order", async () => {
  const disk = incidentsOf("");
  const journal = await IncidentJournal.open({ files: disk.files, folder: INCIDENTS });
  const { record } = JSON.parse(lines[0]!);
  await journal.record(record, AT);
  const said = {
    version: TRANSITION_VERSION,
    incident: "INC-2026-001",
    log: record.log,
    cause: "equivocation",
    ...{ at: AT, by: "hearsay", why: "because", monitor: signer.vkey.text },
  } as const;
  const steps = [
    { ...said, evidence_ids: [record.evidence_id], from: null, to: "DETECT" },
    { ...said, evidence_ids: [], from: "DETECT", to: "FREEZE" },
  ] as const;
  for (const transition of steps) {
    await journal.step(
      { transition, signature: await signer.sign(transitionBytes(transition)) },
      AT,
    );
  }
  await journal.close();
  const whole = disk.content(JOURNAL)!.split("\n").slice(0, -1);
  for (let damage = 0; damage < whole.length; damage++) {
    const damaged = incidentsOf(
      whole.map((line, i) => `${i === damage ? altered(line) : line}\n`).join(""),
    );
    const plan = await repair(damaged);
    // The record of the damaged line holds by itself, and so does a step.
    assertEquals([plan!.again.length, plan!.lost], [whole.length - damage, []]);
    const again = await IncidentJournal.open({ files: damaged.files, folder: INCIDENTS });
    assertEquals(again.transitions.map(({ transition }) => transition), [...steps]);
    assertEquals(again.named.length, 1);
    await again.close();
    assertEquals(await repair(damaged), undefined, "it is whole");
  }
  // A step whose signature does not hold is damage, and is lost.
  const forged = whole.at(-1)!.replace('"why":"because"', '"why":"another"');
  const disk2 = incidentsOf([...whole.slice(0, -1), forged].map((line) => `${line}\n`).join(""));
  const plan = await repair(disk2);
  assertMatch(plan!.lost[0]!.what, /the step of an incident in entry 3/);
});
