/**
 * The statement that an incident went one step further: who did it, when and why. It stands in the
 * incident journal beside the conflict records (PROTOCOL section 13), so whoever mirrors the journal
 * has it too. The monitor's key signs it: who can write the folder and has no key can cut the
 * journal, but cannot make up that somebody let a log go on.
 *
 * The form is checked here, and the signature. Which step may follow which is for the runbook
 * (src/response/runbook.ts).
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import { base64, parseTreeSize, strictBase64, utf8 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import {
  type Check,
  checkMembers,
  listOf,
  object,
  oneOf,
  type Shape,
  text,
  unexpected,
  within,
} from "../tlog/members.ts";
import { loadVerifier } from "../tlog/note.ts";
import { encodedKey, parseVkey, SIGNATURE_TYPE } from "../tlog/vkey.ts";
import type { JsonObject } from "./json.ts";

/** Names the format. */
export const TRANSITION_VERSION = "hearsay/transition/v1";

/** First line of what is signed, so that the signature fits nothing else. */
const SIGNED_DOMAIN = `${TRANSITION_VERSION}\n`;

/** The states of an incident, in their order. No step is skipped, and none leads back. */
export const STATES = ["DETECT", "FREEZE", "INVESTIGATE", "RESOLVE", "CLOSED"] as const;
/** One of STATES. */
export type State = typeof STATES[number];

/** Why an incident was opened. Only `equivocation` is a proven case. */
export const CAUSES = ["equivocation", "signature failure", "consistency failure"] as const;
/** One of CAUSES. */
export type Cause = typeof CAUSES[number];

/** Who is named where the monitor itself did it. No person may have this name. */
export const BY_ITSELF = "hearsay";
/** Longest name of a person, in characters. */
export const MAX_NAME_CHARACTERS = 100;
/** Longest reason, in characters. */
export const MAX_WHY_CHARACTERS = 1_000;
/** Most cases that one entry adds. The others are added by a further one. */
export const MAX_EVIDENCE_IDS = 1_000;

/** What is stated, without the signature. */
export interface Transition {
  readonly version: typeof TRANSITION_VERSION;
  /** `INC-2026-001`: the year it was opened, and a number. Each monitor counts for itself. */
  readonly incident: string;
  readonly log: { readonly origin: string; readonly vkey: string };
  readonly cause: Cause;
  /** The cases that this step adds: 64 hex digits each. */
  readonly evidence_ids: readonly string[];
  /** Nothing where the incident begins. */
  readonly from: State | null;
  readonly to: State;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** A person's name, or BY_ITSELF. */
  readonly by: string;
  /** One line. */
  readonly why: string;
  /** In the step to FREEZE: the last checkpoint that was accepted of the log, if there was any. */
  readonly accepted?: { readonly size: string; readonly root: string };
  /** In the step to INVESTIGATE: SHA-256 of the manifest of what was gathered, 64 hex digits. */
  readonly bundle?: string;
  /** The vkey of the monitor that signs. */
  readonly monitor: string;
}

/** Whether a name is the monitor's own, however it is spelled. */
export function isItself(name: string): boolean {
  return name.toLowerCase() === BY_ITSELF;
}

/** A name of an incident. */
export const INCIDENT_ID = /^INC-(\d{4})-(\d{3}|[1-9]\d{3,8})$/;

const matching = (pattern: RegExp, wanted: string): Check => (value, name) => {
  text(value, name);
  if (!pattern.test(value)) throw unexpected(value, { name, wanted });
};

const hexHash = matching(/^[0-9a-f]{64}$/, "64 hex digits");

/** The check of one line without control characters, of 1 to so many characters. */
const line = (most: number): Check => (value, name) => {
  text(value, name);
  const isLine = value.trim() === value && value !== "" && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value);
  if (isLine && [...value].length <= most) return;
  throw unexpected(value, { name, wanted: `one line of 1 to ${most} characters` });
};

/** Checks the name of who did something. @throws MalformedError */
export const checkName: Check = line(MAX_NAME_CHARACTERS);
/** Checks a reason. @throws MalformedError */
export const checkWhy: Check = line(MAX_WHY_CHARACTERS);

const time = matching(
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z$/,
  "RFC 3339 in UTC, ending in Z",
);

const size: Check = (value, name) => {
  text(value, name);
  within(name, () => parseTreeSize(value));
};

const root: Check = (value, name) => {
  text(value, name);
  const bytes = within(name, () => strictBase64(value));
  if (bytes.length !== HASH_BYTES) throw unexpected(value, { name, wanted: "base64 of 32 bytes" });
};

const SHAPE: Shape = {
  must: {
    version: oneOf([TRANSITION_VERSION]),
    incident: matching(INCIDENT_ID, "an incident such as INC-2026-001"),
    log: object({ must: { origin: text, vkey: text }, others: "refused" }),
    cause: oneOf(CAUSES),
    evidence_ids: listOf(hexHash),
    from: (value, name) => value === null || oneOf(STATES)(value, name),
    to: oneOf(STATES),
    at: time,
    by: checkName,
    why: checkWhy,
    monitor: text,
    signature: text,
  },
  may: {
    accepted: object({ must: { size, root }, others: "refused" }),
    bundle: hexHash,
  },
  others: "refused",
};

/** Whether the record of an entry is a transition. */
export function isTransition(record: JsonObject): boolean {
  return record.version === TRANSITION_VERSION;
}

/** What the monitor signs: a domain line, then the canonical JSON without the signature. */
export function transitionBytes(transition: Transition): Uint8Array<ArrayBuffer> {
  return utf8(SIGNED_DOMAIN + canonicalize(transition as unknown as JsonObject));
}

/** The record of a transition, with the monitor's signature (64 bytes) on it. */
export function signedTransition(transition: Transition, signature: Uint8Array): JsonObject {
  return { ...transition, signature: base64(signature) } as unknown as JsonObject;
}

/**
 * Reads a transition and checks that the monitor it names has signed it.
 * @throws MalformedError saying what is wrong
 */
export function parseTransition(record: JsonObject): Transition {
  checkMembers(record, { what: "transition of an incident", shape: SHAPE });
  const { signature, ...stated } = record as unknown as Transition & { signature: string };
  const { evidence_ids: ids, monitor } = stated;
  if (ids.length > MAX_EVIDENCE_IDS || new Set(ids).size !== ids.length) {
    throw new MalformedError(
      `evidence_ids has ${ids.length} cases, expected at most ${MAX_EVIDENCE_IDS}, each once`,
    );
  }
  within("log.vkey", () => parseVkey(stated.log.vkey));
  const vkey = within("monitor", () => parseVkey(monitor));
  if (vkey.type !== SIGNATURE_TYPE.ed25519) {
    throw new MalformedError(`a transition by ${quoted(monitor)}, expected an Ed25519 key`);
  }
  const message = transitionBytes(stated);
  if (!loadVerifier(vkey).verifies({ message, signature: strictBase64(signature) })) {
    throw new MalformedError(`the transition's signature does not verify under ${monitor}`);
  }
  return stated;
}

/** The id of the log that a transition is about: as `Log.id`. */
export function logIdOfTransition({ log: { origin, vkey } }: Pick<Transition, "log">): string {
  return `${encodedKey(parseVkey(vkey))} ${origin}`;
}
