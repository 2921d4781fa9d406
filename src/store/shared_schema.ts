/**
 * The tables of the shared store, in numbered migrations. All their names begin with `hearsay_`, so
 * that they may stand beside others. OPERATING, "What is in the database", says what each is for.
 *
 * @module
 */
import type { SharedDatabase, SharedStatements } from "../world/shared_database.ts";
import { type SqlRow, WorldError } from "../world/world.ts";
import { StoreRefused } from "./shared_types.ts";

/** One step from a schema to the next. A step that was released is never changed. */
export interface Migration {
  /** The schema after it: 1 more than that before it. */
  readonly version: number;
  /** The oldest schema that a program may know and still work with this one. */
  readonly minReader: number;
  /** In the SQL that PostgreSQL and SQLite have in common. */
  readonly statements: readonly string[];
}

/** A schema that a database has. */
export interface SchemaFound {
  readonly version: number;
  readonly minReader: number;
}

// `id` of a head is given under the lock of the counter `heads`, so ids rise in the order in which
// heads become visible. A lease without holder is free. That a log has one row at most for a holder
// keeps a site from looking for two. Keys have at most `MAX_KEY_BYTES` for each text, since PostgreSQL
// has no longer ones.
const FIRST: Migration = {
  version: 1,
  minReader: 1,
  statements: [
    `create table hearsay_counter(name text primary key, last bigint not null)`,
    `insert into hearsay_counter(name, last) values ('heads', 0), ('looks', 0)`,
    `create table hearsay_sites(
      vkey text primary key, name text not null, software text not null,
      seen_ms bigint not null, alive_until_ms bigint not null,
      published_seq bigint not null, published_hash text not null,
      taken_id bigint not null default 0, taken_ms bigint not null default 0,
      run text not null default '')`,
    `create table hearsay_site_logs(
      site text not null, log text not null, primary key (site, log))`,
    `create table hearsay_heads(
      log text not null, size bigint not null, root text not null, id bigint not null unique,
      first_site text not null, first_seq bigint not null, added_ms bigint not null,
      note text not null, primary key (log, size, root))`,
    `create table hearsay_sightings(
      site text not null, log text not null, size bigint not null, root text not null,
      seq bigint not null, entry_hash text not null, source text not null, result text not null,
      recorded_at text not null, primary key (log, size, root, site))`,
    `create index hearsay_sightings_in_order on hearsay_sightings(site, seq)`,
    `create table hearsay_leases(
      log text not null, slot bigint not null, holder text, fence bigint not null,
      until_ms bigint not null, primary key (log, slot), unique (log, holder))`,
    `create table hearsay_looks(
      log text not null, slot bigint not null, site text not null, fence bigint not null,
      version bigint not null unique, size bigint, root text, note text, result text not null,
      failures bigint not null, looked_ms bigint not null, primary key (log, slot))`,
    `create table hearsay_claims(
      key text primary key, site text not null, until_ms bigint not null, done_ms bigint)`,
    `create table hearsay_cases(
      site text not null, evidence_id text not null, log text not null, seq bigint not null,
      recorded_at text not null, primary key (site, evidence_id))`,
    `create table hearsay_records(
      evidence_id text not null, site text not null, log text not null, record text not null,
      primary key (evidence_id, site))`,
    `create table hearsay_peers(
      peer text primary key, site text not null, heard_ms bigint not null)`,
  ],
};

/** All steps, in order. */
export const MIGRATIONS: readonly Migration[] = [FIRST];

/** The schema that this program makes. */
export const CURRENT_SCHEMA = MIGRATIONS.length;

/** The oldest schema that it works with. */
export const OLDEST_SCHEMA = 1;

/** Of a text that is part of a key, in UTF-8. */
export const MAX_KEY_BYTES = 600;

/** More rows than this the table of schemas never has. */
const MAX_SCHEMA_ROWS = 1_000;

/**
 * The schema of a database; nothing if it has none.
 * @throws StoreRefused if a table of somebody else has the name of ours
 * @throws WorldError
 */
