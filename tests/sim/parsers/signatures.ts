/**
 * Checkpoints whose signatures are not Ed25519's, and the keys they are made with.
 *
 * @module
 */
import { p256 } from "@noble/curves/nist.js";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import { formatCheckpointText, openCheckpoint } from "../../../src/tlog/checkpoint.ts";
import { loadCosigner, readCosignatures } from "../../../src/tlog/cosignature.ts";
import { MAX_TREE_SIZE, utf8 } from "../../../src/tlog/encoding.ts";
import { EMPTY_ROOT, sha256 } from "../../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../../src/tlog/log.ts";
import { formatNote, parseNote } from "../../../src/tlog/note.ts";
import { formatSignatureLine } from "../../../src/tlog/signature_line.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import { open } from "../../evidence/histories.ts";
import { bytes, choice, textBytes, texts } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { ORIGIN, type Stage, uint64 } from "./stage.ts";

/** A log whose signatures are not Ed25519's, and some notes of it. */
interface TypedLog {
  readonly log: Log;
  readonly notes: readonly string[];
}

/** DER of a P-256 SubjectPublicKeyInfo up to its point (RFC 5480 section 2). */
const P256_PREFIX = decodeHex("3059301306072a8648ce3d020106082a8648ce3d030107034200");

function typedLog(
  { type, publicKey, signatureOf, extensions }: {
    type: number;
    publicKey: Uint8Array;
    signatureOf: (stated: { text: string; treeSize: bigint; rootHash: Uint8Array }) => Uint8Array;
    extensions: readonly string[];
  },
): TypedLog {
  const vkey = makeVkey({ name: ORIGIN, type, publicKey });
  const notes = [0n, 7n, MAX_TREE_SIZE].flatMap((treeSize) =>
    extensions.map((more) => {
      const rootHash = treeSize === 0n ? EMPTY_ROOT : sha256(uint64(treeSize));
      const text = formatCheckpointText({ origin: ORIGIN, treeSize, rootHash }) + more;
      return formatNote({ text, vkey, signature: signatureOf({ text, treeSize, rootHash }) });
    })
  );
  return { log: parseLog(vkey.text), notes };
}

/** A P-256 key, as a log publishes it. */
export const SPKI = concat([
  P256_PREFIX,
  p256.getPublicKey(sha256(utf8("a P-256 key")), false) as Uint8Array,
]);

/** Signs with that key, which says the same each time (RFC 6979). */
export function signP256(message: Uint8Array): Uint8Array {
  return p256.sign(message, sha256(utf8("a P-256 key")), { format: "der" }) as Uint8Array;
}

function ecdsaLogs(): readonly TypedLog[] {
  return [
    typedLog({
      type: SIGNATURE_TYPE.ecdsa,
      publicKey: SPKI,
      signatureOf: ({ text }) => signP256(utf8(text)),
      extensions: ["", "an extension\n"],
    }),
    typedLog({
      type: SIGNATURE_TYPE.rfc6962,
      publicKey: SPKI,
      signatureOf({ treeSize, rootHash }) {
        const time = uint64(1n);
        const head = concat([Uint8Array.of(0, 1), time, uint64(treeSize), rootHash]);
        const signature = signP256(head);
        return concat([time, Uint8Array.of(4, 3, 0, signature.length), signature]);
      },
      extensions: [""],
    }),
  ];
}

/** An ML-DSA-44 key, both parts of it. */
export function mldsaKey(): { publicKey: Uint8Array; secretKey: Uint8Array } {
  return ml_dsa44.keygen(sha256(utf8("an ML-DSA-44 key")));
}

