/**
 * ML-DSA-44 of FIPS 204: keys and signatures. `cosignature.ts` says what is signed with it.
 *
 * WebCrypto has ML-DSA-44, but only with promises. So noble's implementation checks here.
 *
 * @module
 */
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { MalformedError } from "./malformed.ts";

/** Bytes of an ML-DSA-44 public key (FIPS 204 table 2). */
export const MLDSA44_KEY_BYTES = 1312;
/** Bytes of an ML-DSA-44 signature (FIPS 204 table 2). */
export const MLDSA44_SIGNATURE_BYTES = 2420;

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
