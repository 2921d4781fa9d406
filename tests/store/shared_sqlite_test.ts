/** The shared database of the tests does what PostgreSQL does, and its faults are those it is told to have. */
import { assertEquals, assertRejects } from "@std/assert";
import { WorldError } from "../../src/world/world.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { failsAs, Heard, sharedDatabaseContract } from "./shared_database_contract.ts";
import { noSharedDatabases, SharedSqlite } from "./shared_sqlite.ts";

const PLACE = { url: "postgres://hearsay@db.invalid/hearsay" };
const ADD = "insert into t values ($1)";

sharedDatabaseContract((name, run) => {
  Deno.test(`shared database in memory: ${name}`, async () => {
    const clock = new ManualClock();
    const server = new SharedSqlite({ clock });
    const one = await server.site().connect(PLACE);
    const two = await server.site().connect(PLACE);
    try {
      await run({
        ...{ one, two, pass: (ms) => clock.advance(ms) },
        breakConnections: () => Promise.resolve(server.breakConnections()),
      });
    } finally {
      server.close();
    }
    assertEquals(clock.pending, 0);
  });
});

/** A database with a table, and a site. */
async function withTable() {
  const clock = new ManualClock();
  const server = new SharedSqlite({ clock });
  const site = server.site();
  const database = await site.connect(PLACE);
  await database.query("create table t (n bigint)");
  const ns = () => server.look("select n from t order by n").map(({ n }) => n);
  return { clock, server, site, database, ns, [Symbol.dispose]: () => server.close() };
}

Deno.test("shared database in memory: a site that is refused gets nothing through, another does", async () => {
  using stage = await withTable();
  const other = await stage.server.site().connect(PLACE);
  stage.site.refuses = true;
  await assertRejects(() => stage.site.connect(PLACE), WorldError, "refused");
  await failsAs("closed", () => stage.database.query(ADD, [1n]));
  await other.query(ADD, [2n]);
  stage.site.refuses = false;
  await stage.database.query(ADD, [3n]);
  assertEquals(stage.ns(), [2n, 3n]);
});

Deno.test("shared database in memory: while a site is refused its listener stays deaf, then it hears of the gap", async () => {
  using stage = await withTable();
  const heard = new Heard();
  await stage.database.listen("news", heard);
  stage.site.refuses = true;
  stage.server.breakConnections();
  await stage.clock.advance(60_000);
  const other = await stage.server.site().connect(PLACE);
  await other.transaction((tx) => tx.tell("news", "missed"));
  stage.site.refuses = false;
  await stage.clock.advance(1_000);
  await other.transaction((tx) => tx.tell("news", "heard"));
  assertEquals([await heard.next(), await heard.next()], ["(gap)", "heard"]);
});

Deno.test("shared database in memory: the answer to a commit is lost, and it has happened", async () => {
  using stage = await withTable();
  stage.site.losesAnswers = 2;
  await failsAs("closed", () => stage.database.query(ADD, [1n]));
  await failsAs(
    "closed",
    () => stage.database.transaction((tx) => tx.query(ADD, [2n])),
  );
  await stage.database.query(ADD, [3n]);
  assertEquals(stage.ns(), [1n, 2n, 3n]);
});

Deno.test("shared database in memory: a connection that breaks before a statement arrives has not run it", async () => {
  using stage = await withTable();
  stage.site.travelMs = () => 100;
  const early = failsAs("closed", () => stage.database.query(ADD, [1n]));
  await stage.clock.advance(50);
  stage.server.breakConnections();
  await Promise.all([early, stage.clock.advance(100)]);
  const late = failsAs("closed", () => stage.database.query(ADD, [2n]));
  await stage.clock.advance(150);
  stage.server.breakConnections();
  await Promise.all([late, stage.clock.advance(100)]);
  assertEquals(stage.ns(), [2n]);
});

Deno.test("shared database in memory: the last commits are lost, and the rest is as it was", async () => {
  using stage = await withTable();
  await stage.database.query("create table times (at_ms bigint)");
  await stage.database.query("insert into times values (now_ms())");
  const before = stage.server.look("select at_ms from times");
  await stage.clock.advance(1_000);
  await stage.database.query(ADD, [1n]);
  await stage.database.transaction(async (tx) => {
    await tx.query(ADD, [2n]);
    await tx.query(ADD, [3n]);
  });
  await stage.database.transaction(async (tx) => {
    assertEquals((await tx.query("select n from t")).length, 3);
  });
  await stage.database.query(ADD, [4n]);
  stage.server.loseLast(2);
  assertEquals(stage.ns(), [1n]);
  assertEquals(stage.server.look("select at_ms from times"), before);
  await stage.database.query(ADD, [5n]);
  assertEquals(stage.ns(), [1n, 5n]);
});

Deno.test("shared database in memory: who writes while the last commits are lost has written nothing", async () => {
  using stage = await withTable();
  await stage.database.query(ADD, [1n]);
  await failsAs("closed", () =>
    stage.database.transaction(async (tx) => {
      await tx.query(ADD, [2n]);
      stage.server.loseLast(1);
      await tx.query(ADD, [3n]);
    }));
  assertEquals(stage.ns(), []);
  await stage.database.query(ADD, [4n]);
  assertEquals(stage.ns(), [4n]);
});

Deno.test("shared database in memory: an answer that takes too long is given up", async () => {
  using stage = await withTable();
  stage.site.travelMs = () => 6_000;
  const late = failsAs("timed out", () => stage.database.query(ADD, [1n]));
  await Promise.all([late, stage.clock.advance(20_000)]);
  assertEquals(stage.ns(), [1n]);
});

Deno.test("shared database in memory: its clock may be ahead", async () => {
  using stage = await withTable();
  stage.server.aheadMs = 5_000;
  const [row] = await stage.database.query("select now_ms() as now");
  assertEquals(row!.now, BigInt(stage.clock.now().getTime() + 5_000));
});

Deno.test("shared database in memory: a world without one says so", async () => {
  await failsAs("not permitted", () => noSharedDatabases.connect(PLACE));
});
