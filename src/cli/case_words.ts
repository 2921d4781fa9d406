/**
 * What a conflict record says, in words. No sentence says more than the record proves (RULES R11).
 *
 * @module
 */
import type { ConflictRecord, RecordedCheckpoint } from "../evidence/record.ts";
import type { Judgement } from "../evidence/verify.ts";
import { isTheLog, THE_LOG } from "../monitor/the_log.ts";
import { formatKeyId, SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { subjectOf, tellCosignedProof, tellCosigner } from "./cosigner_words.ts";
import type { Prose } from "./prose.ts";
import { statementCase, tellStatementProof, tellStatements } from "./statement_words.ts";

/** A record with the judgement over it. */
export interface Case {
  readonly record: ConflictRecord;
  readonly judgement: Judgement;
}

/** Who signed what, and who showed it. It tells what the record states, whether it holds or not. */
export function tellSignatures(prose: Prose, { record, judgement }: Case): void {
  const holds = judgement.outcome === "holds";
  prose.heading(holds ? "Who signed what" : "What the record states");
  const ofMonitor = statementCase(record);
  const subject = subjectOf(record);
  if (subject === "witness") tellCosigner(prose, { record, judgement });
  else if (ofMonitor === undefined) tellLog(prose, { record, judgement });
  else tellStatements(prose, ofMonitor);
  tellCheckpoint(prose, "checkpoint A", record.checkpoint_a, record.source_a);
  tellCheckpoint(prose, "checkpoint B", record.checkpoint_b, record.source_b);
  if (!holds) return;
  prose.gap();
  const what = subject === "monitor" ? "statement" : "checkpoint";
  const whose = `the ${subject}'s`;
  prose.say(
    `An address is that of another monitor, or of whoever else passed the ${what} on. For the proof ` +
      `it does not matter who did: nobody can sign a ${what} without ${whose} key.`,
  );
}

function tellLog(prose: Prose, { record, judgement }: Case): void {
  prose.say(
    "A checkpoint states how many entries the log's tree has (size) and the tree's hash (root). The " +
      "vkey is the log's public key with its name.",
  );
  prose.gap();
  prose.fact("log", record.log.origin);
  prose.fact("vkey", record.log.vkey);
  const { log } = judgement;
  if (log !== undefined) prose.fact("key id", formatKeyId(log.vkey.keyId));
  if (log?.vkey.type === SIGNATURE_TYPE.rfc6962) {
    prose.say(
      "Signatures of this type do not name the log. The name is the word of the monitor that " +
        "signed the record.",
    );
  }
}

function tellCheckpoint(
  prose: Prose,
  name: string,
  { size, root }: RecordedCheckpoint,
  source: string,
): void {
  prose.gap();
  prose.fact(name, `size ${size}`);
  prose.fact("", `root ${root}`);
  prose.fact("", `from ${sourceWords(source)}`);
}

/** A source, for people: a peer's address stays as it is. */
export function sourceWords(source: string): string {
  if (!isTheLog(source)) return source;
  return source === THE_LOG ? "the log itself" : `the log itself,${source.slice(THE_LOG.length)}`;
}

/** Why no tree can have both, and what that proves and does not prove. For a record that holds. */
export function tellProof(prose: Prose, record: ConflictRecord): void {
  const ofMonitor = statementCase(record);
  if (ofMonitor !== undefined) return tellStatementProof(prose, ofMonitor);
  if (subjectOf(record) === "witness") return tellCosignedProof(prose, record);
  prose.heading("Why they contradict each other");
  prose.say(record.kind === "same_size" ? sameSize(record) : crossSize(record));
  prose.heading("What is proven");
  prose.say("The key above has signed both checkpoints. No tree can have both.");
  prose.heading("What is not proven");
  prose.item(
    "-",
    "Why it happened. The log may have shown different people different histories on purpose. Or it " +
      "lost data and went on from an older copy. Or somebody reset a test log and kept its key. Or " +
      "somebody else has its key. The record looks the same in each case; people have to find out.",
  );
  prose.item(
    "-",
    "Whose key it is. The record names the key. Compare it with the one that the log's operator has " +
      "published, or that your software comes with.",
  );
  prose.item(
    "-",
    "When and where the checkpoints were seen. Times and addresses are the word of the monitor that " +
      "signed the record.",
  );
}

function sameSize({ checkpoint_a: { size } }: ConflictRecord): string {
  return `A tree of size ${size} has one root. For this size the key has signed two: that of ` +
    "checkpoint A and that of checkpoint B.";
}

function crossSize({ checkpoint_a: a, checkpoint_b: b }: ConflictRecord): string {
  const [older, newer] = BigInt(a.size) < BigInt(b.size) ? ["A", "B"] : ["B", "A"];
  const size = older === "A" ? a.size : b.size;
  const first = size === "1" ? "first entry has" : `first ${size} entries have`;
  return "A log may add entries, and must not change those that are there. So the tree of checkpoint " +
    `${newer} must begin with the tree of checkpoint ${older}. It does not: the record has a proof ` +
    `that in the tree of checkpoint ${newer} the ${first} another root than the one in checkpoint ` +
    `${older}.`;
}

/** Which monitor found the case and signed the record. */
export function tellDetector(prose: Prose, { record, judgement }: Case): void {
  const holds = judgement.outcome === "holds";
  prose.heading(holds ? "Who found it" : "Who found it, as the record states");
  prose.fact("found at", record.detected_at);
  prose.fact("evidence_id", record.evidence_id);
  prose.fact("monitor", record.detector_id ?? "none");
  if (record.detector_vkey !== null) prose.fact("its vkey", record.detector_vkey);
  if (!holds) return;
  const signer = judgement.signed
    ? "A monitor compares what a log shows to it with what others were shown. This one has signed " +
      "the record. Its signature says who tells this; the proof does not rest on it."
    : "No monitor has signed this record. It proves the same without.";
  prose.say(
    `${signer} Every monitor that finds these two checkpoints gives the case the same evidence_id.`,
  );
}
