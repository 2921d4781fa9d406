/**
 * Ed25519 with one verdict everywhere (RULES S2). Platforms differ on odd encodings, and change
 * with upgrades. So checks on the bytes alone come first, and leave the platform nothing to
 * disagree about: S is below L; A and R are canonical and not of small order.
 *
 * @module
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { decodeHex } from "@std/encoding/hex";
import { MalformedError } from "./malformed.ts";

/** Bytes of an Ed25519 public key. */
export const ED25519_KEY_BYTES = 32;
/** Bytes of an Ed25519 signature: R, then S. */
export const ED25519_SIGNATURE_BYTES = 64;

declare const sound: unique symbol;
/** A public key that passed every check, in the platform's form; `importEd25519Key` makes it. */
export type Ed25519Key = KeyObject & { readonly [sound]: true };

// The group order L = 2^252 + 27742317777372353535851937790883648493 (RFC 8032 section 5.1),
// little-endian as S is.
const ORDER = decodeHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

// y coordinates of the eight points whose order divides 8, little-endian, sign bit clear:
// order 1, 2, 4, and the two of order 8. Each but the first two stands for two points (±x).
const SMALL_ORDER_Y = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(decodeHex);

/**
 * Loads a public key. It refuses here, once, every key on which verdicts could differ later.
 * @param bytes 32 bytes, the encoding of A (RFC 8032 section 5.1.2)
 * @throws MalformedError for a wrong length, a non-canonical or small-order key, or no curve point
 */
export function importEd25519Key(bytes: Uint8Array): Ed25519Key {
  if (bytes.length !== ED25519_KEY_BYTES) {
    throw new MalformedError(
      `Ed25519 key has ${bytes.length} bytes, expected ${ED25519_KEY_BYTES}`,
    );
  }
  if (!isCanonicalPoint(bytes, 0)) {
    throw new MalformedError("Ed25519 key is not in canonical encoding");
  }
  if (isSmallOrder(bytes, 0)) {
    throw new MalformedError("Ed25519 key has small order: one signature would fit many texts");
  }
  // RFC 8037 section 2.
  const x = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const key = { kty: "OKP", crv: "Ed25519", x };
  try {
    return createPublicKey({ key, format: "jwk" }) as Ed25519Key;
  } catch {
    throw new MalformedError("Ed25519 key is not a point of the curve");
  }
}

/** Whether `signature` is this key's over `message` (RFC 8032 section 5.1.7, cofactorless). */
export function verifyEd25519(
  { key, message, signature }: { key: Ed25519Key; message: Uint8Array; signature: Uint8Array },
): boolean {
  return isUnambiguous(signature) && verify(null, message, key, signature);
}

/** The checks on its bytes that a signature must pass before any implementation verifies it. */
export function isUnambiguous(signature: Uint8Array): boolean {
  return signature.length === ED25519_SIGNATURE_BYTES && isBelowOrder(signature, 32) &&
    isCanonicalPoint(signature, 0) && !isSmallOrder(signature, 0);
}

/** S < L, for the 32 little-endian bytes at `at`. */
function isBelowOrder(bytes: Uint8Array, at: number): boolean {
  for (let i = 31; i >= 0; i--) {
    if (bytes[at + i]! !== ORDER[i]!) return bytes[at + i]! < ORDER[i]!;
  }
  return false;
}

/** y < p = 2^255-19, and x not "minus zero": the sign bit is never set where x is 0 (y = ±1). */
function isCanonicalPoint(bytes: Uint8Array, at: number): boolean {
  const signBit = bytes[at + 31]! & 0x80;
  if (
    signBit !== 0 && (sameY(bytes, at, SMALL_ORDER_Y[0]!) || sameY(bytes, at, SMALL_ORDER_Y[1]!))
  ) {
    return false;
  }
  if ((bytes[at + 31]! & 0x7f) !== 0x7f) return true;
  for (let i = 30; i >= 1; i--) if (bytes[at + i] !== 0xff) return true;
  return bytes[at]! < 0xed;
}

function isSmallOrder(bytes: Uint8Array, at: number): boolean {
  return SMALL_ORDER_Y.some((y) => sameY(bytes, at, y));
}

function sameY(bytes: Uint8Array, at: number, y: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (bytes[at + i] !== y[i]) return false;
  return (bytes[at + 31]! & 0x7f) === y[31];
}
