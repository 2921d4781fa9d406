import { checkListUrl, isListUrl } from "../authority/log_list.ts";
import { GOSSIP_DEFAULTS } from "../gossip/settings.ts";
import { LOG_DEFAULTS } from "../monitor/log_settings.ts";
import { PLACE_DEFAULTS, readContact } from "../monitor/settings.ts";
import { trapsOf } from "../monitor/traps.ts";
import { isFolder, openSource } from "../sources/open.ts";
import { NO_CONTACT } from "../world/http_client.ts";
import { readAdmit } from "../swarm/settings.ts";
import { utf8 } from "../tlog/encoding.ts";
import { type Log, parseLog } from "../tlog/log.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { checkKeyName, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import { parseAddress } from "../world/address.ts";
import { createDurably, ensureFolder, isThere } from "../world/durable.ts";
import { readDuration } from "../world/setting_values.ts";
import { generateSigner, type Signer } from "../world/signer.ts";
import { type World, WorldError } from "../world/world.ts";
import { join } from "@std/path/join";
import {
  type Command,
  EXIT,
  isUsageFault,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { parseConfig } from "./config.ts";
import { workingFolder } from "./folders.ts";
import { readKey, readWitnessKey } from "./inputs.ts";
import { type NewPeer, peerText } from "./edit_peers.ts";
import { Passphrases } from "./passphrase.ts";
import { KEY_PERMISSIONS, witnessKey } from "./keygen.ts";
import { DEFAULT_CONFIG } from "./find_config.ts";
import { parsePeer } from "./peers.ts";
import { OFFERED_LOGS } from "./known_logs.ts";
import type { Terminal } from "./terminal.ts";

const CONFIG_PERMISSIONS = 0o644;
const MENU_NAME_WIDTH = 34;

/** `hearsay init`: writes a configuration that can be run. */
export const init: Command = {
  name: "init",
  summary: "write a daemon's configuration and key, ready to run",
  help: `hearsay init [--dir DIR] [--name NAME] [--log LOG --source SOURCE]… [--listen HOST:PORT]
             [--http HOST:PORT] [--peer PEER]… [--admit anyone|members] [--poll 1m] [--gossip 1m]
             [--contact MAIL] [--federation HOST:PORT]
             [--witness NAME --witness-http HOST:PORT [--list URL|FILE]]

Writes ${DEFAULT_CONFIG}, with comments, and the monitor's key into DIR (default: this folder). It
overwrites nothing. If DIR has a ${PLACE_DEFAULTS.key} of this NAME, it is kept. Without --name and
--log it asks questions; with them it asks none. Each --source belongs to the --log before it:
  https://HOST/PATH         a log in tiles (C2SP tlog-tiles): Tessera, Rekor v2
  static-ct+https://…       a static-CT log (Sunlight, TesseraCT)
  sumdb+https://…           a Go checksum database
  sigsum+https://…          a Sigsum log
  rfc6962+https://…         a Certificate Transparency log of RFC 6962
  rekor-v1+https://…        one tree of a Rekor v1
  DIR                       a log in tiles in a folder

With --witness this monitor cosigns what logs push to it at HOST:PORT, in the name of NAME; its key is
made too, and its vkey is the second line that is printed. Then a --log without a --source is a log that
only pushes, and the list at URL or in FILE names further ones (C2SP tlog-list).

With --federation this monitor publishes its incident journal as a log of its own at HOST:PORT, and
others may mirror it there.

A PEER is "VKEY HOST:PORT", or the VKEY alone if it calls, or others tell where it is: a member, known
by its key (README, "Members"). It is HOST:PORT for a monitor that is asked plainly.

Example:
  hearsay init --dir /etc/hearsay --name monitor.example.com/ber \\
    --log "$LOG" --source https://log.example.com --listen 0.0.0.0:9900 --peer lima.example.com:9900
`,
  async run(args, tools) {
    const options = readOptions(args, {
      values: [
        ...["dir", "name", "listen", "http", "poll", "gossip", "contact", "admit"],
        ...["witness", "witness-http", "list", "federation"],
      ],
      lists: ["log", "source", "peer"],
    });
    const folder = options.value("dir") ?? ".";
    const path = join(folder, DEFAULT_CONFIG);
    const asks = options.value("name") === undefined && options.list("log").length === 0;
    const given = { listen: options.value("listen"), peers: options.list("peer").map(parsePeer) };
    // Before any question: nobody should answer all of them for nothing.
    if (await isThere(tools.world.files, path)) throw notOverwritten(path);
    const witness = readWitness(options);
    const answers = asks ? askEverything(tools, given) : {
      ...{ name: options.value("name"), logs: pairLogs(args, options, witness), ...given },
    };
    const { name, logs, listen, peers } = answers;
    if (name === undefined) throw new UsageError("expected --name NAME, the monitor's key name");
    checkKeyName(name);
    if (logs.length === 0 && witness?.list === undefined) {
      throw new UsageError("expected at least one --log LOG --source SOURCE");
    }
    const text = configText({
      name,
      logs,
      listen,
      http: options.value("http") ?? "127.0.0.1:9980",
      peers,
      poll: options.value("poll") ?? LOG_DEFAULTS.poll,
      gossip: options.value("gossip") ?? GOSSIP_DEFAULTS.interval,
      contact: options.value("contact") ?? NO_CONTACT,
      admit: options.value("admit") ?? "anyone",
      witness,
      federation: options.value("federation"),
    });
    checkSources(tools.world, logs);
    const settings = parseConfig(text, { path, world: tools.world }); // The file can be read.
    await writeAll({ tools, folder, path, name, text, witness });
    const traps = await trapsOf(settings, tools.world);
    if (traps.length > 0) tools.terminal.err(`\nLook at these in ${path} first:`);
    for (const trap of traps) tools.terminal.err(`! ${printable(trap)}`);
    return EXIT.ok;
  },
};

interface Chosen {
  readonly log: Log;
  /** Nothing for a log that only pushes. */
  readonly source: string | undefined;
}

/** The witness that is asked for. */
interface ChosenWitness {
  readonly name: string;
  readonly http: string;
  readonly list: string | undefined;
}

/** The file of its key, beside the configuration. */
const WITNESS_KEY = "witness.key";

function readWitness(options: Options): ChosenWitness | undefined {
  const [name, http, list] = ["witness", "witness-http", "list"].map((each) => options.value(each));
  if (name === undefined) {
    if (http === undefined && list === undefined) return undefined;
    throw new UsageError("--witness-http and --list need --witness NAME");
  }
  if (http === undefined) {
    throw new UsageError("--witness needs --witness-http HOST:PORT, where logs push to it");
  }
  checkKeyName(name);
  parseAddress(http);
  const place = list === undefined
    ? undefined
    : isListUrl(list)
    ? checkListUrl(list)
    : absolutePath(list);
  return { name, http, list: place };
}

/** The logs of the command line, each with the source after it. A witness needs none. */
function pairLogs(
  args: readonly string[],
  options: Options,
  witness: ChosenWitness | undefined,
): Chosen[] {
  const [logs, sources] = [options.list("log"), options.list("source")];
  // No value looks like an option: such an option would have no value, and was refused before.
  const order = args.map((arg) => /^--(log|source)(?:=|$)/.exec(arg)?.[1])
    .filter((name) => name !== undefined);
  if (witness !== undefined) return pairSome(order, logs, sources);
  if (order.some((name, i) => name !== (i % 2 === 0 ? "log" : "source")) || order.length % 2 > 0) {
    throw new UsageError(
      `expected one --source after each --log; got: ${order.map((name) => `--${name}`).join(" ")}`,
    );
  }
  return logs.map((notation, i) => ({ log: parseLog(notation), source: absolute(sources[i]!) }));
}

/** Gives each log the source that follows it at once, if one does. */
function pairSome(
  order: readonly string[],
  logs: readonly string[],
  sources: readonly string[],
): Chosen[] {
  const chosen: Chosen[] = [];
  let used = 0;
  for (const [i, name] of order.entries()) {
    if (name === "log") {
      const hasSource = order[i + 1] === "source";
      const source = hasSource ? absolute(sources[used++]!) : undefined;
      chosen.push({ log: parseLog(logs[chosen.length]!), source });
    } else if (order[i - 1] !== "log") {
      throw new UsageError("expected each --source after the --log that it belongs to");
    }
  }
  return chosen;
}

/** Makes a folder of the command line absolute, as the configuration may be in another folder. */
function absolute(source: string): string {
  const isRelative = isFolder(source) && !/^(?:\/|[a-z][a-z0-9.-]*[:+])/i.test(source);
  return isRelative ? join(workingFolder(), source) : source;
}

function absolutePath(path: string): string {
  return path.startsWith("/") ? path : join(workingFolder(), path);
}

interface Answers {
  readonly name: string | undefined;
  readonly logs: readonly Chosen[];
  readonly listen: string | undefined;
  readonly peers: readonly NewPeer[];
}

/** The name, the menu of well-known logs, and with whom to compare, unless that is given. */
function askEverything(
  { terminal }: Tools,
  given: Pick<Answers, "listen" | "peers">,
): Answers {
  const host = "monitor.example.com/one";
  const name = askUntil(
    terminal,
    `What is this monitor called? A name without spaces, such as ${host}:`,
    (answer) => {
      checkKeyName(answer);
      return answer;
    },
  );
  terminal.out("\nThese public logs are well known:");
  OFFERED_LOGS.forEach(({ title, about }, i) =>
    terminal.out(`  ${i + 1}  ${title.padEnd(MENU_NAME_WIDTH)} ${about}`)
  );
  terminal.out("");
  const logs = askUntil(terminal, "Which ones should it follow? Numbers with spaces:", readChoice);
  if (name === undefined || logs === undefined) {
    throw new UsageError("there is no answer; give --name, --log and --source instead");
  }
  const listen = given.listen ?? askUntil(
    terminal,
    "Where should it answer other monitors? HOST:PORT, such as 0.0.0.0:9900; empty for nowhere:",
    (answer) => {
      if (answer !== "") parseAddress(answer);
      return answer;
    },
  );
  const peers = given.peers.length > 0 ? given.peers : askUntil(
    terminal,
    "Which monitors should it compare with? HOST:PORT of each, with spaces, behind its VKEY if you " +
      "know it; empty for none yet:",
    (answer) => peersIn(wordsOf(answer)),
  ) ?? [];
  return { name, logs, listen: listen || undefined, peers };
}

/**
 * Asks until an answer can be used, so that a slip costs no other answer.
 * @param read what the answer says, without spaces around it
 * @returns nothing if there is no answer
 * @throws UsageError if no further answer comes after one that is of no use
 */
function askUntil<T>(
  terminal: Terminal,
  question: string,
  read: (answer: string) => T,
): T | undefined {
  let fault: string | undefined;
  for (let answer; (answer = terminal.ask(question)) !== undefined;) {
    try {
      return read(answer.trim());
    } catch (error) {
      if (!isUsageFault(error)) throw error;
      fault = error.message;
      terminal.err(printable(fault));
    }
  }
  if (fault !== undefined) throw new UsageError("there is no other answer, so nothing is written");
}

function wordsOf(answer: string): string[] {
  return answer.split(/[\s,]+/).filter((word) => word !== "");
}

/** The peers in an answer: an address behind a vkey belongs to it. */
function peersIn(words: readonly string[]): NewPeer[] {
  const isVkey = (word: string | undefined): boolean => word?.includes("+") ?? false;
  return words.flatMap((word, i) => {
    if (!isVkey(word)) return isVkey(words[i - 1]) ? [] : [parsePeer(word)];
    const next = words[i + 1];
    return [parsePeer(next === undefined || isVkey(next) ? word : `${word} ${next}`)];
  });
}

/** The logs of the menu that an answer names. @throws UsageError for anything else */
function readChoice(answer: string): Chosen[] {
  const wanted = `expected numbers from 1 to ${OFFERED_LOGS.length}`;
  const words = new Set(wordsOf(answer));
  if (words.size === 0) throw new UsageError(`got nothing, ${wanted}`);
  return [...words].map((word) => {
    const known = /^\d{1,3}$/.test(word) ? OFFERED_LOGS[Number(word) - 1] : undefined;
    if (known === undefined) throw new UsageError(`got ${quoted(word)}, ${wanted}`);
    return { log: parseLog(known.log), source: known.source };
  });
}

function checkSources(world: World, logs: readonly Chosen[]): void {
  for (const { log, source } of logs) {
    if (source !== undefined) openSource({ world, log, source, contact: NO_CONTACT });
  }
}

function configText(
  { name, logs, listen, http, peers, poll, gossip, contact, admit, witness, federation }: {
    name: string;
    logs: readonly Chosen[];
    listen: string | undefined;
    http: string;
    peers: readonly NewPeer[];
    poll: string;
    gossip: string;
    contact: string;
    admit: string;
    witness: ChosenWitness | undefined;
    federation: string | undefined;
  },
): string {
  for (const address of [http, listen, federation]) {
    if (address !== undefined) parseAddress(address);
  }
  checkOption(() => readDuration(poll, "--poll"));
  checkOption(() => readDuration(gossip, "--gossip"));
  checkOption(() => readContact(contact, "--contact"));
  checkOption(() => readAdmit(admit, "--admit"));
  const json = JSON.stringify;
  const logTexts = logs.map(({ log, source }) => {
    const origin = log.origin === log.vkey.name ? "" : ` "origin": ${json(log.origin)},`;
    if (source === undefined) {
      return `    // It only pushes to the witness.
    {${origin} "vkey": ${json(log.vkey.text)} }`;
    }
    return `    {
      "vkey": ${json(log.vkey.text)},${origin}
      "source": ${json(source)},
      // How often to look at it, and after how long without growth to warn.
      "poll": ${json(poll)},
      "patience": ${json(LOG_DEFAULTS.patience)}
    }`;
  });
  const peerTexts = peers.map((peer) => `    ${peerText(peer)}`);
  return `// A monitor of transparency logs: 'hearsay run --config THIS FILE' starts it.
// Durations: 500ms, 30s, 5m, 12h, 7d. Paths are relative to this file.
{
  // The monitor's name. It is also the name of its key.
  "name": ${json(name)},
  "key": ${json(PLACE_DEFAULTS.key)},

  // The folders of two journals: what it has seen, and the incidents. Back both up.
  "state": ${json(PLACE_DEFAULTS.state)},
  "incidents": ${json(PLACE_DEFAULTS.incidents)},

  // The address that other monitors call. Without it this monitor only calls others.
  ${listen === undefined ? "// " : ""}"listen": ${json(listen ?? "0.0.0.0:9900")},

  // The address that 'hearsay status' asks, and of the page for a browser. It should be reachable from this
  // machine only.
  "http": ${json(http)},

  // How a log's operator can reach you. It is sent with every request.
  "contact": ${json(contact)},

  "logs": [
${logTexts.join(",\n")}
  ],

  // The monitors to compare with. Name at least one, in another place. One with its "vkey" is a
  // member: it is known by its key, and 'hearsay peers' says how it stands with it.
  "peers": [
${peerTexts.length > 0 ? peerTexts.join(",\n") : '    // { "address": "monitor.example.org:9900" }'}
  ],

  // Whom to answer: "anyone", or "members" alone.
  "admit": ${json(admit)},

  // How often to exchange, and with how many peers each time. They are chosen at random.
  "gossip": { "interval": ${json(gossip)}, "fanOut": ${GOSSIP_DEFAULTS.fanOut} }${
    witness === undefined ? "" : witnessText(witness)
  }${federation === undefined ? "" : federationText(federation)}
}
`;
}

function witnessText({ http, list }: ChosenWitness): string {
  const json = JSON.stringify;
  const listed = list === undefined ? "" : `,\n    "list": ${json(list)}`;
  return `,

  // The witness: it cosigns each checkpoint that extends the last one it has cosigned. Logs push to
  // this address. Never give its key another state folder: it would forget what it has cosigned.
  "witness": {
    "key": ${json(WITNESS_KEY)},
    "http": ${json(http)}${listed}
  }`;
}

function federationText(http: string): string {
  return `,

  // The incident journal, published as a log of its own. Others mirror it from this address. To mirror
  // theirs, name them in "mirrors": { "vkey": VKEY, "url": URL }.
  "federation": { "http": ${JSON.stringify(http)}, "mirrors": [] }`;
}

function checkOption(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new UsageError(error.message);
  }
}

