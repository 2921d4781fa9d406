/**
 * Removal of a site that is gone for good from the shared store. Its journals are not touched: they are
 * on its own disk. What it saw is seen by the others still, so heads stay.
 *
 * @module
 */
import type { SharedDatabase } from "../world/shared_database.ts";
import { FIRST_LINK } from "../evidence/entry.ts";
import { numberIn } from "./shared_rows.ts";
import { CHANNEL, wordOf } from "./shared_words.ts";

/** Most sightings removed in one statement, so that none takes long. */
const MAX_REMOVED = 1_000;

/** What became of a site that was to be removed. */
export type Removal =
  /** it is not in the store any more */
  | "removed"
  /** it is alive, and was left in the store; whatever is lacking of its journal it publishes again */
  | "alive"
  /** the store has no such site */
  | "unknown";

/**
 * Removes a site that is not alive: its row, the logs that it follows, its leases, sightings and cases.
 * If it ends halfway, it may be done again.
 * @param vkey of the site
 * @throws WorldError
 */
export async function removeSite(db: SharedDatabase, vkey: string): Promise<Removal> {
  // Should it come back meanwhile, it publishes all again.
  const reset = await db.query(
    `update hearsay_sites set published_seq = cast($1 as bigint), published_hash = $2
      where vkey = $3 and alive_until_ms <= now_ms() returning vkey`,
    [BigInt(FIRST_LINK.seq), FIRST_LINK.hash, vkey],
  );
  if (reset.length === 0) return await whyNot(db, vkey);
  await removeSightings(db, vkey);
  const isRemoved = await db.transaction(async (tx) => {
    // Who publishes waits, or is waited for: as in `publish`.
    await tx.query("update hearsay_counter set last = last where name = 'heads'");
    const gone = await tx.query(
      "delete from hearsay_sites where vkey = $1 and alive_until_ms <= now_ms() returning vkey",
      [vkey],
    );
    if (gone.length === 0) return false;
    for (const table of ["site_logs", "sightings", "cases"]) {
      await tx.query(`delete from hearsay_${table} where site = $1`, [vkey]);
    }
    // The rows stay for their fences, which must rise.
    await tx.query(
      `update hearsay_leases set holder = null,
          until_ms = case when until_ms > now_ms() then now_ms() else until_ms end
        where holder = $1`,
      [vkey],
    );
    await tx.tell(CHANNEL, wordOf("leases", { vkey }));
    return true;
  });
  return isRemoved ? "removed" : await whyNot(db, vkey);
}

async function whyNot(db: SharedDatabase, vkey: string): Promise<Removal> {
  const rows = await db.query("select vkey from hearsay_sites where vkey = $1", [vkey]);
  return rows.length > 0 ? "alive" : "unknown";
}

/** Removes sightings part by part: there may be millions. */
async function removeSightings(db: SharedDatabase, vkey: string): Promise<void> {
  for (;;) {
    const [next] = await db.query(
      `select seq from hearsay_sightings where site = $1 order by seq limit 1 offset ${MAX_REMOVED}`,
      [vkey],
    );
    if (next === undefined) return;
    await db.query("delete from hearsay_sightings where site = $1 and seq < cast($2 as bigint)", [
      ...[vkey, BigInt(numberIn(next, "seq"))],
    ]);
  }
}
