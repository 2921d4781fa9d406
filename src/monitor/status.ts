import type { SwarmStatus } from "../swarm/member_status.ts";
import type { AlertStatus } from "./alerting.ts";
import type { FederationStatus } from "./federating.ts";
import type { MirrorStatus } from "./mirrored_journal.ts";
import type { WitnessStatus } from "./witnessing.ts";
import type { Keeping } from "../authority/cosigned_heads.ts";
import type { Result } from "../evidence/result.ts";

/**
 * The result of a look, as it is counted. It is `not written` if our own disk or database kept the look
 * from being made or written down; that says nothing about the log.
 */
export type LookResult = Result | "not written";

/** What is counted of one log while a daemon runs. */
export interface LogTally {
  /** The result of the last look. */
  readonly lastResult?: LookResult;
  /** When a look had this result for the first time in a row, RFC 3339. */
  readonly resultSince?: string;
  readonly lastDetail?: string;
  /** The size that the last look showed, if it is less than before and could not be proven. Decimal. */
  readonly shrankTo?: string;
  /** Whether the last look showed a history that is not the one signed under the key before. */
  readonly isRewritten?: boolean;
  readonly lastLookAt?: string;
  /** How often each result came up since the start. */
  readonly counts: Record<string, number>;
}

/** How one witness keeps up with a log; see `Keeping` in authority/cosigned_heads.ts. */
export interface WitnessOfLog {
  /** What the policy calls it. */
  readonly name: string;
  readonly vkey: string;
  /** Where it shows what it has cosigned, if the policy says where. */
  readonly url?: string;
  /** Why it could not be asked there the last time, if it could not. */
  readonly failing?: string;
  readonly keeping: Keeping;
  /** The largest size that it was seen to cosign, decimal. */
  readonly size?: string;
  /** Base64. */
  readonly root?: string;
  /** When it cosigned that, as it states itself, and no later than it was seen. RFC 3339. */
  readonly cosignedAt?: string;
  /** Since when others have cosigned more, RFC 3339. */
  readonly behindSince?: string;
  /** Cases about this witness in the journal. */
  readonly incidents?: number;
}

/** What is counted of the cosignatures on a log's checkpoints. */
export interface CosignedStatus {
  /** The largest checkpoint that a quorum has cosigned. */
  readonly committed?: { readonly size: string; readonly root: string };
  /** In the order of the policy. */
  readonly witnesses: readonly WitnessOfLog[];
}

/** Why nothing of a log is accepted. This is our doing; `frozen` as a result is the log's. */
export interface FrozenStatus {
  /** RFC 3339. */
  readonly since: string;
  /** The incidents to be resolved, such as `INC-2026-001`. */
  readonly incidents: readonly string[];
  readonly causes: readonly string[];
  /** Of the oldest, one line. */
  readonly why: string;
  /** Whether all of it is durable. */
  readonly isWritten: boolean;
}

/** How the store stands that this daemon shares with other sites. */
export interface StoreStatus {
  /** While it is away, this daemon looks at every log itself. */
  readonly state: "connected" | "away";
  /** Since when it is away, RFC 3339. */
  readonly since?: string;
  /** Why. */
  readonly detail?: string;
  /** How many entries of the observation journal it does not have yet. */
  readonly behind: number;
  /** At how many logs it is our turn to look. */
  readonly held: number;
  /** All that share it, this one among them. */
  readonly sites: readonly SiteStatus[];
}

/** One site that shares a store. */
export interface SiteStatus {
  readonly name: string;
  readonly vkey: string;
  /** By the store's clock, RFC 3339. */
  readonly seenAt: string;
  readonly isAlive: boolean;
  /** Whether it was stopped, and said so. */
  readonly isStopped?: boolean;
  /** How many turns it has. */
  readonly held: number;
}

/** Cases about which nothing is left to do. */
export interface ClosedCases {
  readonly cases: number;
  /** Who closed their incidents, at most MAX_CLOSED_BY of them. */
  readonly by: readonly string[];
}

