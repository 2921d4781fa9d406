/**
 * The store that some monitors of a fleet share: a database with everything that can go wrong with it,
 * and what must hold in it whatever the sites do.
 *
 * @module
 */
import { migrate } from "../../src/store/shared_schema.ts";
import type { SharedDatabase, SharedDatabases } from "../../src/world/shared_database.ts";
import type { SqlValue } from "../../src/world/world.ts";
import { type SharedSite, SharedSqlite } from "../store/shared_sqlite.ts";
import type { Change } from "../store/shared_sqlite_engine.ts";
import { type Draw, drawFrom } from "./draw.ts";
import type { StoreHappening, StorePlan } from "./plan.ts";
import { MachineTime, type SimTime } from "./time.ts";

/** Where every store is. */
export const STORE_URL = "postgres://monitor@127.0.0.1/shared";

/** What the store does that it must not do. */
export interface StoreWatcher {
  expect(holds: boolean, detail: () => string): void;
}

/** A lease, as the database has it. */
interface LeaseRow {
  readonly log: string;
  readonly slot: bigint;
  readonly holder: string | null;
  readonly fence: bigint;
  readonly untilMs: bigint;
}

/** One shared database. */
export class SimStore {
  readonly plan: StorePlan;
  readonly #time: SimTime;
  readonly #draw: Draw;
  readonly #server: SharedSqlite;
  readonly #sites = new Map<number, SharedSite>();
  readonly #watcher: StoreWatcher;
  /** By log and slot: the greatest fence that was ever given, and who had it. */
  readonly #fences = new Map<string, { fence: bigint; holder: string }>();
  /** Whether it is nobody of the sites who writes now. */
  #isDamaging = false;
  /** How many commits made its tables: no backup is older. */
  #made = 0;
  #travelMs: number;
  /** Since when all is well for a site, by the true time; nothing while something is not. */
  readonly #wellSince = new Map<number, number>();
  readonly #away = new Set<number>();
  /** When its clock was last set, or it last lost something: then leases are not what they were. */
  #changedAt = 0;

