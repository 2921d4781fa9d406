/**
 * `hearsay verify ALERT.json`: what an alert carries so that its receiver need not believe it. Nothing
 * but the evidence counts; title and text are the word of whoever sent it.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { type Alert, ALERT_VERSION, parseAlert } from "../response/alert.ts";
import { type AlertEvidence, logOf, verifyEvidence } from "../response/alert_evidence.ts";
import { base64 } from "../tlog/encoding.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import { MalformedError, printable, printableJson } from "../tlog/malformed.ts";
import { parseNote } from "../tlog/note.ts";
import { EXIT, type ExitCode } from "./command.ts";
import type { Terminal } from "./terminal.ts";
import { hanging } from "./width.ts";

/** The evidence of an alert that is no conflict record: notes. */
type NotesEvidence = Exclude<AlertEvidence, { readonly kind: "conflict" }>;

/** What a file has that is an alert. */
export type InAlert =
  | { readonly record: JsonObject }
  | { readonly notes: NotesEvidence }
  /** why there is nothing to judge: the rest of a sentence after the file's name */
  | { readonly nothing: string };

/**
 * What an alert carries.
 * @returns nothing if the object is no alert
 * @throws MalformedError if it is one of a wrong form
 */
export function evidenceOfAlert(object: JsonObject): InAlert | undefined {
  if (object.version !== ALERT_VERSION) return undefined;
  const { evidence, level }: Alert = parseAlert(JSON.stringify(object));
  if (evidence === undefined) {
    return {
      nothing: `is an alert of level ${level} that carries no evidence: it is somebody's word`,
    };
  }
  return evidence.kind === "conflict"
    ? { record: evidence.record as unknown as JsonObject }
    : { notes: evidence };
}

/**
 * Judges the notes of an alert and tells it: 0 if they are signed, or not signed, as it says; else 1.
 * They never prove anything against a log.
 * @param log the log that they must be about, if the reader has said one
 */
export function judgeNotes(
  notes: NotesEvidence,
  { terminal, log, json }: { terminal: Terminal; log: Log | undefined; json: boolean },
): ExitCode {
  const fault = faultOf(notes, log);
  if (json) {
    const outcome = fault === undefined ? "proves nothing" : "fails";
    const { kind, log: { origin, vkey } } = notes;
    terminal.out(printableJson(JSON.stringify({
      ...{ where: "evidence of an alert", outcome, kind, log: { origin, vkey } },
      ...(fault !== undefined && { fault }),
    })));
    return fault === undefined ? EXIT.ok : EXIT.proven;
  }
  terminal.out(terminal.paint("bold", "evidence of an alert"));
  if (fault !== undefined) {
    terminal.out(`  ${terminal.paint("red", "✗")} ${printable(fault)}`);
    terminal.out(terminal.paint("red", "The evidence does not hold."));
    return EXIT.proven;
  }
  const signed = notes.kind === "unproven" ? "signed by" : "not signed by";
  for (const note of notes.notes) {
    const { treeSize, rootHash } = parseCheckpointText(parseNote(note).text);
    const line = `size ${treeSize}, root ${base64(rootHash)}, ${signed} the key of ${
      describeLog(logOf(notes.log))
    }`;
    terminal.out(`  ${terminal.paint("green", "✓")} ${printable(line)}`);
  }
  const words = notes.kind === "unproven"
    ? "That they could not be shown to be of one history is the word of the monitor that sent it."
    : "Anybody can make such a note. That the log showed it is the word of the monitor that sent it.";
  for (const line of hanging("  ! ", words, terminal)) terminal.out(line);
  if (log === undefined) {
    const hint = "The log's key came from the file itself. Give the key you trust with --log.";
    terminal.out(terminal.paint("yellow", `  ! ${hint}`));
  }
  terminal.out("The notes are what the alert says. They prove nothing against the log.");
  return EXIT.ok;
}

function faultOf(notes: NotesEvidence, log: Log | undefined): string | undefined {
  try {
    const about = logOf(notes.log);
    if (log !== undefined && about.id !== log.id) {
      return `it is about ${describeLog(about)}, expected ${describeLog(log)}`;
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return error.message;
  }
  return verifyEvidence(notes);
}
