/** What daemons may tell, for the tests of their page. */
import {
  type State,
  STATES,
  type Transition,
  TRANSITION_VERSION,
} from "../../src/evidence/transition.ts";
import { type Incident, Runbook } from "../../src/response/runbook.ts";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { makeRecord } from "../../src/monitor/make_record.ts";
import type { Cases } from "../../src/monitor/case_reader.ts";
import type { ToldOverHttp } from "../../src/monitor/told_over_http.ts";
import type { PageSource } from "../../src/monitor/page_source.ts";
import type { ShownHead } from "../../src/monitor/shown.ts";
import type { LogStatus, PeerStatus, Status } from "../../src/monitor/status.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { NO_CASES } from "./page_of.ts";
import { grow, newLog, newSigner, seenOf } from "../evidence/histories.ts";

/** When everything here is looked at. */
export const NOW = "2026-11-28T12:00:00Z";
const AN_HOUR_AGO = "2026-11-28T11:00:00Z";
const A_MINUTE_AGO = "2026-11-28T11:58:30Z";

/** A root for the eye; nobody checks it. */
export function rootOf(letter: string): string {
  return `${letter.repeat(43)}=`;
}

/** A log that is as it should be. */
export function logStatus(fields: Partial<LogStatus> = {}): LogStatus {
  return {
    ...{ origin: "log.example.com/one", vkey: "log.example.com/one+0a1b2c3d+AAAA" },
    ...{ size: "38211004", root: rootOf("A"), grewAt: A_MINUTE_AGO, lastLookAt: A_MINUTE_AGO },
    ...{ lastResult: "extends", incidents: 0, openQuestions: 0, counts: {}, sharedBy: 2 },
    ...fields,
  };
}

/** A peer that answers and agrees. */
export function peerStatus(fields: Partial<PeerStatus> = {}): PeerStatus {
  return {
    ...{ address: "lima.example.com:9900", exchanges: 40, failures: 1, matches: 39, conflicts: 0 },
    ...{ lastExchangeAt: A_MINUTE_AGO, lastResult: "matches", sharedLogs: 2 },
    ...{ software: "hearsay/0.1.0" },
    ...fields,
  };
}

/** A status in which all is as it should be. */
export function statusOf(fields: Partial<Status> = {}): Status {
  return {
    ...{ version: "0.1.0", name: "monitor.example.com/berlin" },
    ...{ vkey: "monitor.example.com/berlin+0a1b2c3d+AAAA", listen: "0.0.0.0:9900" },
    ...{ startedAt: AN_HOUR_AGO, now: NOW, incidents: 0, unwritten: false },
    ...{ logs: [logStatus()], peers: [peerStatus()] },
    ...fields,
  };
}

/** A monitor that has just begun and follows nothing. */
export const EMPTY: Status = statusOf({ startedAt: NOW, logs: [], peers: [], isUncompared: true });

/** A monitor with much to tell, some of it wrong. */
export const BUSY: Status = statusOf({
  incidents: 1,
  logs: [
    logStatus({ origin: "sum.example.org", grewAt: A_MINUTE_AGO, lastResult: "unchanged" }),
    logStatus({
      ...{ origin: "rekor.example.dev - 1193050959916656506", vkey: "rekor.example.dev+1+AA" },
      ...{
        size: "1204811",
        root: rootOf("B"),
        lastResult: "unavailable",
        resultSince: AN_HOUR_AGO,
      },
      lastDetail: "connection refused",
    }),
    logStatus({
      ...{ origin: "log.example.com/two", vkey: "log.example.com/two+2+AA", incidents: 1 },
      ...{ size: "104", root: rootOf("C"), lastResult: "inconsistent" },
      cosigned: {
        committed: { size: "101", root: rootOf("D") },
        witnesses: [
          {
            ...{ name: "witness.example.net/w1", vkey: "w1+1+AA", keeping: "cosigning" },
            ...{ size: "104", root: rootOf("C"), cosignedAt: A_MINUTE_AGO },
          },
          {
            ...{ name: "witness.example.net/w2", vkey: "w2+1+AA", keeping: "lagging" },
            ...{ size: "98", root: rootOf("E"), behindSince: AN_HOUR_AGO, cosignedAt: AN_HOUR_AGO },
          },
          { name: "witness.example.net/w3", vkey: "w3+1+AA", keeping: "missing" },
        ],
      },
    }),
  ],
  peers: [
    peerStatus(),
    peerStatus({
      ...{ address: "tokyo.example.com:9900", vkey: "monitor.example.com/tokyo+1+AA" },
      ...{ lastResult: "inconsistent", conflicts: 1 },
    }),
    peerStatus({
      address: "quito.example.com:9900",
      ...{ failing: "cannot be reached", failingSince: AN_HOUR_AGO, sharedLogs: 1 },
    }),
  ],
  members: {
    ...{ own: "monitor.example.com/berlin+1+AA", startedAt: AN_HOUR_AGO, now: NOW, room: 32 },
    members: [
      {
        ...{ name: "monitor.example.com/tokyo", vkey: "monitor.example.com/tokyo+1+AA" },
        ...{ state: "connected", since: AN_HOUR_AGO, roundTripMs: 214.4, failures: 0 },
        software: "hearsay/0.1.0",
      },
      {
        ...{ name: "monitor.example.com/accra", vkey: "monitor.example.com/accra+1+AA" },
        ...{ state: "away", since: A_MINUTE_AGO, failures: 3, reason: "connection refused" },
      },
    ],
  },
  federation: { origin: "monitor.example.com/berlin/incidents/1", size: "1" },
  mirrors: [
    {
      ...{ name: "monitor.example.com/tokyo", vkey: "t+1+AA", origin: "tokyo/incidents/1" },
      ...{ size: "3", theirs: "4", failures: 0, received: 3, incidents: 0, lastOutcome: "synced" },
      ...{ lastSyncAt: A_MINUTE_AGO, records: { recorded: 1, known: 2, foreign: 0, refused: 0 } },
    } as NonNullable<Status["mirrors"]>[number],
  ],
});

