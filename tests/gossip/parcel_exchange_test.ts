/** The answering end of an exchange of parcels: what it answers, refuses, charges, and how long it waits. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { type ConflictRecord, formatRecord } from "../../src/evidence/record.ts";
import { proofItem } from "./proof_item.ts";
import { followsItem } from "../../src/gossip/follows_item.ts";
import { ItemKind, KINDS, ParcelItem } from "../../src/gossip/kinds.ts";
import { noteItem } from "../../src/gossip/note_item.ts";
import { encodeParcel, PARCEL_VERSION, ParcelDecoder } from "../../src/gossip/parcel.ts";
import { recordItem } from "../../src/gossip/record_item.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { textOf, utf8 } from "../../src/tlog/encoding.ts";
import { settled } from "./fake_network.ts";
import {
  ask,
  CALLER,
  checkpointOf,
  counting,
  forkedLog,
  frameOf,
  logOf,
  readAll,
  recordOfFork,
  serve,
  type Setting,
  signingLog,
  storiesOf,
} from "./helpers.ts";

type Served = Awaited<ReturnType<typeof serve>>;

/** So little that one refusal keeps an address out for a second and more. */
const SCARCE = { framesPerSecondPerAddress: 300, refusedFrameCost: 600 };
const CHARGED = "; closed without an answer, and its address charged";

function decode(bytes: Uint8Array): ParcelItem[] {
  const decoder = new ParcelDecoder(DEFAULT_LIMITS);
  const items = [...decoder.take(bytes)];
  decoder.end();
  return items;
}

/** Sends a parcel and reads the items answered; none at all if nothing was answered. */
async function tell(
  scene: Served,
  items: readonly ParcelItem[],
  hostname = CALLER,
): Promise<ParcelItem[] | "no answer"> {
  const answer = await ask(await scene.connect(hostname), encodeParcel(items));
  return answer.length === 0 ? "no answer" : decode(answer);
}

/** The notes in an answer, as texts. */
function notesIn(answer: ParcelItem[] | "no answer"): string[] {
  assert(answer !== "no answer");
  return answer.filter(({ kind }) => kind === "note").map(({ body }) => textOf(body));
}

function item(kind: ItemKind, text: string): ParcelItem {
  return { kind, body: utf8(text) };
}

/** Whether an address may still ask for something. */
async function isServed(scene: Served, log: TestLog, hostname?: string): Promise<boolean> {
  return (await scene.ask([await frameOf(log)], hostname)).length === 1;
}

/** A callee that was shown one history of a log that forked, and what it keeps. */
async function forkScene(setting: Partial<Setting> = {}) {
  const fork = await forkedLog();
  const kept: Conflict[] = [];
  const keep = (conflicts: readonly Conflict[]) => (kept.push(...conflicts), Promise.resolve());
  const logs = [fork.honest.log];
  const scene = await serve({ logs, shown: [fork.honest], keep, limits: SCARCE, ...setting });
  return { scene, fork, kept, record: await recordOfFork(fork) };
}

// What JSON costs

for (const kind of ["record", "proof"] as const) {
  Deno.test(`parcels: a ${kind} is paid for by its length before it is parsed`, async () => {
    const body = item(kind, `{"a":"${"b".repeat(40_000)}"}`);
    const reasons: string[] = [];
    for (const jsonBytesPerFrame of [100, 1e9]) {
      const limits = { ...SCARCE, parcelBytesPerFrame: 1e9, jsonBytesPerFrame };
      await using scene = await serve({ logs: [(await logOf("log.example/a", 1)).log], limits });
      assertEquals(await tell(scene, [body]), "no answer");
      reasons.push(scene.report.brokenAll.join());
    }
    assertMatch(reasons[0]!, /^more came than an address may send/);
    assertMatch(reasons[1]!, new RegExp(`^a ${kind} was refused: `));
  });
}

