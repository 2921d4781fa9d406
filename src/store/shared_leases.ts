/**
 * Leases: which site looks at which log for all. A log has `views` slots, each with one holder at most
 * and a fence that rises each time the slot is taken. A lease runs out by the database's clock.
 *
 * Each step is one statement, so a site that is paused or cut off in the middle keeps nobody waiting.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import { type Clock, type SqlRow, type SqlValue, WorldError } from "../world/world.ts";
import { countIn, isShareable, numberIn, orDamaged, textIn } from "./shared_rows.ts";
import { shareOf, type Slot } from "./shared_shares.ts";
import { greet, sayGoodbye } from "./shared_sites.ts";
import { placeholders } from "./shared_sql.ts";
import type { HeldLease, Lease, LeaseReport, LeaseWishes, SharedSite } from "./shared_types.ts";
import { CHANNEL, wordOf } from "./shared_words.ts";

/**
 * The longest lease. One that ends later than so far ahead counts as over: the database's clock was
 * wrong when it was written.
 */
export const MAX_LEASE_MS = 600_000;

/** Most slots of a log. */
export const MAX_VIEWS = 16;

/** Most rows in one statement. */
const MAX_ROWS = 500;

/** How often it is looked how things stand, if another site was faster. */
const MAX_ROUNDS = 3;

/** Of a row of `hearsay_leases`. */
const IS_OVER = `(hearsay_leases.until_ms <= now_ms()
  or hearsay_leases.until_ms > now_ms() + ${MAX_LEASE_MS})`;

/** A fence beyond this is nobody's, and adding to it could fail. */
const MAX_FENCE = 2n ** 62n;

/** What the steps need. */
export interface LeaseParts {
  readonly db: SharedDatabase;
  readonly clock: Pick<Clock, "monotonic">;
  readonly site: SharedSite;
}

/** A slot that is tried for. */
interface Try {
  readonly log: string;
  readonly slot: number;
}

/**
 * See `SharedStore.keepLeases`. Not to be called again before it has ended.
 * @throws MalformedError for wishes that cannot be, WorldError
 */
export async function keepLeases(parts: LeaseParts, wishes: LeaseWishes): Promise<LeaseReport> {
  checkWishes(wishes);
  const { db, site } = parts;
  const logs = [...new Set(wishes.logs.filter(isShareable))];
  await greet(db, site, wishes.leaseMs);
  await setLogs(parts, logs);
  let held = await renew(parts, wishes);
  for (let round = 1;; round++) {
    const { others, missed, ...after } = await settle(parts, { ...wishes, logs }, held);
    held = after.held;
    if (!missed || round === MAX_ROUNDS) return { held, others };
  }
}

/** Looks how things stand, and gives up and takes what is this site's part. */
async function settle(
  parts: LeaseParts,
  wishes: LeaseWishes,
  mine: readonly Lease[],
): Promise<LeaseReport & { readonly missed: boolean }> {
  const { logs, views, leaseMs } = wishes;
  const me = parts.site.vkey;
  const found = await look(parts, wishes);
  const followers = await followersOf(parts, logs);
  const leaving: Lease[] = mine.filter(({ log, slot }) => !followers.has(log) || slot >= views);
  const wanted = new Map<string, readonly number[]>();
  for (const log of logs) {
    const situation = { log, followers: followers.get(log)!, slots: found.slots.get(log) ?? [] };
    const { givesUp, tries } = shareOf(situation, { me, views, patienceMs: leaseMs / 2 });
    if (givesUp) leaving.push(...mine.filter((lease) => lease.log === log));
    if (tries.length > 0) wanted.set(log, tries);
  }
  await noteUntaken(parts, untaken(logs, found.slots, views));
  await giveUp(parts, leaving, found.beyond);
  const kept = mine.filter((lease) => !leaving.includes(lease));
  const taken = await take(parts, wanted, leaseMs);
  return {
    held: [...kept, ...taken],
    others: found.others.filter(({ log }) => followers.has(log)),
    missed: taken.length < wanted.size,
  };
}

function checkWishes({ views, leaseMs }: LeaseWishes): void {
  const isFit = Number.isInteger(views) && views >= 1 && views <= MAX_VIEWS &&
    Number.isInteger(leaseMs) && leaseMs >= 1 && leaseMs <= MAX_LEASE_MS;
  if (isFit) return;
  throw new MalformedError(
    `Cannot keep leases: views is ${views} and leaseMs ${leaseMs}, expected whole numbers up to ` +
      `${MAX_VIEWS} and ${MAX_LEASE_MS}`,
  );
}

