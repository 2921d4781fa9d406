/**
 * A PostgreSQL of our own on the loopback interface, in a temporary folder: a primary, and a standby that
 * has what the primary has said was committed. Its processes end with it, and with the test's process,
 * however that ends; in any case after `MOST_SECONDS`.
 */
import { type Built, type Ran, shell } from "./go.ts";
import { freePort } from "./processes.ts";

/** How long its servers run at most. */
const MOST_SECONDS = 900;
/** How long to wait for anything of it. */
const PATIENCE_MS = 30_000;
const USER = "hearsay";
const DATABASE = "hearsay";

/** Where its programs are, besides PATH: Debian's packages put them into a folder of each version. */
const PROGRAMS =
  'export PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)"';
/** PostgreSQL does not run as root. It runs as the user that its package made, or as we do. */
const AS_USER = `
  ${PROGRAMS}
  export LC_ALL=C.UTF-8
  as() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
  }`;

/** The programs, or why there are none. */
export async function postgresHere(): Promise<Built> {
  const { code } = await shell(`${PROGRAMS}
    for each in initdb postgres pg_ctl pg_basebackup psql timeout; do command -v $each || exit 1; done
    [ "$(id -u)" != 0 ] || { id postgres && command -v setpriv; }`);
  return code === 0 ? { program: "postgres" } : { absent: "PostgreSQL is not here" };
}

/** How a cluster is made. */
export interface ClusterOptions {
  /** Whether there is a standby, without which nothing is committed. */
  readonly hasStandby?: boolean;
  /** PEM: the servers speak TLS with this certificate and key. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Settings besides, such as `fsync=on`: otherwise nothing is written through to the disk. */
  readonly settings?: readonly string[];
  /** Where its folder is made; the folder of temporary files by default. */
  readonly within?: string;
}

/** One server of it. */
export class PgServer {
  readonly folder: string;
  readonly name: string;
  readonly port = freePort();
  #child: Deno.ChildProcess | undefined;

  constructor(home: string, name: string) {
    this.folder = `${home}/${name}`;
    this.name = name;
  }

  /** Starts the server that is in the folder, and waits until it answers. */
  async start(home: string, settings: readonly string[] = []): Promise<void> {
    const options = [
      ...["listen_addresses=127.0.0.1", `port=${this.port}`, `unix_socket_directories=${home}`],
      ...["fsync=off", "max_connections=60", "shared_buffers=16MB", "wal_keep_size=256MB"],
      ...settings,
    ].flatMap((setting) => ["-c", setting]);
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        // `timeout` ends it fast (SIGINT), and by force if it does not end.
        `${AS_USER}
         folder=$1; log=$2; shift 2
         [ "$(id -u)" != 0 ] || set -- setpriv --reuid=postgres --regid=postgres --clear-groups \\
           postgres -D "$folder" "$@"
         [ "$(id -u)" = 0 ] || set -- postgres -D "$folder" "$@"
         timeout -s INT -k 5 ${MOST_SECONDS} "$@" </dev/null >>"$log" 2>&1 &
         # Our input ends when the test wants it to, or is no more, however it ended.
         cat >/dev/null
         kill -INT $! 2>/dev/null
         wait`,
        "sh",
        ...[this.folder, `${this.folder}.log`, ...options],
      ],
      ...{ stdin: "piped", stdout: "null", stderr: "null" },
    }).spawn();
    await until(`${this.name} answers`, async () => {
      const { code } = await this.ask(home, "select 1", "postgres");
      return code === 0;
    }, () => Deno.readTextFile(`${this.folder}.log`));
  }

  /** Runs statements as the database's owner, past everything under test. */
  ask(home: string, sql: string, database = DATABASE): Promise<Ran> {
    return shell(
      `${AS_USER}
       as psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$1" -p "$2" -U ${USER} -d "$3" -c "$4"`,
      ...[home, `${this.port}`, database, sql],
    );
  }

  /** Ends every process of it at once, as when the machine loses power. */
  async kill(): Promise<void> {
    await must(
      `pid=$(head -1 "$1/postmaster.pid")
       children=$(ps -o pid= --ppid "$pid")
       kill -9 "$pid" $children 2>/dev/null
       true`,
      this.folder,
    );
    await this.stop();
  }

  /** Stops its processes without ending them, as when the network to the machine is cut; or lets go on. */
  async freeze(isFrozen: boolean): Promise<void> {
    await must(
      `pid=$(head -1 "$1/postmaster.pid"); kill -"$2" "$pid" $(ps -o pid= --ppid "$pid")`,
      ...[this.folder, isFrozen ? "STOP" : "CONT"],
    );
  }

  /** Ends it as an operator does: its clients are told. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.stdin.close();
    await child?.status;
  }
}

/** A primary, and its standby. */
export class PgCluster implements AsyncDisposable {
  readonly #home: string;
  readonly #options: ClusterOptions;
  readonly #servers: readonly [PgServer, PgServer];
  #primary: PgServer;
  /** Of the role that `url` names. */
  readonly password = `pass-${crypto.randomUUID()}`;

  private constructor(home: string, options: ClusterOptions) {
    this.#home = home;
    this.#options = options;
    this.#servers = [new PgServer(home, "one"), new PgServer(home, "two")];
    this.#primary = this.#servers[0];
  }

