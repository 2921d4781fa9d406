/**
 * The conflict record: two signed checkpoints that contradict each other, and the statement of the
 * monitor that found them. It is plain JSON. Sizes are strings, because JSON numbers are not exact
 * above 2^53.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import {
  anyText,
  checkMembers,
  listOf,
  object,
  type Shape,
  text,
  unexpected,
} from "../tlog/members.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import { formatKeyId, type Vkey } from "../tlog/vkey.ts";
import { type Conflict, evidenceId, type Seen } from "./conflict.ts";
import { type JsonObject, parseExactJson } from "./json.ts";

/**
 * Names the format (PROTOCOL section 11) and the rules by which it is judged: RULES S2 for Ed25519,
 * RFC 6962 hashing and proofs, RFC 8785 canonical JSON.
 */
export const RECORD_VERSION = "hearsay/conflict/v1";
/**
 * The same format and rules with one kind more, `same_size_cosigned`. A program that does not know it
 * takes the record for one of a later version: it leaves it alone, and charges nobody.
 */
export const COSIGNED_RECORD_VERSION = "hearsay/conflict/v2";

/** Whether this program judges records of a version. */
export function isKnownVersion(version: unknown): boolean {
  return version === RECORD_VERSION || version === COSIGNED_RECORD_VERSION;
}

/** The version of the records of each kind. */
const VERSION_OF = {
  same_size: RECORD_VERSION,
  cross_size: RECORD_VERSION,
  same_size_cosigned: COSIGNED_RECORD_VERSION,
} as const;

/** What a record proves; see `Conflict`. */
export type RecordKind = keyof typeof VERSION_OF;

/** First line of what a detector signs, so that its signature fits nothing else. */
const SIGNED_DOMAIN = "hearsay/conflict-record/v1\n";

/** Longest source kept. It comes from outside and proves nothing. */
export const MAX_SOURCE_CHARACTERS = 256;

/** One checkpoint in a record. Size and root are there for people, and must agree with the note. */
export interface RecordedCheckpoint {
  /** Decimal. */
  readonly size: string;
  /** Base64 of 32 bytes. */
  readonly root: string;
  /** The whole signed note. */
  readonly note: string;
}

/**
 * The JSON form of a conflict record. The detector's four members are null if no detector has
 * signed.
 */
export interface ConflictRecord {
  readonly version: typeof VERSION_OF[RecordKind];
  readonly kind: RecordKind;
  /** In `same_size_cosigned` the vkey is not the log's, but that of the cosigner. */
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

/** What distinguishes one case from another: a record without its evidence. */
export interface CaseName extends Pick<ConflictRecord, "kind" | "log"> {
  readonly checkpoint_a: RecordedHead;
  readonly checkpoint_b: RecordedHead;
}

/** The name of a conflict's case. */
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
    version: VERSION_OF[conflict.kind],
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

/** Makes a source fit for a record: valid Unicode, one line, bounded. */
export function cleanSource(source: string): string {
  const line = source.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
  // A text has no more characters than units.
  if (line.length <= MAX_SOURCE_CHARACTERS) return line;
  return [...line].slice(0, MAX_SOURCE_CHARACTERS).join("");
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
 * Reads a record and checks its form: every member is there and of the right type, and there are no
 * others. It does not check whether the record proves anything; `verifyConflict` does.
 * @throws MalformedError naming the member that is wrong
 */
export function parseRecord(input: string | JsonObject): ConflictRecord {
  const members = typeof input === "string" ? parseExactJson(input) : input;
  if (!isKnownVersion(members.version)) {
    const wanted =
      `"${RECORD_VERSION}" or "${COSIGNED_RECORD_VERSION}": this program judges no other`;
    throw unexpected(members.version, { name: "version", wanted });
  }
  const kinds = Object.entries(VERSION_OF)
    .flatMap(([kind, version]) => version === members.version ? [kind] : []);
  if (!kinds.some((kind) => kind === members.kind)) {
    const wanted = kinds.map((kind) => `"${kind}"`).join(" or ");
    throw unexpected(members.kind, { name: "kind", wanted });
  }
  const shape = members.kind === "cross_size" ? CROSS_SIZE : SAME_SIZE;
  checkMembers(members, {
    what: "record",
    shape: { ...shape, must: { ...shape.must, ...detectorOf(members) } },
  });
  return members as unknown as ConflictRecord;
}

/** One line, as `cleanSource` leaves it. */
export function oneLine(value: unknown, name: string): asserts value is string {
  text(value, name);
  if (cleanSource(value) !== value) throw unexpected(value, { name, wanted: "one short line" });
}

const RFC3339_UTC =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?Z$/;

function time(value: unknown, name: string): void {
  if (typeof value === "string" && RFC3339_UTC.test(value)) return;
  throw unexpected(value, { name, wanted: "RFC 3339 in UTC, ending in Z" });
}

function proof(value: unknown, name: string): void {
  listOf(anyText)(value, name);
  const { length } = value as unknown[];
  if (length > MAX_PROOF_HASHES) {
    throw new MalformedError(`${name} has ${length} hashes, expected at most ${MAX_PROOF_HASHES}`);
  }
}

const checkpoint = object({ must: { size: text, root: text, note: text }, others: "refused" });

/** All members except those that the detector states. */
const SAME_SIZE: Shape = {
  must: {
    version: text,
    kind: text,
    log: object({ must: { origin: text, vkey: text }, others: "refused" }),
    checkpoint_a: checkpoint,
    checkpoint_b: checkpoint,
    source_a: oneLine,
    source_b: oneLine,
    evidence_id: text,
    detected_at: time,
  },
  others: "refused",
};
const CROSS_SIZE: Shape = {
  must: {
    ...SAME_SIZE.must,
    consistency: object({ must: { implied_root: anyText, proof }, others: "refused" }),
  },
  others: "refused",
};

/** The four members that the detector states: all texts, or all null if there is no signature. */
function detectorOf({ evidence_signature }: JsonObject): Shape["must"] {
  const check = evidence_signature === null ? nothing : text;
  return {
    ...{ detector_id: check, detector_vkey: check, key_id: check },
    evidence_signature: check,
  };
}

function nothing(value: unknown, name: string): void {
  if (value === null) return;
  throw unexpected(value, { name, wanted: "null, as evidence_signature is" });
}
