/**
 * Sealing with a shared key, over the platform's crypto: authenticated encryption with associated
 * data, and how keys are derived.
 *
 * @module
 */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";

/** Bytes of an authentication tag. */
export const TAG_BYTES = 16;
const OPTIONS = { authTagLength: TAG_BYTES };

/** An algorithm, and how a counter becomes the 12 bytes of its nonce: 4 zero bytes, then the counter. */
export interface Cipher {
  /** Its name in Noise. */
  readonly name: string;
  readonly algorithm: "chacha20-poly1305" | "aes-256-gcm";
  readonly isLittleEndian: boolean;
}

/** ChaCha20-Poly1305 (RFC 8439) as Noise uses it (revision 34, section 12.3). */
export const CHACHA_POLY: Cipher = {
  name: "ChaChaPoly",
  algorithm: "chacha20-poly1305",
  isLittleEndian: true,
};

/** What a message is sealed with. One key must never be used twice with one nonce. */
export interface Sealing {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly nonce: bigint;
  /** What is authenticated with the message and not sent. */
  readonly data: Uint8Array;
}

/** The same, where the 12 bytes of the nonce are given as they are. */
export interface RawSealing {
  readonly algorithm: Cipher["algorithm"];
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** What is authenticated with the message and not sent. */
  readonly data: Uint8Array;
}

/**
 * Seals a message.
 * @param target where to put it, 16 bytes longer than the plaintext; a new array if missing
 * @returns the target
 */
export function seal(
  cipher: Cipher,
  { key, nonce, data, plaintext }: Sealing & { readonly plaintext: Uint8Array },
  target?: Uint8Array,
): Uint8Array {
  const { algorithm } = cipher;
  return sealRaw({ algorithm, key, nonce: nonceOf(cipher, nonce), data, plaintext }, target);
}

/** Seals a message under these bytes of a nonce. For `target` see `seal`. */
export function sealRaw(
  { algorithm, key, nonce, data, plaintext }: RawSealing & { readonly plaintext: Uint8Array },
  target: Uint8Array = new Uint8Array(plaintext.length + TAG_BYTES),
): Uint8Array {
  // The types know the two algorithms by their names alone, and not as one of two.
  const sealing = createCipheriv(algorithm as "chacha20-poly1305", key, nonce, OPTIONS);
  if (data.length > 0) sealing.setAAD(data, { plaintextLength: plaintext.length });
  target.set(sealing.update(plaintext));
  // Both are stream ciphers: there is no block left that `final` would give.
  sealing.final();
  target.set(sealing.getAuthTag(), plaintext.length);
  return target;
}

/** Opens a sealed message. @returns nothing if it was not sealed so, or was changed */
export function open(
  cipher: Cipher,
  { key, nonce, data, message }: Sealing & { readonly message: Uint8Array },
): Uint8Array | undefined {
  const { algorithm } = cipher;
  return openRaw({ algorithm, key, nonce: nonceOf(cipher, nonce), data, message });
}

/** Opens what `sealRaw` made. @returns nothing if it was not sealed so, or was changed */
export function openRaw(
  { algorithm, key, nonce, data, message }: RawSealing & { readonly message: Uint8Array },
): Uint8Array | undefined {
  if (message.length < TAG_BYTES) return undefined;
  const length = message.length - TAG_BYTES;
  const opening = createDecipheriv(algorithm as "chacha20-poly1305", key, nonce, OPTIONS);
  if (data.length > 0) opening.setAAD(data, { plaintextLength: length });
  opening.setAuthTag(message.subarray(length));
  try {
    const opened = opening.update(message.subarray(0, length));
    opening.final();
    return new Uint8Array(opened.buffer, opened.byteOffset, opened.length);
  } catch {
    return undefined;
  }
}

/** The nonce of the one call that is under way: to make two objects for each would cost more. */
const nonceBytes = new Uint8Array(12);
const nonceView = new DataView(nonceBytes.buffer);

function nonceOf({ isLittleEndian }: Cipher, nonce: bigint): Uint8Array {
  nonceView.setBigUint64(4, nonce, isLittleEndian);
  return nonceBytes;
}

/** HKDF with SHA-256 and without info (RFC 5869): so many bytes, made of a secret and a salt. */
export function hkdfSha256(
  { salt, secret, bytes }: { salt: Uint8Array; secret: Uint8Array; bytes: number },
): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, new Uint8Array(0), bytes));
}