async function writeAll({ tools, folder, path, name, text, witness }: {
  tools: Tools;
  folder: string;
  path: string;
  name: string;
  text: string;
  witness: ChosenWitness | undefined;
}): Promise<void> {
  const { world, terminal } = tools;
  const { files } = world;
  const keyPath = join(folder, PLACE_DEFAULTS.key);
  await ensureFolder(files, folder);
  // The configuration is written last. An init that was cut off before leaves at most a key, which the
  // next one uses.
  const isTaken = await isThere(files, keyPath);
  const signer = await (isTaken ? takeKey : newKey)({ tools, keyPath, name });
  const cosigner = witness && await newWitnessKey(world, join(folder, WITNESS_KEY), witness.name);
  await write({ world, path, text, permissions: CONFIG_PERMISSIONS });
  if (isTaken) terminal.err(`${keyPath} exists and is the key of ${name}, so it is kept.`);
  terminal.out(signer.vkey.text);
  if (cosigner !== undefined) {
    terminal.out(cosigner.text);
    terminal.err(`The second line is the vkey of the witness: give it to the operators of logs.`);
  }
  terminal.err(`
The configuration is ${path}, and the monitor's private key is ${keyPath}. The ${
    cosigner === undefined ? "line above" : "first line above"
  } is its
vkey, which is public: give it to the operators of the other monitors, with the address at which
they reach this one. Each of them runs 'hearsay peers add VKEY HOST:PORT', and you do the same with
theirs. Next:

  hearsay run --config ${path} --once    looks at every log once
  hearsay run --config ${path}           runs as a daemon`);
}

