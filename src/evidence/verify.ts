import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { importEcdsaKey } from "../tlog/ecdsa.ts";
import { base64, parseTreeSize, strictBase64 } from "../tlog/encoding.ts";
import { describeLog, type Log, makeCosigned, makeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { loadVerifier, type Note, parseNote, type Verifier, verifyNote } from "../tlog/note.ts";
import { verifyConsistency } from "../tlog/proof.ts";
import { importRfc6962Key, isRsa } from "../tlog/rfc6962.ts";
import { formatKeyId, parseVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import { evidenceId, formerEvidenceId } from "./conflict.ts";
import type { JsonObject } from "./json.ts";
import {
  type ConflictRecord,
  parseRecord,
  type RecordedCheckpoint,
  signedBytes,
} from "./record.ts";
import { secondOpinion } from "./second_opinion.ts";

/** What is checked in a record, in this order. */
export type CheckName =
  | "format"
  | "log"
  | "checkpoint_a"
  | "checkpoint_b"
  | "contradiction"
  | "evidence_id"
  | "second opinion"
  | "detector";

/** One check and its outcome, with a sentence for a person. */
export interface Check {
  readonly name: CheckName;
  readonly ok: boolean;
  readonly detail: string;
}

/** The judgement over one conflict record. */
export interface Judgement {
  /**
   * - `holds`: everything that is checked in the record is right.
   * - `fails`: something is not; see the checks.
   * - `disputed`: two implementations differ on a signature, so the record convinces nobody.
   */
  readonly outcome: "holds" | "fails" | "disputed";
  /** The checks that were made. A check that depends on a failed one is not made. */
  readonly checks: readonly Check[];
  /** The record, if it could be read at all. */
  readonly record?: ConflictRecord;
  /** The log, or the cosigner, that it convicts, if its key could be read. */
  readonly log?: Log;
  /** Whether a detector has signed it and its signature holds. */
  readonly signed: boolean;
}

/** Most opinions remembered while many records are judged. Then all are forgotten. */
const MAX_OPINIONS = 1_000;
/** Most characters of the notes that they are about. */
const MAX_OPINIONS_LENGTH = 16 * 1024 * 1024;

/**
 * Remembers what the independent implementation said of notes while many records are judged.
 * Records of one size share a note, and that implementation takes most of the time of a judgement.
 */
export class Opinions {
  readonly #accepted = new Map<string, boolean>();
  #length = 0;

  /** The opinion on exactly this note under this log's key. The first time, `ask` gives it. */
  of({ log, note }: { log: Log; note: string }, ask: () => boolean): boolean {
    const key = `${log.vkey.text}\n${log.origin}\n${note}`;
    const known = this.#accepted.get(key);
    if (known !== undefined) return known;
    const accepted = ask();
    if (this.#accepted.size >= MAX_OPINIONS || this.#length >= MAX_OPINIONS_LENGTH) {
      this.#accepted.clear();
      this.#length = 0;
    }
    this.#accepted.set(key, accepted);
    this.#length += key.length;
    return accepted;
  }
}

/**
 * Judges a conflict record (PROTOCOL section 11) and trusts nothing in it. It computes ids again,
 * reads the notes again, verifies both signatures of the log twice (by the platform and by an
 * independent implementation, if there is one), follows the proof, and checks the detector's
 * signature.
 *
 *     const { outcome, checks, signed } = verifyConflict({ input: text, log: parseLog(trusted) });
 *     if (outcome === "holds") …; // the log is convicted
 *     else for (const { name, ok, detail } of checks) …; // what was wrong
 *
 * Without `log`, "holds" says only that the key in the record signed both halves. Show the key to
 * whoever decides.
 * @param input the record's JSON text, or the object parsed from it
 * @param log the log and key that the reader trusts, or the cosigner's (`makeCosigned`); without it,
 *   those that the record names
 * @param cosigner the key of the cosigner that the record must convict, whatever log it is about
 * @param detector the detector the reader trusts; without it any, or none
 * @param opinions shared by those who judge many records, so that no note is asked about twice
 */
export function verifyConflict(
  { input, log, cosigner, detector, opinions = new Opinions() }: {
    input: string | JsonObject;
    log?: Log | undefined;
    cosigner?: Vkey | undefined;
    detector?: Vkey | undefined;
    opinions?: Opinions;
  },
): Judgement {
  const checks: Check[] = [];
  let disputed = false;
  /** Makes a check and notes how it went. Gives its result, or nothing if it failed. */
  function check<T>(name: CheckName, run: () => { detail: string; result: T }): T | undefined {
    try {
      const { detail, result } = run();
      checks.push({ name, ok: true, detail });
      return result;
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      checks.push({ name, ok: false, detail: error.message });
      return undefined;
    }
  }

  const record = check("format", () => {
    const result = parseRecord(input);
    return { result, detail: `a record of version ${result.version}` };
  });
  if (record === undefined) return { outcome: "fails", checks, signed: false };

  const ownLog = check("log", () => readLog(record, { log, cosigner }));
  if (ownLog !== undefined) {
    const a = check("checkpoint_a", () => readCheckpoint(record.checkpoint_a, ownLog));
    const b = check("checkpoint_b", () => readCheckpoint(record.checkpoint_b, ownLog));
    if (a !== undefined && b !== undefined) {
      check("contradiction", () => readContradiction({ record, a, b }));
      check("evidence_id", () => readEvidenceId({ record, log: ownLog, heads: [a, b] }));
    }
    const notes = [record.checkpoint_a, record.checkpoint_b];
    disputed = check("second opinion", () =>
      askAgain({ log: ownLog, recorded: notes, opinions })) === undefined;
  }
  const signer = check("detector", () => readDetector(record, detector));
  return {
    outcome: disputed ? "disputed" : checks.every(({ ok }) => ok) ? "holds" : "fails",
    checks,
    record,
    ...(ownLog !== undefined && { log: ownLog }),
    signed: signer?.signed ?? false,
  };
}

type Outcome<T> = { detail: string; result: T };

function readLog(
  { kind, log: { origin, vkey } }: ConflictRecord,
  { log: wanted, cosigner }: { log: Log | undefined; cosigner: Vkey | undefined },
): Outcome<Log> {
  const isCosigned = kind === "same_size_cosigned";
  const named = { vkey: parseVkey(vkey), origin };
  const result = isCosigned ? makeCosigned(named) : makeLog(named);
  if (cosigner !== undefined && (!isCosigned || cosigner.text !== vkey)) {
    const about = isCosigned ? `the witness ${vkey}` : `the log ${describeLog(result)}`;
    throw new MalformedError(`the record is about ${about}, not about ${cosigner.text}`);
  }
  const who = isCosigned
    ? `the witness ${result.vkey.name} of ${describeLog(result)}`
    : describeLog(result);
  // A cosigner's id is never a log's, even if the key is.
  if (wanted !== undefined && wanted.id !== result.id) {
    throw new MalformedError(`the record is about ${who}, not about ${describeLog(wanted)}`);
  }
  return { result, detail: `${who}, ${describeKey(result.vkey)}` };
}

/** Says what kind of key it is, and what its signatures do not cover. */
function describeKey({ type, publicKey }: Vkey): string {
  switch (type) {
    case SIGNATURE_TYPE.ecdsa:
      return `a sound ECDSA ${importEcdsaKey(publicKey).curve.name} key`;
    case SIGNATURE_TYPE.rfc6962: {
      const kind = isRsa(importRfc6962Key(publicKey)) ? "RSA" : "ECDSA P-256";
      return `a sound ${kind} key for RFC 6962 tree heads, which do not name the origin`;
    }
    case SIGNATURE_TYPE.cosignature:
      return "a sound Ed25519 key for cosignatures";
    case SIGNATURE_TYPE.mldsa44:
      return "a sound ML-DSA-44 key";
    default:
      return "a sound Ed25519 key";
  }
}

function readCheckpoint(recorded: RecordedCheckpoint, log: Log): Outcome<VerifiedCheckpoint> {
  const opened = openCheckpoint({ note: recorded.note, logs: [log] });
  if ("refused" in opened) throw new MalformedError(opened.detail);
  const result = opened[0]!;
  const size = parseTreeSize(recorded.size);
  if (size !== result.treeSize || recorded.root !== result.root) {
    throw new MalformedError(
      `size ${quoted(recorded.size)} and root ${quoted(recorded.root)} beside the note are not ` +
        "those of the note",
    );
  }
  const by = log.isCosigner ? "cosigned by the witness" : "signed by the log";
  return { result, detail: `size ${size}, root ${recorded.root}, ${by}` };
}

function readContradiction(
  { record, a, b }: { record: ConflictRecord; a: VerifiedCheckpoint; b: VerifiedCheckpoint },
): Outcome<true> {
  if (a.root === b.root) {
    throw new MalformedError("both checkpoints have the same root: two equal roots never conflict");
  }
  if (record.consistency === undefined) {
    if (a.treeSize !== b.treeSize) {
      throw new MalformedError(
        `sizes are ${a.treeSize} and ${b.treeSize}, expected one size in a ${record.kind} record`,
      );
    }
    return { result: true, detail: `two different roots of size ${a.treeSize}` };
  }
  const [older, newer] = a.treeSize < b.treeSize ? [a, b] : [b, a];
  if (older.treeSize === 0n || older.treeSize === newer.treeSize) {
    throw new MalformedError(
      `sizes are ${a.treeSize} and ${b.treeSize}, expected two sizes above 0 in a cross_size record`,
    );
  }
  const impliedRoot = strictBase64(record.consistency.implied_root);
  if (base64(impliedRoot) === older.root) {
    throw new MalformedError("the implied root is the one signed at the older size: no conflict");
  }
  const proof = record.consistency.proof.map(strictBase64);
  const implied = { treeSize: older.treeSize, rootHash: impliedRoot };
  if (!verifyConsistency({ older: implied, newer, proof })) {
    throw new MalformedError(
      `the proof does not lead from the implied root of size ${older.treeSize} to the root of ` +
        `size ${newer.treeSize}: a failing proof convicts nobody`,
    );
  }
  return {
    result: true,
    detail: `the tree of size ${newer.treeSize} has another root at size ${older.treeSize} than ` +
      "the log signed there",
  };
}

function readNote(note: string): Note | undefined {
  try {
    return parseNote(note);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** Asks both implementations about both notes. There is a dispute only if they differ. */
function askAgain(
  { log, recorded, opinions }: {
    log: Log;
    recorded: readonly RecordedCheckpoint[];
    opinions: Opinions;
  },
): Outcome<true> {
  const second = secondOpinion(log.vkey);
  if (second === undefined) {
    return {
      result: true,
      detail: "only one implementation of this type of signature exists here: checked once",
    };
  }
  for (const { note, size } of recorded) {
    const parsed = readNote(note);
    if (parsed === undefined) continue; // Refused as a checkpoint already.
    const isAccepted = (verifier: Verifier): boolean =>
      "verified" in verifyNote({ note: parsed, verifiers: [verifier] });
    const ours = isAccepted(log);
    const theirs = opinions.of({ log, note }, () => isAccepted(second));
    if (ours !== theirs) {
      throw new MalformedError(
        `the signature on size ${quoted(size)} is ${theirs ? "accepted" : "refused"} by an ` +
          `independent implementation and ${ours ? "accepted" : "refused"} by the platform's`,
      );
    }
  }
  return { result: true, detail: "an independent implementation says the same of both signatures" };
}

function readEvidenceId(
  { record, log, heads }: {
    record: ConflictRecord;
    log: Log;
    heads: readonly [VerifiedCheckpoint, VerifiedCheckpoint];
  },
): Outcome<true> {
  const computed = evidenceId({ log, heads });
  if (record.evidence_id === formerEvidenceId({ log, heads })) {
    const detail = `${record.evidence_id}, as earlier versions named the case ${computed}`;
    return { result: true, detail };
  }
  if (record.evidence_id !== computed) {
    throw new MalformedError(
      `evidence_id is ${quoted(record.evidence_id)}, computed ${computed}`,
    );
  }
  return { result: true, detail: computed };
}

function readDetector(
  record: ConflictRecord,
  wanted: Vkey | undefined,
): Outcome<{ signed: boolean }> {
  if (record.evidence_signature === null) {
    if (wanted !== undefined) {
      throw new MalformedError(`no detector has signed the record, expected ${wanted.text}`);
    }
    return { result: { signed: false }, detail: "no detector has signed the record" };
  }
  const vkey = parseVkey(record.detector_vkey!);
  if (vkey.name !== record.detector_id || formatKeyId(vkey.keyId) !== record.key_id) {
    throw new MalformedError(
      `detector_id ${quoted(record.detector_id!)} and key_id ${quoted(record.key_id!)} are not ` +
        `those of ${vkey.text}`,
    );
  }
  if (wanted !== undefined && wanted.text !== vkey.text) {
    throw new MalformedError(`the detector is ${vkey.text}, expected ${wanted.text}`);
  }
  if (vkey.type !== SIGNATURE_TYPE.ed25519) {
    throw new MalformedError(
      `the detector's key is of signature type 0x0${vkey.type.toString(16)}, expected Ed25519 ` +
        "(0x01): other types sign checkpoints only, or are for logs",
    );
  }
  const signature = strictBase64(record.evidence_signature);
  if (!loadVerifier(vkey).verifies({ message: signedBytes(record), signature })) {
    throw new MalformedError(`the detector's signature does not verify under ${vkey.text}`);
  }
  return { result: { signed: true }, detail: `signed by ${vkey.text}` };
}
