/**
 * A log for benchmarks that signs any size at once.
 *
 * @module
 */
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { encodeFrame, FRAME_BYTES, type FrameFields } from "../../src/tlog/frame.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import type { TreeHead } from "../../src/tlog/proof.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";

/** A log, and its checkpoint of any size, in the two forms it travels in. */
export interface SigningLog {
  readonly log: Log;
  frame(treeSize: bigint): Uint8Array;
  note(treeSize: bigint): string;
  /** The same with a root of a real tree. */
  noteOf(head: TreeHead): string;
}

/** A log that signs fast: its key is here, and node:crypto signs synchronously. */
export function makeLog(): SigningLog {
  const { privateKey } = generateKeyPairSync("ed25519");
  const jwk = privateKey.export({ format: "jwk" }) as { x: string; d: string };
  const publicKey = Uint8Array.fromBase64(jwk.x, { alphabet: "base64url" });
  const log = parseLog(makeVkey({ name: "bench.invalid/log", type: 1, publicKey }).text);
  const key = createPrivateKey({
    key: { kty: "OKP", crv: "Ed25519", x: jwk.x, d: jwk.d },
    format: "jwk",
  });
  const signed = (
    treeSize: bigint,
    rootHash: Uint8Array = sha256(utf8(`${treeSize}`)),
  ): FrameFields & { text: string } => {
    const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
    const signature = new Uint8Array(sign(null, utf8(text), key));
    return { treeSize, rootHash, signature, text };
  };
  return {
    log,
    frame: (treeSize) => encodeFrame(signed(treeSize)),
    note: (treeSize) => formatNote({ vkey: log.vkey, ...signed(treeSize) }),
    noteOf: ({ treeSize, rootHash }) =>
      formatNote({ vkey: log.vkey, ...signed(treeSize, rootHash) }),
  };
}

/** Frames of sizes one after the other, in one piece. */
export function framesOf({ frame }: SigningLog, first: number, count: number): Uint8Array {
  const frames = new Uint8Array(count * FRAME_BYTES);
  for (let i = 0; i < count; i++) frames.set(frame(BigInt(first + i)), i * FRAME_BYTES);
  return frames;
}
