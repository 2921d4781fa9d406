/** `hearsay store`: the database beside the journal. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, start } from "./harness.ts";
import { grow, makeLog, makeMonitor } from "./monitors.ts";
import { share, STORE_URL, StoreOfTests } from "./sharing.ts";

/** A monitor that shares a store with tables, and has looked once; its configuration, and its log. */
async function shared(
  folder: string,
  store: StoreOfTests,
  name = "one",
): Promise<{ config: string; dir: string }> {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/${name}`, { log, source: dir });
  share(config);
  assertEquals((await store.run("store", "migrate", "--config", config)).code, 0);
  const { code, err } = await store.run("run", "--once", "--config", config);
  assertEquals([code, err], [0, []]);
  return { config, dir };
}

async function looked(store: StoreOfTests, { config, dir }: { config: string; dir: string }) {
  await grow(dir, 1);
  assertEquals((await store.run("run", "--once", "--config", config)).code, 0);
}

inFolder(
  "store migrate: the first makes the tables, the next one changes nothing",
  async (folder) => {
    using store = new StoreOfTests();
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    share(config);
    const migrate = ["store", "migrate", "--config", config];
    const first = await store.run(...migrate);
    assertEquals([first.code, first.out], [0, [
      `the store ${STORE_URL}: its tables were made: it has schema 1`,
    ]]);
    const again = await store.run(...migrate, "--json");
    assertEquals([again.code, again.out.map((line) => JSON.parse(line))], [0, [
      { from: 1, to: 1, minReader: 1 },
    ]]);
  },
);

inFolder(
  "store: what run --once has seen is in the store, and check finds it so",
  async (folder) => {
    using store = new StoreOfTests();
    const made = await shared(folder, store);
    await looked(store, made);
    const { code, out, err } = await store.run("store", "check", "--config", made.config);
    assertEquals([code, err], [0, []]);
    assertStringIncludes(out[0]!, "nothing otherwise than the journal: 2 checkpoints compared");
    assertEquals(store.server.look("select size from hearsay_heads order by id"), [
      { size: 5n },
      { size: 6n },
    ]);
  },
);

inFolder(
  "run --once: a store that is away ends it with 3, and the look is in the journal",
  async (folder) => {
    using store = new StoreOfTests();
    const made = await shared(folder, store);
    await grow(made.dir, 1);
    const site = store.server.site();
    site.refuses = true;
    const args = ["run", "--once", "--config", made.config];
    const { code, out } = await start(args, store.world(site)).done;
    assertEquals(code, 3);
    assert(out.some((line) => / store\.away /.test(line)), out.join("\n"));
    const check = await store.run("store", "check", "--config", made.config);
    assertEquals(check.code, 0);
    assertMatch(check.out[1]!, /published up to \d+ of \d+: \d+ behind/);
  },
);

/** What somebody does to the store behind its back, and what check says of it. */
const TAMPERED: readonly (readonly [what: string, sql: string, says: RegExp])[] = [
  ["another size", "update hearsay_sightings set size = 4 where size = 5", /size 4, the journal 5/],
  ["another root", "update hearsay_sightings set root = 'AAAA' where size = 5", /another root/],
  ["another log", "update hearsay_sightings set log = 'x y' where size = 5", /another log/],
  [
    "another hash",
    "update hearsay_sightings set entry_hash = 'abcd' where size = 5",
    /another hash/,
  ],
  ["another note", "update hearsay_heads set note = note || 'x' where size = 5", /another note/],
  ["a note that is gone", "delete from hearsay_heads where size = 5", /has lost the note/],
  ["a row that is gone", "delete from hearsay_sightings where size = 5", /is not in the store/],
  ["a row of no entry", "update hearsay_sightings set seq = 900 where size = 6", /an entry 900/],
  ["a row of another entry", "update hearsay_sightings set seq = 1 where size = 6", /size 6, the/],
  ["a size that is none", "update hearsay_sightings set size = -5 where size = 5", /size is -5/],
  [
    "a place beyond the journal",
    "update hearsay_sites set published_seq = 900, published_hash = ''",
    /up to entry 900/,
  ],
];

for (const [what, sql, says] of TAMPERED) {
  inFolder(`store check: ${what} is damage, and rebuild mends it`, async (folder) => {
    using store = new StoreOfTests();
    const made = await shared(folder, store);
    await looked(store, made);
    store.server.look(sql);
    const check = ["store", "check", "--config", made.config];
    const { code, err } = await store.run(...check);
    assertEquals(code, 3, err.join("\n"));
    assertMatch(err.join("\n"), says);
    assertMatch(err.at(-1)!, /the journal is right\. `hearsay store rebuild`/);
    const told = JSON.parse((await store.run(...check, "--json")).out[0]!);
    assertEquals(told.isDamaged, true);
    const rebuilt = await store.run("store", "rebuild", "--config", made.config);
    assertEquals([rebuilt.code, rebuilt.err], [0, []]);
    const after = await store.run(...check);
    assertEquals([after.code, after.err], [0, []]);
    assertStringIncludes(after.out[0]!, "2 checkpoints compared");
    // The daemon goes on from there.
    await looked(store, made);
    assertStringIncludes((await store.run(...check)).out[0]!, "3 checkpoints compared");
  });
}

inFolder("store check: what the store has dropped since it is old is no damage", async (folder) => {
  using store = new StoreOfTests();
  const made = await shared(folder, store);
  await looked(store, made);
  store.server.look("delete from hearsay_sightings where size = 5");
  const check = ["store", "check", "--config", made.config];
  const [day, days] = [86_400_000, 90];
  store.server.aheadMs = (days - 2) * day;
  assertEquals((await store.run(...check)).code, 3);
  store.server.aheadMs = days * day;
  const { code, out } = await store.run(...check);
  assertEquals([code, out.at(-1)], [
    0,
    "  not in the store, as it drops what is old, or the journal was cut: 1 checkpoint",
  ]);
});

inFolder("store rebuild: a daemon that runs goes on where it has come to", async (folder) => {
  using store = new StoreOfTests();
  const made = await shared(folder, store);
  const daemon = start(["run", "--config", made.config], store.world());
  try {
    await daemon.line(/ store\.connected\b/);
    assertEquals((await store.run("store", "rebuild", "--config", made.config)).code, 0);
    await grow(made.dir, 2);
    for (let tries = 0; !has(store, 7n); tries++) {
      assert(tries < 200, "the daemon does not publish any more");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    daemon.stop();
    await daemon.done;
  }
  const { code, out } = await store.run("store", "check", "--config", made.config);
  assertEquals([code, out.length], [0, 2], out.join("\n"));
});

function has(store: StoreOfTests, size: bigint): boolean {
  // Somebody may be in the middle of something.
  if (store.server.lock.isTaken) return false;
  return store.server.look("select 1 from hearsay_heads where size = $1", [size]).length > 0;
}

inFolder("store status: who shares it, and how much is in it", async (folder) => {
  using store = new StoreOfTests();
  const made = await shared(folder, store);
  const daemon = start(["run", "--config", made.config], store.world());
  try {
    await daemon.line(/ store\.connected\b/);
    const args = ["store", "status", "--config", made.config];
    const { code, out } = await store.run(...args);
    assertEquals(code, 0);
    assertStringIncludes(out[0]!, "schema 1");
    assertStringIncludes(out[1]!, "1 site, 1 alive; turns taken: 1");
    assert(out.some((line) => /monitor\.invalid\/one +alive/.test(line)), out.join("\n"));
    const told = JSON.parse((await store.run(...args, "--json")).out[0]!);
    assertEquals([told.schema, told.rows.sites, told.sites[0].isAlive], [1, 1, true]);
    assertEquals(told.leases.length, 1);
  } finally {
    daemon.stop();
    await daemon.done;
  }
});

inFolder(
  "status: the store, its sites and who looks; a store that is away is a trouble",
  async (folder) => {
    using store = new StoreOfTests();
    const made = await shared(folder, store);
    const site = store.server.site();
    const daemon = start(["run", "--config", made.config], store.world(site));
    try {
      await daemon.line(/ store\.connected\b/);
      const http = /address=(\S+)/.exec(await daemon.line(/ status\.serving /))![1]!;
      const well = await store.run("status", http);
      const said = well.out.join("\n");
      assertMatch(said, /shared store: connected, 1 of 1 site alive/);
      assertMatch(said, /monitor\.invalid\/one \(this one\): its turn at 1 log/);
      site.refuses = true;
      store.server.breakConnections();
      await daemon.line(/ store\.away /);
      const away = await store.run("status", http);
      assertEquals(away.code, 3);
      assertMatch(away.out.join("\n"), /! +the shared store is away: /);
      assertMatch(away.out.join("\n"), /goes on alone/);
      assertMatch(away.out.join("\n"), /\(this one\): last heard of /);
      site.refuses = false;
      await daemon.line(/ store\.connected .*since/);
    } finally {
      daemon.stop();
      await daemon.done;
    }
  },
);

inFolder("store: a schema that is missing, and a configuration without a store", async (folder) => {
  using store = new StoreOfTests();
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/one`, { log, source: dir });
  for (const what of ["migrate", "check", "rebuild", "status"]) {
    const { code, err } = await store.run("store", what, "--config", config);
    assertEquals(code, 2);
    assertStringIncludes(err[0]!, 'names no "store"');
  }
  share(config);
  for (const what of ["check", "rebuild", "status"]) {
    const { code, err } = await store.run("store", what, "--config", config);
    assertEquals(code, 3);
    assertStringIncludes(err[0]!, "`hearsay store migrate` makes them");
  }
});

inFolder("config check: tries the store, and says what is wrong with it", async (folder) => {
  using store = new StoreOfTests();
  const { config } = await shared(folder, store);
  const check = ["config", "check", config];
  const well = await store.run(...check);
  assert(
    well.out.some((line) => /✓ the store .* lets us in, without a password: schema 1/.test(line)),
    well.out.join("\n"),
  );
  store.server.aheadMs = 90_000;
  const apart = await store.run(...check);
  assert(apart.out.some((line) => /! the clock of the store .* ahead of ours/.test(line)));
  store.server.look("drop table hearsay_schema");
  const bare = await store.run(...check);
  assert(bare.out.some((line) => /! the store .*hearsay store migrate/.test(line)));
});
