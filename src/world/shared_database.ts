/**
 * A database that several daemons share over the network. `postgres.ts` is the real one; tests and the
 * simulator have another.
 *
 * @module
 */
import type { SqlRow, SqlValue } from "./world.ts";

/** Databases that several daemons share. */
export interface SharedDatabases {
  /**
   * @throws MalformedError if the URL is malformed
   * @throws WorldError if it cannot be reached, or does not let us in
   */
  connect(place: SharedPlace): Promise<SharedDatabase>;
}

/** Where a shared database is, and what lets us in. */
export interface SharedPlace {
  /** `postgres://user@host:port,host2:port/database`, without a password: see `parseSharedUrl`. */
  readonly url: string;
  readonly password?: string | undefined;
  /** Who may sign the server's certificate, besides those whom the system trusts: PEM. */
  readonly ca?: string | undefined;
}

/** Runs statements in a shared database. */
export interface SharedStatements {
  /**
   * Runs one statement, whole or not at all. It is in the SQL that PostgreSQL and SQLite have in common.
   * `$1`, `$2` … are parameters, and `now_ms()` is the database's own clock, in milliseconds since 1970.
   * @returns its rows; an integer is a bigint, and so is a truth value: 1 or 0
   * @throws WorldError, also after its time limit (`STATEMENT_LIMIT_MS`): `not found` for a table that is
   *   not there, `already exists` for a key or table that is, `closed` if the connection was lost
   */
  query(sql: string, values?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
}

/** Statements that happen together, or not at all. */
export interface SharedTransaction extends SharedStatements {
  /**
   * Says a word to everybody who listens on the channel, once this has happened; the same word once.
   * @throws WorldError if it is longer than `MAX_WORD_BYTES`
   */
  tell(channel: string, word: string): Promise<void>;
}

/** An open connection to a shared database; it may be several underneath. */
export interface SharedDatabase extends SharedStatements {
  /**
   * Rows that it has changed are locked for others until its end; each statement sees what was
   * committed before that statement. If one of them fails, nothing happens, whoever catches that. Not to
   * be nested: a transaction within the work of another may wait for it for ever.
   * @throws WorldError; then nothing has happened, unless only the answer to the end was lost
   */
  transaction<T>(work: (statements: SharedTransaction) => Promise<T>): Promise<T>;
  /** Hears the words that are said on a channel, by this daemon too. @throws WorldError */
  listen(channel: string, heard: SharedEars): Promise<void>;
  close(): Promise<void>;
}

/** Who hears what is said on a channel. */
export interface SharedEars {
  onWord(word: string): void;
  /** Words may have been missed: the connection was lost, and is back. */
  onGap(): void;
}
