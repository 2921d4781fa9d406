/**
 * Two daemons that share a real PostgreSQL, and what may befall them: its primary is killed, a daemon is
 * killed or paused, the database is stopped or has no room, a log shows each of them another history.
 * `store_kills.ts` kills more primaries than there is time for here.
 */
import { assert, assertEquals } from "@std/assert";
import { SharedStore } from "../../src/store/shared_store.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { migrate } from "../../src/store/shared_schema.ts";
import { shell } from "./go.ts";
import { PgCluster, postgresHere, until } from "./pg_cluster.ts";
import { growing, growingStories, GrowingStory, type Site, SitePair } from "./sites.ts";
import { formatKilled, killPrimaries } from "./store_kills.ts";

const KILLS = 5;
const LEASE_MS = 3_000;
const POLL_MS = 500;
/** How much longer than it is meant to something may take, on a machine that does other things too. */
const SLACK_MS = 1_500;
/** A filesystem with so many bytes is full soon, and has room for a new cluster. */
const SMALL_DISK = "160m";

const here = await postgresHere();

/** Registers a test in an empty folder, or says why it is skipped. */
function storeTest(
  name: string,
  test: (folder: string) => Promise<void>,
  absent = "absent" in here ? here.absent : undefined,
): void {
  Deno.test({
    name: `PostgreSQL: ${name}${absent === undefined ? "" : ` (skipped: ${absent})`}`,
    ignore: absent !== undefined,
    async fn() {
      const folder = Deno.makeTempDirSync({ prefix: "hearsay-sites-" });
      try {
        await test(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits as closely as it can. @returns the milliseconds since `from` */
async function timed(from: number, what: string, isSo: () => boolean): Promise<number> {
  for (const end = performance.now() + 60_000; !isSo();) {
    if (performance.now() > end) throw new Error(`not in a minute: ${what}`);
    await pause(5);
  }
  return performance.now() - from;
}

storeTest(
  `the primary is killed under load, ${KILLS} times, and nothing is missing`,
  async (folder) => {
    console.log(formatKilled(await killPrimaries(folder, KILLS)));
  },
);

/** The logs at which a site has the turn to look, by their numbers. */
async function heldBy(site: Site, other: Site): Promise<number[]> {
  const [own, others] = [await site.status(), await other.status()];
  return own.logs.flatMap(({ lookedAtBy }, i) =>
    lookedAtBy === undefined && others.logs[i]!.lookedAtBy?.[0] === site.name ? [i] : []
  );
}

storeTest("a daemon is killed, and one is paused: the other looks at its logs", async (folder) => {
  await using cluster = await PgCluster.start({ hasStandby: false });
  const logs = await growingStories(8);
  const options = { logs: [logs, logs] as const, poll: `${POLL_MS}ms`, views: 1 };
  await using pair = await SitePair.start({ cluster, within: folder, lease: "3s", ...options });
  using _load = growing(logs, 300);
  const { sites: [one, two], servers: [, asked] } = pair;
  let held: number[] = [];
  const shared = async (): Promise<boolean> => {
    held = await heldBy(one, two);
    const theirs = await heldBy(two, one);
    return held.length > 0 && theirs.length > 0 && held.length + theirs.length === logs.length;
  };
  /** The longest that a log of the site that fell silent was not looked at, in milliseconds. */
  const takenOver = async (from: number): Promise<number> => {
    const times = held.map((i) =>
      timed(from, `log ${i} is looked at`, () => (asked.askedAt.get(i) ?? 0) > from)
    );
    return Math.max(...await Promise.all(times));
  };

  await until("each has its share", shared);
  await one.signal("KILL");
  const killed = await takenOver(performance.now());
  console.log(
    `a daemon is killed: all ${held.length} of its logs looked at by the other within ` +
      `${killed.toFixed(0)} ms (lease ${LEASE_MS} ms, poll ${POLL_MS} ms)`,
  );
  assert(killed < LEASE_MS + 2 * POLL_MS + SLACK_MS, `${killed} ms`);
  await one.stop();
  await one.start();
  await until("each has its share again", shared);

  // What a slot says, in the order in which it was read.
  const looks =
    "select log || ' ' || slot || '|' || fence || '|' || coalesce(size, 0) || '|' || site" +
    " from hearsay_looks";
  const last = new Map<string, { fence: bigint; size: bigint; site: string }>();
  const watch = async (): Promise<void> => {
    for (const row of (await cluster.sql(looks)).split("\n")) {
      const [slot, fence, size, site] = row.split("|") as [string, string, string, string];
      const now = { fence: BigInt(fence), size: BigInt(size), site };
      const before = last.get(slot) ?? now;
      assert(now.fence >= before.fence, `${slot}: fence ${before.fence} and then ${fence}`);
      assert(now.size >= before.size, `${slot}: size ${before.size} and then ${size}`);
      if (site !== before.site) assert(now.fence > before.fence, `${slot}: two with one fence`);
      last.set(slot, now);
    }
  };
  await one.signal("STOP");
  const paused = await takenOver(performance.now());
  assert(paused < LEASE_MS + 2 * POLL_MS + SLACK_MS, `${paused} ms`);
  await until("the other has all turns", async () => (await two.store()).held === logs.length);
  for (let i = 0; i < 5; i++) await watch();
  await one.signal("CONT");
  for (const end = performance.now() + 2 * LEASE_MS; performance.now() < end;) await watch();
  await until("each has its share after the pause", shared);
  await watch();
  await pair.publishedAll();
  assertEquals([...one.troubles(), ...two.troubles()], []);
  console.log(
    `a daemon is paused: its logs looked at by the other within ${paused.toFixed(0)} ms; ` +
      "awake, it has written under no old fence",
  );
});

storeTest("what a holder writes that slept past its lease is refused", async () => {
  await using cluster = await PgCluster.start({ hasStandby: false });
  const { sharedDatabases, clock } = denoWorld();
  const open = async (name: string) => {
    const db = await sharedDatabases.connect(cluster);
    if (name === "one") await migrate(db);
    const site = { vkey: `${name}+00000000+x`, name, software: "test" };
    return await SharedStore.open({ db, clock, site });
  };
  const [one, two] = [await open("one"), await open("two")];
  const wanted = { logs: ["log.invalid"], views: 1, leaseMs: 1_000 };
  const said = (size: bigint) => ({
    ...{ result: "extends" as const, failures: 0 },
    checkpoint: { treeSize: size, root: new Uint8Array(32).toBase64(), note: `note ${size}` },
  });
  const [old] = (await one.keepLeases(wanted)).held;
  assertEquals(await one.look(old!, said(1n)), "taken");
  await pause(wanted.leaseMs + 100);
  const [lease] = (await two.keepLeases(wanted)).held;
  assert(lease!.fence > old!.fence);
  assertEquals(await two.look(lease!, said(2n)), "taken");
  assertEquals(await one.look(old!, said(1n)), "stale");
  const row = "select size || ' ' || site || ' ' || (fence = ";
  assertEquals(
    await cluster.sql(`${row}${lease!.fence})::text from hearsay_looks`),
    "2 two+00000000+x true",
  );
  await Promise.all([one.close(), two.close()]);
});

storeTest(
  "a split that is shown to two sites is recorded by both within a second",
  async (folder) => {
    await using cluster = await PgCluster.start({ hasStandby: false });
    const logs = await growingStories(4);
    const fork = new GrowingStory(logs[0]!.story.fork());
    const shown = [logs, [fork, ...logs.slice(1)]] as const;
    const options = { logs: shown, poll: "1s", views: 2, lease: "10s" };
    // They learn of it through the store alone.
    const more = { peers: [] };
    await using pair = await SitePair.start({ cluster, within: folder, ...options, more });
    const { sites, servers } = pair;
    await until("both look", async () => {
      const statuses = await Promise.all(sites.map((site) => site.status()));
      return statuses.every(({ logs }) => logs.every(({ lookedAtBy }) => lookedAtBy?.length === 1));
    });
    logs[0]!.story.growTo(20, "ours");
    fork.story.growTo(20, "theirs");
    const from = performance.now();
    const clockFrom = Date.now();
    const seenAt = (): number[] => servers.map(({ askedAt }) => askedAt.get(0)!);
    await timed(from, "both are shown it", () => seenAt().every((at) => at > from));
    // The later of the first looks that were shown it; no look comes twice in so short a time.
    const bothSeen = Math.max(...seenAt()) - from;
    const recordedAt = (site: Site): number | undefined =>
      site.said().find(({ name }) => name === "incident.recorded")?.at;
    await timed(from, "both have recorded it", () => sites.every((site) => recordedAt(site)));
    const times = sites.map((site) => recordedAt(site)! - clockFrom - bothSeen);
    console.log(
      `a split: recorded by both ${
        Math.max(...times).toFixed(0)
      } ms after the second was shown it ` +
        `(${times.map((ms) => ms.toFixed(0)).join(" and ")} ms)`,
    );
    assert(Math.max(...times) < 1_000 + SLACK_MS, `${times} ms`);
    const incidents = await Promise.all(sites.map((site) => site.status()));
    assertEquals(incidents.map(({ logs }) => logs.map((log) => log.incidents)), [
      [1, 0, 0, 0],
      [1, 0, 0, 0],
    ]);
  },
);

/** The database cannot be used until `mend`: what the daemons say, do, and do not say. */
async function away(
  pair: SitePair,
  logs: readonly GrowingStory[],
  { fail, mend }: { fail(): Promise<void>; mend(): Promise<void> },
): Promise<{ toldMs: number; backMs: number }> {
  const { sites, servers } = pair;
  using load = growing(logs, 200);
  await fail();
  const from = performance.now();
  await until("both say that it is away", async () => {
    const stores = await Promise.all(sites.map((site) => site.store()));
    return stores.every(({ state, behind }) => state === "away" && behind > 0);
  });
  const toldMs = performance.now() - from;
  const since = performance.now();
  await pause(4 * POLL_MS);
  for (const site of sites) {
    const { store, logs } = await site.status();
    assertEquals([store!.state, store!.held], ["away", 0]);
    assert(store!.detail !== undefined && store!.since !== undefined);
    assertEquals(logs.map(({ incidents }) => incidents), logs.map(() => 0));
  }
  for (const { askedAt } of servers) {
    assert(logs.every((_, i) => askedAt.get(i)! > since), "each looks at all logs itself");
  }
  assert(load.grown() > 0);
  await mend();
  const mendedAt = performance.now();
  await pair.publishedAll();
  return { toldMs, backMs: performance.now() - mendedAt };
}

/** After all of it: both said when it was away, and blamed nobody for it. */
function expectNobodyBlamed({ sites }: SitePair): void {
  for (const site of sites) {
    assertEquals(site.troubles(), []);
    assert(site.said().some(({ name, level }) => name === "store.away" && level === "warning"));
  }
}

storeTest("the database is stopped: daemons go on, say so, and catch up", async (folder) => {
  await using cluster = await PgCluster.start({ hasStandby: false });
  const logs = await growingStories(4);
  const options = { logs: [logs, logs] as const, poll: `${POLL_MS}ms`, views: 1, lease: "3s" };
  await using pair = await SitePair.start({ cluster, within: folder, ...options });
  const { toldMs, backMs } = await away(pair, logs, {
    fail: () => cluster.primary().stop(),
    mend: () => cluster.primary().start(cluster.home),
  });
  expectNobodyBlamed(pair);
  console.log(
    `the database is stopped: told within ${toldMs.toFixed(0)} ms; all published ` +
      `${backMs.toFixed(0)} ms after it is back`,
  );
});

/** Whether we may mount a small filesystem; if not, why. */
async function mountable(): Promise<string | undefined> {
  if ("absent" in here) return here.absent;
  const { code, err } = await shell(
    'd=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s',
  );
  return code === 0 ? undefined : `no small disk: ${err.trim().split("\n")[0]}`;
}

storeTest("the database has no room: daemons go on, say so, and catch up", async (folder) => {
  const disk = `${folder}/disk`;
  // The database's user has to get there.
  Deno.chmodSync(folder, 0o711);
  Deno.mkdirSync(disk);
  const mounted = await shell(
    `mount -t tmpfs -o size=${SMALL_DISK},mode=0755 tmpfs "$1"`,
    disk,
  );
  assertEquals(mounted.code, 0, mounted.err);
  try {
    await using cluster = await PgCluster.start({ hasStandby: false, within: disk });
    const logs = await growingStories(4);
    const options = { logs: [logs, logs] as const, poll: `${POLL_MS}ms`, views: 1, lease: "3s" };
    await using pair = await SitePair.start({ cluster, within: folder, ...options });
    const { toldMs, backMs } = await away(pair, logs, {
      async fail() {
        await shell('dd if=/dev/zero of="$1/filler" bs=1M 2>/dev/null', disk);
      },
      async mend() {
        Deno.removeSync(`${disk}/filler`);
        // It may have ended by itself: then an operator starts it again.
        const { code } = await cluster.primary().ask(cluster.home, "select 1");
        if (code === 0) return;
        await cluster.primary().stop();
        await cluster.primary().start(cluster.home);
      },
    });
    expectNobodyBlamed(pair);
    const details = new Set(
      pair.sites.flatMap((site) =>
        site.said().flatMap(({ name, line }) => name === "store.away" ? [line.slice(25)] : [])
      ),
    );
    console.log(
      `the database has no room: told within ${toldMs.toFixed(0)} ms; all published ` +
        `${backMs.toFixed(0)} ms after it has: ${[...details].join("; ")}`,
    );
  } finally {
    await shell('umount "$1" || umount -l "$1"', disk);
  }
}, await mountable());
