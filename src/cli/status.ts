import {
  type LogStatus,
  type LookResult,
  nameOf,
  type PeerStatus,
  type Status,
} from "../monitor/status.ts";
import type { Settings } from "../monitor/settings.ts";
import { troublesOf } from "../monitor/troubles.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { textOf } from "../tlog/encoding.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { type Address, type World, WorldError } from "../world/world.ts";
import { millisecondsBetween } from "../world/time.ts";
import { type Command, EXIT, isUsageFault, readOptions, UsageError } from "./command.ts";
import { readKey } from "./inputs.ts";
import { parseStatus } from "./parse_status.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { readSettings } from "./run.ts";

const STATUS_PATH = "/status";
const HTTP_OK = 200;
const TIMEOUT_MS = 5_000;
const MAX_STATUS_BYTES = 16 * 1024 * 1024;

/** `hearsay status`: asks a running daemon. */
export const status: Command = {
  name: "status",
  summary: "ask a running daemon how things stand",
  help: `hearsay status [HOST:PORT] [--config FILE] [--json]

Asks a daemon that runs, at HOST:PORT or at the "http" address of its configuration, and prints a
line for every log and every peer, and then what is not as it should be. With --config, or without
HOST:PORT, what answers must be the monitor of that configuration.

Ends with 0 if all is as it should be; with 1 if its journal holds incidents of these logs, or a
proven case could not be written; with 3 if something is not done as it is configured (each is named:
a log that cannot be reached or does not grow, a peer that fails, nobody to compare with), or if no
daemon answers.

  --config FILE  where its address stands (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --json         what it says, as JSON

Example:
  hearsay status 127.0.0.1:9980
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["config"],
      flags: ["json"],
      operands: ["HOST:PORT"],
      leastOperands: 0,
    });
    const [given] = options.operands;
    const config = await findConfig(world, options.value("config"));
    const isConfigured = given === undefined || options.value("config") !== undefined;
    const settings = isConfigured ? await readSettings(world, config) : undefined;
    const address = given === undefined ? addressOf(settings!, config) : parseAddress(given);
    const told = await ask(world, address);
    if (settings !== undefined) await checkIsOurs({ world, settings, told, address });
    const troubles = troublesOf(told);
    const exit = told.incidents > 0 || told.unwritten
      ? EXIT.proven
      : troubles.length > 0
      ? EXIT.failed
      : EXIT.ok;
    if (options.flag("json")) {
      terminal.out(printableJson(JSON.stringify({ ...told, troubles, exit })));
      return exit;
    }
    for (const line of describeStatus(told)) terminal.out(line);
    for (const trouble of troubles) {
      terminal.out(`${terminal.paint("red", "!")}     ${printable(trouble)}`);
    }
    return exit;
  },
};

function addressOf({ http }: Settings, config: string): Address {
  if (http === undefined) throw new UsageError(`${config} has no "http" address; give HOST:PORT`);
  return http;
}

/**
 * Whoever answers at the address may be another monitor.
 * @throws WorldError if it is
 */
async function checkIsOurs({ world, settings, told, address }: {
  world: World;
  settings: Settings;
  told: Status;
  address: Address;
}): Promise<void> {
  const where = formatAddress(address);
  const { name, key } = settings;
  if (told.name !== name) {
    const who = `${quoted(told.name)} answers at ${where}`;
    throw new WorldError("other", `${who}, expected ${quoted(name)}, the configuration's name`);
  }
  const own = await vkeyOf(world, key);
  if (own === undefined || own === told.vkey) return;
  throw new WorldError(
    "other",
    `the monitor that answers at ${where} has another key than ${quoted(key)}: it says ` +
      `${quoted(told.vkey)}, expected ${quoted(own)}`,
  );
}

/** The vkey of the key in a file; nothing if this user may not read it. */
async function vkeyOf(world: World, path: string): Promise<string | undefined> {
  try {
    return (await readKey(world, path, () => {})).vkey.text;
  } catch (error) {
    if (error instanceof WorldError || isUsageFault(error)) return undefined;
    throw error;
  }
}

