/**
 * The words of an evidence file: for somebody who receives it and has never heard of this project.
 *
 * @module
 */
import { type Case, tellDetector, tellProof, tellSignatures } from "./case_words.ts";
import { formatEvidenceFile } from "./evidence_file.ts";
import { Prose } from "./prose.ts";
import { statementCase } from "./statement_words.ts";

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
      : "A transparency log promises that everyone sees the same history. The log below has signed two " +
        "statements (checkpoints) that contradict each other. This file has both, with the log's " +
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
  prose.command("hearsay verify FILE");
  if (isOfMonitor) {
    prose.say(
      'It names the monitor, its key and both statements, and ends with "The evidence holds". It ' +
        "takes the key from the record. If you know the monitor's vkey from somewhere else, give it as " +
        "well, with the name of its list:",
    );
    prose.command(`hearsay verify FILE --log "VKEY ${record.log.origin}"`);
  } else {
    prose.say(
      'It names the log, its key and both checkpoints, and ends with "The evidence holds". It takes ' +
        "the key from the record. If you know the log's vkey from somewhere else, give it as well; " +
        'VKEY may be "VKEY ORIGIN" if the log has another name than its key:',
    );
    prose.command("hearsay verify FILE --log VKEY");
  }
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