/** Says which logs this site follows. */
async function setLogs({ db, site }: LeaseParts, logs: readonly string[]): Promise<void> {
  const rows = await db.query("select log from hearsay_site_logs where site = $1", [site.vkey]);
  const known = new Set(rows.map(({ log }) => String(log)));
  const wanted = new Set(logs);
  const gone = [...known].filter((log) => !wanted.has(log));
  for (const part of partsOf(gone)) {
    const list = placeholders(part.map((log) => [log]), ([p]) => p!, 2);
    await db.query(`delete from hearsay_site_logs where site = $1 and log in (${list})`, [
      ...[site.vkey, ...part],
    ]);
  }
  for (const part of partsOf(logs.filter((log) => !known.has(log)))) {
    const list = placeholders(part.map((log) => [log]), ([p]) => `($1, ${p})`, 2);
    await db.query(
      `insert into hearsay_site_logs(site, log) values ${list} on conflict (site, log) do nothing`,
      [site.vkey, ...part],
    );
  }
}

/** Renews all that this site has and that has not run out. */
async function renew(
  { db, clock, site }: LeaseParts,
  { leaseMs }: LeaseWishes,
): Promise<readonly Lease[]> {
  const validUntil = clock.monotonic() + leaseMs;
  const rows = await db.query(
    `update hearsay_leases set until_ms = now_ms() + cast($1 as bigint)
      where holder = $2 and not ${IS_OVER} returning log, slot, fence`,
    [BigInt(leaseMs), site.vkey],
  );
  return leasesIn(rows, validUntil);
}

function leasesIn(rows: readonly SqlRow[], validUntil: number): readonly Lease[] {
  return rows.flatMap((row) => {
    const lease = orDamaged(row, leaseIn);
    return "damaged" in lease ? [] : [{ ...lease, validUntil }];
  });
}

function leaseIn(row: SqlRow): Omit<Lease, "validUntil"> {
  return { log: textIn(row, "log"), slot: numberIn(row, "slot"), fence: countIn(row, "fence") };
}

/** The leases of all, as they are found. */
interface Found {
  readonly others: readonly HeldLease[];
  /** By log; those below `views`. */
  readonly slots: ReadonlyMap<string, readonly Slot[]>;
  /** Rows of this site that have run out in slots that there are no more. */
  readonly beyond: readonly Lease[];
}

async function look(
  { db, clock, site }: LeaseParts,
  { views }: LeaseWishes,
): Promise<Found> {
  const from = clock.monotonic();
  const rows = await db.query(
    "select log, slot, fence, holder, until_ms, now_ms() as read_ms from hearsay_leases",
  );
  const others: HeldLease[] = [];
  const slots = new Map<string, Slot[]>();
  const beyond: Lease[] = [];
  for (const row of rows) {
    const found = orDamaged(row, (row) => foundIn(row));
    if ("damaged" in found) continue;
    const { lease, holder, leftMs } = found;
    const isOver = holder === undefined || leftMs <= 0 || leftMs > MAX_LEASE_MS;
    const held: Lease = { ...lease, validUntil: from + leftMs };
    if (!isOver && holder !== site.vkey) others.push({ ...held, holder });
    if (lease.slot >= views) {
      if (isOver && holder === site.vkey) beyond.push(held);
      continue;
    }
    const slot = {
      ...{ slot: lease.slot, holder: isOver ? undefined : holder },
      ...{ freeMs: leftMs > MAX_LEASE_MS ? MAX_LEASE_MS : -leftMs },
      lapsedOf: isOver ? holder : undefined,
    };
    slots.set(lease.log, [...slots.get(lease.log) ?? [], slot]);
  }
  return { others, slots, beyond };
}

function foundIn(row: SqlRow): {
  lease: Omit<Lease, "validUntil">;
  holder: string | undefined;
  leftMs: number;
} {
  const holder = row.holder === null ? undefined : textIn(row, "holder");
  const leftMs = Number(countIn(row, "until_ms") - countIn(row, "read_ms"));
  return { lease: leaseIn(row), holder, leftMs };
}

/** Who is alive and follows each of these logs, this site always. */
async function followersOf(
  { db, site }: LeaseParts,
  logs: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.query(
    `select l.log, l.site from hearsay_site_logs l
      join hearsay_sites s on s.vkey = l.site
      join hearsay_site_logs m on m.log = l.log and m.site = $1
      where s.alive_until_ms > now_ms() and s.alive_until_ms <= now_ms() + ${MAX_LEASE_MS}`,
    [site.vkey],
  );
  const followers = new Map<string, string[]>(logs.map((log) => [log, [site.vkey]]));
  for (const row of rows) {
    const follower = String(row.site);
    if (follower !== site.vkey) followers.get(String(row.log))?.push(follower);
  }
  return followers;
}

