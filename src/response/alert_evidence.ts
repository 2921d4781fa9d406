/**
 * What an alert carries so that its receiver need not believe it. Each kind is checked by a machine,
 * with nothing but the log's public key, which is in it.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { strictBase64 } from "../tlog/encoding.ts";
import { type Log, makeLog } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, oneOf, type Shape, text } from "../tlog/members.ts";
import { parseNote } from "../tlog/note.ts";
import { impliedOlderRoot, type TreeHead } from "../tlog/proof.ts";
import { parseVkey } from "../tlog/vkey.ts";

/** A log as evidence names it. */
export interface NamedLog {
  readonly origin: string;
  readonly vkey: string;
}

/** The evidence of an alert. */
export type AlertEvidence =
  /** The log signed two checkpoints that contradict each other. The record alone proves it. */
  | { readonly kind: "conflict"; readonly record: ConflictRecord }
  /**
   * The log signed these checkpoints, the new one first. That they could not be proven to be of one
   * history is this monitor's word; `detail` says what was missing. With `proof` it is the consistency
   * proof between the two that was served as the log's, and that does not hold. Anybody can make such a
   * proof, so it convicts nobody (RULES R4).
   */
  | SignedNotes & { readonly kind: "unproven"; readonly proof?: ServedProofText }
  /** This note was served as the log's, and the log's key has not signed it. Anybody can make such a note. */
  | SignedNotes & { readonly kind: "unverified" };

/** A consistency proof from the smaller of two checkpoints to the larger one, as it was served. */
export interface ServedProofText {
  /** The root at the smaller size that was served with it. Base64. */
  readonly olderRoot: string;
  /** RFC 9162 section 2.1.4. Base64, 32 bytes each. */
  readonly hashes: readonly string[];
}

/** Some notes, and what this monitor says about them. */
interface SignedNotes {
  readonly log: NamedLog;
  readonly notes: readonly string[];
  readonly detail: string;
}

const NOTES: Shape = {
  must: {
    kind: oneOf(["unproven", "unverified"]),
    log: object({ must: { origin: text, vkey: text }, others: "kept" }),
    notes: listOf(text),
    detail: text,
  },
  may: { proof: object({ must: { olderRoot: text, hashes: listOf(text) }, others: "kept" }) },
  others: "kept",
};
const CONFLICT: Shape = {
  must: { kind: oneOf(["conflict"]), record: object({ must: {}, others: "kept" }) },
  others: "kept",
};

/** Checks the form of evidence. @throws MalformedError */
export function checkEvidenceForm(value: unknown, name: string): void {
  const isNotes = (value as { kind?: unknown } | null)?.kind !== "conflict";
  checkMembers(value, { what: name, shape: isNotes ? NOTES : CONFLICT });
}

/**
 * Checks evidence as a stranger would.
 * @returns why it does not hold; nothing if it does
 */
export function verifyEvidence(evidence: AlertEvidence): string | undefined {
  if (evidence.kind === "conflict") {
    const { outcome, checks } = verifyConflict({ input: evidence.record as unknown as JsonObject });
    const failed = checks.find(({ ok }) => !ok)?.detail ?? "";
    return outcome === "holds" ? undefined : `the record ${outcome}: ${failed}`;
  }
  try {
    return faultOfNotes(evidence);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return error.message;
  }
}

function faultOfNotes(evidence: AlertEvidence & SignedNotes): string | undefined {
  const { kind, log, notes } = evidence;
  if (notes.length === 0) return "there is no note in it";
  const known = logOf(log);
  const heads: TreeHead[] = [];
  for (const note of notes) {
    // What is no signed checkpoint at all is an outage, and no evidence of anything.
    heads.push(parseCheckpointText(parseNote(note).text));
    const isSigned = !("refused" in openCheckpoint({ note, logs: [known] }));
    if (isSigned !== (kind === "unproven")) {
      return `the log's key has ${isSigned ? "" : "not "}signed a note of it`;
    }
  }
  const proof = kind === "unproven" ? evidence.proof : undefined;
  return proof && faultOfFailedProof(proof, heads);
}

/** Why it is not so that a proof fails between two signed heads; nothing if it fails. */
function faultOfFailedProof(
  { olderRoot, hashes }: ServedProofText,
  heads: readonly TreeHead[],
): string | undefined {
  const [older, newer] = heads.toSorted((a, b) => a.treeSize < b.treeSize ? -1 : 1);
  if (heads.length !== 2 || older!.treeSize === newer!.treeSize) {
    return "it has a proof, and not two notes of different sizes";
  }
  const proof = hashes.map(strictBase64);
  const served = { treeSize: older!.treeSize, rootHash: strictBase64(olderRoot) };
  for (const from of [older!, served]) {
    if (impliedOlderRoot({ older: from, newer: newer!, proof }) === undefined) continue;
    return "the proof in it leads to the root of the newer note";
  }
  return undefined;
}

/** The log that evidence names. @throws MalformedError if its key is not sound */
export function logOf({ origin, vkey }: NamedLog): Log {
  return makeLog({ vkey: parseVkey(vkey), origin });
}
