/**
 * Checkpoints of C2SP tlog-checkpoint v1.0.0, and the one place where a verified one is made.
 *
 * @module
 */
import {
  type CheckpointText,
  formatCheckpointText,
  parseCheckpointText,
  textOfRoot,
} from "./checkpoint_text.ts";
import { readTimestamped } from "./cosignature.ts";
import { base64, strictBase64, utf8, utf8Briefly } from "./encoding.ts";
import { decodeFrame, encodeFrame, type FrameFields } from "./frame.ts";
import { describeLog, type Log } from "./log.ts";
import { ImpossibleError, MalformedError, quoted } from "./malformed.ts";
import { formatNote, type Note, parseNote, verifyNote } from "./note.ts";
import { formatSignatureLine, isLineOf, readSignatureLine } from "./signature_line.ts";
import { SIGNATURE_TYPE, type Vkey } from "./vkey.ts";

/**
 * Most lines of one cosigner that are tried in a note. Real notes have one, or two of different
 * times. Anybody can add lines under its name, and each costs a verification.
 */
export const MAX_LINES_PER_COSIGNER = 4;

export { type CheckpointText, formatCheckpointText, parseCheckpointText };

const NONE: readonly VerifiedCheckpoint[] = [];

/** Only this module holds it, so only this module can make a VerifiedCheckpoint. */
const VERIFIED = Symbol("verified");

