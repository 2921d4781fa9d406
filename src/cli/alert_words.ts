/**
 * What a person is told of an alert, as a webhook or a command gets it.
 *
 * @module
 */
import type { Alert } from "../response/alert.ts";
import { type AlertEvidence, verifyEvidence } from "../response/alert_evidence.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { parseNote } from "../tlog/note.ts";

/** The lines about an alert: how grave it is, and what of its evidence was checked just now. */
export function wordsOfAlert(alert: Alert): string[] {
  const { level, action, state, subject, title, evidence } = alert;
  return [
    `an alert at level ${level}, ${action}, ${state}, about ${subject}:`,
    `  ${title}`,
    ...evidence === undefined ? ["  it has no evidence"] : wordsOfEvidence(evidence),
  ];
}

function wordsOfEvidence(evidence: AlertEvidence): string[] {
  const fault = verifyEvidence(evidence);
  if (fault !== undefined) return [`  its evidence DOES NOT HOLD: ${fault}`];
  if (evidence.kind === "conflict") {
    return [
      "  its evidence holds: the log's key has signed two checkpoints that contradict each other",
    ];
  }
  const sizes = evidence.notes.map((note) => parseCheckpointText(parseNote(note).text).treeSize);
  const which = `the note${sizes.length > 1 ? "s" : ""} of size ${sizes.join(" and ")}`;
  if (evidence.kind === "unverified") {
    return [`  its evidence was checked: the log's key has not signed ${which}`];
  }
  return [
    `  its evidence was checked: the log's key has signed ${which}`,
    evidence.proof === undefined
      ? "  it has no proof between them; that one is missing is the monitor's word"
      : `  the proof in it (${evidence.proof.hashes.length} hashes) does not lead from one to the ` +
        "other; that the log gave it is the monitor's word",
    "  it convicts nobody",
  ];
}
