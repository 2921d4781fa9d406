/** The log and the monitor of the examples in the documents: fixed keys, fixed entries, fixed times. */
import { decodeHex } from "@std/encoding/hex";
import { type Conflict } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import {
  buildRecord,
  type ConflictRecord,
  signedBytes,
  withSignature,
} from "../../src/evidence/record.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint_text.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { type Log, makeLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import type { StatedProof } from "../../src/tlog/stated_proof.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";

/** The seeds of the two Ed25519 keys (RFC 8032 section 5.1.5), in hex. */
export const SEEDS = {
  log: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
  monitor: "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
};
/** The origin of the log, which is not its key's name. */
export const ORIGIN = "Example log";
/** When the records were made. */
export const DETECTED_AT = "2026-01-02T03:04:05.678Z";

/** The entries that both histories have, and those in which they differ. */
export const ENTRIES = {
  common: ["entry 0", "entry 1", "entry 2"],
  one: ["one 3", "one 4", "one 5", "one 6"],
  other: ["other 3", "other 4"],
};

function signerOf(name: string, seed: string): Promise<{ signer: Signer }> {
  const world = { ...denoWorld(), random: { bytes: () => decodeHex(seed) } };
  return generateSigner({ world, name });
}

const { signer: logSigner } = await signerOf("log.example.com", SEEDS.log);
/** The monitor that signs the records. */
export const { signer: monitor } = await signerOf("monitor.example.com/berlin", SEEDS.monitor);
/** The log that tells two stories. */
export const log: Log = makeLog({ vkey: logSigner.vkey, origin: ORIGIN });

function treeOf(entries: readonly string[]): Tree {
  const tree = new Tree();
  for (const entry of entries) tree.append(leafHash(utf8(entry)));
  return tree;
}

const trees = {
  one: treeOf([...ENTRIES.common, ...ENTRIES.one]),
  other: treeOf([...ENTRIES.common, ...ENTRIES.other]),
};

/** One history's root at a size. */
export function rootOf(story: keyof typeof trees, size: number): Uint8Array {
  return trees[story].root(BigInt(size));
}

/** One history's checkpoint at a size. */
export async function checkpointOf(
  story: keyof typeof trees,
  size: number,
): Promise<VerifiedCheckpoint> {
  const fields = { origin: ORIGIN, treeSize: BigInt(size), rootHash: rootOf(story, size) };
  const text = formatCheckpointText(fields);
  const signature = await logSigner.sign(utf8(text));
  const note = formatNote({ text, vkey: log.vkey, signature });
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) throw new Error(opened.detail);
  return opened[0]!;
}

/** The proof between two sizes of the history `one`. */
export function proofOf(older: number, newer: number): StatedProof {
  const [from, to] = [BigInt(older), BigInt(newer)];
  return {
    log,
    older: { treeSize: from, rootHash: trees.one.root(from) },
    newer: { treeSize: to, rootHash: trees.one.root(to) },
    proof: trees.one.consistencyProof({ older: from, newer: to }),
  };
}

async function signed(conflict: Conflict): Promise<ConflictRecord> {
  const record = buildRecord({ conflict, detectedAt: DETECTED_AT, detector: monitor.vkey });
  return withSignature(record, await monitor.sign(signedBytes(record)));
}

/** The record of the two roots at size 5. */
export async function sameSizeRecord(): Promise<ConflictRecord> {
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf("one", 5), "the log");
  return await signed(detector.observe(await checkpointOf("other", 5), "192.0.2.1")!);
}

/** The record of size 4 or 5 of the history `other`, which size 7 of `one` contradicts. */
export async function crossSizeRecord(older: 4 | 5): Promise<ConflictRecord> {
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf("one", 7), "the log");
  detector.observe(await checkpointOf("other", older), "192.0.2.1");
  const outcome = detector.observeProof(proofOf(older, 7));
  if (outcome.verdict !== "inconsistent") throw new Error(outcome.verdict);
  return await signed(outcome.conflicts[0]!);
}
