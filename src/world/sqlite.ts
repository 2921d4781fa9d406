/**
 * SQLite, as Deno brings it along (`node:sqlite`).
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Database, type Databases, type SqlRow, WorldError } from "./world.ts";

/** Files that SQLite keeps beside a database. */
const SIDE_FILES = ["-wal", "-shm", "-journal"];

/** Databases on the real disk, or in memory. */
export const sqliteDatabases: Databases = {
  open(path) {
    return asWorldError(() => openDatabase(path));
  },
  remove(path) {
    if (path === ":memory:") return;
    for (const suffix of ["", ...SIDE_FILES]) asWorldError(() => removeIfThere(path + suffix));
  },
};

function openDatabase(path: string): Database {
  const database = new DatabaseSync(path);
  // Preparing a statement costs more than running it; there are few, and they are used again.
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statement.setReadBigInts(true);
      statements.set(sql, statement);
    }
    return statement;
  };
  let open = true;
  return {
    exec: (sql) => asWorldError(() => database.exec(sql)),
    run: (sql, values = []) => asWorldError(() => void prepared(sql).run(...values)),
    get: (sql, values = []) =>
      asWorldError(() => prepared(sql).get(...values) as SqlRow | undefined),
    all: (sql, values = []) => asWorldError(() => prepared(sql).all(...values) as SqlRow[]),
    transaction: (work) => inTransaction(database, work),
    close() {
      if (open) database.close();
      open = false;
    },
  };
}

function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  asWorldError(() => database.exec("BEGIN IMMEDIATE"));
  try {
    const result = work();
    asWorldError(() => database.exec("COMMIT"));
    return result;
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back already, as it does when the disk is full.
    }
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function asWorldError<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof WorldError) throw error;
    const denied = error instanceof Deno.errors.NotCapable;
    const message = error instanceof Error ? error.message : String(error);
    throw new WorldError(denied ? "not permitted" : "other", `SQLite: ${message}`);
  }
}