/** Most names in a status of people who have closed incidents. */
export const MAX_CLOSED_BY = 5;

/** How many cases there are, and how many of them are closed. */
export function countCases(
  cases: readonly { readonly evidence_id: string }[],
  isClosed: (evidenceId: string) => boolean,
): { incidents: number; closed?: number } {
  const closed = cases.filter(({ evidence_id: id }) => isClosed(id)).length;
  return { incidents: cases.length, ...(closed > 0 && { closed }) };
}

/** How many cases of a status ask something of a person still. */
export function openCases({ incidents, closed }: Pick<Status, "incidents" | "closed">): number {
  return incidents - (closed?.cases ?? 0);
}

/** Whether a log is frozen because of something that is proven, and not for a suspicion alone. */
export function isProvenFreeze({ causes }: Pick<FrozenStatus, "causes">): boolean {
  return causes.includes("equivocation");
}

/** One log in a daemon's status. */
export interface LogStatus extends LogTally {
  readonly origin: string;
  readonly vkey: string;
  /** The vkey of the log that it replaces, if it does. Its cases and questions are counted here. */
  readonly replaces?: string;
  /**
   * The log of the same origin, in the notation of `"replaces"`, that was followed under another key
   * before. Nothing holds this one to it, and nobody has said that this is meant.
   */
  readonly formerKey?: string;
  /** The size that was seen under that key last, decimal. */
  readonly formerSize?: string;
  /** Decimal; nothing before the first checkpoint. Of a frozen log: what was accepted before. */
  readonly size?: string;
  /** Base64. */
  readonly root?: string;
  /** When the view last grew, RFC 3339. */
  readonly grewAt?: string;
  /** If nothing of it is accepted now: why. */
  readonly freeze?: FrozenStatus;
  /** Of a frozen log: the largest size that it has shown and proven, decimal. It is not accepted. */
  readonly seenSize?: string;
  /** Its root, base64. */
  readonly seenRoot?: string;
  /** The names of the other sites whose turn it is to look at it, if a store is shared. */
  readonly lookedAtBy?: readonly string[];
  /** When the next look is, RFC 3339; nothing while a look is under way. */
  readonly nextLookAt?: string;
  /** Incidents of this log in the journal. */
  readonly incidents: number;
  /** Those of them whose incidents people have closed, if there are any. */
  readonly closed?: number;
  /** How many peers follow this log too, as they last said; nothing before any peer has said. */
  readonly sharedBy?: number;
  /** How many checkpoints are not settled yet. */
  readonly openQuestions: number;
  /** How many of them the log itself showed, and a proof is missing. Those in a case do not count. */
  readonly waitingOwn?: number;
  /** How many of them others were shown, and are neither in a case nor withheld. */
  readonly waitingOthers?: number;
  /** How many of them peers vouch for, and the log has not shown us within its patience. */
  readonly withheld?: number;
  /** How many checkpoints were left out since the start, because there was no room. */
  readonly leftOut?: number;
  /** Who has cosigned its checkpoints; nothing if no policy says who should. */
  readonly cosigned?: CosignedStatus;
}

/**
 * The name of a log in a status: its origin, with the key's id where that alone would not tell it from
 * another one, such as the log that it replaces.
 */
export function nameOf(log: LogStatus, { logs }: Pick<Status, "logs">): string {
  if (log.replaces === undefined && !sharedOrigins(logs).has(log.origin)) return log.origin;
  const before = log.replaces === undefined ? "" : `, before ${keyIdIn(log.replaces)}`;
  return `${log.origin} (key ${keyIdIn(log.vkey)}${before})`;
}

/** By the logs of a status. There may be thousands, and each is asked for its name. */
const shared = new WeakMap<readonly LogStatus[], ReadonlySet<string>>();

