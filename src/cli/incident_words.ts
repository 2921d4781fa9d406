/**
 * One incident, in words, for the operator of this monitor.
 *
 * @module
 */
import type { Entry } from "../evidence/entry.ts";
import { type Case, tellDetector, tellProof, tellSignatures } from "./case_words.ts";
import type { Prose } from "./prose.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { keyOption, type Subject, subjectOf } from "./cosigner_words.ts";

/** What happened, for each subject of a case. */
const WHAT: Readonly<Record<Subject, string>> = {
  log: "the key of a log has signed two checkpoints that contradict each other",
  monitor: "the key of a monitor has signed two different statements under one number",
  witness: "the key of a witness has cosigned two checkpoints that contradict each other",
};

/** Whom to send the evidence to, for each subject of a case. */
const WHOM_TO_TELL: Readonly<Record<Subject, readonly [operator: string, others: string]>> = {
  log: [
    "Send the file to the operator of the log, as an attachment. Ask how the key came to sign both.",
    "Send it to those who rely on the log, and to others who monitor it. They can check it " +
    "themselves, and may have been shown yet another history.",
  ],
  monitor: [
    "Send the file to the operator of the monitor that signed both, as an attachment. Ask whether " +
    "its folder, its key or its machine was copied or restored.",
    "Send it to others who have that monitor as a peer. They can check it themselves, and may have " +
    "been told yet something else.",
  ],
  witness: [
    "Send the file to the operator of the witness, as an attachment. Ask how the key came to cosign " +
    "both. Ask the operator of the log whether the log's key has signed both.",
    "Send it to those whose policies list the witness. They can check it themselves, and decide " +
    "whether its cosignatures still count for them.",
  ],
};

/** An incident of this journal. */
export interface Incident extends Case {
  readonly entry: Entry;
}

/**
 * Tells an incident: whether its record holds now, who signed what, what that proves, what to do.
 * @param folder the journal's
 * @param own the options with which this journal is named, as they would be typed
 */
export function tellIncident(
  prose: Prose,
  incident: Incident,
  { folder, own }: { folder: string; own: string },
): void {
  const { entry, record, judgement } = incident;
  const holds = judgement.outcome === "holds";
  const subject = subjectOf(record);
  const what = WHAT[subject];
  prose.heading(`Case ${entry.seq}: ${holds ? what : "a record that does not hold"}`);
  if (holds) {
    const found = subject === "monitor" ? " that found it" : "";
    prose.say(
      `✓ The record holds. It was verified just now: both signatures of the ${subject}, the ` +
        `contradiction, the evidence_id, and the signature of the monitor${found}.`,
      "green",
    );
  } else tellFailure(prose, incident);
  prose.gap();
  prose.fact("recorded at", entry.recorded_at);
  prose.fact("recorded in", `${folder}, entry ${entry.seq}`);
  tellSignatures(prose, incident);
  if (holds) tellProof(prose, record);
  tellDetector(prose, incident);
  if (holds) tellWhatToDo(prose, { seq: entry.seq, own, subject, record });
}

function tellFailure(prose: Prose, { judgement }: Incident): void {
  const disputed = judgement.outcome === "disputed";
  prose.say(
    disputed
      ? "✗ THE RECORD IS DISPUTED: two implementations differ about a signature. It convinces nobody."
      : "✗ THE RECORD DOES NOT HOLD. It proves nothing about the log. What stands below is only what " +
        "it states. Do not send it to anyone as evidence.",
    "red",
  );
  for (const { name, ok, detail } of judgement.checks) {
    if (!ok) prose.item("✗", `${name}: ${detail}`);
  }
  prose.say(
    disputed
      ? "Keep the journal as it is, and please report this as a fault of Hearsay."
      : "This monitor writes no such record. So the journal was changed, or another version wrote it. " +
        "Keep the journal as it is, and compare it with your backup.",
  );
}

function tellWhatToDo(
  prose: Prose,
  { seq, own, subject, record }: {
    seq: number;
    own: string;
    subject: Subject;
    record: ConflictRecord;
  },
): void {
  const file = `incident-${seq}.txt`;
  prose.heading("What to do");
  prose.say(
    "Waiting loses nothing: the evidence is on this disk, and nobody can take the " +
      `${subject === "monitor" ? "" : `${subject}'s `}signatures back. Let the monitor run.` +
      (subject === "log"
        ? " But software that uses the log without asking this monitor goes on trusting it. If it " +
          "installs or accepts things by this log, tell its owner now."
        : ""),
  );
  prose.item("1.", "Write the evidence to a file, and copy the file to another machine:");
  prose.command(`hearsay incidents export ${seq}${own} --out ${file}`);
  prose.item(
    "2.",
    `Check the copy there. The key must be the one that you know as the ${subject}'s:`,
  );
  prose.command(`hearsay verify ${file}${keyOption(record)}`);
  prose.item(
    "3.",
    "Check this journal, and write its last hash down elsewhere. With it you can show later that " +
      "nothing was changed or cut off:",
  );
  prose.command(`hearsay incidents check${own}`);
  const [operator, others] = WHOM_TO_TELL[subject];
  prose.item("4.", operator);
  prose.item("5.", others);
  prose.say(
    "Say no more than what is proven. The file says what that is.",
  );
}