Deno.test("parcels: a stranger owes what looking for its answer took, a peer does not", async () => {
  const log = await logOf("log.example/a", 20);
  const open = await Promise.all([4n, 5n, 6n, 7n, 8n, 9n].map((size) => checkpointOf(log, size)));
  const peer = "192.0.2.250";
  await using scene = await serve({
    ...{ logs: [log.log], shown: [log], open: () => open, peers: [peer] },
    limits: { framesPerSecondPerAddress: 10 },
  });
  const greeting = [followsItem([log.log])];
  for (const hostname of [CALLER, peer]) {
    assertEquals(notesIn(await tell(scene, greeting, hostname)).length, open.length);
  }
  // Six are left of ten, and six notes and their bytes are owed.
  assertEquals([await isServed(scene, log), await isServed(scene, log, peer)], [false, true]);
  await scene.clock.advance(300);
  assertEquals(await isServed(scene, log), true);
});

// What it answers

Deno.test("parcels: a note is answered with the latest of its log", async () => {
  const log = await logOf("log.example/a", 5);
  await using scene = await serve({ logs: [log.log], shown: [log] });
  for (const [size, verdict] of [[5n, "matches"], [3n, "pending"]] as const) {
    const answer = await tell(scene, [noteItem(await checkpointOf(log, size))]);
    assertEquals(notesIn(answer), [await log.checkpoint()]);
    assertEquals(scene.report.verdicts.at(-1), verdict);
  }
  assertEquals(scene.report.brokenAll, []);
});

Deno.test("parcels: a note is answered with the checkpoint that contradicts it", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using scene = await serve({ logs: [ours.log], shown: [ours] });
  const older = await checkpointOf(ours);
  ours.append("one more");
  scene.judge.takeInOwn(await checkpointOf(ours), "the log");
  const answer = await tell(scene, [noteItem(await checkpointOf(theirs))]);
  assertEquals(notesIn(answer), [older.note]);
  assertEquals(scene.report.verdicts, ["inconsistent"]);
});

Deno.test("parcels: of a log nobody showed it, it answers no note", async () => {
  const log = await logOf("log.example/a", 5);
  await using scene = await serve({ logs: [log.log] });
  assertEquals(await tell(scene, [noteItem(await checkpointOf(log))]), []);
});

Deno.test("parcels: its latest may be one that fits no frame", async () => {
  const { log, sign } = await signingLog();
  await using scene = await serve({ logs: [log] });
  const [framed, extended] = [await sign(4n, 1, ""), await sign(6n, 2)];
  for (const checkpoint of [framed, extended]) scene.judge.takeInOwn(checkpoint, "the log");
  assertEquals(notesIn(await tell(scene, [noteItem(await sign(3n, 3))])), [extended.note]);
  assertEquals(await scene.ask([framed.frame]), [framed.frame]);
});

Deno.test("parcels: an empty parcel is answered with an empty parcel", async () => {
  const { scene } = await forkScene();
  await using _ = scene;
  assertEquals(await tell(scene, []), []);
});

Deno.test("parcels: the evidence about the logs named is answered up to the limit: the newest, and others by chance", async () => {
  const records = await Promise.all([5, 6, 7, 8].map(async (forkSize) => {
    return await recordOfFork(await forkedLog({ forkSize }));
  }));
  // Whose log they are about does not matter here: they are not judged when they are handed over.
  const { scene, fork } = await forkScene({
    records: () => records,
    limits: { maxRecordsPerParcel: 3 },
  });
  await using _ = scene;
  const texts = records.map((record) => formatRecord(record));
  const seen = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const answer = await tell(scene, [noteItem(await checkpointOf(fork.honest))]);
    assert(answer !== "no answer");
    const given = answer.filter(({ kind }) => kind === "record").map(({ body }) => textOf(body));
    assertEquals([given.length, new Set(given).size, given[0]], [3, 3, texts.at(-1)]);
    for (const text of given) seen.add(text);
    await scene.clock.advance(1_000);
  }
  assertEquals(seen, new Set(texts), "none is left out for ever");
});