/** Slots that the store has no row of. */
function untaken(
  logs: readonly string[],
  slots: Found["slots"],
  views: number,
): readonly Try[] {
  return logs.flatMap((log) => {
    const known = new Set(slots.get(log)?.map(({ slot }) => slot));
    const all = Array.from({ length: views }, (_, slot) => ({ log, slot }));
    return all.filter(({ slot }) => !known.has(slot));
  });
}

/**
 * Makes rows of slots that nobody has had yet, so that it is known since when they are free. All sites do
 * it in one order: each of two with another order would wait for the other's rows.
 */
async function noteUntaken({ db }: LeaseParts, slots: readonly Try[]): Promise<void> {
  const inOrder = slots.toSorted((a, b) =>
    a.log === b.log ? a.slot - b.slot : a.log < b.log ? -1 : 1
  );
  for (const part of partsOf(inOrder)) {
    const rows = part.map(({ log, slot }) => [log, BigInt(slot)]);
    await db.query(
      `insert into hearsay_leases(log, slot, fence, until_ms)
        values ${placeholders(rows, ([log, slot]) => `(${log}, ${slot}, 0, now_ms())`)}
        on conflict (log, slot) do nothing`,
      rows.flat(),
    );
  }
}

/** Gives up leases, and wakes those who may want them. */
async function giveUp(
  { db, site }: LeaseParts,
  held: readonly Lease[],
  lapsed: readonly Lease[],
): Promise<void> {
  for (const part of partsOf([...held, ...lapsed])) {
    const rows = part.map(({ log, fence }) => [log, fence]);
    const list = placeholders(
      rows,
      ([log, fence]) => `(cast(${log} as text), cast(${fence} as bigint))`,
      2,
    );
    await db.transaction(async (tx) => {
      await tx.query(
        `update hearsay_leases set holder = null,
            until_ms = case when until_ms > now_ms() then now_ms() else until_ms end
          where holder = $1 and (log, fence) in (values ${list})`,
        [site.vkey, ...rows.flat()],
      );
      await tx.tell(CHANNEL, wordOf("leases", site));
    });
  }
}

/** Tries to take a slot of each log. */
async function take(
  parts: LeaseParts,
  wanted: ReadonlyMap<string, readonly number[]>,
  leaseMs: number,
): Promise<readonly Lease[]> {
  const taken: Lease[] = [];
  for (let round = 0; round < MAX_VIEWS; round++) {
    const tries = [...wanted].flatMap(([log, slots]) => {
      const slot = slots[round];
      return slot === undefined || taken.some((lease) => lease.log === log) ? [] : [{ log, slot }];
    });
    if (tries.length === 0) break;
    for (const part of partsOf(tries)) taken.push(...await takePart(parts, part, leaseMs));
  }
  return taken;
}

/** Takes those of these slots that are free, at most one of each log. */
async function takePart(
  { db, clock, site }: LeaseParts,
  tries: readonly Try[],
  leaseMs: number,
): Promise<readonly Lease[]> {
  const rows = tries.map(({ log, slot }): SqlValue[] => [log, BigInt(slot)]);
  const list = placeholders(
    rows,
    ([log, slot]) => `(cast(${log} as text), cast(${slot} as bigint))`,
    3,
  );
  const validUntil = clock.monotonic() + leaseMs;
  try {
    const taken = await db.query(
      `update hearsay_leases set holder = $1, until_ms = now_ms() + cast($2 as bigint),
          fence = case when fence >= now_ms() and fence < ${MAX_FENCE} then fence + 1
            else now_ms() end
        where (log, slot) in (values ${list}) and ${IS_OVER}
        returning log, slot, fence`,
      [site.vkey, BigInt(leaseMs), ...rows.flat()],
    );
    return leasesIn(taken, validUntil);
  } catch (error) {
    // A statement of ours that had been given up got there after all, and took another slot.
    if (error instanceof WorldError && error.kind === "already exists") return [];
    throw error;
  }
}

/**
 * See `SharedStore.release`. Not to be called before `keepLeases` has ended.
 * @throws WorldError
 */
export async function release({ db, site }: LeaseParts): Promise<void> {
  await db.transaction(async (tx) => {
    await sayGoodbye(tx, site);
    await tx.query(
      `update hearsay_leases set holder = null,
          until_ms = case when until_ms > now_ms() then now_ms() else until_ms end
        where holder = $1`,
      [site.vkey],
    );
    await tx.tell(CHANNEL, wordOf("leases", site));
  });
}

function partsOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(all.length / MAX_ROWS);
  return Array.from({ length: count }, (_, at) => all.slice(at * MAX_ROWS, (at + 1) * MAX_ROWS));
}
