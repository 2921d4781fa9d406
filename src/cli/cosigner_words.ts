/**
 * What a record says that convicts a witness, and not a log: two roots that it has cosigned at one
 * size.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import type { Judgement } from "../evidence/verify.ts";
import { formatKeyId } from "../tlog/vkey.ts";
import { shellWord } from "../world/shell_word.ts";
import type { Prose } from "./prose.ts";
import { statementCase } from "./statement_words.ts";

/** Whom a record is about. */
export type Subject = "log" | "monitor" | "witness";

/** Whom a record is about, as it states itself. */
export function subjectOf(record: ConflictRecord): Subject {
  if (record.kind === "same_size_cosigned") return "witness";
  return statementCase(record) === undefined ? "log" : "monitor";
}

/** The option of `hearsay verify` that holds a record to the key in it, as it is typed in a shell. */
export function keyOption(record: ConflictRecord): string {
  const { vkey, origin } = record.log;
  if (subjectOf(record) === "witness") return ` --witness ${shellWord(vkey)}`;
  const isNamed = vkey.startsWith(`${origin}+`);
  return ` --log ${shellWord(isNamed ? vkey : `${vkey} ${origin}`)}`;
}

/** The name of the key in a record, which may be any text if the record does not hold. */
function nameIn({ log: { vkey } }: ConflictRecord): string {
  return vkey.split("+")[0] ?? vkey;
}

/** What happened, in one sentence without its full stop. */
export function twoCosigned(record: ConflictRecord): string {
  return `the witness ${
    nameIn(record)
  } has cosigned two roots of the log ${record.log.origin} at ` +
    `size ${record.checkpoint_a.size}`;
}

/** What a cosignature is, for somebody who has never heard of one. */
export function tellCosigner(
  prose: Prose,
  { record, judgement }: { record: ConflictRecord; judgement: Judgement },
): void {
  prose.say(
    "A witness cosigns checkpoints of logs of others. By that it says that it has seen the checkpoint " +
      "and that it continues all that it has seen of this log. A checkpoint states how many entries the " +
      "log's tree has (size) and the tree's hash (root). The vkey is the witness's public key with its " +
      "name.",
  );
  prose.gap();
  prose.fact("witness", nameIn(record));
  prose.fact("vkey", record.log.vkey);
  const { log } = judgement;
  if (log !== undefined) prose.fact("key id", formatKeyId(log.vkey.keyId));
  prose.fact("of the log", record.log.origin);
}

/** Why both contradict each other, and what that proves and does not prove. For a record that holds. */
export function tellCosignedProof(prose: Prose, record: ConflictRecord): void {
  prose.heading("Why they contradict each other");
  prose.say(
    `A tree of size ${record.checkpoint_a.size} has one root. For this size the witness's key has ` +
      "cosigned two: that of checkpoint A and that of checkpoint B. It may cosign one checkpoint any " +
      "number of times; these are two.",
  );
  prose.heading("What is proven");
  prose.fact("in short", twoCosigned(record));
  prose.say("The key above has cosigned both checkpoints. No tree can have both.");
  prose.heading("What is not proven");
  prose.item(
    "-",
    "Why it happened. The witness may have helped to show different people different histories. Or it " +
      "lost its state and went on from an older copy. Or two programs cosign with one key. Or somebody " +
      "else has its key. The record looks the same in each case; people have to find out.",
  );
  prose.item(
    "-",
    "That the log has signed both. The record has the witness's signatures and not the log's. If the " +
      "log has signed both, that is a case of its own.",
  );
  prose.item(
    "-",
    "Whose key it is. The record names the key. Compare it with the one that the witness's operator " +
      "has published, or that your policy has.",
  );
  prose.item(
    "-",
    "When and where the checkpoints were seen. Times and addresses are the word of the monitor that " +
      "signed the record.",
  );
}
