/**
 * The parsers of keys that verify, and of the logs named with them.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import { UsageError } from "../../../src/cli/command.ts";
import { requireLogs } from "../../../src/cli/inputs.ts";
import { formatCheckpointText } from "../../../src/tlog/checkpoint.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { sha256 } from "../../../src/tlog/hashing.ts";
import { formatLog, type Log } from "../../../src/tlog/log.ts";
import { loadVerifier } from "../../../src/tlog/note.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import { bytes, choice, texts } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { mldsaKey, signP256, SPKI } from "./signatures.ts";
import { ORIGIN, OTHER_ORIGIN, type Stage, uint64 } from "./stage.ts";

/** DER of an RSA key with this modulus; nobody knows its factors, nor needs them here. */
function rsaSpki(bits: number): Uint8Array {
  const length = bits / 8;
  const modulus = new Uint8Array(length);
  for (let at = 0; at < length; at++) modulus[at] = sha256(Uint8Array.of(at))[0]!;
  modulus[0]! |= 0x80;
  modulus[length - 1]! |= 1;
  const tagged = (tag: number, content: Uint8Array): Uint8Array =>
    concat([Uint8Array.of(tag, 0x82, content.length >> 8, content.length & 0xff), content]);
  const integer = tagged(0x02, concat([Uint8Array.of(0), modulus]));
  const key = tagged(0x30, concat([integer, Uint8Array.of(0x02, 3, 1, 0, 1)]));
  const algorithm = decodeHex("300d06092a864886f70d0101010500");
  return tagged(0x30, concat([algorithm, tagged(0x03, concat([Uint8Array.of(0), key]))]));
}

/** Parsers of keys and of the logs named with them. */
export function vkeys(stage: Stage): ParserUnderTest[] {
  const { publicKey } = stage.hand.vkey;
  const keys: readonly [number, Uint8Array][] = [
    [SIGNATURE_TYPE.ed25519, publicKey],
    [SIGNATURE_TYPE.cosignature, publicKey],
    [SIGNATURE_TYPE.ecdsa, SPKI],
    [SIGNATURE_TYPE.rfc6962, SPKI],
    [SIGNATURE_TYPE.rfc6962, rsaSpki(2048)],
    [SIGNATURE_TYPE.rfc6962, rsaSpki(1024)],
    [SIGNATURE_TYPE.mldsa44, mldsaKey().publicKey],
  ];
  const samples = keys.map(([type, publicKey]) => makeVkey({ name: ORIGIN, type, publicKey }).text);
  const logs = samples.filter((text) => parseVkey(text).type !== SIGNATURE_TYPE.cosignature)
    .filter((text) => parseVkey(text).publicKey.length !== rsaSpki(1024).length);
  const notations = [...logs, ...logs.slice(0, 1).map((text) => `${text} ${OTHER_ORIGIN}`)];
  const message = utf8(
    formatCheckpointText({ origin: ORIGIN, treeSize: 7n, rootHash: sha256(SPKI) }),
  );
  // These have the right form for every type, so that each platform's verify is really called.
  const signatures = [
    new Uint8Array(64).fill(3),
    signP256(utf8("something else")),
    concat([uint64(1n), Uint8Array.of(4, 1, 1, 0), new Uint8Array(256).fill(7)]),
    new Uint8Array(8 + 2420),
  ];
  interface Key {
    readonly name: string;
    readonly type: number;
    readonly publicKey: Uint8Array;
    readonly signature: Uint8Array;
  }
  return [
    parser<string>({
      name: "vkey: parseVkey",
      share: 60,
      valid: samples,
      inputs: texts(samples),
      feed: (text) => text,
      run(text) {
        const vkey = parseVkey(text);
        insist(vkey.text === text && makeVkey(vkey).text === text, "a vkey formats back to itself");
        // An ECDSA key's id is of the key alone, so its name may be any other.
        const isOther = vkey.type === SIGNATURE_TYPE.ecdsa || samples.includes(text) ||
          !samples.some((sample) => isTypo(sample, text));
        insist(isOther, "no typo in a vkey goes unnoticed");
        return "accepted";
      },
    }),
    parser<Key>({
      // The key id is right, whatever the key is. So the attack reaches the code behind the check
      // of the id.
      name: "vkey: makeVkey, loadVerifier and verifies",
      share: 30,
      inputs: choice(keys.length).chain((at) => {
        const [type, publicKey] = keys[at]!;
        return fc.record({
          name: fc.oneof({ weight: 6, arbitrary: fc.constant(ORIGIN) }, texts([ORIGIN])),
          type: fc.oneof({ weight: 6, arbitrary: fc.constant(type) }, fc.nat(255)),
          publicKey: bytes([publicKey]),
          signature: bytes(signatures),
        });
      }),
      run({ signature, ...key }) {
        const vkey = makeVkey(key);
        insist(parseVkey(vkey.text).text === vkey.text, "a vkey that was made is read");
        const verifier = loadVerifier(vkey);
        insist(!verifier.verifies({ message, signature }), "nobody signed this");
        return "accepted";
      },
    }),
    parser<string[]>({
      name: "logs: requireLogs",
      share: 20,
      valid: notations.map((one) => [one]),
      inputs: fc.array(texts(notations), { maxLength: 3 }),
      orderly: [UsageError],
      feed: (text) => [text],
      run(given) {
        const logs = requireLogs(given);
        for (const log of logs) {
          insist(given.some((text) => isNotationOf(text, log)), "its own log");
        }
        return "accepted";
      },
    }),
  ];
}

/**
 * Whether two texts of one length differ in one character. A key id is there to find such errors.
 */
function isTypo(sample: string, text: string): boolean {
  if (sample.length !== text.length) return false;
  return [...sample].filter((character, i) => character !== text[i]).length === 1;
}

function isNotationOf(text: string, log: Log): boolean {
  return text === formatLog(log) || text === `${log.vkey.text} ${log.origin}`;
}
