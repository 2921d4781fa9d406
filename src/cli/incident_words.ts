/**
 * One incident, in words, for the operator of this monitor.
 *
 * @module
 */
import type { Entry } from "../evidence/entry.ts";
import { type Case, tellDetector, tellProof, tellSignatures } from "./case_words.ts";
import type { Prose } from "./prose.ts";
import { statementCase } from "./statement_words.ts";

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
  const isOfMonitor = statementCase(record) !== undefined;
  const what = isOfMonitor
    ? "a monitor has signed two different statements under one number"
    : "a log has signed two checkpoints that contradict each other";
  prose.heading(`Incident ${entry.seq}: ${holds ? what : "a record that does not hold"}`);
  if (holds) {
    const who = isOfMonitor ? "monitor" : "log";
    prose.say(
      `✓ The record holds. It was verified just now: both signatures of the ${who}, the contradiction, ` +
        `the evidence_id, and the signature of the monitor${isOfMonitor ? " that found it" : ""}.`,
      "green",
    );
  } else tellFailure(prose, incident);
  prose.gap();
  prose.fact("recorded at", entry.recorded_at);
  prose.fact("recorded in", `${folder}, entry ${entry.seq}`);
  tellSignatures(prose, incident);
  if (holds) tellProof(prose, record);
  tellDetector(prose, incident);
  if (holds) tellWhatToDo(prose, { seq: entry.seq, own, isOfMonitor });
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
  { seq, own, isOfMonitor }: { seq: number; own: string; isOfMonitor: boolean },
): void {
  const file = `incident-${seq}.txt`;
  prose.heading("What to do");
  prose.say(
    "Nothing must be done in a hurry. The evidence is on this disk, and nobody can take the " +
      `${isOfMonitor ? "" : "log's "}signatures back. Let the monitor run.`,
  );
  prose.item("1.", "Write the evidence to a file, and copy the file to another machine:");
  prose.command(`hearsay incidents export ${seq}${own} --out ${file}`);
  prose.item("2.", "Check the copy there:");
  prose.command(`hearsay verify ${file}`);
  prose.item(
    "3.",
    "Check this journal, and write its last hash down elsewhere. With it you can show later that " +
      "nothing was changed or cut off:",
  );
  prose.command(`hearsay incidents check${own}`);
  const [operator, others] = isOfMonitor
    ? [
      "Send the file to the operator of the monitor that signed both, as an attachment. Ask whether " +
      "its folder, its key or its machine was copied or restored.",
      "Send it to others who have that monitor as a peer. They can check it themselves, and may have " +
      "been told yet something else.",
    ]
    : [
      "Send the file to the operator of the log, as an attachment. Ask how the key came to sign both.",
      "Send it to those who rely on the log, and to others who monitor it. They can check it " +
      "themselves, and may have been shown yet another history.",
    ];
  prose.item("4.", operator);
  prose.item("5.", others);
  prose.say(
    "Say no more than what is proven. The file says what that is.",
  );
}
