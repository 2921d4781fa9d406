/**
 * What the holders of leases saw when they looked: the last look of each slot. Only the holder of a
 * slot may write there, under the fence that it has.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import type { SharedDatabase, SharedTransaction } from "../world/shared_database.ts";
import type { SqlRow, SqlValue } from "../world/world.ts";
import {
  checkpointIn,
  countIn,
  noteColumn,
  numberIn,
  orDamaged,
  resultIn,
  siteNameIn,
  textIn,
} from "./shared_rows.ts";
import { agoMs } from "./shared_sites.ts";
import { placeholders } from "./shared_sql.ts";
import type { Lease, LookPage, LookSaid, SharedLook, SharedSite } from "./shared_types.ts";
import { CHANNEL, wordOf } from "./shared_words.ts";

/** Most looks that are read at once. */
export const MAX_LOOKS = 300;

/** Most looks that are written in one transaction. */
const MAX_WRITTEN = 200;

/** A look, and the lease under which it was made. */
export interface LeasedLook {
  readonly lease: Lease;
  readonly said: LookSaid;
}

/** See `SharedStore.look`. @throws MalformedError, WorldError */
export async function writeLooks(
  db: SharedDatabase,
  site: SharedSite,
  looks: readonly LeasedLook[],
): Promise<readonly Lease[]> {
  for (const { said: { failures } } of looks) {
    if (Number.isSafeInteger(failures) && failures >= 0) continue;
    throw new MalformedError(`failures is ${failures}, expected a whole number from 0`);
  }
  const stale: Lease[] = [];
  for (let at = 0; at < looks.length; at += MAX_WRITTEN) {
    const part = looks.slice(at, at + MAX_WRITTEN);
    stale.push(...await db.transaction((tx) => writePart(tx, site, part)));
  }
  return stale;
}

async function writePart(
  tx: SharedTransaction,
  site: SharedSite,
  looks: readonly LeasedLook[],
): Promise<readonly Lease[]> {
  const first = await firstVersion(tx, looks.length);
  const written = await insertLooks(tx, site, { looks, first });
  if (written.size > 0) await tx.tell(CHANNEL, wordOf("looks", site));
  return looks.map(({ lease }) => lease).filter((lease) => !written.has(keyOf(lease)));
}

function keyOf({ log, slot, fence }: Omit<Lease, "validUntil">): string {
  return `${fence} ${slot} ${log}`;
}

/**
 * The version of the first of some looks; the others have those after it. They are given under a lock
 * that is held until the looks are visible. They are not below the clock, so they rise also when the
 * database is back from a backup.
 */
async function firstVersion(tx: SharedTransaction, count: number): Promise<bigint> {
  const [row] = await tx.query(
    `update hearsay_counter set
        last = cast($1 as bigint) + case when last >= now_ms() then last else now_ms() - 1 end
      where name = 'looks' returning last`,
    [BigInt(count)],
  );
  return countIn(row!, "last") - BigInt(count) + 1n;
}

/** Writes those whose lease is still that of its holder. @returns the keys of their leases */
async function insertLooks(
  tx: SharedTransaction,
  { vkey }: SharedSite,
  { looks, first }: { looks: readonly LeasedLook[]; first: bigint },
): Promise<ReadonlySet<string>> {
  // A look that brought nothing leaves what an earlier one brought.
  const kept = (column: string): string =>
    `${column} = case when excluded.note is null then hearsay_looks.${column}
      else excluded.${column} end`;
  const rows = looks.map(({ lease, said: { checkpoint, result, failures } }, i): SqlValue[] => [
    ...[lease.log, BigInt(lease.slot), lease.fence, first + BigInt(i), result, BigInt(failures)],
    ...[checkpoint?.treeSize ?? null, checkpoint?.root ?? null, checkpoint?.note ?? null],
  ]);
  const types = ["text", "bigint", "bigint", "bigint", "text", "bigint", "bigint", "text", "text"];
  const values = placeholders(
    rows,
    (p) => `(${p.map((name, i) => `cast(${name} as ${types[i]})`).join(", ")})`,
    2,
  );
  const written = await tx.query(
    `with said(log, slot, fence, version, result, failures, size, root, note) as (values ${values})
      insert into hearsay_looks
        (log, slot, site, fence, version, size, root, note, result, failures, looked_ms)
      select s.log, s.slot, l.holder, s.fence, s.version, s.size, s.root, s.note, s.result,
          s.failures, now_ms()
        from said s join hearsay_leases l on l.log = s.log and l.slot = s.slot
        where l.holder = $1 and l.fence = s.fence
      on conflict (log, slot) do update set site = excluded.site, fence = excluded.fence,
        version = excluded.version, ${kept("size")}, ${kept("root")}, ${kept("note")},
        result = excluded.result, failures = excluded.failures, looked_ms = excluded.looked_ms
      returning log, slot, fence`,
    [vkey, ...rows.flat()],
  );
  return new Set(
    written.map((row) =>
      keyOf({ log: textIn(row, "log"), slot: numberIn(row, "slot"), fence: countIn(row, "fence") })
    ),
  );
}

/** See `SharedStore.looksAfter`. @throws WorldError */
export async function looksAfter(db: SharedDatabase, version: bigint): Promise<LookPage> {
  const rows = await db.query(
    `select l.log, l.slot, l.site, s.name, l.version, l.size, l.root, l.result, l.failures,
        l.looked_ms, now_ms() as read_ms, ${noteColumn("l.note")} as note,
        case when l.note is null then 0 else 1 end as has_note
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
    checkpoint: row.has_note === 0n ? undefined : checkpointIn(row, log),
  };
}
