/**
 * The shared store beside this site's own observation journal: what of it is not as the journal has it,
 * and how to publish the journal again. The journal is right.
 *
 * @module
 */
import { FIRST_LINK, type Link } from "../evidence/entry.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import { timeOf } from "../world/time.ts";
import type { ObservationItem } from "./observations.ts";
import { MAX_BATCH_ENTRIES, publish, publishedEntry } from "./shared_heads.ts";
import { publishedOf } from "./shared_sites.ts";
import type { DamagedOwnRow, OwnRow, PublishedEntry, SharedSite } from "./shared_types.ts";
import { forgetSite, lastOwnRow, ownRows, STORE_KEEPS_MS } from "./shared_upkeep.ts";

/** Rows that are read at a time. */
const PAGE = 500;
/** How far the clocks of the sites and of the database may be apart, with room. */
const CLOCKS_APART_MS = 86_400_000;
/** Faults that are told one by one. */
export const MAX_FAULTS_TOLD = 20;

/** What is compared. */
export interface Compared {
  readonly db: SharedDatabase;
  readonly site: SharedSite;
  /** The journal, from its first entry; see `checkObservations`. */
  readonly journal: AsyncIterable<ObservationItem>;
  /** Whether this site itself publishes what came from a source. */
  readonly isPublished: (source: string) => boolean;
}

/** How the store and the journal stand to one another. */
export interface Comparison {
  /** Entries of the journal. */
  readonly entries: number;
  /** Rows of the store that were compared with an entry. */
  readonly rows: number;
  /** Rows about entries that the journal has removed since. They cannot be compared. */
  readonly older: number;
  /** Up to which entry the store says that it has the journal. */
  readonly published: Link;
  /** How many entries were written since, and are not published yet. */
  readonly behind: number;
  /** Checkpoints that the store lacks as it may: they are old, or the journal has removed others. */
  readonly lacking: number;
  /** What is damaged, one line each, as far as it is told; `faults` counts all of it. */
  readonly told: readonly string[];
  readonly faults: number;
}

type Item = Exclude<ObservationItem, { torn: true }>;

/**
 * Compares all that the store has of a site's observation journal with the journal. A daemon may run
 * meanwhile.
 * @throws StoreRefused, WorldError, and what reading the journal throws
 */
export async function compareWithJournal(compared: Compared): Promise<Comparison> {
  const { db, site, journal } = compared;
  // An entry is written before it is published. So what the store has now is in the journal that is read
  // from now on, if it ever was.
  const published = await publishedOf(db, site.vkey);
  const lastRow = await lastOwnRow(db, site);
  const [row] = await db.query("select now_ms() as now");
  const keptFrom = timeOf(Number(row!.now) - STORE_KEEPS_MS + CLOCKS_APART_MS);
  const comparing = new Comparing(compared, { published, keptFrom });
  for await (const item of journal) {
    if (!("torn" in item)) await comparing.take(item);
  }
  return await comparing.end(lastRow);
}

class Comparing {
  readonly #isPublished: Compared["isPublished"];
  readonly #published: Link;
  /** What was seen since then the store has not dropped: RFC 3339, UTC. */
  readonly #keptFrom: string;
  readonly #rows: OwnRows;
  /** Each checkpoint of the journal, or of rows about what it has removed. */
  readonly #seen = new Set<string>();
  readonly #told: string[] = [];
  #counts = { entries: 0, rows: 0, older: 0, behind: 0, lacking: 0, faults: 0 };
  #lastSeq = FIRST_LINK.seq;

  constructor(
    { db, site, isPublished }: Compared,
    { published, keptFrom }: { published: Link; keptFrom: string },
  ) {
    this.#keptFrom = keptFrom;
    this.#isPublished = isPublished;
    this.#published = published;
    this.#rows = new OwnRows(db, site);
  }

  /** Compares an entry, and the rows up to it. */
  async take(item: Item): Promise<void> {
    const { seq, hash } = item.entry;
    // What is between two entries was removed, or the journal would be damaged.
    for (const row of await this.#rows.upTo(seq - 1)) {
      this.#counts.older++;
      if (!("damaged" in row)) this.#seen.add(keyOf(row));
    }
    this.#counts.entries++;
    this.#lastSeq = seq;
    if (seq > this.#published.seq) this.#counts.behind++;
    const { hash: known } = this.#published;
    if (seq === this.#published.seq && known !== "" && known !== hash) {
      this.#fault(
        `the hash of entry ${seq}, up to which it was published, is another in the store`,
      );
    }
    const seen = ownCheckpoint(item);
    const rows = await this.#rows.upTo(seq);
    for (const row of rows) this.#compare(row, { seen, seq });
    if (seen === undefined) return;
    const isFirst = !this.#seen.has(keyOf(rowLike(seen)));
    this.#seen.add(keyOf(rowLike(seen)));
    const isWanted = isFirst && seq <= this.#published.seq && this.#isPublished(seen.source);
    if (!isWanted || rows.length > 0) return;
    const isWhole = this.#counts.older === 0 && this.#counts.entries === seq;
    if (isWhole && seen.recordedAt >= this.#keptFrom) {
      this.#fault(`entry ${seq}, size ${seen.checkpoint.size}, is not in the store`);
    } else this.#counts.lacking++;
  }

