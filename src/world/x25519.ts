/**
 * X25519 (RFC 7748) over the platform's crypto, with keys as 32 raw bytes.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";

/** Bytes of a key, and of a shared secret. */
export const X25519_BYTES = 32;

/** DER of a PrivateKeyInfo up to the 32 bytes of the key (RFC 8410 section 7). */
const PRIVATE_PREFIX = Uint8Array.fromHex("302e020100300506032b656e04220420");

const BASE64URL = { alphabet: "base64url" } as const;

/** A private key with its public key. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  /** 32 bytes, or nothing if both are the same point for everybody (see `sharedSecret`). */
  agree(publicKey: Uint8Array): Uint8Array | undefined;
}

/** The key pair of a private key. @param secret 32 bytes, each of them random */
export function keyPair(secret: Uint8Array): KeyPair {
  if (secret.length !== X25519_BYTES) throw new RangeError(`a key of ${secret.length} bytes`);
  const privateKey = createPrivateKey({
    // Deno's node:crypto takes DER as text more readily than as bytes.
    key: concat([PRIVATE_PREFIX, secret]).toBase64(),
    ...{ encoding: "base64", format: "der", type: "pkcs8" },
  });
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return {
    publicKey: Uint8Array.fromBase64(x!, BASE64URL),
    agree: (publicKey) => sharedSecret(privateKey, publicKey),
  };
}

/**
 * The shared secret. If the other's key is one of the few points of small order, the secret is zero
 * whatever our key is, so it would prove nothing (RFC 7748 section 6.1).
 * @returns nothing for such a key, or for one that is not 32 bytes long
 */
function sharedSecret(privateKey: KeyObject, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== X25519_BYTES) return undefined;
  // A JWK (RFC 8037 section 2) is read in a third of the time that DER takes.
  const x = publicKey.toBase64({ ...BASE64URL, omitPadding: true });
  const other = createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
  let secret: Uint8Array;
  try {
    secret = new Uint8Array(diffieHellman({ privateKey, publicKey: other }));
  } catch {
    // OpenSSL refuses these points itself.
    return undefined;
  }
  return secret.some((byte) => byte !== 0) ? secret : undefined;
}
