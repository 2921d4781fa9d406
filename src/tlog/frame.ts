/**
 * The frame: 104 bytes that carry one checkpoint between monitors (PROTOCOL section 4).
 *
 *     uint64 size, big-endian | 32-byte root | 64-byte Ed25519 signature
 *
 * This module knows only bytes and fields; `openFrame` in checkpoint.ts verifies a frame.
 *
 * @module
 */
import { refuseOtherEmptyRoot } from "./checkpoint_text.ts";
import { ED25519_SIGNATURE_BYTES } from "./ed25519.ts";
import { HASH_BYTES } from "./hashing.ts";
import { MAX_TREE_SIZE } from "./encoding.ts";
import { ImpossibleError, MalformedError } from "./malformed.ts";

/** Bytes of a frame. */
export const FRAME_BYTES = 104;

const ROOT_AT = 8;
const SIGNATURE_AT = ROOT_AT + HASH_BYTES;

/** What a frame states. */
export interface FrameFields {
  readonly treeSize: bigint;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Whether these 104 bytes are all zero, which says "I have seen nothing". */
export function isZeroFrame(frame: Uint8Array): boolean {
  // We use our own loop: sizes begin with zeros, and a function call for each byte costs as much as
  // all else that is done with a frame.
  for (let i = 0; i < frame.length; i++) if (frame[i] !== 0) return false;
  return true;
}

/**
 * Reads a frame's fields. They are views of its bytes, because a copy would cost more than all else
 * here. Do not change the frame while you use them.
 * @throws MalformedError for a wrong length, a size above 2^63-1, or a root that size 0 cannot have
 */
export function decodeFrame(frame: Uint8Array): FrameFields {
  if (frame.length !== FRAME_BYTES) {
    throw new MalformedError(
      `Cannot read frame: ${frame.length} bytes came, expected ${FRAME_BYTES}`,
    );
  }
  // We use no DataView: making one for each frame costs more than reading the whole frame.
  const treeSize = BigInt(uint32At(frame, 0)) << 32n | BigInt(uint32At(frame, 4));
  if (treeSize > MAX_TREE_SIZE) {
    throw new MalformedError(
      `Cannot read frame: tree size is ${treeSize}, expected at most ${MAX_TREE_SIZE}`,
    );
  }
  const rootHash = frame.subarray(ROOT_AT, SIGNATURE_AT);
  try {
    refuseOtherEmptyRoot({ treeSize, rootHash });
  } catch (error) {
    if (!(error instanceof ImpossibleError)) throw error;
    throw new ImpossibleError(`Cannot read frame: ${error.message}`);
  }
  return { treeSize, rootHash, signature: frame.subarray(SIGNATURE_AT) };
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** The 104 bytes of these fields. */
export function encodeFrame(
  { treeSize, rootHash, signature }: FrameFields,
): Uint8Array<ArrayBuffer> {
  if (
    treeSize < 0n || treeSize > MAX_TREE_SIZE || rootHash.length !== HASH_BYTES ||
    signature.length !== ED25519_SIGNATURE_BYTES
  ) {
    throw new RangeError(
      "these are not the fields of a verified checkpoint, and no frame carries them",
    );
  }
  const frame = new Uint8Array(FRAME_BYTES);
  new DataView(frame.buffer).setBigUint64(0, treeSize);
  frame.set(rootHash, ROOT_AT);
  frame.set(signature, SIGNATURE_AT);
  return frame;
}
