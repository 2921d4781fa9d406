import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { MAX_BUNDLED_BYTES, MAX_RECORDS, MAX_RECORDS_BYTES } from "../../src/federation/wire.ts";
import { HEAD_FILE } from "../../src/monitor/journal_head.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { strictBase64 } from "../../src/tlog/encoding.ts";
import { verifyConsistency } from "../../src/tlog/proof.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import {
  concatAll,
  equivocations,
  JOURNAL,
  linesOf,
  NAME,
  Publisher,
  signer,
  STATE,
  stated,
  STATIC,
} from "./journals.ts";
import { merkleTreeHash, readLog, sha256 } from "./reading.ts";

/** What a line is as a leaf, by PROTOCOL: without its newline. */
function withoutNewline(line: Uint8Array): Uint8Array {
  return line.subarray(0, -1);
}

/** Reads the files on the disk. */
function fromDisk({ disk }: Publisher): (path: string) => Promise<Uint8Array | undefined> {
  return (path) => Promise.resolve(disk.bytes(`${STATIC}/${path}`));
}

/** Reads what the log itself gives. */
function fromLog({ log }: Publisher): (path: string) => Promise<Uint8Array | undefined> {
  return (path) => log.file(path);
}

async function assertPublished(publisher: Publisher): Promise<void> {
  for (const read of [fromDisk(publisher), fromLog(publisher)]) {
    const { leaves, origin } = await readLog(read);
    assertEquals(origin, publisher.log.origin);
    assertEquals(leaves.length, publisher.lines.length);
    for (const [i, leaf] of leaves.entries()) {
      const line = withoutNewline(publisher.lines[i]!);
      if (line.length <= MAX_BUNDLED_BYTES) assertEquals(leaf.length, line.length);
    }
  }
}

for (const count of [0, 1, 255, 256, 257, 600]) {
  Deno.test(`journal log: ${count} entries, as files and as answers, are what RFC 6962 says`, async () => {
    const publisher = new Publisher();
    publisher.put(linesOf(count));
    await publisher.start();
    await assertPublished(publisher);
    const { leaves } = await readLog(fromDisk(publisher));
    assertEquals(concatAll(leaves), concatAll(publisher.lines.map(withoutNewline)));
    assertEquals(stated(publisher.log.status().checkpoint).origin, `${NAME}/incidents`);
    assertEquals(publisher.told, []);
  });
}

Deno.test("journal log: 65,537 entries have a tile of level 2, and grow to it", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(65_535));
  await publisher.start();
  for (const more of [1, 1]) {
    await publisher.append(more);
    await publisher.advance();
  }
  assertEquals(publisher.log.treeSize, 65_537n);
  const { leaves } = await readLog(fromDisk(publisher));
  assertEquals(leaves.length, 65_537);
  assertEquals(publisher.disk.bytes(`${STATIC}/tile/2/000.p/1`)?.length, 32);
  assertEquals(publisher.disk.bytes(`${STATIC}/tile/1/000`)?.length, 8_192);
  assertEquals(publisher.disk.bytes(`${STATIC}/tile/entries/256.p/1`) !== undefined, true);
});

Deno.test("journal log: it grows entry by entry, and each head extends all before", async () => {
  const publisher = new Publisher();
  await publisher.start();
  const seen: { treeSize: bigint; rootHash: Uint8Array }[] = [publisher.log.status()];
  for (let i = 0; i < 40; i++) {
    await publisher.append(i % 20 === 19 ? 237 : 1);
    await publisher.advance();
    await assertPublished(publisher);
    const newer = publisher.log.status();
    for (const older of seen) {
      const { proof } = publisher.log.proof(older.treeSize);
      if (older.treeSize === 0n) assertEquals(proof, []);
      else assert(verifyConsistency({ older, newer, proof }), `${older.treeSize}`);
    }
    seen.push(newer);
  }
  assertEquals(equivocations(publisher.notes), []);
  await publisher.restart();
  assertEquals(publisher.log.status(), seen.at(-1));
});

