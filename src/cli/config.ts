/**
 * `hearsay.jsonc`: reads a daemon's settings, and tells every error of the file at once, each with
 * its line and column, the value and what was wanted.
 *
 * @module
 */
import { join } from "@std/path/join";
import {
  createScanner,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../gossip/limits.ts";
import type { GossipSettings, LogSettings, PeerSettings, Settings } from "../monitor/settings.ts";
import { isFolder, openSource } from "../sources/open.ts";
import { type Log, makeLog, refuseSharedTreeHeadKey } from "../tlog/log.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { checkKeyName, parseVkey } from "../tlog/vkey.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import type { Address, World } from "../world/world.ts";

/** Longest configuration read. */
export const MAX_CONFIG_BYTES = 1024 * 1024;

/** What stands in for a contact until the operator gives one. */
export const NO_CONTACT = "no contact given";

/** What holds where the file says nothing. */
export const CONFIG_DEFAULTS = {
  key: "monitor.key",
  state: "state",
  incidents: "incidents",
  poll: "1m",
  patience: "1d",
  gossip: "1m",
  fanOut: 2,
} as const;

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 31 * 24 * 3_600_000;
const MAX_LOGS = DEFAULT_LIMITS.maxFramesPerExchange;
const MAX_PEERS = 1_024;
/** Deepest nesting taken; a configuration needs three. */
const MAX_DEPTH = 8;
/** Most errors told of one file. */
const MAX_FAULTS = 100;
/** A private key, which stands where it should not and must not be repeated. */
const PRIVATE_KEY = /PRIVATE\+KEY\+[^\s"]*/g;
const HIDDEN_KEY = "PRIVATE+KEY+…";

/**
 * Reads a configuration.
 * @param text the file's text
 * @param path the file's path, for messages; paths in it are relative to its folder
 * @param world only so as to see whether the sources of logs can be opened; nothing is asked of it
 * @throws MalformedError with one line for every error of the file, up to MAX_FAULTS
 */
export function parseConfig(
  text: string,
  { path, world }: { path: string; world: World },
): Settings {
  const faults: Fault[] = [];
  const fail: Fail = (node, message) => faults.push({ offset: node?.offset ?? 0, message });
  const tree = readTree(text, faults);
  const settings = faults.length > 0 ? undefined : readSettings(tree, { fail, path, world });
  if (faults.length === 0 && settings !== undefined) return settings;
  const lines = faults.toSorted((a, b) => a.offset - b.offset).slice(0, MAX_FAULTS)
    .map(({ offset, message }) =>
      `${printable(path)}:${placeOf(text, offset)}: ${message.replace(PRIVATE_KEY, HIDDEN_KEY)}`
    );
  if (faults.length > MAX_FAULTS) lines.push(`and ${faults.length - MAX_FAULTS} more errors`);
  throw new MalformedError(lines.join("\n"));
}

interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** The values of a JSONC text and their places. */
function readTree(text: string, faults: Fault[]): Node | undefined {
  const deep = tooDeepAt(text);
  if (deep !== undefined) {
    faults.push({ offset: deep, message: `nested deeper than ${MAX_DEPTH}, as nothing here is` });
    return undefined;
  }
  const parseErrors: ParseError[] = [];
  const tree = parseTree(text, parseErrors, { allowTrailingComma: true });
  for (const { error, offset } of parseErrors) {
    faults.push({ offset, message: `not JSONC: ${inWords(printParseErrorCode(error))}` });
  }
  return tree;
}

/** The parser's name of an error, as `ValueExpected`, in words: `value expected`. */
function inWords(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

/** Where a text is nested too deeply, if it is; the parser calls itself for every level. */
function tooDeepAt(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  while (scanner.getPosition() < text.length) {
    scanner.scan();
    const offset = scanner.getTokenOffset();
    const first = text[offset]!;
    if ("{[".includes(first)) depth++;
    if ("}]".includes(first)) depth--;
    if (depth > MAX_DEPTH) return offset;
  }
  return undefined;
}

/** `line:column`, both from 1. */
function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

type Fail = (node: Node | undefined, message: string) => void;

/** The members of an object by name, each with the node of its value. */
class Members {
  readonly #nodes = new Map<string, Node>();
  readonly #fail: Fail;
  readonly node: Node;
  readonly #what: string;

  constructor({ node, what, known, fail }: {
    node: Node;
    what: string;
    known: readonly string[];
    fail: Fail;
  }) {
    this.node = node;
    this.#what = what;
    this.#fail = fail;
    for (const { children } of node.children ?? []) {
      const [key, value] = children ?? [];
      const name = String(key?.value);
      if (!known.includes(name)) {
        fail(key, `${what} has no member ${quoted(name)}; there are: ${known.join(", ")}`);
      } else if (this.#nodes.has(name)) fail(key, `${what} has ${quoted(name)} twice`);
      else if (value !== undefined) this.#nodes.set(name, value);
    }
  }

  /** A member, read by `read`; a MalformedError it throws becomes a fault at the member's place. */
  get<T>(name: string, read: (value: unknown) => T, otherwise?: T | string): T | undefined {
    const node = this.#nodes.get(name);
    if (node === undefined) {
      if (otherwise === undefined) {
        this.#fail(this.node, `${this.#what} lacks the member "${name}"`);
        return undefined;
      }
      return typeof otherwise === "string" ? read(otherwise) : otherwise;
    }
    return this.#read(node, name, () => read(getNodeValue(node)));
  }

  /** A member that may be missing. */
  maybe<T>(name: string, read: (value: unknown) => T): T | undefined {
    const node = this.#nodes.get(name);
    return node && this.#read(node, name, () => read(getNodeValue(node)));
  }

  /** The node of a member, for what has members or items of its own. */
  child(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  #read<T>(node: Node, name: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#fail(node, `${name}: ${error.message}`);
      return undefined;
    }
  }
}

const MEMBERS = [
  ...["name", "key", "state", "incidents", "listen", "http", "contact", "logs", "peers", "gossip"],
  "limits",
];

function readSettings(
  tree: Node | undefined,
  { fail, path, world }: { fail: Fail; path: string; world: World },
): Settings | undefined {
  if (tree?.type !== "object") {
    fail(tree, "expected an object with the monitor's settings");
    return undefined;
  }
  const members = new Members({ node: tree, what: "the configuration", known: MEMBERS, fail });
  const place = (value: unknown): string => placeBeside(path, readText(value));
  const logs = readList(members.child("logs"), {
    what: "logs",
    most: MAX_LOGS,
    read: (node) => readLog(node, { fail, path, world }),
    fail,
  });
  const peers = readList(members.child("peers"), {
    what: "peers",
    most: MAX_PEERS,
    read: (node) => readPeer(node, fail),
    fail,
  });
  const given = members.child("logs");
  if (given === undefined) fail(tree, 'the configuration lacks the member "logs"');
  if (given?.type === "array" && given.children?.length === 0) {
    fail(given, "expected at least one log");
  }
  refuseClashes(logs, fail);
  refuseRepeatedPeers(peers, fail);
  const settings = {
    name: members.get("name", readName),
    key: members.get("key", (value) => place(readKeyPath(value)), CONFIG_DEFAULTS.key),
    state: members.get("state", place, CONFIG_DEFAULTS.state),
    incidents: members.get("incidents", place, CONFIG_DEFAULTS.incidents),
    listen: members.maybe("listen", (value) => parseAddress(readText(value))),
    http: members.maybe("http", (value) => parseAddress(readText(value))),
    contact: members.get("contact", readContact, NO_CONTACT),
    logs: logs.map(({ item }) => item),
    peers: peers.map(({ item }) => item),
    gossip: readGossip(members.child("gossip"), fail),
    limits: readLimits(members.child("limits"), { fail, logs: logs.length }),
  };
  // Where a member is missing or wrong a fault was noted, and nobody sees the result.
  return settings as Settings;
}

/** A path as it stands in the file at `path`: relative to that file's folder. */
function placeBeside(path: string, name: string): string {
  return name.startsWith("/") ? name : join(path, "..", name);
}

/** Refuses a log given twice, and logs whose signatures do not say which they are about. */
function refuseClashes(logs: readonly Placed<LogSettings>[], fail: Fail): void {
  const before: Log[] = [];
  for (const { node, item: { log } } of logs) {
    try {
      if (before.some(({ id }) => id === log.id)) {
        throw new MalformedError(`the log ${quoted(log.origin)} is given twice`);
      }
      refuseSharedTreeHeadKey([...before, log]);
      before.push(log);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      fail(node, error.message);
    }
  }
}

function refuseRepeatedPeers(peers: readonly Placed<PeerSettings>[], fail: Fail): void {
  const before = new Set<string>();
  for (const { node, item: { address } } of peers) {
    const text = formatAddress(address);
    if (before.has(text)) fail(node, `the peer ${quoted(text)} is given twice`);
    before.add(text);
  }
}

/** What was read, and where it stands. */
interface Placed<T> {
  readonly node: Node;
  readonly item: T;
}

function readList<T>(
  node: Node | undefined,
  { what, most, read, fail }: {
    what: string;
    most: number;
    read: (node: Node) => T | undefined;
    fail: Fail;
  },
): Placed<T>[] {
  if (node === undefined) return [];
  if (node.type !== "array") {
    fail(node, `${what} is ${show(getNodeValue(node))}, expected a list`);
    return [];
  }
  const items = node.children ?? [];
  if (items.length > most) {
    fail(node, `${what} has ${items.length} items, expected at most ${most}`);
  }
  return items.slice(0, most).flatMap((node) => {
    const item = read(node);
    return item === undefined ? [] : [{ node, item }];
  });
}

function readLog(
  node: Node,
  { fail, path, world }: { fail: Fail; path: string; world: World },
): LogSettings | undefined {
  if (node.type !== "object") {
    fail(node, `a log is ${show(getNodeValue(node))}, expected an object`);
    return undefined;
  }
  const known = ["vkey", "origin", "source", "poll", "patience"];
  const members = new Members({ node, what: "a log", known, fail });
  // Of the key alone first, so that what is wrong with the origin is told where it stands.
  const log = members.get("vkey", (value) => {
    const vkey = parseVkey(readText(value));
    return makeLog({ vkey, origin: vkey.name });
  });
  const named = members.maybe("origin", (value) => {
    const origin = readText(value);
    return log && makeLog({ vkey: log.vkey, origin });
  }) ?? log;
  const source = members.get("source", (value) => readSources(value, path));
  if (named && source) {
    members.maybe("source", () => openSource({ world, log: named, source, contact: NO_CONTACT }));
  }
  const pollMs = members.get("poll", readDuration, CONFIG_DEFAULTS.poll);
  const patienceMs = members.get("patience", readDuration, CONFIG_DEFAULTS.patience);
  if (!named || !source || !pollMs || !patienceMs) return undefined;
  return { log: named, source, pollMs, patienceMs };
}

/** A source, or a list of places where the same log is served. */
function readSources(value: unknown, path: string): string | string[] {
  return Array.isArray(value) ? value.map((one) => readSource(one, path)) : readSource(value, path);
}

/** A source; a folder is relative to the file, like every path in it. */
function readSource(value: unknown, path: string): string {
  const source = readText(value);
  // What `openSource` would refuse as it stands must not become a path that it takes.
  if (!isFolder(source) || /^(?:[a-z][a-z0-9.-]+[:+]|[a-z]:)/i.test(source)) return source;
  const placed = placeBeside(path, source);
  return /^[./]/.test(placed) ? placed : `./${placed}`;
}

function readPeer(node: Node, fail: Fail): PeerSettings | undefined {
  if (node.type !== "object") {
    fail(node, `a peer is ${show(getNodeValue(node))}, expected an object`);
    return undefined;
  }
  const members = new Members({ node, what: "a peer", known: ["address", "vkey"], fail });
  const address = members.get("address", readPeerAddress);
  const vkey = members.maybe("vkey", (value) => parseVkey(readText(value)).text);
  return address && { address, vkey };
}

function readGossip(node: Node | undefined, fail: Fail): GossipSettings {
  const otherwise = {
    intervalMs: readDuration(CONFIG_DEFAULTS.gossip),
    fanOut: CONFIG_DEFAULTS.fanOut as number,
  };
  if (node === undefined) return otherwise;
  if (node.type !== "object") {
    fail(node, `gossip is ${show(getNodeValue(node))}, expected an object`);
    return otherwise;
  }
  const members = new Members({ node, what: "gossip", known: ["interval", "fanOut"], fail });
  const intervalMs = members.get("interval", readDuration, otherwise.intervalMs);
  const fanOut = members.get("fanOut", (value) => readCount(value, MAX_PEERS), otherwise.fanOut);
  return { intervalMs: intervalMs ?? 0, fanOut: fanOut ?? 0 };
}

function readLimits(
  node: Node | undefined,
  { fail, logs }: { fail: Fail; logs: number },
): ExchangeLimits {
  if (node === undefined) return DEFAULT_LIMITS;
  if (node.type !== "object") {
    fail(node, `limits is ${show(getNodeValue(node))}, expected an object`);
    return DEFAULT_LIMITS;
  }
  const known = Object.keys(DEFAULT_LIMITS) as (keyof ExchangeLimits)[];
  const members = new Members({ node, what: "limits", known, fail });
  const given = known.map((name) => [
    name,
    members.maybe(name, (value) => readCount(value, Number.MAX_SAFE_INTEGER)) ??
      DEFAULT_LIMITS[name],
  ]);
  const limits = Object.fromEntries(given) as unknown as ExchangeLimits;
  if (limits.maxFramesPerExchange < logs) {
    fail(
      members.child("maxFramesPerExchange"),
      `maxFramesPerExchange: is ${limits.maxFramesPerExchange}, expected one for each of the ` +
        `${logs} logs`,
    );
  }
  return limits;
}

/** A value as the file has it, or the start of it. */
function show(value: unknown): string {
  return typeof value === "string" ? quoted(value) : quoted(JSON.stringify(value)).slice(1, -1);
}

function readText(value: unknown): string {
  if (typeof value !== "string" || value === "") {
    throw new MalformedError(`is ${show(value)}, expected a text`);
  }
  return value;
}

/** A peer is called, so "any free port" is none of its. */
function readPeerAddress(value: unknown): Address {
  const address = parseAddress(readText(value));
  if (address.port === 0) {
    throw new MalformedError(`is ${quoted(formatAddress(address))}, expected a port from 1`);
  }
  return address;
}

/** The path of the private key, and not the key. */
function readKeyPath(value: unknown): string {
  const path = readText(value);
  if (path.startsWith("PRIVATE+KEY+")) {
    throw new MalformedError("is a private key, expected the path of the file that holds it");
  }
  return path;
}

/**
 * Whom a log's operator can write to: one printable line, such as goes into a header.
 * @throws MalformedError for anything else
 */
export function readContact(value: unknown): string {
  const text = readText(value);
  if (!/^[\x20-\x7e]{1,256}$/.test(text) || /[()\\]/.test(text)) {
    throw new MalformedError(
      `is ${quoted(text)}, expected up to 256 ASCII characters without parentheses and backslashes`,
    );
  }
  return text;
}

function readName(value: unknown): string {
  const name = readText(value);
  checkKeyName(name);
  return name;
}

function readCount(value: unknown, most: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > most) {
    throw new MalformedError(
      `is ${show(value)}, expected a whole number from 1 to ${most}`,
    );
  }
  return value as number;
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

/**
 * Reads a duration, such as `500ms`, `30s`, `5m`, `12h`, `7d`.
 * @returns milliseconds
 * @throws MalformedError for anything else, or for less than 100 ms or more than 31 days
 */
export function readDuration(value: unknown): number {
  const match = typeof value === "string" ? /^(\d{1,9})(ms|s|m|h|d)$/.exec(value) : null;
  const ms = match === null ? NaN : Number(match[1]) * UNITS[match[2]!]!;
  if (!(ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS)) {
    throw new MalformedError(
      `is ${show(value)}, expected a duration from 100ms to 31d, such as 30s`,
    );
  }
  return ms;
}
