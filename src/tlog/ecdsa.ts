/**
 * ECDSA on P-256 with SHA-256 (signature type 0x02, and most logs of type 0x05), with one verdict
 * everywhere: a key has one spelling, and so has a signature. Platforms differ in how much sloppy
 * DER they forgive. (s and n - s are both accepted, as everywhere: whose signature it is, on what,
 * is the same.)
 *
 * @module
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { decodeHex } from "@std/encoding/hex";
import { MalformedError } from "./malformed.ts";

declare const sound: unique symbol;
/** A public key that passed every check, in the platform's form; `importEcdsaKey` makes it. */
export type EcdsaKey = KeyObject & { readonly [sound]: true };

// SubjectPublicKeyInfo of an uncompressed point of P-256, up to its coordinates: id-ecPublicKey,
// prime256v1, BIT STRING, 04 (RFC 5480 section 2). Compressed points and explicit curve parameters
// would be other spellings of the same key.
const SPKI_PREFIX = decodeHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
const POINT_BYTES = 64;

/** The order of the group (FIPS 186-4 section D.1.2.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** Whether an SPKI begins as one of P-256 does here. */
export function isP256Spki(spki: Uint8Array): boolean {
  return SPKI_PREFIX.every((byte, i) => spki[i] === byte);
}

/**
 * The uncompressed point of a P-256 SPKI.
 * @returns 65 bytes: 04, x, y (SEC 1 section 2.3.3)
 */
export function pointOf(spki: Uint8Array): Uint8Array {
  return spki.slice(SPKI_PREFIX.length - 1);
}

/**
 * Loads a public key.
 * @param spki SubjectPublicKeyInfo in DER, of an uncompressed point of P-256
 * @throws MalformedError for another curve or spelling, or no point of the curve
 */
export function importEcdsaKey(spki: Uint8Array): EcdsaKey {
  if (!isP256Spki(spki) || spki.length !== SPKI_PREFIX.length + POINT_BYTES) {
    throw new MalformedError(
      "ECDSA key is not the SubjectPublicKeyInfo of an uncompressed P-256 point",
    );
  }
  const [x, y] = [spki.slice(-POINT_BYTES, -POINT_BYTES / 2), spki.slice(-POINT_BYTES / 2)]
    .map((bytes) => bytes.toBase64({ alphabet: "base64url", omitPadding: true })) as [
      string,
      string,
    ];
  try {
    // RFC 7518 section 6.2.1; the platform checks that the point is on the curve.
    return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" }) as EcdsaKey;
  } catch {
    throw new MalformedError("ECDSA key is not a point of the curve");
  }
}

/**
 * Whether `signature` is this key's over SHA-256 of `message` (FIPS 186-4 section 6.4).
 * @param signature ECDSA-Sig-Value in DER (RFC 3279 section 2.2.3)
 */
export function verifyEcdsa(
  { key, message, signature }: { key: EcdsaKey; message: Uint8Array; signature: Uint8Array },
): boolean {
  return isStrictSignature(signature) && verify("sha256", message, key, signature);
}

/** The byte checks a signature must pass before anyone's verify is asked: DER, r and s in range. */
export function isStrictSignature(signature: Uint8Array): boolean {
  if (signature[0] !== SEQUENCE || signature[1] !== signature.length - 2) return false;
  const r = readScalar(signature, 2);
  const s = r && readScalar(signature, r.end);
  return s?.end === signature.length;
}

/** An INTEGER from 1 to n - 1 in its one DER spelling: where it ends, or nothing. */
function readScalar(bytes: Uint8Array, at: number): { end: number } | undefined {
  const length = bytes[at + 1] ?? 0;
  const end = at + 2 + length;
  // 33 bytes at most, so the length needs no second byte.
  if (bytes[at] !== INTEGER || length < 1 || length > 33 || end > bytes.length) return undefined;
  const [first, second = 0] = bytes.subarray(at + 2, end) as Uint8Array & [number, number?];
  // A set top bit is a minus sign; a leading zero is there only to clear it.
  if (first >= 0x80 || (first === 0 && second < 0x80)) return undefined;
  const value = BigInt(`0x${bytes.subarray(at + 2, end).toHex()}`);
  return value < ORDER ? { end } : undefined;
}
