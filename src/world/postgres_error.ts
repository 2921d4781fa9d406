import { STATEMENT_LIMIT_MS } from "./shared_sql.ts";
import { WorldError, type WorldErrorKind } from "./world.ts";
import { worldError } from "./world_error.ts";

/** What classes of SQLSTATE mean here (PostgreSQL's documentation, "PostgreSQL Error Codes"). */
const KINDS: readonly [RegExp, WorldErrorKind][] = [
  // A time limit: of the statement, of a lock, of a transaction that says nothing.
  [/^(57014|55P03|25P03)$/, "timed out"],
  // Who we are, what we may; a server that takes no writes.
  [/^(28...|42501)$/, "not permitted"],
  // No such database, table, schema.
  [/^(3D000|42P01|3F000)$/, "not found"],
  // A second row with one key, a second table of one name.
  [/^(23505|42P07|42710|42701)$/, "already exists"],
  [/^53...$/, "exhausted"],
  // A connection that failed, a server that ends, starts, or takes no writes any more.
  [/^(08...|57P..|25006)$/, "closed"],
];

/** A statement that writes came to a server that takes none (any more). */
const READ_ONLY = "25006";

/** Of what a server says, so much is repeated: it is kept in the status, and told again and again. */
const MAX_MESSAGE_CHARACTERS = 500;

/** Whether a server has said that it takes no writes. */
export function isReadOnlyRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === READ_ONLY;
}

/**
 * What the package `postgres`, the server or Deno has thrown, as an error of the world. Only the message
 * is taken: the package hangs statement and values to its errors.
 */
export function sharedError(error: unknown): WorldError {
  if (error instanceof WorldError) return error;
  const code = error instanceof Error && "code" in error ? `${error.code}` : "";
  const message = (error as Error).message.slice(0, MAX_MESSAGE_CHARACTERS);
  if (/^[0-9A-Z]{5}$/.test(code)) {
    const kind = KINDS.find(([codes]) => codes.test(code))?.[1] ?? "other";
    return new WorldError(kind, `PostgreSQL: ${message} (${code})`);
  }
  if (/^CONNECT(ION)?_/.test(code)) return lostConnection();
  return worldError(error);
}

/** The connection ended before the answer came: what was asked for may have happened or not. */
export function lostConnection(): WorldError {
  return new WorldError("closed", "the connection to the shared database was lost");
}

/** What is said if a time limit is over. */
export const LATE = `no answer of the shared database within ${STATEMENT_LIMIT_MS / 1_000} s`;
