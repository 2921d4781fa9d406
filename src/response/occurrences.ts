/**
 * What an event means for a case: that it comes up, comes up again, or is over. Events are those that
 * `run --json` prints, and nothing else makes an alert.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import type { AlertEvidence, NamedLog } from "./alert_evidence.ts";
import { stepKey, tellStep } from "./freeze_words.ts";
import type { EventFacts } from "./policy.ts";

/** What an event is about, beside what its line says. */
export interface EventAbout {
  readonly log?: NamedLog & { readonly id: string };
  /** The place of the log, if it is about one of several. */
  readonly place?: string;
  /** Whether it is about a checkpoint that others told, and not about a look at the log. */
  readonly isQuestion?: boolean;
  /** The configured address of a peer. Strangers have none. */
  readonly peer?: string;
  /** The vkey of a witness, if it is about how that one keeps up. */
  readonly witness?: string;
  /** The record of a case. */
  readonly record?: ConflictRecord;
  /** Whether the case is about the statements of a monitor. */
  readonly isOfMonitor?: boolean;
  /** Whether the case is about what a witness cosigned. */
  readonly isOfWitness?: boolean;
  readonly evidence?: AlertEvidence;
}

/** One event. */
export interface AlertEvent {
  readonly name: string;
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly about?: EventAbout | undefined;
}

/** Whether a case lasts until an event says that it is over, or happens at one moment. */
export type CaseNature = "lasting" | "once";

/** A case came up. */
export interface ComesUp {
  readonly phase: "up";
  readonly key: string;
  readonly nature: CaseNature;
  readonly facts: EventFacts;
  /** What the event says of it, for a person. It may come from outside. */
  readonly detail: string;
  readonly evidence?: AlertEvidence;
  /** The id of the log, if it is about one. */
  readonly logId?: string;
}

/** What an event means. */
export type Occurrence =
  | ComesUp
  /** This case is over. */
  | { readonly phase: "over"; readonly key: string }
  /** All is well with this subject. What was open before this start is over by it. */
  | {
    readonly phase: "well";
    readonly keysBeginWith: string;
    /** For a policy that has ordinary results told. */
    readonly up?: ComesUp;
  }
  /** A proven case was told again. */
  | { readonly phase: "repeated"; readonly evidenceId: string }
  /** A checkpoint that contradicts was told again: some case of this log has this size. */
  | { readonly phase: "contradicted"; readonly origin: string; readonly size: string };

const TROUBLES: readonly string[] = [
  ...["unavailable", "unverified", "unproven", "rolled back", "frozen", "withheld"],
];
const WELL: readonly string[] = ["first", "extends", "unchanged", "consistent"];
const PEER_TROUBLES: readonly string[] = ["failed", "refused", "nothing shared", "self"];
const PEER_WELL: readonly string[] = ["matches", "pending", "nothing", "handed over"];
const MIRROR_TROUBLES: readonly string[] = ["failed", "refused", "rolled back", "equivocated"];
const PROVEN: readonly string[] = ["recorded", "unrecorded", "not written"];

/** The trouble of the monitor itself that each of these events begins or ends. */
const OWN_BEGINS: Readonly<Record<string, string>> = {
  "disk.refused": "monitor disk",
  "config.refused": "monitor configuration",
  "witness.list_unavailable": "monitor witness list",
  "store.away": "monitor store",
};
const OWN_ENDS: Readonly<Record<string, string>> = {
  "disk.recovered": "monitor disk",
  "config.reloaded": "monitor configuration",
  "witness.list": "monitor witness list",
  "store.connected": "monitor store",
};
/** What a start that succeeds is the end of. */
export const OVER_BY_START: readonly string[] = ["monitor disk", "monitor configuration"];

/** The key of a proven case. */
export function equivocationKey(evidenceId: string): string {
  return `equivocation ${evidenceId}`;
}

/** The key of a channel that fails. */
export function channelKey(name: string): string {
  return `channel ${name}`;
}

/** What the keys of a mirrored journal's troubles begin with: the name of its monitor. */
export function mirrorKey(name: string): string {
  return `mirror ${name}`;
}

/** The key of a witness that does not keep up. */
export function witnessKey(vkey: string): string {
  return `witness ${vkey}`;
}

/** What an event means; nothing if no case follows from it. */
export function occurrenceOf(event: AlertEvent): Occurrence | undefined {
  const [room, ...rest] = event.name.split(".");
  const kind = rest.join(".");
  switch (room) {
    case "incident":
      return ofIncident(event, kind);
    case "log":
      return ofLog(event, kind);
    case "exchange":
      return ofExchange(event, kind);
    case "member":
      return up(event, { key: `member ${textIn(event, "member")} ${kind}`, nature: "once" });
    case "alert":
      return ofChannel(event, kind);
    case "mirror":
      return ofMirror(event, kind);
  }
  if (event.about?.witness !== undefined) {
    return ofWitness(event, { kind, vkey: event.about.witness });
  }
  const over = OWN_ENDS[event.name];
  if (over !== undefined) return { phase: "over", key: over };
  const begun = OWN_BEGINS[event.name];
  if (begun !== undefined) return up(event, { key: begun, nature: "lasting" });
  // The key has no words of the event, so nobody can make up many cases.
  return up(event, { key: `event ${event.name}`, nature: "once" });
}

