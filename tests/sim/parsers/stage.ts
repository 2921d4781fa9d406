/**
 * The parts of valid input: keys from fixed seeds, so that a case can be replayed; logs that tell
 * two stories, with their checkpoints; and conflict records, true and false.
 *
 * @module
 */
import { createPrivateKey, sign as nodeSign } from "node:crypto";
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { decodeHex } from "@std/encoding/hex";
import type { Conflict } from "../../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../../src/evidence/detector.ts";
import {
  buildRecord,
  type ConflictRecord,
  signedBytes,
  withSignature,
} from "../../../src/evidence/record.ts";
import { TestLog } from "../../../src/sources/test_log.ts";
import type { VerifiedCheckpoint } from "../../../src/tlog/checkpoint.ts";
import { base64, MAX_TREE_SIZE, utf8 } from "../../../src/tlog/encoding.ts";
import { leafHash, sha256 } from "../../../src/tlog/hashing.ts";
import { parseLog } from "../../../src/tlog/log.ts";
import { formatNote, parseNote } from "../../../src/tlog/note.ts";
import { Tree } from "../../../src/tlog/tree.ts";
import type { Vkey } from "../../../src/tlog/vkey.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { generateSigner } from "../../../src/world/signer.ts";
import type { World } from "../../../src/world/world.ts";
import { checkpointOf, grow, proofOf, seenOf } from "../../evidence/histories.ts";
import { insist } from "./parser.ts";

/** A key that signs at once, and the same way every time. */
interface Hand {
  readonly vkey: Vkey;
  readonly privateKey: string;
  sign(message: Uint8Array): Uint8Array;
}

/** DER of a PKCS #8 Ed25519 key up to the seed (RFC 8410 section 7). */
const PKCS8_PREFIX = decodeHex("302e020100300506032b657004220420");

/** The real world, except that its random bytes come from the seed. */
export function seededWorld(seed: Uint8Array): World {
  return { ...denoWorld(), random: { bytes: (count) => new Uint8Array(seed.slice(0, count)) } };
}

async function handOf(name: string): Promise<Hand> {
  const seed = sha256(utf8(name));
  const { signer: { vkey }, privateKey } = await generateSigner({ world: seededWorld(seed), name });
  const der = concat([PKCS8_PREFIX, seed]).toBase64();
  const key = createPrivateKey({ key: der, encoding: "base64", format: "der", type: "pkcs8" });
  return { vkey, privateKey, sign: (message) => new Uint8Array(nodeSign(null, message, key)) };
}

/** A log in memory whose key follows from its origin. */
function seededLog(origin: string): Promise<TestLog> {
  return TestLog.create({ world: seededWorld(sha256(utf8(origin))), origin });
}

/** Entries of the honest history. */
export const LEAVES = 600;
/** The size at which the two histories part. */
export const FORK_AT = 37;
/** The size of the other history. */
export const FORK_SIZE = 40;
/** The origin of both histories, and their key's name. */
export const ORIGIN = "log.invalid/alpha";
/** An origin under a key of another name. */
export const OTHER_ORIGIN = "an origin that is not the key's name";

/** When everything here was found and written down. */
export const AT = "2026-01-02T03:04:05Z";

/** Eight bytes, big-endian. */
export function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** Makes the parts of the samples, the same each time. */
export async function makeStage() {
  const honest = grow(await seededLog(ORIGIN), FORK_AT);
  const forked = grow(honest.fork(), FORK_SIZE, "another story");
  grow(honest, LEAVES);
  const again = grow(await seededLog("log.invalid/again"), 9);
  const hand = await handOf(ORIGIN);
  const second = await handOf("log.invalid/second-key");
  const detector = await handOf("monitor.invalid/one");
  const shortNamed = await handOf("m");
  // One origin under two keys, and one whose origin is not its key's name.
  const secondLog = parseLog(`${second.vkey.text} ${ORIGIN}`);
  const named = parseLog(`${second.vkey.text} ${OTHER_ORIGIN}`);
  const logs = [honest.log, secondLog, named, again.log];
  const hands = new Map([[honest.log.id, hand], [secondLog.id, second], [named.id, second]]);
  hands.set(again.log.id, await handOf("log.invalid/again"));
  const sizes = [1, 8, FORK_AT, FORK_SIZE, 255, 256, 257, LEAVES];
  const checkpoints = [
    ...await Promise.all(sizes.map((size) => checkpointOf(honest, size))),
    await checkpointOf(forked),
    await checkpointOf(again),
  ];
  const leaves = Array.from({ length: LEAVES }, (_, index) => leafHash(utf8(` entry ${index}`)));
  const tree = new Tree();
  for (const leaf of leaves) tree.append(leaf);
  insist(equals(tree.root(), honest.root(BigInt(LEAVES))), "the tree is the log's");
  return {
    ...{ honest, forked, leaves, tree, hand, detector, shortNamed, logs, hands, checkpoints },
    records: await recordsOf({ honest, forked, detector }),
    falseRecords: await falseRecordsOf({ honest, detector }),
  };
}

