/** The contract of the shared store: who looks at which log. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MAX_LEASE_MS } from "../../src/store/shared_leases.ts";
import type { SharedStore } from "../../src/store/shared_store.ts";
import type { Lease, LeaseReport } from "../../src/store/shared_types.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import type { SqlRow } from "../../src/world/world.ts";
import { type Draw, drawFrom } from "../sim/draw.ts";
import { logId, noteOf, type Open, rootOf, SEEDS, siteOf, Stage } from "./shared_stage.ts";

const LEASE_MS = 30_000;
const BEAT_MS = LEASE_MS / 3;

function logsUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, at) => logId(at));
}

/** Registers the tests of leases and looks. */
export function leaseContract(engine: string, open: Open): void {
  const test = (name: string, run: (stage: Stage) => Promise<void>): void =>
    Deno.test(`${engine}: ${name}`, () => Stage.on(open, run));

  for (const seed of SEEDS) {
    test(`leases: sites come, pause, die and return, seed ${seed}`, (stage) =>
      new Fleet(stage, drawFrom(seed)).run());
  }

  test("leases: 300 logs on three sites are spread, and few move when one joins or leaves", async (stage) => {
    const logs = logsUpTo(300);
    const wishes = { logs, views: 1, leaseMs: LEASE_MS };
    const stores = new Map<string, SharedStore>();
    for (const name of ["one", "two", "three"]) stores.set(name, await stage.store(name));
    const settle = async (): Promise<Map<string, string>> => {
      const holders = new Map<string, string>();
      for (let beat = 0; beat < 6; beat++) {
        await stage.pass(BEAT_MS);
        holders.clear();
        for (const [name, store] of stores) {
          for (const { log } of (await store.keepLeases(wishes)).held) holders.set(log, name);
        }
      }
      assertEquals(holders.size, 300);
      return holders;
    };
    const sharesOf = (holders: Map<string, string>): number[] =>
      [...stores.keys()].map((name) => [...holders.values()].filter((one) => one === name).length);
    const three = await settle();
    for (const share of sharesOf(three)) assert(share >= 60 && share <= 140, `${share}`);
    stores.set("four", await stage.store("four"));
    const four = await settle();
    for (const [log, holder] of four) if (holder !== "four") assertEquals(three.get(log), holder);
    assert(Math.min(...sharesOf(four)) >= 40, `${sharesOf(four)}`);
    await stores.get("two")!.release();
    stores.delete("two");
    const left = await settle();
    for (const [log, holder] of four) if (holder !== "two") assertEquals(left.get(log), holder);
  });

  test("leases: each log is looked at by those who follow it, from as many sites as wanted", async (stage) => {
    const [one, two, three] = [
      ...[await stage.store("one"), await stage.store("two"), await stage.store("three")],
    ];
    const all = { views: 2, leaseMs: LEASE_MS };
    const keep = async (): Promise<string[][]> => {
      const reports = [
        await one!.keepLeases({ ...all, logs: [logId(1), logId(2)] }),
        await two!.keepLeases({ ...all, logs: [logId(2), logId(3), logId(2)] }),
        await three!.keepLeases({ ...all, logs: [logId(2)] }),
      ];
      return reports.map(({ held }) => held.map(({ log }) => log).sort());
    };
    for (let beat = 0; beat < 5; beat++) {
      await keep();
      await stage.pass(BEAT_MS);
    }
    const held = await keep();
    assert(held[0]!.includes(logId(1)) && held[1]!.includes(logId(3)));
    assertEquals(held.flat().filter((log) => log === logId(2)).length, 2);
    assertEquals(held.flat().length, 4);
    // Who does not follow a log any more gives it up.
    const { held: rest, others } = await one!.keepLeases({ ...all, logs: [] });
    assertEquals([rest, others], [[], []]);
    const { held: now } = await three!.keepLeases({ ...all, logs: [logId(1), logId(2)] });
    assertEquals(now.map(({ log }) => log).sort(), [logId(1), logId(2)]);
  });

  test("leases: what is given up politely is taken over at once", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const wishes = { logs: logsUpTo(20), views: 1, leaseMs: LEASE_MS };
    const first = await one.keepLeases(wishes);
    assertEquals(first.held.length, 20);
    let news: string | undefined;
    const told = new Promise<void>((resolve) => {
      const onNews = (what: string): void => {
        news = what;
        resolve();
      };
      void two.listen({ onNews, onGap() {} }).then(() => one.release());
    });
    await told;
    assertEquals(news, "leases");
    const { held } = await two.keepLeases(wishes);
    assertEquals(held.length, 20);
    const fences = new Map(first.held.map(({ log, fence }) => [log, fence]));
    for (const { log, fence } of held) assert(fence > fences.get(log)!);
  });

  test("leases: a daemon that asks slowly does not believe in one longer than the database", async (stage) => {
    let delays: number[] = [];
    const onWay = () => stage.pass(delays.shift() ?? 0);
    const { store } = await stage.site("one", { onWay });
    const wishes = { logs: [logId(1)], views: 1, leaseMs: LEASE_MS };
    for (const slow of [BEAT_MS, 2 * LEASE_MS]) {
      for (let step = 0; step < 50; step++) {
        // Half of them are renewed, half are taken anew.
        delays = [];
        await (step % 2 === 0 ? store.release() : store.keepLeases(wishes));
        delays = [...Array(step >> 1).fill(0), slow];
        const { held } = await store.keepLeases(wishes);
        expectBelief({ stage, rows: await leaseRows(stage) }, "one", held);
      }
    }
  });

  test("leases: a fence rises also over a database that is back from a backup", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const wishes = { logs: [logId(1)], views: 1, leaseMs: LEASE_MS };
    await one.keepLeases(wishes);
    await one.release();
    const restore = await stage.backup();
    const taken: Lease[] = [];
    for (const store of [two, one, two]) {
      taken.push(...(await store.keepLeases(wishes)).held);
      await store.release();
    }
    await stage.pass(5);
    await restore();
    taken.push(...(await one.keepLeases(wishes)).held);
    // Nobody else has had it meanwhile.
    await stage.pass(LEASE_MS + 1);
    taken.push(...(await one.keepLeases(wishes)).held);
    const fences = taken.map(({ fence }) => fence);
    assertEquals(fences.length, 5);
    for (const [at, fence] of fences.entries()) assert(at === 0 || fence > fences[at - 1]!);
  });

  test("leases: one that a wrong clock has made for years holds nobody up", async (stage) => {
    const one = await stage.store("one");
    const wishes = { logs: [logId(1), logId(2)], views: 1, leaseMs: LEASE_MS };
    await stage.sql(
      `insert into hearsay_leases(log, slot, holder, fence, until_ms)
        values ($1, 0, 'gone', ${2n ** 63n - 1n}, now_ms() + ${2 * MAX_LEASE_MS}),
          ($2, 0, 'gone', -5, -5)`,
      [logId(1), logId(2)],
    );
    assertEquals((await one.keepLeases(wishes)).held.length, 2);
    const impossible = [{ views: 0 }, { views: 1.5 }, { leaseMs: 0 }, {
      leaseMs: MAX_LEASE_MS + 1,
    }];
    for (const wrong of impossible) {
      await assertRejects(() => one.keepLeases({ ...wishes, ...wrong }), MalformedError);
    }
  });

  test("look: who was paused while another took the slot is refused, and nobody else", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const wishes = { logs: [logId(1)], views: 1, leaseMs: LEASE_MS };
    const checkpoint = (size: number) => {
      const root = rootOf(size);
      return { treeSize: BigInt(size), root, note: noteOf(logId(1), { size, root }) };
    };
    const said = (size: number) =>
      ({ result: "extends", checkpoint: checkpoint(size), failures: 0 }) as const;
    const [first] = (await one.keepLeases(wishes)).held;
    assertEquals(await one.look(first!, said(1)), "taken");
    await stage.pass(LEASE_MS + 1);
    // It has run out, but nobody else has looked.
    assertEquals(await one.look(first!, said(2)), "taken");
    const [second] = (await two.keepLeases(wishes)).held;
    assert(second !== undefined);
    assertEquals(await one.look(first!, said(3)), "stale");
    assertEquals(await two.look({ ...second, fence: second.fence - 1n }, said(3)), "stale");
    assertEquals(await one.look(second, said(3)), "stale");
    const before = await one.looksAfter(0n);
    assertEquals(await two.look(second, said(4)), "taken");
    assertEquals(await two.look(second, { result: "unavailable", failures: 2 }), "taken");
    const { looks: [look, ...more], next } = await one.looksAfter(before.next);
    assert(look !== undefined && "site" in look && more.length === 0);
    const { agoMs, ...rest } = look;
    assertEquals(agoMs, 0);
    assertEquals(rest, {
      ...{ log: logId(1), slot: 0, site: siteOf("two").vkey, siteName: "two" },
      ...{ result: "unavailable", failures: 2, checkpoint: checkpoint(4) },
    });
    assertEquals(await one.looksAfter(next), { looks: [], next });
    // A backup: what is looked at after it is found by who had read further.
    const restore = await stage.backup();
    for (let size = 5; size < 9; size++) await two.look(second, said(size));
    const ahead = await one.looksAfter(next);
    await restore();
    await stage.pass(10);
    assertEquals(await two.look(second, said(9)), "taken");
    assertEquals((await one.looksAfter(ahead.next)).looks.length, 1);
  });

  test("lookAll: of many looks each is taken or refused by its own lease", async (stage) => {
    const [one, two] = [await stage.store("one"), await stage.store("two")];
    const logs = logsUpTo(250);
    const wishes = { logs, views: 1, leaseMs: LEASE_MS };
    const said = (log: string, size: number) => {
      const root = rootOf(size);
      const checkpoint = { treeSize: BigInt(size), root, note: noteOf(log, { size, root }) };
      return { result: "extends", checkpoint, failures: 0 } as const;
    };
    const { held } = await one.keepLeases(wishes);
    assertEquals(held.length, logs.length);
    assertEquals(await one.lookAll(held.map((lease) => ({ lease, said: said(lease.log, 1) }))), []);
    const { looks, next } = await two.looksAfter(0n);
    assertEquals(looks.length, logs.length);
    await stage.pass(LEASE_MS + 1);
    const [taken] = (await two.keepLeases({ ...wishes, logs: [logId(7)] })).held;
    const again = held.map((lease, i) => ({
      lease,
      said: i % 2 === 0 ? said(lease.log, 2) : { result: "unavailable" as const, failures: 1 },
    }));
    const stale = await one.lookAll([...again, { lease: taken!, said: said(taken!.log, 3) }]);
    assertEquals(new Set(stale.map(({ log }) => log)), new Set([logId(7)]));
    assertEquals(stale.length, 2, "its old lease, and one of another site");
    const later = await two.looksAfter(next);
    assertEquals(later.looks.length, logs.length - 1);
    // Those that brought nothing have kept what was there.
    assert(later.looks.every((look) => "site" in look && look.checkpoint !== undefined));
    assertEquals(await one.lookAll([]), []);
  });

  test("looksAfter: a damaged look is told as such, and stops nothing", async (stage) => {
    const one = await stage.store("one");
    const logs = logsUpTo(3);
    const { held } = await one.keepLeases({ logs, views: 1, leaseMs: LEASE_MS });
    for (const lease of held) await one.look(lease, { result: "unchanged", failures: 0 });
    await stage.sql("update hearsay_looks set result = 'whatever' where log = $1", [logId(0)]);
    await stage.sql("update hearsay_looks set size = -1, note = 'x' where log = $1", [logId(1)]);
    const { looks } = await one.looksAfter(0n);
    assertEquals(looks.filter((look) => "damaged" in look).length, 2);
    assertEquals(looks.length, 3);
  });
}