function ofIncident(event: AlertEvent, kind: string): Occurrence | undefined {
  const evidenceId = textIn(event, "evidence_id");
  if (kind === "known") return { phase: "repeated", evidenceId };
  if (kind === "step") return ofStep(event);
  const { record, isOfMonitor, isOfWitness } = event.about ?? {};
  const key = PROVEN.includes(kind) ? equivocationKey(evidenceId) : `record ${evidenceId} ${kind}`;
  return up(event, {
    ...{ key, nature: "once", subject: textIn(event, "origin") },
    ...(isOfMonitor && { about: "monitor" }),
    ...(isOfWitness && { about: "witness" }),
    ...(record && { evidence: { kind: "conflict", record } }),
    ...(event.about?.log && { logId: event.about.log.id }),
  });
}

/** A step of an incident: each one is told once. */
function ofStep(event: AlertEvent): Occurrence | undefined {
  const detail = tellStep(event.fields);
  if (detail === undefined) return undefined;
  const key = stepKey({ incident: textIn(event, "incident"), to: textIn(event, "to") });
  return { ...up(event, { key, nature: "once", subject: textIn(event, "origin") }), detail };
}

function ofLog(event: AlertEvent, kind: string): Occurrence | undefined {
  const { log, place = "", isQuestion = false, evidence } = event.about ?? {};
  if (kind === "inconsistent") return contradicted(event);
  if (log === undefined) return undefined;
  const trouble = (name: string): string =>
    `trouble ${log.id} ${name}${place === "" ? "" : ` at ${place}`}`;
  if (kind === "recovered") return { phase: "over", key: trouble(textIn(event, "after")) };
  if (WELL.includes(kind)) {
    if (isQuestion || place !== "") return undefined;
    return {
      phase: "well",
      keysBeginWith: `trouble ${log.id} `,
      up: up(event, {
        ...{ key: `log ${log.id} ${kind}`, nature: "once", subject: log.origin, logId: log.id },
      }),
    };
  }
  const isLasting = TROUBLES.includes(kind) && !isQuestion;
  return up(event, {
    key: isLasting ? trouble(kind) : `log ${log.id} ${kind}`,
    nature: isLasting ? "lasting" : "once",
    ...{ subject: log.origin, logId: log.id },
    ...(evidence && { evidence }),
  });
}

function ofExchange(event: AlertEvent, kind: string): Occurrence | undefined {
  const { peer } = event.about ?? {};
  if (kind === "inconsistent") return contradicted(event);
  if (PEER_WELL.includes(kind)) {
    return { phase: "well", keysBeginWith: `peer ${textIn(event, "source")} ` };
  }
  // What strangers cause makes no case of its own: they could make any number.
  if (peer === undefined) return undefined;
  if (kind === "recovered") return { phase: "over", key: `peer ${peer} ${textIn(event, "after")}` };
  const nature = PEER_TROUBLES.includes(kind) ? "lasting" : "once";
  return up(event, { key: `peer ${peer} ${kind}`, nature, subject: peer });
}

function ofChannel(event: AlertEvent, kind: string): Occurrence | undefined {
  const channel = textIn(event, "channel");
  if (kind === "recovered") return { phase: "over", key: channelKey(channel) };
  if (kind === "failed") {
    return up(event, { key: channelKey(channel), nature: "lasting", subject: channel });
  }
  return up(event, { key: `${channelKey(channel)} ${kind}`, nature: "once", subject: channel });
}

/** The journal of another monitor that is mirrored here. */
function ofMirror(event: AlertEvent, kind: string): Occurrence {
  const subject = textIn(event, "monitor");
  const mirror = mirrorKey(subject);
  if (kind === "recovered") return { phase: "over", key: `${mirror} ${textIn(event, "after")}` };
  if (kind === "synced") return { phase: "well", keysBeginWith: `${mirror} ` };
  const nature = MIRROR_TROUBLES.includes(kind) ? "lasting" : "once";
  return up(event, { key: `${mirror} ${kind}`, nature, subject });
}

/**
 * A witness that is behind or away is one case, of however many logs: it is one program that stands
 * still. While it is behind with any of them, that comes up every half minute.
 */
function ofWitness(
  event: AlertEvent,
  { kind, vkey }: { kind: string; vkey: string },
): Occurrence {
  const key = witnessKey(vkey);
  if (kind === "recovered") return { phase: "over", key };
  if (kind === "cosigning") return { phase: "well", keysBeginWith: key };
  const whole = up(event, { key, nature: "lasting", subject: textIn(event, "witness") });
  return { ...whole, detail: `log ${textIn(event, "origin")}: ${whole.detail}` };
}

function contradicted(event: AlertEvent): Occurrence {
  return {
    phase: "contradicted",
    origin: textIn(event, "origin"),
    size: textIn(event, "size"),
  };
}

function up(
  event: AlertEvent,
  { key, nature, subject = "", about = "log", evidence, logId }: {
    key: string;
    nature: CaseNature;
    subject?: string;
    about?: EventFacts["about"];
    evidence?: AlertEvidence;
    logId?: string;
  },
): ComesUp {
  const { name, level } = event;
  const detail = textIn(event, "detail") || textIn(event, "reason");
  return {
    ...{ phase: "up", key, nature, detail },
    facts: { event: name, told: level, subject: subject || textIn(event, "member"), about },
    ...(evidence && { evidence }),
    ...(logId !== undefined && { logId }),
  };
}

function textIn({ fields }: AlertEvent, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}