/** The origins that several logs have. */
function sharedOrigins(logs: readonly LogStatus[]): ReadonlySet<string> {
  const known = shared.get(logs);
  if (known !== undefined) return known;
  const [seen, several] = [new Set<string>(), new Set<string>()];
  for (const { origin } of logs) (seen.has(origin) ? several : seen).add(origin);
  shared.set(logs, several);
  return several;
}

/** The key id in a vkey. A status may come from anybody, so it may be none. */
function keyIdIn(vkey: string): string {
  return vkey.split("+")[1] ?? vkey;
}

/** What is counted of one peer while a daemon runs. */
export interface PeerTally {
  readonly lastExchangeAt?: string;
  /** The verdict on what it last told, or why the last exchange failed. */
  readonly lastResult?: string;
  /** How many of our logs it follows too, as it last said. */
  readonly sharedLogs?: number;
  /** The software that it says it is, such as `hearsay/0.1.0`. */
  readonly software?: string;
  /** Whether it is this monitor itself; then nothing is compared with it. */
  readonly isSelf?: boolean;
  /** Whether it answered the last call, and our own disk refused to write what came of it. */
  readonly isUnwritten?: boolean;
  /** Why the last exchange failed, if it did: what is said of the peer, such as `cannot be reached`. */
  readonly failing?: string;
  /** When the first of the exchanges that failed in a row began, RFC 3339. */
  readonly failingSince?: string;
  readonly exchanges: number;
  readonly failures: number;
  readonly matches: number;
  /** How often it told what contradicts what this monitor was shown. */
  readonly conflicts: number;
}

/** That another site that shares the store hears a peer. */
export interface HeardElsewhere {
  /** The name of that site. */
  readonly site: string;
  /** When it did, RFC 3339. */
  readonly at: string;
}

/** One peer in a daemon's status. */
export interface PeerStatus extends PeerTally {
  readonly address: string;
  readonly vkey?: string;
  /** When it is called next, at the latest, RFC 3339. */
  readonly nextCallAt?: string;
  /** If it cannot be reached from here, and another site has heard it since. */
  readonly heardBy?: HeardElsewhere;
}

/** The status of a running daemon, as `GET /status` gives it. */
export interface Status {
  /** Of the program. */
  readonly version?: string;
  readonly name: string;
  readonly vkey: string;
  /** Where it answers exchanges, if anywhere. */
  readonly listen?: string;
  readonly startedAt: string;
  readonly now: string;
  /** Incidents in the journal about the logs followed, and about monitors. */
  readonly incidents: number;
  /** Those of them whose incidents people have closed. Nothing if there are none. */
  readonly closed?: ClosedCases;
  /** Those about monitors that signed two statements under one number, if there are any. */
  readonly memberCases?: number;
  /** Whether a proven conflict could not be written yet, because the disk refuses. */
  readonly unwritten: boolean;
  /** Faults in Hearsay itself since the start. Each was told as `daemon.fault`, with its stack. */
  readonly faults?: number;
  /** Events since the start that could not be printed. What they were about is in the journals. */
  readonly eventsLost?: number;
  /** What was in the monitor's folders and is no more, one sentence each, until a person has seen it. */
  readonly lost?: readonly string[];
  /** The store that it shares with other sites; nothing if it shares none. */
  readonly store?: StoreStatus;
  /** Whether it only answers calls, and nobody has called to compare since the start. */
  readonly isUncompared?: boolean;
  /** Why the configuration was refused at the last reload, if it was. */
  readonly reloadRefused?: string;
  readonly logs: readonly LogStatus[];
  readonly peers: readonly PeerStatus[];
  /** The members among the peers, and the sessions with them. Nothing if there are none. */
  readonly members?: SwarmStatus;
  /** The witness. Nothing if this monitor is none. */
  readonly witness?: WitnessStatus;
  /** The channels of alerts. Nothing if none are configured. */
  readonly alerts?: AlertStatus;
  /** The own journal as a log. Nothing if it is not published. */
  readonly federation?: FederationStatus;
  /** The journals of other monitors that it mirrors. Nothing if its own is not published. */
  readonly mirrors?: readonly MirrorStatus[];
}
