/**
 * `hearsay.jsonc`: reads a daemon's settings, and tells every error of the file at once, each with
 * its line and column, the value and what was wanted.
 *
 * @module
 */
import { join } from "@std/path/join";
import {
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../gossip/limits.ts";
import type { GossipSettings, LogSettings, PeerSettings, Settings } from "../monitor/settings.ts";
import { makeLog } from "../tlog/log.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { checkKeyName, parseVkey } from "../tlog/vkey.ts";
import { parseAddress } from "../world/address.ts";

/** Longest configuration read. */
export const MAX_CONFIG_BYTES = 1024 * 1024;

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

/**
 * Reads a configuration.
 * @param text the file's text
 * @param path the file's path, for messages; paths in it are relative to its folder
 * @throws MalformedError with one line for every error of the file
 */
export function parseConfig(text: string, path: string): Settings {
  const faults: { offset: number; message: string }[] = [];
  const parseErrors: ParseError[] = [];
  const tree = parseTree(text, parseErrors, { allowTrailingComma: true });
  for (const { error, offset } of parseErrors) {
    faults.push({ offset, message: `not JSONC: ${printParseErrorCode(error)}` });
  }
  const fail = (node: Node | undefined, message: string): void => {
    faults.push({ offset: node?.offset ?? 0, message });
  };
  const settings = parseErrors.length > 0 ? undefined : readSettings(tree, { fail, path });
  if (faults.length === 0 && settings !== undefined) return settings;
  const lines = faults.toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, message }) => `${path}:${placeOf(text, offset)}: ${message}`);
  throw new MalformedError(lines.join("\n"));
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
  { fail, path }: { fail: Fail; path: string },
): Settings | undefined {
  if (tree?.type !== "object") {
    fail(tree, "expected an object with the monitor's settings");
    return undefined;
  }
  const members = new Members({ node: tree, what: "the configuration", known: MEMBERS, fail });
  const place = (value: unknown): string => {
    const name = readText(value);
    return name.startsWith("/") ? name : join(path, "..", name);
  };
  const settings = {
    name: members.get("name", readName),
    key: members.get("key", place, CONFIG_DEFAULTS.key),
    state: members.get("state", place, CONFIG_DEFAULTS.state),
    incidents: members.get("incidents", place, CONFIG_DEFAULTS.incidents),
    listen: members.maybe("listen", (value) => parseAddress(readText(value))),
    http: members.maybe("http", (value) => parseAddress(readText(value))),
    contact: members.get("contact", readLine, "no contact given"),
    logs: readList(members.child("logs"), { what: "logs", most: MAX_LOGS, read: readLog, fail }),
    peers: readList(members.child("peers"), {
      what: "peers",
      most: MAX_PEERS,
      read: readPeer,
      fail,
    }),
    gossip: readGossip(members.child("gossip"), fail),
    limits: readLimits(members.child("limits"), fail),
  };
  if (settings.logs.length === 0) fail(members.child("logs") ?? tree, "expected at least one log");
  const ids = settings.logs.map(({ log }) => log.id);
  if (new Set(ids).size < ids.length) fail(members.child("logs"), "one log is given twice");
  // Where a member is missing or wrong a fault was noted, and nobody sees the result.
  return settings as Settings;
}

function readList<T>(
  node: Node | undefined,
  { what, most, read, fail }: {
    what: string;
    most: number;
    read: (node: Node, fail: Fail) => T | undefined;
    fail: Fail;
  },
): T[] {
  if (node === undefined) return [];
  if (node.type !== "array") {
    fail(node, `${what} is ${show(node)}, expected a list`);
    return [];
  }
  const items = node.children ?? [];
  if (items.length > most) {
    fail(node, `${what} has ${items.length} items, expected at most ${most}`);
  }
  return items.slice(0, most).map((item) => read(item, fail)).filter((item) => item !== undefined);
}

function readLog(node: Node, fail: Fail): LogSettings | undefined {
  if (node.type !== "object") {
    fail(node, `a log is ${show(node)}, expected an object`);
    return undefined;
  }
  const known = ["vkey", "origin", "source", "poll", "patience"];
  const members = new Members({ node, what: "a log", known, fail });
  const vkey = members.get("vkey", (value) => parseVkey(readText(value)));
  const origin = members.maybe("origin", readText);
  const log = vkey && members.get("vkey", () => makeLog({ vkey, origin: origin ?? vkey.name }));
  const source = members.get("source", readText);
  const pollMs = members.get("poll", readDuration, CONFIG_DEFAULTS.poll);
  const patienceMs = members.get("patience", readDuration, CONFIG_DEFAULTS.patience);
  if (!log || !source || !pollMs || !patienceMs) return undefined;
  return { log, source, pollMs, patienceMs };
}

function readPeer(node: Node, fail: Fail): PeerSettings | undefined {
  if (node.type !== "object") {
    fail(node, `a peer is ${show(node)}, expected an object`);
    return undefined;
  }
  const members = new Members({ node, what: "a peer", known: ["address", "vkey"], fail });
  const address = members.get("address", (value) => parseAddress(readText(value)));
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
    fail(node, `gossip is ${show(node)}, expected an object`);
    return otherwise;
  }
  const members = new Members({ node, what: "gossip", known: ["interval", "fanOut"], fail });
  const intervalMs = members.get("interval", readDuration, otherwise.intervalMs);
  const fanOut = members.get("fanOut", (value) => readCount(value, MAX_PEERS), otherwise.fanOut);
  return { intervalMs: intervalMs ?? 0, fanOut: fanOut ?? 0 };
}

function readLimits(node: Node | undefined, fail: Fail): ExchangeLimits {
  if (node === undefined) return DEFAULT_LIMITS;
  if (node.type !== "object") {
    fail(node, `limits is ${show(node)}, expected an object`);
    return DEFAULT_LIMITS;
  }
  const known = Object.keys(DEFAULT_LIMITS) as (keyof ExchangeLimits)[];
  const members = new Members({ node, what: "limits", known, fail });
  const given = known.map((name) => [
    name,
    members.maybe(name, (value) => readCount(value, Number.MAX_SAFE_INTEGER)) ??
      DEFAULT_LIMITS[name],
  ]);
  return Object.fromEntries(given) as unknown as ExchangeLimits;
}

function show(node: Node): string {
  return quoted(JSON.stringify(getNodeValue(node)) ?? "nothing");
}

function readText(value: unknown): string {
  if (typeof value !== "string" || value === "") {
    throw new MalformedError(`is ${quoted(JSON.stringify(value) ?? "")}, expected a text`);
  }
  return value;
}

/** One printable line, such as goes into a header. */
function readLine(value: unknown): string {
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
      `is ${printable(JSON.stringify(value) ?? "")}, expected a whole number from 1 to ${most}`,
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
      `is ${
        quoted(JSON.stringify(value) ?? "")
      }, expected a duration from 100ms to 31d, such as 30s`,
    );
  }
  return ms;
}