/** The parts of the samples. */
export type Stage = Awaited<ReturnType<typeof makeStage>>;

/** Whether a checkpoint has the one signature that its log's Ed25519 key makes for its text. */
export function isGenuine({ hands }: Stage, checkpoint: VerifiedCheckpoint): boolean {
  const hand = hands.get(checkpoint.log.id);
  const { text } = parseNote(checkpoint.note);
  return hand !== undefined && equals(hand.sign(utf8(text)), checkpoint.signature);
}

/** The note of a text, signed by the key of its origin. */
export function signedNote({ hand }: Stage, text: string): string {
  return formatNote({ text, vkey: hand.vkey, signature: hand.sign(utf8(text)) });
}

/** Texts of checkpoints that no honest log signs, or hardly any. */
export const HOSTILE_TEXTS = [
  `${ORIGIN}\n${MAX_TREE_SIZE}\n${base64(sha256(utf8("x")))}\n`,
  `${ORIGIN}\n5\n${base64(sha256(utf8("x")))}\nan extension\nanother\n`,
];

/** The log with its honest story, the same with another, and the detector. */
interface Histories {
  readonly honest: TestLog;
  readonly forked: TestLog;
  readonly detector: Hand;
}

/** A conflict of two sizes and one of one size, as records, signed and not. */
async function recordsOf(
  { honest, forked, detector }: Histories,
): Promise<readonly ConflictRecord[]> {
  const found: Conflict[] = [];
  const sameSize = new EquivocationDetector();
  sameSize.observe((await seenOf(honest, FORK_SIZE, "")).checkpoint, "one");
  const twice = sameSize.observe((await seenOf(forked, FORK_SIZE, "")).checkpoint, "two");
  if (twice !== undefined) found.push(twice);
  const crossSize = new EquivocationDetector();
  crossSize.observe(await checkpointOf(forked, FORK_SIZE), "one");
  crossSize.observe(await checkpointOf(honest, 90), "two");
  const proven = crossSize.observeProof(proofOf(honest, { older: FORK_SIZE, newer: 90 }));
  if (proven.verdict === "inconsistent") found.push(...proven.conflicts);
  insist(found.length === 2, "both kinds of conflict are made");
  return found.flatMap((conflict) => {
    const signed = buildRecord({ conflict, detectedAt: AT, detector: detector.vkey });
    return [
      buildRecord({ conflict, detectedAt: AT }),
      withSignature(signed, detector.sign(signedBytes(signed))),
    ];
  });
}

/**
 * Records that accuse the log falsely. Each is signed and false in only one thing: the proof leads
 * to the root that was signed, or the two roots are equal.
 */
async function falseRecordsOf(
  { honest, detector }: Omit<Histories, "forked">,
): Promise<readonly ConflictRecord[]> {
  const [older, newer] = [await seenOf(honest, FORK_SIZE, "x"), await seenOf(honest, 90, "y")];
  const { proof } = proofOf(honest, { older: FORK_SIZE, newer: 90 });
  const impliedRoot = older.checkpoint.rootHash;
  const made: Conflict[] = [
    { kind: "cross_size", first: older, second: newer, consistency: { impliedRoot, proof } },
    { kind: "same_size", first: older, second: { ...older, source: "z" } },
  ];
  return made.map((conflict) => {
    const record = buildRecord({ conflict, detectedAt: AT, detector: detector.vkey });
    return withSignature(record, detector.sign(signedBytes(record)));
  });
}
