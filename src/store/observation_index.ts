/**
 * The index over the observation journal, in SQLite: what was seen of a log at a size. It is
 * derived. Whatever is in it depends on which entries it has read and on nothing else, not on
 * which of the removed ones it read before they went; so an index that followed along and one that
 * was rebuilt give the same answers.
 *
 * Words of its own: a *head* is a distinct (log, size, root), a *sighting* is an entry of the
 * journal, *plain* is one that is not a summary of repeats.
 *
 * @module
 */
import type { Database, Databases, SqlRow, SqlValue } from "../world/world.ts";
import { WorldError } from "../world/world.ts";
import type { Entry, Link } from "./journal.ts";
import { FIRST_LINK } from "./journal.ts";
import {
  logIdOf,
  type Observation,
  type ObservedCheckpoint,
  type ObservedHead,
  OPEN_RESULTS,
  PROVING_RESULTS,
  type Result,
  RESULTS,
} from "./observation.ts";
import type { Removal } from "./removal.ts";

/** Goes up with every change of the tables or of what is in them; another one is rebuilt. */
const INDEX_VERSION = 3n;

/** An open question as it was first seen, without its note, which may be long. */
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

/** Which open questions of a log to walk, and how far. */
export interface OpenWalk {
  /** Most that are given, at least 1. */
  readonly limit: number;
  /** None above this size. */
  readonly upTo?: bigint | undefined;
  /** Only those that this source showed first. */
  readonly source?: string | undefined;
  /** Where the last walk ended: begins with the one behind it, in the order of this walk. */
  readonly after?: Pick<OpenQuestion, "treeSize" | "seq"> | undefined;
  /** Ascending unless said otherwise; of one size by first sighting. */
  readonly order?: "ascending" | "descending";
}

/** How much a log leaves open. */
export interface OpenLoad {
  readonly questions: number;
  /** Of their notes, in UTF-8. */
  readonly noteBytes: number;
}

/** How often each result was seen; those never seen are left out. */
export type Counts = Readonly<Partial<Record<Result, number>>>;

/** What the index reads out of one entry. */
export interface Indexable {
  readonly entry: Entry;
  readonly record: Observation | { readonly removals: readonly Removal[] };
}

/** SQL of a trigger: takes a row of `heads`, if it is an open question, into what its log leaves open. */
function countOpen(sign: "+" | "-", row: "old" | "new"): string {
  return `UPDATE logs SET open = open ${sign} 1,
      open_bytes = open_bytes ${sign} length(CAST(${row}.note AS BLOB))
    WHERE id = ${row}.log AND ${row}.pending IS NOT NULL;`;
}

// `proven`, `accused` and `pending` hold the seq of the sighting that makes them so. The partial
// indexes keep the questions asked all day at the cost of the few rows that can answer them. The
// note comes last: SQLite reads past a long one to get at what stands behind it.
const TABLES = `
  CREATE TABLE position(seq INTEGER NOT NULL, hash TEXT NOT NULL);
  CREATE TABLE logs(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    open INTEGER NOT NULL DEFAULT 0, open_bytes INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE heads(
    id INTEGER PRIMARY KEY, log INTEGER NOT NULL, size INTEGER NOT NULL, root TEXT NOT NULL,
    seq INTEGER NOT NULL, seen_at TEXT NOT NULL, source TEXT NOT NULL,
    proven INTEGER, accused INTEGER, pending INTEGER, note TEXT NOT NULL, UNIQUE(log, size, root));
  CREATE INDEX proven_heads ON heads(log, size DESC, proven) WHERE proven IS NOT NULL;
  CREATE INDEX accused_heads ON heads(log, size) WHERE accused IS NOT NULL;
  CREATE INDEX pending_heads ON heads(log, size, seq) WHERE pending IS NOT NULL;
  CREATE INDEX asked_heads ON heads(log, source, size, seq) WHERE pending IS NOT NULL;
  CREATE TRIGGER opened AFTER UPDATE OF pending, note ON heads BEGIN
    ${countOpen("-", "old")} ${countOpen("+", "new")}
  END;
  CREATE TRIGGER gone AFTER DELETE ON heads BEGIN ${countOpen("-", "old")} END;
  CREATE TABLE sightings(
    seq INTEGER PRIMARY KEY, seen_at TEXT NOT NULL, log INTEGER NOT NULL, head INTEGER,
    result INTEGER NOT NULL, times INTEGER NOT NULL, plain INTEGER NOT NULL, source TEXT NOT NULL,
    note TEXT, against_size INTEGER, against_root TEXT);
  CREATE INDEX head_sightings ON sightings(head, seq) WHERE head IS NOT NULL;
  CREATE INDEX against_sightings ON sightings(seq) WHERE against_size IS NOT NULL;
  CREATE TABLE settled(seq INTEGER NOT NULL, head INTEGER NOT NULL, PRIMARY KEY(seq, head))
    WITHOUT ROWID;
  CREATE INDEX head_settled ON settled(head, seq);
  CREATE TABLE counts(
    log INTEGER NOT NULL, result INTEGER NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY(log, result)) WITHOUT ROWID;
  INSERT INTO position VALUES(0, '${FIRST_LINK.hash}');
  PRAGMA user_version = ${INDEX_VERSION};
`;

