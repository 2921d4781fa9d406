/**
 * What one site is to do for all, such as to send an alert: it is claimed by its key, and done at
 * least once. A site that ends between the doing and `claimDone` leaves it to be done again.
 *
 * @module
 */
import { MalformedError, quoted } from "../tlog/malformed.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import type { SqlRow } from "../world/world.ts";
import { fitsKey } from "./shared_rows.ts";
import { MAX_KEY_BYTES } from "./shared_schema.ts";
import { agoMs } from "./shared_sites.ts";
import type { Claim, SharedSite } from "./shared_types.ts";

/** How long a site that finds a damaged claim waits before it tries again, in milliseconds. */
const ASK_AGAIN_MS = 1_000;
/** A server that takes over may be behind by so many milliseconds; no claim is over because of that. */
const CLOCK_SLIP_MS = 10_000n;

/**
 * See `SharedStore.claim`. A claim that ends later than one made now counts as over: the database's clock
 * was wrong when it was written, and nothing must wait for that.
 * @throws MalformedError, WorldError
 */
export async function claim(
  db: SharedDatabase,
  { vkey }: SharedSite,
  { key, holdMs }: { key: string; holdMs: number },
): Promise<Claim> {
  expectKey(key);
  // A site that claimed it and was started again need not wait for itself.
  const mine = await db.query(
    `insert into hearsay_claims(key, site, until_ms)
      values ($1, $2, now_ms() + cast($3 as bigint))
      on conflict (key) do update set site = excluded.site, until_ms = excluded.until_ms
        where hearsay_claims.done_ms is null
          and (hearsay_claims.until_ms <= now_ms() or hearsay_claims.site = excluded.site
            or hearsay_claims.until_ms > now_ms() + cast($4 as bigint))
      returning key`,
    [key, vkey, BigInt(holdMs), BigInt(holdMs) + CLOCK_SLIP_MS],
  );
  if (mine.length > 0) return "mine";
  const [row] = await db.query(
    "select site, until_ms, done_ms, now_ms() as read_ms from hearsay_claims where key = $1",
    [key],
  );
  return standing(row);
}

function standing(row: SqlRow | undefined): Claim {
  const site = String(row?.site ?? "");
  if (row !== undefined && row.done_ms !== null) return { doneBy: site };
  const [untilMs, readMs] = [row?.until_ms, row?.read_ms];
  // It was dropped or is over since, so that it can be claimed now.
  if (typeof untilMs !== "bigint" || typeof readMs !== "bigint") {
    return { heldBy: site, forMs: ASK_AGAIN_MS };
  }
  return { heldBy: site, forMs: agoMs(readMs, untilMs) };
}

/** See `SharedStore.claimDone`. @throws MalformedError, WorldError */
export async function claimDone(
  db: SharedDatabase,
  { vkey }: SharedSite,
  key: string,
): Promise<void> {
  expectKey(key);
  // What is done is done, whoever has the claim by now, and if the database has lost it.
  await db.query(
    `insert into hearsay_claims(key, site, until_ms, done_ms) values ($1, $2, now_ms(), now_ms())
      on conflict (key) do update set site = excluded.site, done_ms = excluded.done_ms
        where hearsay_claims.done_ms is null`,
    [key, vkey],
  );
}

/** See `SharedStore.unclaim`. @throws MalformedError, WorldError */
export async function unclaim(
  db: SharedDatabase,
  { vkey }: SharedSite,
  key: string,
): Promise<void> {
  expectKey(key);
  await db.query(
    `update hearsay_claims set until_ms = 0
      where key = $1 and site = $2 and done_ms is null`,
    [key, vkey],
  );
}

function expectKey(key: string): void {
  if (key !== "" && fitsKey(key)) return;
  throw new MalformedError(
    `Cannot claim ${quoted(key)}: expected a key of 1 to ${MAX_KEY_BYTES} bytes`,
  );
}