Deno.test("parcels: evidence about a log that was not named stays", async () => {
  const other = await logOf("log.example/other", 2);
  const { scene, record } = await forkScene();
  await using _ = scene;
  const logs = [other.log];
  await using aside = await serve({ logs, shown: [other], records: () => [record] });
  assertEquals(await tell(aside, []), []);
});

// Records

Deno.test("parcels: a record is taken in, kept, and only then answered", async () => {
  const order: string[] = [];
  const held: ConflictRecord[] = [];
  const { scene, record, fork } = await forkScene({
    keep: (conflicts) => (order.push(`${conflicts.length} kept`), Promise.resolve()),
    records: () => (order.push("asked"), held),
  });
  await using _ = scene;
  assert(await tell(scene, [recordItem(record)]) !== "no answer");
  assertEquals(order, ["asked", "1 kept", "asked"]);
  assertEquals(await scene.ask([await frameOf(fork.forked)]), [await frameOf(fork.honest)]);
});

Deno.test("parcels: known evidence sent again is not charged and makes no conflict again", async () => {
  const held: ConflictRecord[] = [];
  const { scene, record, kept, fork } = await forkScene({ records: () => held });
  await using _ = scene;
  assert(await tell(scene, [recordItem(record)]) !== "no answer");
  assertEquals(kept.length, 1);
  // Known to the detector alone at first, then held as well.
  for (const _ of ["second", "third"]) {
    await scene.clock.advance(1_000);
    assertEquals(await tell(scene, [recordItem(record)]), []);
    held.push(record);
  }
  assertEquals([kept.length, scene.report.brokenAll], [1, []]);
  assertEquals(await isServed(scene, fork.honest), true);
});

Deno.test("parcels: a record of a log not followed is passed over, what comes with it is heard", async () => {
  const strange = await recordOfFork(await forkedLog());
  const { scene, record, kept, fork } = await forkScene();
  await using _ = scene;
  assertEquals(await tell(scene, [recordItem(strange), recordItem(record)]), []);
  assertEquals([kept.length, scene.report.brokenAll], [1, []]);
  assertEquals(await isServed(scene, fork.honest), true);
});

Deno.test("parcels: the same key under another origin is another log", async () => {
  const { scene, record, kept } = await forkScene();
  await using _ = scene;
  const elsewhere = { ...record, log: { ...record.log, origin: "log.example/other" } };
  assertEquals(await tell(scene, [recordItem(elsewhere)]), []);
  assertEquals([kept, scene.report.brokenAll], [[], []]);
});

Deno.test("parcels: a record of another version is passed over, not charged", async () => {
  const { scene, record, kept, fork } = await forkScene();
  await using _ = scene;
  const later = JSON.stringify({ ...record, version: "hearsay/conflict/v9" });
  assertEquals(await tell(scene, [item("record", later)]), []);
  assertEquals([kept, scene.report.brokenAll], [[], []]);
  assertEquals(await isServed(scene, fork.honest), true);
});

/** How a record can be tampered with, and what is said of it. */
const TAMPERED: readonly [
  how: string,
  change: (record: ConflictRecord) => unknown,
  said: string,
][] = [
  ["another evidence_id", (it) => ({ ...it, evidence_id: "0".repeat(64) }), "evidence_id"],
  [
    "another size beside the note",
    (it) => ({ ...it, checkpoint_a: { ...it.checkpoint_a, size: "6" } }),
    "checkpoint_a",
  ],
  [
    "a note with another root",
    (it) => ({
      ...it,
      checkpoint_a: { ...it.checkpoint_a, note: otherRoot(it.checkpoint_a.note) },
    }),
    "checkpoint_a",
  ],
  ["one checkpoint twice", (it) => ({ ...it, checkpoint_b: it.checkpoint_a }), "contradiction"],
  ["another kind", (it) => ({ ...it, kind: "same_size" }), "member"],
  ["an unknown member", (it) => ({ ...it, verdict: "guilty" }), "unknown member"],
  [
    "a proof with one hash less",
    (it) => ({ ...it, consistency: { ...it.consistency!, proof: it.consistency!.proof.slice(1) } }),
    "convicts nobody",
  ],
  [
    "a made-up implied root",
    (it) => ({
      ...it,
      consistency: { ...it.consistency!, implied_root: btoa("x".repeat(32)) },
    }),
    "contradiction",
  ],
  [
    "a detector's signature nobody made",
    (it) => ({
      ...it,
      detector_id: "m",
      detector_vkey: it.log.vkey,
      key_id: "0",
      evidence_signature: "AA==",
    }),
    "detector",
  ],
  ["no version", (it) => ({ ...it, version: 1 }), "version"],
];

