/** The contract of the shared store: claims, sites, what is dropped, and the schema. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FIRST_LINK } from "../../src/evidence/entry.ts";
import {
  CURRENT_SCHEMA,
  MAX_KEY_BYTES,
  migrate,
  type Migration,
  MIGRATIONS,
  schemaOf,
} from "../../src/store/shared_schema.ts";
import { SharedStore } from "../../src/store/shared_store.ts";
import { StoreRefused } from "../../src/store/shared_types.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { WorldError } from "../../src/world/world.ts";
import { drawFrom } from "../sim/draw.ts";
import { sitesContract } from "./shared_sites_contract.ts";
import {
  allHeads,
  logId,
  type Open,
  type Place,
  rootOf,
  SEEDS,
  SiteJournal,
  siteOf,
  Stage,
} from "./shared_stage.ts";

/** Registers the tests of claims, sites, upkeep and migrations. */
export function upkeepContract(engine: string, open: Open): void {
  const test = (name: string, run: (stage: Stage) => Promise<void>): void =>
    Deno.test(`${engine}: ${name}`, () => Stage.on(open, run));
  claimContract(test);
  trimContract(test);
  sitesContract(test);
  migrationContract((name, run) => {
    Deno.test(`${engine}: ${name}`, async () => {
      const place = await open();
      try {
        await run(place);
      } finally {
        await place.close();
      }
    });
  });
}

/** Registers a test on a stage. */
type Test = (name: string, run: (stage: Stage) => Promise<void>) => void;

