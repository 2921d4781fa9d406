/**
 * The store that several daemons of one operator share: an index over the journals of all of them, and
 * what lets them divide the work. It convicts nobody. What it gives is to be verified like what a peer
 * tells, and journals win.
 *
 *     const store = await SharedStore.open({ db, clock, site: { vkey, name, software } });
 *     let at = await store.published();
 *     at = await store.publish({ after: at, entries, last });
 *     const { heads, next } = await store.headsAfter(undefined, 200);
 *
 * @module
 */
import type { Link } from "../evidence/entry.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import type { Clock } from "../world/world.ts";
import { Turns } from "../world/turns.ts";
import { claim, claimDone, unclaim } from "./shared_claims.ts";
import { contradicting, headsAfter, noteTaken, publish, takenOf } from "./shared_heads.ts";
import { keepLeases, release } from "./shared_leases.ts";
import { type LeasedLook, looksAfter, writeLooks } from "./shared_looks.ts";
import { heardPeers, peersHeard } from "./shared_peers.ts";
import { expectSchema } from "./shared_schema.ts";
import { checkSite, greet, publishCases, publishedOf, sitesOf } from "./shared_sites.ts";
import type {
  Claim,
  DamagedOwnRow,
  DamagedRow,
  HeadCursor,
  HeadPage,
  Lease,
  LeaseReport,
  LeaseWishes,
  LookPage,
  LookSaid,
  OwnRow,
  PeerHeard,
  PeerRow,
  Publication,
  PublishedEntry,
  SharedCase,
  SharedHead,
  SharedRecord,
  SharedSite,
  SiteRow,
  StoredRecord,
  StoreEars,
  Trimmed,
} from "./shared_types.ts";
import { publishRecord, recordsLacking } from "./shared_records.ts";
import { forgetSite, ownRows, trimStore } from "./shared_upkeep.ts";
import { listenTo } from "./shared_words.ts";

/** What a shared store needs. */
export interface SharedStoreParts {
  readonly db: SharedDatabase;
  readonly clock: Pick<Clock, "monotonic">;
  readonly site: SharedSite;
}

/**
 * The shared store, as one site has it. Each method throws WorldError if the database does not do as
 * asked; then it may have happened all the same, if only the answer was lost, and may be asked again.
 */
export class SharedStore {
  readonly #parts: SharedStoreParts;
  /** What is done about leases comes one after the other. */
  readonly #turns = new Turns();

  private constructor(parts: SharedStoreParts) {
    this.#parts = parts;
  }

  /**
   * Checks the schema, and enters the site. It does not close `db` if that fails.
   * @throws StoreRefused if the schema is missing, older, or too new for this program
   * @throws WorldError
   */
  static async open(parts: SharedStoreParts): Promise<SharedStore> {
    checkSite(parts.site);
    await expectSchema(parts.db);
    await greet(parts.db, parts.site, 0);
    return new SharedStore(parts);
  }