/** A monitor that has frozen a log, and of whose alerts one kind does not get out. */
export const FROZEN: Status = statusOf({
  incidents: 1,
  logs: [
    logStatus({ origin: "sum.example.org" }),
    logStatus({
      ...{ origin: "log.example.com/two", vkey: "log.example.com/two+2+AA", incidents: 1 },
      ...{
        freeze: {
          ...{ since: AN_HOUR_AGO, incidents: ["INC-2026-001"] },
          ...{ causes: ["equivocation"], isWritten: true },
          why: "two roots are signed at size 104",
        },
        seenSize: "38211010",
      },
    }),
  ],
  ...{
    alerts: {
      channels: [
        { name: "mail", description: "to ops@example.com", waiting: 0, lastSentAt: A_MINUTE_AGO },
        {
          ...{ name: "hook", description: "https://hooks.example.com/a", waiting: 4 },
          ...{ failingSince: AN_HOUR_AGO, lastError: "503 Service Unavailable" },
        },
      ],
    },
  },
});

/** What peers have shown of the log that is in a case. */
export const BUSY_SHOWN: readonly ShownHead[] = [
  {
    ...{ source: "lima.example.com:9900", size: "104", root: rootOf("C"), at: A_MINUTE_AGO },
    verdict: "matches",
  },
  {
    ...{ source: "tokyo.example.com:9900", size: "104", root: rootOf("X"), at: A_MINUTE_AGO },
    verdict: "inconsistent",
  },
];

/** Cases in memory. */
export class FakeCases implements Cases {
  constructor(
    readonly records: readonly ConflictRecord[],
    readonly runbook: Runbook = new Runbook(),
  ) {}

  numbersOf({ cases }: Pick<Incident, "cases">) {
    return this.#numbersWhere((id) => cases.includes(id));
  }

  apart() {
    return this.#numbersWhere((id) => this.runbook.withCase(id) === undefined);
  }

  #numbersWhere(isWanted: (evidenceId: string) => boolean): number[] {
    return this.records.flatMap(({ evidence_id: id }, i) => isWanted(id) ? [i + 1] : []);
  }

  get count(): number {
    return this.records.length;
  }

  after(seq: number, most: number) {
    return this.records.map((_, i) => i + 1).filter((number) => number > seq).slice(0, most);
  }

  newest(count: number) {
    const all = this.records.map((record, i) => ({ seq: i + 1, record }));
    return Promise.resolve(all.slice(-count).reverse());
  }

  read(seq: number) {
    return Promise.resolve(this.records[seq - 1]);
  }
}

/** The configuration of every monitor here. */
export const CONFIG = "/etc/hearsay/hearsay.jsonc";

/** Steps of the monitor itself, and of people. */
const STEPS: readonly Pick<Transition, "from" | "to" | "at" | "by" | "why">[] = [
  { ...{ from: null, to: "DETECT" }, at: "2026-11-28T11:00:00Z", by: "hearsay", why: "" },
  {
    ...{ from: "DETECT", to: "FREEZE", at: "2026-11-28T11:00:01Z", by: "hearsay" },
    why: "nothing of the log beyond size 7 is accepted until this is resolved",
  },
  {
    ...{ from: "FREEZE", to: "INVESTIGATE", at: "2026-11-28T11:20:00Z", by: "Ada Lovelace" },
    why: "I look into it",
  },
  {
    ...{ from: "INVESTIGATE", to: "RESOLVE", at: "2026-11-28T11:40:00Z", by: "Ada Lovelace" },
    why: "the operator has restored a backup",
  },
  {
    ...{ from: "RESOLVE", to: "CLOSED", at: "2026-11-28T11:50:00Z", by: "Ada Lovelace" },
    why: "all was told",
  },
];

