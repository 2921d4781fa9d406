/**
 * Signing that is done at once. Ed25519 is deterministic, so the same seed gives the same signatures on
 * any machine. A signature under way in the background would be unknown to virtual time.
 *
 * @module
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { concat } from "@std/bytes/concat";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import type { Signing } from "../../src/world/world.ts";

/** DER of a PKCS #8 Ed25519 key up to the seed (RFC 8410 section 7). */
const PKCS8_ED25519 = decodeHex("302e020100300506032b657004220420");

const keys = new Map<string, KeyObject>();

function keyOf(seed: Uint8Array): KeyObject {
  const name = encodeHex(seed);
  let key = keys.get(name);
  if (key === undefined) {
    const der = concat([PKCS8_ED25519, seed]) as unknown as string;
    keys.set(name, key = createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
    if (keys.size > 1_000) keys.clear();
  }
  return key;
}

/** Does what `denoWorld().signing` does, at once. */
export const signing: Signing = {
  publicKey(seed) {
    const { x } = createPublicKey(keyOf(seed) as unknown as string).export({ format: "jwk" });
    return Promise.resolve(Uint8Array.fromBase64(x!, { alphabet: "base64url" }));
  },
  sign: (seed, message) => Promise.resolve(new Uint8Array(sign(null, message, keyOf(seed)))),
  mlDsa44: {
    publicKey: (seed) => Promise.resolve(new Uint8Array(ml_dsa44.keygen(seed).publicKey)),
    sign(seed, message) {
      const { secretKey } = ml_dsa44.keygen(seed);
      return Promise.resolve(ml_dsa44.sign(message, secretKey, { extraEntropy: false }));
    },
  },
};
