/**
 * Signature type 0x05 (RULES S4): the TreeHeadSignature of RFC 6962 in a note, as static-ct-api
 * defines it. It has a timestamp of its own. It covers size and root, but **not the origin**: only
 * the key ties it to a log.
 *
 * @module
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { parseCheckpointText } from "./checkpoint_text.ts";
import { type EcdsaKey, importEcdsaKey, isP256Spki, verifyEcdsa } from "./ecdsa.ts";
import { textOf } from "./encoding.ts";
import { HASH_BYTES } from "./hashing.ts";
import { MalformedError } from "./malformed.ts";

/** Smallest RSA modulus (RFC 6962 section 2.1.4). */
export const MIN_RSA_BITS = 2048;
/** Largest RSA modulus. The time of a verification grows with its square. */
export const MAX_RSA_BITS = 8192;

/** A public key that passed every check, and the SignatureAlgorithm it goes with. */
export type Rfc6962Key =
  | { readonly algorithm: typeof ECDSA; readonly key: EcdsaKey }
  | { readonly algorithm: typeof RSA; readonly key: KeyObject };

// HashAlgorithm and SignatureAlgorithm of TLS 1.2 (RFC 5246 section 7.4.1.4.1).
const SHA256 = 4;
const RSA = 1;
const ECDSA = 3;

/** Bytes before the signature: timestamp (8), the two algorithms (1 each), a length (2). */
const TIMESTAMP_BYTES = 8;
const HEADER_BYTES = TIMESTAMP_BYTES + 4;

/** Version v1 and SignatureType tree_hash (RFC 6962 section 3.5). */
const VERSION = 0;
const TREE_HASH = 1;
const SIZE_AT = 2 + TIMESTAMP_BYTES;
const ROOT_AT = SIZE_AT + 8;

/**
 * Loads a public key.
 * @param spki SubjectPublicKeyInfo in DER: P-256, or RSA of 2,048 to 8,192 bits
 * @throws MalformedError for any other key, or another spelling of one
 */
export function importRfc6962Key(spki: Uint8Array): Rfc6962Key {
  return isP256Spki(spki)
    ? { algorithm: ECDSA, key: importEcdsaKey(spki) }
    : { algorithm: RSA, key: importRsaKey(spki) };
}

/** Whether a loaded key is an RSA one. */
export function isRsa(key: Rfc6962Key): key is Extract<Rfc6962Key, { key: KeyObject }> {
  return key.algorithm === RSA;
}

function importRsaKey(spki: Uint8Array): KeyObject {
  let key: KeyObject, canonical: Uint8Array;
  try {
    const base64 = spki.toBase64();
    key = createPublicKey({ key: base64, encoding: "base64", format: "der", type: "spki" });
    canonical = key.export({ format: "der", type: "spki" });
  } catch {
    throw new MalformedError("RFC 6962 key is neither a P-256 nor an RSA SubjectPublicKeyInfo");
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== "rsa" || canonical.toHex() !== spki.toHex()) {
    throw new MalformedError("RFC 6962 key is neither a P-256 nor an RSA SubjectPublicKeyInfo");
  }
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
    throw new MalformedError(
      `RSA key has ${modulusLength} bits, expected ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`,
    );
  }
  if (publicExponent < 3n || publicExponent % 2n === 0n) {
    throw new MalformedError(`RSA exponent is ${publicExponent}, expected an odd one above 1`);
  }
  return key;
}

/** The parts of a tree head signature: its algorithm, what it is over, and the signature itself. */
export interface TreeHeadSignature {
  /** A SignatureAlgorithm: 1 is RSA, 3 is ECDSA; the hash is SHA-256. */
  readonly algorithm: number;
  /** The TreeHeadSignature input of RFC 6962 section 3.5. */
  readonly message: Uint8Array;
  /** DER for ECDSA; as long as the modulus for RSA (RSASSA-PKCS1-v1_5). */
  readonly signature: Uint8Array;
}

/**
 * Takes a signature of type 0x05 apart: `uint64 timestamp in ms | TLS DigitallySigned`.
 * @param message the text of the note it stands on
 * @returns nothing if it cannot be one, or if the text is not a checkpoint of three lines. The
 *   signature does not cover extension lines, so static-ct-api forbids them
 */
export function readTreeHeadSignature(
  { message, signature }: { message: Uint8Array; signature: Uint8Array },
): TreeHeadSignature | undefined {
  if (signature.length < HEADER_BYTES) return undefined;
  const view = new DataView(signature.buffer, signature.byteOffset);
  const [hash, algorithm] = signature.subarray(TIMESTAMP_BYTES) as Uint8Array & [number, number];
  const length = view.getUint16(TIMESTAMP_BYTES + 2);
  if (hash !== SHA256 || signature.length !== HEADER_BYTES + length) return undefined;
  const input = treeHeadOf(message);
  if (input === undefined) return undefined;
  input.set(signature.subarray(0, TIMESTAMP_BYTES), 2);
  return { algorithm, message: input, signature: signature.slice(HEADER_BYTES) };
}

/** `version | signature type | uint64 timestamp | uint64 size | root`, the timestamp left zero. */
function treeHeadOf(text: Uint8Array): Uint8Array | undefined {
  try {
    const { treeSize, rootHash, extensions } = parseCheckpointText(textOf(text));
    if (extensions.length > 0) return undefined;
    const input = new Uint8Array(ROOT_AT + HASH_BYTES);
    input.set([VERSION, TREE_HASH]);
    new DataView(input.buffer).setBigUint64(SIZE_AT, treeSize);
    input.set(rootHash, ROOT_AT);
    return input;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** Whether `signature` is this key's on the checkpoint whose text is `message`. */
export function verifyRfc6962(
  { key, message, signature }: { key: Rfc6962Key; message: Uint8Array; signature: Uint8Array },
): boolean {
  const signed = readTreeHeadSignature({ message, signature });
  if (signed?.algorithm !== key.algorithm) return false;
  return key.algorithm === ECDSA
    ? verifyEcdsa({ key: key.key, message: signed.message, signature: signed.signature })
    : verify("sha256", signed.message, key.key, signed.signature);
}
