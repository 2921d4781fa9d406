/**
 * The index over the observation journal, in SQLite: what was seen of a log at a size. It is
 * derived. Its content depends only on the entries that are in the journal, and not on removed
 * entries that it read before. So an index that followed along and one that was rebuilt give the
 * same answers.
 *
 * Three words are its own:
 *
 * - a *head* is a distinct (log, size, root),
 * - a *sighting* is an entry of the journal,
 * - a *plain* sighting is one that is not a summary of repeats.
 *
 * @module
 */
import { MAX_ROOTS_PER_SIZE } from "../evidence/memory.ts";
import {
  AGREEING_RESULTS,
  OPEN_RESULTS,
  PROVING_RESULTS,
  type Result,
  RESULTS,
} from "../evidence/result.ts";
import type { Database, Databases, SqlRow, SqlValue } from "../world/world.ts";
import { WorldError } from "../world/world.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { Entry, Link } from "../evidence/entry.ts";
import { FIRST_LINK } from "../evidence/entry.ts";
import {
  logIdOf,
  type Observation,
  type ObservedCheckpoint,
  type ObservedHead,
} from "./observation.ts";
import { packNote, packRoot, packTime, unpackNote, unpackRoot, unpackTime } from "./packed.ts";
import type { Removal } from "./removal.ts";

/**
 * Goes up with every change of the tables or their contents. An index of another version is
 * rebuilt.
 */
const INDEX_VERSION = 5n;

/** An open question as it was first seen. It has no note, since that may be long. */
export interface OpenQuestion {
  readonly treeSize: bigint;
  /** Base64 of 32 bytes. */
  readonly root: string;
  /** Who showed it first. */
  readonly source: string;
  /** The entry that saw it first. */
  readonly seq: number;
  /** When that was: RFC 3339, UTC. */
  readonly seenAt: string;
}

/** A checkpoint as it was first seen. */
export interface SeenRoot extends OpenQuestion {
  /** The whole signed note. */
  readonly note: string;
}

/** A checkpoint, and the entry that was the first to show it. */
export interface FirstSeen extends SeenRoot {
  /** The log's id. */
  readonly log: string;
  readonly result: Result;
}

/** Which open questions of a log to give, and how many. */
export interface OpenWalk {
  /** Give at most so many, at least 1. */
  readonly limit: number;
  /** None above this size. */
  readonly upTo?: bigint | undefined;
  /** Only those that this source showed first. */
  readonly source?: string | undefined;
  /** The last question of the walk before. This one begins after it, in the order of this walk. */
  readonly after?: Pick<OpenQuestion, "treeSize" | "seq"> | undefined;
  /** By size, ascending by default. Questions of one size are in order of first sighting. */
  readonly order?: "ascending" | "descending";
}

/** How much of a log is open. */
export interface OpenLoad {
  readonly questions: number;
  /** Of their notes, in UTF-8. */
  readonly noteBytes: number;
}

/** How often each result was seen. Results never seen are left out. */
export type Counts = Readonly<Partial<Record<Result, number>>>;

/** What the index reads out of one entry. */
export interface Indexable {
  readonly entry: Entry;
  readonly record: Observation | { readonly removals: readonly Removal[] };
}

/**
 * SQL of a trigger: if a row of `heads` is an open question, it adds it to, or takes it from, what
 * its log leaves open.
 */
function countOpen(sign: "+" | "-", row: "old" | "new"): string {
  return `UPDATE logs SET open = open ${sign} 1,
      open_bytes = open_bytes ${sign} ${row}.note_bytes
    WHERE id = ${row}.log AND ${row}.pending IS NOT NULL;`;
}

