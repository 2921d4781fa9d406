/**
 * What the shared store gives and takes.
 *
 * Times of the database are in milliseconds since 1970, by its own clock. A *site* is one daemon of an
 * operator whose daemons share a store; it is named by the vkey of its monitor. A log is named by its
 * `Log.id`.
 *
 * @module
 */
import type { Link } from "../evidence/entry.ts";
import type { Result } from "../evidence/result.ts";
import type { ObservedCheckpoint } from "./observation.ts";

/** The site that opens the store. */
export interface SharedSite {
  /** The text of its monitor's vkey. */
  readonly vkey: string;
  /** Its monitor's name. */
  readonly name: string;
  /** The program and its version, for people. */
  readonly software: string;
  /** A random text of this daemon's own: tells it from another one that has its key. */
  readonly run?: string | undefined;
}

/** An entry of a site's observation journal, as far as others need it; `publishedEntry` makes one. */
export interface PublishedEntry extends Link {
  /** RFC 3339, UTC. */
  readonly recordedAt: string;
  readonly log: string;
  readonly source: string;
  readonly result: Result;
  readonly checkpoint: ObservedCheckpoint;
}

/** What is published in one go. */
export interface Publication {
  /** Where the store is, as the site knows it: `published()`, or what `publish` returned last. */
  readonly after: Link;
  /** In the order of the journal. Those with nothing for others are left out. */
  readonly entries: readonly PublishedEntry[];
  /** The last entry of the journal that this takes care of, whether it was left out or not. */
  readonly last: Link;
}

/** A case that a site has recorded in its incident journal. */
export interface SharedCase {
  readonly evidenceId: string;
  readonly log: string;
  /** Of the entry in the incident journal. */
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly recordedAt: string;
}

/** The record of a case, as its site has it in its incident journal. */
export interface SharedRecord {
  readonly evidenceId: string;
  readonly log: string;
  /** As `formatRecord` writes it. */
  readonly record: string;
}

/** A record of another site, not verified: a text of the database. */
export interface StoredRecord {
  readonly evidenceId: string;
  /** The vkey of the site that published it. */
  readonly site: string;
  readonly siteName: string;
  readonly record: string;
}

/** Somebody's checkpoint, not verified: a text of the database. */
export interface SharedCheckpoint {
  readonly treeSize: bigint;
  /** Base64 of 32 bytes. */
  readonly root: string;
  /** The whole signed note. It states this size and root, and its signatures were not looked at. */
  readonly note: string;
}

/** A row that nobody can have written with this program. It accuses nobody. */
export interface DamagedRow {
  /** What is wrong, for people: one line. */
  readonly damaged: string;
}

/** A head that a site has seen: one for each (log, size, root), whoever saw it and how often. */
export interface SharedHead extends SharedCheckpoint {
  readonly log: string;
  /** The vkey of the site that published it first. */
  readonly site: string;
  readonly siteName: string;
}

/** A place in the order in which heads came into the store. */
export interface HeadCursor {
  readonly id: bigint;
  /** When the head with this id came in: tells it from another one that got the id later. */
  readonly addedMs: bigint;
}

/** Some heads, in the order in which they came in. */
export interface HeadPage {
  readonly heads: readonly (SharedHead | DamagedRow)[];
  /** From where to go on, also if there are no heads. Nothing if the store has none at all. */
  readonly next: HeadCursor | undefined;
  /**
   * Whether the cursor is not in the store any more: the database is back from an older backup, or the
   * head was dropped. Then these are the first heads of all.
   */
  readonly restarted: boolean;
}

/** What a site wants to hold. */
export interface LeaseWishes {
  /** The logs that it follows. */
  readonly logs: readonly string[];
  /** How many sites are to look at each log: a whole number from 1. */
  readonly views: number;
  /** How long a lease lasts, in milliseconds. It is renewed each third of that. */
  readonly leaseMs: number;
}

