/**
 * Signature type 0x06 (RULES S5): the ML-DSA-44 (sub)tree cosignature of C2SP tlog-cosignature.
 * Logs also sign their own checkpoints with it. It has a timestamp of its own. It covers the key's
 * name, the origin, the size and the root, but **not extension lines**.
 *
 * WebCrypto has ML-DSA-44, but only with promises. So noble's implementation checks here.
 *
 * @module
 */
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { concat } from "@std/bytes/concat";
import { type CheckpointText, parseCheckpointText } from "./checkpoint_text.ts";
import { textOf, utf8 } from "./encoding.ts";
import { MalformedError } from "./malformed.ts";

/** Bytes of an ML-DSA-44 public key and signature (FIPS 204 table 2). */
export const MLDSA44_KEY_BYTES = 1312;
/** Bytes of an ML-DSA-44 signature (FIPS 204 table 2). */
export const MLDSA44_SIGNATURE_BYTES = 2420;

const TIMESTAMP_BYTES = 8;
/** "MUST NOT exceed 2^63 - 1" (C2SP tlog-cosignature, "Format"). */
const MAX_TIMESTAMP = 2n ** 63n - 1n;
/** `opaque cosigner_name<1..2^8-1>`, and the origin likewise. */
const MAX_NAME_BYTES = 255;
const LABEL = utf8("subtree/v1\n\0");

declare const sound: unique symbol;
/** A public key that passed every check; `importMlDsa44Key` makes it. */
export type MlDsa44Key = Uint8Array & { readonly [sound]: true };

/**
 * Loads a public key. Every value of this length is one (FIPS 204 section 7.2).
 * @throws MalformedError for another length
 */
export function importMlDsa44Key(bytes: Uint8Array): MlDsa44Key {
  if (bytes.length !== MLDSA44_KEY_BYTES) {
    throw new MalformedError(
      `ML-DSA-44 key has ${bytes.length} bytes, expected ${MLDSA44_KEY_BYTES}`,
    );
  }
  return bytes as MlDsa44Key;
}

/** Whether `signature` is this key's over `message`, with an empty context (FIPS 204 section 5.3). */
export function verifyMlDsa44(
  { key, message, signature }: { key: MlDsa44Key; message: Uint8Array; signature: Uint8Array },
): boolean {
  return signature.length === MLDSA44_SIGNATURE_BYTES && ml_dsa44.verify(signature, message, key);
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
  if (signature.length !== TIMESTAMP_BYTES + MLDSA44_SIGNATURE_BYTES) return false;
  const timestamp = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (timestamp > MAX_TIMESTAMP) return false;
  let checkpoint: CheckpointText;
  try {
    checkpoint = parseCheckpointText(textOf(message));
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
  const cosigned = cosignedMessage({ name, timestamp, checkpoint });
  if (cosigned === undefined) return false;
  return verifyMlDsa44({ key, message: cosigned, signature: signature.slice(TIMESTAMP_BYTES) });
}

/**
 * The `cosigned_message` of C2SP tlog-cosignature for a checkpoint, which is the subtree from 0 to
 * its size: `label | name | uint64 time | origin | uint64 0 | uint64 size | root`.
 * @returns nothing if the name or the origin is longer than it can hold
 */
export function cosignedMessage(
  { name, timestamp, checkpoint }: {
    name: string;
    timestamp: bigint;
    checkpoint: Pick<CheckpointText, "origin" | "treeSize" | "rootHash">;
  },
): Uint8Array<ArrayBuffer> | undefined {
  const [nameBytes, origin] = [utf8(name), utf8(checkpoint.origin)];
  if (nameBytes.length > MAX_NAME_BYTES || origin.length > MAX_NAME_BYTES) return undefined;
  return concat([
    LABEL,
    ...[Uint8Array.of(nameBytes.length), nameBytes],
    uint64(timestamp),
    ...[Uint8Array.of(origin.length), origin],
    ...[uint64(0n), uint64(checkpoint.treeSize)],
    checkpoint.rootHash,
  ]);
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