function claimContract(test: Test): void {
  test("claim: one that a wrong clock has made last for years keeps nothing back", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    await one.claim("alert 1", 60_000);
    await stage.sql("update hearsay_claims set until_ms = until_ms + 100000000000");
    assertEquals(await two.claim("alert 1", 60_000), "mine");
    // A server whose clock is a little behind has taken over.
    await stage.sql("update hearsay_claims set until_ms = until_ms + 5000");
    const claim = await one.claim("alert 1", 60_000);
    assertEquals(claim, { heldBy: siteOf("two").vkey, forMs: 65_000 });
  });

  test("claim: one at a time; another after a while; what is done is done", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    assertEquals(await one.claim("alert 1", 1_000), "mine");
    await stage.pass(400);
    const held = { heldBy: siteOf("one").vkey, forMs: 600 };
    assertEquals(await two.claim("alert 1", 1_000), held);
    // The site was started again: it need not wait for itself.
    assertEquals(await one.claim("alert 1", 1_000), "mine");
    await stage.pass(1_000);
    assertEquals(await two.claim("alert 1", 1_000), "mine");
    await two.claimDone("alert 1");
    await stage.pass(10_000);
    const done = { doneBy: siteOf("two").vkey };
    for (const store of [one, two]) assertEquals(await store.claim("alert 1", 1_000), done);
    // Whoever was late has done it too; who did it first stays.
    await one.claimDone("alert 1");
    assertEquals(await two.claim("alert 1", 1_000), done);
    assertEquals(await two.claim("alert 2", 1_000), "mine");
    for (const key of ["", "x".repeat(MAX_KEY_BYTES + 1), "a\0b"]) {
      await assertRejects(() => one.claim(key, 1), MalformedError);
      await assertRejects(() => one.claimDone(key), MalformedError);
    }
  });

  for (const seed of SEEDS) {
    test(`claim: done at least once over crashes, and once without, seed ${seed}`, async (stage) => {
      const draw = drawFrom(seed);
      const crashes = draw.chance(0.5);
      const done = new Map<string, number>();
      const names = ["one", "two", "three"];
      const wait = async (): Promise<void> => {
        for (let turns = draw.below(5); turns > 0; turns--) await Promise.resolve();
      };
      const stores = await Promise.all(
        names.map(async (name) => (await stage.site(name, { onWay: wait })).store),
      );
      for (let round = 0; round < 12; round++) {
        await Promise.all(stores.map(async (store) => {
          for (let alert = 0; alert < 3; alert++) {
            const key = `alert ${alert}`;
            if (await store.claim(key, 1_000) !== "mine") continue;
            if (crashes && draw.chance(0.5)) continue;
            done.set(key, (done.get(key) ?? 0) + 1);
            if (crashes && draw.chance(0.5)) continue;
            await store.claimDone(key);
          }
        }));
        await stage.pass(crashes ? draw.between(1, 2_000) : 100);
      }
      assertEquals(done.size, 3);
      if (!crashes) assertEquals([...done.values()], [1, 1, 1]);
    });
  }

  test("sites: each is listed, with what the store has of it", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const wishes = { logs: [logId(1)], views: 1, leaseMs: 30_000 };
    await one.keepLeases(wishes);
    const journal = new SiteJournal("one");
    journal.see({ log: logId(1), size: 1 });
    await journal.publishTo(one);
    await stage.pass(7_000);
    const row = {
      ...{ alive: true, run: "" },
      stopped: false,
      seenAgoMs: 7_000,
      published: journal.last,
      leases: 1,
      cases: 0,
    };
    const other = {
      ...{ alive: false, run: "" },
      stopped: false,
      seenAgoMs: 7_000,
      published: FIRST_LINK,
      leases: 0,
      cases: 0,
    };
    assertEquals(await two.sites(), [{ ...siteOf("one"), ...row }, { ...siteOf("two"), ...other }]);
    await stage.pass(23_000);
    const [late] = await two.sites();
    assert(late !== undefined && "alive" in late && !late.alive && late.leases === 0);
    await stage.sql("update hearsay_sites set published_seq = -1 where name = 'one'");
    assertEquals((await two.sites()).map((row) => "damaged" in row), [true, false]);
    await assertRejects(() => one.published(), StoreRefused, "`hearsay store rebuild`");
    await one.forget();
    await journal.publishTo(one);
    assertEquals(await one.published(), journal.last);
  });

  test("listen: each hears what others put in, and not its own", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const heard: [who: string, news: string][] = [];
    const turn = Promise.withResolvers<void>();
    const listen = (store: SharedStore, who: string): Promise<void> =>
      store.listen({
        onNews(news) {
          heard.push([who, news]);
          if (news === "leases" && who === "one") turn.resolve();
        },
        onGap() {},
      });
    await listen(one, "one");
    await listen(two, "two");
    const journal = new SiteJournal("one");
    journal.see({ log: logId(1), size: 1 });
    await journal.publishTo(one);
    const { held: [lease] } = await one.keepLeases({ logs: [logId(1)], views: 1, leaseMs: 1_000 });
    await one.look(lease!, { result: "unchanged", failures: 0 });
    await two.release();
    await turn.promise;
    heard.sort();
    assertEquals(heard, [["one", "leases"], ["two", "heads"], ["two", "looks"]]);
  });

  test("peersHeard: whoever heard of a peer last counts", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    await stage.pass(10_000);
    await one.heardPeers([{ peer: "a", agoMs: 500 }, { peer: "b", agoMs: 0 }]);
    const tooLong = { peer: "x".repeat(MAX_KEY_BYTES + 1), agoMs: 1 };
    const twice = [{ peer: "b", agoMs: 900 }, { peer: "b", agoMs: 400 }];
    await two.heardPeers([{ peer: "a", agoMs: 100 }, ...twice, tooLong]);
    await stage.pass(50);
    const heard = (await one.peersHeard()).map((row) =>
      "damaged" in row ? row.damaged : [row.peer, row.siteName, row.agoMs]
    );
    assertEquals(heard, [["b", "one", 50], ["a", "two", 150]]);
    await one.heardPeers([]);
  });

  test("peersHeard: what was heard in the future says nothing, and hides nobody", async (stage) => {
    const one = await stage.store("one");
    await one.heardPeers([{ peer: "a", agoMs: 0 }, { peer: "gone", agoMs: 0 }]);
    await stage.sql("update hearsay_peers set heard_ms = heard_ms + 90000 where peer = 'gone'");
    const heard = async () =>
      (await one.peersHeard()).map((row) => "damaged" in row ? row.damaged : row.peer);
    assertEquals(await heard(), ["a"]);
    await one.heardPeers([{ peer: "gone", agoMs: 0 }]);
    assertEquals((await heard()).toSorted(), ["a", "gone"]);
  });

  test("heardPeers, keepLeases: rows are written in one order on all sites, so that none lock one another", async (stage) => {
    const orders: unknown[][] = [];
    for (const [name, numbers] of [["one", [3, 1, 2]], ["two", [2, 3, 1]]] as const) {
      const { store, wire } = await stage.site(name);
      const order: unknown[] = [];
      wire.onStatement = (sql, values) => {
        if (/insert into hearsay_(leases|peers)/.test(sql)) {
          order.push(...values.filter((value) => `${value}`.startsWith("KEY")));
        }
      };
      await stage.sql("delete from hearsay_leases");
      await store.keepLeases({ logs: numbers.map(logId), views: 2, leaseMs: 1_000 });
      await store.heardPeers(numbers.map((number) => ({ peer: `KEY peer ${number}`, agoMs: 0 })));
      orders.push(order);
    }
    assertEquals(orders[0]!.length, 9);
    assertEquals(orders[0], orders[1]);
  });

  test("unclaim: what a site gives up another may have at once, and what is done stays done", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    assertEquals(await one.claim("a", 60_000), "mine");
    await two.unclaim("a");
    assertEquals(typeof await two.claim("a", 60_000), "object", "it is not two's to give up");
    await one.unclaim("a");
    assertEquals(await two.claim("a", 60_000), "mine");
    await two.claimDone("a");
    await two.unclaim("a");
    assertEquals(await one.claim("a", 60_000), { doneBy: siteOf("two").vkey });
  });

  test("recordsLacking: the records of others about logs that it follows, and no case that it has", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    await two.keepLeases({ logs: [logId(1)], views: 1, leaseMs: 30_000 });
    for (const [evidenceId, number] of [["a", 1], ["b", 1], ["c", 2], ["d", 1]] as const) {
      await one.publishRecord({ evidenceId, log: logId(number), record: `record ${evidenceId}` });
    }
    await one.publishRecord({ evidenceId: "a", log: logId(1), record: "another text of it" });
    await two.publishRecord({ evidenceId: "e", log: logId(1), record: "its own" });
    await two.publishCases([{ evidenceId: "b", log: logId(1), seq: 1, recordedAt: "now" }]);
    const begin = { evidenceId: "", site: "" };
    const lacking = await two.recordsLacking({ after: begin, limit: 9 });
    const { vkey: site } = siteOf("one");
    assertEquals(lacking, [
      { evidenceId: "a", site, siteName: "one", record: "record a" },
      { evidenceId: "d", site, siteName: "one", record: "record d" },
    ]);
    assertEquals(await two.recordsLacking({ after: begin, limit: 1 }), lacking.slice(0, 1));
    assertEquals(
      await two.recordsLacking({ after: { evidenceId: "a", site }, limit: 9 }),
      lacking.slice(1),
    );
    assertEquals(await one.recordsLacking({ after: begin, limit: 9 }), [], "it follows nothing");
  });

  test("publishCases: to do it again changes nothing", async (stage) => {
    const one = await stage.store("one");
    const cases = Array.from({ length: 250 }, (_, seq) => ({
      ...{ evidenceId: `case ${seq}`, log: logId(1), seq },
      recordedAt: "2026-01-01T00:00:00.000Z",
    }));
    await one.publishCases(cases);
    await one.publishCases(cases);
    await one.publishCases([]);
    assertEquals((await stage.sql("select * from hearsay_cases")).length, 250);
    const [site] = await one.sites();
    assertEquals(site && "cases" in site && site.cases, 250);
  });
}

