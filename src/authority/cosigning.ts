/**
 * The keys of a witness, in the format of Go's note package like every private key here. The type
 * byte is the one of the cosignature (0x04 Ed25519, 0x06 ML-DSA-44), and so is the key id. So the key
 * of a monitor cannot be taken for the key of a witness.
 *
 * @module
 */
import {
  cosignatureMessage,
  formatCosignature,
  formatSubtreeCosignature,
  type Subtree,
  subtreeMessage,
} from "../tlog/cosignature.ts";
import { base64, strictBase64 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { formatKeyId, makeVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import { PRIVATE_KEY_PREFIX } from "../world/signer.ts";
import type { Signing, World } from "../world/world.ts";

/** Bytes of a seed: of Ed25519 (RFC 8032), and of ML-DSA-44 (FIPS 204, the `xi` of key generation). */
const SEED_BYTES = 32;

/** The types of keys that cosign. */
export type CosignerType =
  | typeof SIGNATURE_TYPE.cosignature
  | typeof SIGNATURE_TYPE.mldsa44;

/** A key that cosigns. */
export interface CosigningKey {
  readonly vkey: Vkey;
  /**
   * Makes a cosignature on a checkpoint.
   * @param time POSIX seconds
   * @returns the signature line, without a newline
   * @throws MalformedError if the checkpoint has no place in the message of this type
   */
  cosign(signed: { text: string; time: bigint }): Promise<string>;
  /**
   * Makes a cosignature on a subtree, which names no time.
   * @returns the signature line, without a newline
   * @throws MalformedError if the key is not of type 0x06, or the subtree has no place in its message
   */
  cosignSubtree(subtree: Subtree): Promise<string>;
}

/**
 * Makes a new key of a witness.
 * @returns the key, and the text of its private key, without a newline
 * @throws MalformedError if the name cannot be a key name
 */
export async function generateCosigningKey(
  { world, name, type }: {
    world: Pick<World, "signing" | "random">;
    name: string;
    type: CosignerType;
  },
): Promise<{ key: CosigningKey; privateKey: string }> {
  const seed = world.random.bytes(SEED_BYTES);
  const key = await keyOf(world.signing, { name, type, seed });
  const typed = base64(Uint8Array.of(type, ...seed));
  const privateKey = `${PRIVATE_KEY_PREFIX}${name}+${formatKeyId(key.vkey.keyId)}+${typed}`;
  return { key, privateKey };
}

/**
 * Loads the private key of a witness.
 * @param privateKey its text; one newline at the end is allowed
 * @throws MalformedError saying what is wrong, without repeating any of the key
 */
export async function loadCosigningKey(
  { signing, privateKey }: { signing: Signing; privateKey: string },
): Promise<CosigningKey> {
  const [, name, id, encoded] =
    /^PRIVATE\+KEY\+([^+]*)\+([0-9a-f]{8})\+(\S*)\n?$/.exec(privateKey) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) {
    throw new MalformedError(
      "Cannot read witness key: expected one line PRIVATE+KEY+NAME+8 HEX DIGITS+BASE64",
    );
  }
  const { type, seed } = decodeSeed(encoded);
  const key = await keyOf(signing, { name, type, seed });
  if (formatKeyId(key.vkey.keyId) === id) return key;
  throw new MalformedError(
    `Cannot read witness key: its id is ${id}, but this name and key have ` +
      `${formatKeyId(key.vkey.keyId)}; a character is wrong`,
  );
}

function decodeSeed(encoded: string): { type: CosignerType; seed: Uint8Array<ArrayBuffer> } {
  let typed: Uint8Array<ArrayBuffer> | undefined;
  try {
    typed = strictBase64(encoded);
  } catch {
    // Reported below: the message of strictBase64 would show the secret.
  }
  const type = typed?.[0];
  const isCosigner = type === SIGNATURE_TYPE.cosignature || type === SIGNATURE_TYPE.mldsa44;
  if (typed !== undefined && isCosigner && typed.length === 1 + SEED_BYTES) {
    return { type, seed: typed.slice(1) };
  }
  if (type === SIGNATURE_TYPE.ed25519) {
    throw new MalformedError(
      "Cannot read witness key: it is the key of a monitor or a log (type 0x01), expected the key " +
        "of a witness: 'hearsay keygen --witness NAME' makes one",
    );
  }
  throw new MalformedError(
    `Cannot read witness key: its last part is not base64 of the type 0x04 or 0x06 and ` +
      `${SEED_BYTES} bytes`,
  );
}

async function keyOf(
  signing: Signing,
  { name, type, seed }: { name: string; type: CosignerType; seed: Uint8Array<ArrayBuffer> },
): Promise<CosigningKey> {
  const isMlDsa = type === SIGNATURE_TYPE.mldsa44;
  const publicKey = isMlDsa ? await signing.mlDsa44.publicKey(seed) : await signing.publicKey(seed);
  const sign = isMlDsa ? signing.mlDsa44.sign : signing.sign;
  const vkey = makeVkey({ name, type, publicKey });
  return {
    vkey,
    async cosign({ text, time }) {
      const message = cosignatureMessage({ vkey, text, time });
      return formatCosignature({ vkey, time, signature: await sign(seed, message) });
    },
    async cosignSubtree(subtree) {
      const message = subtreeMessage({ vkey, subtree });
      return formatSubtreeCosignature({ vkey, signature: await sign(seed, message) });
    },
  };
}
