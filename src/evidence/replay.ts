import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { strictBase64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Conflict } from "./conflict.ts";
import type { EquivocationDetector } from "./detector.ts";
import type { ConflictRecord } from "./record.ts";

/**
 * The log that a record is about, if it is one of these; or the cosigner of one of them, if it is
 * about that one's word.
 */
export function logOf(record: ConflictRecord, logs: readonly Log[]): Log | undefined {
  const isCosigned = record.kind === "same_size_cosigned";
  const all = isCosigned ? logs.flatMap(({ cosigners }) => cosigners.all) : logs;
  return all.find(({ origin, vkey }) =>
    origin === record.log.origin && vkey.text === record.log.vkey
  );
}

/**
 * Shows a detector what a record holds: both checkpoints, their signatures verified here, and the
 * proof. Whether the rest of the record is true is for `verifyConflict`.
 * @param log the log the record is about; see `logOf`
 * @param source who showed the record. Without it, the record is from this monitor's own journal:
 *   it counts as recorded, and its checkpoints keep the sources that the record names
 * @returns the conflicts that are new to the detector
 * @throws MalformedError if a checkpoint does not verify under the log's key
 */
export function showRecord(
  { detector, record, log, source }: {
    detector: EquivocationDetector;
    record: ConflictRecord;
    log: Log;
    source?: string;
  },
): Conflict[] {
  const a = openHalf(record.checkpoint_a.note, log);
  const b = openHalf(record.checkpoint_b.note, log);
  // A record without a source comes from this monitor's own journal.
  const isOnRecord = source === undefined;
  const [older, newer] = a.treeSize < b.treeSize ? [a, b] : [b, a];
  const found = [
    detector.observe(a, source ?? record.source_a, { isOnRecord, isEvidence: true }),
    detector.observe(b, source ?? record.source_b, { isOnRecord, isEvidence: true }),
  ].filter((conflict) => conflict !== undefined);
  if (isOnRecord) {
    detector.countRecorded(log, {
      noteLength: a.note.length + b.note.length,
      contradicted: record.consistency && older,
    });
  }
  if (record.consistency === undefined) return found;
  const judged = detector.observeProof({
    log,
    // We give the implied root and not the signed one, because a proof from a power of two does not
    // contain it.
    older: { treeSize: older.treeSize, rootHash: strictBase64(record.consistency.implied_root) },
    newer,
    proof: record.consistency.proof.map(strictBase64),
    isOnRecord,
  });
  return judged.verdict === "inconsistent" ? [...found, ...judged.conflicts] : found;
}

function openHalf(note: string, log: Log): VerifiedCheckpoint {
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) throw new MalformedError(opened.detail);
  return opened[0]!;
}