function otherRoot(note: string): string {
  const lines = note.split("\n");
  lines[2] = btoa("y".repeat(32));
  return lines.join("\n");
}

for (const [how, change, said] of TAMPERED) {
  Deno.test(`parcels: a record with ${how} is refused and charged`, async () => {
    const { scene, record, kept, fork } = await forkScene();
    await using _ = scene;
    const tampered = formatRecord(change(record) as ConflictRecord);
    assertEquals(await tell(scene, [item("record", tampered)]), "no answer");
    const [broken, ...more] = scene.report.brokenAll;
    assert(broken!.startsWith("a record was refused: ") && broken!.endsWith(CHARGED), broken);
    assert(broken!.includes(said), broken);
    assertEquals([kept, more], [[], []]);
    assertEquals(await isServed(scene, fork.honest), false, "its address was not charged");
    assertEquals(await isServed(scene, fork.honest, "192.0.2.200"), true);
  });
}

// Garbage

const GARBAGE: readonly [what: string, item: ParcelItem][] = [
  ["an empty note", item("note", "")],
  ["a note that is none", item("note", "a note\n")],
  ["a note that is not UTF-8", { kind: "note", body: Uint8Array.of(0xff, 0x0a) }],
  ["an empty proof", item("proof", "")],
  ["a proof that is not JSON", item("proof", "{proof")],
  ["a proof that is a list", item("proof", "[1]")],
  ["a proof without members", item("proof", "{}")],
  ["a proof nested deeply", item("proof", "[".repeat(60_000))],
  ["a record that is not JSON", item("record", "guilty")],
  ["a record without members", item("record", "{}")],
  ["a record with a member twice", item("record", '{"version":"1","version":"2"}')],
  ["a record that is not UTF-8", { kind: "record", body: Uint8Array.of(0x7b, 0xff, 0x7d) }],
];

for (const [what, garbage] of GARBAGE) {
  Deno.test(`parcels: ${what} convicts nobody, and is charged`, async () => {
    const { scene, kept, fork } = await forkScene();
    await using _ = scene;
    assertEquals(await tell(scene, [garbage]), "no answer");
    assert(scene.report.brokenAll[0]!.endsWith(CHARGED));
    assertEquals([kept, scene.report.verdicts], [[], []]);
    assertEquals(await isServed(scene, fork.honest), false, "its address was not charged");
  });
}

Deno.test("parcels: a note with a wrong signature is refused and charged", async () => {
  const { scene, kept, fork } = await forkScene();
  await using _ = scene;
  const note = otherRoot(await fork.honest.checkpoint());
  assertEquals(await tell(scene, [item("note", note)]), "no answer");
  assert(scene.report.brokenAll[0]!.includes("does not verify"));
  assertEquals([kept, await isServed(scene, fork.honest)], [[], false]);
});

Deno.test("parcels: a note of a log not followed is passed over", async () => {
  const { scene, kept, fork } = await forkScene();
  await using _ = scene;
  const stranger = await logOf("log.example/stranger", 2);
  const items = [await checkpointOf(stranger), await checkpointOf(fork.honest)].map(noteItem);
  assertEquals(notesIn(await tell(scene, items)), [await fork.honest.checkpoint()]);
  assertEquals([kept, scene.report.brokenAll], [[], []]);
  assertEquals(await isServed(scene, fork.honest), true);
});

// Proofs