  constructor({ plan, time, watcher }: {
    plan: StorePlan;
    time: SimTime;
    watcher: StoreWatcher;
  }) {
    this.plan = plan;
    this.#time = time;
    this.#watcher = watcher;
    this.#draw = drawFrom(plan.seed);
    this.#travelMs = plan.travelMs;
    this.#server = new SharedSqlite({
      clock: new MachineTime({ time, rate: 1 }).clock(() => true),
    });
    for (const number of plan.sites) {
      const site = this.#server.site();
      site.travelMs = () => this.#draw.share() * this.#travelMs;
      this.#sites.set(number, site);
      this.#wellSince.set(number, 0);
    }
  }

  /** Makes its tables. */
  async start(): Promise<void> {
    const db = await this.#server.site().connect({ url: STORE_URL });
    await migrate(db);
    await db.close();
    this.#made = this.#server.commits;
    this.#server.onCommit = (changes) => this.#committed(changes);
  }

  /**
   * The way of a process to it.
   * @param alive holds an answer back while the process is paused, and for ever if it is over
   */
  at(number: number, alive: <T>(answer: Promise<T>) => Promise<T>): SharedDatabases {
    const site = this.#sites.get(number)!;
    return {
      connect: async (place) => paused(await alive(site.connect(place)), alive),
    };
  }

  /** A process of a site is over: the system closes its connections. */
  ended(number: number): void {
    this.#sites.get(number)?.close();
  }

  /** Something happens to it. */
  happen(what: StoreHappening): void {
    const server = this.#server;
    switch (what.is) {
      case "away":
      case "back":
        for (const number of what.site === undefined ? this.plan.sites : [what.site]) {
          const site = this.#sites.get(number)!;
          site.refuses = what.is === "away";
          if (!site.refuses) this.#away.delete(number);
          else {
            this.#away.add(number);
            site.breakConnections();
          }
          this.#wellSince.set(number, this.#time.now);
        }
        return;
      case "slow":
        this.#travelMs = what.travelMs;
        return;
      case "quick":
        this.#travelMs = this.plan.travelMs;
        return;
      case "losing answers":
        this.#sites.get(what.site)!.losesAnswers++;
        return;
      case "cut":
        return server.breakConnections();
      case "behind":
        this.#changedAt = this.#time.now;
        return server.loseLast(Math.min(what.commits, server.commits - this.#made));
      case "restored":
        this.#changedAt = this.#time.now;
        return server.loseLast(Math.floor(what.share * (server.commits - this.#made)));
      case "at another time":
        this.#changedAt = this.#time.now;
        server.aheadMs += what.ms;
        return;
      case "damaged":
        this.#changedAt = this.#time.now;
        return this.#damage();
    }
  }

  /** Ends all trouble. Its clock stays as wrong as it is. */
  heal(): void {
    this.#travelMs = this.plan.travelMs;
    for (const [number, site] of this.#sites) {
      if (site.refuses) this.#wellSince.set(number, this.#time.now);
      site.refuses = false;
      site.losesAnswers = 0;
    }
    this.#away.clear();
  }

  /** Since when a site cannot reach it, by the true time. */
  awaySince(number: number): number | undefined {
    return this.#away.has(number) ? this.#wellSince.get(number) : undefined;
  }

  /** For how long leases have been what the database gave, in milliseconds. */
  get soundMs(): number {
    return this.#time.now - this.#changedAt;
  }

  /** How many logs a site has a lease of, or had until so many milliseconds ago. */
  held(vkey: string, slackMs: number): number {
    return this.#leases().filter(({ holder, untilMs }) =>
      holder === vkey && Number(untilMs) > this.#server.nowMs - slackMs
    ).length;
  }

  /** `log size root` of all heads that it has. */
  heads(): ReadonlySet<string> {
    return new Set(
      this.#rows("select log, size, root from hearsay_heads")
        .map(({ log, size, root }) => `${log} ${size} ${root}`),
    );
  }

  /** Ends it. */
  close(): void {
    this.#server.close();
  }

  #rows(sql: string, values: readonly SqlValue[] = []) {
    return this.#server.run(sql, values).rows;
  }

  #leases(): readonly LeaseRow[] {
    return this.#rows("select log, slot, holder, fence, until_ms as untilMs from hearsay_leases")
      .map((row) => row as unknown as LeaseRow);
  }

  #committed(changes: readonly Change[]): void {
    if (this.#isDamaging) return;
    for (const { sql, values } of changes) {
      if (sql.includes("insert into hearsay_looks")) this.#looked(values);
      if (/update hearsay_leases set holder = \$1/.test(sql)) this.#taken(values[0] as string);
    }
  }

  /** Somebody has written a look: nobody may who has not the lease. */
  #looked(values: readonly SqlValue[]): void {
    const [version, , , , , , log, slot, vkey, fence] = values;
    const isWritten = this.#rows(
      "select 1 from hearsay_looks where log = $1 and slot = $2 and version = $3",
      [log!, slot!, version!],
    ).length > 0;
    const [lease] = this.#rows(
      "select holder, fence from hearsay_leases where log = $1 and slot = $2",
      [
        ...[log!, slot!],
      ],
    );
    this.#watcher.expect(
      !isWritten || (lease?.holder === vkey && lease?.fence === fence),
      () =>
        `${name(vkey)} wrote a look at slot ${slot} of ${log} under fence ${fence}, ` +
        `and ${name(lease?.holder)} has it under ${lease?.fence}`,
    );
  }

  /** A site has taken leases: their fences must be greater than all that ever were. */
  #taken(vkey: string): void {
    for (const { log, slot, holder, fence } of this.#leases()) {
      if (holder !== vkey) continue;
      const key = `${slot} ${log}`;
      const before = this.#fences.get(key);
      if (before?.fence === fence && before.holder === holder) continue;
      this.#watcher.expect(
        before === undefined || fence > before.fence,
        () =>
          `${name(holder)} has slot ${slot} of ${log} under fence ${fence}, and ` +
          `${name(before?.holder)} had it under ${before?.fence}`,
      );
      this.#fences.set(key, { fence, holder });
    }
  }

  /** Somebody writes into a row what is not so, as the types of its columns allow. */
  #damage(): void {
    const draw = this.#draw;
    const text = draw.pick(["", "garbage", "x".repeat(3_000), "a\nb", " ", "—"]);
    const number = draw.pick([-1n, 0n, 1n, 2n ** 40n, 2n ** 63n - 1n]);
    const [table, column, value] = draw.pick(
      [
        ...[["heads", "note", text], ["heads", "first_site", text]],
        ...[["looks", "note", text], ["looks", "result", text], ["looks", "site", text]],
        ...[["looks", "failures", number], ["looks", "looked_ms", number], [
          "looks",
          "size",
          number,
        ]],
        ...[["leases", "holder", text || null], ["leases", "until_ms", number]],
        ...[["sites", "name", text], ["sites", "alive_until_ms", number]],
        ...[["sites", "seen_ms", number], ["sites", "taken_id", number]],
        ...[["site_logs", "log", text], ["sightings", "result", text]],
      ] as const,
    );
    const rows = this.#rows(`select rowid as id from hearsay_${table} order by rowid`);
    if (rows.length === 0) return;
    this.#isDamaging = true;
    try {
      this.#server.look(`update hearsay_${table} set ${column} = $1 where rowid = $2`, [
        value,
        draw.pick(rows).id!,
      ]);
    } catch {
      // Somebody is in a transaction, or the table does not allow it.
    } finally {
      this.#isDamaging = false;
    }
  }
}

function name(vkey: unknown): string {
  return String(vkey).split("+")[0]!;
}

/** A database whose answers are held back. */
function paused(
  db: SharedDatabase,
  alive: <T>(answer: Promise<T>) => Promise<T>,
): SharedDatabase {
  return {
    query: (sql, values) => alive(db.query(sql, values)),
    transaction: (work) =>
      alive(db.transaction((tx) =>
        work({
          query: (sql, values) => alive(tx.query(sql, values)),
          tell: (channel, word) => alive(tx.tell(channel, word)),
        })
      )),
    listen: (channel, { onWord, onGap }) => {
      const later = (run: () => void): void => void alive(Promise.resolve()).then(run);
      const heard = {
        onWord: (word: string) => later(() => onWord(word)),
        onGap: () => later(onGap),
      };
      return alive(db.listen(channel, heard));
    },
    close: () => db.close(),
  };
}
