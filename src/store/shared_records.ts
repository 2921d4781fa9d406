/**
 * The conflict records of all sites, in the shared store: what proves a case to a site whose own history
 * of the log does not. A record convicts nobody before whoever reads it has verified it.
 *
 * @module
 */
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import { fitsKey, orDamaged, siteNameIn, textIn } from "./shared_rows.ts";
import type { DamagedRow, SharedRecord, SharedSite, StoredRecord } from "./shared_types.ts";

/** The longest record that is written and read, in characters. Two notes of the largest size fit. */
export const MAX_RECORD_CHARACTERS = 4 * MAX_NOTE_BYTES;

/** See `SharedStore.publishRecord`. @throws WorldError */
export async function publishRecord(
  db: SharedDatabase,
  { vkey }: SharedSite,
  { evidenceId, log, record }: SharedRecord,
): Promise<void> {
  if (record.length > MAX_RECORD_CHARACTERS || !fitsKey(log)) return;
  await db.query(
    `insert into hearsay_records(evidence_id, site, log, record) values ($1, $2, $3, $4)
      on conflict (evidence_id, site) do nothing`,
    [evidenceId, vkey, log, record],
  );
}

/** See `SharedStore.recordsLacking`. @throws WorldError */
export async function recordsLacking(
  db: SharedDatabase,
  { vkey }: SharedSite,
  { after, limit }: { after: Pick<StoredRecord, "evidenceId" | "site">; limit: number },
): Promise<readonly (StoredRecord | DamagedRow)[]> {
  const rows = await db.query(
    `select r.evidence_id, r.site, r.record, s.name from hearsay_records r
      left join hearsay_sites s on s.vkey = r.site
      where (r.evidence_id > $1 or (r.evidence_id = $1 and r.site > $2)) and r.site <> $3
        and length(r.record) <= ${MAX_RECORD_CHARACTERS}
        and exists (select 1 from hearsay_site_logs l where l.site = $3 and l.log = r.log)
        and not exists (select 1 from hearsay_cases c
          where c.site = $3 and c.evidence_id = r.evidence_id)
      order by r.evidence_id, r.site limit cast($4 as bigint)`,
    [after.evidenceId, after.site, vkey, BigInt(limit)],
  );
  return rows.map((row) =>
    orDamaged(row, () => ({
      ...{ evidenceId: textIn(row, "evidence_id"), site: textIn(row, "site") },
      ...{ siteName: siteNameIn(row, textIn(row, "site")), record: textIn(row, "record") },
    }))
  );
}
