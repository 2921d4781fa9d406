import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import {
  buildRecord,
  caseOf,
  type ConflictRecord,
  signedBytes,
  withSignature,
} from "../../src/evidence/record.ts";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import { Opinions } from "../../src/evidence/verify.ts";
import { CaseKeeper } from "../../src/monitor/case_keeper.ts";
import { IncidentJournal, readIncidents } from "../../src/store/incidents.ts";
import { Journal, JOURNAL_FILE, JournalDamaged } from "../../src/store/journal.ts";
import { openFrame, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Signer } from "../../src/world/signer.ts";
import { WorldError } from "../../src/world/world.ts";
import { checkpointOf, grow, newLog, newSigner, proofOf } from "../evidence/histories.ts";
import { MemoryDisk } from "./memory_disk.ts";

const FOLDER = "incidents";
const AT = "2026-01-02T03:04:05Z";

function open(disk: MemoryDisk): Promise<IncidentJournal> {
  return IncidentJournal.open({ files: disk.files, folder: FOLDER });
}

async function recordOf(conflict: Conflict, signer: Signer): Promise<ConflictRecord> {
  const record = buildRecord({ conflict, detectedAt: AT, detector: signer.vkey });
  return withSignature(record, await signer.sign(signedBytes(record)));
}

function pair(first: VerifiedCheckpoint, second: VerifiedCheckpoint): Conflict {
  return {
    kind: "same_size",
    first: { checkpoint: first, source: "x" },
    second: { checkpoint: second, source: "y" },
  };
}

async function count(disk: MemoryDisk): Promise<number> {
  let entries = 0;
  for await (const item of readIncidents({ files: disk.files, folder: FOLDER })) {
    assert("entry" in item);
    entries++;
  }
  return entries;
}

Deno.test("incidents: a case is written once, whoever tells it and after a restart", async () => {
  const log = await newLog();
  const [a, b] = await Promise.all(["a", "b"].map((s) => checkpointOf(grow(log.fork(), 4, s))));
  const signer = await newSigner();
  const disk = new MemoryDisk();
  const incidents = await open(disk);
  const first = await recordOf(pair(a!, b!), signer);
  assertEquals((await incidents.record(first, AT)).outcome, "recorded");
  assertEquals(await incidents.record(await recordOf(pair(b!, a!), signer), AT), {
    outcome: "known",
    seq: 1,
  });
  await incidents.close();
  const again = await open(disk);
  assertEquals(await Array.fromAsync(again.records()), [{ seq: 1, record: first }]);
  assertEquals((await again.record(first, AT)).outcome, "known");
  await again.close();
  assertEquals(await count(disk), 1);
});

Deno.test("incidents: a record is read when it is asked for, and no other one is given for it", async () => {
  const log = await newLog();
  const signer = await newSigner();
  const [a, b, c] = await Promise.all(
    ["a", "b", "c"].map((story) => checkpointOf(grow(log.fork(), 4, story))),
  );
  const [first, second] = await Promise.all(
    [pair(a!, b!), pair(a!, c!)].map((conflict) => recordOf(conflict, signer)),
  );
  const disk = new MemoryDisk();
  const incidents = await open(disk);
  await incidents.record(first!, AT);
  await incidents.record(second!, AT);
  assertEquals([await incidents.read(1), await incidents.read(2)], [first, second]);
  await incidents.close();
  const again = await open(disk);
  assertEquals([await again.read(2), await again.read(1)], [second, first]);
  assertEquals([again.find(caseOf(pair(b!, c!))), again.find(caseOf(pair(a!, b!)))], [2, 1]);
  const [path] = disk.paths().filter((path) => path.endsWith(JOURNAL_FILE));
  const file = await disk.files.open(path!, "write");
  await file.write(utf8(disk.content(path!)!.replace(AT, "2027-01-02T03:04:05Z")), 0);
  file.close();
  const error = await assertRejects(() => again.read(1), WorldError);
  assertStringIncludes(error.message, "is no longer what was written: hash is");
  await again.close();
});

Deno.test("incidents: one case told many times at once is written once", async () => {
  const log = await newLog();
  const [a, b] = await Promise.all(["a", "b"].map((s) => checkpointOf(grow(log.fork(), 4, s))));
  const record = await recordOf(pair(a!, b!), await newSigner());
  const disk = new MemoryDisk();
  const incidents = await open(disk);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => incidents.record(record, AT)));
  assertEquals(outcomes.filter(({ outcome }) => outcome === "recorded").length, 1);
  await incidents.close();
  assertEquals(await count(disk), 1);
});

