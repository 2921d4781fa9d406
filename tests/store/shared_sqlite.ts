/**
 * A shared database in memory, on SQLite, for tests and the simulator. It never waits for real time:
 * its clock is the one it is given. What it does is decided by who calls it, in which order, alone.
 *
 * Transactions exclude each other from their first write to their end, as if every row were locked by
 * it. What they read before their first write is not locked, as with PostgreSQL's READ COMMITTED: another
 * one may change it meanwhile. Who reads while another has written waits until that one has ended.
 */
import type {
  SharedDatabase,
  SharedDatabases,
  SharedEars,
  SharedPlace,
  SharedTransaction,
} from "../../src/world/shared_database.ts";
import { parseSharedUrl } from "../../src/world/postgres_url.ts";
import { checkWord, IS_OVER, sentValue, STATEMENT_LIMIT_MS } from "../../src/world/shared_sql.ts";
import { inTime } from "../../src/world/in_time.ts";
import { type Change, Engine, isWrite, Lock } from "./shared_sqlite_engine.ts";
import { Turns } from "../../src/world/turns.ts";
import {
  type Clock,
  type SqlRow,
  type SqlValue,
  type Timer,
  WorldError,
} from "../../src/world/world.ts";

/** How soon a listener that lost its connection tries again. */
const RECONNECT_MS = 1_000;

/** For a world in which nobody shares a database. */
export const noSharedDatabases: SharedDatabases = {
  connect: () =>
    Promise.reject(new WorldError("not permitted", "there is no shared database in this world")),
};

/** The database, as its operator has it. Daemons reach it through `site`. */
export class SharedSqlite {
  readonly clock: Clock;
  /** How far the database's own clock is ahead of `clock`. */
  aheadMs = 0;
  #engine = new Engine();
  #history: (readonly Change[])[] = [];
  readonly #sites: SharedSite[] = [];
  /** Whoever has written and not ended. The others wait for their turn. */
  readonly lock = new Lock();
  #isClosed = false;
  /** Is told of each transaction, or single statement, that has changed something. */
  onCommit: (changes: readonly Change[]) => void = () => {};

  constructor({ clock }: { clock: Clock }) {
    this.clock = clock;
  }

  /** The way of one machine to the database, with faults of its own. */
  site(): SharedSite {
    const site = new SharedSite(this);
    this.#sites.push(site);
    return site;
  }

  /** How many transactions and single statements have changed something, and are not lost. */
  get commits(): number {
    return this.#history.length;
  }

  /** The database's own time, in milliseconds since 1970. */
  get nowMs(): number {
    return this.clock.now().getTime() + this.aheadMs;
  }

  /**
   * The last so many commits never happened, and every connection is broken: what a failover to a
   * standby that lags leaves, or a backup that is restored.
   */
  loseLast(commits: number): void {
    this.breakConnections();
    this.#history = this.#history.slice(0, Math.max(0, this.#history.length - commits));
    this.#engine.close();
    this.#engine = new Engine();
    for (const { sql, values, nowMs } of this.#history.flat()) {
      this.#engine.run(sql, values, nowMs);
    }
  }

