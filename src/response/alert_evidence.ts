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
import { type Log, makeLog } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, oneOf, type Shape, text } from "../tlog/members.ts";
import { parseNote } from "../tlog/note.ts";
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
   * history is this monitor's word; `detail` says what was missing.
   */
  | SignedNotes & { readonly kind: "unproven" }
  /** This note was served as the log's, and the log's key has not signed it. Anybody can make such a note. */
  | SignedNotes & { readonly kind: "unverified" };

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

function faultOfNotes({ kind, log, notes }: AlertEvidence & SignedNotes): string | undefined {
  if (notes.length === 0) return "there is no note in it";
  const known = logOf(log);
  for (const note of notes) {
    // What is no signed checkpoint at all is an outage, and no evidence of anything.
    parseCheckpointText(parseNote(note).text);
    const isSigned = !("refused" in openCheckpoint({ note, logs: [known] }));
    if (isSigned !== (kind === "unproven")) {
      return `the log's key has ${isSigned ? "" : "not "}signed a note of it`;
    }
  }
  return undefined;
}

/** The log that evidence names. @throws MalformedError if its key is not sound */
export function logOf({ origin, vkey }: NamedLog): Log {
  return makeLog({ vkey: parseVkey(vkey), origin });
}
