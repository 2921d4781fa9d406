/**
 * Cosignatures of C2SP tlog-cosignature: a cosigner's statement about a log's checkpoint. It names
 * the time at which it was made.
 *
 * - Type 0x04 (RULES S6) is Ed25519. It covers the whole text of the checkpoint, and **not the
 *   cosigner's name**. So a cosignature under one name also holds under another name with the same
 *   key.
 * - Type 0x06 (RULES S5) is ML-DSA-44. It covers the cosigner's name, the origin, the size and the
 *   root, and **not extension lines**. Logs also sign their own checkpoints with it. A cosigner can
 *   sign a subtree with it too.
 *
 * A cosignature that holds says nothing about the log's own signature: `openNote` checks that one,
 * and hands on the lines that may be cosignatures.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { parseCheckpointText } from "./checkpoint_text.ts";
import { MAX_TREE_SIZE, textOf, utf8 } from "./encoding.ts";
import { importEd25519Key, verifyEd25519 } from "./ed25519.ts";
import { HASH_BYTES } from "./hashing.ts";
import { MalformedError, printable } from "./malformed.ts";
import {
  importMlDsa44Key,
  MLDSA44_SIGNATURE_BYTES,
  type MlDsa44Key,
  verifyMlDsa44,
} from "./mldsa.ts";
import { formatSignatureLine, isLineOf, readSignatureLine } from "./signature_line.ts";
import type { SubtreeRange } from "./subtree.ts";
import { SIGNATURE_TYPE, type Vkey } from "./vkey.ts";

const TIMESTAMP_BYTES = 8;
/** "MUST NOT exceed 2^63 - 1" (tlog-cosignature, "Format"). */
const MAX_TIMESTAMP = 2n ** 63n - 1n;
/** `opaque cosigner_name<1..2^8-1>`, and the origin likewise ("ML-DSA-44 signed message"). */
const MAX_NAME_BYTES = 255;
const LABEL = utf8("subtree/v1\n\0");

/** A key that cosigns checkpoints. `loadCosigner` makes one from a vkey. */
export interface Cosigner {
  readonly vkey: Vkey;
  /** Whether this key made `signature` (without the key id) on the checkpoint with this text. */
  verifies(signed: { text: string; signature: Uint8Array }): boolean;
}

/** A cosignature that was checked and holds. */
export interface Cosignature {
  /** Whose it is. */
  readonly vkey: Vkey;
  /**
   * Its POSIX time in seconds, as the cosigner states it. 0 means that the cosigner does not say
   * that it has seen no larger tree ("ML-DSA-44 signed message").
   */
  readonly time: bigint;
  /** The signature line, without a newline. */
  readonly line: string;
}

/**
 * Loads the key of a cosigner.
 * @throws MalformedError for another type than 0x04 and 0x06, or a key that is not sound
 */
export function loadCosigner(vkey: Vkey): Cosigner {
  const { name, publicKey } = vkey;
  switch (vkey.type) {
    case SIGNATURE_TYPE.cosignature: {
      const key = importEd25519Key(publicKey);
      return {
        vkey,
        verifies({ text, signature }) {
          const parts = readTimestamped(signature);
          if (parts === undefined || subtreeOf(utf8(text)) === undefined) return false;
          const message = ed25519CosignedMessage({ text, time: parts.time });
          return verifyEd25519({ key, message, signature: parts.signature });
        },
      };
    }
    case SIGNATURE_TYPE.mldsa44: {
      const key = importMlDsa44Key(publicKey);
      return {
        vkey,
        verifies: ({ text, signature }) =>
          verifyMlDsa44Checkpoint({ key, name, message: utf8(text), signature }),
      };
    }
    default:
      throw new MalformedError(
        `${printable(name)} has a key of signature type 0x0${vkey.type.toString(16)}, expected ` +
          "a cosigner's: 0x04 or 0x06",
      );
  }
}