  /** Looks at what is after the journal's last entry. */
  async end(lastRow: number): Promise<Comparison> {
    for (const row of await this.#rows.upTo(lastRow)) {
      this.#fault(`the store has an entry ${row.seq}, and the journal ends with ${this.#lastSeq}`);
    }
    const { seq } = this.#published;
    if (seq > this.#lastSeq) {
      this.#fault(
        `the store says that it has the journal up to entry ${seq}, and it ends with ${this.#lastSeq}`,
      );
    }
    return { ...this.#counts, published: this.#published, told: this.#told };
  }

  #compare(
    row: OwnRow | DamagedOwnRow,
    { seen, seq }: { seen: PublishedEntry | undefined; seq: number },
  ): void {
    this.#counts.rows++;
    const fault = "damaged" in row ? row.damaged : differenceOf(row, seen);
    if (fault !== undefined) this.#fault(`entry ${seq}: ${fault}`);
  }

  #fault(text: string): void {
    this.#counts.faults++;
    if (this.#told.length < MAX_FAULTS_TOLD) this.#told.push(text);
  }
}

/** The checkpoint of an entry; nothing if it has none that is shared. */
function ownCheckpoint(item: Item): PublishedEntry | undefined {
  if (!("observation" in item)) return undefined;
  return publishedEntry({ entry: item.entry, record: item.observation });
}

/** What the store has otherwise than the journal, if anything. */
function differenceOf(row: OwnRow, seen: PublishedEntry | undefined): string | undefined {
  if (seen === undefined) return `the store has size ${row.treeSize}, the journal no checkpoint`;
  const { checkpoint: { size, root, note }, log, hash } = seen;
  if (row.log !== log) return "the store has it about another log";
  if (`${row.treeSize}` !== size) return `the store has size ${row.treeSize}, the journal ${size}`;
  if (row.root !== root) return `the store has another root at size ${size} than the journal`;
  // Who publishes may leave the hash out.
  if (row.hash !== "" && row.hash !== hash) return "the store has another hash of it";
  if (!row.hasHead) return `the store has lost the note of size ${size}`;
  if (row.note !== undefined && row.note !== note) {
    return `the store has another note, size ${size}`;
  }
  return undefined;
}

/** What a row and an entry have in common. */
type RowLike = Pick<OwnRow, "log" | "root"> & { readonly treeSize: bigint | string };

function rowLike({ log, checkpoint: { size, root } }: PublishedEntry): RowLike {
  return { log, treeSize: size, root };
}

function keyOf({ log, treeSize, root }: RowLike): string {
  return `${treeSize} ${root} ${log}`;
}

/** The rows of a site, in the order of its journal. */
class OwnRows {
  readonly #db: SharedDatabase;
  readonly #site: SharedSite;
  #page: (OwnRow | DamagedOwnRow)[] = [];
  #readTo = FIRST_LINK.seq;
  #isEnd = false;

  constructor(db: SharedDatabase, site: SharedSite) {
    this.#db = db;
    this.#site = site;
  }

  /** The rows up to an entry that were not given yet. @throws WorldError */
  async upTo(seq: number): Promise<(OwnRow | DamagedOwnRow)[]> {
    const given: (OwnRow | DamagedOwnRow)[] = [];
    for (;;) {
      while (this.#page.length > 0 && this.#page[0]!.seq <= seq) given.push(this.#page.shift()!);
      // What comes in behind the end of a running daemon's rows is newer than what is compared.
      if (this.#page.length > 0 || this.#isEnd || this.#readTo >= seq) return given;
      this.#page = [
        ...await ownRows(this.#db, this.#site, { afterSeq: this.#readTo, limit: PAGE }),
      ];
      this.#isEnd = this.#page.length < PAGE;
      this.#readTo = this.#page.at(-1)?.seq ?? this.#readTo;
    }
  }
}

/**
 * Removes what the store has of a site, and publishes its journal again. If its daemon runs and publishes
 * too, each goes on where the other one is.
 * @returns the last entry that was published here, and how many checkpoints; the daemon does the rest
 * @throws WorldError, and what reading the journal throws; then it can be done again
 */
export async function publishAgain(
  { db, site, journal, isPublished }: Compared,
): Promise<{ readonly last: Link; readonly checkpoints: number }> {
  await forgetSite(db, site);
  const seen = new Set<string>();
  let [at, last]: [Link, Link] = [FIRST_LINK, FIRST_LINK];
  let batch: PublishedEntry[] = [];
  let checkpoints = 0;
  const send = async (): Promise<boolean> => {
    const reached = await publish(db, site, { after: at, entries: batch, last });
    const isOurs = reached.seq === last.seq && reached.hash === last.hash;
    if (isOurs) checkpoints += batch.length;
    [at, batch] = [reached, []];
    return isOurs;
  };
  for await (const item of journal) {
    if ("torn" in item) continue;
    const { seq, hash } = item.entry;
    last = { seq, hash };
    const entry = ownCheckpoint(item);
    if (entry === undefined || seen.has(keyOf(rowLike(entry)))) continue;
    seen.add(keyOf(rowLike(entry)));
    if (!isPublished(entry.source)) continue;
    batch.push(entry);
    if (batch.length === MAX_BATCH_ENTRIES && !await send()) return { last: at, checkpoints };
  }
  if (last.seq > at.seq) await send();
  return { last: at, checkpoints };
}
