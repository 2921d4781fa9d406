/**
 * What a record says that convicts a monitor, and not a log: two statements under one number. Its form
 * is that of every record. In it the log is the list of what the monitor says, a size is the number of
 * a statement, and a root is its hash. Who reads about it need not know that.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { formatKeyId, parseVkey, type Vkey } from "../tlog/vkey.ts";
import { timeOf } from "../world/time.ts";
import type { Prose } from "./prose.ts";

/** Two statements of a monitor under one number. */
export interface StatementCase {
  readonly vkey: Vkey;
  /** The number, decimal. */
  readonly number: string;
  /** When the monitor began to count, in seconds since 1970. */
  readonly epoch: bigint;
}

/** What a record states about a monitor's statements; nothing if it is about a log. */
export function statementCase(
  { kind, log, checkpoint_a }: ConflictRecord,
): StatementCase | undefined {
  if (kind !== "same_size") return undefined;
  try {
    const vkey = parseVkey(log.vkey);
    const epoch = statementsEpoch({ origin: log.origin, vkey });
    return epoch === undefined ? undefined : { vkey, number: checkpoint_a.size, epoch };
  } catch (error) {
    // A record that does not hold may have any text there.
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** What happened, in one sentence without its full stop. */
export function twoStatements({ vkey, number }: StatementCase): string {
  return `the monitor ${vkey.name} signed two different statements under number ${number}`;
}

/** What that proves, and what else it may come from: one sentence. */
export const WHAT_TWO_PROVE =
  "What is proven is that one key signed both; a copied or restored folder does that too.";

/** What a statement is, for somebody who has never heard of one. */
export function tellStatements(prose: Prose, { vkey, epoch }: StatementCase): void {
  prose.say(
    "A monitor watches logs, and tells other monitors what it sees. It signs what it tells and counts " +
      "its statements, so that it can be held to them: under one number it may say one thing. Each " +
      "checkpoint below is one statement. Its size is the number, and its root is the hash of what was " +
      "said. What was said is not in this record.",
  );
  prose.gap();
  prose.fact("monitor", vkey.name);
  prose.fact("vkey", vkey.text);
  prose.fact("key id", formatKeyId(vkey.keyId));
  prose.fact("counts from", sinceWhen(epoch));
}

/** Largest number of seconds that is a date: the end of the year 9999. */
const LAST_DATE = 253_402_300_799n;

function sinceWhen(epoch: bigint): string {
  const date = epoch <= LAST_DATE ? `, which is ${timeOf(Number(epoch) * 1_000)}` : "";
  return `epoch ${epoch}${date}`;
}

/** Why both contradict each other, and what that proves and does not prove. For a record that holds. */
export function tellStatementProof(prose: Prose, found: StatementCase): void {
  prose.heading("Why they contradict each other");
  prose.say(
    `A monitor says one thing under one number. Under number ${found.number} the key has signed two: ` +
      "that of checkpoint A and that of checkpoint B. Their hashes differ, so the words do.",
  );
  prose.heading("What is proven");
  prose.fact("in short", twoStatements(found));
  prose.say(
    `${WHAT_TWO_PROVE} A program that works as it should, with a folder and key that were neither ` +
      "copied nor restored, never does it.",
  );
  prose.heading("What is not proven");
  prose.item(
    "-",
    "Why it happened. The monitor may have told different people different things on purpose. Or its " +
      "folder, its key or its whole machine was copied or restored, and two programs have spoken under " +
      "one key. Or somebody else has its key. The record looks the same in each case; people have to " +
      "find out.",
  );
  prose.item("-", "Anything about a log. This is about the monitor that watches logs.");
  prose.item("-", "What the two statements say. The record has their hashes.");
  prose.item(
    "-",
    "Whose key it is. The record names the key. Compare it with the one that the monitor's operator " +
      "has given you.",
  );
  prose.item(
    "-",
    "When and where the statements were seen. Times and addresses are the word of the monitor that " +
      "signed the record.",
  );
}