  /** Breaks the connections of all. Who writes now has written nothing. */
  breakConnections(): void {
    for (const site of this.#sites) site.breakConnections();
  }

  /** Runs a statement at once, past every fault: for what a test looks at, or damages. */
  look(sql: string, values: readonly SqlValue[] = []): readonly SqlRow[] {
    if (this.lock.isTaken) throw new Error("somebody is in a transaction");
    const { rows, change } = this.run(sql, values);
    if (change !== undefined) this.keep([change]);
    return rows;
  }

  /** Ends the database; the test is over. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const site of this.#sites) site.close();
    this.#engine.close();
  }

  /** Runs a statement, for a connection. */
  run(sql: string, values: readonly SqlValue[]): { rows: readonly SqlRow[]; change?: Change } {
    if (this.#isClosed) throw new WorldError("closed", "the shared database is closed");
    const sent = values.map(sentValue);
    const nowMs = BigInt(Math.floor(this.nowMs));
    const rows = this.#engine.run(sql, sent, nowMs);
    return isWrite(sql) ? { rows, change: { sql, values: sent, nowMs } } : { rows };
  }

  /** Begins, ends or undoes what belongs together, for a connection. */
  mark(word: "begin" | "commit" | "rollback"): void {
    if (!this.#isClosed) this.#engine.mark(word);
  }

  /** Remembers what was committed. */
  keep(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#history.push(changes);
    this.onCommit(changes);
  }

  /** Tells what was said in a transaction that was committed. */
  tell(words: readonly { readonly channel: string; readonly word: string }[]): void {
    for (const site of this.#sites) site.hear(words);
  }
}

/** One machine's way to the database. */
export class SharedSite implements SharedDatabases {
  /** Nobody is let in, and no statement gets through. */
  refuses = false;
  /** How long a statement or its answer is on the way; asked for each. */
  travelMs: () => number = () => 0;
  /** The answer to this many coming commits is lost: they happen, and who asked sees an error. */
  losesAnswers = 0;
  readonly #server: SharedSqlite;
  readonly #open = new Set<SqliteConnections>();

  constructor(server: SharedSqlite) {
    this.#server = server;
  }

  async connect({ url }: SharedPlace): Promise<SharedDatabase> {
    parseSharedUrl(url);
    await travel(this.#server.clock, this.travelMs());
    if (this.refuses) throw refused();
    const opened = new SqliteConnections(this.#server, this);
    this.#open.add(opened);
    return opened;
  }

  /** What is under way fails, and words are missed until the connection is back. */
  breakConnections(): void {
    for (const each of this.#open) each.break();
  }

  /** For the database: words that were told. */
  hear(words: readonly { readonly channel: string; readonly word: string }[]): void {
    for (const each of this.#open) each.hear(words);
  }

  /** For a connection that is closed. */
  forget(connections: SqliteConnections): void {
    this.#open.delete(connections);
  }

  /** Closes what is open. */
  close(): void {
    for (const each of [...this.#open]) void each.close();
  }
}

/** What `connect` gives: connections underneath, as many as are needed. */
class SqliteConnections implements SharedDatabase {
  readonly #server: SharedSqlite;
  readonly #site: SharedSite;
  readonly #ears: { readonly channel: string; readonly heard: SharedEars }[] = [];
  readonly #transactions = new Set<SqliteTransaction>();
  /** Words come one after the other. */
  readonly #deliveries = new Turns();
  /** Rises each time the connections break: what began before then fails. */
  #epoch = 0;
  #isDeaf = false;
  #isClosed = false;
  #retry: Timer | undefined;

  constructor(server: SharedSqlite, site: SharedSite) {
    this.#server = server;
    this.#site = site;
  }

  query(sql: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return this.#exchange(async (still) => {
      using _held = await this.#server.lock.take(still);
      still();
      const { rows, change } = this.#server.run(sql, values);
      if (change !== undefined) {
        this.#server.keep([change]);
        this.#loseAnswer();
      }
      return rows;
    });
  }

  async transaction<T>(work: (statements: SharedTransaction) => Promise<T>): Promise<T> {
    const transaction = new SqliteTransaction(this.#server, (run) => this.#exchange(run));
    this.#transactions.add(transaction);
    try {
      await this.#exchange(() => Promise.resolve());
      const result = await work(transaction.statements);
      await this.#exchange((still) => {
        still();
        transaction.commit();
        this.#loseAnswer();
        return Promise.resolve();
      });
      return result;
    } finally {
      transaction.end();
      this.#transactions.delete(transaction);
    }
  }

  async listen(channel: string, heard: SharedEars): Promise<void> {
    await this.#exchange(() => {
      this.#ears.push({ channel, heard });
      return Promise.resolve();
    });
  }

  close(): Promise<void> {
    if (!this.#isClosed) this.break();
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#site.forget(this);
    return Promise.resolve();
  }

  break(): void {
    this.#epoch++;
    for (const transaction of this.#transactions) transaction.cut();
    this.#server.lock.wake();
    if (this.#ears.length === 0) return;
    this.#isDeaf = true;
    this.#retry?.cancel();
    this.#retry = this.#server.clock.after(RECONNECT_MS, () => this.#hearAgain());
  }

  hear(words: readonly { readonly channel: string; readonly word: string }[]): void {
    if (this.#isDeaf || this.#isClosed) return;
    const epoch = this.#epoch;
    for (const { channel, word } of words) {
      void this.#deliveries.next(async () => {
        await travel(this.#server.clock, this.#site.travelMs());
        if (this.#epoch !== epoch || this.#isClosed) return;
        for (const ear of this.#ears) if (ear.channel === channel) ear.heard.onWord(word);
      });
    }
  }

  #hearAgain(): void {
    if (this.#site.refuses) {
      this.#retry = this.#server.clock.after(RECONNECT_MS, () => this.#hearAgain());
      return;
    }
    this.#isDeaf = false;
    for (const { heard } of this.#ears) heard.onGap();
  }

  /** Brings a request to the database and its answer back, in time and over a connection that holds. */
  async #exchange<T>(run: (still: () => void) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new WorldError("closed", "the shared database was closed here");
    const { clock } = this.#server;
    const epoch = this.#epoch;
    let isLate = false;
    const still = (): void => {
      if (isLate) throw late();
      if (this.#site.refuses || this.#epoch !== epoch) throw lost();
    };
    const work = async (): Promise<T> => {
      await travel(clock, this.#site.travelMs());
      still();
      const answer = await run(still);
      await travel(clock, this.#site.travelMs());
      still();
      return answer;
    };
    try {
      return await inTime({ clock, ms: STATEMENT_LIMIT_MS, work, late: late().message });
    } catch (error) {
      isLate = true;
      this.#server.lock.wake();
      throw error;
    }
  }

  #loseAnswer(): void {
    if (this.#site.losesAnswers === 0) return;
    this.#site.losesAnswers--;
    throw lost();
  }
}

/** Brings a request to the database, where `run` answers it, and the answer back. */
type Exchange = <T>(run: (still: () => void) => Promise<T>) => Promise<T>;

/** A transaction: what it has changed, and what it would say. */
class SqliteTransaction {
  readonly #server: SharedSqlite;
  readonly #exchange: Exchange;
  readonly #changes: Change[] = [];
  readonly #words: { channel: string; word: string }[] = [];
  #held: Disposable | undefined;
  #fault: unknown;
  #isOver = false;
  /** On one connection a statement follows the other. */
  readonly #turns = new Turns();

  constructor(server: SharedSqlite, exchange: Exchange) {
    this.#server = server;
    this.#exchange = exchange;
  }

  readonly statements: SharedTransaction = {
    query: (sql, values = []) =>
      this.#next(async (still) => {
        const isWriting = isWrite(sql);
        using reading = this.#held ? undefined : await this.#server.lock.take(still);
        this.#check(still);
        if (isWriting && reading !== undefined) {
          this.#held = reading.keep();
          this.#server.mark("begin");
        }
        const { rows, change } = this.#server.run(sql, values);
        if (change !== undefined) this.#changes.push(change);
        return rows;
      }),
    tell: (channel, word) =>
      this.#next((still) => {
        this.#check(still);
        checkWord(word);
        // As PostgreSQL: the same word is told once.
        const isSaid = this.#words.some((said) => said.channel === channel && said.word === word);
        if (!isSaid) this.#words.push({ channel, word });
        return Promise.resolve();
      }),
  };

  /** @throws what has failed in it, as nothing of it may happen then */
  commit(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#held) this.#server.mark("commit");
    this.#release();
    this.#server.keep(this.#changes);
    this.#server.tell(this.#words);
  }

  /** Undoes it at once, as its connection has broken. */
  cut(): void {
    this.#fault ??= lost();
    this.end();
  }

  /** Undoes it, unless it was committed. */
  end(): void {
    this.#isOver = true;
    if (this.#held) this.#server.mark("rollback");
    this.#release();
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.[Symbol.dispose]();
  }

  #check(still: () => void): void {
    still();
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#isOver) throw new WorldError("closed", IS_OVER);
  }

  async #next<T>(run: (still: () => void) => Promise<T>): Promise<T> {
    if (this.#isOver) throw new WorldError("closed", IS_OVER);
    try {
      return await this.#turns.next(() => this.#exchange(run));
    } catch (error) {
      this.#fault ??= error;
      throw error;
    }
  }
}

async function travel(clock: Clock, ms: number): Promise<void> {
  if (ms <= 0) return await Promise.resolve();
  await new Promise<void>((resolve) => clock.after(ms, resolve));
}

function refused(): WorldError {
  return new WorldError("other", "cannot reach the shared database: connection refused");
}

function lost(): WorldError {
  return new WorldError("closed", "the connection to the shared database was lost");
}

function late(): WorldError {
  return new WorldError(
    "timed out",
    `no answer of the shared database within ${STATEMENT_LIMIT_MS / 1_000} s`,
  );
}
