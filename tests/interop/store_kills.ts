/**
 * `kill -9` of the primary of the shared database under load, and a failover to its synchronous
 * standby, as often as one likes: nothing that was acknowledged is missing.
 *
 *     deno run --no-prompt --allow-net=127.0.0.1 --allow-read --allow-write --allow-run=sh \
 *       --allow-env=PGAPPNAME tests/interop/store_kills.ts 20
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Link } from "../../src/evidence/entry.ts";
import { SharedStore } from "../../src/store/shared_store.ts";
import type { PublishedEntry } from "../../src/store/shared_types.ts";
import type { SharedDatabase } from "../../src/world/shared_database.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { median } from "../bench/median.ts";
import { run } from "../cli/harness.ts";
import { PgCluster, postgresHere, until } from "./pg_cluster.ts";
import { growing, growingStories, type Site, SitePair } from "./sites.ts";

/** Logs that grow, how often, and how often a site looks at each. */
const LOGS = 8;
const GROWS_MS = 300;
const POLL = "500ms";
/** How long after the last growth every site has looked. */
const SETTLES_MS = 2_000;
/** Load before each kill, in milliseconds; another time each round. */
const WORKS_MS = [300, 700, 1_100];

/** What a run came to. Times are in milliseconds. */
export interface Killed {
  readonly kills: number;
  /** Publications that were acknowledged to the third connection. */
  readonly acknowledged: number;
  /** Entries of both journals that have a checkpoint. */
  readonly heads: number;
  /** For each kill: from the last acknowledged publication before it to the first after it. */
  readonly gaps: readonly number[];
  /** Of that, from when the standby had been promoted. */
  readonly afterPromotion: readonly number[];
  /** For each kill: from the promotion until the store has all that the journals had then. */
  readonly daemons: readonly number[];
}

/** What is the key of a head in the store. */
function keyOf({ log, size, root }: { log: string; size: string; root: string }): string {
  return `${log}|${size}|${root}`;
}

