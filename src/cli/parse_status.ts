/** Reads a daemon's status. Any program may answer at its address, so every member is checked. */
import { parseExactJson } from "../evidence/json.ts";
import type { Status } from "../monitor/status.ts";
import { quoted } from "../tlog/malformed.ts";
import {
  checkMembers,
  isObject,
  listOf,
  object,
  type Shape,
  text,
  unexpected,
  wholeNumber,
} from "../tlog/members.ts";
import { isTime } from "../world/time.ts";

const count = wholeNumber({ least: 0 });

function time(value: unknown, name: string): void {
  if (typeof value === "string" && isTime(value)) return;
  throw unexpected(value, { name, wanted: "a time" });
}

function yesOrNo(value: unknown, name: string): void {
  if (typeof value !== "boolean") throw unexpected(value, { name, wanted: "true or false" });
}

/** Checks the count of each result. Any name is allowed, since later versions may have more results. */
function counts(value: unknown, name: string): void {
  if (!isObject(value)) throw unexpected(value, { name, wanted: "an object" });
  for (const [result, times] of Object.entries(value)) count(times, `${name} of ${quoted(result)}`);
}

const log = object({
  must: { origin: text, vkey: text, incidents: count, openQuestions: count, counts },
  may: {
    replaces: text,
    formerKey: text,
    formerSize: text,
    size: text,
    root: text,
    grewAt: time,
    lastResult: text,
    lastDetail: text,
    lastLookAt: time,
    nextLookAt: time,
    resultSince: time,
    leftOut: count,
    withheld: count,
    waitingOwn: count,
    waitingOthers: count,
    isRewritten: yesOrNo,
    shrankTo: text,
    sharedBy: count,
  },
  others: "kept",
});

const peer = object({
  must: { address: text, exchanges: count, failures: count, matches: count, conflicts: count },
  may: {
    vkey: text,
    nextCallAt: time,
    failingSince: time,
    lastExchangeAt: time,
    lastResult: text,
    sharedLogs: count,
    failing: text,
    software: text,
    isSelf: yesOrNo,
    isUnwritten: yesOrNo,
  },
  others: "kept",
});

const STATUS: Shape = {
  must: {
    name: text,
    vkey: text,
    startedAt: time,
    now: time,
    incidents: count,
    unwritten: yesOrNo,
    logs: listOf(log),
    peers: listOf(peer),
  },
  may: {
    version: text,
    listen: text,
    faults: count,
    eventsLost: count,
    lost: listOf(text),
    isUncompared: yesOrNo,
    reloadRefused: text,
  },
  others: "kept",
};

/**
 * Reads a status. Members that this version does not know are kept.
 * @throws MalformedError that names the member that is wrong
 */
export function parseStatus(text: string): Status {
  const status = parseExactJson(text, Infinity);
  checkMembers(status, { what: "the status", shape: STATUS });
  return status as unknown as Status;
}
