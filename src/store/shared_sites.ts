/**
 * The sites of the shared store: who they are, when each was heard of, and how much of its journals
 * the store has.
 *
 * @module
 */
import { FIRST_LINK, type Link } from "../evidence/entry.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { SharedDatabase, SharedStatements } from "../world/shared_database.ts";
import type { SqlRow } from "../world/world.ts";
import { placeholders } from "./shared_sql.ts";
import { countIn, fitsKey, numberIn, orDamaged, siteNameIn, textIn } from "./shared_rows.ts";
import {
  type DamagedRow,
  type SharedCase,
  type SharedSite,
  type SiteRow,
  StoreRefused,
} from "./shared_types.ts";

/** Most rows in one statement. */
const MAX_ROWS = 200;

/** A site that has stopped politely is alive until then. */
const STOPPED_MS = 0n;

/** Says that a site stops. @throws WorldError */
export async function sayGoodbye(db: SharedStatements, site: SharedSite): Promise<void> {
  await greet(db, site, 0);
  await db.query(
    "update hearsay_sites set alive_until_ms = cast($1 as bigint) where vkey = $2",
    [STOPPED_MS, site.vkey],
  );
}

/** Enters a site, if it is not there: the database may be back from a backup that is older. */
export async function enterSite(db: SharedStatements, site: SharedSite): Promise<void> {
  await db.query(
    `insert into hearsay_sites
        (vkey, name, software, seen_ms, alive_until_ms, published_seq, published_hash)
      values ($1, $2, $3, now_ms(), now_ms(), cast($4 as bigint), $5)
      on conflict (vkey) do nothing`,
    [site.vkey, site.name, site.software, BigInt(FIRST_LINK.seq), FIRST_LINK.hash],
  );
}

/**
 * Says that a site is here, and of which program, for as long as a lease lasts.
 * @param aliveMs 0 if it is not to be counted on yet, or not any more
 */
export async function greet(
  db: SharedStatements,
  site: SharedSite,
  aliveMs: number,
): Promise<void> {
  await enterSite(db, site);
  await db.query(
    `update hearsay_sites set name = $1, software = $2, run = $5, seen_ms = now_ms(),
        alive_until_ms = now_ms() + cast($3 as bigint)
      where vkey = $4`,
    [site.name, site.software, BigInt(aliveMs), site.vkey, site.run ?? ""],
  );
}

/** @throws StoreRefused if a vkey is too long for a key of the database */
export function checkSite({ vkey }: SharedSite): void {
  if (fitsKey(vkey)) return;
  throw new StoreRefused("The monitor's name is too long for a shared store; choose a shorter one");
}

/**
 * The last entry of a site's journal that the store has; FIRST_LINK if none.
 * @throws StoreRefused if what the store says is no place in a journal
 * @throws WorldError
 */
export async function publishedOf(db: SharedStatements, vkey: string): Promise<Link> {
  const [row] = await db.query(
    "select published_seq, published_hash from hearsay_sites where vkey = $1",
    [vkey],
  );
  if (row === undefined) return FIRST_LINK;
  try {
    return publishedIn(row);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new StoreRefused(
      `The store is damaged: of this site's journal it says that ${error.message}; ` +
        "`hearsay store rebuild` publishes the journal again",
    );
  }
}

function publishedIn(row: SqlRow): Link {
  return { seq: numberIn(row, "published_seq"), hash: textIn(row, "published_hash") };
}

/** See `SharedStore.sites`. @throws WorldError */
export async function sitesOf(db: SharedDatabase): Promise<readonly (SiteRow | DamagedRow)[]> {
  const rows = await db.query(
    `select s.vkey, s.name, s.software, s.run, s.published_seq, s.published_hash, s.seen_ms,
        s.alive_until_ms, now_ms() as read_ms,
        (select count(*) from hearsay_leases l
          where l.holder = s.vkey and l.until_ms > now_ms()) as leases,
        (select count(*) from hearsay_cases c where c.site = s.vkey) as cases
      from hearsay_sites s order by s.name, s.vkey`,
  );
  return rows.map((row) => orDamaged(row, siteIn));
}

function siteIn(row: SqlRow): SiteRow {
  const vkey = textIn(row, "vkey");
  const [readMs, aliveUntil] = [countIn(row, "read_ms"), countIn(row, "alive_until_ms")];
  return {
    vkey,
    name: siteNameIn(row, vkey),
    ...{ software: textIn(row, "software"), run: textIn(row, "run") },
    alive: aliveUntil > readMs,
    stopped: aliveUntil === STOPPED_MS,
    seenAgoMs: agoMs(countIn(row, "seen_ms"), readMs),
    published: publishedIn(row),
    leases: numberIn(row, "leases"),
    cases: numberIn(row, "cases"),
  };
}

/** How long before `readMs` something was; 0 if the database's clock went back since. */
export function agoMs(atMs: bigint, readMs: bigint): number {
  return readMs > atMs ? Number(readMs - atMs) : 0;
}

/** See `SharedStore.publishCases`. @throws WorldError */
export async function publishCases(
  db: SharedDatabase,
  { vkey }: SharedSite,
  cases: readonly SharedCase[],
): Promise<void> {
  for (let at = 0; at < cases.length; at += MAX_ROWS) {
    const rows = cases.slice(at, at + MAX_ROWS)
      .map(({ evidenceId, log, seq, recordedAt }) => [
        ...[vkey, evidenceId, log, BigInt(seq), recordedAt],
      ]);
    await db.query(
      `insert into hearsay_cases(site, evidence_id, log, seq, recorded_at)
        values ${placeholders(rows, (p) => `(${p.join(", ")})`)}
        on conflict (site, evidence_id) do nothing`,
      rows.flat(),
    );
  }
}
