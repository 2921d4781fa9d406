/**
 * The contract of the shared store, whichever database it is on. Here is what is about heads: what a
 * site sees is found by all, once, in order.
 */
import type { PublishedEntry } from "../../src/store/shared_types.ts";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { FIRST_LINK } from "../../src/evidence/entry.ts";
import { MAX_BATCH_ENTRIES } from "../../src/store/shared_heads.ts";
import { WorldError } from "../../src/world/world.ts";
import { type Draw, drawFrom } from "../sim/draw.ts";
import { leaseContract } from "./shared_lease_contract.ts";
import { upkeepContract } from "./shared_upkeep_contract.ts";
import {
  allHeads,
  headLine,
  logId,
  noteOf,
  type Open,
  rootOf,
  SEEDS,
  SiteJournal,
  siteOf,
  Stage,
} from "./shared_stage.ts";

/** Registers the tests of all that the store promises. */
export function sharedStoreContract(engine: string, open: Open): void {
  publishingContract(engine, open);
  leaseContract(engine, open);
  upkeepContract(engine, open);
}

function publishingContract(engine: string, open: Open): void {
  const test = (name: string, run: (stage: Stage) => Promise<void>): void =>
    Deno.test(`${engine}: ${name}`, () => Stage.on(open, run));

  test("publish: to do it again changes nothing, and the place rises with the entries", async (stage) => {
    const store = await stage.store("one");
    assertEquals(await store.published(), FIRST_LINK);
    const journal = new SiteJournal("one");
    for (let size = 1; size <= MAX_BATCH_ENTRIES + 1; size++) journal.see({ log: logId(1), size });
    journal.skip();
    const { entries, last } = journal;
    const publication = { after: FIRST_LINK, entries, last };
    assertEquals(await store.publish(publication), last);
    assertEquals(await store.published(), last);
    const heads = await allHeads(store);
    assertEquals(
      heads,
      entries.map(({ log, checkpoint: { size, root } }) => `${log} ${size} ${root}`),
    );
    assertEquals(await store.publish(publication), last);
    assertEquals(await allHeads(store), heads);
    assertEquals((await stage.sql("select * from hearsay_sightings")).length, entries.length);
  });

  test("publish: a lost answer loses nothing and doubles nothing", async (stage) => {
    const { store, wire } = await stage.site("one");
    const journal = new SiteJournal("one");
    for (let size = 1; size <= 3; size++) journal.see({ log: logId(1), size });
    wire.losesAnswers = 1;
    const publication = { after: FIRST_LINK, entries: journal.entries, last: journal.last };
    await assertRejects(() => store.publish(publication), WorldError);
    assertEquals(await store.published(), journal.last);
    assertEquals(await store.publish(publication), journal.last);
    assertEquals((await allHeads(store)).length, 3);
  });

  test("publish: out of step with the store, it changes nothing and says where the store is", async (stage) => {
    const store = await stage.store("one");
    const journal = new SiteJournal("one");
    journal.see({ log: logId(1), size: 1 });
    const first = journal.last;
    await journal.publishTo(store);
    journal.see({ log: logId(1), size: 2 });
    const after = { seq: 7, hash: "0".repeat(64) };
    const [, entry] = journal.entries;
    assertEquals(await store.publish({ after, entries: [entry!], last: journal.last }), first);
    const other = { ...first, hash: "f".repeat(64) };
    const publication = { after: other, entries: [entry!], last: journal.last };
    assertEquals(await store.publish(publication), first);
    assertEquals((await allHeads(store)).length, 1);
  });

  for (const seed of SEEDS) {
    test(`headsAfter: who polls while all publish sees each head once, seed ${seed}`, async (stage) => {
      await publishAndPoll(stage, drawFrom(seed));
    });
  }

  test("headsAfter: over a database that is back from a backup, each head is still found", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const [first, second] = [new SiteJournal("one"), new SiteJournal("two")];
    for (let size = 1; size <= 3; size++) first.see({ log: logId(1), size });
    await first.publishTo(one);
    const restore = await stage.backup();
    await stage.pass(1);
    for (let size = 4; size <= 6; size++) second.see({ log: logId(2), size });
    await second.publishTo(two);
    const { next } = await one.headsAfter(undefined, 100);
    await restore();
    await stage.pass(1);
    // As many heads come in again, in another order: the ids are the same, the heads are not.
    first.see({ log: logId(1), size: 4 });
    await first.publishTo(one);
    await second.publishTo(two);
    const page = await one.headsAfter(next, 100);
    assert(page.restarted);
    assertEquals(page.heads.map(headLine), await allHeads(one));
    assertEquals(page.heads.length, 7);
    assertEquals(await two.published(), second.last);
    const again = await one.headsAfter(page.next, 100);
    assertEquals([again.heads, again.next, again.restarted], [[], page.next, false]);
  });

  test("contradicting: two roots of one size are found by all, with the note that came first", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const [first, second] = [new SiteJournal("one"), new SiteJournal("two")];
    const log = logId(1);
    const seen = first.see({ log, size: 5 });
    assertNotEquals(second.see({ log, size: 5 }).checkpoint.note, seen.checkpoint.note);
    second.see({ log, size: 5, story: "other" });
    second.see({ log: logId(2), size: 5, story: "of another log" });
    await first.publishTo(one);
    await second.publishTo(two);
    // Whoever asks from the other side is shown what it does not have.
    const asking = { log, checkpoint: { size: "5", root: "another" } } as PublishedEntry;
    for (const store of [one, two]) {
      const roots = await store.contradicting([asking]);
      assertEquals(roots.map(headLine), [
        `${log} 5 ${rootOf(5)}`,
        `${log} 5 ${rootOf(5, "other")}`,
      ]);
      const [kept, other] = roots;
      assertEquals(kept!.note, seen.checkpoint.note);
      assertEquals([kept!.siteName, other!.siteName], ["one", "two"]);
      assertEquals(other!.site, siteOf("two").vkey);
    }
    const against = async (entries: readonly PublishedEntry[]): Promise<string[]> =>
      (await one.contradicting(entries)).map(headLine);
    assertEquals(await against(first.entries), [`${log} 5 ${rootOf(5, "other")}`]);
    assertEquals(await against(second.entries), [
      `${log} 5 ${rootOf(5)}`,
      `${log} 5 ${rootOf(5, "other")}`,
    ]);
    assertEquals(await against([]), []);
  });

  test("headsAfter: a note longer than notes are is not read, nor a name that is none", async (stage) => {
    const store = await stage.store("one");
    const journal = new SiteJournal("one");
    for (let size = 1; size <= 2; size++) journal.see({ log: logId(1), size });
    await journal.publishTo(store);
    await stage.sql("update hearsay_heads set note = $1 where size = 1", ["x".repeat(600_000)]);
    for (const name of ["\u001b[2J", "two\nlines", "x".repeat(5_000), ""]) {
      await stage.sql("update hearsay_sites set name = $1", [name]);
      const [long, head] = (await store.headsAfter(undefined, 100)).heads;
      assertEquals(long, { damaged: "note is null, expected a text" });
      assertEquals(head && "siteName" in head && head.siteName, "one");
      const [site] = await store.sites();
      assertEquals(site && "name" in site && site.name, "one");
    }
  });

  test("headsAfter: a damaged row is told as such, and stops nothing", async (stage) => {
    const store = await stage.store("one");
    const journal = new SiteJournal("one");
    for (let size = 1; size <= 7; size++) journal.see({ log: logId(1), size });
    await journal.publishTo(store);
    const change = (size: number, what: string, value: string | bigint): Promise<unknown> =>
      stage.sql(`update hearsay_heads set ${what} = $1 where size = ${size}`, [value]);
    await change(1, "note", "not a note");
    await change(2, "root", "not base64!");
    await change(3, "size", -3n);
    await change(4, "note", noteOf(logId(1), { size: 4, root: rootOf(5) }));
    await change(5, "note", noteOf(logId(2), { size: 5, root: rootOf(5) }));
    await change(6, "size", 2n ** 63n - 1n);
    const { heads, next } = await store.headsAfter(undefined, 100);
    assertEquals(heads.map((head) => "damaged" in head), [...Array(6).fill(true), false]);
    // Nobody was given this id. Whoever took it for a place would see nothing any more.
    await change(7, "id", 2n ** 62n);
    const { next: place } = await store.headsAfter(next, 100);
    journal.see({ log: logId(1), size: 8 });
    await journal.publishTo(store);
    const { heads: after } = await store.headsAfter(place, 100);
    assertEquals(after.map(headLine), [`${logId(1)} 8 ${rootOf(8)}`]);
    const asking = { log: logId(1), checkpoint: { size: "4", root: "" } } as PublishedEntry;
    assertEquals(await store.contradicting([asking]), []);
  });
}

