/**
 * Password files of PostgreSQL (its documentation, "The Password File"): lines
 * `HOST:PORT:DATABASE:USER:PASSWORD`, of which the first that fits counts. `*` fits everything; a colon
 * or backslash within a field has a backslash before it.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import { formatHost, type SharedHost, type SharedUrl } from "../world/postgres_url.ts";

/** As whom one server is spoken to. */
interface Who {
  /** What may stand for the host. */
  readonly hosts: readonly string[];
  readonly port: string;
  readonly database: string;
  readonly user: string;
}

/**
 * The password for all servers of a connection string; nothing if no line fits any of them.
 * @param text of the file
 * @throws MalformedError if it has not the same for all of them. No message has a part of the file
 */
export function passwordFor(
  { user, database, hosts }: SharedUrl,
  text: string,
): string | undefined {
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"))
    .map(fieldsOf);
  const found = hosts.map((host) => firstFor({ ...placeOf(host), database, user }, lines));
  const [first] = found;
  const other = found.findIndex((password) => password !== first);
  if (other === -1) return first;
  throw new MalformedError(
    `it has not the same password for ${formatHost(hosts[0])} and ${formatHost(hosts[other]!)}, ` +
      "expected one for all servers of a store: a standby has the users of its primary",
  );
}

function firstFor({ hosts, ...who }: Who, lines: readonly string[][]): string | undefined {
  const wanted = [hosts, [who.port], [who.database], [who.user]];
  const line = lines.find((fields) =>
    wanted.every((fitting, i) => fields[i] === ANY || fitting.includes(plain(fields[i]!)))
  );
  return line === undefined ? undefined : plain(line[4]!);
}

const ANY = "*";

/** The five fields of a line as they are written; the last one has the rest of it. Fewer fit nothing. */
function fieldsOf(line: string): string[] {
  const match = /^((?:\\.|[^\\:])*):((?:\\.|[^\\:])*):((?:\\.|[^\\:])*):((?:\\.|[^\\:])*):(.*)$/
    .exec(
      line,
    );
  return match === null ? ["", "", "", "", ""] : match.slice(1);
}

function plain(field: string): string {
  return field.replace(/\\(.)/g, "$1");
}

function placeOf(host: SharedHost): Pick<Who, "hosts" | "port"> {
  if (host.socket === undefined) {
    const { hostname, port } = host.address;
    return { hosts: [hostname], port: `${port}` };
  }
  // A socket's folder; `localhost` is what PostgreSQL's own programs look for if it is the usual one.
  const [, folder = "", port = ""] = /^(.*)\/\.s\.PGSQL\.(\d+)$/.exec(host.socket) ?? [];
  return { hosts: [folder, "localhost"], port };
}