/** The fields of a verified checkpoint, as they are kept. */
interface VerifiedFields {
  readonly treeSize: bigint;
  /** The root hash in base64. */
  readonly root: string;
  readonly signature: Uint8Array;
}

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
  /** Whether a frame can carry it: the signature is Ed25519, over origin, size and root alone. */
  readonly fitsFrame: boolean;
  /**
   * The same checkpoint under the keys of the log's cosigners (`Log.cosigners`), one for each whose
   * cosignature came with it and holds.
   */
  readonly cosigned: readonly VerifiedCheckpoint[];
  readonly #signature: string;
  // The signed text, where size and root alone do not give it back.
  readonly #text: string | undefined;

  constructor(
    token: typeof VERIFIED,
    log: Log,
    fields: VerifiedFields,
    text?: string,
    cosigned: readonly VerifiedCheckpoint[] = NONE,
  ) {
    if (token !== VERIFIED) throw new TypeError("only openCheckpoint and openFrame verify");
    this.log = log;
    this.treeSize = fields.treeSize;
    this.root = fields.root;
    this.#signature = base64(fields.signature);
    this.fitsFrame = isFramed(log) && text === undefined;
    this.#text = text;
    this.cosigned = cosigned;
  }

  /** The root hash, 32 bytes. */
  get rootHash(): Uint8Array {
    return strictBase64(this.root);
  }

  /**
   * The log's signature, in the form of its type: 64 bytes for Ed25519, about 70 for ECDSA. Types
   * 0x05 and 0x06 begin with their timestamp. Another valid signature on the same statement says
   * nothing new.
   */
  get signature(): Uint8Array {
    return strictBase64(this.#signature);
  }

  /**
   * The signed note: the text as the log signed it, and the log's line. Other lines that came with
   * it are not kept. Nobody here has checked them, and anyone can add one.
   */
  get note(): string {
    const { log: { origin, vkey }, treeSize, root, signature } = this;
    const text = this.#text ?? textOfRoot({ origin, treeSize, root });
    return formatNote({ text, vkey, signature });
  }

  /** The same checkpoint without the cosignatures that came with it, which take far more memory. */
  get alone(): VerifiedCheckpoint {
    if (this.cosigned.length === 0) return this;
    return new VerifiedCheckpoint(VERIFIED, this.log, this, this.#text);
  }

  /** The signed note, and a line for each cosignature that holds on its text. */
  get noteWithCosignatures(): string {
    return this.noteWith(this.cosigned);
  }

  /**
   * The signed note with the lines of these cosigned checkpoints. Those that are of another
   * checkpoint, or do not hold on this note's text, are left out.
   */
  noteWith(cosigned: readonly VerifiedCheckpoint[]): string {
    const lines = cosigned.filter((one) => this.#isSame(one))
      .map(({ log: { vkey }, signature }) => `${formatSignatureLine({ vkey, signature })}\n`);
    return this.note + lines.join("");
  }

  /** ML-DSA covers no extension lines, so it holds on any text of this size and root. */
  #isSame(other: VerifiedCheckpoint): boolean {
    const isSameHead = other.treeSize === this.treeSize && other.root === this.root;
    if (!isSameHead || other.log.origin !== this.log.origin) return false;
    return other.log.vkey.type === SIGNATURE_TYPE.mldsa44 || other.#text === this.#text;
  }

  /**
   * When it was signed, in POSIX seconds, as a cosigner states it; 0 if the cosigner does not say that
   * it has seen no larger tree. Nothing for what a log has signed.
   */
  get cosignedAt(): bigint | undefined {
    return this.log.isCosigner && readTimestamped(this.signature)?.time;
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

/**
 * Whether this log's checkpoints can travel as frames: its signatures have 64 bytes and cover the
 * text.
 */
function isFramed(log: Log): boolean {
  return log.vkey.type === SIGNATURE_TYPE.ed25519;
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
  /**
   * Whether it was read whole and states something that no tree can have. Then it contradicts
   * nothing.
   */
  readonly isImpossible?: boolean;
  readonly detail: string;
}

function refusedAs(error: MalformedError): Refused {
  const isImpossible = error instanceof ImpossibleError;
  return { refused: "malformed", detail: error.message, ...(isImpossible && { isImpossible }) };
}

/** A note that at least one of the logs signed. */
export interface OpenedNote {
  /** One for each of the logs that signed it: one origin may have two keys. */
  readonly checkpoints: VerifiedCheckpoint[];
  /** What the logs signed: the note's text, extension lines included. */
  readonly text: string;
  /**
   * The signature lines of other keys, in order. **Nobody has checked them.** They may be
   * cosignatures; `readCosignatures` finds those that hold.
   */
  readonly unjudged: readonly string[];
}

/**
 * Opens a signed note as a checkpoint of one of these logs.
 *
 *     const opened = openCheckpoint({ note, logs });
 *     if ("refused" in opened) return report(opened.refused, opened.detail);
 *     for (const checkpoint of opened) detector.observe(checkpoint, source);
 *
 * A refusal is a value and not an error: a wrong signature is an expected outcome.
 * @param note bytes as received, or text out of a JSON string
 * @param logs the logs followed; `parseLogs` makes them distinct
 * @returns one verified checkpoint for each of the logs that signed it (one origin may have two
 *   keys), or why there is none
 */
export function openCheckpoint(
  { note, logs }: { note: Uint8Array | string; logs: readonly Log[] },
): VerifiedCheckpoint[] | Refused {
  const opened = openNote({ note, logs });
  return "refused" in opened ? opened : opened.checkpoints;
}

/** How many cosignatures may still fail of what somebody tells; each that fails is taken off. */
export interface Trials {
  left: number;
}

/**
 * As `openCheckpoint`, and hands on what it did not judge.
 * @param trials once none is left, no more cosignatures are read: who makes up lines costs a
 *   verification with each. Without it there is no such limit
 */
export function openNote(
  { note, logs, trials }: {
    note: Uint8Array | string;
    logs: readonly Log[];
    trials?: Trials | undefined;
  },
): OpenedNote | Refused {
  let parsed: Note;
  try {
    parsed = parseNote(note);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return refusedAs(error);
  }
  return openParsedNote({ parsed, logs, trials });
}

/** As `openNote`, for a note that was taken apart by `parseNote`. */
export function openParsedNote(
  { parsed, logs, trials }: {
    parsed: Note;
    logs: readonly Log[];
    trials?: Trials | undefined;
  },
): OpenedNote | Refused {
  let stated: CheckpointText;
  try {
    stated = parseCheckpointText(parsed.text);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return refusedAs(error);
  }
  // Only keys of this origin: another log's key on the note must not decide about this one.
  const verifiers = logs.filter(({ origin }) => origin === stated.origin);
  const result = verifyNote({ note: parsed, verifiers });
  if ("failed" in result) {
    const refused = result.known ? "bad signature" : "unknown log";
    const stranger = result.known ? undefined : signerOfAnotherOrigin(parsed, logs);
    const why = stranger === undefined
      ? result.failed
      : `signed by ${stranger.text}, which is configured for another origin`;
    const detail = `checkpoint of ${quoted(stated.origin)} size ${stated.treeSize}: ${why}`;
    return { refused, detail };
  }
  // A text is accepted in one spelling only. So it is plain if it has no more than the three lines.
  const isPlain = stated.extensions.length === 0;
  const checkpoints = result.verified.map(({ vkey, signature }) => {
    const log = verifiers.find((log) => log.vkey.text === vkey.text)!;
    // ML-DSA does not sign extension lines. So nobody vouches for them, and they are not kept.
    const signsText = log.vkey.type !== SIGNATURE_TYPE.mldsa44;
    const text = isPlain || !signsText ? undefined : parsed.text;
    const fields = { treeSize: stated.treeSize, root: base64(stated.rootHash), signature };
    const cosigned = cosignedOf(log, { ...parsed, ...fields }, trials);
    return new VerifiedCheckpoint(VERIFIED, log, fields, text, cosigned);
  });
  return { checkpoints, text: parsed.text, unjudged: result.unjudged };
}

/**
 * What the cosigners of a log have signed of this checkpoint. A line that does not hold counts for
 * nothing and harms no other (RULES S6). Of several of one cosigner the latest counts.
 */
function cosignedOf(
  { cosigners }: Log,
  { text, lines, treeSize, root }: Note & Pick<VerifiedFields, "treeSize" | "root">,
  trials: Trials = { left: Infinity },
): readonly VerifiedCheckpoint[] {
  if (cosigners.all.length === 0) return NONE;
  const signed = [...new Set(lines)].flatMap((line) => readSignatureLine(line) ?? []);
  const message = utf8(text);
  const isPlain = text === textOfRoot({ origin: cosigners.all[0]!.origin, treeSize, root });
  return cosigners.all.flatMap((log) => {
    const [latest] = signed.filter((line) => isLineOf(line, log.vkey))
      .slice(0, MAX_LINES_PER_COSIGNER)
      .filter(({ signature }) => {
        if (trials.left <= 0) return false;
        const holds = log.verifies({ message, signature });
        if (!holds) trials.left--;
        return holds;
      })
      .map(({ signature }) => ({ signature, time: readTimestamped(signature)!.time }))
      .toSorted((a, b) => a.time < b.time ? 1 : -1);
    if (latest === undefined) return [];
    const fields = { treeSize, root, signature: latest.signature };
    const signsText = log.vkey.type !== SIGNATURE_TYPE.mldsa44;
    return [
      new VerifiedCheckpoint(VERIFIED, log, fields, isPlain || !signsText ? undefined : text),
    ];
  });
}

/**
 * The key that signed the note, if it is configured for another origin. The refusal names such a
 * key (RULES R10).
 */
function signerOfAnotherOrigin(note: Note, logs: readonly Log[]): Vkey | undefined {
  const verifiers = [...new Map(logs.map((log) => [log.vkey.text, log])).values()];
  const result = verifyNote({ note, verifiers });
  return "verified" in result ? result.verified[0]!.vkey : undefined;
}

/**
 * Opens a frame. A frame does not name its log. So the signed text is rebuilt from the origin of
 * each Ed25519 log, and the log is the one under whose key the signature verifies.
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
    return refusedAs(error);
  }
  const { treeSize, signature } = fields;
  const root = base64(fields.rootHash);
  for (const log of logs) {
    if (!isFramed(log)) continue;
    const message = utf8Briefly(textOfRoot({ origin: log.origin, treeSize, root }));
    if (log.verifies({ message, signature })) {
      return new VerifiedCheckpoint(VERIFIED, log, { treeSize, root, signature });
    }
  }
  return {
    refused: "bad signature",
    detail: `frame of size ${treeSize}: the signature verifies under no configured log's key`,
  };
}