// `proven`, `accused` and `pending` hold the seq of the sighting that made them so. `view` holds
// the head that is the log's view. The partial indexes hold only the few rows that can answer the
// most frequent queries. The note comes last, because SQLite must read past a long note to reach a
// column behind it. Two bytes of a root are enough to index the roots of one size. `packed.ts`
// defines `root`, `seen_at` and `note`. A sighting has no source, time or note if its head has
// them, or if no query needs them.
const TABLES = `
  CREATE TABLE position(seq INTEGER NOT NULL, hash TEXT NOT NULL);
  CREATE TABLE logs(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    open INTEGER NOT NULL DEFAULT 0, open_bytes INTEGER NOT NULL DEFAULT 0, view INTEGER);
  CREATE TABLE heads(
    id INTEGER PRIMARY KEY, log INTEGER NOT NULL, size INTEGER NOT NULL, root NOT NULL,
    seq INTEGER NOT NULL, seen_at NOT NULL, source TEXT NOT NULL, proven INTEGER,
    accused INTEGER, pending INTEGER, note_bytes INTEGER NOT NULL, note NOT NULL);
  CREATE INDEX sized_heads ON heads(log, size, substr(root, 1, 2));
  CREATE INDEX accused_heads ON heads(log, size) WHERE accused IS NOT NULL;
  CREATE INDEX pending_heads ON heads(log, size, seq) WHERE pending IS NOT NULL;
  CREATE INDEX asked_heads ON heads(log, source, size, seq) WHERE pending IS NOT NULL;
  CREATE TRIGGER opened AFTER UPDATE OF pending, note_bytes ON heads BEGIN
    ${countOpen("-", "old")} ${countOpen("+", "new")}
  END;
  CREATE TRIGGER gone AFTER DELETE ON heads BEGIN ${countOpen("-", "old")} END;
  CREATE TABLE sightings(
    seq INTEGER PRIMARY KEY, seen_at, log INTEGER NOT NULL, head INTEGER,
    result INTEGER NOT NULL, times INTEGER NOT NULL, plain INTEGER NOT NULL, source TEXT,
    note_bytes INTEGER, note, against_size INTEGER, against_root);
  CREATE INDEX head_sightings ON sightings(head, seq) WHERE source IS NOT NULL;
  CREATE INDEX against_sightings ON sightings(seq) WHERE against_size IS NOT NULL;
  CREATE TABLE settled(head INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(head, seq))
    WITHOUT ROWID;
  CREATE TABLE counts(
    log INTEGER NOT NULL, result INTEGER NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY(log, result)) WITHOUT ROWID;
  INSERT INTO position VALUES(0, '${FIRST_LINK.hash}');
  PRAGMA user_version = ${INDEX_VERSION};
`;

// An index for this alone would cost more than half as much as the index over all sizes.
/** Makes a proven head its log's view, if it is larger than the view. */
const RAISE_VIEW = `UPDATE logs SET view = proven.id FROM heads AS proven
  WHERE proven.id = ? AND logs.id = proven.log AND (view IS NULL
    OR proven.size > (SELECT size FROM heads WHERE id = view))`;
/**
 * Finds every log's view among the heads that are left: the largest; at one size, the one proven
 * first.
 */
const FIND_VIEWS = `UPDATE logs SET view = (SELECT id FROM heads
  WHERE log = logs.id AND proven IS NOT NULL ORDER BY size DESC, proven LIMIT 1)`;

const OPEN_QUESTION = "size, root, source, seq, seen_at";
/** One checkpoint, by log, size and root. */
const THE_HEAD = "log = ?1 AND size = ?2 AND root = ?3 AND substr(root, 1, 2) = substr(?3, 1, 2)";
/** The entries that saw a head: the first one, if it is still there, and those with a source. */
function sightingsOf(head: string, first: string): string {
  return `SELECT later.seq FROM sightings AS later WHERE later.head = ${head}
    AND later.source IS NOT NULL UNION ALL SELECT ${first}`;
}
const SEEN_ROOT = `${OPEN_QUESTION}, note`;
/**
 * Most sizes whose first roots are kept in memory because they have more roots than `rootsAt`
 * gives.
 */
const MAX_CROWDED = 64;
const PROVING = PROVING_RESULTS.map((result) => RESULTS.indexOf(result)).join(",");
const OPEN = OPEN_RESULTS.map((result) => RESULTS.indexOf(result)).join(",");
const AGREEING = AGREEING_RESULTS.map((result) => RESULTS.indexOf(result)).join(",");
const INCONSISTENT = RESULTS.indexOf("inconsistent");
const REFUSED = RESULTS.indexOf("refused");

/** A log and a size as one text. */
function crowdKey(logId: string, treeSize: bigint): string {
  return `${treeSize} ${logId}`;
}

/** A signed note as it was seen, and who showed it. */
export interface SeenNote {
  readonly note: string;
  readonly source: string;
}

