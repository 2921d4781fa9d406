/**
 * Keys of our own, in the format of Go's note package: a private key is
 * `PRIVATE+KEY+name+hash+base64(type || seed)` beside its vkey.
 *
 * @module
 */
import { base64, strictBase64 } from "../tlog/encoding.ts";
import { ED25519_KEY_BYTES } from "../tlog/ed25519.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { formatKeyId, makeVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import type { Signing, World } from "./world.ts";

/** A name and key that can sign. */
export interface Signer {
  readonly vkey: Vkey;
  /** An Ed25519 signature (64 bytes) over `message`. */
  sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** What the text of a private key begins with. */
export const PRIVATE_KEY_PREFIX = "PRIVATE+KEY+";

/**
 * Makes a new key.
 * @returns the signer, and the text of its private key, without a newline
 * @throws MalformedError if the name cannot be a key name
 */
export async function generateSigner(
  { world, name }: { world: World; name: string },
): Promise<{ signer: Signer; privateKey: string }> {
  const seed = world.random.bytes(ED25519_KEY_BYTES);
  const signer = await signerOf(world.signing, { name, seed });
  const typed = Uint8Array.of(SIGNATURE_TYPE.ed25519, ...seed);
  const privateKey = `${PRIVATE_KEY_PREFIX}${name}+${formatKeyId(signer.vkey.keyId)}+${
    base64(typed)
  }`;
  return { signer, privateKey };
}

/**
 * Loads a private key.
 * @param privateKey its text; one newline at the end is allowed
 * @throws MalformedError saying what is wrong, without repeating any of the key
 */
export async function loadSigner(
  { signing, privateKey }: { signing: Signing; privateKey: string },
): Promise<Signer> {
  const match = /^PRIVATE\+KEY\+([^+]*)\+([0-9a-f]{8})\+(\S*)\n?$/.exec(privateKey);
  if (match === null) {
    throw new MalformedError(
      "Cannot read private key: expected one line PRIVATE+KEY+NAME+8 HEX DIGITS+BASE64",
    );
  }
  const [, name, id, encoded] = match as unknown as [string, string, string, string];
  const typed = decodeSeed(encoded);
  const signer = await signerOf(signing, { name, seed: typed.slice(1) });
  if (formatKeyId(signer.vkey.keyId) !== id) {
    throw new MalformedError(
      `Cannot read private key: its id is ${id}, but this name and key have ` +
        `${formatKeyId(signer.vkey.keyId)}; a character is wrong`,
    );
  }
  return signer;
}

function decodeSeed(encoded: string): Uint8Array<ArrayBuffer> {
  let typed: Uint8Array<ArrayBuffer> | undefined;
  try {
    typed = strictBase64(encoded);
  } catch {
    // Reported below: the message of strictBase64 would show the secret.
  }
  if (typed?.[0] !== SIGNATURE_TYPE.ed25519 || typed.length !== 1 + ED25519_KEY_BYTES) {
    throw new MalformedError(
      `Cannot read private key: its last part is not base64 of the type 0x01 and ${ED25519_KEY_BYTES} bytes`,
    );
  }
  return typed;
}

async function signerOf(
  signing: Signing,
  { name, seed }: { name: string; seed: Uint8Array<ArrayBuffer> },
): Promise<Signer> {
  const publicKey = await signing.publicKey(seed);
  const vkey = makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey });
  return { vkey, sign: (message) => signing.sign(seed, message) };
}