Deno.test("journal log: an entry that fits no bundle stands there by its hash", async () => {
  const empty = linesOf(1).bytes[0]!.length - 1;
  for (const length of [MAX_BUNDLED_BYTES, MAX_BUNDLED_BYTES + 1, 200_000]) {
    const publisher = new Publisher();
    publisher.put(linesOf(3, { padding: (i) => i === 1 ? length - empty : 0 }));
    const line = withoutNewline(publisher.lines[1]!);
    assertEquals(line.length, length);
    await publisher.start();
    const { leaves } = await readLog(fromDisk(publisher));
    const { hash } = JSON.parse(new TextDecoder().decode(line));
    const wanted = length > MAX_BUNDLED_BYTES
      ? new TextEncoder().encode(`hearsay/incident-hash/v1\n${hash}\n`)
      : line;
    assertEquals(leaves[1], wanted);
    const root = merkleTreeHash(leaves.map((leaf) => sha256(Uint8Array.of(0), leaf)));
    assertEquals(new Uint8Array(root), new Uint8Array(publisher.log.status().rootHash));
    assertEquals(
      await publisher.log.records({ start: 0n, count: 9n }),
      concatAll(publisher.lines),
    );
  }
});

Deno.test("journal log: records are the lines themselves, as many as asked for and allowed", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(MAX_RECORDS + 5));
  const { lines } = publisher;
  await publisher.start();
  const asked = async (start: bigint, count: bigint): Promise<number> => {
    const bytes = await publisher.log.records({ start, count });
    const found = new TextDecoder().decode(bytes).split("\n").length - 1;
    assertEquals(bytes, concatAll(lines.slice(Number(start), Number(start) + found)));
    return found;
  };
  assertEquals(await asked(0n, 1n), 1);
  assertEquals(await asked(3n, 7n), 7);
  assertEquals(await asked(0n, 2n ** 63n - 1n), MAX_RECORDS);
  assertEquals(await asked(BigInt(MAX_RECORDS), 1_000n), 5);
  assertEquals(await asked(BigInt(lines.length), 10n), 0);
  await assertRejects(() => asked(BigInt(lines.length) + 1n, 1n), RangeError);
});

Deno.test("journal log: one answer has 4 MiB of records at most, and one record at least", async () => {
  const publisher = new Publisher();
  const most = MAX_RECORDS_BYTES - linesOf(1).bytes[0]!.length;
  publisher.put(linesOf(4, { padding: (i) => i === 2 ? most : MAX_RECORDS_BYTES / 2 - 300 }));
  await publisher.start();
  const lengths: number[] = [];
  for (const start of [0n, 1n, 2n]) {
    const bytes = await publisher.log.records({ start, count: 10n });
    assert(bytes.length <= MAX_RECORDS_BYTES);
    lengths.push(new TextDecoder().decode(bytes).split("\n").length - 1);
  }
  assertEquals(lengths, [2, 1, 1]);
});

Deno.test("journal log: what is not durable yet is not signed", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(2));
  await publisher.start();
  const file = await publisher.disk.files.open(JOURNAL, "write");
  await file.write(new TextEncoder().encode('{"half'), await file.size());
  await publisher.advance();
  assertEquals(publisher.log.treeSize, 2n);
  await publisher.append(0);
  file.close();
});

Deno.test("journal log: static files that are gone or wrong are made anew", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(300));
  await publisher.start();
  const names = publisher.disk.paths().filter((path) => path.startsWith(STATIC));
  assertEquals(names.length, 6);
  for (const name of names) {
    const whole = publisher.disk.bytes(name)!;
    for (const change of ["gone", "cut", "flipped"]) {
      if (change === "gone") await publisher.disk.files.remove(name);
      else if (change === "cut") publisher.disk.put(name, whole.slice(0, -1));
      else publisher.disk.put(name, whole.map((byte, i) => i === 9 ? byte ^ 1 : byte));
      await publisher.restart();
      assertEquals(publisher.disk.bytes(name), whole, `${name} ${change}`);
    }
  }
  assertEquals(publisher.told, []);
});