/** The index, open. Every call is synchronous and throws WorldError when SQLite refuses. */
export class ObservationIndex {
  readonly #databases: Databases;
  readonly #path: string;
  #database: Database;
  #position: Link;
  readonly #logs = new Map<string, SqlValue>();
  /**
   * By log and size: the first roots, if there are more. The database must sort all of them to find
   * the first. A start asks for each size, and so does a peer that tells them one by one.
   */
  readonly #crowded = new Map<string, readonly SeenRoot[]>();

  private constructor(
    { databases, path, database }: { databases: Databases; path: string; database: Database },
  ) {
    this.#databases = databases;
    this.#path = path;
    this.#database = database;
    this.#position = readPosition(database);
  }

  /**
   * Opens the index of a journal. An index that is missing, damaged or of another version begins
   * empty.
   * @throws WorldError if it cannot be made anew
   */
  static open(
    { databases, path }: { databases: Databases; path: string },
  ): ObservationIndex {
    const database = openSound(databases, path) ?? openNew(databases, path);
    return new ObservationIndex({ databases, path, database });
  }

  /** The last entry it has read. */
  get position(): Link {
    return this.#position;
  }

  /** Forgets everything it has read of the observations. */
  clear(): void {
    const [incidents, repairs] = [this.incidentsSeen, this.repairsSeen];
    this.#database.close();
    this.#logs.clear();
    this.#crowded.clear();
    this.#database = openNew(this.#databases, this.#path);
    this.#position = FIRST_LINK;
    if (incidents !== undefined) this.noteIncidents(incidents, repairs);
    else this.noteRepairs(repairs);
  }

  /** The names of the repairs that were noted here: see `nameOfRepair`. */
  get repairsSeen(): ReadonlySet<string> {
    const rows = this.#database.all("SELECT name FROM repairs_seen");
    return new Set(rows.map(({ name }) => name as string));
  }

  /** Notes repairs of either journal: they explain nothing that is lost from now on. */
  noteRepairs(names: Iterable<string>): void {
    this.#database.transaction(() => this.#insertRepairs(names));
  }