/** Opens an incident in a runbook, and takes it to a state. */
export function openIn(
  runbook: Runbook,
  { records, state = "FREEZE", cause = "equivocation", log = records?.[0]?.log, why, by, accepted }:
    {
      records?: readonly ConflictRecord[];
      state?: State;
      cause?: Transition["cause"];
      log?: Transition["log"] | undefined;
      /** Of every step. */
      why?: string;
      /** Of every step that a person takes. */
      by?: string;
      accepted?: NonNullable<Transition["accepted"]>;
    },
): string {
  const incident = runbook.nextId(NOW);
  const until = STATES.indexOf(state) + 1;
  const first = cause === "equivocation"
    ? "the log's key signed checkpoints of sizes 7 and 9 that contradict each other"
    : `a ${cause}`;
  for (const step of STEPS.slice(0, until)) {
    const isFirst = step.from === null;
    const refused = runbook.take({
      ...{ version: TRANSITION_VERSION, incident, log: log!, cause, ...step },
      evidence_ids: isFirst ? (records ?? []).map(({ evidence_id: id }) => id) : [],
      ...(isFirst && { why: first }),
      ...(step.to === "FREEZE" && { accepted: accepted ?? { size: "7", root: rootOf("A") } }),
      monitor: "monitor.example.com/berlin+0a1b2c3d+AAAA",
      ...(why !== undefined && { why }),
      ...(by !== undefined && step.by !== "hearsay" && { by }),
    });
    if (refused !== undefined) throw new Error(refused);
  }
  return incident;
}

/** A monitor that has caught a log: its status and its page, with the incident in a state. */
export async function caught(
  { state = "FREEZE", kind = "cross_size", fields = {} }: {
    state?: State;
    kind?: "same_size" | "cross_size";
    fields?: Partial<Status>;
  } = {},
): Promise<{ page: PageSource; record: ConflictRecord; id: string; runbook: Runbook }> {
  const record = await recordOf({ kind, origin: "log.example.com/two", source: "the log" });
  const runbook = new Runbook();
  const id = openIn(runbook, { records: [record], state });
  const { size, root } = record.checkpoint_a;
  const isFrozen = runbook.frozenLogs.length > 0;
  const status = statusOf({
    incidents: 1,
    logs: [
      logStatus({ origin: "sum.example.org" }),
      logStatus({
        ...{ ...record.log, incidents: 1, size, root, lastResult: "inconsistent" },
        ...(isFrozen && {
          freeze: {
            ...{ since: AN_HOUR_AGO, incidents: [id], causes: ["equivocation"], isWritten: true },
            why: "the log's key signed checkpoints of sizes 7 and 9 that contradict each other",
          },
        }),
      }),
    ],
    ...fields,
  });
  return { page: sourceOf(status, { records: [record], runbook }), record, id, runbook };
}

/** What a page is made of, fixed. */
export function sourceOf(
  status: Status,
  { records = [], shown = [], runbook }: {
    records?: readonly ConflictRecord[];
    shown?: readonly ShownHead[];
    runbook?: Runbook;
  } = {},
): PageSource {
  return {
    status: () => status,
    shown: ({ origin }) => origin === "log.example.com/two" ? shown : [],
    cases: () => new FakeCases(records, runbook),
    config: CONFIG,
  };
}

/** A record that holds: two roots at one size, or two sizes with the proof. */
export async function recordOf(
  { kind = "same_size", origin, source = "lima.example.com:9900" }: {
    kind?: "same_size" | "cross_size";
    origin?: string;
    source?: string;
  } = {},
): Promise<ConflictRecord> {
  const log = grow(await newLog(origin), 5);
  const other = log.fork();
  grow(log, 7, "a");
  grow(other, kind === "same_size" ? 7 : 9, "b");
  const first = await seenOf(log, 7, "the log");
  const second = await seenOf(other, kind === "same_size" ? 7 : 9, source);
  const conflict: Conflict = kind === "same_size" ? { kind, first, second } : {
    kind,
    ...{ first, second },
    consistency: {
      impliedRoot: other.root(7n),
      proof: other.consistencyProof({ older: 7n, newer: 9n }),
    },
  };
  return await makeRecord({ world: denoWorld(), conflict, signer: await newSigner() });
}

/** What a daemon that shows this page, and has no case, tells at its HTTP address. */
export function daemonPageOf(people: PageSource): ToldOverHttp {
  return {
    status: () => people.status(),
    gossip: () => undefined,
    cases: people.cases() ?? NO_CASES,
    tryWriting: () => Promise.resolve(undefined),
    people,
  };
}
