/**
 * Connection strings of a shared database, as PostgreSQL has them (its documentation, "Connection URIs"),
 * with what would make them unsafe or ambiguous left out.
 *
 * @module
 */
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { formatAddress } from "./address.ts";
import type { Address } from "./world.ts";

/** Where a server may be: at an address, or at a socket in a folder of this machine. */
export type SharedHost =
  | { readonly address: Address; readonly socket?: undefined }
  | { readonly socket: string; readonly address?: undefined };

/** What a connection string says. */
export interface SharedUrl {
  readonly user: string;
  readonly database: string;
  /** In the order in which they are preferred. */
  readonly hosts: readonly [SharedHost, ...SharedHost[]];
  /** Whether it goes over TLS, with a certificate for the host's name. Never over a socket of this machine. */
  readonly isOverTls: boolean;
}

const DEFAULT_PORT = 5432;
const MAX_PORT = 65_535;
/** A server listens at a file of this name in the folder of its sockets. */
const SOCKET_FILE = ".s.PGSQL.";

const WANTED = "expected postgres://USER@HOST:PORT/DATABASE";
/** What a string may say besides. */
const PARAMETERS = ["sslmode", "host", "port", "target_session_attrs"];
/** Where it leads is always a server that takes writes; these say so too. */
const TAKES_WRITES = ["read-write", "primary"];

/**
 * Reads `postgres://USER@HOST:PORT,HOST2:PORT/DATABASE`, in which a port may be left out, and an IPv6
 * address is in brackets. `?sslmode=disable` is for servers on this machine alone, `?host=/FOLDER` names
 * the folder of a socket in place of hosts.
 * @throws MalformedError, without the password that is perhaps in it
 */
export function parseSharedUrl(text: string): SharedUrl {
  const [scheme = "", rest] = /^([a-z+]+):\/\/(.*)$/is.exec(text)?.slice(1) ?? [];
  if (rest === undefined) throw malformed(`it does not begin with a scheme; ${WANTED}`);
  if (scheme !== "postgres" && scheme !== "postgresql") {
    throw malformed(`its scheme is ${quoted(scheme)}; ${WANTED}`);
  }
  if (/[\s\p{Cc}]/u.test(rest)) throw malformed("it has a space or control character");
  if (rest.includes("#")) throw malformed('it has a "#"; in a name write %23');
  const [before, query = "", ...more] = rest.split("?");
  if (more.length > 0) throw malformed('it has more than one "?"; in a name write %3F');
  const [authority, ...path] = before!.split("/");
  const parameters = parametersOf(query);
  const { user, places } = splitAuthority(authority!);
  const hosts = hostsOf(places, parameters);
  const database = path.length === 1 ? decoded(path[0]!, "database") : "";
  if (database === "") throw malformed(`it names no database, or not just one; ${WANTED}`);
  return { user, database, hosts, isOverTls: isOverTls(hosts, parameters.get("sslmode")) };
}

function splitAuthority(authority: string): { user: string; places: string } {
  // A password may have any character in it, so the last sign is the one that counts. Nothing
  // before a host is quoted.
  const at = authority.lastIndexOf("@");
  if (at === -1) throw malformed(`it names no user; ${WANTED}`);
  const who = authority.slice(0, at);
  if (/[:@]|%3A/i.test(who)) {
    throw malformed(
      "it has a password in it, which whoever reads the configuration would know; " +
        'name a file that has it in "password"',
    );
  }
  const user = decoded(who, "user");
  if (user === "") throw malformed(`its user is empty; ${WANTED}`);
  return { user, places: authority.slice(at + 1) };
}

function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query === "" ? [] : query.split("&")) {
    const [name, value] = pair.split("=").map((part) => decoded(part, "parameter"));
    if (name === "password") {
      throw malformed('it has a password in it; name a file that has it in "password"');
    }
    if (!PARAMETERS.includes(name!)) {
      throw malformed(`it has the parameter ${quoted(name!)}; known are ${PARAMETERS.join(", ")}`);
    }
    if (parameters.has(name!)) throw malformed(`it has the parameter ${name} twice`);
    if (!value) throw malformed(`its parameter ${name} is empty`);
    parameters.set(name!, value);
  }
  const wanted = parameters.get("target_session_attrs");
  if (wanted !== undefined && !TAKES_WRITES.includes(wanted)) {
    throw malformed(
      `its target_session_attrs is ${
        quoted(wanted)
      }; a server that takes no writes is of no use here`,
    );
  }
  return parameters;
}

function hostsOf(places: string, parameters: Map<string, string>): SharedUrl["hosts"] {
  const folder = parameters.get("host");
  const port = parameters.get("port");
  if (folder === undefined) {
    if (port !== undefined) throw malformed("its parameter port needs host=/FOLDER beside it");
    const [first, ...others] = places.split(",").map(hostOf);
    return [first!, ...others];
  }
  if (places !== "") throw malformed("it names hosts, and the parameter host besides");
  if (!folder.startsWith("/")) {
    throw malformed(
      `its parameter host is ${quoted(folder)}; expected the folder of a socket, from /`,
    );
  }
  return [{ socket: `${folder.replace(/\/+$/, "")}/${SOCKET_FILE}${portOf(port)}` }];
}

function hostOf(place: string): SharedHost {
  const match = /^(?:\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]|([^:[\]/%]*))(?::(.*))?$/.exec(place);
  if (match === null) throw malformed(`one of its hosts is ${quoted(place)}; ${WANTED}`);
  const hostname = match[1] ?? match[2]!;
  if (hostname === "") throw malformed(`one of its hosts is empty; ${WANTED}`);
  return { address: { hostname, port: portOf(match[3]) } };
}

function portOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= MAX_PORT) return port;
  throw malformed(`a port in it is ${quoted(text)}; expected a number from 1 to ${MAX_PORT}`);
}

function isOverTls(hosts: SharedUrl["hosts"], mode: string | undefined): boolean {
  const isSocket = hosts.some(({ socket }) => socket !== undefined);
  if (mode === undefined) return !isSocket;
  if (mode === "disable") {
    const far = hosts.find(({ address }) => address !== undefined && !isLoopback(address));
    if (far === undefined) return false;
    throw malformed(
      `its sslmode is disable, but ${printable(far.address!.hostname)} is not this machine ` +
        "(localhost, 127.0.0.1, [::1]): the password would go over the network for all to read",
    );
  }
  if (mode !== "verify-full") {
    throw malformed(
      `its sslmode is ${quoted(mode)}; expected verify-full, or disable on this machine alone`,
    );
  }
  if (isSocket) throw malformed("its sslmode is verify-full, but a socket's file has no TLS");
  return true;
}

function isLoopback({ hostname }: Address): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function decoded(text: string, what: string): string {
  try {
    const plain = decodeURIComponent(text);
    if (!/\p{Cc}/u.test(plain)) return plain;
  } catch {
    // Told below.
  }
  throw malformed(`its ${what} has a "%" that does not stand for a character of a name`);
}

function malformed(why: string): MalformedError {
  return new MalformedError(`Cannot read the connection string of the shared database: ${why}`);
}

/** A host as messages name it. */
export function formatHost(host: SharedHost): string {
  return host.socket ?? formatAddress(host.address);
}
