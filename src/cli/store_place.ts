/**
 * What lets a monitor into the store that its configuration names: the password, and who may sign the
 * server's certificate. Both are read anew before each connection, so that a change needs no restart.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { StoreSettings } from "../store/settings.ts";
import { fileText } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { isThere } from "../world/durable.ts";
import { parseSharedUrl } from "../world/postgres_url.ts";
import type { SharedPlace } from "../world/shared_database.ts";
import { type OpenFile, type World, WorldError } from "../world/world.ts";
import { isUsageFault } from "./command.ts";
import { environmentOf } from "./folders.ts";
import { readInput } from "./inputs.ts";
import { passwordFor } from "./pgpass.ts";

/** The name of systemd's credential with the password (`LoadCredential=hearsay-store:FILE`). */
export const STORE_CREDENTIAL = "hearsay-store";

/**
 * The variables of the environment that say where the password is, besides HOME; and the one that the
 * package `postgres` reads whatever it is told, and that changes nothing here.
 */
export const STORE_VARIABLES = ["PGPASSFILE", "CREDENTIALS_DIRECTORY", "PGAPPNAME"] as const;

/** Longest file with a password, and with certificates, that is read. */
const [MAX_PASSWORD_FILE_BYTES, MAX_CA_BYTES] = [65_536, 1_048_576];
/** Mode bits that let everybody read or write a file, and the group too. */
const [ANYBODY, ANY_OTHER] = [0o007, 0o077];

/**
 * Reads what lets us into a store. The password is, of these, what is there first: the file that the
 * configuration names; systemd's credential; PGPASSFILE, or ~/.pgpass; none.
 * @throws UsageError, MalformedError that names the file, and has nothing of what is in it
 * @throws WorldError if a file cannot be read
 */
export async function storePlace(
  world: World,
  { url, password: file, ca }: Pick<StoreSettings, "url" | "password" | "ca">,
  environment: (name: string) => string | undefined = environmentOf,
): Promise<SharedPlace> {
  const password = file !== undefined
    ? await readPassword(world, file)
    : await credential(world, environment) ?? await fromPgpass(world, { url, environment });
  return {
    url,
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca: await readCa(world, ca) }),
  };
}

/**
 * As `storePlace`, for a daemon that runs: a file that is of no use keeps it from the store, and from
 * nothing else.
 * @throws WorldError alone
 */
export async function storePlaceNow(world: World, settings: StoreSettings): Promise<SharedPlace> {
  try {
    return await storePlace(world, settings);
  } catch (error) {
    throw isUsageFault(error) ? new WorldError("other", error.message) : error;
  }
}

async function credential(
  world: World,
  environment: (name: string) => string | undefined,
): Promise<string | undefined> {
  const folder = environment("CREDENTIALS_DIRECTORY");
  if (folder === undefined) return undefined;
  const path = join(folder, STORE_CREDENTIAL);
  return await isThere(world.files, path) ? await readPassword(world, path) : undefined;
}

/** A file whose first line is the password. */
async function readPassword(world: World, path: string): Promise<string> {
  const text = await readSecretText(world, path, ANYBODY);
  const [line = ""] = text.split(/\r?\n/);
  if (line === "") {
    throw new MalformedError(`the first line of ${quoted(path)} is empty, expected a password`);
  }
  if (!line.includes("\0")) return line;
  throw new MalformedError(`the first line of ${quoted(path)} has a NUL, expected a password`);
}

async function fromPgpass(
  world: World,
  { url, environment }: { url: string; environment: (name: string) => string | undefined },
): Promise<string | undefined> {
  const home = environment("HOME");
  const named = environment("PGPASSFILE");
  const path = named ?? (home === undefined ? undefined : join(home, ".pgpass"));
  if (path === undefined) return undefined;
  // Under systemd the home may be hidden. A file that is not there has no password, as with libpq.
  if (named === undefined && !await isThere(world.files, path).catch(() => false)) return undefined;
  const text = await readSecretText(world, path, ANY_OTHER);
  try {
    return passwordFor(parseSharedUrl(url), text);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${quoted(path)}: ${error.message}`);
  }
}

/** @param refused mode bits with which it is refused */
async function readSecretText(world: World, path: string, refused: number): Promise<string> {
  const check = ({ permissions = 0 }: OpenFile): void => {
    if ((permissions & refused) === 0) return;
    const mode = permissions.toString(8).padStart(4, "0");
    throw new MalformedError(
      `others may read the password of the store in ${
        quoted(path)
      } (mode ${mode}), expected that ` +
        "only its owner may: chmod 600",
    );
  };
  const maxBytes = MAX_PASSWORD_FILE_BYTES;
  return textOf(await readInput({ world, path, maxBytes, check }), path);
}

async function readCa(world: World, path: string): Promise<string> {
  const pem = textOf(await readInput({ world, path, maxBytes: MAX_CA_BYTES }), path);
  if (/^-----BEGIN CERTIFICATE-----\r?$/m.test(pem)) return pem;
  throw new MalformedError(`${quoted(path)} has no certificate in it, expected PEM`);
}

function textOf(bytes: Uint8Array, path: string): string {
  try {
    return fileText(bytes);
  } catch {
    // What is in it is not repeated.
    throw new MalformedError(`${quoted(path)} is not text, expected UTF-8`);
  }
}
