import { base64, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { formatLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import { readProof, type StatedProof } from "../tlog/stated_proof.ts";
import { type Found, openNote, readEach, type Reading } from "./found.ts";
import type { TextKind } from "./kinds.ts";

/** What Go's client prints, word for word (golang.org/x/mod sumdb/client.go, `checkTrees`). */
const FOUND = "go.sum database server misbehavior detected!";
const OLD = "old database:";
const NEW = "new database:";
const PROOF = "proof of misbehavior:";

const HEADING = /^(?:\d{4}-\d{2}-\d{2}T[\d:.]+Z )?old database:\r?$/m;

/** Most reports read of one file. A build prints one and ends. */
export const MAX_REPORTS = 100;
/** The time that build services put before each line of what they keep. */
const LINE_TIME = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z /;

/**
 * What `go` prints when the checksum database has shown it two trees:
 *
 *     SECURITY ERROR
 *     go.sum database server misbehavior detected!
 *
 *     old database:
 *     →NOTE
 *     new database:
 *     →NOTE
 *     proof of misbehavior:
 *     →IMPLIED ROOT
 *     →HASH…
 *
 * Each line of a note, and each hash, follows a tab. The first hash is not part of the proof. It is the
 * root that the new tree has at the old size. The proof leads from it to the new root, so that it and
 * the two notes are all the evidence. Go throws it away; here it becomes a case.
 */
export const goFork: TextKind = {
  name: "reports of go",
  // Go's own sources have the first words too, within quotes.
  recognizes: (start) => start.includes(FOUND) && HEADING.test(start),
  read(text, reading) {
    const lines = text.split("\n").map((line) => line.replace(LINE_TIME, "").replace(/\r$/, ""));
    const starts = lines.flatMap((line, i) => line.endsWith(FOUND) ? [i + 1] : []);
    const reports = starts.map((start, i) => lines.slice(start, starts[i + 1]));
    return readEach(reports, {
      ...{ most: MAX_REPORTS, what: "reports of go" },
      read: (report) => readReport(report, reading),
    });
  },
};

function readReport(lines: readonly string[], { logs, where }: Reading): Found[] {
  const older = noteBelow(lines, OLD);
  const newer = noteBelow(lines, NEW);
  const notes = [older, newer].map((note) => openNote({ note, source: where, logs }));
  return [
    ...notes,
    { kind: "proof", source: where, read: () => statedProof({ lines, notes, logs }) },
  ];
}

/** The note below a heading, without the tab before each line. */
function noteBelow(lines: readonly string[], heading: string): string {
  // Whoever saved the report may have lost a tab with nothing after it.
  const note = indentedBelow(lines, heading).join("\n").trimEnd();
  if (note === "") throw new MalformedError(`Cannot read Go's report: no note below "${heading}"`);
  return note + "\n";
}

function indentedBelow(lines: readonly string[], heading: string): string[] {
  const at = lines.indexOf(heading);
  if (at < 0) throw new MalformedError(`Cannot read Go's report: it has no line "${heading}"`);
  const indented: string[] = [];
  for (const line of lines.slice(at + 1)) {
    if (line !== "" && !line.startsWith("\t")) break;
    indented.push(line.slice(1));
  }
  return indented;
}

/** The proof between the two notes. @throws MalformedError if there is none to follow */
function statedProof(
  { lines, notes: [older, newer], logs }: {
    lines: readonly string[];
    notes: readonly Found[];
    logs: Reading["logs"];
  },
): StatedProof {
  if (older?.kind !== "checkpoint" || newer?.kind !== "checkpoint") {
    throw new MalformedError("Cannot read Go's report: one of its notes was not accepted");
  }
  const [from, to] = [older.checkpoints[0]!, newer.checkpoints[0]!];
  const [implied, ...proof] = indentedBelow(lines, PROOF).filter((line) => line !== "")
    .slice(0, 1 + MAX_PROOF_HASHES);
  if (implied === undefined) throw new MalformedError("Cannot read Go's report: it has no proof");
  for (const hash of [implied, ...proof]) {
    if (within("proof", () => strictBase64(hash)).length === HASH_BYTES) continue;
    throw new MalformedError(`Cannot read Go's report: ${quoted(hash)} is no hash`);
  }
  return readProof({
    log: formatLog(from.log),
    older: { size: `${from.treeSize}`, root: implied },
    newer: { size: `${to.treeSize}`, root: base64(to.rootHash) },
    proof,
  }, logs);
}
