/**
 * When each peer was heard of, by any site: so that a peer that one site cannot reach is not taken for
 * dead while another one hears it.
 *
 * @module
 */
import type { SharedDatabase } from "../world/shared_database.ts";
import type { SqlRow } from "../world/world.ts";
import { countIn, fitsKey, orDamaged, siteNameIn, textIn } from "./shared_rows.ts";
import { agoMs } from "./shared_sites.ts";
import { placeholders } from "./shared_sql.ts";
import type { DamagedRow, PeerHeard, PeerRow, SharedSite } from "./shared_types.ts";

/** Most peers in one statement, and most that are read. */
const MAX_PEERS = 1_000;

/** See `SharedStore.heardPeers`. @throws WorldError */
export async function heardPeers(
  db: SharedDatabase,
  { vkey }: SharedSite,
  peers: readonly PeerHeard[],
): Promise<void> {
  const newest = new Map<string, number>();
  for (const { peer, agoMs } of peers) {
    if (fitsKey(peer)) newest.set(peer, Math.min(agoMs, newest.get(peer) ?? agoMs));
  }
  // In one order on all sites: who locks the same rows in another one waits for us as we wait for it.
  const all = [...newest].toSorted(([a], [b]) => a < b ? -1 : 1).map((
    [peer, agoMs],
  ) => [peer, BigInt(Math.max(0, Math.round(agoMs)))]);
  for (let at = 0; at < all.length; at += MAX_PEERS) {
    const rows = all.slice(at, at + MAX_PEERS);
    const values = placeholders(
      rows,
      ([peer, ago]) => `(${peer}, $1, now_ms() - cast(${ago} as bigint))`,
      2,
    );
    await db.query(
      `insert into hearsay_peers(peer, site, heard_ms) values ${values}
        on conflict (peer) do update set site = excluded.site, heard_ms = excluded.heard_ms
          where excluded.heard_ms > hearsay_peers.heard_ms
            or hearsay_peers.heard_ms > now_ms()`,
      [vkey, ...rows.flat()],
    );
  }
}

/**
 * See `SharedStore.peersHeard`. What was heard later than now says nothing: the database's clock was
 * wrong, and a peer that is gone would be heard until that time comes.
 * @throws WorldError
 */
export async function peersHeard(db: SharedDatabase): Promise<readonly (PeerRow | DamagedRow)[]> {
  const rows = await db.query(
    `select p.peer, p.site, p.heard_ms, s.name, now_ms() as read_ms
      from hearsay_peers p left join hearsay_sites s on s.vkey = p.site
      where p.heard_ms <= now_ms()
      order by p.heard_ms desc, p.peer limit ${MAX_PEERS}`,
  );
  return rows.map((row) => orDamaged(row, peerIn));
}

function peerIn(row: SqlRow): PeerRow {
  const site = textIn(row, "site");
  const ago = agoMs(countIn(row, "heard_ms"), countIn(row, "read_ms"));
  return { peer: textIn(row, "peer"), site, siteName: siteNameIn(row, site), agoMs: ago };
}
