import { createHash } from "node:crypto";
import * as noble from "@noble/ed25519";
import { ed25519CosignedMessage, readTimestamped } from "../tlog/cosignature.ts";
import { importEcdsaKey, verifyByNoble } from "../tlog/ecdsa.ts";
import { isUnambiguous } from "../tlog/ed25519.ts";
import { textOf } from "../tlog/encoding.ts";
import type { Verifier } from "../tlog/note.ts";
import { importRfc6962Key, isRsa, readTreeHeadSignature } from "../tlog/rfc6962.ts";
import { SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";

// noble takes SHA-512 from its user. The platform's SHA-512 is the one part that the two verdicts
// share.
noble.hashes.sha512 = (message) => new Uint8Array(createHash("sha512").update(message).digest());

type Signed = Parameters<Verifier["verifies"]>[0];

/**
 * The same key, checked by an independent implementation (RULES S8) after the same checks on the
 * bytes. It is noble, for Ed25519, alone or in a cosignature of type 0x04, and for ECDSA, alone or in
 * an RFC 6962 tree head.
 * @returns nothing for RSA, P-521 and ML-DSA-44, of which there is one implementation here
 */
export function secondOpinion(vkey: Vkey): Verifier | undefined {
  const { type, publicKey } = vkey;
  if (type === SIGNATURE_TYPE.ed25519) {
    return { vkey, verifies: (signed) => nobleEd25519(publicKey, signed) };
  }
  if (type === SIGNATURE_TYPE.cosignature) {
    return { vkey, verifies: (signed) => nobleCosignature(publicKey, signed) };
  }
  if (type === SIGNATURE_TYPE.ecdsa) {
    const key = importEcdsaKey(publicKey);
    // On P-521 noble gives the only verdict, so there is no second one.
    if (key.platform === undefined) return undefined;
    return { vkey, verifies: (signed) => verifyByNoble({ key, ...signed }) };
  }
  if (type !== SIGNATURE_TYPE.rfc6962) return undefined;
  const loaded = importRfc6962Key(publicKey);
  if (isRsa(loaded)) return undefined;
  const { algorithm, key } = loaded;
  return {
    vkey,
    verifies(signed) {
      const treeHead = readTreeHeadSignature(signed);
      return treeHead?.algorithm === algorithm && verifyByNoble({ key, ...treeHead });
    },
  };
}

/** @param signed the text of a checkpoint, and `uint64 seconds | signature` */
function nobleCosignature(publicKey: Uint8Array, signed: Signed): boolean {
  const parts = readTimestamped(signed.signature);
  if (parts === undefined) return false;
  const message = ed25519CosignedMessage({ text: textOf(signed.message), time: parts.time });
  return nobleEd25519(publicKey, { message, signature: parts.signature });
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
