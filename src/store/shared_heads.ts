/**
 * What all sites have seen, in the shared store: a head for each (log, size, root), with the note that
 * came first, and a sighting for each site that saw it.
 *
 * Heads are given ids under the lock of a counter. It is held until they are visible, so nobody is
 * shown a head before all those with a smaller id: whoever reads by rising id misses none.
 *
 * @module
 */
import type { Link } from "../evidence/entry.ts";
import type { SharedDatabase, SharedTransaction } from "../world/shared_database.ts";
import type { SqlRow } from "../world/world.ts";
import { logIdOf } from "./observation.ts";
import type { Indexable } from "./observation_index.ts";
import {
  checkpointIn,
  countIn,
  isShareable,
  noteColumn,
  orDamaged,
  siteNameIn,
  textIn,
} from "./shared_rows.ts";
import type {
  DamagedRow,
  HeadCursor,
  HeadPage,
  Publication,
  PublishedEntry,
  SharedHead,
  SharedSite,
} from "./shared_types.ts";
import { enterSite, publishedOf } from "./shared_sites.ts";
import { placeholders } from "./shared_sql.ts";
import { CHANNEL, wordOf } from "./shared_words.ts";

/** Most entries that are written in one transaction. */
export const MAX_BATCH_ENTRIES = 200;
/** Most characters of notes in one transaction, unless it has a single entry. */
export const MAX_BATCH_NOTES = 1_000_000;

/** Most heads that are read of those that contradict one such batch: two for each of its entries. */
const MAX_CONTRADICTING = 2 * MAX_BATCH_ENTRIES;

/** A part of a publication that is written in one transaction. */
interface Batch {
  readonly after: Link;
  readonly entries: readonly PublishedEntry[];
  readonly last: Link;
}

/**
 * What an entry of the observation journal has for other sites: the checkpoint that was seen.
 * @returns nothing if it has none, or is about a log that cannot be shared
 */
export function publishedEntry({ entry, record }: Indexable): PublishedEntry | undefined {
  if (!("result" in record) || record.checkpoint === undefined) return undefined;
  const log = logIdOf(record);
  if (!isShareable(log)) return undefined;
  const { seq, hash, recorded_at: recordedAt } = entry;
  const { source, result, checkpoint } = record;
  return { seq, hash, recordedAt, log, source, result, checkpoint };
}

/** See `SharedStore.publish`. @throws WorldError */
export async function publish(
  db: SharedDatabase,
  site: SharedSite,
  publication: Publication,
): Promise<Link> {
  for (const batch of batchesOf(publication)) {
    const at = await db.transaction((tx) => publishBatch(tx, site, batch));
    if (at.seq !== batch.last.seq || at.hash !== batch.last.hash) return at;
  }
  return publication.last;
}

/** Cuts what is published into parts that fit a transaction; the last part ends at its last link. */
function batchesOf({ after, entries, last }: Publication): Batch[] {
  const parts: PublishedEntry[][] = [[]];
  let notes = 0;
  for (const entry of entries) {
    const { length } = entry.checkpoint.note;
    const part = parts.at(-1)!;
    const isFull = part.length >= MAX_BATCH_ENTRIES || notes + length > MAX_BATCH_NOTES;
    if (isFull && part.length > 0) {
      parts.push([entry]);
      notes = length;
    } else {
      part.push(entry);
      notes += length;
    }
  }
  let from = after;
  return parts.map((part, index) => {
    const { seq, hash } = index === parts.length - 1 ? last : part.at(-1)!;
    const batch = { after: from, entries: part, last: { seq, hash } };
    from = batch.last;
    return batch;
  });
}

/** Writes a part, if the store is where it begins. @returns where the store is then */
async function publishBatch(
  tx: SharedTransaction,
  site: SharedSite,
  { after, entries, last }: Batch,
): Promise<Link> {
  const heads = distinctHeads(entries);
  // First, and also for no heads: from here on, no other site publishes until this has happened.
  const [counter] = await tx.query(
    `update hearsay_counter set last = last + cast($1 as bigint) where name = 'heads'
      returning last`,
    [BigInt(heads.length)],
  );
  await enterSite(tx, site);
  const moved = await tx.query(
    `update hearsay_sites set published_seq = cast($1 as bigint), published_hash = $2
      where vkey = $3 and published_seq = cast($4 as bigint) and published_hash = $5
      returning vkey`,
    [BigInt(last.seq), last.hash, site.vkey, BigInt(after.seq), after.hash],
  );
  if (moved.length === 0) return await publishedOf(tx, site.vkey);
  if (entries.length === 0) return last;
  const firstId = countIn(counter!, "last") - BigInt(heads.length) + 1n;
  await insertHeads(tx, site, { heads, firstId });
  await insertSightings(tx, site, entries);
  await tx.tell(CHANNEL, wordOf("heads", site));
  return last;
}

/** One entry for each head: the first one. */
function distinctHeads(entries: readonly PublishedEntry[]): readonly PublishedEntry[] {
  const heads = new Map<string, PublishedEntry>();
  for (const entry of entries) {
    const { log, checkpoint: { size, root } } = entry;
    const key = `${size} ${root} ${log}`;
    if (!heads.has(key)) heads.set(key, entry);
  }
  return [...heads.values()];
}