Deno.test("incidents: k roots at one size make k - 1 entries, however they are paired", async () => {
  const log = await newLog();
  const roots = await Promise.all(
    ["a", "b", "c", "d"].map((story) => checkpointOf(grow(log.fork(), 4, story))),
  );
  const signer = await newSigner();
  const disk = new MemoryDisk();
  // Each start sees them in another order, as detectors of different runs would.
  for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]]) {
    const incidents = await open(disk);
    const detector = new EquivocationDetector();
    for (const at of order) {
      const conflict = detector.observe(roots[at]!, "x");
      if (conflict !== undefined) await incidents.record(await recordOf(conflict, signer), AT);
    }
    await incidents.close();
  }
  assertEquals(await count(disk), roots.length - 1);
});

Deno.test("incidents: an older root contradicted by several newer ones makes one entry", async () => {
  const log = await newLog();
  const honest = grow(log.fork(), 20, "honest");
  const older = await checkpointOf(grow(log.fork(), 6, "other"), 6);
  const signer = await newSigner();
  const disk = new MemoryDisk();
  for (const newer of [12, 20, 9]) {
    const incidents = await open(disk);
    const detector = new EquivocationDetector();
    detector.observe(older, "x");
    detector.observe(await checkpointOf(honest, newer), "x");
    const outcome = detector.observeProof(proofOf(honest, { older: 6, newer }));
    assert(outcome.verdict === "inconsistent");
    await incidents.record(await recordOf(outcome.conflicts[0]!, signer), AT);
    await incidents.close();
  }
  assertEquals(await count(disk), 1);
});

Deno.test("incidents: what a stranger would refuse is not written", async () => {
  const log = await newLog();
  const [a, b] = await Promise.all(["a", "b"].map((s) => checkpointOf(grow(log.fork(), 4, s))));
  const signer = await newSigner();
  const disk = new MemoryDisk();
  const incidents = await open(disk);
  const sound = await recordOf(pair(a!, b!), signer);
  const unsigned = buildRecord({ conflict: pair(a!, b!), detectedAt: AT });
  const bad = [
    unsigned,
    await recordOf(pair(a!, a!), signer),
    { ...sound, source_a: "else" },
    { ...sound, evidence_id: "0".repeat(64) },
  ];
  for (const record of bad) {
    assertEquals((await incidents.record(record, AT)).outcome, "does not hold");
  }
  await incidents.close();
  assertEquals(await count(disk), 0);
});

Deno.test("incidents: an entry that holds no conflict record stops the start with its line", async () => {
  const disk = new MemoryDisk();
  const journal = await Journal.open({ files: disk.files, folder: FOLDER });
  await journal.append({ version: "something else" }, AT);
  await journal.close();
  await assertRejects(() => open(disk), JournalDamaged, "line 1 holds no conflict record");
});

Deno.test("incidents: a folder that is not there has no entries, and reading makes none", async () => {
  const disk = new MemoryDisk();
  assertEquals(await count(disk), 0);
  assertEquals(disk.paths(), []);
});

Deno.test("incidents: pairs that no entry joins yet are new, so k roots always come to k - 1", async () => {
  const log = await newLog();
  const [a, b, c, d] = await Promise.all(
    ["a", "b", "c", "d"].map((story) => checkpointOf(grow(log.fork(), 4, story))),
  );
  const signer = await newSigner();
  const disk = new MemoryDisk();
  const incidents = await open(disk);
  const outcomes = [];
  for (const [x, y] of [[a, b], [c, d], [b, c], [a, d], [d, b]] as const) {
    const { outcome } = await incidents.record(await recordOf(pair(x!, y!), signer), AT);
    outcomes.push(outcome);
  }
  assertEquals(outcomes, ["recorded", "recorded", "recorded", "known", "known"]);
  await incidents.close();
});

