/**
 * What alerts need to know of an event, beside the fields of its line.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import { type AlertEvidence, verifyEvidence } from "../response/alert_evidence.ts";
import type { EventAbout } from "../response/occurrences.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import { base64 } from "../tlog/encoding.ts";
import { type Log, makeLog } from "../tlog/log.ts";
import { parseVkey } from "../tlog/vkey.ts";
import type { Finding } from "./finding.ts";

/** A log as alerts name it. */
export function namedLog({ origin, vkey, id }: Log): NonNullable<EventAbout["log"]> {
  return { origin, vkey: vkey.text, id };
}

/**
 * What a finding is about, with what of it a machine can check.
 * @param place of the log, if it is about one of several
 * @param isQuestion whether it is about a checkpoint that others told
 */
export function aboutOf(
  finding: Finding,
  { place = "", isQuestion = false }: { place?: string; isQuestion?: boolean } = {},
): EventAbout {
  const evidence = evidenceIn(finding);
  return {
    log: namedLog(finding.log),
    ...(place !== "" && { place }),
    ...(isQuestion && { isQuestion }),
    ...(evidence && { evidence }),
  };
}

function evidenceIn(finding: Finding): AlertEvidence | undefined {
  const { result, log: { origin, vkey }, checkpoint, beside, note, detail = "" } = finding;
  const about = { log: { origin, vkey: vkey.text }, detail };
  if (result === "unverified" && note !== undefined) {
    return { kind: "unverified", ...about, notes: [note] };
  }
  if (result !== "unproven" || checkpoint === undefined) return undefined;
  // The older one may be of the log's former key. Then it is no evidence about this one.
  const other = beside !== undefined && beside.log.id === finding.log.id ? [beside.note] : [];
  const notes = [checkpoint.note, ...other];
  const unproven = { kind: "unproven", ...about, notes } as const;
  const { failedProof: failed } = finding;
  if (failed === undefined) return unproven;
  const proof = { olderRoot: base64(failed.givenRoot), hashes: failed.proof.map(base64) };
  // It is handed on only if a stranger finds as well, from the two notes alone, that it does not hold.
  const withProof = { ...unproven, proof };
  return verifyEvidence(withProof) === undefined ? withProof : unproven;
}

/** What an event about a case is about. */
export function aboutCase(record: ConflictRecord): EventAbout {
  const { origin, vkey } = record.log;
  if (record.kind === "same_size_cosigned") {
    // The key is the witness's. The log whose checkpoints it cosigned has another one.
    return { record, isOfWitness: true, log: { origin, vkey, id: `cosigned ${vkey} ${origin}` } };
  }
  const log = makeLog({ vkey: parseVkey(vkey), origin });
  return { record, isOfMonitor: statementsEpoch(log) !== undefined, log: namedLog(log) };
}
