/**
 * Databases that several daemons share, on PostgreSQL.
 *
 * @module
 */
import { Connections } from "./postgres_connections.ts";
import { PostgresEars } from "./postgres_ears.ts";
import type { Link } from "./postgres_link.ts";
import { parseSharedUrl } from "./postgres_url.ts";
import type {
  SharedDatabase,
  SharedDatabases,
  SharedEars,
  SharedTransaction,
} from "./shared_database.ts";
import { checkWord, IS_OVER } from "./shared_sql.ts";
import { type Clock, type SqlRow, type SqlValue, WorldError } from "./world.ts";

/**
 * The databases of PostgreSQL servers.
 * @throws MalformedError from `connect`, if the URL is malformed: see `parseSharedUrl`
 */
export function postgresDatabases(clock: Clock): SharedDatabases {
  return {
    async connect({ url, password = "", ca }) {
      const connections = new Connections({ clock, place: parseSharedUrl(url), password, ca });
      const database = new PostgresDatabase(clock, connections);
      try {
        // Whether we are let in shows at once.
        await connections.with(() => Promise.resolve());
        return database;
      } catch (error) {
        await database.close();
        throw error;
      }
    },
  };
}

class PostgresDatabase implements SharedDatabase {
  readonly #connections: Connections;
  readonly #ears: PostgresEars;

  constructor(clock: Clock, connections: Connections) {
    this.#connections = connections;
    this.#ears = new PostgresEars({ clock, connections });
  }

  query(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#connections.with((link) => link.run(sql, values));
  }

  transaction<T>(work: (statements: SharedTransaction) => Promise<T>): Promise<T> {
    return this.#connections.with((link) => inTransaction(link, work));
  }

  listen(channel: string, heard: SharedEars): Promise<void> {
    return this.#ears.listen(channel, heard);
  }

  async close(): Promise<void> {
    await Promise.all([this.#ears.close(), this.#connections.close()]);
  }
}

async function inTransaction<T>(
  link: Link,
  work: (statements: SharedTransaction) => Promise<T>,
): Promise<T> {
  await link.run("begin isolation level read committed read write");
  let isOver = false;
  let fault: { readonly error: unknown } | undefined;
  async function run(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    if (fault !== undefined) throw fault.error;
    if (isOver) throw new WorldError("closed", IS_OVER);
    try {
      return await link.run(sql, values);
    } catch (error) {
      fault ??= { error };
      throw error;
    }
  }
  try {
    const result = await work({
      query: run,
      async tell(channel, word) {
        checkWord(word);
        await run("select pg_notify($1, $2)", [channel, word]);
      },
    });
    isOver = true;
    // PostgreSQL takes a COMMIT after a failure for a ROLLBACK, and says nothing.
    if (fault !== undefined) throw fault.error;
    await link.run("commit");
    return result;
  } catch (error) {
    isOver = true;
    await rollBack(link);
    throw error;
  }
}

async function rollBack(link: Link): Promise<void> {
  try {
    if (link.isOpen) await link.run("rollback");
  } catch {
    // Nobody knows what state it is in. A connection that ends is rolled back.
    link.kill();
  }
}
