/** Sites of one operator around a shared database, whichever it is, for the contract of the store. */
import { assertEquals } from "@std/assert";
import type { Link } from "../../src/evidence/entry.ts";
import { FIRST_LINK } from "../../src/evidence/entry.ts";
import { migrate } from "../../src/store/shared_schema.ts";
import { SharedStore } from "../../src/store/shared_store.ts";
import type {
  DamagedRow,
  PublishedEntry,
  SharedHead,
  SharedSite,
} from "../../src/store/shared_types.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { sha256, sha256Hex } from "../../src/tlog/hashing.ts";
import type { SharedDatabase, SharedEars } from "../../src/world/shared_database.ts";
import { type SqlRow, type SqlValue, WorldError } from "../../src/world/world.ts";

/** An empty database on an engine, with a clock that the test owns. */
export interface Place {
  /** Milliseconds that have passed: the clock of the database and of every machine. */
  readonly now: number;
  pass(ms: number): Promise<void>;
  /** A machine's way to it. */
  connect(): Promise<SharedDatabase>;
  close(): Promise<void>;
}

/** Makes a `Place`; each test has its own. */
export type Open = () => Promise<Place>;

/** Seeds of the tests that have some. */
export const SEEDS = Array.from({ length: 12 }, (_, seed) => seed + 1);

const TABLES = [
  ...["counter", "sites", "site_logs", "heads", "sightings", "leases", "looks", "claims", "cases"],
  "peers",
].map((name) => `hearsay_${name}`);

/** A database with the tables of Hearsay, and its sites. */
export class Stage {
  readonly place: Place;
  readonly #admin: SharedDatabase;
  readonly #open: SharedDatabase[] = [];

  private constructor(place: Place, admin: SharedDatabase) {
    this.place = place;
    this.#admin = admin;
  }

  /** Runs a test with a stage of its own. */
  static async on(open: Open, test: (stage: Stage) => Promise<void>): Promise<void> {
    const place = await open();
    const admin = await place.connect();
    const stage = new Stage(place, admin);
    try {
      await migrate(admin);
      await test(stage);
    } finally {
      for (const db of [...stage.#open, admin]) await db.close();
      await place.close();
    }
  }

  get now(): number {
    return this.place.now;
  }

  pass(ms: number): Promise<void> {
    return this.place.pass(ms);
  }

  /** A site, by its name, with what lies between it and the database. */
  async site(name: string, options: WireOptions = {}): Promise<{ store: SharedStore; wire: Wire }> {
    const wire = new Wire(await this.place.connect(), options);
    this.#open.push(wire);
    const clock = { monotonic: () => this.place.now };
    return { store: await SharedStore.open({ db: wire, clock, site: siteOf(name) }), wire };
  }

  async store(name: string): Promise<SharedStore> {
    return (await this.site(name)).store;
  }

  /** Looks at the database, or damages it. */
  sql(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#admin.query(sql, values);
  }

  /** Keeps a backup. @returns what goes back to it */
  async backup(): Promise<() => Promise<void>> {
    const tables: { table: string; rows: readonly SqlRow[] }[] = [];
    for (const table of TABLES) {
      tables.push({ table, rows: await this.sql(`select * from ${table}`) });
    }
    return () =>
      this.#admin.transaction(async (tx) => {
        for (const { table, rows } of tables) {
          await tx.query(`delete from ${table}`);
          for (const row of rows) {
            const names = Object.keys(row);
            await tx.query(
              `insert into ${table}(${names.join(", ")})
                values (${names.map((_, at) => `$${at + 1}`).join(", ")})`,
              Object.values(row),
            );
          }
        }
      });
  }
}

/** What may happen between a site and the database. */
export interface WireOptions {
  /** Awaited before each statement and after each answer. */
  readonly onWay?: () => Promise<void>;
}

/** A site's way to the database, on which answers are lost. */
export class Wire implements SharedDatabase {
  /** So many coming answers to what changes something are lost; it happens all the same. */
  losesAnswers = 0;
  onWay: () => Promise<void>;
  /** Sees each statement outside of transactions. */
  onStatement: (sql: string, values: readonly SqlValue[]) => void = () => {};
  readonly #db: SharedDatabase;

