import { isProvenFreeze, openCases, type Status } from "../monitor/status.ts";
import type { Settings } from "../monitor/settings.ts";
import { notYet } from "../monitor/not_yet.ts";
import { type Trouble, troublesAndAdvice, troublesOf } from "../monitor/troubles.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { textOf } from "../tlog/encoding.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { SOFTWARE } from "../world/version.ts";
import { type Address, type World, WorldError } from "../world/world.ts";
import {
  type Command,
  CONFIG_HINT,
  EXIT,
  type ExitCode,
  isUsageFault,
  readOptions,
  UsageError,
} from "./command.ts";
import { shellWord } from "../world/shell_word.ts";
import { readKey } from "./inputs.ts";
import { parseStatus } from "./parse_status.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { readSettings } from "./run.ts";
import { describeStatus, MAX_SHOWN } from "./status_report.ts";
import { type Shown, takeWatch, watchStatus } from "./status_watch.ts";
import { hanging } from "./width.ts";

const STATUS_PATH = "/status";
const HTTP_OK = 200;
const TIMEOUT_MS = 5_000;
const MAX_STATUS_BYTES = 16 * 1024 * 1024;

/** `hearsay status`: asks a running daemon. */
export const status: Command = {
  name: "status",
  summary: "ask a running daemon how things stand",
  help: `hearsay status [HOST:PORT] [--config FILE] [--watch [SECONDS]] [--all] [--json]

Asks a daemon that runs, at HOST:PORT or at the "http" address of its configuration. Prints first what
is wrong, what that asks of you and when it is tried again; then a line for every log and every peer.
With --config, or without HOST:PORT, what answers must be the monitor of that configuration.

Ends with 0 if all is as it should be, and people have closed the incident of every case; with 1 if a
case is proven whose incident is not closed, or could not be written; with 3 if a log is frozen for a
suspicion, if something is not done as it is configured (each is named: a log that cannot be reached
or does not grow, a peer that fails, nobody to compare with), if a log was not looked at yet or nothing
was compared yet since the start, or if no daemon answers.

  --config FILE      where its address stands (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --watch [SECONDS]  ask again every so many seconds (default 2), until Ctrl-C; ends as the last one
  --all              every log and peer, however many there are (else ${MAX_SHOWN} of each)
  --json             what it says, as JSON: one line each time

Example:
  hearsay status 127.0.0.1:9980 --watch
`,
  async run(args, { world, terminal }) {
    const { rest, everyMs } = takeWatch(args);
    const options = readOptions(rest, {
      values: ["config"],
      flags: ["all", "json"],
      taken: ["watch"],
      operands: ["HOST:PORT"],
      leastOperands: 0,
    });
    const [given] = options.operands;
    const config = await findConfig(world, options.value("config"));
    const isConfigured = given === undefined || options.value("config") !== undefined;
    const settings = isConfigured ? await readSettings(world, config) : undefined;
    const address = given === undefined ? addressOf(settings!, config) : readAddress(given);
    const [all, json] = [options.flag("all"), options.flag("json")];
    const named = isConfigured ? shellWord(config) : "FILE";
    const look = async (): Promise<Shown> => {
      const told = await askStatus(world, address);
      if (settings !== undefined) await checkIsOurs({ world, settings, told, address });
      const exit = exitOf(told);
      if (!json) {
        return { lines: describeStatus(told, { screen: terminal, all, config: named }), exit };
      }
      const { troubles, advice } = troublesAndAdvice(told);
      const texts = (some: readonly Trouble[]): string[] => some.map(({ text }) => text);
      const waits = notYet(told);
      const said = {
        ...{ ...told, troubles: texts(troubles), advice: texts(advice) },
        ...(waits.length > 0 && { notYet: waits }),
        exit,
      };
      return { lines: [printableJson(JSON.stringify(said))], exit };
    };
    const print = (lines: readonly string[]): void => lines.forEach((line) => terminal.out(line));
    if (everyMs === undefined) {
      const { lines, exit } = await look();
      print(lines);
      return exit;
    }
    const away = (error: string): Shown => {
      const exit = EXIT.failed;
      if (json) return { lines: [printableJson(JSON.stringify({ error, exit }))], exit };
      const said = hanging("!   ", printable(error), terminal);
      const lines = said.map((line) => terminal.paint("red", line));
      return { lines: [...lines, `    It is asked again every ${everyMs / 1_000}s.`], exit };
    };
    const show = json ? print : (lines: readonly string[]) => terminal.redraw(lines);
    return await watchStatus({ look, away, show, everyMs, clock: world.clock, terminal });
  },
};

/** The exit code that a status asks for. */
function exitOf(told: Status): ExitCode {
  if (openCases(told) > 0 || told.unwritten) return EXIT.proven;
  const contradicts = told.logs.some(({ incidents, lastResult, isRewritten }) =>
    incidents > 0 && lastResult === "inconsistent" && isRewritten !== true
  );
  if (contradicts) return EXIT.proven;
  const frozen = [...told.logs, ...told.witness?.pushed ?? []].flatMap(({ freeze }) =>
    freeze ?? []
  );
  if (frozen.some(isProvenFreeze)) return EXIT.proven;
  // Who has not looked or compared yet may not say that all is well.
  const isWell = frozen.length === 0 && troublesOf(told).length === 0 && notYet(told).length === 0;
  return isWell ? EXIT.ok : EXIT.failed;
}

function addressOf({ http }: Settings, config: string): Address {
  if (http === undefined) throw new UsageError(`${config} has no "http" address; give HOST:PORT`);
  return http;
}

/** An address of the command line. @throws MalformedError that helps who gave a configuration instead */
function readAddress(given: string): Address {
  try {
    return parseAddress(given);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new UsageError(`${error.message}${CONFIG_HINT}`);
  }
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
    return (await readKey(world, path)).vkey.text;
  } catch (error) {
    if (error instanceof WorldError || isUsageFault(error)) return undefined;
    throw error;
  }
}

/**
 * Asks the daemon at an address for its status.
 * @throws WorldError if none answers there
 */
export async function askStatus(world: World, address: Address): Promise<Status> {
  const url = `http://${formatAddress(address)}${STATUS_PATH}`;
  const request = {
    url,
    headers: { "user-agent": SOFTWARE },
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_STATUS_BYTES,
  };
  try {
    const { status, body } = await world.http.request(request);
    if (status !== HTTP_OK) throw new WorldError("other", `got HTTP status ${status}`);
    return parseStatus(textOf(body));
  } catch (error) {
    if (!(error instanceof WorldError) && !(error instanceof MalformedError)) throw error;
    throw new WorldError("other", `no daemon answers at ${url}: ${error.message}`);
  }
}
