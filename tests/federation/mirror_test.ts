import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_HISTORIES } from "../../src/federation/mirror.ts";
import { leafOf } from "../../src/federation/wire.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { readLog } from "./reading.ts";
import { Mirrored, ShownJournal, signer, signerOf, STATE, texts } from "./shown_journal.ts";
import { PublisherUnavailable } from "../../src/federation/publisher.ts";
import { mirrorId } from "../../src/federation/wire.ts";

const FOLDER = `${STATE}/mirrors/${mirrorId(signer.vkey.name)}`;

function leafOfLine(line: Uint8Array): Uint8Array {
  return leafHash(leafOf(line));
}

Deno.test("mirror: from nothing, by increments, and after a restart it has the exact lines", async () => {
  const journal = new ShownJournal().grow(3);
  const mirrored = new Mirrored();
  assertEquals(await mirrored.mirror.sync(journal), {
    ...{ outcome: "synced", received: 3n, before: 0n, after: 3n, theirs: 3n },
  });
  assertEquals(await mirrored.lines(), texts(journal.lines));
  journal.grow(2_500);
  const { received } = await mirrored.mirror.sync(journal);
  assertEquals(received, 2_500n);
  await mirrored.restart();
  assertEquals(mirrored.mirror.treeSize, 2_503n);
  assertEquals(mirrored.mirror.head!.note, await journal.note());
  assertEquals(await mirrored.lines(), texts(journal.lines));
  assertEquals(await mirrored.mirror.sync(journal), {
    ...{ outcome: "up to date", received: 0n, before: 2_503n, after: 2_503n, theirs: 2_503n },
  });
});

Deno.test("mirror: an empty journal is a journal", async () => {
  const mirrored = new Mirrored();
  const journal = new ShownJournal();
  assertEquals((await mirrored.mirror.sync(journal)).outcome, "synced");
  assertEquals((await mirrored.mirror.sync(journal)).outcome, "up to date");
  assertEquals((await mirrored.restart()).head!.treeSize, 0n);
});

Deno.test("mirror: a long entry, whose leaf is a stand-in, is mirrored whole", async () => {
  const journal = new ShownJournal().add({ long: "x".repeat(70_000) }).grow(1);
  const mirrored = new Mirrored();
  assertEquals((await mirrored.mirror.sync(journal)).outcome, "synced");
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: many long entries come in several ranges", async () => {
  const journal = new ShownJournal();
  for (let i = 0; i < 5; i++) journal.add({ long: "x".repeat(1_000_000), i });
  const mirrored = new Mirrored();
  journal.records = ({ start, count }) =>
    Promise.resolve(journal.lines.slice(Number(start), Number(start + count)).slice(0, 2));
  assertEquals((await mirrored.mirror.sync(journal)).received, 5n);
});

Deno.test("mirror: its static files are a tlog-tiles log to a reader of its own", async () => {
  const journal = new ShownJournal().grow(260).add({ long: "x".repeat(70_000) }).grow(300);
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(journal);
  const folder = `${FOLDER}/0/log`;
  const onDisk = (path: string) => Promise.resolve(mirrored.disk.bytes(`${folder}/${path}`));
  for (const read of [onDisk, (path: string) => mirrored.mirror.file(path)]) {
    const { leaves, origin } = await readLog(read);
    assertEquals(origin, `${signer.vkey.name}/incidents`);
    assertEquals(texts(leaves), texts(journal.lines.map(leafOf)));
  }
});

// ---- The defects of Verisoo's federation, by name ----

Deno.test("Verisoo: a proof is verified, and not compared by its size alone", async () => {
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(new ShownJournal().grow(6));
  const other = new ShownJournal().grow(6, "b").grow(4);
  // As many hashes as a sound proof has, and the right sizes beside them.
  const { outcome, after, error } = await mirrored.mirror.sync(other);
  assertEquals([outcome, after], ["refused", 6n]);
  assertStringIncludes(error!, "gives no proof that size 10 extends size 6");
  assertEquals(mirrored.heads.map(({ treeSize }) => treeSize), [6n, 10n]);
});

