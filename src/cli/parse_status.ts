/**
 * Reads what a daemon tells of itself. Any program may answer at its address, so every member is
 * checked.
 *
 * @module
 */
import { parseExactJson } from "../evidence/json.ts";
import type { Status } from "../monitor/status.ts";
import type { Obeyed } from "../swarm/control.ts";
import type { Routes } from "../swarm/graph.ts";
import type { SwarmStatus } from "../swarm/member_status.ts";
import { quoted } from "../tlog/malformed.ts";
import {
  type Check,
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

function milliseconds(value: unknown, name: string): void {
  if (typeof value === "number" && value >= 0) return;
  throw unexpected(value, { name, wanted: "milliseconds" });
}

/** Checks the count of each result. Any name is allowed, since later versions may have more results. */
function counts(value: unknown, name: string): void {
  if (!isObject(value)) throw unexpected(value, { name, wanted: "an object" });
  for (const [result, times] of Object.entries(value)) count(times, `${name} of ${quoted(result)}`);
}

const witnessOfLog = object({
  must: { name: text, vkey: text, keeping: text },
  may: {
    url: text,
    failing: text,
    size: text,
    root: text,
    cosignedAt: time,
    behindSince: time,
    incidents: count,
  },
  others: "kept",
});

const freeze = object({
  must: {
    since: time,
    incidents: listOf(text),
    causes: listOf(text),
    why: text,
    isWritten: yesOrNo,
  },
  others: "kept",
});

const cosigned = object({
  must: { witnesses: listOf(witnessOfLog) },
  may: { committed: object({ must: { size: text, root: text }, others: "kept" }) },
  others: "kept",
});

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
    seenSize: text,
    seenRoot: text,
    closed: count,
    freeze,
    sharedBy: count,
    lookedAtBy: listOf(text),
    cosigned,
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
    heardBy: object({ must: { site: text, at: time }, others: "kept" }),
  },
  others: "kept",
});

const member = object({
  must: { name: text, vkey: text, state: text, failures: count },
  may: {
    address: text,
    direction: text,
    since: time,
    roundTripMs: milliseconds,
    silentForMs: milliseconds,
    software: text,
    refusals: counts,
    reason: text,
    notWanted: text,
    usedTwiceAt: time,
    nextCallAt: time,
    bannedBecause: text,
    bannedUntil: time,
  },
  others: "kept",
});

const channel = object({
  must: { name: text, description: text, waiting: count },
  may: { lastSentAt: time, failingSince: time, lastError: text, isDisabled: yesOrNo },
  others: "kept",
});
const heartbeat = object({
  must: {},
  may: { lastBeatAt: time, lastError: text, isHeldBack: yesOrNo },
  others: "kept",
});
const alerts = object({
  must: { channels: listOf(channel) },
  may: { heartbeat },
  others: "kept",
});

const witness = object({
  must: {
    vkeys: listOf(text),
    logs: count,
    cosigned: count,
    pushed: listOf(
      object({
        must: { origin: text, vkey: text, incidents: count },
        may: { size: text, closed: count, freeze, openQuestions: count },
        others: "kept",
      }),
    ),
  },
  may: {
    listedCases: count,
    list: object({ must: { url: text }, may: { at: time, problem: text }, others: "kept" }),
  },
  others: "kept",
});

const federation = object({
  must: { origin: text, size: text },
  may: { address: text, newEpoch: text, isBehind: yesOrNo },
  others: "kept",
});

const mirror = object({
  must: {
    ...{ name: text, vkey: text, origin: text, size: text, failures: count, received: count },
    ...{ incidents: count },
    records: object({
      must: { recorded: count, known: count, foreign: count, refused: count },
      others: "kept",
    }),
  },
  may: {
    ...{ url: text, theirs: text, lastOutcome: text, lastError: text, isUnhealthy: yesOrNo },
    ...{ lastSyncAt: time, nextSyncAt: time, lastPushAt: time, failingSince: time },
  },
  others: "kept",
});

const store = object({
  must: {
    ...{ state: text, behind: count, held: count },
    sites: listOf(
      object({
        must: { name: text, vkey: text, seenAt: time, isAlive: yesOrNo, held: count },
        may: { isStopped: yesOrNo },
        others: "kept",
      }),
    ),
  },
  may: { since: time, detail: text },
  others: "kept",
});

const SWARM: Shape = {
  must: { own: text, startedAt: time, now: time, room: count, members: listOf(member) },
  may: { ownUsedTwiceAt: time },
  others: "kept",
};

const pairOfTexts: Check = (value, name) => {
  listOf(text)(value, name);
  if ((value as unknown[]).length !== 2) throw unexpected(value, { name, wanted: "two texts" });
};

const ROUTES: Shape = {
  must: {
    own: text,
    members: listOf(text),
    links: listOf(object({ must: { ends: pairOfTexts, costMs: milliseconds }, others: "kept" })),
    paths: listOf(
      object({ must: { members: listOf(text), costMs: milliseconds }, others: "kept" }),
    ),
    oneWay: listOf(object({ must: { from: text, to: text, rttMs: milliseconds }, others: "kept" })),
    disconnected: listOf(text),
  },
  others: "kept",
};

const OBEYED: Shape = {
  must: {},
  may: {
    done: yesOrNo,
    wasBanned: yesOrNo,
    refused: text,
    incident: text,
    state: text,
    isUnchanged: yesOrNo,
    channels: listOf(text),
  },
  others: "kept",
};

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
    memberCases: count,
    closed: object({ must: { cases: count, by: listOf(text) }, others: "kept" }),
    eventsLost: count,
    lost: listOf(text),
    isUncompared: yesOrNo,
    reloadRefused: text,
    store,
    members: object(SWARM),
    witness,
    alerts,
    federation,
    mirrors: listOf(mirror),
  },
  others: "kept",
};

/**
 * Reads a status. Members that this version does not know are kept.
 * @throws MalformedError that names the member that is wrong
 */
export function parseStatus(text: string): Status {
  return parsed<Status>(text, { what: "the status", shape: STATUS });
}

/** Reads what a daemon tells of its members. @throws as `parseStatus` */
export function parseSwarmStatus(text: string): SwarmStatus {
  return parsed<SwarmStatus>(text, { what: "the table of members", shape: SWARM });
}

/** Reads the paths to members. @throws as `parseStatus` */
export function parseRoutes(text: string): Routes {
  return parsed<Routes>(text, { what: "the paths to members", shape: ROUTES });
}

/** Reads what became of an order. @throws as `parseStatus` */
export function parseObeyed(text: string): Obeyed {
  return parsed<Obeyed>(text, { what: "the answer", shape: OBEYED });
}

function parsed<T>(text: string, { what, shape }: { what: string; shape: Shape }): T {
  const value = parseExactJson(text, Infinity);
  checkMembers(value, { what, shape });
  return value as T;
}