Deno.test("parcels: a proof makes a case of what was heard before", async () => {
  const { scene, kept, fork } = await forkScene();
  await using _ = scene;
  await scene.ask([await frameOf(fork.forked)]);
  assertEquals(kept, []);
  assert(await tell(scene, [proofItem(fork.proof)]) !== "no answer");
  assertEquals(kept.map(({ kind }) => kind), ["cross_size"]);
  // Once: saying it again is not punished.
  assert(await tell(scene, [proofItem(fork.proof)]) !== "no answer");
  assertEquals([kept.length, scene.report.brokenAll], [1, []]);
});

Deno.test("parcels: notes and the proof between them in one parcel make a case", async () => {
  const { scene, kept, fork } = await forkScene();
  await using _ = scene;
  const items = [noteItem(await checkpointOf(fork.forked)), proofItem(fork.proof)];
  assert(await tell(scene, items) !== "no answer");
  assertEquals(kept.map(({ kind }) => kind), ["cross_size"]);
});

Deno.test("parcels: a proof about what was never seen signed says nothing, unpunished", async () => {
  const { scene, kept, fork } = await forkScene();
  await using _ = scene;
  assertEquals(await tell(scene, [proofItem(fork.proof)]), []);
  assertEquals([kept, scene.report.brokenAll], [[], []]);
});

Deno.test("parcels: a made-up proof convicts nobody, and is charged", async () => {
  const { scene, kept, fork } = await forkScene();
  await using _ = scene;
  await scene.ask([await frameOf(fork.forked)]);
  const proof = fork.proof.proof.map((hash, i) => i === 1 ? new Uint8Array(32) : hash);
  assertEquals(await tell(scene, [proofItem({ ...fork.proof, proof })]), "no answer");
  assert(scene.report.brokenAll[0]!.includes("it convicts nobody"));
  assertEquals([kept, await isServed(scene, fork.honest)], [[], false]);
});

Deno.test("parcels: a proof about a log not followed is passed over", async () => {
  const { scene, kept } = await forkScene();
  await using _ = scene;
  assertEquals(await tell(scene, [proofItem((await forkedLog()).proof)]), []);
  assertEquals([kept, scene.report.brokenAll], [[], []]);
});

// What came before

Deno.test("parcels: what is proven before something refused is kept", async () => {
  const { scene, kept, record } = await forkScene();
  await using _ = scene;
  const items = [recordItem(record), item("note", ""), recordItem(record)];
  assertEquals([await tell(scene, items), kept.length], ["no answer", 1]);
});

Deno.test("parcels: what is proven before the parcel breaks off is kept", async () => {
  const { scene, kept, record } = await forkScene();
  await using _ = scene;
  const connection = await scene.connect();
  await connection.write(concat([encodeParcel([recordItem(record)]), Uint8Array.of(1, 0)]));
  await settled();
  connection.reset();
  await settled();
  assertEquals([kept.length, scene.callee.connections], [1, 0]);
});

Deno.test("parcels: what cannot be kept is not answered", async () => {
  const full = new Error("the disk is full");
  const { scene, record, fork } = await forkScene({ keep: () => Promise.reject(full) });
  await using _ = scene;
  const items = [noteItem(await checkpointOf(fork.honest)), recordItem(record)];
  assertEquals(await tell(scene, items), "no answer");
  const { verdicts, brokenAll, refusedAll } = scene.report;
  assertEquals([verdicts, brokenAll, refusedAll], [[], [], ["the disk is full"]]);
});

// Limits

for (const length of [0xffffffff, 0x80000000, KINDS.note.maxBytes + 1]) {
  Deno.test(`parcels: a note announced with ${length} bytes is refused before it comes`, async () => {
    const { scene, fork } = await forkScene();
    await using _ = scene;
    const bytes = new Uint8Array(6);
    bytes.set([PARCEL_VERSION, 1]);
    new DataView(bytes.buffer).setUint32(2, length);
    const connection = await scene.connect();
    await connection.write(bytes);
    assertEquals(await readAll(connection), new Uint8Array(0));
    assertEquals(await isServed(scene, fork.honest), false, "its address was not charged");
  });
}

