/**
 * An alert: what an operator is told about one case. Its JSON form is what webhooks and commands get
 * (OPERATING, "Alerts").
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { parseExactJson } from "../evidence/json.ts";
import { utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import { checkMembers, oneOf, type Shape, text, wholeNumber } from "../tlog/members.ts";
import type { AlertEvidence } from "./alert_evidence.ts";
import { checkEvidenceForm, verifyEvidence } from "./alert_evidence.ts";

/** Names the format of an alert. */
export const ALERT_VERSION = "hearsay/alert/v1";

/** The levels of alerts, from the least to the gravest. */
export const ALERT_LEVELS = ["INFO", "WARNING", "CRITICAL", "EMERGENCY"] as const;
/** The level of an alert. */
export type AlertLevel = typeof ALERT_LEVELS[number];

/** What an event asks for, beside its level. `none` makes no alert. */
export const ALERT_ACTIONS = ["none", "alert", "reject_and_alert", "freeze_acceptance"] as const;
/** One of `ALERT_ACTIONS`. */
export type AlertAction = typeof ALERT_ACTIONS[number];

/** What an alert says of its case: that it begins, has become graver, is over; or a sum of repeats. */
export const ALERT_STATES = ["begins", "continues", "ends", "summary"] as const;
/** One of `ALERT_STATES`. */
export type AlertState = typeof ALERT_STATES[number];

/** One alert. */
export interface Alert {
  readonly version: typeof ALERT_VERSION;
  /** 64 hex digits. It is the same however often this alert is sent, so that a receiver can drop repeats. */
  readonly id: string;
  /** The case: `equivocation EVIDENCE_ID`, `trouble LOG_ID KIND`, `witness VKEY` and so on. */
  readonly case: string;
  readonly level: AlertLevel;
  readonly action: AlertAction;
  readonly state: AlertState;
  /** What it is about: the origin of a log, the address of a peer, a part of this monitor. */
  readonly subject: string;
  /** The name of the monitor that tells it. */
  readonly monitor: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Since when the case lasts, RFC 3339, UTC. */
  readonly since: string;
  /** How often the case came up so far. After a crash it may be less than it was. */
  readonly count: number;
  /** One line. */
  readonly title: string;
  /** Plain text for a person, of several lines. */
  readonly text: string;
  /** What a machine can check. Every alert that begins at CRITICAL or above has it. */
  readonly evidence?: AlertEvidence;
}

/** An alert of a grave level lacks evidence that a machine can check. This is a bug of Hearsay's. */
export class EvidenceMissing extends Error {}

/** What makes an alert one: the rest follows. */
export type AlertFields = Omit<Alert, "version" | "id">;

/** Whether one level is at least as grave as another. */
export function isAtLeast(level: AlertLevel, least: AlertLevel): boolean {
  return ALERT_LEVELS.indexOf(level) >= ALERT_LEVELS.indexOf(least);
}

/**
 * Makes an alert.
 * @param transition the number of this alert among those of its case, from 1
 * @throws EvidenceMissing if the level is CRITICAL or above and its evidence does not hold
 */
export function makeAlert(fields: AlertFields, transition: number): Alert {
  const { level, monitor, evidence } = fields;
  if (isAtLeast(level, "CRITICAL")) {
    const fault = evidence === undefined ? "it has none" : verifyEvidence(evidence);
    if (fault !== undefined) {
      throw new EvidenceMissing(
        `an alert at level ${level} about ${printable(fields.case)} must carry evidence that a ` +
          `machine can check: ${fault}`,
      );
    }
  }
  // A proven case is one for ever. What comes and goes has a new id each time that it comes.
  const episode = fields.case.startsWith("equivocation ") ? [] : [fields.since];
  const parts = [monitor, fields.case, ...episode, transition];
  const id = encodeHex(sha256(utf8(parts.join("\n"))));
  return { version: ALERT_VERSION, id, ...fields };
}

/** An alert as one line of JSON. It has no byte that a terminal takes for a command. */
export function formatAlert(alert: Alert): string {
  return printableJson(JSON.stringify(alert));
}

/** The longest alert that is read, in characters. Its evidence has two notes at most. */
export const MAX_ALERT_CHARACTERS = 4 * 1024 * 1024;

const SHAPE: Shape = {
  must: {
    version: oneOf([ALERT_VERSION]),
    ...{ id: text, case: text, level: oneOf(ALERT_LEVELS), action: oneOf(ALERT_ACTIONS) },
    ...{ state: oneOf(ALERT_STATES), subject: text, monitor: text, at: text, since: text },
    ...{ count: wholeNumber({ least: 1 }), title: text, text },
  },
  may: { evidence: checkEvidenceForm },
  others: "kept",
};

/**
 * Reads an alert. Whether its evidence holds is for `verifyEvidence` to say.
 * @throws MalformedError if it is none
 */
export function parseAlert(json: string): Alert {
  const value = parseExactJson(json);
  checkMembers(value, { what: "the alert", shape: SHAPE });
  return value as unknown as Alert;
}
