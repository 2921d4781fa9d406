/** The contract of the shared store: who has recorded a case, and sites that stop or are removed. */
import { assertEquals } from "@std/assert";
import { FIRST_LINK } from "../../src/evidence/entry.ts";
import { removeSite } from "../../src/store/shared_removal.ts";
import { casesNow } from "../../src/store/shared_tables.ts";
import { logId, SiteJournal, siteOf, type Stage } from "./shared_stage.ts";

/** Registers a test on a stage. */
type Test = (name: string, run: (stage: Stage) => Promise<void>) => void;

/** Registers the tests. */
export function sitesContract(test: Test): void {
  test("casesNow: how many have recorded a case, and who of those alive has not", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    await stage.store("three");
    const wishes = { logs: [logId(1)], views: 1, leaseMs: 1_000 };
    for (const store of [one, two]) await store.keepLeases(wishes);
    const caseOf = (evidenceId: string, log: number, second = 0) => ({
      ...{ evidenceId, log: logId(log), seq: 1, recordedAt: `2026-01-01T00:00:0${second}.000Z` },
    });
    await one.publishCases([caseOf("a", 1, 2), caseOf("b", 2, 1), caseOf("c", 1)]);
    await two.publishCases([caseOf("a", 1, 3)]);
    const told = async () =>
      (await casesNow({ query: (sql) => stage.sql(sql) })).map((row) =>
        "damaged" in row ? row.damaged : [row.evidenceId, row.sites, row.lacking]
      );
    assertEquals(await told(), [["a", 2, 0], ["b", 1, 0], ["c", 1, 1]]);
    await two.release();
    assertEquals(await told(), [["a", 2, 0], ["b", 1, 0], ["c", 1, 0]]);
  });

  test("release: a site that stops says so, until it is back; one that dies does not", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const wishes = { logs: [], views: 1, leaseMs: 1_000 };
    const states = async () =>
      (await one.sites()).map((row) => "alive" in row && [row.alive, row.stopped]);
    for (const store of [one, two]) await store.keepLeases(wishes);
    assertEquals(await states(), [[true, false], [true, false]]);
    await two.release();
    await stage.pass(1_000);
    assertEquals(await states(), [[false, false], [false, true]]);
    await two.keepLeases(wishes);
    assertEquals(await states(), [[false, false], [true, false]]);
  });

  test("removeSite: nothing is left of a site that is gone but what it saw", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const [first, second] = [new SiteJournal("one"), new SiteJournal("two")];
    const wishes = { logs: [logId(1)], views: 2, leaseMs: 1_000 };
    for (let size = 1; size <= 2_100; size++) first.see({ log: logId(1), size });
    second.see({ log: logId(1), size: 1 });
    await first.publishTo(one);
    await second.publishTo(two);
    const recordedAt = "2026-01-01T00:00:00.000Z";
    for (const store of [one, two]) {
      await store.publishCases([{ evidenceId: "a", log: logId(1), seq: 1, recordedAt }]);
      await store.keepLeases(wishes);
    }
    const [db, { vkey }] = [await stage.place.connect(), siteOf("one")];
    assertEquals(await removeSite(db, vkey), "alive");
    assertEquals(await one.published(), first.last);
    await stage.pass(1_001);
    await two.keepLeases(wishes);
    assertEquals(await removeSite(db, "nobody"), "unknown");
    assertEquals(await removeSite(db, vkey), "removed");
    assertEquals(await removeSite(db, vkey), "unknown");
    const count = async (from: string): Promise<bigint[]> => {
      const sites = [vkey, siteOf("two").vkey];
      const counted = await Promise.all(
        sites.map((site) => stage.sql(`select count(*) as n from hearsay_${from} = $1`, [site])),
      );
      return counted.map(([row]) => row!.n as bigint);
    };
    for (const table of ["sightings where site", "cases where site", "sites where vkey"]) {
      assertEquals(await count(table), [0n, 1n], table);
    }
    assertEquals(await count("site_logs where site"), [0n, 1n]);
    assertEquals(await count("leases where holder"), [0n, 1n]);
    const { heads } = await two.headsAfter(undefined, 20_000);
    assertEquals(heads.length, 2_100);
    // It comes back, and has all to publish again.
    await one.keepLeases(wishes);
    assertEquals(await one.published(), FIRST_LINK);
    await first.publishTo(one);
    assertEquals(await one.published(), first.last);
    await db.close();
  });
}