  constructor(db: SharedDatabase, { onWay = () => Promise.resolve() }: WireOptions) {
    this.#db = db;
    this.onWay = onWay;
  }

  async query(sql: string, values?: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.onWay();
    this.onStatement(sql, values ?? []);
    const rows = await this.#db.query(sql, values);
    await this.onWay();
    if (!/^\s*select/.test(sql)) this.#lose();
    return rows;
  }

  async transaction<T>(work: Parameters<SharedDatabase["transaction"]>[0]): Promise<T> {
    const result = await this.#db.transaction((tx) =>
      work({
        query: async (sql, values) => {
          await this.onWay();
          return await tx.query(sql, values);
        },
        tell: (channel, word) => tx.tell(channel, word),
      })
    );
    await this.onWay();
    this.#lose();
    return result as T;
  }

  listen(channel: string, heard: SharedEars): Promise<void> {
    return this.#db.listen(channel, heard);
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  #lose(): void {
    if (this.losesAnswers === 0) return;
    this.losesAnswers--;
    throw new WorldError("closed", "the answer was lost");
  }
}

/** A site of this name. */
export function siteOf(name: string): SharedSite {
  return { vkey: `${name}+00000000+AAAA`, name, software: "hearsay test" };
}

/** The id of a log. */
export function logId(number: number): string {
  return `KEY${number} log.invalid/${number}`;
}

/** A root that a log may have at a size, in one of its stories. */
export function rootOf(size: number, story = ""): string {
  return base64(sha256(utf8(`${story} ${size}`)));
}

/** A note of a log, under a signature that nobody has made. */
export function noteOf(log: string, { size, root }: { size: number; root: string }): string {
  const origin = log.slice(log.indexOf(" ") + 1);
  return `${origin}\n${size}\n${root}\n\n— ${origin} ${base64(utf8("a signature"))}\n`;
}

/** What a site sees: a log at a size, in a story. */
export interface Sight {
  readonly log: string;
  readonly size: number;
  readonly story?: string;
}

/** The journal of a site, as far as the store sees it. */
export class SiteJournal {
  readonly entries: PublishedEntry[] = [];
  readonly #name: string;
  #last: Link = FIRST_LINK;

  constructor(name: string) {
    this.#name = name;
  }

  get last(): Link {
    return this.#last;
  }

  /** Writes an entry. @returns it */
  see({ log, size, story }: Sight): PublishedEntry {
    const root = rootOf(size, story);
    // Each site's note says whose it is, in its signature.
    const note = `${noteOf(log, { size, root })}— ${this.#name} ${base64(utf8("cosignature"))}\n`;
    const entry: PublishedEntry = {
      ...this.#next(),
      ...{ recordedAt: "2026-01-01T00:00:00.000Z", log, source: "https://log.invalid" },
      ...{ result: "extends", checkpoint: { size: `${size}`, root, note } },
    };
    this.entries.push(entry);
    return entry;
  }

  /** Writes an entry that has nothing for others. */
  skip(): void {
    this.#next();
  }

  /** Publishes what the store lacks, from where it says it is. */
  async publishTo(store: SharedStore): Promise<void> {
    let at = await store.published();
    while (at.seq < this.#last.seq) {
      const entries = this.entries.filter(({ seq }) => seq > at.seq);
      at = await store.publish({ after: at, entries, last: this.#last });
    }
    assertEquals(at, this.#last);
  }

  #next(): Link {
    const seq = this.#last.seq + 1;
    this.#last = { seq, hash: sha256Hex(utf8(`${this.#name} ${seq}`)) };
    return this.#last;
  }
}

/** A head in one line, or what is wrong with it. */
export function headLine(head: SharedHead | DamagedRow): string {
  if ("damaged" in head) return `damaged: ${head.damaged}`;
  return `${head.log} ${head.treeSize} ${head.root}`;
}

/** Reads all heads that a store has, so many at once. */
export async function allHeads(store: SharedStore, limit = 100): Promise<string[]> {
  const lines: string[] = [];
  let cursor;
  while (true) {
    const { heads, next } = await store.headsAfter(cursor, limit);
    if (heads.length === 0) return lines;
    lines.push(...heads.map(headLine));
    cursor = next;
  }
}
