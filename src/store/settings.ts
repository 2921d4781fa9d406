/**
 * The section of the configuration about a store that several daemons share.
 *
 * @module
 */
import { unexpected, within } from "../tlog/members.ts";
import type { Given, Section } from "../world/jsonc.ts";
import { parseSharedUrl } from "../world/postgres_url.ts";
import { countUpTo, placeBeside, readDuration, readText } from "../world/setting_values.ts";
import { MAX_LEASE_MS, MAX_VIEWS } from "./shared_leases.ts";

/** Which store a monitor shares with others, and how they divide the work. There is no secret in it. */
export interface StoreSettings {
  /** `postgres://USER@HOST:PORT/DATABASE`, as `parseSharedUrl` takes it. */
  readonly url: string;
  /** Path of the file with the password. */
  readonly password?: string;
  /** Path of the file that says who may sign the server's certificate: PEM. */
  readonly ca?: string;
  /** From how many sites each log is looked at. */
  readonly views: number;
  /** How long a log stays with a site that is not heard of, in milliseconds. */
  readonly leaseMs: number;
}

/** The values of what the file leaves out, spelled as in the file. */
export const STORE_DEFAULTS = { views: 2, lease: "30s" } as const;

/** The shortest lease: each third of it, the database is asked. */
export const MIN_LEASE_MS = 1_000;

/** Reads `store`, a connection string or an object; nothing if the configuration has none. */
export const storeSection: Section<StoreSettings | undefined> = (given) => {
  if (!given.isThere) return undefined;
  if (given.maybe((value) => typeof value === "string")) return readPlain(given);
  const known = ["url", "password", "ca", ...Object.keys(STORE_DEFAULTS)];
  const members = given.members({ what: "the store", known });
  if (members === undefined) return undefined;
  const path = (value: unknown, name: string): string =>
    placeBeside(given.file.path, readText(value, name));
  const url = members.get("url").read(readStoreUrl);
  const password = members.get("password").maybe(path);
  const ca = members.get("ca").maybe(path);
  const views = members.get("views").read(countUpTo(MAX_VIEWS), STORE_DEFAULTS.views);
  const leaseMs = members.get("lease").read(readLease, STORE_DEFAULTS.lease);
  if (!url || !views || !leaseMs) return undefined;
  return { url, ...(password && { password }), ...(ca && { ca }), views, leaseMs };
};

/** A store of which the file says nothing but where it is. */
function readPlain(given: Given): StoreSettings | undefined {
  const url = given.read(readStoreUrl);
  if (url === undefined) return undefined;
  const leaseMs = readLease(STORE_DEFAULTS.lease, "lease");
  return { url, views: STORE_DEFAULTS.views, leaseMs };
}

/** Reads where the database is. @throws MalformedError, which quotes no password */
function readStoreUrl(value: unknown, name: string): string {
  const text = readText(value, name);
  within(name, () => parseSharedUrl(text));
  return text;
}

/** Reads the length of a lease, in milliseconds. @throws MalformedError */
function readLease(value: unknown, name: string): number {
  const ms = readDuration(value, name);
  if (ms >= MIN_LEASE_MS && ms <= MAX_LEASE_MS) return ms;
  throw unexpected(value, { name, wanted: "a duration from 1s to 10m, such as 30s" });
}