Deno.test("incidents: the cases behind a number are given in order, and never one that does not hold", async () => {
  const log = await newLog();
  const [a, b, c, d] = await Promise.all(
    ["a", "b", "c", "d"].map((story) => checkpointOf(grow(log.fork(), 4, story))),
  );
  const signer = await newSigner();
  const disk = new MemoryDisk();
  const journal = await Journal.open({ files: disk.files, folder: FOLDER });
  const sound = await recordOf(pair(a!, b!), signer);
  await journal.append({ ...sound, source_a: "changed after signing" }, AT);
  await journal.close();
  const incidents = await open(disk);
  assertEquals([incidents.count, incidents.after(0, 9)], [0, []]);
  for (const [x, y] of [[a, b], [b, c], [c, d]] as const) {
    await incidents.record(await recordOf(pair(x!, y!), signer), AT);
  }
  assertEquals([incidents.count, incidents.after(0, 9)], [3, [2, 3, 4]]);
  assertEquals(incidents.after(0, 2), [2, 3]);
  assertEquals(incidents.after(2, 9), [3, 4]);
  assertEquals(incidents.after(4, 9), []);
  assertEquals([0, 1, 2, 4, 5].map((seq) => incidents.has(seq)), [false, false, true, true, false]);
  await incidents.close();
});

Deno.test("incidents: an entry that does not hold is told, and suppresses no real evidence", async () => {
  const log = await newLog();
  const [a, b] = await Promise.all(["a", "b"].map((s) => checkpointOf(grow(log.fork(), 4, s))));
  const sound = await recordOf(pair(a!, b!), await newSigner());
  const disk = new MemoryDisk();
  const journal = await Journal.open({ files: disk.files, folder: FOLDER });
  await journal.append({ ...sound, source_a: "changed after signing" }, AT);
  await journal.close();
  const incidents = await open(disk);
  assertEquals([incidents.unsound, await Array.fromAsync(incidents.records())], [[1], []]);
  assertEquals((await incidents.record(sound, AT)).outcome, "recorded");
  await incidents.close();
});

Deno.test("incidents: more cases of one size than a detector keeps start a monitor, and none counts as lost", async () => {
  const log = await newLog();
  const extra = 4;
  const roots = await Promise.all(
    Array.from(
      { length: MAX_ROOTS_PER_SIZE + extra },
      (_, i) => checkpointOf(grow(log.fork(), 4, `${i}`)),
    ),
  );
  const signer = await newSigner();
  const disk = new MemoryDisk();
  const incidents = await open(disk);
  // As versions without the limit wrote them; each new root first, so that groups join the long way.
  for (const root of roots.slice(1)) {
    const record = await recordOf(pair(root, roots[0]!), signer);
    assertEquals((await incidents.record(record, AT)).outcome, "recorded");
  }
  await incidents.close();
  const told: string[] = [];
  const monitor = await CaseKeeper.start({
    world: { ...denoWorld(), files: disk.files },
    logs: [log.log],
    identity: { signer, folder: FOLDER },
    report: {
      heard() {},
      broken() {},
      notAnswered() {},
      incident: ({ outcome }) => told.push(outcome),
    },
  });
  assertEquals([monitor.casesHeld, monitor.unsoundEntries], [roots.length - 1, []]);
  assertEquals([monitor.beyondCap(log.log), told], [{ perSize: 0, perLog: 0 }, []]);
  for (const known of roots) {
    const { answer } = monitor.judge.hear(known.frame, "a peer", new Set());
    const answered = openFrame({ frame: answer!, logs: [log.log] });
    assert(!("refused" in answered));
    assertEquals([answered.treeSize, answered.root === known.root], [4n, false]);
  }
  await monitor.close();
  assertEquals(await count(disk), roots.length - 1);
});

Deno.test("incidents: of records at one size each signature on a shared note is asked about once", async () => {
  const log = await newLog();
  const [a, b, c] = await Promise.all(
    ["a", "b", "c"].map((story) => checkpointOf(grow(log.fork(), 4, story))),
  );
  const opinions = new Opinions();
  const asked: string[] = [];
  for (const { note } of [a!, b!, a!, c!, a!]) {
    const ask = () => asked.push(note) > 0;
    assert(opinions.of({ log: log.log, note }, ask));
  }
  assertEquals(asked, [a!.note, b!.note, c!.note]);
  // Another key's opinion of the same note is another one.
  const other = (await newLog()).log;
  assert(!opinions.of({ log: other, note: a!.note }, () => false));
  assert(opinions.of({ log: log.log, note: a!.note }, () => false));
});
