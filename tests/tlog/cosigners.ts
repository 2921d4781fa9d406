/** Cosigners made here. They sign as C2SP tlog-cosignature says, written once more from its text. */
import { generateKeyPairSync, sign } from "node:crypto";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { concat } from "@std/bytes/concat";
import { parseCheckpointText } from "../../src/tlog/checkpoint.ts";
import { type Cosigner, loadCosigner, type Subtree } from "../../src/tlog/cosignature.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { formatSignatureLine } from "../../src/tlog/signature_line.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";

/** A cosigner that signs. */
export interface SigningCosigner {
  readonly cosigner: Cosigner;
  /** `uint64 time | signature` on a checkpoint's text. */
  sign(text: string, time?: bigint): Uint8Array<ArrayBuffer>;
  /** That as a line of a note. */
  line(text: string, time?: bigint): string;
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

function cosignerWith(
  { name, type, publicKey, sign }: {
    name: string;
    type: number;
    publicKey: Uint8Array;
    sign: (text: string, time: bigint) => Uint8Array;
  },
): SigningCosigner {
  const vkey = makeVkey({ name, type, publicKey });
  const whole = (text: string, time = 1n) => concat([uint64(time), sign(text, time)]);
  return {
    cosigner: loadCosigner(vkey),
    sign: whole,
    line: (text, time) => formatSignatureLine({ vkey, signature: whole(text, time) }),
  };
}

/** A cosigner of type 0x04. */
export function ed25519Cosigner(name = "witness.invalid/w1"): SigningCosigner {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return cosignerWith({
    name,
    type: SIGNATURE_TYPE.cosignature,
    publicKey: new Uint8Array(publicKey.export({ type: "spki", format: "der" }).subarray(-32)),
    sign: (text, time) =>
      new Uint8Array(sign(null, utf8(`cosignature/v1\ntime ${time}\n${text}`), privateKey)),
  });
}

/** A cosigner of type 0x06, which signs subtrees as well: 2,420 bytes, without a time. */
export function mldsaCosigner(
  name = "witness.invalid/w1",
): SigningCosigner & { signSubtree(subtree: Subtree, time?: bigint): Uint8Array } {
  const { publicKey, secretKey } = ml_dsa44.keygen();
  const signSubtree = ({ origin, start, end, hash }: Subtree, time = 0n): Uint8Array => {
    const [cosigner, log] = [utf8(name), utf8(origin)];
    const message = concat([
      utf8("subtree/v1\n\0"),
      ...[Uint8Array.of(cosigner.length), cosigner, uint64(time)],
      ...[Uint8Array.of(log.length), log, uint64(start), uint64(end), hash],
    ]);
    return ml_dsa44.sign(message, secretKey);
  };
  const made = cosignerWith({
    name,
    type: SIGNATURE_TYPE.mldsa44,
    publicKey,
    sign(text, time) {
      const { origin, treeSize, rootHash } = parseCheckpointText(text);
      return signSubtree({ origin, start: 0n, end: treeSize, hash: rootHash }, time);
    },
  });
  return { ...made, signSubtree };
}