/** The key of the witness: one that is there is kept. */
async function newWitnessKey(world: World, path: string, name: string): Promise<Vkey> {
  if (await isThere(world.files, path)) {
    const { vkey } = await readWitnessKey(world, path, { type: SIGNATURE_TYPE.cosignature });
    if (vkey.name === name) return vkey;
    throw notOverwritten(path, `it is the key of ${quoted(vkey.name)}, expected ${quoted(name)}`);
  }
  const { vkey, privateKey } = await witnessKey(world, name, false);
  await write({ world, path, text: `${privateKey}\n`, permissions: KEY_PERMISSIONS });
  return vkey;
}

async function newKey(
  { tools: { world }, keyPath, name }: { tools: Tools; keyPath: string; name: string },
): Promise<Signer> {
  const { signer, privateKey } = await generateSigner({ world, name });
  await write({ world, path: keyPath, text: `${privateKey}\n`, permissions: KEY_PERMISSIONS });
  return signer;
}

/**
 * Uses the key that exists: an init that was cut off has left it, or `keygen` made it.
 * @throws UsageError if it is not a key of this name
 */
async function takeKey(
  { tools, keyPath, name }: { tools: Tools; keyPath: string; name: string },
): Promise<Signer> {
  const signer = await keptIdentity(tools, keyPath);
  const came = signer.vkey.name;
  if (came !== name) {
    throw notOverwritten(
      keyPath,
      `it is the key of ${quoted(came)}, expected ${quoted(name)}. Give its name with --name, or ` +
        "move the file elsewhere",
    );
  }
  await tools.world.files.syncFolder(join(keyPath, ".."));
  return signer;
}

async function keptIdentity(tools: Tools, path: string): Promise<Signer> {
  try {
    return await readKey(tools.world, path, { passphrases: new Passphrases(tools) });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw notOverwritten(
      path,
      `no key can be read from it (${error.message}). Move it elsewhere, or give another --dir`,
    );
  }
}

function notOverwritten(path: string, why?: string): UsageError {
  const more = why === undefined ? "" : `: ${why}`;
  return new UsageError(`${quoted(path)} exists and is not overwritten${more}`);
}

async function write({ world: { files }, path, text, permissions }: {
  world: World;
  path: string;
  text: string;
  permissions: number;
}): Promise<void> {
  try {
    (await createDurably({ files, path, content: utf8(text), permissions })).close();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    if (error.kind === "already exists") throw notOverwritten(path);
    throw new WorldError(error.kind, `cannot write ${quoted(path)}: ${error.message}`);
  }
}
