/**
 * What the holders of leases saw when they looked: the last look of each slot. Only the holder of a
 * slot may write there, under the fence that it has.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import type { SharedDatabase, SharedTransaction } from "../world/shared_database.ts";
import type { SqlRow } from "../world/world.ts";
import {
  checkpointIn,
  countIn,
  numberIn,
  orDamaged,
  resultIn,
  siteNameIn,
  textIn,
} from "./shared_rows.ts";
import { agoMs } from "./shared_sites.ts";
import type { Lease, LookPage, LookSaid, SharedLook, SharedSite } from "./shared_types.ts";
import { CHANNEL, wordOf } from "./shared_words.ts";

/** Most looks that are read at once. */
export const MAX_LOOKS = 1_000;

/** See `SharedStore.look`. @throws MalformedError, WorldError */
export async function writeLook(
  db: SharedDatabase,
  site: SharedSite,
  { lease, said }: { lease: Lease; said: LookSaid },
): Promise<"taken" | "stale"> {
  if (!Number.isSafeInteger(said.failures) || said.failures < 0) {
    throw new MalformedError(`failures is ${said.failures}, expected a whole number from 0`);
  }
  return await db.transaction(async (tx) => {
    const version = await nextVersion(tx);
    const written = await insertLook(tx, site, { lease, said, version });
    if (!written) return "stale";
    await tx.tell(CHANNEL, wordOf("looks", site));
    return "taken";
  });
}

/**
 * The version of the next look. It is given under a lock that is held until the look is visible. It is
 * not below the clock, so it rises also when the database is back from a backup.
 */
async function nextVersion(tx: SharedTransaction): Promise<bigint> {
  const [row] = await tx.query(
    `update hearsay_counter set last = case when last >= now_ms() then last + 1 else now_ms() end
      where name = 'looks' returning last`,
  );
  return countIn(row!, "last");
}

/** Writes it if the lease is still that of its holder. @returns whether it is */
async function insertLook(
  tx: SharedTransaction,
  { vkey }: SharedSite,
  { lease, said, version }: { lease: Lease; said: LookSaid; version: bigint },
): Promise<boolean> {
  const { treeSize, root, note } = said.checkpoint ?? {};
  // A look that brought nothing leaves what an earlier one brought.
  const kept = (column: string): string =>
    `${column} = case when excluded.note is null then hearsay_looks.${column}
      else excluded.${column} end`;
  const written = await tx.query(
    `insert into hearsay_looks
        (log, slot, site, fence, version, size, root, note, result, failures, looked_ms)
      select log, slot, holder, fence, cast($1 as bigint), cast($2 as bigint), cast($3 as text),
          cast($4 as text), cast($5 as text), cast($6 as bigint), now_ms()
        from hearsay_leases
        where log = $7 and slot = cast($8 as bigint) and holder = $9 and fence = cast($10 as bigint)
      on conflict (log, slot) do update set site = excluded.site, fence = excluded.fence,
        version = excluded.version, ${kept("size")}, ${kept("root")}, ${kept("note")},
        result = excluded.result, failures = excluded.failures, looked_ms = excluded.looked_ms
      returning version`,
    [
      ...[version, treeSize ?? null, root ?? null, note ?? null, said.result],
      ...[BigInt(said.failures), lease.log, BigInt(lease.slot), vkey, lease.fence],
    ],
  );
  return written.length > 0;
}

/** See `SharedStore.looksAfter`. @throws WorldError */
export async function looksAfter(db: SharedDatabase, version: bigint): Promise<LookPage> {
  const rows = await db.query(
    `select l.log, l.slot, l.site, s.name, l.version, l.size, l.root, l.note, l.result, l.failures,
        l.looked_ms, now_ms() as read_ms
      from hearsay_looks l left join hearsay_sites s on s.vkey = l.site
      where l.version > cast($1 as bigint)
        and l.version <= (select last from hearsay_counter where name = 'looks')
      order by l.version limit ${MAX_LOOKS}`,
    [version],
  );
  const last = rows.at(-1)?.version;
  return {
    looks: rows.map((row) => orDamaged(row, lookIn)),
    next: typeof last === "bigint" ? last : version,
  };
}

function lookIn(row: SqlRow): SharedLook {
  const [log, site] = [textIn(row, "log"), textIn(row, "site")];
  return {
    ...{ log, slot: numberIn(row, "slot"), site, siteName: siteNameIn(row, site) },
    ...{ result: resultIn(row), failures: numberIn(row, "failures") },
    agoMs: agoMs(countIn(row, "looked_ms"), countIn(row, "read_ms")),
    checkpoint: row.note === null ? undefined : checkpointIn(row, log),
  };
}
