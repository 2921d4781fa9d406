/**
 * The conflict record: two signed checkpoints that contradict each other, and the statement of the
 * monitor that found them. Plain JSON; sizes are strings, because JSON numbers lose them above 2^53.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import { formatKeyId, type Vkey } from "../tlog/vkey.ts";
import { type Conflict, evidenceId, type Seen } from "./conflict.ts";
import { type JsonObject, parseExactJson } from "./json.ts";

/**
 * Names the format and the rules of judgement: the Ed25519 rule of SPECS section 9, RFC 6962
 * hashing and proofs, RFC 8785 canonical JSON.
 */
export const RECORD_VERSION = "hearsay/conflict/v1";

/** First line of what a detector signs, so that its signature fits nothing else. */
const SIGNED_DOMAIN = "hearsay/conflict-record/v1\n";

/** Longest source kept; it comes from outside and proves nothing. */
export const MAX_SOURCE_CHARACTERS = 256;

/** One checkpoint in a record. Size and root are for people; they must agree with the note. */
export interface RecordedCheckpoint {
  /** Decimal. */
  readonly size: string;
  /** Base64 of 32 bytes. */
  readonly root: string;
  /** The whole signed note. */
  readonly note: string;
}

/** The JSON form of a conflict record. The detector's four members are null where none has signed. */
export interface ConflictRecord {
  readonly version: typeof RECORD_VERSION;
  readonly kind: "same_size" | "cross_size";
  readonly log: { readonly origin: string; readonly vkey: string };
  /** Observed first. */
  readonly checkpoint_a: RecordedCheckpoint;
  readonly checkpoint_b: RecordedCheckpoint;
  readonly source_a: string;
  readonly source_b: string;
  /** Only for `cross_size`: the proof from the implied older root to the newer signed one, base64. */
  readonly consistency?: { readonly implied_root: string; readonly proof: readonly string[] };
  /** 64 hex digits. */
  readonly evidence_id: string;
  /** Key name of the monitor that found it. */
  readonly detector_id: string | null;
  readonly detector_vkey: string | null;
  /** Its key id, 8 hex digits. */
  readonly key_id: string | null;
  /** RFC 3339, UTC. */
  readonly detected_at: string;
  /** Base64 of an Ed25519 signature over `signedBytes`. */
  readonly evidence_signature: string | null;
}

/** A signed size and root of a record, without its note. */
export type RecordedHead = Omit<RecordedCheckpoint, "note">;

/** What tells one case from another: a record without its evidence. */
export interface CaseName extends Pick<ConflictRecord, "kind" | "log"> {
  readonly checkpoint_a: RecordedHead;
  readonly checkpoint_b: RecordedHead;
}

/** What names the case of a conflict. */
export function caseOf({ kind, first, second }: Conflict): CaseName {
  const { log } = first.checkpoint;
  const head = ({ checkpoint: { treeSize, root } }: Seen): RecordedHead => ({
    size: `${treeSize}`,
    root,
  });
  return {
    kind,
    log: { origin: log.origin, vkey: log.vkey.text },
    checkpoint_a: head(first),
    checkpoint_b: head(second),
  };
}

/**
 * Builds the record of a conflict, without a signature.
 * @param detectedAt RFC 3339, UTC
 * @param detector the monitor that will sign it, or nothing
 */
export function buildRecord(
  { conflict, detectedAt, detector }: {
    conflict: Conflict;
    detectedAt: string;
    detector?: Vkey | undefined;
  },
): ConflictRecord {
  const { first, second } = conflict;
  const { log } = first.checkpoint;
  return {
    version: RECORD_VERSION,
    kind: conflict.kind,
    log: { origin: log.origin, vkey: log.vkey.text },
    checkpoint_a: recordedCheckpoint(first.checkpoint),
    checkpoint_b: recordedCheckpoint(second.checkpoint),
    source_a: cleanSource(first.source),
    source_b: cleanSource(second.source),
    ...(conflict.kind === "cross_size" && {
      consistency: {
        implied_root: base64(conflict.consistency.impliedRoot),
        proof: conflict.consistency.proof.map(base64),
      },
    }),
    evidence_id: evidenceId({ log, heads: [first.checkpoint, second.checkpoint] }),
    detector_id: detector?.name ?? null,
    detector_vkey: detector?.text ?? null,
    key_id: detector === undefined ? null : formatKeyId(detector.keyId),
    detected_at: detectedAt,
    evidence_signature: null,
  };
}

function recordedCheckpoint(checkpoint: VerifiedCheckpoint): RecordedCheckpoint {
  return {
    size: checkpoint.treeSize.toString(),
    root: checkpoint.root,
    note: checkpoint.note,
  };
}

/** A source fit for a record: valid Unicode, one line, bounded. */
export function cleanSource(source: string): string {
  return [...source.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "\u{FFFD}")]
    .slice(0, MAX_SOURCE_CHARACTERS).join("");
}