function trimContract(test: Test): void {
  test("trim: what is old goes, but no contradiction, no largest head, nothing new", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const [first, second] = [new SiteJournal("one"), new SiteJournal("two")];
    const log = logId(1);
    for (let size = 1; size <= 1_200; size++) first.see({ log, size });
    second.see({ log, size: 7, story: "other" });
    second.see({ log, size: 9 });
    second.see({ log: logId(2), size: 1 });
    await first.publishTo(one);
    await second.publishTo(two);
    await stage.sql("update hearsay_sightings set result = 'inconsistent' where size = 8");
    await one.claim("old", 1);
    await one.claimDone("old");
    await one.heardPeers([{ peer: "old", agoMs: 0 }]);
    await stage.pass(1_000);
    await one.heardPeers([{ peer: "new", agoMs: 0 }]);
    await one.claim("new", 1);
    first.see({ log, size: 3_000 });
    first.see({ log: logId(3), size: 1 });
    await first.publishTo(one);
    const trimmed = await one.trim(500);
    assertEquals(trimmed, { heads: 1_198, sightings: 1_199, claims: 1, peers: 1 });
    assertEquals((await stage.sql("select * from hearsay_sightings")).length, 6);
    assertEquals(await allHeads(two), [
      ...[7, 8].map((size) => `${log} ${size} ${rootOf(size)}`),
      `${log} 7 ${rootOf(7, "other")}`,
      `${logId(2)} 1 ${rootOf(1)}`,
      `${log} 3000 ${rootOf(3_000)}`,
      `${logId(3)} 1 ${rootOf(1)}`,
    ]);
    const none = { heads: 0, sightings: 0, claims: 0, peers: 0 };
    assertEquals(await one.trim(500), none);
    // What was dropped is not published again by itself.
    assertEquals(await one.published(), first.last);
  });

  test("ownRows: what the store has of a journal, and nothing after it was forgotten", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const [first, second] = [new SiteJournal("one"), new SiteJournal("two")];
    for (const size of [1, 2, 2, 3]) first.see({ log: logId(1), size });
    for (const size of [3, 4]) second.see({ log: logId(1), size });
    await first.publishTo(one);
    await second.publishTo(two);
    await one.publishCases([{ evidenceId: "c", log: logId(1), seq: 1, recordedAt: "now" }]);
    const [seq1, seq2, , seq4] = first.entries;
    const rows = await one.ownRows({ afterSeq: 0, limit: 100 });
    assertEquals(
      rows,
      [seq1!, seq2!, seq4!].map(({ seq, hash, log, checkpoint }) => ({
        ...{ seq, hash, log, treeSize: BigInt(checkpoint.size) },
        ...{ root: checkpoint.root, note: checkpoint.note, hasHead: true },
      })),
    );
    assertEquals(await one.ownRows({ afterSeq: 1, limit: 1 }), rows.slice(1, 2));
    const others = await two.ownRows({ afterSeq: 0, limit: 100 });
    assertEquals(others.map((row) => "note" in row && row.note !== undefined), [false, true]);
    await one.forget();
    assertEquals(await one.ownRows({ afterSeq: 0, limit: 100 }), []);
    assertEquals(await one.published(), FIRST_LINK);
    assertEquals(await allHeads(one), [`${logId(1)} 4 ${rootOf(4)}`]);
    assertEquals(await stage.sql("select * from hearsay_cases"), []);
    await first.publishTo(one);
    assertEquals((await allHeads(one)).length, 4);
  });
}

