/**
 * The words of an evidence file: for somebody who receives it and has never heard of this project.
 *
 * @module
 */
import { type Case, tellDetector, tellProof, tellSignatures } from "./case_words.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { type Subject, subjectOf } from "./cosigner_words.ts";
import { formatEvidenceFile } from "./evidence_file.ts";
import { Prose } from "./prose.ts";
import { statementCase } from "./statement_words.ts";

/** How a record is held to a key, for each subject of a case. */
const KEY_OPTIONS: Readonly<Record<Subject, (record: ConflictRecord) => string>> = {
  log: () => "--log VKEY",
  monitor: ({ log: { origin } }) => `--log "VKEY ${origin}"`,
  witness: () => "--witness VKEY",
};

/** An evidence file about a record that holds. */
export function evidenceFile(found: Case): string {
  const { record } = found;
  const prose = new Prose();
  const isOfMonitor = statementCase(record) !== undefined;
  prose.gap();
  prose.say(
    (isOfMonitor
      ? "A monitor of transparency logs numbers what it says, so that it can be held to it. The monitor " +
        "below has signed two different statements under one number. This file has both of its " +
        "signatures. "
      : "A transparency log promises that everyone sees the same history. The key of the log below has signed two " +
        "statements (checkpoints) that contradict each other. This file has both, with the key's " +
        "signatures. ") +
      "Anyone can check it, without a network and without trusting whoever sent it.",
  );
  tellSignatures(prose, found);
  tellProof(prose, record);
  tellDetector(prose, found);
  prose.heading("How to check it");
  prose.say(
    "Do not believe these words; whoever sent them could have written anything. Let the program " +
      "Hearsay judge the last line of this file, which is the record. FILE is this file:",
  );
  const subject = subjectOf(record);
  prose.command(`hearsay verify FILE ${KEY_OPTIONS[subject](record)}`);
  prose.say(
    `VKEY is the ${subject}'s public key. Have it from whoever runs the ${subject}, and not from this ` +
      "file" +
      (subject === "log"
        ? '; it may be "VKEY ORIGIN" if the log has another name than its key. '
        : ". ") +
      'The last line must begin with "The evidence holds (". If you have no such key, leave the option ' +
      'out: then it says "The evidence holds for the key in the file", and whose key that is, is not ' +
      "shown.",
  );
  prose.say(
    "With npm and the source of Hearsay, nothing needs to be installed. In the folder of the source, " +
      "with the whole path of this file:",
  );
  prose.command("npx -y deno@2.9.6 task hearsay verify FILE");
  prose.say(
    "The record can also be judged without Hearsay: documents/PROTOCOL.md in its source says how, " +
      "in section 11. The two checkpoints are signed notes (C2SP), which other tools read.",
  );
  prose.heading("The record");
  return formatEvidenceFile({ words: prose.lines, record });
}
