import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import * as noble from "@noble/ed25519";
import { isStrictSignature, pointOf } from "../tlog/ecdsa.ts";
import { isUnambiguous } from "../tlog/ed25519.ts";
import type { Verifier } from "../tlog/note.ts";
import { importRfc6962Key, isRsa, readTreeHeadSignature } from "../tlog/rfc6962.ts";
import { SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";

// noble asks its user for SHA-512; the platform's is the one part the two verdicts share.
noble.hashes.sha512 = (message) => new Uint8Array(createHash("sha512").update(message).digest());

type Signed = Parameters<Verifier["verifies"]>[0];

/**
 * The same key checked by an independent implementation (DESIGN, rule 9), behind the same byte
 * checks: noble, for Ed25519 and for ECDSA, by itself or in an RFC 6962 tree head.
 * @returns nothing for RSA and ML-DSA-44, of which there is one implementation here
 */
export function secondOpinion(vkey: Vkey): Verifier | undefined {
  const { type, publicKey } = vkey;
  if (type === SIGNATURE_TYPE.ed25519) {
    return { vkey, verifies: (signed) => nobleEd25519(publicKey, signed) };
  }
  if (type === SIGNATURE_TYPE.ecdsa) {
    return { vkey, verifies: (signed) => nobleEcdsa(publicKey, signed) };
  }
  if (type !== SIGNATURE_TYPE.rfc6962) return undefined;
  const key = importRfc6962Key(publicKey);
  if (isRsa(key)) return undefined;
  return {
    vkey,
    verifies(signed) {
      const treeHead = readTreeHeadSignature(signed);
      return treeHead?.algorithm === key.algorithm && nobleEcdsa(publicKey, treeHead);
    },
  };
}

/** In noble's strict mode (its default is the more lenient ZIP-215). About 2,000 a second. */
function nobleEd25519(publicKey: Uint8Array, { message, signature }: Signed): boolean {
  if (!isUnambiguous(signature)) return false;
  try {
    return noble.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false; // noble throws on points it cannot decode.
  }
}

function nobleEcdsa(spki: Uint8Array, { message, signature }: Signed): boolean {
  if (!isStrictSignature(signature)) return false;
  // Logs sign with either of the two values of s; noble's default is the lower one.
  return p256.verify(signature, message, pointOf(spki), { format: "der", lowS: false });
}
