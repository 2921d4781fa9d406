import { lostConnection } from "./postgres_error.ts";
import type { PostgresStream } from "./postgres_stream.ts";
import type { SqlRow } from "./world.ts";

/** The variables of the environment that the package reads whatever it is given; none changes anything. */
export const DATABASE_VARIABLES = ["PGAPPNAME"];

/** What is used of the package `postgres`, version 3. */
export interface PostgresClient {
  unsafe(
    text: string,
    values: readonly unknown[],
    options: { simple: boolean; prepare: boolean },
  ): PromiseLike<Iterable<SqlRow>>;
  end(options: { timeout: number }): Promise<void>;
}

/** As whom it speaks, and who hears what is told. */
export interface ClientOptions {
  readonly user: string;
  readonly database: string;
  readonly password: string;
  readonly onWord?: ((channel: string, word: string) => void) | undefined;
}

/** Types by the numbers that PostgreSQL has for them (its catalogue `pg_type`). */
const TYPES = {
  integer: { to: 20, from: [20, 21, 23, 26], serialize: String, parse: BigInt },
  // What a sum of integers is.
  decimal: { to: 1700, from: [1700], serialize: String, parse: decimal },
  // SQLite has no truth values but 1 and 0.
  truth: { to: 16, from: [16], serialize: String, parse: (text: string) => text === "t" ? 1n : 0n },
  bytes: { to: 17, from: [17], serialize: bytesAsText, parse: bytesOf },
  // JSON and times stay text.
  text: {
    to: 25,
    from: [114, 3802, 1082, 1114, 1184],
    serialize: String,
    parse: (text: string) => text,
  },
};

/**
 * The package on a connection that is open already. It is loaded here and no sooner: who shares no
 * database starts without it. Everything it would look up in the environment is given, since what
 * PGHOST and the like say must not change what is configured; it reads PGAPPNAME all the same, and that
 * is given too.
 */
export async function clientOn(
  stream: PostgresStream,
  { user, database, password, onWord }: ClientOptions,
): Promise<PostgresClient> {
  const { default: postgres } = await import("postgres");
  let isUsed = false;
  const options = {
    // For its messages alone, which are not shown.
    ...{ host: ["server"], port: [0] },
    ...{ user, database, pass: () => password, connection: { application_name: "hearsay" } },
    socket() {
      // It would connect again by itself. What was told or asked meanwhile would be lost unseen.
      if (isUsed) throw lostConnection();
      isUsed = true;
      return stream;
    },
    ...{ ssl: false, sslnegotiation: null, target_session_attrs: "primary" },
    ...{ max: 1, max_pipeline: 100, max_lifetime: null, idle_timeout: null, connect_timeout: null },
    ...{ backoff: 0, keep_alive: null, publications: "", fetch_types: false },
    ...{ prepare: true, debug: false, no_subscribe: true, types: TYPES },
    ...{ onnotice() {}, onnotify: onWord },
  };
  return postgres(
    options as unknown as Parameters<typeof postgres>[0],
  ) as unknown as PostgresClient;
}

function decimal(text: string): bigint | number {
  return /^-?\d+$/.test(text) ? BigInt(text) : Number(text);
}

function bytesAsText(bytes: Uint8Array): string {
  return `\\x${bytes.toHex()}`;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.fromHex(text.slice("\\x".length));
}