/** The right to look at a log for all sites, in one of its slots. */
export interface Lease {
  readonly log: string;
  /** From 0 to `views` - 1. */
  readonly slot: number;
  /** Rises each time that the slot is taken. */
  readonly fence: bigint;
  /**
   * Until when it lasts at least, by this daemon's monotonic clock: counted from before it was asked
   * for, so a daemon that was paused, or asked slowly, does not believe in it for longer than the
   * database does.
   */
  readonly validUntil: number;
}

/** A lease that some site has. */
export interface HeldLease extends Lease {
  /** The vkey of its site. */
  readonly holder: string;
}

/** How things stand after a site took care of its leases. */
export interface LeaseReport {
  /** Those of this site. */
  readonly held: readonly Lease[];
  /** Those of other sites, about the logs that this site follows, which have not run out. */
  readonly others: readonly HeldLease[];
}

/** What a look at a log for all brought. */
export interface LookSaid {
  readonly result: Result;
  /** What the log showed; nothing if it showed no checkpoint. */
  readonly checkpoint?: SharedCheckpoint | undefined;
  /** How many looks in a row have failed, this one too: 0 if it did not fail. */
  readonly failures: number;
}

/** The last look in one slot of a log. */
export interface SharedLook {
  readonly log: string;
  readonly slot: number;
  /** The vkey of the site that looked. */
  readonly site: string;
  readonly siteName: string;
  readonly result: Result;
  readonly failures: number;
  /** How long ago it was when this was read, in milliseconds, by the database's clock. */
  readonly agoMs: number;
  /** The newest checkpoint that a look in this slot brought; nothing if none did. */
  readonly checkpoint: SharedCheckpoint | undefined;
}

/** Looks, in the order in which they were last written. */
export interface LookPage {
  readonly looks: readonly (SharedLook | DamagedRow)[];
  /** For the next call. */
  readonly next: bigint;
}

/** What became of a claim. */
export type Claim =
  /** it is for this site to do */
  | "mine"
  /** it is done; the vkey of the site that did it */
  | { readonly doneBy: string }
  /** another site does it, and has so many milliseconds left */
  | { readonly heldBy: string; readonly forMs: number };

/** A site of the store. */
export interface SiteRow extends SharedSite {
  /** Whether it took care of its leases in time. */
  readonly alive: boolean;
  /** Whether it said that it stops, and was not heard of since. */
  readonly stopped: boolean;
  /** How long ago it was heard of, in milliseconds, by the database's clock. */
  readonly seenAgoMs: number;
  /** The last entry of its journal that the store has. */
  readonly published: Link;
  /** How many leases it has. */
  readonly leases: number;
  /** How many of its cases the store has. */
  readonly cases: number;
}

/** A peer that a site has heard of. */
export interface PeerHeard {
  /** Its vkey, or the address at which it is called: 1 to MAX_KEY_BYTES bytes; others are left out. */
  readonly peer: string;
  /** How long ago, in milliseconds. */
  readonly agoMs: number;
}

/** A peer, as the site has it that heard of it last. */
export interface PeerRow extends PeerHeard {
  readonly site: string;
  readonly siteName: string;
}

/** What is new in the store. */
export type StoreNews = "heads" | "looks" | "leases";

/** Who hears what other sites put into the store. */
export interface StoreEars {
  onNews(news: StoreNews): void;
  /** Something may have been missed: the connection was lost, and is back. */
  onGap(): void;
}

/** What the store has of one entry of a site's own observation journal. */
export interface OwnRow extends Link {
  readonly log: string;
  readonly treeSize: bigint;
  /** Base64 of 32 bytes, if nobody has changed it. */
  readonly root: string;
  /** The note that the store has from this entry; nothing if it has that of an earlier one. */
  readonly note: string | undefined;
  /** Whether there is a head for it, of whichever site. */
  readonly hasHead: boolean;
}

/** A damaged row about a site's own journal, and the entry that it names. */
export type DamagedOwnRow = DamagedRow & { readonly seq: number };

/** What was dropped, in rows. */
export interface Trimmed {
  readonly heads: number;
  readonly sightings: number;
  readonly claims: number;
  readonly peers: number;
}

/** The store cannot be used as it is. The message is a sentence that says what to do. */
export class StoreRefused extends Error {}
