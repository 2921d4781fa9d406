/**
 * What the shared database of the tests is made of: SQLite that keeps the contract of an engine, and a lock
 * that one holds at a time.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type SqlRow, type SqlValue, WorldError } from "../../src/world/world.ts";

/** One statement that changed something, and the database's time at which it ran. */
export interface Change {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  readonly nowMs: bigint;
}

/** Lets one after the other in, in the order in which they came. */
export class Lock {
  isTaken = false;
  #waiting: { readonly still: () => void; readonly turn: PromiseWithResolvers<void> }[] = [];

  /** @param still throws if who waits does not want it any more */
  async take(still: () => void): Promise<Disposable & { keep(): Disposable }> {
    if (this.isTaken) {
      const turn = Promise.withResolvers<void>();
      this.#waiting.push({ still, turn });
      await turn.promise;
    }
    this.isTaken = true;
    let isKept = false;
    const release = { [Symbol.dispose]: () => this.#release() };
    return {
      /** The lock outlasts the block it was taken in. */
      keep() {
        isKept = true;
        return release;
      },
      [Symbol.dispose]: () => {
        if (!isKept) this.#release();
      },
    };
  }

  /** Sends away who does not want it any more. */
  wake(): void {
    this.#waiting = this.#waiting.filter(({ still, turn }) => {
      try {
        still();
        return true;
      } catch (error) {
        turn.reject(error);
        return false;
      }
    });
  }

  #release(): void {
    this.wake();
    const next = this.#waiting.shift();
    if (next === undefined) this.isTaken = false;
    else next.turn.resolve();
  }
}

/** SQLite, with what the SQL of both has that SQLite lacks. */
export class Engine {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();
  #nowMs = 0n;

  constructor() {
    this.#database.function("now_ms", () => this.#nowMs);
  }

  run(sql: string, values: readonly SqlValue[], nowMs: bigint): readonly SqlRow[] {
    this.#nowMs = nowMs;
    return asShared(() => this.#prepared(sql).all(...values) as SqlRow[]);
  }

  mark(word: "begin" | "commit" | "rollback"): void {
    asShared(() => this.#database.exec(word));
  }

  close(): void {
    this.#database.close();
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    // SQLite would run the first and say nothing.
    if (/;\s*\S/.test(sql)) throw new WorldError("other", "more than one statement at once");
    const statement = this.#database.prepare(sql.replaceAll(/\$(\d+)/g, "?$1"));
    statement.setReadBigInts(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Whether a statement may change something. */
export function isWrite(sql: string): boolean {
  return !/^\s*select\b/i.test(sql);
}

function asShared<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof WorldError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const kind = /no such table/.test(message)
      ? "not found"
      : /UNIQUE constraint|already exists/.test(message)
      ? "already exists"
      : "other";
    throw new WorldError(kind, `SQLite: ${message}`);
  }
}