const OPEN_QUESTION = "size, root, source, seq, seen_at";
const SEEN_ROOT = `${OPEN_QUESTION}, note`;
const PROVING = PROVING_RESULTS.map((result) => RESULTS.indexOf(result)).join(",");
const OPEN = OPEN_RESULTS.map((result) => RESULTS.indexOf(result)).join(",");
const INCONSISTENT = RESULTS.indexOf("inconsistent");

/** The index, open. Every call is synchronous and throws WorldError when SQLite refuses. */
export class ObservationIndex {
  readonly #databases: Databases;
  readonly #path: string;
  #database: Database;
  #position: Link;
  readonly #logs = new Map<string, SqlValue>();

  private constructor(
    { databases, path, database }: { databases: Databases; path: string; database: Database },
  ) {
    this.#databases = databases;
    this.#path = path;
    this.#database = database;
    this.#position = readPosition(database);
  }

  /**
   * Opens the index of a journal; one that is missing, damaged or of another version begins anew.
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

  /** Forgets everything. */
  clear(): void {
    this.#database.close();
    this.#logs.clear();
    this.#database = openNew(this.#databases, this.#path);
    this.#position = FIRST_LINK;
  }

  /** Reads entries that follow on its position, all of them or, if it throws, none. */
  add(items: readonly Indexable[]): void {
    const last = items.at(-1)?.entry;
    if (last === undefined) return;
    try {
      this.#database.transaction(() => {
        for (const { entry, record } of items) {
          if ("removals" in record) record.removals.forEach((removal) => this.#forget(removal));
          else this.#addObservation(entry, record);
        }
        this.#database.run("UPDATE position SET seq = ?, hash = ?", [last.seq, last.hash]);
      });
    } catch (error) {
      // A log that was new in what was undone has no row any more.
      this.#logs.clear();
      throw error;
    }
    this.#position = { seq: last.seq, hash: last.hash };
  }

  #addObservation({ seq, recorded_at }: Entry, observation: Observation): void {
    const { checkpoint, against, source, repeats } = observation;
    const log = this.#logOf(logIdOf(observation), true);
    const result = RESULTS.indexOf(observation.result);
    const head = checkpoint === undefined
      ? undefined
      : this.#headOf({ log, seq, at: recorded_at, source, checkpoint });
    const times = repeats ?? 1;
    this.#database.run(`INSERT INTO sightings VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
      ...[seq, recorded_at, log, head?.id ?? null, result, times, repeats === undefined ? 1 : 0],
      ...[source, head === undefined || head.note === checkpoint?.note ? null : checkpoint!.note],
      ...[against === undefined ? null : BigInt(against.size), against?.root ?? null],
    ]);
    this.#count({ log, result, times });
    for (const settled of observation.settled ?? []) this.#settle({ log, seq, settled });
    if (head !== undefined && repeats === undefined) {
      this.#mark({ head: head.id!, seq, result: observation.result });
    }
  }

  /** Takes a checkpoint as no open question any more, if it is known. */
  #settle({ log, seq, settled }: { log: SqlValue; seq: number; settled: ObservedHead }): void {
    const head = this.#findHead({ log, head: settled })?.id;
    if (head === undefined) return;
    this.#database.run("INSERT INTO settled VALUES(?, ?) ON CONFLICT DO NOTHING", [seq, head]);
    this.#database.run("UPDATE heads SET pending = NULL WHERE id = ?", [head]);
  }

  /** What a plain sighting changes about its head. */
  #mark({ head, seq, result }: { head: SqlValue; seq: number; result: Result }): void {
    const set = (assignment: string): void =>
      this.#database.run(`UPDATE heads SET ${assignment} WHERE id = ?`, [seq, head]);
    if (PROVING_RESULTS.includes(result)) set("proven = coalesce(proven, ?)");
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

  /** The row of a checkpoint, made where it is missing. */
  #headOf(
    { log, seq, at, source, checkpoint: { size, root, note } }: {
      log: SqlValue;
      seq: number;
      at: string;
      source: string;
      checkpoint: ObservedCheckpoint;
    },
  ): SqlRow {
    const head = { size, root };
    const there = this.#findHead({ log, head });
    if (there !== undefined) return there;
    this.#database.run(
      "INSERT INTO heads(log, size, root, seq, seen_at, source, note) VALUES(?, ?, ?, ?, ?, ?, ?)",
      [log, BigInt(size), root, seq, at, source, note],
    );
    return this.#findHead({ log, head })!;
  }

  #findHead({ log, head }: { log: SqlValue; head: ObservedHead }): SqlRow | undefined {
    const sql = "SELECT id, note FROM heads WHERE log = ? AND size = ? AND root = ?";
    return this.#database.get(sql, [log, BigInt(head.size), head.root]);
  }

  #count({ log, result, times }: { log: SqlValue; result: SqlValue; times: SqlValue }): void {
    this.#database.run(
      `INSERT INTO counts VALUES(?, ?, ?)
       ON CONFLICT DO UPDATE SET times = times + excluded.times`,
      [log, result, times],
    );
  }

  /** Makes it as if it had never read these entries. */
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
  }

  /** Makes a head's row out of the sightings that are left. */
  #remakeHead(head: SqlValue): void {
    const first = this.#database.get(
      "SELECT seq, seen_at, source, note FROM sightings WHERE head = ? ORDER BY seq LIMIT 1",
      [head],
    );
    if (first === undefined) {
      this.#database.run("DELETE FROM heads WHERE id = ?", [head]);
      this.#database.run("DELETE FROM settled WHERE head = ?", [head]);
      return;
    }
    if (first.note !== null) this.#moveNote(head, first.note!);
    const plain = "FROM sightings WHERE head = heads.id AND plain";
    this.#database.run(
      `UPDATE heads SET seq = ?, seen_at = ?, source = ?,
         proven = (SELECT min(seq) ${plain} AND result IN (${PROVING})),
         accused = (SELECT min(seq) ${plain} AND result = ${INCONSISTENT}),
         pending = (SELECT CASE WHEN result IN (${OPEN}) AND NOT EXISTS(
                      SELECT 1 FROM settled WHERE head = heads.id AND seq > sightings.seq)
                    THEN seq END ${plain} ORDER BY seq DESC LIMIT 1)
       WHERE id = ?`,
      [first.seq!, first.seen_at!, first.source!, head],
    );
  }

  /** A sighting without a note has its head's; so when that changes, the others take the old one. */
  #moveNote(head: SqlValue, note: SqlValue): void {
    this.#database.run(
      `UPDATE sightings SET note = (SELECT note FROM heads WHERE id = ?1)
       WHERE head = ?1 AND note IS NULL`,
      [head],
    );
    this.#database.run("UPDATE sightings SET note = NULL WHERE head = ? AND note = ?", [
      head,
      note,
    ]);
    this.#database.run("UPDATE heads SET note = ? WHERE id = ?", [note, head]);
  }

  /** The roots seen at a size, by first sighting. */
  rootsAt(logId: string, treeSize: bigint): SeenRoot[] {
    return this.#database.all(
      `SELECT ${SEEN_ROOT} FROM heads WHERE log = ? AND size = ? ORDER BY seq`,
      [this.#logOf(logId, false), treeSize],
    ).map(seenRoot);
  }

  /** The largest checkpoint that was proven; of two at one size the one proven first. */
  view(logId: string): SeenRoot | undefined {
    const row = this.#database.get(
      `SELECT ${SEEN_ROOT} FROM heads WHERE log = ? AND proven IS NOT NULL
       ORDER BY size DESC, proven LIMIT 1`,
      [this.#logOf(logId, false)],
    );
    return row && seenRoot(row);
  }

  /** The checkpoints whose last plain sighting left them open, by size. */
  pending(logId: string): SeenRoot[] {
    return this.#database.all(
      `SELECT ${SEEN_ROOT} FROM heads WHERE log = ? AND pending IS NOT NULL ORDER BY size, seq`,
      [this.#logOf(logId, false)],
    ).map(seenRoot);
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
      "SELECT note FROM heads WHERE log = ? AND size = ? AND root = ?",
      [this.#logOf(logId, false), treeSize, root],
    );
    return row?.note as string | undefined;
  }

  /** Sizes at which several roots were seen. */
  contradictedSizes(logId: string): bigint[] {
    return this.#database.all(
      "SELECT size FROM heads WHERE log = ? GROUP BY size HAVING count(*) > 1 ORDER BY size",
      [this.#logOf(logId, false)],
    ).map(({ size }) => BigInt(size!));
  }

  /** Checkpoints found inconsistent, by size. */
  accused(logId: string): SeenRoot[] {
    return this.#database.all(
      `SELECT ${SEEN_ROOT} FROM heads WHERE log = ? AND accused IS NOT NULL ORDER BY size, seq`,
      [this.#logOf(logId, false)],
    ).map(seenRoot);
  }

  /** Whether exactly this checkpoint is an open question. */
  isPending(logId: string, { size, root }: ObservedHead): boolean {
    const row = this.#database.get(
      "SELECT pending FROM heads WHERE log = ? AND size = ? AND root = ?",
      [this.#logOf(logId, false), BigInt(size), root],
    );
    return (row?.pending ?? null) !== null;
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
    const views = this.#database.all("SELECT id FROM logs").map(({ id }) =>
      this.#database.get(
        `SELECT proven AS seq FROM heads WHERE log = ? AND proven IS NOT NULL
         ORDER BY size DESC, proven LIMIT 1`,
        [id!],
      )
    ).filter((row) => row !== undefined);
    const others = this.#database.all(`
      SELECT seq FROM heads WHERE pending IS NOT NULL
      UNION SELECT pending FROM heads WHERE pending IS NOT NULL
      UNION SELECT accused FROM heads WHERE accused IS NOT NULL
      UNION SELECT same.seq FROM heads AS accused JOIN heads AS same USING(log, size)
        WHERE accused.accused IS NOT NULL
      UNION SELECT seq FROM sightings WHERE against_size IS NOT NULL AND plain
      UNION SELECT heads.seq FROM sightings JOIN heads
        ON heads.log = sightings.log AND size = against_size AND root = against_root
        WHERE against_size IS NOT NULL`);
    return [...views, ...others].map(({ seq }) => Number(seq));
  }

  /** Lets go of the file. */
  close(): void {
    this.#database.close();
  }
}

function openQuestion({ size, root, source, seq, seen_at }: SqlRow): OpenQuestion {
  return {
    treeSize: size as bigint,
    root: root as string,
    source: source as string,
    seq: Number(seq),
    seenAt: seen_at as string,
  };
}

function seenRoot(row: SqlRow): SeenRoot {
  return { ...openQuestion(row), note: row.note as string };
}

type Condition = readonly [sql: string, ...values: SqlValue[]];

/** A condition on values, unless the first of them is not given. */
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

/** The database that is there, if it is whole and of this version. */
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
    // Damaged, or no database at all: it is derived, and made anew.
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
 * A commit waits for no disk: after a power cut the database is whole and a little behind, which
 * the journal makes good.
 */
function configure(database: Database): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
}