Deno.test("journal log: of a bundle that grows, the last widths stay; a full one stays alone", async () => {
  const publisher = new Publisher();
  await publisher.start();
  for (let i = 0; i < 40; i++) {
    await publisher.append(1);
    await publisher.advance();
  }
  const widths = (): string[] =>
    publisher.disk.paths().filter((path) => path.startsWith(`${STATIC}/tile/entries/000.p/`));
  assertEquals(widths().length, 16);
  assertEquals(publisher.disk.bytes(`${STATIC}/tile/0/000.p/40`)?.length, 40 * 32);
  await publisher.append(216);
  await publisher.advance();
  assertEquals(widths(), []);
  await assertPublished(publisher);
});

Deno.test("journal log: if only the static files are refused, the head is good, and they follow", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(3));
  let isFull = true;
  const { files } = publisher.disk;
  publisher.files = {
    ...files,
    create: (path, mode) =>
      isFull && path.startsWith(STATIC)
        ? Promise.reject(new WorldError("other", "No space left on device"))
        : files.create(path, mode),
  };
  await publisher.start();
  assertEquals(publisher.log.treeSize, 3n);
  assertEquals(await publisher.log.file("tile/0/000.p/3") !== undefined, true);
  await assertRejects(() => publisher.log.advance(), WorldError, "No space");
  isFull = false;
  await publisher.advance();
  await assertPublished(publisher);
});

// ---- Epochs ----

const LATER = "does not lead to the head";

Deno.test("journal log: a journal that lost or changed an entry begins a new epoch, and says so", async () => {
  const changes = {
    "its last entry lost": linesOf(4),
    "its first entry changed": linesOf(5, { story: "b" }),
    "all of it lost": linesOf(0),
    "repaired and grown since": linesOf(9, { story: "c" }),
  };
  for (const [change, lines] of Object.entries(changes)) {
    const publisher = new Publisher();
    publisher.put(linesOf(5));
    await publisher.start();
    publisher.put(lines);
    await publisher.restart();
    assertEquals(publisher.told.length, 1, change);
    assertStringIncludes(publisher.told[0]!, LATER);
    const seconds = publisher.clock.ms / 1_000;
    assertEquals(publisher.log.origin, `${NAME}/incidents/${seconds}`);
    await assertPublished(publisher);
    // It stays: a restart is no loss.
    await publisher.append(1);
    await publisher.advance();
    await publisher.restart();
    assertEquals([publisher.told.length, publisher.log.origin], [
      1,
      `${NAME}/incidents/${seconds}`,
    ]);
    assertEquals(equivocations(publisher.notes), []);
  }
});

Deno.test("journal log: a journal that went on while nobody signed is no loss", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(5));
  await publisher.start();
  await publisher.log.close();
  await publisher.append(4);
  await publisher.start();
  assertEquals([publisher.told, publisher.log.origin], [[], `${NAME}/incidents`]);
  assertEquals(publisher.log.treeSize, 9n);
});

Deno.test("journal log: epochs rise, also if the clock was set back", async () => {
  const publisher = new Publisher();
  const epochs: number[] = [];
  for (let i = 0; i < 4; i++) {
    publisher.put(linesOf(5, { story: `${i}` }));
    if (i === 0) await publisher.start();
    else {
      publisher.clock.ms -= 86_400_000;
      await publisher.restart();
      epochs.push(Number(publisher.log.origin.split("/").at(-1)));
    }
  }
  assertEquals(epochs, [epochs[0]!, epochs[0]! + 1, epochs[0]! + 2]);
  assertEquals(equivocations(publisher.notes), []);
});