/** Several sites publish, several poll, all at once, and their statements come in any order. */
async function publishAndPoll(stage: Stage, draw: Draw): Promise<void> {
  const wait = async (): Promise<void> => {
    for (let turns = draw.below(6); turns > 0; turns--) await Promise.resolve();
  };
  const expected = new Set<string>();
  let publishing = 3;
  const publishers = ["one", "two", "three"].map(async (name) => {
    const { store, wire } = await stage.site(name, { onWay: wait });
    const journal = new SiteJournal(name);
    for (let round = 0; round < 12; round++) {
      for (let count = draw.between(1, 4); count > 0; count--) {
        const { log, checkpoint: { size, root } } = journal.see({
          ...{ log: logId(draw.below(3)), size: draw.between(1, 30) },
          story: draw.chance(0.1) ? name : "",
        });
        expected.add(`${log} ${size} ${root}`);
      }
      wire.losesAnswers = draw.chance(0.3) ? 1 : 0;
      await journal.publishTo(store).catch((error) => {
        if (!(error instanceof WorldError)) throw error;
      });
      await wait();
    }
    wire.losesAnswers = 0;
    await journal.publishTo(store);
    publishing--;
  });
  const readers = ["four", "five"].map(async (name) => {
    const { store } = await stage.site(name, { onWay: wait });
    const seen: string[] = [];
    let cursor;
    while (true) {
      const isLast = publishing === 0;
      const page = await store.headsAfter(cursor, draw.between(1, 9));
      assert(!page.restarted);
      seen.push(...page.heads.map(headLine));
      cursor = page.next;
      if (isLast && page.heads.length === 0) return seen;
    }
  });
  await Promise.all(publishers);
  for (const seen of await Promise.all(readers)) {
    assertEquals(seen.length, new Set(seen).size);
    assertEquals(new Set(seen), expected);
  }
}