async function ask(world: World, address: Address): Promise<Status> {
  const url = `http://${formatAddress(address)}${STATUS_PATH}`;
  const request = { url, headers: {}, timeoutMs: TIMEOUT_MS, maxBytes: MAX_STATUS_BYTES };
  try {
    const { status, body } = await world.http.get(request);
    if (status !== HTTP_OK) throw new WorldError("other", `got HTTP status ${status}`);
    return parseStatus(textOf(body));
  } catch (error) {
    if (!(error instanceof WorldError) && !(error instanceof MalformedError)) throw error;
    throw new WorldError("other", `no daemon answers at ${url}: ${error.message}`);
  }
}

/** A status for a person: a line for the monitor, then one for each log, then one for each peer. */
export function describeStatus(status: Status): string[] {
  const { name, now, startedAt, incidents, unwritten, faults = 0, logs, peers } = status;
  const { eventsLost = 0 } = status;
  const disk = unwritten ? ", THE DISK REFUSES A PROVEN CONFLICT" : "";
  const own = several(faults, "FAULT IN HEARSAY ITSELF", "FAULTS IN HEARSAY ITSELF");
  const silent = several(eventsLost, "EVENT COULD NOT BE PRINTED", "EVENTS COULD NOT BE PRINTED");
  const alarms = `${alarm(incidents)}${disk}${own}${silent}`;
  return [
    printable(`${name}, running for ${span(startedAt, now)}${alarms}`),
    ...logs.map((log) => printable(describeLogStatus(log, nameOf(log, status), now))),
    ...peers.map((peer) => printable(describePeerStatus(peer, now))),
  ];
}

function describeLogStatus(log: LogStatus, name: string, now: string): string {
  const view = log.size === undefined ? "no checkpoint yet" : `size ${log.size}`;
  const age = log.grewAt === undefined ? "" : `, grew ${span(log.grewAt, now)} ago`;
  const last = log.lastResult === undefined || log.lastLookAt === undefined
    ? "not looked at yet"
    : `${describeResult(log.lastResult)} ${span(log.lastLookAt, now)} ago`;
  const open = several(log.openQuestions, "open question", "open questions");
  const leftOut = log.leftOut === undefined ? "" : `, ${log.leftOut} left out for lack of room`;
  const alone = log.sharedBy === 0 ? ", NO PEER FOLLOWS IT" : "";
  const detail = log.lastDetail === undefined ? "" : ` (${log.lastDetail})`;
  const known = `${alarm(log.incidents)}${alone}${open}${leftOut}`;
  return `log   ${name}: ${view}${age}; ${last}${known}${detail}`;
}

/** The result of a look, in words. If our disk refused, the line must not blame the log. */
function describeResult(result: LookResult): string {
  return result === "not written" ? "NOT WRITTEN, OUR DISK REFUSES," : result;
}

function describePeerStatus(peer: PeerStatus, now: string): string {
  const last = peer.lastExchangeAt === undefined
    ? "no exchange yet"
    : `${peer.lastResult ?? "nothing said"} ${span(peer.lastExchangeAt, now)} ago`;
  return `peer  ${peer.address}: ${
    sharedWith(peer)
  }${last}; ${peer.exchanges} exchanges, ${peer.failures} failed, ` +
    `${peer.matches} matches, ${peer.conflicts} conflicts`;
}

/** How many logs both follow. If there is none, nothing is compared with this peer. */
function sharedWith({ sharedLogs }: PeerStatus): string {
  if (sharedLogs === undefined) return "";
  return sharedLogs === 0
    ? "NO LOG SHARED, "
    : `${several(sharedLogs, "log", "logs").slice(2)} shared, `;
}

/** A count with its noun, after a comma; an empty text for none. */
function several(count: number, one: string, more: string): string {
  return count === 0 ? "" : `, ${count} ${count === 1 ? one : more}`;
}

/** The number of incidents, of one log or of all. */
function alarm(incidents: number): string {
  return several(incidents, "INCIDENT", "INCIDENTS");
}

/** The time between two times, in the largest unit that fits. */
function span(from: string, to: string): string {
  const seconds = Math.round(millisecondsBetween(from, to) / 1000);
  const units: [string, number][] = [["d", 86_400], ["h", 3_600], ["m", 60]];
  for (const [unit, length] of units) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)}${unit}`;
  }
  return `${seconds}s`;
}
