/** Reads what a daemon says of itself. Whatever answers at its address may say anything. */
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import type { Status } from "../monitor/status.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";

type Check = (value: unknown) => boolean;
/** The members of an object that must be there, and, with a question mark, those that may be. */
type Shape = Readonly<Record<string, Check>>;

const isText: Check = (value) => typeof value === "string";
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isTime: Check = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));
const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const LOG: Shape = {
  origin: isText,
  vkey: isText,
  "size?": isText,
  "root?": isText,
  "grewAt?": isTime,
  "lastResult?": isText,
  "lastDetail?": isText,
  "lastLookAt?": isTime,
  incidents: isCount,
  openQuestions: isCount,
  "sharedBy?": isCount,
  "leftOut?": isCount,
  counts: (value) => isObject(value) && Object.values(value).every(isCount),
};

const PEER: Shape = {
  address: isText,
  "vkey?": isText,
  "lastExchangeAt?": isTime,
  "lastResult?": isText,
  "sharedLogs?": isCount,
  exchanges: isCount,
  failures: isCount,
  matches: isCount,
  conflicts: isCount,
};

const STATUS: Shape = {
  name: isText,
  vkey: isText,
  startedAt: isTime,
  now: isTime,
  incidents: isCount,
  unwritten: (value) => typeof value === "boolean",
  "faults?": isCount,
  "eventsLost?": isCount,
  logs: Array.isArray,
  peers: Array.isArray,
};

/**
 * Reads a status; members that this version does not know are allowed.
 * @throws MalformedError naming the member that is wrong
 */
export function parseStatus(text: string): Status {
  const status = parseExactJson(text, Infinity);
  expect("the status", status, STATUS);
  for (const log of status.logs as unknown[]) expect("a log", log, LOG);
  for (const peer of status.peers as unknown[]) expect("a peer", peer, PEER);
  return status as unknown as Status;
}

function expect(what: string, value: unknown, shape: Shape): void {
  if (!isObject(value)) throw new MalformedError(`${what} is ${show(value)}, expected an object`);
  for (const [name, check] of Object.entries(shape)) {
    const member = name.replace("?", "");
    const came = value[member];
    if (came === undefined && name.endsWith("?")) continue;
    if (!check(came)) throw new MalformedError(`${member} of ${what} is ${show(came)}`);
  }
}

function show(value: unknown): string {
  return value === undefined ? "missing" : quoted(JSON.stringify(value));
}
