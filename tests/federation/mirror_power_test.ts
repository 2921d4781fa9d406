import { assert, assertEquals } from "@std/assert";
import { Mirror } from "../../src/federation/mirror.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { WorldError } from "../../src/world/world.ts";
import { Mirrored, ShownJournal, texts } from "./shown_journal.ts";

/** A journal that gives few records at once, so that a sync has several ranges. */
function slowJournal(): ShownJournal {
  const journal = new ShownJournal();
  journal.records = ({ start, count }) => {
    const end = start + (count < RANGE ? count : RANGE);
    return Promise.resolve(journal.lines.slice(Number(start), Number(end)));
  };
  return journal;
}

const RANGE = 100n;

function growTo(journal: ShownJournal, size: number): void {
  if (journal.treeSize < BigInt(size)) journal.grow(size - Number(journal.treeSize));
}

/** Two syncs and a push in two parts: what a mirror does to its disk. */
async function mirrorAll(mirror: Mirror, journal: ShownJournal): Promise<void> {
  for (const size of [5, 270]) {
    growTo(journal, size);
    await mirror.sync(journal);
  }
  growTo(journal, 275);
  if (mirror.treeSize < 270n) return;
  await mirror.push(await journal.pushFrom(270n, 272n));
  await mirror.push(await journal.pushFrom(272n));
}

/** What must hold whatever happened: the head is signed, and the records lead to it. */
async function assertSound(mirrored: Mirrored, journal: ShownJournal): Promise<void> {
  const { mirror } = mirrored;
  const lines = await mirrored.lines();
  assertEquals(lines, texts(journal.lines.slice(0, Number(mirror.treeSize))));
  const { head } = mirror;
  if (head !== undefined) assertEquals(head.root, base64(journal.tree.root(head.treeSize)));
  const file = await mirror.file("checkpoint");
  assertEquals(file && new TextDecoder().decode(file), head?.note);
}

/** How many operations all of it takes. */
async function operations(): Promise<number> {
  const mirrored = new Mirrored();
  mirrored.disk.fail(undefined);
  await mirrorAll(mirrored.mirror, slowJournal());
  return mirrored.disk.operations;
}

for (const [when, keepShares] of [["before", [0, 1]], ["after", [0, 0.5]]] as const) {
  for (const keepShare of keepShares) {
    Deno.test(`mirror: power cut ${when} each operation, ${keepShare} of what was unsynced kept: it goes on, and repeats nothing`, async () => {
      const count = await operations();
      assert(count > 40);
      const journal = slowJournal();
      for (let at = 1; at <= count; at++) {
        const mirrored = new Mirrored();
        // What was acknowledged, by a report or an answer, stays.
        let acknowledged = 0n;
        mirrored.disk.fail({ at, when, lasting: true });
        try {
          await mirrorAll(mirrored.mirror, journal);
        } catch (error) {
          if (!(error instanceof WorldError)) throw error;
        }
        acknowledged = mirrored.mirror.treeSize;
        mirrored.disk.crash({ keepShare });
        mirrored.start();
        await mirrored.mirror.open();
        assert(mirrored.mirror.treeSize >= acknowledged, `${at}: ${acknowledged} was lost`);
        assertEquals(mirrored.damages, [], `${at}`);
        await assertSound(mirrored, journal);
        const { outcome } = await mirrored.mirror.sync(journal);
        assert(outcome === "synced" || outcome === "up to date", `${at}: ${outcome}`);
        await assertSound(mirrored, journal);
        assertEquals(mirrored.mirror.treeSize, journal.treeSize);
        await mirrored.mirror.close();
      }
    });
  }
}

Deno.test("mirror: an operation that fails once stops one sync and not the next", async () => {
  const count = await operations();
  const journal = slowJournal();
  for (let at = 1; at <= count; at += 3) {
    for (const when of ["before", "after"] as const) {
      const mirrored = new Mirrored();
      mirrored.disk.fail({ at, when, lasting: false });
      await mirrorAll(mirrored.mirror, journal);
      mirrored.disk.fail(undefined);
      const { outcome, error } = await mirrored.mirror.sync(journal);
      assert(outcome === "synced" || outcome === "up to date", `${at} ${when}: ${error}`);
      await assertSound(mirrored, journal);
      assertEquals(mirrored.mirror.treeSize, journal.treeSize);
      await mirrored.restart();
      await assertSound(mirrored, journal);
      await mirrored.mirror.close();
    }
  }
});