  /** Makes a cluster with an empty database, and starts it. */
  static async start(options: ClusterOptions = {}): Promise<PgCluster> {
    const { within: dir } = options;
    const home = Deno.makeTempDirSync({ prefix: "hearsay-pg-", ...(dir !== undefined && { dir }) });
    const cluster = new PgCluster(home, options);
    try {
      await cluster.#begin();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Where a daemon finds it, at both servers, whichever is the primary. Over TLS if it has a certificate. */
  get url(): string {
    const { hasStandby = true, tls } = this.#options;
    const servers = hasStandby ? this.#servers : this.#servers.slice(0, 1);
    const hosts = servers.map(({ port }) => `127.0.0.1:${port}`).join();
    return `postgres://${USER}@${hosts}/${DATABASE}${tls ? "" : "?sslmode=disable"}`;
  }

  /** The folder of its sockets, at which no password is asked for. */
  get home(): string {
    return this.#home;
  }

  /** The server that takes writes. */
  primary(): PgServer {
    return this.#primary;
  }

  /** The other server. */
  standby(): PgServer {
    return this.#servers.find((server) => server !== this.#primary)!;
  }

  /** Runs statements on the primary, past everything under test. @returns what they give, as text */
  async sql(statements: string, database = DATABASE): Promise<string> {
    const { code, out, err } = await this.#primary.ask(this.#home, statements, database);
    if (code !== 0) throw new Error(`psql ended with ${code}: ${err}`);
    return out.trim();
  }

  /** Kills the primary, with every process of it (SIGKILL). */
  async killPrimary(): Promise<void> {
    await this.#primary.kill();
  }

  /** Makes the standby the primary. Nobody waits for another standby until `rejoin`. */
  async promote(): Promise<void> {
    const next = this.standby();
    await must(`${AS_USER}\nas pg_ctl promote -w -t 30 -D "$1" >/dev/null`, next.folder);
    this.#primary = next;
  }

  /** Makes what was the primary, and is dead, the standby of the new one. */
  async rejoin(): Promise<void> {
    const old = this.standby();
    await old.stop();
    await this.#copyTo(old);
  }

  /**
   * Whether the primary waits for the standby before it says that something is committed. It does from the
   * start; without, what was committed last is lost in a failover.
   */
  async waitForStandby(waits: boolean): Promise<void> {
    const name = waits ? this.standby().name : "";
    await this.sql(`alter system set synchronous_standby_names = '${name}'`);
    await this.sql("select pg_reload_conf()");
    await until(`synchronous_standby_names = "${name}"`, async () => {
      if (await this.sql("show synchronous_standby_names") !== name) return false;
      if (!waits) return true;
      return await this.sql(
        "select count(*) from pg_stat_replication where sync_state = 'sync'",
      ) ===
        "1";
    });
  }

  /** Ends all of it, and removes its folder. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await shell('rm -rf "$1"', this.#home);
  }

  /** As `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #begin(): Promise<void> {
    const { hasStandby = true, tls } = this.#options;
    const [first, second] = this.#servers;
    Deno.writeTextFileSync(`${this.#home}/password`, this.password);
    if (tls !== undefined) {
      Deno.writeTextFileSync(`${this.#home}/server.crt`, tls.certificate);
      Deno.writeTextFileSync(`${this.#home}/server.key`, tls.key, { mode: 0o600 });
    }
    await must(
      `${AS_USER}
       [ "$(id -u)" != 0 ] || chown -R postgres "$1"
       as initdb -D "$2" -U ${USER} --pwfile="$1/password" -A scram-sha-256 -E UTF8 --no-locale \\
         --no-sync >/dev/null
       printf '%s\\n' 'local all all trust' 'local replication all trust' \\
         'host all all 127.0.0.1/32 scram-sha-256' >"$2/pg_hba.conf"`,
      ...[this.#home, first.folder],
    );
    await first.start(this.#home, this.#settings());
    await this.sql(`create database ${DATABASE}`, "postgres");
    if (hasStandby) await this.#copyTo(second);
  }

  #settings(): string[] {
    const { tls, settings = [] } = this.#options;
    if (tls === undefined) return [...settings];
    const [certificate, key] = ["crt", "key"].map((kind) => `${this.#home}/server.${kind}`);
    return [...settings, "ssl=on", `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`];
  }

  /** Makes a server the standby of the primary, and has the primary wait for it. */
  async #copyTo(standby: PgServer): Promise<void> {
    await must(
      `${AS_USER}
       rm -rf "$2"
       as pg_basebackup -h "$1" -p "$4" -U ${USER} -D "$2" -R -c fast --no-sync \\
         -d "application_name=$3" >/dev/null
       printf '%s\\n' "primary_conninfo = 'host=$1 port=$4 user=${USER} application_name=$3'" \\
         "synchronous_standby_names = ''" >>"$2/postgresql.auto.conf"`,
      ...[this.#home, standby.folder, standby.name, `${this.#primary.port}`],
    );
    await standby.start(this.#home, this.#settings());
    await this.waitForStandby(true);
  }
}

async function must(line: string, ...args: string[]): Promise<void> {
  const { code, err } = await shell(`set -e\n${line}`, ...args);
  if (code !== 0) throw new Error(`a command of the cluster ended with ${code}: ${err}`);
}

/** Waits until something is so. */
export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  more: () => Promise<string> = () => Promise.resolve(""),
  patienceMs = PATIENCE_MS,
): Promise<void> {
  for (const end = performance.now() + patienceMs; performance.now() < end;) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not in ${patienceMs} ms: ${what}\n${await more()}`);
}
