/** The contract of the shared store on a real PostgreSQL, with the seeds that it has on SQLite. */
import { denoWorld } from "../../src/world/deno.ts";
import { postgresDatabases } from "../../src/world/postgres.ts";
import type { SharedDatabase, SharedStatements } from "../../src/world/shared_database.ts";
import { sharedStoreContract } from "../store/shared_contract.ts";
import type { Place } from "../store/shared_stage.ts";
import { PgCluster, postgresHere } from "./pg_cluster.ts";

const here = await postgresHere();
const databases = postgresDatabases(denoWorld().clock);

/** One for all: a database for each test costs less than a cluster for each. */
let cluster: PgCluster;
let places = 0;

if ("absent" in here) {
  Deno.test({ name: `PostgreSQL: the store (skipped: ${here.absent})`, ignore: true, fn() {} });
} else {
  Deno.test.beforeAll(async () => {
    cluster = await PgCluster.start({ hasStandby: false });
  });
  Deno.test.afterAll(() => cluster.stop());
  sharedStoreContract("PostgreSQL", open);
}

/** A new database, whose clock is a row that the test writes. */
async function open(): Promise<Place> {
  const name = `place_${++places}`;
  await cluster.sql(`create database ${name}`, "postgres");
  const { password } = cluster;
  const url = cluster.url.replace("/hearsay?", `/${name}?`);
  const connect = async (): Promise<SharedDatabase> =>
    withClock(await databases.connect({ url, password }));
  const admin = await connect();
  const start = Date.UTC(2026, 0, 1);
  await admin.query("create table stage_clock(now bigint not null)");
  await admin.query("insert into stage_clock(now) values ($1)", [start]);
  let now = 0;
  return {
    get now() {
      return now;
    },
    async pass(ms) {
      now += ms;
      await admin.query("update stage_clock set now = $1", [start + now]);
    },
    connect,
    close: () => admin.close(),
  };
}

/** The same database, by the clock of the test. */
function withClock(db: SharedDatabase): SharedDatabase {
  const on = (statements: SharedStatements): SharedStatements["query"] => (sql, values) =>
    statements.query(sql.replaceAll("now_ms()", "(select now from stage_clock)"), values);
  return {
    query: on(db),
    transaction: (work) =>
      db.transaction((tx) => work({ query: on(tx), tell: (...said) => tx.tell(...said) })),
    listen: (...heard) => db.listen(...heard),
    close: () => db.close(),
  };
}
