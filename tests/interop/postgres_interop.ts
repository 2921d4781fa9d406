/** Shared databases on a real PostgreSQL: the contract, failover, TLS, and who is not let in. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { denoWorld } from "../../src/world/deno.ts";
import { postgresDatabases } from "../../src/world/postgres.ts";
import { PULSE_MS } from "../../src/world/postgres_ears.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { MAX_CONNECTIONS } from "../../src/world/postgres_connections.ts";
import { CONNECT_LIMIT_MS } from "../../src/world/postgres_link.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { STATEMENT_LIMIT_MS } from "../../src/world/shared_sql.ts";
import { failsAs, Heard, sharedDatabaseContract } from "../store/shared_database_contract.ts";
import { RUN_FLAGS } from "../compile/compile.ts";
import { shell } from "./go.ts";
import { type ClusterOptions, PgCluster, postgresHere, until } from "./pg_cluster.ts";

const here = await postgresHere();
const { sharedDatabases } = denoWorld();

/** Registers a test, or says why it is skipped. */
function postgresTest(name: string, fn: () => Promise<void>): void {
  const absent = "absent" in here ? here.absent : undefined;
  Deno.test({
    name: `PostgreSQL: ${name}${absent === undefined ? "" : ` (skipped: ${absent})`}`,
    ignore: absent !== undefined,
    fn,
  });
}

/** Registers a test with a cluster of its own. */
function clusterTest(
  name: string,
  run: (cluster: PgCluster) => Promise<void>,
  options?: ClusterOptions,
): void {
  postgresTest(name, async () => {
    await using cluster = await PgCluster.start(options);
    await run(cluster);
  });
}

function connect({ url, password }: PgCluster) {
  return sharedDatabases.connect({ url, password });
}

/** One for all of the contract: a database for each test costs less than a cluster for each. */
let shared: PgCluster | undefined;
let databases = 0;
Deno.test.beforeAll(async () => {
  if ("program" in here) shared = await PgCluster.start({ hasStandby: false });
});
Deno.test.afterAll(async () => await shared?.stop());

postgresTest("the server remembers no statement for each number of rows", async () => {
  await shared!.sql("create database many", "postgres");
  const url = shared!.url.replace("/hearsay?", "/many?");
  const db = await sharedDatabases.connect({ url, password: shared!.password });
  try {
    await db.query("create table t (n bigint not null)");
    for (let count = 1; count <= 100; count++) {
      const rows = Array.from({ length: count }, (_, at) => `($${at + 1})`);
      const values = rows.map((_, at) => BigInt(at));
      await db.query(`insert into t(n) values ${rows.join(", ")}`, values);
    }
    const [sum] = await db.query("select count(*) as n from t");
    assertEquals(sum!.n, 5_050n);
    const [kept] = await db.query("select count(*) as n from pg_prepared_statements");
    assert(kept!.n as bigint <= 20n, `${kept!.n} statements`);
  } finally {
    await db.close();
  }
});

