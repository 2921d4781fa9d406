/**
 * Checkpoints of C2SP tlog-checkpoint v1.0.0, and the one place where a verified one is made.
 *
 * @module
 */
import {
  type CheckpointText,
  formatCheckpointText,
  parseCheckpointText,
} from "./checkpoint_text.ts";
import { base64, strictBase64, utf8 } from "./encoding.ts";
import { decodeFrame, encodeFrame, type FrameFields } from "./frame.ts";
import { describeLog, type Log } from "./log.ts";
import { MalformedError, quoted } from "./malformed.ts";
import { formatNote, parseNote, verifyNote } from "./note.ts";
import { SIGNATURE_TYPE } from "./vkey.ts";

export { type CheckpointText, formatCheckpointText, parseCheckpointText };

/** Only this module holds it, so only this module can make a VerifiedCheckpoint. */
const VERIFIED = Symbol("verified");

/**
 * A checkpoint whose signature was checked under the log's key. The detector accepts nothing else.
 * A monitor may hold millions, so root and signature are kept as text: a short string takes a fifth
 * of the memory of a byte array.
 */
export class VerifiedCheckpoint {
  readonly log: Log;
  readonly treeSize: bigint;
  /** The root hash in base64. */
  readonly root: string;
  /** Whether the signature is Ed25519's, over origin, size and root alone: a frame can carry it. */
  readonly fitsFrame: boolean;
  readonly #signature: string;
  // The note as received, where size, root and signature do not give it back.
  readonly #received: string | undefined;

  constructor(
    token: typeof VERIFIED,
    log: Log,
    fields: FrameFields,
    received?: { note: string; plain: boolean },
  ) {
    if (token !== VERIFIED) throw new TypeError("only openCheckpoint and openFrame verify");
    this.log = log;
    this.treeSize = fields.treeSize;
    this.root = base64(fields.rootHash);
    this.#signature = base64(fields.signature);
    this.fitsFrame = isFramed(log) && (received?.plain ?? true);
    this.#received = received?.note;
  }

  /** The root hash, 32 bytes. */
  get rootHash(): Uint8Array {
    return strictBase64(this.root);
  }

  /**
   * The log's signature, as its type has it: 64 bytes of Ed25519, about 70 of ECDSA; 0x05 and 0x06
   * begin with their timestamp. Another valid one on the same statement says nothing new.
   */
  get signature(): Uint8Array {
    return strictBase64(this.#signature);
  }

  /** The whole signed note: as received, or rebuilt where the frame carried all of it. */
  get note(): string {
    return this.#received ?? rebuiltNote(this.log, this);
  }

  /**
   * The frame of this checkpoint.
   * @throws MalformedError if it has extension lines or another signature, which no frame carries
   */
  get frame(): Uint8Array<ArrayBuffer> {
    if (!this.fitsFrame) {
      throw new MalformedError(
        `Cannot make a frame of ${describeLog(this.log)} size ${this.treeSize}: ` +
          "it is not an Ed25519 signature over origin, size and root alone",
      );
    }
    return encodeFrame(this);
  }
}

/** Whether this log's checkpoints can travel as frames: 64 bytes of signature, over the text. */
function isFramed(log: Log): boolean {
  return log.vkey.type === SIGNATURE_TYPE.ed25519;
}

function rebuiltNote(log: Log, fields: FrameFields): string {
  const { treeSize, rootHash, signature } = fields;
  const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
  return formatNote({ text, vkey: log.vkey, signature });
}

/** Why a checkpoint was not accepted. */
export type RefusalReason =
  /** it breaks the rules of its format */
  | "malformed"
  /** it names, or verifies under, no log configured here */
  | "unknown log"
  /** a configured log's signature on it is wrong */
  | "bad signature";

/** A checkpoint that was not accepted: the reason, and a sentence for a person. */
export interface Refused {
  readonly refused: RefusalReason;
  readonly detail: string;
}

/**
 * Opens a signed note as a checkpoint of one of these logs.
 * @param note bytes as received, or text out of a JSON string
 * @param logs the logs followed; `parseLogs` makes them distinct
 * @returns one verified checkpoint for each log (one origin may have two keys) that signed it
 */
export function openCheckpoint(
  { note, logs }: { note: Uint8Array | string; logs: readonly Log[] },
): VerifiedCheckpoint[] | Refused {
  let parsed, stated: CheckpointText;
  try {
    parsed = parseNote(note);
    stated = parseCheckpointText(parsed.text);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { refused: "malformed", detail: error.message };
  }
  // One key may serve several origins; it checks a line once.
  const verifiers = [...new Map(logs.map((log) => [log.vkey.text, log])).values()];
  const result = verifyNote({ note: parsed, verifiers });
  if ("failed" in result) {
    return {
      refused: result.known ? "bad signature" : "unknown log",
      detail: `checkpoint of ${quoted(stated.origin)} size ${stated.treeSize}: ${result.failed}`,
    };
  }
  const signers = new Map(result.verified.map(({ vkey, signature }) => [vkey.text, signature]));
  const whole = `${parsed.text}\n${parsed.lines.join("\n")}\n`;
  const checkpoints = logs.filter(({ origin, vkey }) =>
    origin === stated.origin && signers.has(vkey.text)
  ).map((log) => {
    const fields = { ...stated, signature: signers.get(log.vkey.text)! };
    const plain = formatCheckpointText(stated) === parsed.text;
    const received = whole === rebuiltNote(log, fields) ? undefined : { note: whole, plain };
    return new VerifiedCheckpoint(VERIFIED, log, fields, received);
  });
  if (checkpoints.length > 0) return checkpoints;
  return {
    refused: "unknown log",
    detail: `checkpoint of ${quoted(stated.origin)} size ${stated.treeSize}: signed by ` +
      `${result.verified[0]!.vkey.text}, which is configured for another origin`,
  };
}

/**
 * Opens a frame: the signed text is rebuilt from each Ed25519 log's origin, and the log is the one
 * under whose key the signature verifies.
 * @param frame 104 bytes, not the zero frame
 */
export function openFrame(
  { frame, logs }: { frame: Uint8Array; logs: readonly Log[] },
): VerifiedCheckpoint | Refused {
  let fields: FrameFields;
  try {
    fields = decodeFrame(frame);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { refused: "malformed", detail: error.message };
  }
  for (const log of logs.filter(isFramed)) {
    const message = utf8(formatCheckpointText({ origin: log.origin, ...fields }));
    if (log.verifies({ message, signature: fields.signature })) {
      return new VerifiedCheckpoint(VERIFIED, log, fields);
    }
  }
  return {
    refused: "bad signature",
    detail:
      `frame of size ${fields.treeSize}: the signature verifies under no configured log's key`,
  };
}
