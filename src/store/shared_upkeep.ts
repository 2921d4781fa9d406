/**
 * What keeps the shared store small, and what lets a site compare the store with its journals.
 *
 * @module
 */
import type { SharedDatabase, SharedStatements } from "../world/shared_database.ts";
import type { SqlRow } from "../world/world.ts";
import { FIRST_LINK } from "../evidence/entry.ts";
import { countIn, numberIn, orDamaged, textIn } from "./shared_rows.ts";
import { placeholders } from "./shared_sql.ts";
import type { DamagedOwnRow, OwnRow, SharedSite, Trimmed } from "./shared_types.ts";

/** Most rows dropped in one statement, so that none takes long. */
const MAX_DROPPED = 1_000;

/** What came in longer ago is dropped, in milliseconds, unless `trimStore` keeps it: 90 days. */
export const STORE_KEEPS_MS = 90 * 86_400_000;

/**
 * Drops what came in before a time, in milliseconds of the database's clock. It keeps, for ever,
 *
 * - each head that stands beside another root of its log and size, or that a site found inconsistent,
 * - the largest head of each log, and the one that came last of all,
 * - cases, sites and leases: there are few.
 *
 * Of a head that goes, its sightings go as well. Nothing is lost: the journals have all of it.
 * @throws WorldError; then what was dropped so far stays dropped
 */
export async function trimStore(db: SharedDatabase, beforeMs: number): Promise<Trimmed> {
  const before = BigInt(Math.floor(beforeMs));
  // Ids rise with time, so what is older lies in front, and only that is gone over.
  const [first] = await db.query(
    `select id from hearsay_heads where added_ms >= cast($1 as bigint) order by id limit 1`,
    [before],
  );
  const endId = first === undefined ? MAX_ID : countIn(first, "id");
  let [heads, sightings] = [0, 0];
  for (let dropped = MAX_DROPPED; dropped === MAX_DROPPED;) {
    const part = await db.transaction((tx) => dropHeads(tx, { endId, before }));
    dropped = part.heads;
    heads += part.heads;
    sightings += part.sightings;
  }
  const claims = await dropClaims(db, before);
  const peers = await db.query(
    "delete from hearsay_peers where heard_ms < cast($1 as bigint) returning peer",
    [before],
  );
  return { heads, sightings, claims, peers: peers.length };
}

/** The largest bigint of the database. */
const MAX_ID = 2n ** 63n - 1n;

async function dropHeads(
  tx: SharedStatements,
  { endId, before }: { endId: bigint; before: bigint },
): Promise<{ heads: number; sightings: number }> {
  const heads = await tx.query(
    `delete from hearsay_heads where id in (
      select h.id from hearsay_heads h
        where h.id < cast($1 as bigint) and h.added_ms < cast($2 as bigint)
          and not exists (select 1 from hearsay_heads o
            where o.log = h.log and o.size = h.size and o.root <> h.root)
          and not exists (select 1 from hearsay_sightings s where s.log = h.log
            and s.size = h.size and s.root = h.root and s.result = 'inconsistent')
          and h.size <> (select max(n.size) from hearsay_heads n where n.log = h.log)
          and h.id <> (select max(n.id) from hearsay_heads n)
        order by h.id limit ${MAX_DROPPED}) returning log, size, root`,
    [endId, before],
  );
  if (heads.length === 0) return { heads: 0, sightings: 0 };
  const rows = heads.map((row) => [row.log!, row.size!, row.root!]);
  const list = placeholders(
    rows,
    ([log, size, root]) => `(cast(${log} as text), cast(${size} as bigint), cast(${root} as text))`,
  );
  const sightings = await tx.query(
    `delete from hearsay_sightings where (log, size, root) in (values ${list}) returning site`,
    rows.flat(),
  );
  return { heads: heads.length, sightings: sightings.length };
}

async function dropClaims(db: SharedDatabase, before: bigint): Promise<number> {
  const dropped = await db.query(
    `delete from hearsay_claims where until_ms < cast($1 as bigint)
      and (done_ms is null or done_ms < cast($1 as bigint)) returning key`,
    [before],
  );
  return dropped.length;
}

/**
 * What the store has of a site's observation journal, in its order: a row for each head that the site
 * saw, with the entry that saw it first. The note is there if this site brought it.
 * @param afterSeq goes on after this entry
 * @throws WorldError
 */
export async function ownRows(
  db: SharedDatabase,
  { vkey }: SharedSite,
  { afterSeq, limit }: { afterSeq: number; limit: number },
): Promise<readonly (OwnRow | DamagedOwnRow)[]> {
  const rows = await db.query(
    `select s.log, s.size, s.root, s.seq, s.entry_hash, h.note,
        (select count(*) from hearsay_heads any_head where any_head.log = s.log
          and any_head.size = s.size and any_head.root = s.root) as heads
      from hearsay_sightings s
      left join hearsay_heads h on h.log = s.log and h.size = s.size and h.root = s.root
        and h.first_site = s.site and h.first_seq = s.seq
      where s.site = $1 and s.seq > cast($2 as bigint)
      order by s.seq limit cast($3 as bigint)`,
    [vkey, BigInt(afterSeq), BigInt(limit)],
  );
  return rows.map((row) => ({ ...orDamaged(row, ownRowIn), seq: Number(row.seq) }));
}

/** The last entry of a site's journal that any row of the store names; 0 if none. @throws WorldError */
export async function lastOwnRow(db: SharedDatabase, { vkey }: SharedSite): Promise<number> {
  const [row] = await db.query(
    "select coalesce(max(seq), 0) as last from hearsay_sightings where site = $1",
    [vkey],
  );
  return Number(row!.last);
}

function ownRowIn(row: SqlRow): OwnRow {
  return {
    ...{ log: textIn(row, "log"), treeSize: countIn(row, "size"), root: textIn(row, "root") },
    ...{ seq: numberIn(row, "seq"), hash: textIn(row, "entry_hash") },
    note: row.note === null ? undefined : textIn(row, "note"),
    hasHead: countIn(row, "heads") > 0n,
  };
}

/**
 * Removes all that the store has of a site's journals, so that the site publishes them again from
 * their first entry. What other sites saw as well is seen by them still.
 * @throws WorldError; then nothing was removed
 */
export async function forgetSite(db: SharedDatabase, { vkey }: SharedSite): Promise<void> {
  await db.transaction(async (tx) => {
    // Who publishes waits, or is waited for: as in `publish`.
    await tx.query("update hearsay_counter set last = last where name = 'heads'");
    await tx.query("delete from hearsay_sightings where site = $1", [vkey]);
    await tx.query("delete from hearsay_heads where first_site = $1", [vkey]);
    await tx.query("delete from hearsay_cases where site = $1", [vkey]);
    await tx.query(
      `update hearsay_sites set published_seq = cast($1 as bigint), published_hash = $2
        where vkey = $3`,
      [BigInt(FIRST_LINK.seq), FIRST_LINK.hash, vkey],
    );
  });
}
