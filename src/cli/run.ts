import type { CosignerType, CosigningKey } from "../authority/cosigning.ts";
import { MAX_POLICY_BYTES, parsePolicy, type Rule } from "../response/policy.ts";
import { runsPrograms } from "../response/settings.ts";
import { isListUrl, type LogList, MAX_LIST_BYTES } from "../authority/log_list.ts";
import type { Policy } from "../authority/policy.ts";
import type { OpenSource } from "../monitor/assembly.ts";
import { Daemon } from "../monitor/daemon.ts";
import type { EventName, EventReport } from "../monitor/events.ts";
import type { Settings } from "../monitor/settings.ts";
import { trapsOf } from "../monitor/traps.ts";
import { listFields, readGently } from "../monitor/list_follower.ts";
import { covers, type Policies, policyPaths } from "../monitor/policies.ts";
import type { WitnessMeans } from "../monitor/witnessing.ts";
import { openSource } from "../sources/open.ts";
import { JournalLocked } from "../store/journal.ts";
import { fileText } from "../tlog/encoding.ts";
import { describeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { formatAddress, isSameAddress } from "../world/address.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { type Address, type HttpServer, type World, WorldError } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, type Tools } from "./command.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { MAX_CONFIG_BYTES, parseConfig } from "./config.ts";
import { eventLog } from "./event_log.ts";
import { type KeyReading, readInput, readKey, readWitnessKey } from "./inputs.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";
import { readPolicy } from "./policy_file.ts";
import { exitCodeOf, type Tally } from "./reporting.ts";
import { storePlace, storePlaceNow } from "./store_place.ts";

/** `hearsay run`: the daemon. */
export const run: Command = {
  name: "run",
  summary: "follow logs and compare with peers, as a daemon",
  help: `hearsay run [--config FILE] [--once] [--json] [--verbose] [--passphrase-file FILE]

Follows the logs of a configuration. It proves that each checkpoint extends the last, and compares
what peers were shown, even at different sizes. It records every contradiction before anyone is told.
On SIGTERM or SIGINT it finishes writing and ends; on SIGHUP it reads the configuration again.

  --config FILE  the configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay); 'hearsay init'
                 writes one
${passphraseHelp(17)}
  --once         look at every log and exchange with every peer once, then end; with a "store" it
                 shares what it saw once, and takes no turns
  --json         one JSON object for every event
  --verbose      also what is as it should be

Exit code 0 if nothing was wrong; 1 if it was proven, now or in an earlier run, that one of these logs
signed contradicting roots: the incident journal holds the case; 3 if something could not be done or,
with --once, a log, peer or store could not be reached or a proof was refused.

Example:
  hearsay run --config /etc/hearsay/hearsay.jsonc
`,
  async run(args, tools) {
    const options = readOptions(args, {
      values: ["config", PASSPHRASE_FILE],
      flags: ["once", "json", "verbose"],
    });
    const { world, terminal } = tools;
    const path = await findConfig(world, options.value("config"));
    const least = options.flag("verbose") ? "debug" : "info";
    const events = eventLog({ terminal, clock: world.clock, json: options.flag("json"), least });
    const { tally, report } = tallying(events);
    const settings = await readSettings(world, path);
    if (!runsPrograms(settings.alerts)) world.commands.renounce();
    await tellTraps(world, settings, report);
    const passphrases = new Passphrases({ world, terminal, options });
    if (options.flag("once")) return await once({ world, settings, report, tally, passphrases });
    await new Runner({ tools, report, path, tally, passphrases }).run(settings);
    return exitCodeOf(tally);
  },
};

/**
 * Reads a configuration file.
 * @throws UsageError, MalformedError that names all errors of the file
 */
export async function readSettings(world: World, path: string): Promise<Settings> {
  const bytes = await readInput({ world, path, maxBytes: MAX_CONFIG_BYTES });
  let text: string;
  try {
    text = fileText(bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${quoted(path)}: ${error.message}`);
  }
  return parseConfig(text, { path, world });
}

/** Makes a report that passes events on, and counts those that decide the exit code. */
function tallying(events: EventReport): { report: EventReport; tally: Tally } {
  const tally: Tally = { proven: 0, withheld: 0 };
  const event: EventReport["event"] = (name, level, fields) => {
    if (PROVEN.includes(name)) tally.proven++;
    // Only records that fail this program's own check are counted here. A record that the disk refused
    // is tried again; if it is still not written when the daemon closes, that throws.
    if (name === "incident.refused") tally.withheld++;
    events.event(name, level, fields);
  };
  return { tally, report: { ...events, event } };
}

/** These count even if the log is not followed any more when the daemon ends. */
const PROVEN: readonly EventName[] = ["incident.recorded", "exchange.inconsistent"];

/** What was proven and is still so counts after every start, and so do the cases of earlier runs. */
function countProven(daemon: Daemon, tally: Tally): void {
  if (daemon.isContradicted) tally.proven++;
  tally.proven += daemon.casesHeld;
}

/** Warns of what a configuration says and hardly means. */
async function tellTraps(world: World, settings: Settings, report: EventReport): Promise<void> {
  for (const detail of await trapsOf(settings, world)) {
    report.event("config.trap", "warning", { detail });
  }
}

/** What is said of a private key that others may read. */
export const EXPOSED =
  "others may read the private key, so they could sign as this monitor: chmod 600";

/**
 * Loads the key of a configuration.
 * @throws UsageError, MalformedError that names the key's file
 */
export async function loadIdentity(
  world: World,
  { name, key }: Settings,
  reading: KeyReading,
): Promise<Signer> {
  return expectName(await readKey(world, key, reading), { name, key });
}

/**
 * Checks that a key has the name that the configuration says.
 * @throws MalformedError if it has another
 */
export function expectName(
  signer: Signer,
  { name, key }: Pick<Settings, "name" | "key">,
): Signer {
  if (signer.vkey.name === name) return signer;
  throw new MalformedError(
    `the key in ${quoted(key)} has the name ${quoted(signer.vkey.name)}, expected ${
      quoted(name)
    }, ` +
      "the name in the configuration",
  );
}

function sourceOpener(world: World, { contact }: Settings): OpenSource {
  return ({ log, source }) => openSource({ world, log, source, contact });
}

/**
 * Loads what the witness of a configuration needs, if it has one.
 * @throws UsageError, MalformedError that names the file
 */
export async function loadWitness(
  world: World,
  { witness }: Settings,
  { report, ...reading }: Pick<KeyReading, "passphrases"> & { report: EventReport },
): Promise<WitnessMeans | undefined> {
  if (witness === undefined) return undefined;
  const { key, mldsaKey, list } = witness;
  const load = (path: string, type: CosignerType): Promise<CosigningKey> =>
    readWitnessKey(world, path, {
      ...{ ...reading, type },
      onExposed: (mode) =>
        report.event("key.exposed", "warning", { file: path, mode, detail: EXPOSED }),
    });
  const keys = [await load(key, SIGNATURE_TYPE.cosignature)];
  if (mldsaKey !== undefined) keys.push(await load(mldsaKey, SIGNATURE_TYPE.mldsa44));
  // The daemon fetches what is at a URL.
  if (list === undefined || isListUrl(list)) return { keys };
  return { keys, listed: (await readLogList(world, list, report)).logs };
}

/**
 * Reads the alert policy that a configuration names; nothing if it names none.
 * @throws UsageError, MalformedError that names the file and line
 */
export async function loadAlertPolicy(
  world: World,
  path: string | undefined,
): Promise<readonly Rule[] | undefined> {
  if (path === undefined) return undefined;
  const bytes = await readInput({ world, path, maxBytes: MAX_POLICY_BYTES });
  return parsePolicy(within(quoted(path), () => fileText(bytes)), { path, world });
}

/**
 * Reads the policies that a configuration names.
 * @throws UsageError, MalformedError that names the file and the line, or the log that a policy does
 *   not list
 */
export async function loadPolicies(world: World, settings: Settings): Promise<Policies> {
  const policies = new Map<string, Policy>();
  for (const path of policyPaths(settings)) policies.set(path, await readPolicy(world, path));
  for (const { log, policy: path } of settings.logs) {
    if (path === undefined || covers(policies.get(path)!, log)) continue;
    throw new MalformedError(
      `the policy ${quoted(path)} does not list the log ${
        describeLog(log)
      }, which has it as its own`,
    );
  }
  return policies;
}

/** Reads a list of logs for a witness. @throws UsageError, MalformedError that names the file */
export async function openLogList(world: World, path: string): Promise<LogList> {
  const bytes = await readInput({ world, path, maxBytes: MAX_LIST_BYTES });
  try {
    return await readGently(world.clock, { text: fileText(bytes) });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${quoted(path)}: ${error.message}`);
  }
}

/** As `openLogList`, and tells what was left out. */
async function readLogList(world: World, path: string, report: EventReport): Promise<LogList> {
  const list = await openLogList(world, path);
  const level = list.dropped.length > 0 ? "warning" : "info";
  report.event("witness.list", level, listFields({ from: path, list }));
  return list;
}

async function startDaemon({ world, settings, report, passphrases, reload }: {
  world: World;
  settings: Settings;
  report: EventReport;
  passphrases: Passphrases;
  reload?: () => Promise<string | undefined>;
}): Promise<Daemon> {
  const signer = await loadIdentity(world, settings, {
    passphrases,
    onExposed: (mode) =>
      report.event("key.exposed", "warning", { file: settings.key, mode, detail: EXPOSED }),
  });
  const witness = await loadWitness(world, settings, { passphrases, report });
  const alertRules = await loadAlertPolicy(world, settings.alerts?.policy);
  const policies = await loadPolicies(world, settings);
  const openSource = sourceOpener(world, settings);
  const { store } = settings;
  // Files that are of no use are an error of the configuration now, and keep nobody waiting later.
  if (store !== undefined) await storePlace(world, store);
  const storePlaceOf = store && (() => storePlaceNow(world, store));
  try {
    return await Daemon.start({
      ...{ world, settings, signer, report, openSource, witness, policies, alertRules },
      ...(storePlaceOf && { storePlace: storePlaceOf }),
      ...(reload && { reload }),
    });
  } catch (error) {
    if (!(error instanceof JournalLocked)) throw error;
    throw new JournalLocked(error.path, mayRunAlready(settings));
  }
}

/** A second daemon in the same folders is most likely the same monitor, started twice. */
function mayRunAlready({ http }: Settings): string {
  const where = http === undefined || http.port === 0
    ? ""
    : `, and then answers 'hearsay status ${formatAddress(http)}'`;
  return `this monitor may be running already${where}. End that process before you start this one. ` +
    "Never run two daemons with one key; another monitor needs a key and folders of its own";
}

async function once({ world, settings, report, tally, passphrases }: {
  world: World;
  settings: Settings;
  report: EventReport;
  tally: Tally;
  passphrases: Passphrases;
}): Promise<ExitCode> {
  const quiet = { ...settings, listen: undefined, witness: undefined, federation: undefined };
  const daemon = await startDaemon({ world, settings: quiet, report, passphrases });
  let done = false;
  try {
    done = await daemon.once();
  } finally {
    await daemon.close();
  }
  countProven(daemon, tally);
  const code = exitCodeOf(tally);
  return code === EXIT.ok && !done ? EXIT.failed : code;
}

/** Runs the daemon until asked to end, and starts another when a changed configuration needs one. */
class Runner {
  readonly #tools: Tools;
  readonly #report: EventReport;
  readonly #path: string;
  readonly #tally: Tally;
  readonly #passphrases: Passphrases;
  #stopping = false;
  /** Whether the first daemon had any, so that the right to do so was kept. */
  #mayRunPrograms = false;
  /** The settings of the next daemon, to be started when the running one has ended. */
  #next: Settings | undefined;
  #running: Started | undefined;
  /** Why the last reload was refused, if it was. */
  #refused: string | undefined;
  /** Ends when the last reload that was asked for has ended. */
  #reloading: Promise<void> = Promise.resolve();

  constructor(
    { tools, report, path, tally, passphrases }: {
      tools: Tools;
      report: EventReport;
      path: string;
      tally: Tally;
      passphrases: Passphrases;
    },
  ) {
    this.#tools = tools;
    this.#report = report;
    this.#path = path;
    this.#tally = tally;
    this.#passphrases = passphrases;
  }

  /** Runs until asked to end. @throws if the first daemon cannot start, or any cannot end properly */
  async run(first: Settings): Promise<void> {
    const { terminal } = this.#tools;
    this.#mayRunPrograms = runsPrograms(first.alerts);
    // The handlers stay for the whole time: between two daemons a signal must not end the process.
    terminal.onStop(() => {
      this.#stopping = true;
      this.#running?.daemon.stop();
    });
    terminal.onReload(() => void this.#reloadInTurn());
    this.#next = first;
    try {
      let worked: Settings | undefined;
      for (let settings; !this.#stopping && (settings = this.#next) !== undefined;) {
        this.#next = undefined;
        let started: Started;
        try {
          started = await this.#start(settings);
        } catch (error) {
          if (worked === undefined || settings === worked) throw error;
          this.#refuse(error);
          this.#next ??= worked;
          continue;
        }
        if (settings !== worked) this.#refused = undefined;
        started.daemon.noteRefusedReload(this.#refused);
        worked = settings;
        await this.#runOne(started);
      }
    } finally {
      await this.#reloading;
      terminal.release();
    }
  }

  /** Reads the configuration again, after every time before. @returns why it was refused, if it was */
  async #reloadInTurn(): Promise<string | undefined> {
    await (this.#reloading = this.#reloading.then(() => this.#reload()));
    return this.#refused;
  }

  async #start(settings: Settings): Promise<Started> {
    const { world } = this.#tools;
    const [report, passphrases] = [this.#report, this.#passphrases];
    const reload = (): Promise<string | undefined> => this.#reloadInTurn();
    const daemon = await startDaemon({ world, settings, report, passphrases, reload });
    passphrases.stopAsking();
    const others: HttpServer[] = [];
    try {
      for (const serve of [this.#serveWitness, this.#serveFederation]) {
        const server = serve.call(this, daemon);
        if (server !== undefined) others.push(server);
      }
      const server = this.#serve(daemon, settings.http);
      return { daemon, http: settings.http, server, others };
    } catch (error) {
      await closeAll(others);
      await daemon.close();
      throw error;
    }
  }

  /** Serves a daemon's status, if it has an address. @throws WorldError that names the address */
  #serve(daemon: Daemon, http: Address | undefined): HttpServer | undefined {
    if (http === undefined) return undefined;
    try {
      return this.#tools.serveStatus({
        ...daemon.page({ config: this.#tools.world.files.absolute(this.#path) }),
        address: http,
        onLack: (reason) => this.#tellLack(daemon, "status.failed", reason),
      });
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      const where = formatAddress(http);
      throw new WorldError(error.kind, `cannot serve the status at ${where}: ${error.message}`);
    }
  }

  /** Serves a daemon's witness, if it is one. @throws WorldError that names the address */
  #serveWitness(daemon: Daemon): HttpServer | undefined {
    const { witnessing } = daemon;
    if (witnessing === undefined) return undefined;
    const { witness, address } = witnessing;
    try {
      const server = this.#tools.serveWitness({
        ...{ address, witness, failed: (error) => witnessing.failed(error) },
        onLack: (reason) => this.#tellLack(daemon, "witness.failed", reason),
      });
      const vkeys = witnessing.status().vkeys.join(" ");
      this.#report.event("witness.serving", "info", {
        address: formatAddress(server.address),
        vkeys,
      });
      return server;
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      const where = formatAddress(address);
      throw new WorldError(error.kind, `cannot serve the witness at ${where}: ${error.message}`);
    }
  }

  /** Serves a daemon's journal, if it has an address. @throws WorldError that names the address */
  #serveFederation(daemon: Daemon): HttpServer | undefined {
    const { federating } = daemon;
    const http = federating?.settings.http;
    if (federating === undefined || http === undefined) return undefined;
    const { log, gate, failed } = federating;
    try {
      const server = this.#tools.serveFederation({
        ...{ address: http, log, gate, failed, mirrors: () => federating.mirrors },
        onLack: (reason) => this.#tellLack(daemon, "federation.failed", reason),
      });
      federating.noteServed(server.address);
      const address = formatAddress(server.address);
      this.#report.event("federation.serving", "info", { address, origin: log.origin });
      return server;
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      const where = formatAddress(http);
      throw new WorldError(error.kind, `cannot publish the journal at ${where}: ${error.message}`);
    }
  }

  #tellServing(server: HttpServer | undefined): void {
    if (server === undefined) return;
    const address = formatAddress(server.address);
    this.#report.event("status.serving", "info", { address });
  }

  async #runOne(started: Started): Promise<void> {
    const { daemon } = started;
    this.#tellServing(started.server);
    this.#running = started;
    try {
      if (this.#stopping || this.#next !== undefined) daemon.stop();
      await daemon.run();
      countProven(daemon, this.#tally);
    } catch (error) {
      await daemon.close();
      throw error;
    } finally {
      this.#running = undefined;
      await this.#reloading;
      await closeAll(started.others);
      await started.server?.close();
    }
  }

  /**
   * Reads the configuration again. The running daemon takes it up if it can; otherwise another daemon
   * is started with it. A faulty file is refused, and the daemon goes on.
   */
  async #reload(): Promise<void> {
    const { world } = this.#tools;
    try {
      const settings = await readSettings(world, this.#path);
      if (runsPrograms(settings.alerts) && !this.#mayRunPrograms) {
        throw new MalformedError(
          "alerts with a command need a new start of the daemon: it gave up the right to run " +
            "programs when it started, as it had none to run",
        );
      }
      await tellTraps(world, settings, this.#report);
      const { vkey } = await loadIdentity(world, settings, { passphrases: this.#passphrases });
      const rules = await loadAlertPolicy(world, settings.alerts?.policy);
      const running = this.#running;
      if (running?.daemon.canTakeUp(settings, vkey.text, rules)) {
        await this.#takeUp(running, settings);
      } else {
        this.#next = settings;
        running?.daemon.stop();
      }
    } catch (error) {
      // If the daemon is ending, the error may come from what it has closed already.
      if (!this.#stopping) this.#refuse(error);
    }
  }

  async #takeUp(running: Started, settings: Settings): Promise<void> {
    const { daemon } = running;
    const isMoved = !isSameAddress(settings.http, running.http);
    const server = isMoved ? this.#serve(daemon, settings.http) : running.server;
    try {
      const { world } = this.#tools;
      const list = settings.witness?.list;
      const listed = list === undefined || isListUrl(list)
        ? undefined
        : await readLogList(world, list, this.#report);
      const policies = await loadPolicies(world, settings);
      const files = { listed: listed?.logs, policies };
      await daemon.takeUp(settings, sourceOpener(world, settings), files);
      this.#refused = undefined;
    } catch (error) {
      if (isMoved) await server?.close();
      throw error;
    }
    if (!isMoved) return;
    const { server: before } = running;
    running.server = server;
    running.http = settings.http;
    this.#tellServing(server);
    await before?.close();
  }

  /** A port of a daemon cannot accept connections. */
  #tellLack(
    daemon: Daemon,
    name: "status.failed" | "witness.failed" | "federation.failed",
    reason: string,
  ): void {
    this.#report.event(name, "warning", { reason });
    daemon.noteTold({ name, level: "warning", reason });
  }

  #refuse(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    // A file may have several faults, one a line.
    const reason = message.split("\n").join("; ");
    this.#refused = reason;
    this.#running?.daemon.noteRefusedReload(reason);
    this.#report.event("config.refused", "error", { reason });
  }
}

/** A running daemon, and the server of its status if it has one. */
interface Started {
  readonly daemon: Daemon;
  http: Address | undefined;
  server: HttpServer | undefined;
  /** The servers of its witness and of its journal, if it has them. */
  readonly others: readonly HttpServer[];
}

async function closeAll(servers: readonly HttpServer[]): Promise<void> {
  for (const server of servers) await server.close();
}