/** A signature of type 0x06 under the name ORIGIN, on a checkpoint of the log of that name. */
function signMlDsa(
  { treeSize, rootHash }: { treeSize: bigint; rootHash: Uint8Array },
): Uint8Array {
  const { secretKey } = mldsaKey();
  const name = utf8(ORIGIN);
  const named = concat([Uint8Array.of(name.length), name]);
  const message = concat([
    ...[utf8("subtree/v1\n\0"), named, uint64(1n), named, uint64(0n), uint64(treeSize)],
    rootHash,
  ]);
  return concat([uint64(1n), ml_dsa44.sign(message, secretKey, { extraEntropy: false })]);
}

function mldsaLog(): TypedLog {
  return typedLog({
    type: SIGNATURE_TYPE.mldsa44,
    publicKey: mldsaKey().publicKey,
    signatureOf: signMlDsa,
    extensions: ["", "an extension\n"],
  });
}

/** The parser of cosignatures, of both types, on one checkpoint. */
export function cosignatures({ hand }: Stage): ParserUnderTest {
  const stated = { origin: ORIGIN, treeSize: 7n, rootHash: sha256(uint64(7n)) };
  const text = formatCheckpointText(stated);
  const keys = [
    { type: SIGNATURE_TYPE.cosignature, publicKey: hand.vkey.publicKey },
    { type: SIGNATURE_TYPE.mldsa44, publicKey: mldsaKey().publicKey },
  ].map((key) => makeVkey({ name: ORIGIN, ...key }));
  const signed = [
    concat([uint64(1n), hand.sign(utf8(`cosignature/v1\ntime 1\n${text}`))]),
    signMlDsa(stated),
  ];
  const lines = keys.map((vkey, i) => formatSignatureLine({ vkey, signature: signed[i]! }));
  const cosigners = keys.map(loadCosigner);
  return parser<string>({
    name: "cosignature: readCosignatures",
    share: 10,
    valid: lines,
    inputs: fc.oneof(
      texts(lines),
      fc.tuple(choice(keys.length), bytes(signed)).map(([by, signature]) =>
        formatSignatureLine({ vkey: keys[by]!, signature })
      ),
    ),
    feed: (line) => line,
    run(input) {
      const held = readCosignatures({ text, lines: input.split("\n"), cosigners });
      insist(held.every(({ line }) => lines.includes(line)), "no line holds that nobody signed");
      return held.length > 0 ? "accepted" : "refused";
    },
  });
}

/** The statement of a checkpoint, for a set of those that were signed. */
function statementOf(log: Log, treeSize: bigint, root: string): string {
  return `${log.id} ${treeSize} ${root}`;
}

/** Parsers of checkpoints under keys that are not Ed25519's. */
export function typedNotes(): ParserUnderTest[] {
  const kinds: [string, number, readonly TypedLog[]][] = [
    ["ECDSA and RFC 6962", 25, ecdsaLogs()],
    ["ML-DSA-44", 6, [mldsaLog()]],
  ];
  return kinds.map(([what, share, typed]) => {
    const logs = typed.map(({ log }) => log);
    const samples = typed.flatMap(({ notes }) => notes);
    const signed = new Set(typed.flatMap(({ log, notes }) =>
      notes.map((note) => {
        const { treeSize, root } = open(note, log);
        return statementOf(log, treeSize, root);
      })
    ));
    return parser<string | Uint8Array>({
      name: `checkpoint: openCheckpoint, ${what}`,
      share,
      inputs: fc.oneof<fc.Arbitrary<string | Uint8Array>[]>(
        texts(samples),
        textBytes(samples),
        ...typed.map(({ log, notes }) =>
          bytes(notes.map((note) => open(note, log).signature)).map((signature) =>
            formatNote({ text: parseNote(notes[0]!).text, vkey: log.vkey, signature })
          )
        ),
      ),
      valid: samples,
      feed: (text) => text,
      run(note) {
        const opened = openCheckpoint({ note, logs });
        if ("refused" in opened) return "refused";
        for (const { log, treeSize, root } of opened) {
          insist(signed.has(statementOf(log, treeSize, root)), "no other statement opens");
        }
        return "accepted";
      },
    });
  });
}