/** What the detector signs: a domain line, then the canonical JSON without the signature. */
export function signedBytes(record: ConflictRecord): Uint8Array<ArrayBuffer> {
  const { evidence_signature: _, ...rest } = record;
  return utf8(SIGNED_DOMAIN + canonicalize(rest));
}

/** The record with its detector's signature (64 bytes) on it. */
export function withSignature(record: ConflictRecord, signature: Uint8Array): ConflictRecord {
  return { ...record, evidence_signature: base64(signature) };
}

/** The record as one line of canonical JSON (RFC 8785), without a newline. */
export function formatRecord(record: ConflictRecord): string {
  return canonicalize(record);
}

/**
 * Reads a record's form: every member there, of the right type, and none besides. Whether it
 * proves anything is for `verifyConflict`.
 * @throws MalformedError naming the member that is wrong
 */
export function parseRecord(input: string | JsonObject): ConflictRecord {
  const members = typeof input === "string" ? parseExactJson(input) : input;
  if (members.version !== RECORD_VERSION) {
    throw new MalformedError(
      `version is ${show(members.version)}, this program judges "${RECORD_VERSION}"`,
    );
  }
  if (members.kind !== "same_size" && members.kind !== "cross_size") {
    throw new MalformedError(`kind is ${show(members.kind)}, expected "same_size" or "cross_size"`);
  }
  const crossSize = members.kind === "cross_size";
  expectMembers("record", members, [...RECORD_MEMBERS, ...(crossSize ? ["consistency"] : [])]);
  const unsigned = members.evidence_signature === null;
  const checkMember = (name: string): void => {
    const wanted = unsigned && SIGNED_MEMBERS.includes(name) ? "null" : "string";
    expectType(name, members[name], wanted);
  };
  ["evidence_id", "detected_at", "source_a", "source_b", ...SIGNED_MEMBERS].forEach(checkMember);
  expectTexts("log", members.log, ["origin", "vkey"]);
  expectTexts("checkpoint_a", members.checkpoint_a, ["size", "root", "note"]);
  expectTexts("checkpoint_b", members.checkpoint_b, ["size", "root", "note"]);
  if (crossSize) expectConsistency(members.consistency);
  for (const name of ["source_a", "source_b"]) {
    const source = members[name] as string;
    if (cleanSource(source) !== source) {
      throw new MalformedError(`${name} is ${quoted(source)}, expected one short line`);
    }
  }
  if (!RFC3339_UTC.test(members.detected_at as string)) {
    throw new MalformedError(
      `detected_at is ${show(members.detected_at)}, expected RFC 3339 in UTC, ending in Z`,
    );
  }
  return members as unknown as ConflictRecord;
}

const RFC3339_UTC =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?Z$/;
const SIGNED_MEMBERS = ["detector_id", "detector_vkey", "key_id", "evidence_signature"];
const RECORD_MEMBERS = [
  ...["version", "kind", "log", "checkpoint_a", "checkpoint_b", "source_a", "source_b"],
  ...["evidence_id", "detected_at", ...SIGNED_MEMBERS],
];

function expectMembers(what: string, value: JsonObject, names: readonly string[]): void {
  const missing = names.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) throw new MalformedError(`${what} has no member "${missing}"`);
  const extra = Object.keys(value).find((name) => !names.includes(name));
  if (extra !== undefined) {
    throw new MalformedError(`${what} has an unknown member ${quoted(extra)}`);
  }
}

function expectType(what: string, value: unknown, wanted: "string" | "null"): void {
  if (wanted === "null" ? value !== null : typeof value !== "string") {
    const reason = SIGNED_MEMBERS.includes(what) ? " like the detector's other members" : "";
    throw new MalformedError(`${what} is ${show(value)}, expected a ${wanted}${reason}`);
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    throw new MalformedError(`${what} is not valid Unicode`);
  }
}

function expectTexts(what: string, value: unknown, names: readonly string[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedError(`${what} is ${show(value)}, expected an object`);
  }
  expectMembers(what, value as JsonObject, names);
  for (const name of names) expectType(`${what}.${name}`, (value as JsonObject)[name], "string");
}

function expectConsistency(value: unknown): void {
  const { implied_root, proof } = (value ?? {}) as JsonObject;
  if (
    typeof implied_root !== "string" || !Array.isArray(proof) || proof.length > MAX_PROOF_HASHES ||
    !proof.every((hash) => typeof hash === "string")
  ) {
    throw new MalformedError(
      `consistency is ${show(value)}, expected an implied_root and a proof of at most ` +
        `${MAX_PROOF_HASHES} base64 texts`,
    );
  }
  expectMembers("consistency", value as JsonObject, ["implied_root", "proof"]);
}

function show(value: unknown): string {
  return value === undefined ? "missing" : quoted(JSON.stringify(value));
}
