/**
 * ECDSA with SHA-256 on P-256, P-384 and P-521, with one verdict everywhere (RULES S3). Signatures
 * of type 0x02 use it, and most logs of type 0x05 use it on P-256. A key has one spelling, and each
 * pair (r, s) has one, because platforms differ in how much sloppy DER they forgive. Both s and n -
 * s are accepted, as everywhere: both are the same key's signature on the same text.
 *
 * @module
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { decodeHex } from "@std/encoding/hex";
import { sha256 } from "./hashing.ts";
import { MalformedError } from "./malformed.ts";

/** One of the curves, and how its keys are spelled. */
export interface EcdsaCurve {
  /** As JSON Web Keys name it (RFC 7518 section 6.2.1.1). */
  readonly name: "P-256" | "P-384" | "P-521";
  /**
   * SubjectPublicKeyInfo of an uncompressed point, up to its coordinates: id-ecPublicKey, the curve,
   * BIT STRING, 04 (RFC 5480 section 2). Compressed points and explicit curve parameters would be
   * other spellings of the same key.
   */
  readonly spkiPrefix: Uint8Array;
  /** Bytes of one coordinate. */
  readonly coordinateBytes: number;
  /** The order of the group (FIPS 186-4 section D.1.2). */
  readonly order: bigint;
  /** Whether the platform verifies synchronously on this curve. */
  readonly isOnPlatform: boolean;
  readonly noble: typeof p256;
}

const P256: EcdsaCurve = {
  name: "P-256",
  spkiPrefix: decodeHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
  coordinateBytes: 32,
  order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  isOnPlatform: true,
  noble: p256,
};
const P384: EcdsaCurve = {
  name: "P-384",
  spkiPrefix: decodeHex("3076301006072a8648ce3d020106052b8104002203620004"),
  coordinateBytes: 48,
  order: BigInt(
    "0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
  ),
  isOnPlatform: true,
  noble: p384,
};
const P521: EcdsaCurve = {
  name: "P-521",
  spkiPrefix: decodeHex("30819b301006072a8648ce3d020106052b810400230381860004"),
  coordinateBytes: 66,
  order: BigInt(
    "0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  ),
  // Deno's node:crypto makes keys on this curve, but does not verify with them.
  isOnPlatform: false,
  noble: p521,
};

/** A public key that passed every check; `importEcdsaKey` makes it. */
export interface EcdsaKey {
  readonly curve: EcdsaCurve;
  /** Uncompressed: 04, x, y (SEC 1 section 2.3.3). */
  readonly point: Uint8Array;
  /** The key in the platform's form, if the platform verifies on the curve. */
  readonly platform: KeyObject | undefined;
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** The form of a length from 128 to 255: this byte, then the length in one byte. */
const LONG_LENGTH = 0x81;

/** Whether an SPKI begins as an uncompressed P-256 key does. */
export function isP256Spki(spki: Uint8Array): boolean {
  return isOf(P256, spki);
}

function isOf({ spkiPrefix }: EcdsaCurve, spki: Uint8Array): boolean {
  return spkiPrefix.every((byte, i) => spki[i] === byte);
}

/**
 * Loads a public key.
 * @param spki SubjectPublicKeyInfo in DER, of an uncompressed point of P-256, P-384 or P-521
 * @throws MalformedError for another curve or spelling, or no point of the curve
 */
export function importEcdsaKey(spki: Uint8Array): EcdsaKey {
  const curve = [P256, P384, P521].find((curve) => isOf(curve, spki));
  if (
    curve === undefined || spki.length !== curve.spkiPrefix.length + 2 * curve.coordinateBytes
  ) {
    throw new MalformedError(
      "ECDSA key is not the SubjectPublicKeyInfo of an uncompressed P-256, P-384 or P-521 point",
    );
  }
  const point = spki.slice(curve.spkiPrefix.length - 1);
  try {
    if (curve.isOnPlatform) return { curve, point, platform: importPoint(point, curve) };
    curve.noble.Point.fromBytes(point).assertValidity();
    return { curve, point, platform: undefined };
  } catch {
    throw new MalformedError("ECDSA key is not a point of the curve");
  }
}

/** RFC 7518 section 6.2.1; the platform checks that the point is on the curve. */
function importPoint(point: Uint8Array, { name: crv, coordinateBytes }: EcdsaCurve): KeyObject {
  const spelled = (bytes: Uint8Array): string =>
    bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  const [x, y] = [point.slice(1, -coordinateBytes), point.slice(-coordinateBytes)].map(spelled);
  return createPublicKey({ key: { kty: "EC", crv, x: x!, y: y! }, format: "jwk" });
}

/**
 * Whether `signature` is this key's over SHA-256 of `message` (FIPS 186-4 section 6.4).
 * @param signature ECDSA-Sig-Value in DER (RFC 3279 section 2.2.3)
 */
export function verifyEcdsa(
  { key, message, signature }: { key: EcdsaKey; message: Uint8Array; signature: Uint8Array },
): boolean {
  if (key.platform === undefined) return verifyByNoble({ key, message, signature });
  return isStrictSignature(signature, key.curve) &&
    verify("sha256", message, key.platform, signature);
}

/** As `verifyEcdsa`, by an independent implementation. On P-521 it is the only one. */
export function verifyByNoble(
  { key: { curve, point }, message, signature }: {
    key: EcdsaKey;
    message: Uint8Array;
    signature: Uint8Array;
  },
): boolean {
  if (!isStrictSignature(signature, curve)) return false;
  // We use SHA-256 on every curve; noble's default is the curve's own hash. Logs sign with either
  // of the two values of s; noble's default is the lower one.
  const how = { format: "der", lowS: false, prehash: false } as const;
  return curve.noble.verify(signature, sha256(message), point, how);
}

/**
 * The checks on its bytes that a signature must pass before any implementation verifies it: DER,
 * and r and s in range.
 */
export function isStrictSignature(signature: Uint8Array, curve: EcdsaCurve = P256): boolean {
  const isLong = signature[1] === LONG_LENGTH;
  const start = isLong ? 3 : 2;
  const length = signature[start - 1] ?? 0;
  // DER takes the shortest form of a length: two bytes only from 128 on.
  if (signature[0] !== SEQUENCE || length !== signature.length - start) return false;
  if (isLong !== length >= 0x80) return false;
  const r = readScalar(signature, start, curve);
  const s = r && readScalar(signature, r.end, curve);
  return s?.end === signature.length;
}

/**
 * Reads an INTEGER from 1 to n - 1 in its one DER spelling. Gives where it ends, or nothing if it
 * is another.
 */
function readScalar(
  bytes: Uint8Array,
  at: number,
  { order, coordinateBytes }: EcdsaCurve,
): { end: number } | undefined {
  const length = bytes[at + 1] ?? 0;
  const end = at + 2 + length;
  // An INTEGER has at most one byte more than a coordinate, so its length needs no second byte.
  if (bytes[at] !== INTEGER || length < 1 || length > coordinateBytes + 1) return undefined;
  if (end > bytes.length) return undefined;
  const [first, second = 0] = bytes.subarray(at + 2, end) as Uint8Array & [number, number?];
  // A set top bit is a minus sign; a leading zero is there only to clear it.
  if (first >= 0x80 || (first === 0 && second < 0x80)) return undefined;
  const value = BigInt(`0x${bytes.subarray(at + 2, end).toHex()}`);
  return value < order ? { end } : undefined;
}
