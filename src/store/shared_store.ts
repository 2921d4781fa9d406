/**
 * The store that several daemons of one operator share: an index over the journals of all of them, and
 * what lets them divide the work. It convicts nobody. What it gives is to be verified like what a peer
 * tells, and journals win.
 *
 * @module
 */
import type { Link } from "../evidence/entry.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import type { Clock } from "../world/world.ts";
import type {
  Claim,
  HeadCursor,
  HeadPage,
  Lease,
  LeaseReport,
  LeaseWishes,
  LookPage,
  LookSaid,
  Publication,
  SharedCase,
  SharedHead,
  SharedSite,
  SiteRow,
  StoreEars,
  Trimmed,
} from "./shared_types.ts";

/** What a shared store needs. */
export interface SharedStoreParts {
  readonly db: SharedDatabase;
  readonly clock: Pick<Clock, "monotonic">;
  readonly site: SharedSite;
}

/** The shared store, as one site has it. All methods throw WorldError if the database does not do as asked. */
export class SharedStore {
  private constructor(_parts: SharedStoreParts) {}

  /**
   * Checks the schema, and enters the site.
   * @throws StoreRefused if the schema is missing, older, or too new for this program
   * @throws WorldError
   */
  static open(_parts: SharedStoreParts): Promise<SharedStore> {
    throw new Error("to follow");
  }

  /** The last entry of this site's observation journal that the store has; FIRST_LINK if none. */
  published(): Promise<Link> {
    throw new Error("to follow");
  }

  /**
   * Publishes entries of this site's observation journal. Once it returns, all other sites find their
   * heads. To do it again changes nothing.
   * @returns where the store is now. If that is not `last`, the store was not at `after` (the database
   *   may be back from an older backup): go on from there
   */
  publish(_publication: Publication): Promise<Link> {
    throw new Error("to follow");
  }

  /** Publishes which cases this site has recorded. To do it again changes nothing. */
  publishCases(_cases: readonly SharedCase[]): Promise<void> {
    throw new Error("to follow");
  }

  /**
   * Heads of all sites, this one too, in the order in which they came in: whoever goes on from `next`
   * is given each of them. @param limit at most so many, at least 1
   */
  headsAfter(_cursor: HeadCursor | undefined, _limit: number): Promise<HeadPage> {
    throw new Error("to follow");
  }

  /** What any site has seen of a log at a size. Two roots are a case, if both are signed. */
  rootsAt(_log: string, _treeSize: bigint): Promise<HeadPage["heads"]> {
    throw new Error("to follow");
  }

  /** Says that this site is alive, and renews, takes and gives up leases as is its part. */
  keepLeases(_wishes: LeaseWishes): Promise<LeaseReport> {
    throw new Error("to follow");
  }

  /** Gives up all leases of this site, and says that it is gone. */
  release(): Promise<void> {
    throw new Error("to follow");
  }

  /**
   * Writes what a look under a lease brought.
   * @returns `stale` if the slot was taken by somebody since; then nothing was written
   */
  look(_lease: Lease, _said: LookSaid): Promise<"taken" | "stale"> {
    throw new Error("to follow");
  }

  /** The looks that were written after those of a page before; all after 0. */
  looksAfter(_version: bigint): Promise<LookPage> {
    throw new Error("to follow");
  }

  /** Claims something that one site is to do. After `holdMs` without `claimDone`, another may. */
  claim(_key: string, _holdMs: number): Promise<Claim> {
    throw new Error("to follow");
  }

  /** Says that what was claimed is done. */
  claimDone(_key: string): Promise<void> {
    throw new Error("to follow");
  }

  /** All sites that ever opened the store. */
  sites(): Promise<readonly SiteRow[]> {
    throw new Error("to follow");
  }

  /** Hears what other sites put into the store, from now on. */
  listen(_ears: StoreEars): Promise<void> {
    throw new Error("to follow");
  }

  /** Drops what is older than a time of the database; see `trimStore`. */
  trim(_beforeMs: number): Promise<Trimmed> {
    throw new Error("to follow");
  }

  /** Closes the database. Leases stay until they run out; see `release`. */
  close(): Promise<void> {
    throw new Error("to follow");
  }
}

/** For those who read heads. */
export type { SharedHead };