function migrationContract(test: (name: string, run: (place: Place) => Promise<void>) => void) {
  const clock = { monotonic: () => 0 };
  const next: Migration = {
    version: CURRENT_SCHEMA + 1,
    minReader: CURRENT_SCHEMA,
    statements: ["create table hearsay_more(x bigint)", "insert into hearsay_more(x) values (1)"],
  };
  const plan = [...MIGRATIONS, next];
  const site = siteOf("one");

  test("migrate: from nothing, once, and again without effect", async (place) => {
    const db = await place.connect();
    assertEquals(await schemaOf(db), undefined);
    await assertRejects(
      () => SharedStore.open({ db, clock, site }),
      StoreRefused,
      "`hearsay store migrate`",
    );
    assertEquals(await migrate(db), { from: undefined, to: CURRENT_SCHEMA });
    assertEquals(await migrate(db), { from: CURRENT_SCHEMA, to: CURRENT_SCHEMA });
    await SharedStore.open({ db, clock, site });
    assertEquals(await migrate(db, plan), { from: CURRENT_SCHEMA, to: CURRENT_SCHEMA + 1 });
    assertEquals(await db.query("select x from hearsay_more"), [{ x: 1n }]);
    await db.close();
  });

  test("migrate: two at once do it once, from nothing and from an older schema", async (place) => {
    const [one, two] = [await place.connect(), await place.connect()];
    await Promise.all([migrate(one), migrate(two)]);
    assertEquals((await one.query("select * from hearsay_schema")).length, MIGRATIONS.length);
    await Promise.all([migrate(one, plan), migrate(two, plan)]);
    assertEquals(await one.query("select x from hearsay_more"), [{ x: 1n }]);
    await Promise.all([one.close(), two.close()]);
  });

  test("migrate: one that fails leaves all as it was", async (place) => {
    const db = await place.connect();
    await migrate(db);
    const wrong = { ...next, statements: [...next.statements, "insert into nowhere values (1)"] };
    await assertRejects(() => migrate(db, [...MIGRATIONS, wrong]), WorldError);
    assertEquals((await schemaOf(db))?.version, CURRENT_SCHEMA);
    await assertRejects(() => db.query("select x from hearsay_more"), WorldError);
    await db.close();
  });

  test("open: a newer schema works if it says so, or is refused with a sentence", async (place) => {
    const db = await place.connect();
    await migrate(db, plan);
    await (await SharedStore.open({ db, clock, site })).published();
    await db.query("update hearsay_schema set min_reader = $1", [BigInt(CURRENT_SCHEMA + 1)]);
    for (const run of [() => SharedStore.open({ db, clock, site }), () => migrate(db)]) {
      await assertRejects(run, StoreRefused, "upgrade this program");
    }
    await db.close();
  });

  test("migrate: tables of somebody else are refused and not touched", async (place) => {
    const db = await place.connect();
    await db.query("create table hearsay_schema(version bigint, note text)");
    for (const rows of [[], [{ version: 1n, note: "mine" }]]) {
      for (const { version, note } of rows) {
        await db.query("insert into hearsay_schema values ($1, $2)", [version, note]);
      }
      await assertRejects(() => migrate(db), StoreRefused, "a database of its own");
      await assertRejects(() => SharedStore.open({ db, clock, site }), StoreRefused);
      assertEquals(await db.query("select * from hearsay_schema"), rows);
    }
    await db.query("drop table hearsay_schema");
    await db.query("create table hearsay_heads(mine bigint)");
    await assertRejects(() => migrate(db), StoreRefused, "a database of its own");
    assertEquals(await db.query("select * from hearsay_heads"), []);
    assertEquals(await schemaOf(db), undefined);
    await db.close();
  });
}