Deno.test("parcels: an unknown version is told, and not charged", async () => {
  const { scene, fork } = await forkScene();
  await using _ = scene;
  const connection = await scene.connect();
  await connection.write(Uint8Array.of(0x82, 1, 2, 3));
  assertEquals(await readAll(connection), new Uint8Array(0));
  assertEquals(scene.report.brokenAll, [
    "it speaks version 2 of parcels, this program speaks 1",
  ]);
  assertEquals(await isServed(scene, fork.honest), true);
});

Deno.test("parcels: a case that the other end says it has is not answered", async () => {
  const fork = await forkedLog();
  const record = await recordOfFork(fork);
  const setting = { logs: [fork.honest.log], shown: [fork.honest], records: () => [record] };
  await using scene = await serve(setting);
  const note = noteItem(await checkpointOf(fork.honest));
  const known = (id: string): ParcelItem => ({ kind: "known", body: decodeHex(id) });
  const kindsOf = (items: ParcelItem[] | "no answer"): string[] => {
    assert(items !== "no answer");
    return items.map(({ kind }) => kind);
  };
  assertEquals(kindsOf(await tell(scene, [note])), ["record", "note"]);
  assertEquals(kindsOf(await tell(scene, [note, known("00".repeat(32))])), ["record", "note"]);
  assertEquals(kindsOf(await tell(scene, [note, known(record.evidence_id)])), ["note"]);
  assertEquals(scene.report.brokenAll, []);
  assertEquals(await tell(scene, [{ kind: "known", body: new Uint8Array(33) }]), "no answer");
  assert(scene.report.brokenAll[0]!.includes("33 bytes came, expected 32 for each"));
  const twice = [known("00".repeat(32)), known("11".repeat(32))];
  assertEquals(await tell(scene, twice), "no answer", "one list says it all");
});

Deno.test("parcels: an unknown kind is passed over, what comes after it is heard", async () => {
  const { scene, fork } = await forkScene();
  await using _ = scene;
  const note = noteItem(await checkpointOf(fork.honest));
  const strange = Uint8Array.of(77, 0, 0, 0, 3, 1, 2, 3);
  const bytes = concat([Uint8Array.of(PARCEL_VERSION), strange, encodeParcel([note]).subarray(1)]);
  const answer = decode(await ask(await scene.connect(), bytes));
  assertEquals([notesIn(answer).length, scene.report.brokenAll], [1, []]);
});

Deno.test("parcels: what comes is paid for before any signature is checked", async () => {
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  const limits = { framesPerSecondPerAddress: 10 };
  await using scene = await serve({ logs: [counted], limits });
  const note = noteItem(await checkpointOf(log));
  assertEquals(await tell(scene, Array<ParcelItem>(5).fill(note)), "no answer");
  assert(scene.report.brokenAll[0]!.startsWith("more came than an address may send"));
  // Four were paid for, and so were judged; with the bytes a fifth is too much.
  assertEquals(checked(), 4);
  await scene.clock.advance(1_000);
  assert(await tell(scene, Array<ParcelItem>(4).fill(note)) !== "no answer");
  assertEquals(await tell(scene, [note]), "no answer");
});

Deno.test("parcels: bytes are paid for as they come, whatever they are", async () => {
  const limits = { framesPerSecondPerAddress: 10, parcelBytesPerFrame: 100 };
  const { scene, fork } = await forkScene({ limits });
  await using _ = scene;
  const strange = concat([Uint8Array.of(PARCEL_VERSION, 99, 0, 0, 4, 0), new Uint8Array(1_024)]);
  assertEquals(await ask(await scene.connect(), strange), new Uint8Array(0));
  assert(scene.report.brokenAll[0]!.startsWith("more came than an address may send"));
  assertEquals(await isServed(scene, fork.honest), true);
});