/**
 * Finds the cosignatures of these cosigners among the lines of a note.
 *
 *     const opened = openNote({ note, logs });
 *     if ("refused" in opened) return report(opened.detail);
 *     const { text, unjudged } = opened;
 *     const cosignatures = readCosignatures({ text, lines: unjudged, cosigners });
 *
 * A line that does not hold is left out, and the others count all the same: anyone can add a line
 * under any name. A cosigner may have several that hold, at different times.
 * @param text the note's text, which is a checkpoint text
 */
export function readCosignatures(
  { text, lines, cosigners }: {
    text: string;
    lines: readonly string[];
    cosigners: readonly Cosigner[];
  },
): Cosignature[] {
  return [...new Set(lines)].flatMap((line) => {
    const signed = readSignatureLine(line);
    if (signed === undefined) return [];
    const { signature } = signed;
    return cosigners
      .filter(({ vkey }) => isLineOf(signed, vkey))
      .filter((cosigner) => cosigner.verifies({ text, signature }))
      .map(({ vkey }) => ({ vkey, time: readTimestamped(signature)!.time, line }));
  });
}

/**
 * What a cosigner signs to cosign a checkpoint: the message of its key's type.
 * @param text the checkpoint's text
 * @param time POSIX seconds, at least 1: a witness states a time (C2SP tlog-witness)
 * @throws MalformedError if the key is of another type, or the checkpoint has no place in its message
 */
export function cosignatureMessage(
  { vkey, text, time }: { vkey: Vkey; text: string; time: bigint },
): Uint8Array<ArrayBuffer> {
  const subtree = subtreeOf(utf8(text));
  if (time < 1n || time > MAX_TIMESTAMP || subtree === undefined) {
    throw new MalformedError("Cannot cosign: expected a checkpoint, and a time from 1 to 2^63 - 1");
  }
  const message = vkey.type === SIGNATURE_TYPE.cosignature
    ? ed25519CosignedMessage({ text, time })
    : vkey.type === SIGNATURE_TYPE.mldsa44
    ? cosignedMessage({ name: vkey.name, time, subtree })
    : undefined;
  if (message !== undefined) return message;
  throw new MalformedError(
    `Cannot cosign with ${printable(vkey.text)}: expected a cosigner's key, and a name and an ` +
      `origin of at most ${MAX_NAME_BYTES} bytes`,
  );
}

/**
 * Whether a cosigner's key can cosign checkpoints of an origin: the message of type 0x06 has room for
 * 255 bytes of it.
 */
export function canCosign({ vkey, origin }: { vkey: Vkey; origin: string }): boolean {
  return vkey.type !== SIGNATURE_TYPE.mldsa44 ||
    [vkey.name, origin].every((name) => utf8(name).length <= MAX_NAME_BYTES);
}

/** The signature line of a cosignature ("Format"): the time, then the signature. */
export function formatCosignature(
  { vkey, time, signature }: { vkey: Vkey; time: bigint; signature: Uint8Array },
): string {
  return formatSignatureLine({ vkey, signature: concat([uint64(time), signature]) });
}

/**
 * What a cosigner of type 0x04 signs ("Ed25519 signed message"): two lines, and the whole text with
 * its final newline.
 */
export function ed25519CosignedMessage(
  { text, time }: { text: string; time: bigint },
): Uint8Array<ArrayBuffer> {
  return utf8(`cosignature/v1\ntime ${time}\n${text}`);
}

/** The parts of a `timestamped_signature` ("Format"), or nothing if it cannot be one. */
export function readTimestamped(
  bytes: Uint8Array,
): { time: bigint; signature: Uint8Array } | undefined {
  if (bytes.length <= TIMESTAMP_BYTES) return undefined;
  const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  if (time > MAX_TIMESTAMP) return undefined;
  return { time, signature: bytes.slice(TIMESTAMP_BYTES) };
}

/**
 * Whether `signature` is this key's on the checkpoint whose text is `message`.
 * @param name the key's name
 * @param signature `uint64 seconds | ML-DSA-44 signature`
 */
export function verifyMlDsa44Checkpoint(
  { key, name, message, signature }: {
    key: MlDsa44Key;
    name: string;
    message: Uint8Array;
    signature: Uint8Array;
  },
): boolean {
  const parts = readTimestamped(signature);
  const subtree = subtreeOf(message);
  if (parts === undefined || subtree === undefined) return false;
  const cosigned = cosignedMessage({ name, time: parts.time, subtree });
  if (cosigned === undefined) return false;
  return verifyMlDsa44({ key, message: cosigned, signature: parts.signature });
}