async function insertHeads(
  tx: SharedTransaction,
  { vkey }: SharedSite,
  { heads, firstId }: { heads: readonly PublishedEntry[]; firstId: bigint },
): Promise<void> {
  const rows = heads.map(({ log, seq, checkpoint }, index) => [
    ...[log, BigInt(checkpoint.size), checkpoint.root, firstId + BigInt(index)],
    ...[vkey, BigInt(seq), checkpoint.note],
  ]);
  const values = placeholders(rows, (p) => `(${p.slice(0, 6).join(", ")}, now_ms(), ${p[6]})`);
  await tx.query(
    `insert into hearsay_heads(log, size, root, id, first_site, first_seq, added_ms, note)
      values ${values} on conflict (log, size, root) do nothing`,
    rows.flat(),
  );
}

async function insertSightings(
  tx: SharedTransaction,
  { vkey }: SharedSite,
  entries: readonly PublishedEntry[],
): Promise<void> {
  const rows = entries.map(({ log, checkpoint: { size, root }, ...entry }) => [
    ...[vkey, log, BigInt(size), root, BigInt(entry.seq), entry.hash],
    ...[entry.source, entry.result, entry.recordedAt],
  ]);
  await tx.query(
    `insert into hearsay_sightings
        (site, log, size, root, seq, entry_hash, source, result, recorded_at)
      values ${placeholders(rows, (p) => `(${p.join(", ")})`)}
      on conflict (log, size, root, site) do nothing`,
    rows.flat(),
  );
}

const HEADS = `select h.id, h.added_ms, h.log, h.size, h.root, ${
  noteColumn("h.note")
} as note, h.first_site, s.name
  from hearsay_heads h left join hearsay_sites s on s.vkey = h.first_site`;

/** See `SharedStore.headsAfter`. @throws WorldError */
export async function headsAfter(
  db: SharedDatabase,
  cursor: HeadCursor | undefined,
  limit: number,
): Promise<HeadPage> {
  // The row of the cursor comes first, so that it and those after it are from one moment. An id that
  // was never given out is none: it would hide all that come later.
  const rows = await db.query(
    `${HEADS} where h.id >= cast($1 as bigint)
        and h.id <= (select last from hearsay_counter where name = 'heads')
      order by h.id limit cast($2 as bigint)`,
    [cursor?.id ?? 0n, BigInt(limit) + (cursor === undefined ? 0n : 1n)],
  );
  if (cursor !== undefined) {
    const [first, ...later] = rows;
    if (first?.id === cursor.id && first.added_ms === cursor.addedMs) {
      return pageOf(later, cursor, false);
    }
    return { ...await headsAfter(db, undefined, limit), restarted: true };
  }
  return pageOf(rows, undefined, false);
}

function pageOf(
  rows: readonly SqlRow[],
  cursor: HeadCursor | undefined,
  restarted: boolean,
): HeadPage {
  const last = rows.at(-1);
  const next = last === undefined ? cursor : cursorIn(last);
  return { heads: rows.map((row) => orDamaged(row, headIn)), next, restarted };
}

/**
 * See `SharedStore.taken`.
 * @throws WorldError
 */
export async function takenOf(
  db: SharedDatabase,
  { vkey }: SharedSite,
): Promise<HeadCursor | undefined> {
  const [noted] = await db.query(
    `select taken_id as id, taken_ms as added_ms from hearsay_sites
      where vkey = $1 and taken_id > 0`,
    [vkey],
  );
  const [newest] = noted !== undefined
    ? [noted]
    : await db.query("select id, added_ms from hearsay_heads order by id desc limit 1");
  return newest && cursorIn(newest);
}

/** See `SharedStore.noteTaken`. @throws WorldError */
export async function noteTaken(
  db: SharedDatabase,
  { vkey }: SharedSite,
  { id, addedMs }: HeadCursor,
): Promise<void> {
  await db.query(
    `update hearsay_sites set taken_id = cast($1 as bigint), taken_ms = cast($2 as bigint)
      where vkey = $3`,
    [id, addedMs, vkey],
  );
}

/** Both columns are numbers, or the row would not have been found or could not be written. */
function cursorIn(row: SqlRow): HeadCursor {
  return { id: row.id as bigint, addedMs: row.added_ms as bigint };
}

/** See `SharedStore.contradicting`. @throws WorldError */
export async function contradicting(
  db: SharedDatabase,
  entries: readonly PublishedEntry[],
): Promise<readonly SharedHead[]> {
  const found: SharedHead[] = [];
  for (let at = 0; at < entries.length; at += MAX_BATCH_ENTRIES) {
    const some = entries.slice(at, at + MAX_BATCH_ENTRIES);
    const rows = some.map(({ log, checkpoint: { size, root } }) => [log, BigInt(size), root]);
    const values = placeholders(
      rows,
      ([log, size, root]) => `(${log}, cast(${size} as bigint), ${root})`,
    );
    const others = await db.query(
      `with seen(log, size, root) as (values ${values})
        ${HEADS} join seen on seen.log = h.log and seen.size = h.size and seen.root <> h.root
        order by h.id limit ${MAX_CONTRADICTING}`,
      rows.flat(),
    );
    found.push(...others.map((row) => orDamaged(row, headIn)).filter(isHead));
  }
  return found;
}

function isHead(head: SharedHead | DamagedRow): head is SharedHead {
  return !("damaged" in head);
}

function headIn(row: SqlRow): SharedHead {
  const [log, site] = [textIn(row, "log"), textIn(row, "first_site")];
  return { log, ...checkpointIn(row, log), site, siteName: siteNameIn(row, site) };
}