Deno.test("parcels: what is answered is paid for too", async () => {
  const limits = { framesPerSecondPerAddress: 50, parcelBytesPerFrame: 10 };
  const { scene, record, fork } = await forkScene({ limits, records: () => [record] });
  await using _ = scene;
  assertEquals(await tell(scene, [noteItem(await checkpointOf(fork.honest))]), "no answer");
  assert(scene.report.brokenAll[0]!.startsWith("more came than an address may send"));
});

// Time and crowds

for (const pace of ["stalls", "drips", "never closes its side"] as const) {
  Deno.test(`parcels: a caller that ${pace} is closed when the parcel's time is over`, async () => {
    const limits = { firstByteMs: 200, exchangeMs: 300, parcelMs: 1_000 };
    const { scene, fork } = await forkScene({ limits });
    await using _ = scene;
    const connection = await scene.silent("192.0.2.9");
    const whole = encodeParcel([noteItem(await checkpointOf(fork.honest))]);
    await connection.write(whole.subarray(0, pace === "never closes its side" ? undefined : 1));
    for (let at = 1; at < 100; at++) {
      await scene.clock.advance(10);
      if (pace === "drips") await connection.write(whole.subarray(at, at + 1));
    }
    await scene.clock.advance(9);
    assertEquals([scene.callee.connections, scene.report.brokenAll], [1, []]);
    await scene.clock.advance(1);
    assertEquals(scene.callee.connections, 0);
    assertEquals(scene.report.brokenAll, ["the parcel was not finished within 1000 ms"]);
    assertEquals(await readAll(connection), new Uint8Array(0));
  });
}

Deno.test("parcels: a caller that never reads its answer is closed when its time is over", async () => {
  const { scene, fork } = await forkScene({ capacity: 50, limits: { parcelMs: 1_000 } });
  await using _ = scene;
  const connection = await scene.connect();
  const bytes = encodeParcel([noteItem(await checkpointOf(fork.honest))]);
  await connection.write(bytes);
  await connection.closeWrite();
  await scene.clock.advance(999);
  assertEquals([connection.arrived, scene.callee.connections], [50, 1]);
  await scene.clock.advance(1);
  assertEquals(scene.report.brokenAll, ["the parcel was not finished within 1000 ms"]);
  assertEquals(scene.callee.connections, 0);
});

Deno.test("parcels: a caller that breaks off is forgotten, and no timer is left", async () => {
  const { scene, fork } = await forkScene();
  await using _ = scene;
  const connection = await scene.connect();
  await connection.write(Uint8Array.of(PARCEL_VERSION, 1, 0));
  await settled();
  connection.reset();
  await settled();
  assertEquals(scene.report.brokenAll, ["connection reset by peer"]);
  await tell(scene, [noteItem(await checkpointOf(fork.honest))]);
  await settled();
  assertEquals([scene.callee.connections, scene.clock.pending], [0, 0]);
});

Deno.test("parcels: of parcels being read at once, the one silent longest gives way; frames have room", async () => {
  const limits = { maxParcelConnections: 2, maxParcelConnectionsPerAddress: 2 };
  const { scene, fork } = await forkScene({ limits });
  await using _ = scene;
  for (const hostname of ["192.0.2.11", "192.0.2.12"]) {
    await (await scene.connect(hostname)).write(Uint8Array.of(PARCEL_VERSION));
    await scene.clock.advance(1);
  }
  assertEquals([scene.callee.connections, await isServed(scene, fork.honest)], [2, true]);
  assertEquals(scene.report.brokenAll, []);
  assert(await tell(scene, []) !== "no answer");
  assertEquals(scene.report.brokenAll, [
    "all connections are taken, and this one was silent longest",
  ]);
  assertEquals(scene.callee.connections, 1);
});

Deno.test("parcels: one address has no more parcels being read than its share", async () => {
  const { scene } = await forkScene({ limits: { maxParcelConnectionsPerAddress: 1 } });
  await using _ = scene;
  await (await scene.connect("192.0.2.11")).write(Uint8Array.of(PARCEL_VERSION));
  await settled();
  assert(await tell(scene, [], "192.0.2.11") !== "no answer");
  assertEquals(scene.report.brokenAll.length, 1);
});
