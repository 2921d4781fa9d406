/**
 * Signature lines of C2SP signed-note v1.0.0, section "Format": `— name base64(key id | signature)`.
 *
 * @module
 */
import { base64, strictBase64 } from "./encoding.ts";
import type { Vkey } from "./vkey.ts";

/** What every signature line begins with: an em dash and a space. */
export const LINE_START = "— ";
/** Bytes of the key id in front of every signature. */
const KEY_ID_BYTES = 4;

/** The parts of a signature line; nothing in it is verified. */
export interface SignatureLine {
  readonly name: string;
  readonly keyId: number;
  /** Without the key id. */
  readonly signature: Uint8Array;
}

/** A signature line's parts, or nothing if no key here could have made a line of this form. */
export function readSignatureLine(line: string): SignatureLine | undefined {
  const [name, encoded, more] = line.slice(LINE_START.length).split(" ");
  if (name === undefined || encoded === undefined || more !== undefined) return undefined;
  let payload: Uint8Array<ArrayBuffer>;
  try {
    payload = strictBase64(encoded);
  } catch {
    return undefined;
  }
  if (payload.length <= KEY_ID_BYTES) return undefined;
  const keyId = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
  // A view and no copy: the platform's verify has to move a copy this short before it can read it.
  return { name, keyId, signature: payload.subarray(KEY_ID_BYTES) };
}

/** Whether a line claims to be this key's: name and key id are the key's (RULES S1). */
export function isLineOf(line: SignatureLine, vkey: Vkey): boolean {
  return line.name === vkey.name && line.keyId === vkey.keyId;
}

/** The line of a key and its signature, without a newline. */
export function formatSignatureLine(
  { vkey, signature }: { vkey: Vkey; signature: Uint8Array },
): string {
  const payload = new Uint8Array(KEY_ID_BYTES + signature.length);
  new DataView(payload.buffer).setUint32(0, vkey.keyId);
  payload.set(signature, KEY_ID_BYTES);
  return `${LINE_START}${vkey.name} ${base64(payload)}`;
}
