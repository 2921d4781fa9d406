/**
 * What is in the shared store, for people.
 *
 * @module
 */
import type { SharedDatabase, SharedStatements } from "../world/shared_database.ts";
import { WorldError } from "../world/world.ts";
import { countIn, numberIn, orDamaged, textIn } from "./shared_rows.ts";
import type { DamagedRow } from "./shared_types.ts";

/** The tables that grow, without the `hearsay_` of their names. */
export const TABLES = [
  "sites",
  "leases",
  "looks",
  "heads",
  "sightings",
  "cases",
  "claims",
] as const;

/** One of TABLES. */
export type TableName = typeof TABLES[number];

/**
 * How many rows each table has; nothing of a table that is too large to be counted in time.
 * @throws WorldError
 */
export async function tableRows(
  db: SharedDatabase,
): Promise<Record<TableName, number | undefined>> {
  const counts: [TableName, number | undefined][] = [];
  for (const name of TABLES) counts.push([name, await rowsOf(db, name)]);
  return Object.fromEntries(counts) as Record<TableName, number | undefined>;
}

async function rowsOf(db: SharedDatabase, name: TableName): Promise<number | undefined> {
  try {
    const [row] = await db.query(`select count(*) as rows from hearsay_${name}`);
    return numberIn(row!, "rows");
  } catch (error) {
    if (error instanceof WorldError && error.kind === "timed out") return undefined;
    throw error;
  }
}

/** A lease that has not run out. */
export interface LeaseNow {
  readonly log: string;
  readonly slot: number;
  /** The vkey of its site. */
  readonly holder: string;
  /** In milliseconds, by the database's clock. */
  readonly leftMs: number;
}

/** The leases that some site has now. @throws WorldError */
export async function leasesNow(db: SharedDatabase): Promise<readonly (LeaseNow | DamagedRow)[]> {
  const rows = await db.query(
    `select log, slot, holder, until_ms - now_ms() as left_ms from hearsay_leases
      where holder is not null and until_ms > now_ms() order by log, slot`,
  );
  return rows.map((row) =>
    orDamaged(row, () => ({
      ...{ log: textIn(row, "log"), slot: numberIn(row, "slot"), holder: textIn(row, "holder") },
      leftMs: Number(countIn(row, "left_ms")),
    }))
  );
}

/** Most cases that are read. */
const MAX_CASES = 1_000;

/** A case, and how many sites have recorded it. */
export interface CaseNow {
  readonly evidenceId: string;
  readonly log: string;
  /** When a site recorded it first, RFC 3339. */
  readonly recordedAt: string;
  readonly sites: number;
  /** How many sites that are alive and follow its log have not recorded it. */
  readonly lacking: number;
}

/** The newest cases that any site has recorded. @throws WorldError */
export async function casesNow(db: SharedStatements): Promise<readonly (CaseNow | DamagedRow)[]> {
  const rows = await db.query(
    `select c.evidence_id, c.log, min(c.recorded_at) as recorded_at, count(*) as sites,
        (select count(*) from hearsay_site_logs l join hearsay_sites s on s.vkey = l.site
          where l.log = c.log and s.alive_until_ms > now_ms() and not exists (
            select 1 from hearsay_cases o
              where o.site = l.site and o.evidence_id = c.evidence_id)) as lacking
      from hearsay_cases c group by c.evidence_id, c.log
      order by min(c.recorded_at) desc, c.evidence_id limit ${MAX_CASES}`,
  );
  return rows.map((row) =>
    orDamaged(row, () => ({
      ...{ evidenceId: textIn(row, "evidence_id"), log: textIn(row, "log") },
      ...{ recordedAt: textIn(row, "recorded_at"), sites: numberIn(row, "sites") },
      lacking: numberIn(row, "lacking"),
    }))
  );
}

/**
 * How far the database's clock is ahead of ours, in milliseconds, as exactly as one answer tells.
 * @param now our clock, in milliseconds since 1970
 * @throws WorldError
 */
export async function clockAheadMs(db: SharedDatabase, now: () => number): Promise<number> {
  const before = now();
  const [row] = await db.query("select now_ms() as now");
  const middle = (before + now()) / 2;
  return Math.round(numberIn(row!, "now") - middle);
}
