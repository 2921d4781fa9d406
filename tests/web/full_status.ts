/** A status that has every member there can be. A new member does not compile until it is here. */
import type {
  FrozenStatus,
  LogStatus,
  PeerStatus,
  Status,
  WitnessOfLog,
} from "../../src/monitor/status.ts";
import type { MirrorStatus } from "../../src/monitor/mirrored_journal.ts";
import type { MemberStatus } from "../../src/swarm/member_status.ts";

/** A type of which nothing is left out, however deep. */
type Whole<T> = T extends string | number | boolean ? T
  : T extends readonly (infer Item)[] ? readonly Whole<Item>[]
  : { readonly [Name in keyof T]-?: Whole<Exclude<T[Name], undefined>> };

const AT = "2026-11-28T10:00:00.000Z";
/** Half a second later. */
const LATER = "2026-11-28T10:00:00.500Z";
const ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/** A vkey in form; nobody verifies anything with it. */
export function vkeyOf(name: string, id = "0a1b2c3d"): string {
  return `${name}+${id}+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh`;
}

const FREEZE: Whole<FrozenStatus> = {
  ...{ since: AT, incidents: ["INC-2026-001"], causes: ["equivocation"], why: "two roots" },
  isWritten: true,
};

const WITNESS: Whole<WitnessOfLog> = {
  ...{ name: "witness.invalid/w1", vkey: vkeyOf("witness.invalid/w1") },
  ...{ url: "https://witness.invalid/", failing: "timed out", keeping: "lagging", size: "11" },
  ...{ root: ROOT, cosignedAt: AT, behindSince: AT, incidents: 1 },
};

const { size, root } = { size: "12", root: ROOT };

/** A log with everything. */
export const LOG: Whole<LogStatus> = {
  ...{ origin: 'log.invalid/"one"\\', vkey: vkeyOf("log.invalid/one") },
  ...{
    replaces: vkeyOf("log.invalid/one", "99999999"),
    formerKey: "log.invalid/one",
    formerSize: "3",
  },
  ...{
    size,
    root,
    grewAt: AT,
    nextLookAt: LATER,
    incidents: 2,
    closed: 1,
    sharedBy: 1,
    openQuestions: 7,
  },
  ...{ freeze: FREEZE, seenSize: "13", seenRoot: root, lookedAtBy: ["monitor.invalid/two"] },
  ...{ waitingOwn: 1, waitingOthers: 2, withheld: 3, leftOut: 4 },
  cosigned: { committed: { size: "10", root }, witnesses: [WITNESS] },
  ...{ lastResult: "unchanged", resultSince: AT, lastDetail: "a detail", shrankTo: "9" },
  ...{ isRewritten: true, lastLookAt: AT, counts: { "unchanged": 5, "rolled back": 1 } },
};

const PEER: Whole<PeerStatus> = {
  ...{ address: "peer.invalid:9900", vkey: vkeyOf("peer.invalid/p"), nextCallAt: LATER },
  ...{ lastExchangeAt: AT, lastResult: "matches", sharedLogs: 1, software: "hearsay/0.1.0" },
  ...{ isSelf: false, isUnwritten: false, failing: "cannot be reached", failingSince: AT },
  ...{ exchanges: 9, failures: 2, matches: 6, conflicts: 1 },
  heardBy: { site: "monitor.invalid/two", at: AT },
};

const MEMBER: Whole<MemberStatus> = {
  ...{ name: "peer.invalid/p", vkey: vkeyOf("peer.invalid/p"), address: "peer.invalid:9900" },
  ...{ state: "connected", direction: "inbound", since: AT, roundTripMs: 12.5, silentForMs: 40 },
  ...{ software: "hearsay/0.1.0", failures: 0, refusals: { "malformed": 2 }, reason: "timed out" },
  ...{
    notWanted: "full",
    usedTwiceAt: AT,
    nextCallAt: LATER,
    bannedBecause: "x",
    bannedUntil: LATER,
  },
};

const { lastResult: _1, resultSince: _2, lastDetail: _3, shrankTo: _4, ...looked } = LOG;
const { isRewritten: _5, lastLookAt: _6, counts: _7, ...JOURNAL } = looked;

const MIRROR: Whole<MirrorStatus> = {
  ...{ name: "peer.invalid/p", vkey: vkeyOf("peer.invalid/p"), url: "https://peer.invalid/" },
  ...{ origin: "peer.invalid/p/incidents/1", size: "20", theirs: "21", lastOutcome: "unavailable" },
  ...{ lastError: "timed out", lastSyncAt: AT, nextSyncAt: LATER, lastPushAt: AT, failures: 3 },
  ...{ failingSince: AT, isUnhealthy: true, received: 20, incidents: 1, log: JOURNAL },
  records: { recorded: 1, known: 2, foreign: 3, refused: 4 },
};

/** See above. */
export const FULL: Whole<Status> = {
  ...{ version: "0.1.0", name: "monitor.invalid/one", vkey: vkeyOf("monitor.invalid/one") },
  ...{ listen: "127.0.0.1:9900", startedAt: AT, now: LATER, incidents: 2, memberCases: 1 },
  ...{ closed: { cases: 1, by: ["Ada"] } },
  ...{ unwritten: true, faults: 3, eventsLost: 4, lost: ["the journal"], isUncompared: true },
  ...{ reloadRefused: "line 3", logs: [LOG], peers: [PEER], mirrors: [MIRROR] },
  store: {
    ...{ state: "away", since: AT, detail: "cannot be reached", behind: 12, held: 3 },
    sites: [{
      ...{ name: "monitor.invalid/two", vkey: vkeyOf("monitor.invalid/two") },
      ...{ seenAt: AT, isAlive: true, isStopped: false, held: 2 },
    }],
  },
  members: {
    ...{ own: vkeyOf("monitor.invalid/one"), startedAt: AT, now: LATER, room: 40 },
    ...{ ownUsedTwiceAt: AT, members: [MEMBER] },
  },
  witness: {
    ...{ vkeys: [vkeyOf("monitor.invalid/one")], logs: 5, cosigned: 4 },
    pushed: [{
      origin: "pushed.invalid",
      closed: 1,
      vkey: vkeyOf("pushed.invalid"),
      size: "8",
      incidents: 0,
      freeze: FREEZE,
      openQuestions: 1,
    }],
    listedCases: 1,
    list: { url: "https://list.invalid/", at: AT, problem: "timed out" },
  },
  alerts: {
    channels: [{
      ...{ name: "hook", description: "webhook https://hook.invalid", waiting: 2, lastSentAt: AT },
      ...{ failingSince: AT, lastError: "timed out", isDisabled: true },
    }],
    heartbeat: { lastBeatAt: AT, lastError: "timed out", isHeldBack: true },
  },
  federation: {
    ...{ origin: "monitor.invalid/one/incidents/1", size: "2", address: "127.0.0.1:9990" },
    ...{ newEpoch: "the journal was lost", isBehind: true },
  },
};