Deno.test("journal log: a head file that is removed, damaged or old begins a new epoch", async () => {
  const path = `${STATE}/${HEAD_FILE}`;
  const why = {
    removed: "nothing says any more",
    damaged: "is damaged",
    old: "a head is published that is later",
  };
  for (const [change, reason] of Object.entries(why)) {
    const publisher = new Publisher();
    publisher.put(linesOf(2));
    await publisher.start();
    const old = publisher.disk.bytes(path)!;
    await publisher.append(2);
    await publisher.advance();
    await publisher.log.close();
    if (change === "removed") await publisher.disk.files.remove(path);
    else if (change === "damaged") publisher.disk.put(path, old.map((b, i) => i === 3 ? 0 : b));
    else publisher.disk.put(path, old);
    await publisher.start();
    assertStringIncludes(publisher.told.join(), reason);
    assert(publisher.log.origin.startsWith(`${NAME}/incidents/`));
  }
});

Deno.test("journal log: a head file of an earlier epoch than what was published begins a new one", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(3));
  await publisher.start();
  const old = publisher.disk.bytes(`${STATE}/${HEAD_FILE}`)!;
  publisher.put(linesOf(3, { story: "b" }));
  await publisher.restart();
  const epoch = Number(publisher.log.origin.split("/").at(-1));
  // The head file and the journal of the first epoch are put back; what is published is not.
  publisher.disk.put(`${STATE}/${HEAD_FILE}`, old);
  publisher.put(linesOf(3));
  publisher.clock.ms = 0;
  await publisher.restart();
  assertEquals(publisher.log.origin, `${NAME}/incidents/${epoch + 1}`);
  assertEquals(publisher.told.length, 2);
});

Deno.test("journal log: if the folders are gone and nothing was published, only what was lost tells", async () => {
  for (const isSuspect of [false, true]) {
    const publisher = new Publisher();
    publisher.put(linesOf(2));
    await publisher.start({ isSuspect });
    assertEquals(publisher.told.length, isSuspect ? 1 : 0);
    assertEquals(publisher.log.origin === `${NAME}/incidents`, !isSuspect);
  }
});

Deno.test("journal log: a head of ours that it does not know, shown by somebody, begins a new epoch", async () => {
  const before = new Publisher();
  before.put(linesOf(5));
  await before.start();
  await before.append(3);
  await before.advance();
  const publisher = new Publisher();
  publisher.put(linesOf(5));
  await publisher.start();
  // What it knows itself, and what others made up, causes nothing.
  const [known, later] = before.notes as [string, string];
  assertEquals(await publisher.log.heard(known), false);
  assertEquals(await publisher.log.heard(later.replace("\n8\n", "\n9\n")), false);
  assertEquals(await publisher.log.heard("no note"), false);
  assertEquals(publisher.log.origin, `${NAME}/incidents`);
  assertEquals(await publisher.log.heard(later), true);
  assert(publisher.log.origin.startsWith(`${NAME}/incidents/`));
  assertStringIncludes(publisher.told[0]!, "size 8 with another history");
  assertEquals(await publisher.log.heard(later), false);
  publisher.note();
  await publisher.append(3, { story: "other" });
  await publisher.advance();
  assertEquals(equivocations([...before.notes, ...publisher.notes]), []);
});

Deno.test("journal log: a disk that refuses the new epoch does not let the old one go on", async () => {
  const before = new Publisher();
  before.put(linesOf(8));
  await before.start();
  const publisher = new Publisher();
  publisher.put(linesOf(5));
  await publisher.start();
  publisher.disk.fail({ at: 1, when: "before", lasting: true });
  await assertRejects(() => publisher.log.heard(before.notes[0]!), WorldError);
  publisher.disk.fail(undefined);
  await publisher.append(3, { story: "other" });
  await publisher.advance();
  assertEquals(equivocations([...before.notes, ...publisher.notes]), []);
  assert(publisher.log.origin.startsWith(`${NAME}/incidents/`));
});