  #insertRepairs(names: Iterable<string>): void {
    for (const name of names) {
      this.#database.run("INSERT OR IGNORE INTO repairs_seen VALUES(?)", [name]);
    }
  }

  /** The last entry of the incident journal, as it was noted here last. */
  get incidentsSeen(): Link | undefined {
    const row = this.#database.get("SELECT seq, hash FROM incidents_seen");
    return row && { seq: Number(row.seq), hash: row.hash as string };
  }

  /**
   * Notes the last entry of the incident journal, a witness if that journal is lost, and the names of
   * its repairs. It notes both or none.
   */
  noteIncidents({ seq, hash }: Link, repairs: Iterable<string>): void {
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM incidents_seen");
      this.#database.run("INSERT INTO incidents_seen VALUES(?, ?)", [seq, hash]);
      this.#insertRepairs(repairs);
    });
  }

  /** Reads entries that follow its position. If it throws, it has read none of them. */
  add(items: readonly Indexable[]): void {
    const last = items.at(-1)?.entry;
    if (last === undefined) return;
    for (const { record } of items) this.#forgetCrowd(record);
    try {
      this.#database.transaction(() => {
        for (const { entry, record } of items) {
          if ("removals" in record) record.removals.forEach((removal) => this.#forget(removal));
          else this.#addObservation(entry, record);
        }
        this.#database.run("UPDATE position SET seq = ?, hash = ?", [last.seq, last.hash]);
      });
    } catch (error) {
      // A log that was new in the undone transaction no longer has a row.
      this.#logs.clear();
      throw error;
    }
    this.#position = { seq: last.seq, hash: last.hash };
  }

  /**
   * Forgets the kept roots of the size that an entry is about; or all of them, if segments are
   * removed.
   */
  #forgetCrowd(record: Indexable["record"]): void {
    if ("removals" in record) this.#crowded.clear();
    else if (record.checkpoint !== undefined) {
      this.#crowded.delete(crowdKey(logIdOf(record), BigInt(record.checkpoint.size)));
    }
  }

  #addObservation({ seq, recorded_at }: Entry, observation: Observation): void {
    const { checkpoint, against, source, repeats } = observation;
    const log = this.#logOf(logIdOf(observation), true);
    const result = RESULTS.indexOf(observation.result);
    const head = checkpoint === undefined
      ? undefined
      : this.#headOf({ log, seq, at: packTime(recorded_at), observation, checkpoint });
    const times = repeats ?? 1;
    const isLater = head !== undefined && head.seq !== BigInt(seq);
    const another = head?.another === 1n ? checkpoint!.note : undefined;
    this.#database.run(`INSERT INTO sightings VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
      ...[seq, isLater ? packTime(recorded_at) : null, log, head?.id ?? null],
      ...[result, times, repeats === undefined ? 1 : 0, isLater ? source : null],
      another === undefined ? null : utf8(another).length,
      another === undefined ? null : packedNote(observation, { ...checkpoint!, note: another }),
      ...[against === undefined ? null : BigInt(against.size)],
      ...[against === undefined ? null : packRoot(against.root)],
    ]);
    this.#count({ log, result, times });
    for (const settled of observation.settled ?? []) this.#settle({ log, seq, settled });
    if (head !== undefined && repeats === undefined) {
      this.#mark({ head: head.id!, seq, result: observation.result });
    }
  }

  /** Marks a checkpoint as no longer an open question, if it is known. */
  #settle({ log, seq, settled }: { log: SqlValue; seq: number; settled: ObservedHead }): void {
    const head = this.#findHead({ log, head: settled })?.id;
    if (head === undefined) return;
    this.#database.run("INSERT INTO settled VALUES(?, ?) ON CONFLICT DO NOTHING", [head, seq]);
    this.#database.run("UPDATE heads SET pending = NULL WHERE id = ?", [head]);
  }

  /** What a plain sighting changes about its head. */
  #mark({ head, seq, result }: { head: SqlValue; seq: number; result: Result }): void {
    const set = (assignment: string): void =>
      this.#database.run(`UPDATE heads SET ${assignment} WHERE id = ?`, [seq, head]);
    if (PROVING_RESULTS.includes(result)) {
      set("proven = coalesce(proven, ?)");
      this.#database.run(RAISE_VIEW, [head]);
    }
    if (result === "inconsistent") set("accused = coalesce(accused, ?)");
    if (OPEN_RESULTS.includes(result)) set("pending = ?");
    else {
      this.#database.run(
        "UPDATE heads SET pending = NULL WHERE id = ? AND pending IS NOT NULL",
        [head],
      );
    }
  }

  #logOf(name: string, make: boolean): SqlValue {
    const known = this.#logs.get(name);
    if (known !== undefined) return known;
    if (make) {
      this.#database.run("INSERT INTO logs(name) VALUES(?) ON CONFLICT DO NOTHING", [name]);
    }
    const id = this.#database.get("SELECT id FROM logs WHERE name = ?", [name])?.id ?? null;
    if (id !== null) this.#logs.set(name, id);
    return id;
  }

  /** The row of a checkpoint. It is made if it is missing. */
  #headOf(
    { log, seq, at, observation, checkpoint }: {
      log: SqlValue;
      seq: number;
      at: SqlValue;
      observation: Observation;
      checkpoint: ObservedCheckpoint;
    },
  ): SqlRow {
    const note = packedNote(observation, checkpoint);
    const there = this.#findHead({ log, head: checkpoint, note });
    if (there !== undefined) return there;
    const { size, root } = checkpoint;
    this.#database.run(
      `INSERT INTO heads(log, size, root, seq, seen_at, source, note_bytes, note)
       VALUES(?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        ...[log, BigInt(size), packRoot(root), seq, at, observation.source],
        ...[utf8(checkpoint.note).length, note],
      ],
    );
    return this.#findHead({ log, head: checkpoint, note })!;
  }

  /** The row of a checkpoint. `another` is 1 if its note differs from this one. */
  #findHead(
    { log, head: { size, root }, note = null }: {
      log: SqlValue;
      head: ObservedHead;
      note?: SqlValue;
    },
  ): SqlRow | undefined {
    return this.#database.get(
      `SELECT id, seq, accused, pending, note IS NOT ?4 AS another FROM heads WHERE ${THE_HEAD}`,
      [log, BigInt(size), packRoot(root), note],
    );
  }

  #count({ log, result, times }: { log: SqlValue; result: SqlValue; times: SqlValue }): void {
    this.#database.run(
      `INSERT INTO counts VALUES(?, ?, ?)
       ON CONFLICT DO UPDATE SET times = times + excluded.times`,
      [log, result, times],
    );
  }

  /** Makes the index as if it had never read these entries. */
  #forget({ before, last }: Removal): void {
    const range = [before.seq, last.seq];
    const where = "WHERE seq > ? AND seq <= ?";
    const sums = this.#database.all(
      `SELECT log, result, -sum(times) AS times FROM sightings ${where} GROUP BY log, result`,
      range,
    );
    for (const { log, result, times } of sums) {
      this.#count({ log: log!, result: result!, times: times! });
    }
    const heads = this.#database.all(
      `SELECT head FROM sightings ${where} AND head IS NOT NULL
       UNION SELECT head FROM settled ${where}`,
      [...range, ...range],
    );
    this.#database.run(`DELETE FROM sightings ${where}`, range);
    this.#database.run(`DELETE FROM settled ${where}`, range);
    for (const { head } of heads) this.#remakeHead(head!);
    this.#database.run(FIND_VIEWS);
  }

  /** Makes a head's row anew from the sightings that are left. */
  #remakeHead(head: SqlValue): void {
    const first = this.#database.get(
      `SELECT seq, seen_at, source, note_bytes, note FROM sightings
       WHERE seq IN (${sightingsOf("?1", "(SELECT seq FROM heads WHERE id = ?1)")})
       ORDER BY seq LIMIT 1`,
      [head],
    );
    if (first === undefined) {
      this.#database.run("DELETE FROM heads WHERE id = ?", [head]);
      this.#database.run("DELETE FROM settled WHERE head = ?", [head]);
      return;
    }
    if (first.note !== null) this.#moveNote(head, first);
    const plain = `FROM sightings WHERE plain
      AND seq IN (${sightingsOf("heads.id", "heads.seq")})`;
    this.#database.run(
      `UPDATE heads SET seq = ?, seen_at = coalesce(?, seen_at), source = coalesce(?, source),
         proven = (SELECT min(seq) ${plain} AND result IN (${PROVING})),
         accused = (SELECT min(seq) ${plain} AND result = ${INCONSISTENT}),
         pending = (SELECT CASE WHEN result IN (${OPEN}) AND NOT EXISTS(
                      SELECT 1 FROM settled WHERE head = heads.id AND seq > sightings.seq)
                    THEN seq END ${plain} ORDER BY seq DESC LIMIT 1)
       WHERE id = ?`,
      [first.seq!, first.seen_at!, first.source!, head],
    );
  }

  /**
   * A sighting without a note has its head's note. So before the head's note changes, these
   * sightings take the old one.
   */
  #moveNote(head: SqlValue, { note, note_bytes }: SqlRow): void {
    this.#database.run(
      `UPDATE sightings
       SET (note, note_bytes) = (SELECT note, note_bytes FROM heads WHERE id = ?1)
       WHERE head = ?1 AND source IS NOT NULL AND note IS NULL`,
      [head],
    );
    this.#database.run(
      `UPDATE sightings SET note = NULL, note_bytes = NULL
       WHERE head = ? AND source IS NOT NULL AND note = ?`,
      [head, note!],
    );
    this.#database.run("UPDATE heads SET note = ?, note_bytes = ? WHERE id = ?", [
      ...[note!, note_bytes!, head],
    ]);
  }

  /**
   * The notes seen at a size, by their sightings: that of each head, and those in which it was seen
   * otherwise. There are no more than `limit`.
   */
  notesAt(logId: string, treeSize: bigint, limit: number): SeenNote[] {
    const rows = this.#database.all(
      `SELECT root, source, seq, note FROM heads WHERE log = ?1 AND size = ?2
       UNION ALL
       SELECT heads.root, sightings.source, sightings.seq, sightings.note
       FROM heads JOIN sightings ON sightings.head = heads.id
       WHERE heads.log = ?1 AND size = ?2
         AND sightings.source IS NOT NULL AND sightings.note IS NOT NULL
       ORDER BY seq LIMIT ?3`,
      [this.#logOf(logId, false), treeSize, limit],
    );
    return rows.map(({ root, source, note }) => ({
      note: unpackNote(note!, { origin: originOf(logId), size: treeSize, root: unpackRoot(root!) }),
      source: source as string,
    }));
  }

  /** The largest sizes that were seen of a log, at most so many, the smallest of them first. */
  latestSizes(logId: string, limit: number): bigint[] {
    return this.#database.all(
      "SELECT DISTINCT size FROM heads WHERE log = ? ORDER BY size DESC LIMIT ?",
      [this.#logOf(logId, false), limit],
    ).map(({ size }) => size as bigint).reverse();
  }

  /**
   * The checkpoints that entries after this one were the first to show, in the order of the entries.
   * @param limit of entries with a checkpoint, the first to show it or not
   * @returns also up to which entry; its hash is empty if there may be more
   */
  seenAfter(seq: number, limit: number): { seen: FirstSeen[]; upTo: Link } {
    const rows = this.#database.all(
      `SELECT sightings.seq AS upTo, sightings.result, logs.name, heads.seq, heads.size, heads.root,
         heads.source, heads.seen_at, heads.note
       FROM sightings JOIN heads ON heads.id = sightings.head JOIN logs ON logs.id = heads.log
       WHERE sightings.seq > ? ORDER BY sightings.seq LIMIT ?`,
      [seq, limit],
    );
    const first = rows.filter((row) => row.upTo === row.seq);
    const seen = first.map((row) => ({
      log: row.name as string,
      result: RESULTS[Number(row.result)]!,
      ...seenRoot(row, row.name as string),
    }));
    if (rows.length < limit) return { seen, upTo: this.#position };
    return { seen, upTo: { seq: Number(rows.at(-1)!.upTo), hash: "" } };
  }

  /** The first roots seen at a size, by first sighting: as many as the detector keeps. */
  rootsAt(logId: string, treeSize: bigint): SeenRoot[] {
    const key = crowdKey(logId, treeSize);
    const crowd = this.#crowded.get(key);
    if (crowd !== undefined) return [...crowd];
    const roots = this.#database.all(
      `SELECT ${SEEN_ROOT} FROM heads WHERE log = ? AND size = ? ORDER BY seq LIMIT ?`,
      [this.#logOf(logId, false), treeSize, MAX_ROOTS_PER_SIZE + 1],
    ).map((row) => seenRoot(row, logId));
    if (roots.length > MAX_ROOTS_PER_SIZE) {
      this.#crowded.set(key, roots);
      if (this.#crowded.size > MAX_CROWDED) {
        this.#crowded.delete(this.#crowded.keys().next().value!);
      }
    }
    return roots;
  }

  /** The largest checkpoint that was proven; of two at one size the one proven first. */
  view(logId: string): SeenRoot | undefined {
    const row = this.#database.get(
      `SELECT ${SEEN_ROOT} FROM heads WHERE id = (SELECT view FROM logs WHERE id = ?)`,
      [this.#logOf(logId, false)],
    );
    return row && seenRoot(row, logId);
  }

  /** Who showed what made the view: somebody else may have told that checkpoint before. */
  viewShownBy(logId: string): string | undefined {
    const row = this.#database.get(
      `SELECT coalesce(sightings.source, heads.source) AS source
       FROM heads LEFT JOIN sightings ON sightings.seq = heads.proven
       WHERE heads.id = (SELECT view FROM logs WHERE id = ?)`,
      [this.#logOf(logId, false)],
    );
    return row?.source as string | undefined;
  }

  /** The ids of the logs of which there is a view. */
  viewedLogs(): string[] {
    const rows = this.#database.all("SELECT name FROM logs WHERE view IS NOT NULL ORDER BY id");
    return rows.map(({ name }) => name as string);
  }

  /** The checkpoints whose last plain sighting left them open, by size. */
  pending(logId: string): SeenRoot[] {
    return this.#database.all(
      `SELECT ${SEEN_ROOT} FROM heads WHERE log = ? AND pending IS NOT NULL ORDER BY size, seq`,
      [this.#logOf(logId, false)],
    ).map((row) => seenRoot(row, logId));
  }

  /** Walks the checkpoints that `pending` gives, without their notes. */
  openQuestions(logId: string, { limit, upTo, source, after, order }: OpenWalk): OpenQuestion[] {
    const [beyond, direction] = order === "descending" ? ["<", "DESC"] : [">", "ASC"];
    const index = source === undefined ? "pending_heads" : "asked_heads";
    const { conditions, values } = conditionsOf([
      ["log = ?", this.#logOf(logId, false)],
      ...conditionIf("source = ?", source),
      ...conditionIf("size <= ?", upTo),
      ...conditionIf(`(size, seq) ${beyond} (?, ?)`, after?.treeSize, after?.seq),
    ]);
    return this.#database.all(
      `SELECT ${OPEN_QUESTION} FROM heads INDEXED BY ${index}
       WHERE pending IS NOT NULL AND ${conditions}
       ORDER BY size ${direction}, seq ${direction} LIMIT ?`,
      [...values, limit],
    ).map(openQuestion);
  }

  /** How many checkpoints `pending` would give, and how long their notes are. */
  openLoad(logId: string): OpenLoad {
    const row = this.#database.get("SELECT open, open_bytes FROM logs WHERE id = ?", [
      this.#logOf(logId, false),
    ]);
    return { questions: Number(row?.open ?? 0), noteBytes: Number(row?.open_bytes ?? 0) };
  }

  /** The note of a checkpoint that was seen. */
  note(logId: string, { treeSize, root }: { treeSize: bigint; root: string }): string | undefined {
    const row = this.#database.get(
      `SELECT note FROM heads WHERE ${THE_HEAD}`,
      [this.#logOf(logId, false), treeSize, packRoot(root)],
    );
    return row && unpackNote(row.note!, { origin: originOf(logId), size: treeSize, root });
  }

  /** Sizes at which several roots were seen. */
  contradictedSizes(logId: string): bigint[] {
    return this.#database.all(
      "SELECT size FROM heads WHERE log = ? GROUP BY size HAVING count(*) > 1 ORDER BY size",
      [this.#logOf(logId, false)],
    ).map(({ size }) => size as bigint);
  }

  /** Checkpoints found inconsistent, by size, without their notes. */
  accused(logId: string): OpenQuestion[] {
    return this.#database.all(
      `SELECT ${OPEN_QUESTION} FROM heads
       WHERE log = ? AND accused IS NOT NULL ORDER BY size, seq`,
      [this.#logOf(logId, false)],
    ).map(openQuestion);
  }

  /** Whether exactly this checkpoint is an open question. */
  isPending(logId: string, { size, root }: ObservedHead): boolean {
    const row = this.#findHead({ log: this.#logOf(logId, false), head: { size, root } });
    return (row?.pending ?? null) !== null;
  }

  /**
   * Whether a checkpoint was never reconciled. It is an open question; or it was one and was left
   * out because there was no room. Only the latter gives a `refused` entry with a checkpoint.
   */
  isUnsettled(logId: string, { size, root }: ObservedHead): boolean {
    const head = this.#findHead({ log: this.#logOf(logId, false), head: { size, root } });
    if (head === undefined) return false;
    if (head.pending !== null) return true;
    const last = this.#database.get(
      `SELECT seq, result FROM sightings WHERE plain AND seq IN (${sightingsOf("?1", "?2")})
       ORDER BY seq DESC LIMIT 1`,
      [head.id!, head.seq!],
    );
    if (last === undefined || Number(last.result) !== REFUSED) return false;
    const settled = this.#database.get(
      "SELECT 1 AS yes FROM settled WHERE head = ? AND seq > ?",
      [head.id!, last.seq!],
    );
    return settled === undefined;
  }

  /** Whether a checkpoint agrees with the view: some entry says so, and none says otherwise. */
  agrees(logId: string, { size, root }: ObservedHead): boolean {
    const head = this.#findHead({ log: this.#logOf(logId, false), head: { size, root } });
    if (head === undefined || head.pending !== null || head.accused !== null) return false;
    const agreeing = this.#database.get(
      `SELECT 1 AS yes FROM settled WHERE head = ?1 UNION ALL
       SELECT 1 FROM sightings WHERE plain AND result IN (${AGREEING})
         AND seq IN (${sightingsOf("?1", "?2")}) LIMIT 1`,
      [head.id!, head.seq!],
    );
    return agreeing !== undefined;
  }

  /** How often each result was seen, repeats included. */
  counts(logId: string): Counts {
    const rows = this.#database.all(
      "SELECT result, times FROM counts WHERE log = ? AND times > 0 ORDER BY result",
      [this.#logOf(logId, false)],
    );
    return Object.fromEntries(
      rows.map(({ result, times }) => [RESULTS[Number(result)]!, Number(times)]),
    );
  }

  /**
   * The entries (seq) that a view, an open question or an inconsistency rests on: the one that
   * proved each view; the first and the last sighting of each pending checkpoint; and of every
   * checkpoint that takes part in an inconsistency its first sighting and the one that accused it.
   */
  needed(): number[] {
    const needed = this.#database.all(`
      SELECT proven AS seq FROM heads WHERE id IN (SELECT view FROM logs)
      UNION SELECT seq FROM heads WHERE pending IS NOT NULL
      UNION SELECT pending FROM heads WHERE pending IS NOT NULL
      UNION SELECT accused FROM heads WHERE accused IS NOT NULL
      UNION SELECT same.seq FROM heads AS accused JOIN heads AS same USING(log, size)
        WHERE accused.accused IS NOT NULL
      UNION SELECT seq FROM sightings WHERE against_size IS NOT NULL AND plain
      UNION SELECT heads.seq FROM sightings JOIN heads
        ON heads.log = sightings.log AND size = against_size AND root = against_root
        WHERE against_size IS NOT NULL`);
    return needed.map(({ seq }) => Number(seq));
  }

  /** Closes the file. */
  close(): void {
    this.#database.close();
  }
}

function openQuestion({ size, root, source, seq, seen_at }: SqlRow): OpenQuestion {
  return {
    treeSize: size as bigint,
    root: unpackRoot(root!),
    source: source as string,
    seq: Number(seq),
    seenAt: unpackTime(seen_at!),
  };
}

function seenRoot(row: SqlRow, logId: string): SeenRoot {
  const question = openQuestion(row);
  const { treeSize: size, root } = question;
  return { ...question, note: unpackNote(row.note!, { origin: originOf(logId), size, root }) };
}

function packedNote({ log }: Observation, { note, size, root }: ObservedCheckpoint): SqlValue {
  return packNote(note, { origin: log.origin, size, root });
}

/** The origin in a log's id, see `logIdOf`. */
function originOf(logId: string): string {
  return logId.slice(logId.indexOf(" ") + 1);
}

type Condition = readonly [sql: string, ...values: SqlValue[]];

/** A condition on values; none if the first of them is not given. */
function conditionIf(sql: string, ...values: readonly (SqlValue | undefined)[]): Condition[] {
  return values[0] === undefined ? [] : [[sql, ...values as SqlValue[]]];
}

function conditionsOf(all: readonly Condition[]): { conditions: string; values: SqlValue[] } {
  return {
    conditions: all.map(([sql]) => sql).join(" AND "),
    values: all.flatMap(([, ...values]) => values),
  };
}

function readPosition(database: Database): Link {
  const { seq, hash } = database.get("SELECT seq, hash FROM position")!;
  return { seq: Number(seq), hash: hash as string };
}

/** The database on disk, if it is whole and of this version. */
function openSound(databases: Databases, path: string): Database | undefined {
  let database: Database | undefined;
  try {
    database = databases.open(path);
    configure(database);
    const { user_version } = database.get("PRAGMA user_version")!;
    const { quick_check } = database.get("PRAGMA quick_check(1)")!;
    const whole = user_version === INDEX_VERSION && quick_check === "ok" &&
      database.get("SELECT seq FROM position") !== undefined;
    if (whole) return database;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    // It is damaged, or no database. It is derived, so it is made anew.
  }
  database?.close();
  return undefined;
}

function openNew(databases: Databases, path: string): Database {
  databases.remove(path);
  const database = databases.open(path);
  try {
    configure(database);
    database.transaction(() => database.exec(TABLES));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * A commit does not wait for the disk. After a power failure the database is whole but a little
 * behind, and catches up from the journal.
 */
function configure(database: Database): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  // Not in TABLES: an index without these is as good, and need not be rebuilt.
  database.exec(
    "CREATE TABLE IF NOT EXISTS incidents_seen(seq INTEGER NOT NULL, hash TEXT NOT NULL);" +
      "CREATE TABLE IF NOT EXISTS repairs_seen(name TEXT PRIMARY KEY)",
  );
}