Deno.test("Verisoo: equal size with another root is no success", async () => {
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(new ShownJournal().grow(6));
  const { outcome, error } = await mirrored.mirror.sync(new ShownJournal().grow(6, "b"));
  assertEquals(outcome, "equivocated");
  assertStringIncludes(error!, "two roots at size 6");
  // Both heads went to who judges them.
  const [one, other] = mirrored.heads;
  assert(one!.root !== other!.root);
  assertEquals([one!.treeSize, other!.treeSize], [6n, 6n]);
});

Deno.test("Verisoo: the root is checked after the records were appended", async () => {
  for (const size of [5, 1_500]) {
    const journal = new ShownJournal().grow(size);
    const signed = new ShownJournal().grow(size, "b");
    // It signs one history and hands out the records of another.
    journal.status = () => signed.statusOf(signed.treeSize);
    journal.proof = (oldSize) => signed.proof(oldSize);
    const mirrored = new Mirrored();
    const { outcome, after } = await mirrored.mirror.sync(journal);
    assertEquals([outcome, after, mirrored.mirror.head], ["refused", 0n, undefined]);
    await mirrored.restart();
    assertEquals(mirrored.disk.content(`${FOLDER}/0/journal.jsonl`), "");
  }
});

Deno.test("Verisoo: the hash and the chain of each entry are looked at", async () => {
  const texted = (change: (line: string, i: number) => string): ShownJournal => {
    const journal = new ShownJournal().grow(4);
    const lines = texts(journal.lines).map(change);
    const changed = new ShownJournal();
    changed.lines = lines.map((line) => new TextEncoder().encode(line));
    // Signed as it is: only the chain inside shows that something is wrong.
    for (const line of changed.lines) changed.tree.append(leafOfLine(line));
    return changed;
  };
  const wrongs: [string, (line: string, i: number) => string][] = [
    ["hash is", (line, i) => i === 2 ? line.replace('"n":2', '"n":7') : line],
    [
      "hash is",
      (line, i) =>
        i === 2 ? line.replace('{"hash":"', '{"hash":"0').replace(/^(.{73})./, "$1") : line,
    ],
    ["seq is", (line, i) => i === 2 ? line.replace('"seq":3', '"seq":4') : line],
    [
      "prev_hash is",
      (line, i) => i === 2 ? line.replace(/"prev_hash":"..../, '"prev_hash":"0000') : line,
    ],
    ["no entry", (line, i) => i === 2 ? `{"story":"b"}` : line],
  ];
  for (const [why, change] of wrongs) {
    const mirrored = new Mirrored();
    const { outcome, error, after } = await mirrored.mirror.sync(texted(change));
    assertEquals([outcome, after], ["refused", 0n], why);
    assertStringIncludes(error!, why);
  }
});

Deno.test("Verisoo: two syncs at once append no range twice", async () => {
  const journal = new ShownJournal().grow(1_700);
  const mirrored = new Mirrored();
  const reports = await Promise.all([
    mirrored.mirror.sync(journal),
    mirrored.mirror.sync(journal),
    mirrored.mirror.sync(journal),
  ]);
  assertEquals(reports.map(({ received }) => received), [1_700n, 0n, 0n]);
  assertEquals(await mirrored.lines(), texts(journal.lines));
  journal.grow(3);
  const [pushed] = await Promise.all([
    mirrored.mirror.push(await journal.pushFrom(1_700n)),
    mirrored.mirror.sync(journal),
    mirrored.mirror.push(await journal.pushFrom(1_700n)),
  ]);
  assertEquals(pushed, { status: 200, size: 1_703n });
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

// ---- What is no evidence ----

Deno.test("mirror: a publisher that was rolled back is told, and keeps what it had", async () => {
  const journal = new ShownJournal().grow(6);
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(journal);
  journal.status = () => journal.statusOf(4n);
  const report = await mirrored.mirror.sync(journal);
  assertEquals([report.outcome, report.after, report.theirs], ["rolled back", 6n, 4n]);
  assertStringIncludes(report.error!, "shows size 4, and has shown size 6 before");
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: another epoch is another log, and the one before stays on the disk", async () => {
  const mirrored = new Mirrored();
  const journal = new ShownJournal().grow(6);
  await mirrored.mirror.sync(journal);
  const anew = new ShownJournal().grow(2, "b");
  anew.epoch = 1_795_000_000n;
  assertEquals((await mirrored.mirror.sync(anew)).outcome, "synced");
  assertEquals(mirrored.histories.map(({ origin }) => origin), [
    `${signer.vkey.name}/incidents/1795000000`,
  ]);
  assertEquals(await mirrored.lines(), texts(anew.lines));
  assertEquals((await mirrored.mirror.sync(journal)).outcome, "rolled back");
  await mirrored.restart();
  assertEquals(await mirrored.lines(), texts(anew.lines));
  assertEquals(mirrored.disk.content(`${FOLDER}/0/journal.jsonl`)!.split("\n").length, 7);
});

Deno.test("mirror: who begins anew again and again fills no disk", async () => {
  const mirrored = new Mirrored();
  for (let i = 0; i < MAX_HISTORIES + 2; i++) {
    const journal = new ShownJournal().grow(1);
    journal.epoch = BigInt(i + 1);
    const { outcome, error } = await mirrored.mirror.sync(journal);
    // The first history is that of no epoch.
    const isKept = i + 1 < MAX_HISTORIES;
    assertEquals(outcome, isKept ? "synced" : "refused");
    if (!isKept) assertStringIncludes(error!, "begun anew");
  }
});

// ---- Pushes ----

Deno.test("mirror: a push is durable before it is answered, whole or in parts", async () => {
  const journal = new ShownJournal().grow(5);
  const mirrored = new Mirrored();
  assertEquals(await mirrored.mirror.push(await journal.pushFrom(0n)), { status: 200, size: 5n });
  mirrored.disk.crash({ keepShare: 0 });
  mirrored.start();
  await mirrored.mirror.open();
  assertEquals(mirrored.mirror.treeSize, 5n);
  journal.grow(6);
  assertEquals(await mirrored.mirror.push(await journal.pushFrom(5n, 8n)), {
    status: 200,
    size: 8n,
  });
  assertEquals(mirrored.mirror.treeSize, 5n);
  assertEquals(await mirrored.mirror.push(await journal.pushFrom(8n)), { status: 200, size: 11n });
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: a push from another size is answered with what is held", async () => {
  const journal = new ShownJournal().grow(5);
  const mirrored = new Mirrored();
  await mirrored.mirror.push(await journal.pushFrom(0n));
  journal.grow(3);
  for (const from of [0n, 4n, 6n]) {
    const { status, ...rest } = await mirrored.mirror.push(await journal.pushFrom(from));
    assertEquals([status, "size" in rest && rest.size], [409, 5n]);
  }
});

Deno.test("mirror: the first part of a push that leads nowhere is given up", async () => {
  const liar = new ShownJournal().grow(3).grow(3, "b");
  const journal = new ShownJournal().grow(8);
  const mirrored = new Mirrored();
  await mirrored.mirror.push(await new ShownJournal().grow(3).pushFrom(0n));
  const { checkpoint, proof } = await journal.pushFrom(3n);
  const part = { oldSize: 3n, checkpoint, proof, lines: liar.lines.slice(3, 5) };
  assertEquals(await mirrored.mirror.push(part), { status: 200, size: 5n });
  const answer = await mirrored.mirror.push(await journal.pushFrom(5n));
  assertEquals([answer.status, "size" in answer && answer.size], [409, 3n]);
  assertEquals(await mirrored.mirror.push(await journal.pushFrom(3n)), { status: 200, size: 8n });
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: the first part of a push that leads nowhere does not stop a sync, nor a restart", async () => {
  const liar = new ShownJournal().grow(3).grow(30, "b");
  const journal = new ShownJournal().grow(8);
  for (const parts of [5, 20]) {
    const mirrored = new Mirrored();
    await mirrored.mirror.push(await new ShownJournal().grow(3).pushFrom(0n));
    const { checkpoint, proof } = await new ShownJournal().grow(100).pushFrom(3n);
    const lines = liar.lines.slice(3, parts);
    await mirrored.mirror.push({ oldSize: 3n, checkpoint, proof, lines });
    await mirrored.restart();
    assertEquals(mirrored.mirror.treeSize, 3n);
    assertEquals((await mirrored.mirror.sync(journal)).outcome, "synced");
    assertEquals(await mirrored.lines(), texts(journal.lines));
  }
});

Deno.test("mirror: a push whose proof or records are wrong is refused, and nothing of it stays", async () => {
  const mirrored = new Mirrored();
  await mirrored.mirror.push(await new ShownJournal().grow(3).pushFrom(0n));
  const journal = new ShownJournal().grow(7);
  const good = await journal.pushFrom(3n);
  const stranger = new ShownJournal().grow(7);
  stranger.by = await signerOf();
  const wrongs = [
    { ...good, proof: good.proof.slice(1) },
    { ...good, proof: good.proof.map((hash) => hash.map((byte) => byte ^ 1)) },
    { ...good, lines: good.lines.toReversed() },
    { ...good, lines: [...good.lines, ...good.lines] },
    { ...good, lines: [new Uint8Array(3)] },
    { ...good, lines: new ShownJournal().grow(3).grow(4, "b").lines.slice(3) },
    { ...good, checkpoint: "garbage" },
    { ...good, checkpoint: await stranger.note() },
  ];
  for (const [i, wrong] of wrongs.entries()) {
    assertEquals((await mirrored.mirror.push(wrong)).status, 422, `${i}`);
    assertEquals(mirrored.mirror.treeSize, 3n);
  }
  await mirrored.restart();
  assertEquals(await mirrored.mirror.push(good), { status: 200, size: 7n });
});

// ---- Publishers that are hostile, or not there ----

Deno.test("mirror: a signature of nobody we know brings nothing, and convicts nobody", async () => {
  const journal = new ShownJournal().grow(2);
  journal.by = await signerOf();
  const mirrored = new Mirrored();
  const { outcome } = await mirrored.mirror.sync(journal);
  assertEquals([outcome, mirrored.heads], ["refused", []]);
});

Deno.test("mirror: a status that says something else than its checkpoint is refused", async () => {
  const journal = new ShownJournal().grow(2);
  const honest = await journal.statusOf(2n);
  for (const wrong of [{ treeSize: 3n }, { origin: "x" }, { rootHash: new Uint8Array(32) }]) {
    journal.status = () => Promise.resolve({ ...honest, ...wrong });
    assertEquals((await new Mirrored().mirror.sync(journal)).outcome, "refused");
  }
});

Deno.test("mirror: too many records, or none, are refused", async () => {
  const journal = new ShownJournal().grow(5);
  for (const lines of [[], [...journal.lines, ...journal.lines]]) {
    journal.records = () => Promise.resolve(lines);
    const mirrored = new Mirrored();
    const { outcome, after } = await mirrored.mirror.sync(journal);
    assertEquals([outcome, after], ["refused", 0n]);
  }
});

Deno.test("mirror: several short ranges share a proof, and an outage before it loses only them", async () => {
  const journal = new ShownJournal().grow(3_500);
  const mirrored = new Mirrored(undefined, true);
  const records = journal.records.bind(journal);
  journal.records = (query) =>
    query.start < 2_000n
      ? records(query)
      : Promise.reject(new PublisherUnavailable("nobody answers"));
  assertEquals((await mirrored.mirror.sync(journal)).outcome, "unavailable");
  assertEquals(mirrored.disk.content(`${FOLDER}/0/journal.jsonl`), "");
  journal.records = records;
  journal.asked.length = 0;
  assertEquals((await mirrored.mirror.sync(journal)).received, 3_500n);
  assertEquals(journal.asked.filter((asked) => asked.startsWith("proof")), []);
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: an outage in the midst keeps what was proven, and the next sync goes on from there", async () => {
  const journal = new ShownJournal().grow(3_500);
  const mirrored = new Mirrored();
  const records = journal.records.bind(journal);
  journal.records = (query) =>
    query.start < 2_000n
      ? records(query)
      : Promise.reject(new PublisherUnavailable("nobody answers", undefined, 7_000));
  const report = await mirrored.mirror.sync(journal);
  assertEquals([report.outcome, report.after, report.retryAfterMs], ["unavailable", 0n, 7_000]);
  // Nothing is given out that no signed head covers.
  assertEquals(await mirrored.lines(), []);
  await mirrored.restart();
  journal.records = records;
  journal.asked.length = 0;
  journal.grow(1);
  assertEquals((await mirrored.mirror.sync(journal)).received, 3_501n);
  assertEquals(journal.asked.filter((asked) => asked.startsWith("records")), [
    ...["records 2000", "records 3000"],
  ]);
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: records whose proof does not come, or does not hold, are not kept, nor in the way later", async () => {
  const journal = new ShownJournal().grow(2_500);
  const other = new ShownJournal().grow(2_500, "b");
  const proof = journal.proof.bind(journal);
  const wrongs: ShownJournal["proof"][] = [
    () => Promise.reject(new PublisherUnavailable("nobody answers")),
    async (oldSize) => ({ ...await proof(oldSize), proof: (await other.proof(oldSize)).proof }),
  ];
  for (const wrong of wrongs) {
    const mirrored = new Mirrored();
    journal.proof = wrong;
    const { after } = await mirrored.mirror.sync(journal);
    assertEquals(after, 0n);
    assertEquals(mirrored.disk.content(`${FOLDER}/0/journal.jsonl`), "");
    journal.proof = proof;
    assertEquals((await mirrored.mirror.sync(journal)).received, 2_500n);
    assertEquals(await mirrored.lines(), texts(journal.lines));
  }
});

Deno.test("mirror: a journal that grows while it is fetched is mirrored up to the first head", async () => {
  const journal = new ShownJournal().grow(2_500);
  const first = await journal.statusOf(2_500n);
  journal.status = () => Promise.resolve(first);
  const records = journal.records.bind(journal);
  journal.records = (query) => {
    const coming = records(query);
    journal.grow(10);
    return coming;
  };
  const mirrored = new Mirrored();
  assertEquals((await mirrored.mirror.sync(journal)).after, 2_500n);
  assertEquals(base64(journal.tree.root(2_500n)), mirrored.mirror.head!.root);
});

Deno.test("mirror: a garbled answer says so, and is no outage", async () => {
  const journal = new ShownJournal().grow(2);
  journal.status = () => Promise.reject(new MalformedError("garbage came"));
  const report = await new Mirrored().mirror.sync(journal);
  assertEquals([report.outcome, report.error], ["refused", "garbage came"]);
});

// ---- Its own disk ----

Deno.test("mirror: a damaged mirror is fetched anew, told, and stays where it is", async () => {
  const journal = new ShownJournal().grow(6);
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(journal);
  await mirrored.mirror.close();
  const path = `${FOLDER}/0/journal.jsonl`;
  const content = mirrored.disk.content(path)!.replace('"n":3', '"n":4');
  mirrored.disk.put(path, content);
  mirrored.start();
  assertEquals((await mirrored.mirror.sync(journal)).received, 6n);
  assertStringIncludes(mirrored.damages[0]!, "does not lead to the head of size 6");
  assertEquals(mirrored.disk.content(path), content);
  await mirrored.restart();
  assertEquals(mirrored.damages.length, 1);
  assertEquals(await mirrored.lines(), texts(journal.lines));
});

Deno.test("mirror: static files that are missing or wrong are written anew from the lines", async () => {
  const journal = new ShownJournal().grow(300);
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(journal);
  const folder = `${FOLDER}/0/log`;
  const paths = mirrored.disk.paths().filter((path) => path.startsWith(folder));
  const before = paths.map((path) => mirrored.disk.content(path));
  assertEquals(mirrored.disk.content(`${folder}/checkpoint`), await journal.note());
  await mirrored.mirror.close();
  mirrored.disk.put(`${folder}/tile/0/000`, "garbage");
  await mirrored.disk.files.remove(`${folder}/tile/entries/000`);
  mirrored.start();
  await mirrored.mirror.open();
  assertEquals(paths.map((path) => mirrored.disk.content(path)), before);
});

Deno.test("mirror: the folder of another key of the same name is left alone", async () => {
  const mirrored = new Mirrored();
  await mirrored.mirror.sync(new ShownJournal().grow(2));
  await mirrored.mirror.close();
  const other = new ShownJournal().grow(1);
  other.by = await signerOf();
  mirrored.start(other.by.vkey);
  const { outcome, error } = await mirrored.mirror.sync(other);
  assertEquals(outcome, "not written");
  assertStringIncludes(error!, "another key of this name");
});