/** A third site, which publishes all the time and remembers what was acknowledged. */
class Recorder {
  readonly acknowledged: string[] = [];
  /** When each of them was, by `performance.now()`. */
  readonly times: number[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(readonly db: SharedDatabase, readonly store: SharedStore) {
    this.#done = this.#work();
  }

  static async start({ url, password }: PgCluster): Promise<Recorder> {
    const { sharedDatabases, clock } = denoWorld();
    const db = await sharedDatabases.connect({ url, password });
    const site = { vkey: "recorder+00000000+x", name: "recorder", software: "trial" };
    return new Recorder(db, await SharedStore.open({ db, clock, site }));
  }

  /** The longest time without one since the last before a moment, and when it ended. */
  gapSince(from: number): { readonly ms: number; readonly end: number } {
    const first = Math.max(0, this.times.findLastIndex((time) => time <= from));
    const gaps = this.times.slice(first + 1).map((end, i) => ({
      ms: end - this.times[first + i]!,
      end,
    }));
    return gaps.reduce((longest, gap) => gap.ms > longest.ms ? gap : longest);
  }

  /** Ends it, and throws what stopped it. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    await this.db.close();
  }

  async #work(): Promise<void> {
    let after: Link | undefined;
    while (!this.#isOver) {
      try {
        after ??= await this.store.published();
        const entry = entryAt(after.seq + 1);
        const last = { seq: entry.seq, hash: entry.hash };
        after = await this.store.publish({ after, entries: [entry], last });
        assertEquals(after, last, "nobody else publishes for it");
        this.#acknowledged(entry);
      } catch (error) {
        if (!(error instanceof WorldError)) throw error;
        // Whether it happened is not known.
        after = undefined;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  #acknowledged({ log, checkpoint }: PublishedEntry): void {
    this.acknowledged.push(keyOf({ log, ...checkpoint }));
    this.times.push(performance.now());
  }
}

/** An entry of a journal that nobody has. Its log is nobody's, so the daemons leave it alone. */
function entryAt(seq: number): PublishedEntry {
  const root = new Uint8Array(32);
  new DataView(root.buffer).setUint32(0, seq);
  return {
    ...{ seq, hash: `hash ${seq}`, recordedAt: new Date().toISOString() },
    ...{ log: "recorder.invalid", source: "the log", result: "extends" },
    checkpoint: { size: `${seq}`, root: root.toBase64(), note: `note ${seq}` },
  };
}

/** Every head that the store has. */
async function headsOf(cluster: PgCluster): Promise<Set<string>> {
  return new Set(
    (await cluster.sql("select log || '|' || size || '|' || root from hearsay_heads")).split("\n"),
  );
}

/** Up to which entry the store has the journal of each site. */
async function publishedBy(cluster: PgCluster): Promise<Map<string, number>> {
  const rows = await cluster.sql("select vkey || '|' || published_seq from hearsay_sites");
  return new Map(
    rows.split("\n").map((row) => {
      const [vkey, seq] = row.split("|");
      return [vkey!, Number(seq)];
    }),
  );
}

/** The last entry of each site's journal, by the site's vkey. */
async function journalEnds(
  cluster: PgCluster,
  sites: readonly Site[],
): Promise<Map<string, number>> {
  const published = await publishedBy(cluster);
  const ends = await Promise.all(sites.map(async (site) => {
    const { vkey, store } = await site.status();
    return [vkey, published.get(vkey)! + store!.behind] as const;
  }));
  return new Map(ends);
}

/**
 * Two daemons share a store; its primary is killed so many times under load, the standby promoted, and
 * what was the primary made the standby of the new one.
 * @param folder an empty one
 */
export async function killPrimaries(folder: string, kills: number): Promise<Killed> {
  await using cluster = await PgCluster.start();
  const logs = await growingStories(LOGS);
  const shown = { logs: [logs, logs] as const, poll: POLL, views: 1, lease: "5s" };
  await using pair = await SitePair.start({ cluster, within: folder, ...shown, seconds: 800 });
  const { sites } = pair;
  const recorder = await Recorder.start(cluster);
  const times = { gaps: [] as number[], afterPromotion: [] as number[], daemons: [] as number[] };
  try {
    using load = growing(logs, GROWS_MS);
    for (let kill = 0; kill < kills; kill++) {
      const workedFrom = recorder.acknowledged.length;
      await new Promise((resolve) => setTimeout(resolve, WORKS_MS[kill % WORKS_MS.length]));
      const before = { heads: await headsOf(cluster), published: await publishedBy(cluster) };
      const killedAt = performance.now();
      await cluster.killPrimary();
      const told = recorder.acknowledged.slice();
      assert(told.length > workedFrom, "it was killed under load");
      await cluster.promote();
      const promotedAt = performance.now();
      const wanted = await journalEnds(cluster, sites);
      const after = { heads: await headsOf(cluster), published: await publishedBy(cluster) };
      assertEquals(told.filter((head) => !after.heads.has(head)), [], "what was acknowledged");
      assertEquals([...before.heads].filter((head) => !after.heads.has(head)), [], "was shown");
      for (const [vkey, seq] of before.published) {
        assert(after.published.get(vkey)! >= seq, `${vkey} had published ${seq}`);
      }
      await until("all of both journals is published", async () => {
        const published = await publishedBy(cluster);
        return [...wanted].every(([vkey, seq]) => published.get(vkey)! >= seq);
      });
      times.daemons.push(performance.now() - promotedAt);
      await until("it publishes again", () => Promise.resolve(recorder.times.at(-1)! > promotedAt));
      const gap = recorder.gapSince(killedAt);
      times.gaps.push(gap.ms);
      times.afterPromotion.push(Math.max(0, gap.end - promotedAt));
      await cluster.rejoin();
    }
    assert(load.grown() > 0);
  } finally {
    await recorder.stop();
  }
  // A look may still be under way.
  await new Promise((resolve) => setTimeout(resolve, SETTLES_MS));
  await pair.publishedAll();
  for (const site of sites) assertEquals(site.troubles(), []);
  await pair.stop();
  const known = await headsOf(cluster);
  assertEquals(recorder.acknowledged.filter((head) => !known.has(head)), []);
  let heads = 0;
  for (const site of sites) {
    const seen = await site.heads();
    heads += seen.length;
    const lacking = seen.filter(({ log, checkpoint }) => !known.has(keyOf({ log, ...checkpoint })));
    const told = lacking.map(({ seq, log, source, result, recordedAt, checkpoint: { size } }) =>
      `entry ${seq} at ${recordedAt}: ${log} ${size}, ${result}, from ${source}`
    );
    assertEquals(told, [], `${site.name} has what the store has not`);
    const checked = await run("store", "check", "--config", site.config);
    assertEquals(checked.code, 0, [...checked.out, ...checked.err].join("\n"));
  }
  return { kills, acknowledged: recorder.acknowledged.length, heads, ...times };
}

/** What a run came to, as a line. */
export function formatKilled({ gaps, afterPromotion, daemons, ...counts }: Killed): string {
  const told = (ms: readonly number[]): string =>
    `${median(ms).toFixed(0)} ms, at most ${Math.max(...ms).toFixed(0)} ms`;
  return `${counts.kills} kills of the primary, ${counts.acknowledged} publications acknowledged, ` +
    `${counts.heads} checkpoints in two journals: none is missing\n` +
    `  without a publication: median ${told(gaps)} (of that, after the promotion: ` +
    `${told(afterPromotion)})\n` +
    `  until both daemons' journals are published: median ${told(daemons)} after the promotion`;
}

if (import.meta.main) {
  const here = await postgresHere();
  if ("absent" in here) console.log(`skipped: ${here.absent}`);
  else {
    const folder = Deno.makeTempDirSync({ prefix: "hearsay-kills-" });
    try {
      console.log(formatKilled(await killPrimaries(folder, Number(Deno.args[0] ?? 20))));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
}
