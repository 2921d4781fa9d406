/**
 * Who is at the other end of a session. Its X25519 key is new at each start, so it says nothing. An
 * *identity proof* binds it to a member: the signature of the member's vkey over this handshake and
 * this key (PROTOCOL section 16).
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { ED25519_SIGNATURE_BYTES, importEd25519Key, verifyEd25519 } from "../tlog/ed25519.ts";
import { base64, textOf, utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";

/** The first line of what is signed, and all of what both ends must agree on before. */
export const SESSION_DOMAIN = "hearsay/session/v1\n";

const LENGTH_BYTES = 2;

/** Which end of a session. */
export type Role = "caller" | "callee";

/** What a proof is about: one end of one handshake. */
export interface Proven {
  readonly role: Role;
  /** The hash of the handshake, as far as it has come. */
  readonly hash: Uint8Array;
  /** The X25519 static key of the end that proves itself. */
  readonly staticKey: Uint8Array;
}

function signedText({ role, hash, staticKey }: Proven): Uint8Array<ArrayBuffer> {
  return utf8(`${SESSION_DOMAIN}${role}\n${base64(hash)}\n${base64(staticKey)}\n`);
}

/** Makes the proof of this end: a signature, then the text of its vkey. */
export async function makeProof(
  { signer, proven }: { signer: Signer; proven: Proven },
): Promise<Uint8Array> {
  return concat([await signer.sign(signedText(proven)), utf8(signer.vkey.text)]);
}

/**
 * Reads the proof of the other end.
 * @returns whom it proves
 * @throws MalformedError saying what is wrong with it
 */
export function openProof(
  { proof, proven }: { proof: Uint8Array; proven: Proven },
): Vkey {
  if (proof.length <= ED25519_SIGNATURE_BYTES) {
    throw new MalformedError(
      `The proof has ${proof.length} bytes, expected a signature of ${ED25519_SIGNATURE_BYTES} and a vkey`,
    );
  }
  const signature = proof.slice(0, ED25519_SIGNATURE_BYTES);
  const vkey = parseVkey(textOf(proof.subarray(ED25519_SIGNATURE_BYTES)));
  if (vkey.type !== SIGNATURE_TYPE.ed25519) {
    throw new MalformedError(`The vkey is of type 0x0${vkey.type.toString(16)}, expected Ed25519`);
  }
  const key = importEd25519Key(vkey.publicKey);
  if (!verifyEd25519({ key, message: signedText(proven), signature })) {
    throw new MalformedError(
      `The signature is not that of ${vkey.name} as ${proven.role} of this session`,
    );
  }
  return vkey;
}

/**
 * Fills a payload of fixed size: the proof's length, the proof, zeros.
 * @throws RangeError if it has no room for the proof
 */
export function padProof(proof: Uint8Array, bytes: number): Uint8Array {
  if (LENGTH_BYTES + proof.length > bytes) {
    throw new RangeError(`a proof of ${proof.length} bytes: the name of the key is too long`);
  }
  const padded = new Uint8Array(bytes);
  new DataView(padded.buffer).setUint16(0, proof.length);
  padded.set(proof, LENGTH_BYTES);
  return padded;
}

/**
 * Takes the proof out of such a payload.
 * @throws MalformedError if it says a wrong length, or something follows
 */
export function unpadProof(payload: Uint8Array): Uint8Array {
  const length = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  const end = LENGTH_BYTES + length;
  if (end > payload.length) {
    throw new MalformedError(
      `The proof's length is ${length}, and there is room for ${payload.length - LENGTH_BYTES}`,
    );
  }
  if (!isZero(payload.subarray(end))) throw new MalformedError("Something follows the proof");
  return payload.slice(LENGTH_BYTES, end);
}

/** Whether bytes are padding. */
export function isZero(bytes: Uint8Array): boolean {
  // Most of most cells is padding. A loop takes a tenth of the time of `every`.
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