  /**
   * The last entry of this site's observation journal that the store has; FIRST_LINK if none.
   * @throws StoreRefused if what the store says is no place in a journal
   */
  published(): Promise<Link> {
    return publishedOf(this.#parts.db, this.#parts.site.vkey);
  }

  /**
   * Publishes entries of this site's observation journal. Once it returns, all other sites find their
   * heads. To do it again changes nothing.
   * @returns where the store is now. If that is not `last`, the store was not at `after` (the database
   *   may be back from an older backup): go on from there
   */
  publish(publication: Publication): Promise<Link> {
    return publish(this.#parts.db, this.#parts.site, publication);
  }

  /** Publishes the record of a case. To do it again changes nothing. */
  publishRecord(record: SharedRecord): Promise<void> {
    return publishRecord(this.#parts.db, this.#parts.site, record);
  }

  /**
   * Records of other sites, of cases that this site has not recorded, about logs that it follows; by
   * their ids, and of one id by the sites.
   * @param walk.after goes on after this one; texts that are empty to begin
   */
  recordsLacking(
    walk: { after: Pick<StoredRecord, "evidenceId" | "site">; limit: number },
  ): Promise<readonly (StoredRecord | DamagedRow)[]> {
    return recordsLacking(this.#parts.db, this.#parts.site, walk);
  }

  /** Publishes which cases this site has recorded. To do it again changes nothing. */
  publishCases(cases: readonly SharedCase[]): Promise<void> {
    return publishCases(this.#parts.db, this.#parts.site, cases);
  }

  /**
   * Heads of all sites, this one too, in the order in which they came in. Whoever goes on from `next`
   * is given each of them.
   * @param cursor nothing to begin with the first head
   * @param limit at most so many, at least 1
   */
  headsAfter(cursor: HeadCursor | undefined, limit: number): Promise<HeadPage> {
    return headsAfter(this.#parts.db, cursor, limit);
  }

  /**
   * From where this site is to go on with the heads of all: as it noted last. One that never did goes
   * on with the newest. Nothing if the store has no heads.
   */
  taken(): Promise<HeadCursor | undefined> {
    return takenOf(this.#parts.db, this.#parts.site);
  }

  /** Notes up to which head this site has taken all. */
  noteTaken(cursor: HeadCursor): Promise<void> {
    return noteTaken(this.#parts.db, this.#parts.site, cursor);
  }

  /** What any site has seen that has another root at the size of one of these entries. */
  contradicting(entries: readonly PublishedEntry[]): Promise<readonly SharedHead[]> {
    return contradicting(this.#parts.db, entries);
  }

  /**
   * Says that this site is alive, and renews, takes and gives up leases as is its part. To be called
   * each third of `leaseMs`, and when others gave up leases.
   * @throws MalformedError for wishes that cannot be
   */
  keepLeases(wishes: LeaseWishes): Promise<LeaseReport> {
    return this.#turns.next(() => keepLeases(this.#parts, wishes));
  }

  /** Gives up all leases of this site, and says that it is gone. Others take them over at once. */
  release(): Promise<void> {
    return this.#turns.next(() => release(this.#parts));
  }

  /**
   * Writes what a look under a lease brought, and wakes the others.
   * @returns `stale` if the slot was taken by somebody since; then nothing was written. What was seen
   *   is published with the journal all the same
   */
  async look(lease: Lease, said: LookSaid): Promise<"taken" | "stale"> {
    return (await this.lookAll([{ lease, said }])).length === 0 ? "taken" : "stale";
  }

  /**
   * As `look`, for any number of looks in different slots, which costs little more than one.
   * @returns the leases that are stale
   */
  lookAll(looks: readonly LeasedLook[]): Promise<readonly Lease[]> {
    return writeLooks(this.#parts.db, this.#parts.site, looks);
  }

  /** The looks that were written after those of a page before, at most MAX_LOOKS; all after 0. */
  looksAfter(version: bigint): Promise<LookPage> {
    return looksAfter(this.#parts.db, version);
  }

  /**
   * Claims something that one site is to do. After `holdMs` without `claimDone`, another may.
   * @param key 1 to MAX_KEY_BYTES bytes
   */
  claim(key: string, holdMs: number): Promise<Claim> {
    return claim(this.#parts.db, this.#parts.site, { key, holdMs });
  }

  /** Gives a claim of this site up, so that another may have it now. What is done stays done. */
  unclaim(key: string): Promise<void> {
    return unclaim(this.#parts.db, this.#parts.site, key);
  }

  /** Says that what was claimed is done. */
  claimDone(key: string): Promise<void> {
    return claimDone(this.#parts.db, this.#parts.site, key);
  }

  /** All sites that ever opened the store. */
  sites(): Promise<readonly (SiteRow | DamagedRow)[]> {
    return sitesOf(this.#parts.db);
  }

  /** Says of which peers this site has heard, and when. */
  heardPeers(peers: readonly PeerHeard[]): Promise<void> {
    return heardPeers(this.#parts.db, this.#parts.site, peers);
  }

  /** When each peer was heard of last, by any site; the latest first, at most a thousand. */
  peersHeard(): Promise<readonly (PeerRow | DamagedRow)[]> {
    return peersHeard(this.#parts.db);
  }

  /** Hears what other sites put into the store, from now on. */
  listen(ears: StoreEars): Promise<void> {
    return listenTo(this.#parts.db, this.#parts.site, ears);
  }

  /** Drops what came in longer ago than so many milliseconds, by the database's clock; see `trimStore`. */
  async trim(keepMs: number): Promise<Trimmed> {
    const [row] = await this.#parts.db.query("select now_ms() as now");
    return await trimStore(this.#parts.db, Number(row!.now) - keepMs);
  }

  /** What the store has of this site's observation journal, in its order; see `ownRows`. */
  ownRows(walk: { afterSeq: number; limit: number }): Promise<readonly (OwnRow | DamagedOwnRow)[]> {
    return ownRows(this.#parts.db, this.#parts.site, walk);
  }

  /** Removes all that the store has of this site's journals, so that they are published anew. */
  forget(): Promise<void> {
    return forgetSite(this.#parts.db, this.#parts.site);
  }

  /** Closes the database. Leases stay until they run out; see `release`. */
  async close(): Promise<void> {
    await this.#turns.done();
    await this.#parts.db.close();
  }
}