sharedDatabaseContract((name, run) => {
  postgresTest(name, async () => {
    const database = `contract_${++databases}`;
    await shared!.sql(`create database ${database}`, "postgres");
    const url = shared!.url.replace("/hearsay?", `/${database}?`);
    const { password } = shared!;
    const one = await sharedDatabases.connect({ url, password });
    const two = await sharedDatabases.connect({ url, password });
    try {
      await run({
        ...{ one, two, pass: () => Promise.resolve() },
        async breakConnections() {
          await shared!.sql(
            `select pg_terminate_backend(pid, 5000) from pg_stat_activity
             where application_name = 'hearsay' and datname = '${database}'`,
          );
        },
      });
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
  });
});

clusterTest(
  "when the primary is killed and the standby promoted, nothing that was committed is lost",
  async (cluster) => {
    const database = await connect(cluster);
    await database.query("create table t (n bigint primary key)");
    const heard = new Heard();
    await database.listen("news", heard);
    const committed: bigint[] = [];
    let isKilled = false;
    const adding = (async () => {
      for (let n = 1n; !isKilled; n++) {
        try {
          await database.query("insert into t values ($1)", [n]);
          committed.push(n);
        } catch {
          // Whether it happened is not known.
        }
      }
    })();
    await until("a hundred rows", () => Promise.resolve(committed.length >= 100));
    await cluster.killPrimary();
    isKilled = true;
    await adding;
    await failsAs("other", () => database.query("select 1"));
    await cluster.promote();
    const rows = await database.query("select n from t order by n");
    const kept = new Set(rows.map(({ n }) => n));
    assertEquals(committed.filter((n) => !kept.has(n)), []);
    assertEquals(await heard.next(), "(gap)");
    await database.transaction((tx) => tx.tell("news", "after"));
    assertEquals(await heard.next(), "after");

    // And back again.
    await cluster.rejoin();
    await database.query("insert into t values (-1)");
    await cluster.killPrimary();
    await cluster.promote();
    assertEquals((await database.query("select n from t where n = -1")).length, 1);
    assertEquals(await heard.next(), "(gap)");
    await database.close();
  },
);

/** What happens in a planned switch: the old primary stays, connections to it as well, and it refuses writes. */
async function switchOver(cluster: PgCluster): Promise<void> {
  await cluster.sql("alter system set default_transaction_read_only = on");
  await cluster.sql("select pg_reload_conf()");
  await cluster.promote();
}

clusterTest(
  "a server that takes no writes any more is left for the one that does",
  async (cluster) => {
    const database = await connect(cluster);
    await database.query("create table t (n bigint)");
    const old = cluster.primary();
    await switchOver(cluster);
    await failsAs("closed", () => database.query("insert into t values (1)"));
    await database.query("insert into t values (2)");
    assertEquals(await cluster.sql("select n from t"), "2");
    // Who comes only now finds it too, although the other is the first of the list.
    const late = await connect(cluster);
    await late.query("update t set n = 3");
    await late.close();
    assertEquals((await old.ask(cluster.home, "select count(*) from t")).out.trim(), "0");
    await database.close();
  },
);

clusterTest(
  "a listener at a server that takes no writes any more notices, with its next pulse",
  async (cluster) => {
    const clock = new ManualClock();
    const { url, password } = cluster;
    const database = await postgresDatabases(clock).connect({ url, password });
    const heard = new Heard();
    await database.listen("news", heard);
    await clock.advance(PULSE_MS);
    await database.transaction((tx) => tx.tell("news", "still there"));
    assertEquals(await heard.next(), "still there");
    await switchOver(cluster);
    // The answer to the pulse comes over the network; the wait for another connection is the clock's.
    let gap: string | undefined;
    const hearing = heard.next().then((word) => gap = word);
    await until("the gap", async () => {
      await clock.advance(gap === undefined ? PULSE_MS / 3 : 0);
      return gap !== undefined;
    });
    assertEquals(await hearing, "(gap)");
    await cluster.sql("select pg_notify('news', 'from the new one')");
    assertEquals(await heard.next(), "from the new one");
    await database.close();
    assertEquals(clock.pending, 0);
  },
);

clusterTest(
  "a primary that hangs and is replaced is left, even if it comes back and knows nothing",
  async (cluster) => {
    const database = await connect(cluster);
    await database.query("create table t (n bigint)");
    // Several connections rest, and all of them hang.
    await Promise.all(Array.from({ length: 8 }, () => database.query("select pg_sleep(0.05)")));
    const old = cluster.primary();
    await old.freeze(true);
    await cluster.promote();
    try {
      await failsAs("timed out", () => database.query("insert into t values (1)"));
      const start = performance.now();
      await database.query("insert into t values (2)");
      assert(performance.now() - start < CONNECT_LIMIT_MS + 2_000);
    } finally {
      await old.freeze(false);
    }
    await database.query("insert into t values (3)");
    assertEquals(await cluster.sql("select string_agg(n::text, ' ' order by n) from t"), "2 3");
    await database.close();
  },
);

clusterTest("a standby alone is refused, with its address", async (cluster) => {
  const { port } = cluster.standby();
  const url = `postgres://hearsay@127.0.0.1:${port}/hearsay?sslmode=disable`;
  const { password } = cluster;
  const message = await failsAs("other", () => sharedDatabases.connect({ url, password }));
  assertStringIncludes(message, `127.0.0.1:${port}: it takes no writes`);
});

clusterTest("who is not let in is told so, and never the password", async (cluster) => {
  const { url, password } = cluster;
  const port = cluster.primary().port;
  const no = async (
    kind: Parameters<typeof failsAs>[0],
    place: { url: string; password?: string },
  ) => {
    const message = await failsAs(kind, () => sharedDatabases.connect(place));
    assert(!message.includes(place.password ?? password), message);
    assertStringIncludes(message, `127.0.0.1:${port}`);
    return message;
  };
  assertStringIncludes(await no("not permitted", { url, password: "wrong-secret" }), "28P01");
  assertStringIncludes(await no("not permitted", { url }), "password");
  const unknown = url.replace("/hearsay?", "/none?");
  assertStringIncludes(await no("not found", { url: unknown, password }), "none");
  // A certificate is wanted, and the server has none.
  const secure = url.replace("?sslmode=disable", "");
  assertStringIncludes(await no("not permitted", { url: secure, password }), "speaks no TLS");
}, { hasStandby: false });

clusterTest(
  "the program's own permissions are enough, and the environment changes nothing",
  async (cluster) => {
    // At a socket no password is asked for, and no TLS spoken.
    const folder = encodeURIComponent(cluster.home);
    const url = `postgres://hearsay@/hearsay?host=${folder}&port=${cluster.primary().port}`;
    const { code, out, err } = await shell(
      `export PGHOST=elsewhere.invalid PGPORT=1 PGUSER=somebody PGDATABASE=other PGPASSWORD=wrong
     export PGAPPNAME=other PGSSL=require PGTARGETSESSIONATTRS=standby PGMAX=0 PGCONNECT_TIMEOUT=1
     deno=$1; shift; exec "$deno" run "$@"`,
      ...[Deno.execPath(), ...RUN_FLAGS, "--no-check"],
      ...[new URL("postgres_client.ts", import.meta.url).pathname, url],
    );
    assertEquals({ code, out, err }, { code: 0, out: "hearsay hearsay hearsay\n", err: "" });
  },
  { hasStandby: false },
);

clusterTest(
  "a server that says nothing is given up in time, and heard again when it speaks",
  async (cluster) => {
    const database = await connect(cluster);
    await database.query("create table t (n bigint)");
    await cluster.primary().freeze(true);
    try {
      const start = performance.now();
      await failsAs("timed out", () => database.query("insert into t values (1)"));
      const one = performance.now() - start;
      assert(one < STATEMENT_LIMIT_MS + 2_000, `${one} ms`);
      await failsAs("timed out", () => database.query("insert into t values (1)"));
      const other = performance.now() - start - one;
      assert(other < CONNECT_LIMIT_MS + 2_000, `${other} ms`);
    } finally {
      await cluster.primary().freeze(false);
    }
    await database.query("insert into t values (2)");
    await database.close();
  },
  { hasStandby: false },
);

clusterTest("many at once have few connections, and all get their turn", async (cluster) => {
  const database = await connect(cluster);
  await Promise.all(Array.from({ length: 60 }, () => database.query("select pg_sleep(0.01)")));
  const open = await cluster.sql(
    "select count(*) from pg_stat_activity where application_name = 'hearsay'",
  );
  assert(Number(open) <= MAX_CONNECTIONS, open);
  await database.close();
  await until("all have gone", async () =>
    await cluster.sql(
      "select count(*) from pg_stat_activity where application_name = 'hearsay'",
    ) === "0");
}, { hasStandby: false });

clusterTest(
  "of two that lock each other out one gives up, and the other goes on",
  async (cluster) => {
    const database = await connect(cluster);
    await database.query("create table t (k bigint primary key, n bigint)");
    await database.query("insert into t values (1, 0), (2, 0)");
    const both = Promise.withResolvers<void>();
    let locked = 0;
    const lock = (order: readonly bigint[]) =>
      database.transaction(async (tx) => {
        for (const k of order) {
          await tx.query("update t set n = n + 1 where k = $1", [k]);
          if (++locked === 2) both.resolve();
          await both.promise;
        }
      });
    const ends = await Promise.allSettled([lock([1n, 2n]), lock([2n, 1n])]);
    assertEquals(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const rows = await database.query("select n from t");
    assertEquals(rows.map(({ n }) => n), [1n, 1n]);
    await database.close();
  },
  { hasStandby: false },
);

/** A certificate authority, and a certificate of it for each subject. */
async function certificates(authority: string, names: readonly string[]) {
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-tls-" });
  try {
    const { code, err } = await shell(
      `set -e; cd "$1"; authority=$2; shift 2
       openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key \\
         -out ca.crt -subj "/CN=$authority"
       for name; do
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" \\
           -out "$name.csr" -subj "/CN=server"
         echo "subjectAltName=$name" >"$name.ext"
         openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \\
           -extfile "$name.ext" -out "$name.crt"
       done`,
      ...[folder, authority, ...names],
    );
    if (code !== 0) throw new Error(err);
    const read = (file: string): string => Deno.readTextFileSync(`${folder}/${file}`);
    const servers = names.map((name) => ({
      certificate: read(`${name}.crt`),
      key: read(`${name}.key`),
    }));
    return { ca: read("ca.crt"), servers };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

postgresTest(
  "TLS: the certificate must be of the authority that is named, and for the host",
  async () => {
    const { ca, servers } = await certificates("one", ["IP:127.0.0.1", "DNS:elsewhere.invalid"]);
    const { ca: otherCa } = await certificates("other", []);
    {
      await using cluster = await PgCluster.start({ hasStandby: false, tls: servers[0]! });
      const { url, password } = cluster;
      const database = await sharedDatabases.connect({ url, password, ca });
      const [row] = await database.query(
        "select version from pg_stat_ssl where pid = pg_backend_pid()",
      );
      assertStringIncludes(String(row!.version), "TLSv1");
      const heard = new Heard();
      await database.listen("news", heard);
      await database.transaction((tx) => tx.tell("news", "sealed"));
      assertEquals(await heard.next(), "sealed");
      await database.close();
      for (const wrong of [undefined, otherCa]) {
        const place = { url, password, ...(wrong === undefined ? {} : { ca: wrong }) };
        const message = await failsAs("other", () => sharedDatabases.connect(place));
        assertStringIncludes(message, "UnknownIssuer");
      }
      // What is no certificate is told as that.
      await failsAs("other", () => sharedDatabases.connect({ url, password, ca: "no PEM" }));
    }
    await using cluster = await PgCluster.start({ hasStandby: false, tls: servers[1]! });
    const { url, password } = cluster;
    const message = await failsAs("other", () => sharedDatabases.connect({ url, password, ca }));
    assertStringIncludes(message, `certificate not valid for name "127.0.0.1"`);
  },
);

postgresTest("a server that is none, or ends at once, is an error of the world", async () => {
  const answers: readonly ((conn: Deno.Conn) => Promise<void>)[] = [
    (conn) => Promise.resolve(conn.close()),
    async (conn) => {
      await conn.read(new Uint8Array(1_000));
      conn.close();
    },
    async (conn) => {
      await conn.read(new Uint8Array(1_000));
      await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      conn.close();
    },
    async (conn) => {
      await conn.read(new Uint8Array(1_000));
      await conn.write(new TextEncoder().encode("S"));
      conn.close();
    },
  ];
  for (const [i, answer] of answers.entries()) {
    for (const more of ["", "?sslmode=disable"]) {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const serving = listener.accept().then(answer);
      const url = `postgres://u@127.0.0.1:${listener.addr.port}/d${more}`;
      const start = performance.now();
      try {
        await sharedDatabases.connect({ url, password: "p" });
        assert(false, "connected");
      } catch (error) {
        assertEquals((error as Error).constructor.name, "WorldError", `${i} ${more}: ${error}`);
      }
      const took = performance.now() - start;
      // It is noticed, and not waited for.
      assert(took < CONNECT_LIMIT_MS - 1_000, `${i} ${more}: ${took} ms`);
      await serving;
    }
  }
  try {
    await sharedDatabases.connect({ url: "postgres://u:secret@127.0.0.1/d" });
    assert(false, "connected");
  } catch (error) {
    assert(error instanceof MalformedError && !error.message.includes("secret"), `${error}`);
  }
});