// ---- Power cuts ----

/** A monitor publishes, is changed as disks and people change it, and publishes again. */
async function life(publisher: Publisher, step: (name: string) => void): Promise<void> {
  publisher.put(linesOf(3));
  await publisher.start();
  step("first head");
  await publisher.append(1);
  await publisher.advance();
  step("second head");
  await publisher.log.close();
  publisher.put(linesOf(2, { story: "repaired" }));
  await publisher.start();
  step("after a repair");
  await publisher.append(2, { story: "repaired" });
  await publisher.advance();
}

Deno.test("journal log: a power cut at any operation never leads to two roots at one size", async () => {
  const whole = new Publisher();
  whole.disk.fail(undefined);
  await life(whole, () => {});
  const { operations } = whole.disk;
  assert(operations > 60, `${operations} operations`);
  let cuts = 0;
  for (let at = 1; at <= operations; at++) {
    for (const when of ["before", "after"] as const) {
      for (const [keepShare, lost] of [[0, 0], [0.5, 1], [1, 0], [1, 1]] as const) {
        const publisher = new Publisher();
        publisher.disk.fail({ at, when, lasting: true });
        let reached = "nothing";
        try {
          await life(publisher, (name) => reached = name);
        } catch (error) {
          if (!(error instanceof WorldError)) throw error;
          cuts++;
        }
        publisher.disk.crash({ keepShare });
        publisher.recover(lost);
        // After the power cut the journal goes on in another way.
        await publisher.start();
        for (let i = 0; i < 3; i++) {
          await publisher.append(1, { story: "after the cut" });
          await publisher.advance();
        }
        const found = equivocations(publisher.notes);
        assertEquals(
          found,
          [],
          `operation ${at} ${when}, ${keepShare}, ${lost} lost, after ${reached}`,
        );
        const { origin } = await readLog(fromDisk(publisher));
        assertEquals(origin, publisher.log.origin);
      }
    }
  }
  assert(cuts > operations, `${cuts} cuts`);
});

Deno.test("journal log: after a cut the journal may lack what was lost, and is another log then", async () => {
  // Here the disk also loses entries that it had promised, which no crash does.
  for (let kept = 0; kept <= 6; kept++) {
    const publisher = new Publisher();
    const all = linesOf(6);
    publisher.put(all);
    await publisher.start();
    const last = linesOf(kept).last;
    const other = linesOf(7 - kept, { after: last, story: "other" });
    publisher.put({ bytes: [...all.bytes.slice(0, kept), ...other.bytes], last: other.last });
    await publisher.restart();
    assertEquals(equivocations(publisher.notes), []);
    assertEquals(publisher.told.length, kept === 6 ? 0 : 1, `${kept} kept`);
  }
});

Deno.test("journal log: the proofs and roots are those of an independent tree", async () => {
  const publisher = new Publisher();
  publisher.put(linesOf(77));
  await publisher.start();
  const tree = new Tree();
  for (const line of publisher.lines) tree.append(leafHash(withoutNewline(line)));
  assertEquals(publisher.log.status().rootHash, tree.root());
  assertEquals(strictBase64(stated(publisher.notes[0]!).root), tree.root());
  for (const older of [1n, 8n, 63n, 77n]) {
    assertEquals(publisher.log.proof(older).proof, tree.consistencyProof({ older, newer: 77n }));
  }
  let error: unknown;
  try {
    publisher.log.proof(78n);
  } catch (thrown) {
    error = thrown;
  }
  assert(error instanceof RangeError);
  assertEquals(signer.vkey.name, NAME);
});

Deno.test("journal log: what is closed lets go of its file", async () => {
  const publisher = new Publisher(new MemoryDisk());
  await publisher.start();
  await publisher.log.close();
  await publisher.log.advance();
});
