import type { LogStatus, LookResult, PeerStatus, Status } from "../monitor/status.ts";
import { MalformedError, printable, printableJson } from "../tlog/malformed.ts";
import { textOf } from "../tlog/encoding.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { type Address, type World, WorldError } from "../world/world.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";
import { parseStatus } from "./parse_status.ts";
import { DEFAULT_CONFIG, readSettings } from "./run.ts";

const STATUS_PATH = "/status";
const HTTP_OK = 200;
const TIMEOUT_MS = 5_000;
const MAX_STATUS_BYTES = 16 * 1024 * 1024;

/** `hearsay status`: asks a running daemon. */
export const status: Command = {
  name: "status",
  summary: "ask a running daemon how things stand",
  help: `hearsay status [HOST:PORT] [--config FILE] [--json]

Asks a running daemon, at HOST:PORT or at the "http" address of its configuration, and prints a line
for every log and every peer. Exit code 1 if its journal has incidents of these logs, 3 if it cannot
be reached, otherwise 0.

  --config FILE  the configuration with its address (default ${DEFAULT_CONFIG})
  --json         prints its answer as JSON

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
    const config = options.value("config") ?? DEFAULT_CONFIG;
    const address = given === undefined ? await addressOf(world, config) : parseAddress(given);
    const told = await ask(world, address);
    if (options.flag("json")) terminal.out(printableJson(JSON.stringify(told)));
    else for (const line of describeStatus(told)) terminal.out(line);
    return told.incidents > 0 ? EXIT.proven : EXIT.ok;
  },
};

async function addressOf(world: World, config: string): Promise<Address> {
  const { http } = await readSettings(world, config);
  if (http === undefined) throw new UsageError(`${config} has no "http" address; give HOST:PORT`);
  return http;
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
    ...logs.map((log) => printable(describeLogStatus(log, now))),
    ...peers.map((peer) => printable(describePeerStatus(peer, now))),
  ];
}

function describeLogStatus(log: LogStatus, now: string): string {
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
  return `log   ${log.origin}: ${view}${age}; ${last}${known}${detail}`;
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
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  const units: [string, number][] = [["d", 86_400], ["h", 3_600], ["m", 60]];
  for (const [unit, length] of units) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)}${unit}`;
  }
  return `${seconds}s`;
}