export async function schemaOf(db: SharedStatements): Promise<SchemaFound | undefined> {
  let rows: readonly SqlRow[];
  try {
    rows = await db.query(`select * from hearsay_schema limit ${MAX_SCHEMA_ROWS}`);
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return undefined;
    throw error;
  }
  const known = rows.map(({ version, min_reader }) => ({ version, minReader: min_reader }));
  known.sort((a, b) => Number(a.version) - Number(b.version));
  const last = known.at(-1);
  if (typeof last?.version !== "bigint" || typeof last.minReader !== "bigint") {
    throw new StoreRefused(
      "The database has a table hearsay_schema that is not Hearsay's; give Hearsay a database of " +
        "its own",
    );
  }
  return { version: Number(last.version), minReader: Number(last.minReader) };
}

/**
 * Checks that this program can work with a database.
 * @throws StoreRefused saying what to do if its schema is missing, too old or too new
 * @throws WorldError
 */
export async function expectSchema(db: SharedStatements): Promise<void> {
  const found = await schemaOf(db);
  if (found === undefined) {
    throw new StoreRefused(
      "The database has no tables of Hearsay yet; `hearsay store migrate` makes them",
    );
  }
  if (found.version < OLDEST_SCHEMA) {
    throw new StoreRefused(
      `The store has schema ${found.version}, and this program works with ${OLDEST_SCHEMA} and ` +
        `later; \`hearsay store migrate\` brings it up to date`,
    );
  }
  refuseNewer(found, CURRENT_SCHEMA);
}

function refuseNewer({ version, minReader }: SchemaFound, current: number): void {
  if (minReader <= current) return;
  throw new StoreRefused(
    `The store has schema ${version}, made by a newer Hearsay, for programs that know schema ` +
      `${minReader} or later, and this one knows ${current}; upgrade this program`,
  );
}

/**
 * Brings the tables of a database up to date, or makes them. If two do it at once, it is done once.
 * @returns the schema before and after; nothing before if there were no tables
 * @throws StoreRefused if the schema is too new, or tables of somebody else have the names of ours;
 *   then nothing was changed
 * @throws WorldError
 */
export async function migrate(
  db: SharedDatabase,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<{ readonly from: number | undefined; readonly to: number }> {
  const found = await schemaOf(db);
  if (found !== undefined) refuseNewer(found, migrations.length);
  try {
    const to = await db.transaction((tx) => migrateIn(tx, migrations, found));
    return { from: found?.version, to };
  } catch (error) {
    // Two at once: both saw no table, and the second one could not create it.
    const now = found === undefined ? await schemaOf(db).catch(() => undefined) : undefined;
    if (now !== undefined && now.version >= migrations.length) {
      return { from: now.version, to: now.version };
    }
    if (!(error instanceof WorldError) || error.kind !== "already exists") throw error;
    throw new StoreRefused(
      `The database has tables with names of Hearsay's that are not Hearsay's (${error.message}); ` +
        "give Hearsay a database of its own",
    );
  }
}

async function migrateIn(
  tx: SharedStatements,
  migrations: readonly Migration[],
  found: SchemaFound | undefined,
): Promise<number> {
  if (found === undefined) {
    await tx.query(`create table hearsay_schema(
      version bigint primary key, min_reader bigint not null, applied_ms bigint not null)`);
  } else {
    // Whoever comes second waits here, and then finds what the first one did.
    await tx.query("update hearsay_schema set applied_ms = applied_ms where version = 1");
  }
  const before = found === undefined ? 0 : (await schemaOf(tx))!.version;
  for (const { version, minReader, statements } of migrations.slice(before)) {
    for (const statement of statements) await tx.query(statement);
    await tx.query(
      `insert into hearsay_schema(version, min_reader, applied_ms)
        values (cast($1 as bigint), cast($2 as bigint), now_ms())`,
      [BigInt(version), BigInt(minReader)],
    );
  }
  return Math.max(before, migrations.length);
}
