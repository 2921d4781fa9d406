/**
 * One connection to one PostgreSQL server, through the package `postgres`. It is used until it fails, and
 * then thrown away: the package never connects by itself, tries nothing twice, and keeps no time.
 *
 * @module
 */
import { inTime } from "./in_time.ts";
import { clientOn, type PostgresClient } from "./postgres_client.ts";
import { isReadOnlyRefusal, LATE, lostConnection, sharedError } from "./postgres_error.ts";
import { openStream, type PostgresStream } from "./postgres_stream.ts";
import type { SharedHost } from "./postgres_url.ts";
import { sentValue, STATEMENT_LIMIT_MS } from "./shared_sql.ts";
import { type Clock, type SqlRow, type SqlValue, WorldError } from "./world.ts";

/** How long it may take to connect to a server and be let in. */
export const CONNECT_LIMIT_MS = 4_000;
/** A server gives a transaction up in which nothing was said for so long. */
const IDLE_IN_TRANSACTION_MS = 15_000;
/** The server's limit for a statement is so much shorter than ours, and its answer says which it was. */
const SOONER_MS = 1_000;
/** How long a goodbye may take. */
const GOODBYE_S = 1;

/**
 * A statement with more values is not kept prepared. It is one of many rows, and each number of rows
 * is another statement, which the server would remember for as long as the connection lasts.
 */
const MAX_PREPARED_VALUES = 10;

/** The database's own clock, which runs on within a transaction. */
const NOW_MS = "(floor(extract(epoch from clock_timestamp()) * 1000)::bigint)";

/** Where a connection leads, and as whom. */
export interface LinkOptions {
  readonly clock: Clock;
  readonly host: SharedHost;
  readonly user: string;
  readonly database: string;
  readonly password: string;
  readonly isOverTls: boolean;
  readonly ca: string | undefined;
  /** A word that was told on a channel that this connection listens on. */
  readonly onWord?: ((channel: string, word: string) => void) | undefined;
  /** It has failed. Not called when it is closed here. */
  readonly onLost?: (() => void) | undefined;
}

/** What a connection is made of. */
interface LinkParts {
  readonly clock: Clock;
  readonly stream: PostgresStream;
  readonly sql: PostgresClient;
  readonly onLost: (() => void) | undefined;
}

/** An open connection. */
export class Link {
  readonly #clock: Clock;
  readonly #stream: PostgresStream;
  readonly #sql: PostgresClient;
  #isOpen = true;
  /** When it last ended a statement, on the monotonic clock. */
  usedAt: number;
  /** Whether the server has said that it takes no writes any more, or has said nothing in time. */
  isBadServer = false;

  private constructor({ clock, stream, sql, onLost }: LinkParts) {
    this.#clock = clock;
    this.#stream = stream;
    this.#sql = sql;
    this.usedAt = clock.monotonic();
    void stream.ended.then(() => {
      if (!this.#isOpen) return;
      this.#isOpen = false;
      onLost?.();
    });
  }

  /**
   * Connects to a server that takes writes.
   * @throws WorldError
   */
  static async open(options: LinkOptions): Promise<Link> {
    const { clock } = options;
    const giveUp = new AbortController();
    const opening = openLink(options, giveUp.signal);
    try {
      return await inTime({ clock, ms: CONNECT_LIMIT_MS, work: () => opening, late: TOO_LATE });
    } catch (error) {
      giveUp.abort();
      // It may have come just too late.
      opening.then((link) => link.kill(), () => {});
      throw sharedError(error);
    }
  }

  /** For `openLink`: a connection that was let in. */
  static of(parts: LinkParts): Link {
    return new Link(parts);
  }

  /** Whether it can be used. */
  get isOpen(): boolean {
    return this.#isOpen && !this.#stream.destroyed;
  }

  /**
   * Runs one statement. If its time is over, the connection is thrown away with it.
   * @throws WorldError
   */
  async run(text: string, values: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    const sent = values.map(sentValue);
    if (!this.isOpen) throw lostConnection();
    const statement = text.replaceAll("now_ms()", NOW_MS);
    // "simple" would take several statements at once.
    const prepare = sent.length <= MAX_PREPARED_VALUES;
    const work = async () => await this.#sql.unsafe(statement, sent, { simple: false, prepare });
    try {
      const rows = await inTime({ clock: this.#clock, ms: STATEMENT_LIMIT_MS, work, late: LATE });
      return [...rows];
    } catch (error) {
      const told = sharedError(error);
      if (isReadOnlyRefusal(error) || told.message === LATE) this.isBadServer = true;
      if (told.kind === "closed" || told.message === LATE) this.#fail();
      throw told;
    } finally {
      this.usedAt = this.#clock.monotonic();
    }
  }

  /** Ends it as one that has failed. */
  #fail(): void {
    this.#stream.destroy();
    void this.#sql.end({ timeout: 0 });
  }

  /** Ends it at once. What is under way fails. */
  kill(): void {
    this.#isOpen = false;
    this.#fail();
  }

  /** Says goodbye, and ends it. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#sql.end({ timeout: GOODBYE_S });
    this.#stream.destroy();
  }
}

const TOO_LATE = `no connection within ${CONNECT_LIMIT_MS / 1_000} s`;

async function openLink(options: LinkOptions, signal: AbortSignal): Promise<Link> {
  const { clock, onLost } = options;
  const stream = await openStream({ ...options, signal });
  const giveUp = (): void => void stream.destroy();
  signal.addEventListener("abort", giveUp);
  let sql: PostgresClient | undefined;
  try {
    sql = await clientOn(stream, options);
    await letIn(sql);
    return Link.of({ clock, stream, sql, onLost });
  } catch (error) {
    stream.destroy();
    void sql?.end({ timeout: 0 });
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** Limits that the server keeps as well, so that nothing stays locked after we have given up. */
const LET_IN = `select
  set_config('statement_timeout', '${STATEMENT_LIMIT_MS - SOONER_MS}', false),
  set_config('idle_in_transaction_session_timeout', '${IDLE_IN_TRANSACTION_MS}', false),
  current_setting('transaction_read_only') as read_only`;

async function letIn(sql: PostgresClient): Promise<void> {
  try {
    const [row] = await sql.unsafe(LET_IN, [], { simple: true, prepare: false });
    if (row!.read_only === "off") return;
  } catch (error) {
    // The package's word for a server that is not the primary.
    if ((error as { code?: string }).code !== "CONNECTION_DESTROYED") throw error;
  }
  throw new WorldError(
    "other",
    "it takes no writes: it is a standby, or read-only",
  );
}