/** The entries of a log from `start` up to and without `end`, and what their tree hashes to. */
export interface Subtree extends SubtreeRange {
  readonly origin: string;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/**
 * Whether `signature` is this cosigner's on a subtree, with time 0. It has two forms: 8 bytes of
 * zero and the ML-DSA-44 signature, as tlog-cosignature says, or the signature alone. Both occur,
 * and the signed message is the same (C2SP issue 345, pull request 346). Whether `start` and `end`
 * make a valid subtree is for the caller to check.
 * @param vkey of type 0x06
 */
export function verifySubtreeCosignature(
  { vkey, subtree, signature }: { vkey: Vkey; subtree: Subtree; signature: Uint8Array },
): boolean {
  if (vkey.type !== SIGNATURE_TYPE.mldsa44) return false;
  const isBare = signature.length === MLDSA44_SIGNATURE_BYTES;
  const parts = isBare ? { time: 0n, signature } : readTimestamped(signature);
  if (parts?.time !== 0n) return false;
  const message = cosignedMessage({ name: vkey.name, time: 0n, subtree });
  if (message === undefined) return false;
  const key = importMlDsa44Key(vkey.publicKey);
  return verifyMlDsa44({ key, message, signature: parts.signature });
}

/**
 * What a cosigner of type 0x06 signs to cosign a subtree: the message with time 0.
 * @throws MalformedError if the key is of another type, or the subtree has no place in the message
 */
export function subtreeMessage(
  { vkey, subtree }: { vkey: Vkey; subtree: Subtree },
): Uint8Array<ArrayBuffer> {
  const message = vkey.type === SIGNATURE_TYPE.mldsa44
    ? cosignedMessage({ name: vkey.name, time: 0n, subtree })
    : undefined;
  if (message !== undefined) return message;
  throw new MalformedError(
    `Cannot cosign a subtree with ${
      printable(vkey.text)
    }: expected a key of type 0x06, a name and ` +
      `an origin of at most ${MAX_NAME_BYTES} bytes, and a range of entries`,
  );
}

/**
 * The signature line of a cosignature on a subtree, as tlog-cosignature has it today: 8 bytes of zero
 * and the signature. `verifySubtreeCosignature` reads the other form too. So what C2SP pull request
 * 346 may change is in these two functions.
 */
export function formatSubtreeCosignature(
  { vkey, signature }: { vkey: Vkey; signature: Uint8Array },
): string {
  return formatCosignature({ vkey, time: 0n, signature });
}

/** The subtree that a checkpoint is: from 0 to its size. Nothing if the text is no checkpoint. */
function subtreeOf(text: Uint8Array): Subtree | undefined {
  try {
    const { origin, treeSize, rootHash } = parseCheckpointText(textOf(text));
    return { origin, start: 0n, end: treeSize, hash: rootHash };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/**
 * The `cosigned_message` ("ML-DSA-44 signed message"):
 * `label | name | uint64 time | origin | uint64 start | uint64 end | hash`.
 * @returns nothing if a part has no place in it: a name or an origin that is empty or has more than
 *   255 bytes, a range that is none, a hash of another length
 */
function cosignedMessage(
  { name, time, subtree: { origin, start, end, hash } }: {
    name: string;
    time: bigint;
    subtree: Subtree;
  },
): Uint8Array<ArrayBuffer> | undefined {
  const names = [utf8(name), utf8(origin)];
  if (names.some(({ length }) => length === 0 || length > MAX_NAME_BYTES)) return undefined;
  if (start < 0n || start > end || end > MAX_TREE_SIZE) return undefined;
  if (hash.length !== HASH_BYTES) return undefined;
  const [cosigner, log] = names.map((bytes) => concat([Uint8Array.of(bytes.length), bytes]));
  return concat([LABEL, cosigner!, uint64(time), log!, uint64(start), uint64(end), hash]);
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
