/** Logs with keys of every type, made here, and what they sign. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { p521 } from "@noble/curves/nist.js";
import { concat } from "@std/bytes/concat";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";

/** What is signed, and the time it is signed at, for those types that state one. */
export interface Statement {
  readonly origin?: string;
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
  readonly time?: bigint;
  /** With its newlines; below the root. */
  readonly extensions?: string;
}

/** A log that signs notes. */
export interface SigningLog {
  readonly log: Log;
  note(statement: Statement): string;
}

/** The name of every log here, and its origin. */
export const ORIGIN = "test.invalid/types";

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

function logWith(
  { type, publicKey, signatureOf }: {
    type: number;
    publicKey: Uint8Array;
    signatureOf: (text: string, statement: Required<Statement>) => Uint8Array;
  },
): SigningLog {
  const vkey = makeVkey({ name: ORIGIN, type, publicKey });
  return {
    log: parseLog(vkey.text),
    note(statement) {
      const whole = { origin: ORIGIN, time: 1n, extensions: "", ...statement };
      const text = formatCheckpointText(whole) + whole.extensions;
      return formatNote({ text, vkey, signature: signatureOf(text, whole) });
    },
  };
}

/** A DER SPKI of a key. */
export function spkiOf(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

/** A log of type 0x02, on a curve that the platform signs on. */
export function ecdsaLog(namedCurve: "P-256" | "P-384" = "P-256"): SigningLog {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
  return logWith({
    type: SIGNATURE_TYPE.ecdsa,
    publicKey: spkiOf(publicKey),
    signatureOf: (text) => new Uint8Array(sign("sha256", utf8(text), privateKey)),
  });
}

/** A log of type 0x02 on P-521: the platform makes its key, and noble signs. */
export function p521Log(): SigningLog {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-521" });
  const { d } = privateKey.export({ format: "jwk" });
  const secret = Uint8Array.fromBase64(d!, { alphabet: "base64url" });
  return logWith({
    type: SIGNATURE_TYPE.ecdsa,
    publicKey: spkiOf(publicKey),
    signatureOf(text) {
      const digest = createHash("sha256").update(text).digest();
      return p521.sign(new Uint8Array(digest), secret, { prehash: false, format: "der" });
    },
  });
}

/** A log of type 0x05 with a P-256 key, or an RSA one. */
export function treeHeadLog(kind: "ecdsa" | "rsa"): SigningLog {
  const { publicKey, privateKey } = kind === "ecdsa"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return logWith({
    type: SIGNATURE_TYPE.rfc6962,
    publicKey: spkiOf(publicKey),
    signatureOf(_text, { time, treeSize, rootHash }) {
      const head = concat([Uint8Array.of(0, 1), uint64(time), uint64(treeSize), rootHash]);
      const signature = new Uint8Array(sign("sha256", head, privateKey));
      const algorithms = [4, kind === "ecdsa" ? 3 : 1];
      const lengths = [signature.length >> 8, signature.length & 0xff];
      return concat([uint64(time), Uint8Array.of(...algorithms, ...lengths), signature]);
    },
  });
}

/** A log of type 0x06. */
export function mldsaLog(): SigningLog {
  const { publicKey, secretKey } = ml_dsa44.keygen();
  return logWith({
    type: SIGNATURE_TYPE.mldsa44,
    publicKey,
    signatureOf(_text, { origin, time, treeSize, rootHash }) {
      const [name, of] = [utf8(ORIGIN), utf8(origin)];
      const message = concat([
        utf8("subtree/v1\n\0"),
        ...[Uint8Array.of(name.length), name, uint64(time)],
        ...[Uint8Array.of(of.length), of],
        ...[uint64(0n), uint64(treeSize), rootHash],
      ]);
      return concat([uint64(time), ml_dsa44.sign(message, secretKey)]);
    },
  });
}

/** One log of each type that joined Ed25519. */
export const LOG_KINDS: readonly [string, () => SigningLog][] = [
  ["0x02 ECDSA", () => ecdsaLog()],
  ["0x02 ECDSA P-384", () => ecdsaLog("P-384")],
  ["0x02 ECDSA P-521", p521Log],
  ["0x05 ECDSA", () => treeHeadLog("ecdsa")],
  ["0x05 RSA", () => treeHeadLog("rsa")],
  ["0x06 ML-DSA-44", mldsaLog],
];