/** The leases of all, as the database has them. */
function leaseRows(stage: Stage): Promise<readonly SqlRow[]> {
  return stage.sql(
    "select log, slot, holder, fence, until_ms - now_ms() as left_ms from hearsay_leases",
  );
}

/** What a site believes it holds, it holds by the database for as long. */
function expectBelief(
  { stage, rows }: { stage: Stage; rows: readonly SqlRow[] },
  name: string,
  held: readonly Lease[],
): void {
  for (const { log, slot, fence, validUntil } of held) {
    if (validUntil <= stage.now) continue;
    const row = rows.find((row) => row.log === log && row.slot === BigInt(slot));
    assertEquals([row?.holder, row?.fence], [siteOf(name).vkey, fence]);
    assert(Number(row!.left_ms) >= validUntil - stage.now, `${row!.left_ms}`);
  }
}

/** A site of the fleet, and what it believes. */
interface Member {
  readonly name: string;
  store: SharedStore;
  report: LeaseReport;
  /** When it takes care of its leases next. */
  nextBeat: number;
  /** Until when it is paused; it is dead if that is never. */
  pausedUntil: number;
  readonly logs: readonly string[];
}

/** Sites that share some logs for a while. */
class Fleet {
  static readonly #LOGS = 6;
  static readonly #STEP_MS = 1_000;
  readonly #stage: Stage;
  readonly #draw: Draw;
  readonly #views: number;
  readonly #members: Member[] = [];
  readonly #fences = new Map<string, { fence: bigint; holder: unknown }>();
  /** Since when fewer sites that are up hold a log than could. */
  readonly #lackingSince = new Map<string, number>();
  /** When a site went down last. */
  #wentDownAt = 0;

  constructor(stage: Stage, draw: Draw) {
    this.#stage = stage;
    this.#draw = draw;
    this.#views = draw.between(1, 2);
  }

  async run(): Promise<void> {
    for (let step = 0; step < 300; step++) {
      await this.#stage.pass(Fleet.#STEP_MS);
      if (this.#members.length < 4 && this.#draw.chance(0.05)) await this.#join();
      // All at once, so that their statements come in any order.
      const acts = await Promise.all(this.#members.map((member) => this.#live(member)));
      if (acts.includes(true)) await this.#check();
      for (const log of logsUpTo(Fleet.#LOGS)) this.#expectHeld(log);
    }
  }

  async #join(): Promise<void> {
    const name = `site-${this.#members.length}`;
    const way = this.#draw.branch();
    const onWay = async (): Promise<void> => {
      for (let turns = way.below(4); turns > 0; turns--) await Promise.resolve();
    };
    const { store } = await this.#stage.site(name, { onWay });
    const all = logsUpTo(Fleet.#LOGS);
    this.#members.push({
      ...{ name, store, report: { held: [], others: [] } },
      ...{ nextBeat: this.#stage.now, pausedUntil: 0 },
      logs: all.filter(() => this.#draw.chance(0.8)),
    });
  }

  /** @returns whether it has asked the store for something */
  async #live(member: Member): Promise<boolean> {
    const { now } = this.#stage;
    if (now < member.pausedUntil) return false;
    if (this.#draw.chance(0.004)) {
      this.#wentDownAt = now;
      member.pausedUntil = now + this.#draw.between(1, 4 * LEASE_MS);
      // A daemon that is started again has forgotten what it held.
      if (this.#draw.chance(0.5)) member.report = { held: [], others: [] };
      return false;
    }
    if (this.#draw.chance(0.005)) {
      member.pausedUntil = now + this.#draw.between(1, 2 * LEASE_MS);
      member.report = { held: [], others: [] };
      await member.store.release();
      // The word that it tells wakes them: who looked meanwhile counted on this site still.
      const next = now + Fleet.#STEP_MS;
      for (const other of this.#members) other.nextBeat = Math.min(other.nextBeat, next);
      return true;
    }
    if (now < member.nextBeat) return false;
    member.nextBeat = now + BEAT_MS;
    const { logs } = member;
    member.report = await member.store.keepLeases({ logs, views: this.#views, leaseMs: LEASE_MS });
    return true;
  }

  async #check(): Promise<void> {
    const rows = await leaseRows(this.#stage);
    for (const row of rows) this.#expectFence(row);
    for (const { name, report } of this.#members) {
      const held = report.held.map(({ log }) => log);
      assertEquals(held.length, new Set(held).size, `${name} has two slots of a log`);
      expectBelief({ stage: this.#stage, rows }, name, report.held);
    }
  }

  #expectFence({ log, slot, holder, fence }: SqlRow): void {
    const key = `${slot} ${log}`;
    const known = this.#fences.get(key);
    if (known !== undefined && holder !== null && holder !== known.holder) {
      assert(fence as bigint > known.fence, `the fence of ${key} did not rise`);
    }
    assert(known === undefined || fence as bigint >= known.fence);
    this.#fences.set(key, { fence: fence as bigint, holder });
  }

  /** As many sites hold a log as can, but for one lease and one beat after a site went down. */
  #expectHeld(log: string): void {
    const { now } = this.#stage;
    const up = this.#members.filter(({ logs, pausedUntil }) =>
      logs.includes(log) && now >= pausedUntil
    );
    const holders = up.filter(({ report }) =>
      report.held.some((lease) => lease.log === log && lease.validUntil > now)
    );
    assert(holders.length <= this.#views, `${log} has ${holders.length} holders`);
    const isLacking = holders.length < Math.min(this.#views, up.length);
    const since = this.#lackingSince.get(log) ?? now;
    if (isLacking) this.#lackingSince.set(log, since);
    else this.#lackingSince.delete(log);
    const gap = now - Math.max(since, this.#wentDownAt);
    assert(gap <= LEASE_MS + BEAT_MS + Fleet.#STEP_MS, `${log} lacks since ${since}, now ${now}`);
  }
}
