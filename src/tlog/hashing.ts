import { newInstance } from "@chainsafe/as-sha256/wasm.js";
import { hash } from "node:crypto";

/** Bytes of a SHA-256 hash, and so of every root, leaf hash and proof element. */
export const HASH_BYTES = 32;

/** SHA-256 in one call, as a plain Uint8Array of 32 bytes with a buffer of its own. */
export function sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hash("sha256", data, "buffer"));
}

/** SHA-256 in one call, in lower-case hex. */
export function sha256Hex(data: Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** Root of the tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1). */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0));

/** Hash of a leaf's data: SHA-256(0x00 || data) (RFC 6962 section 2.1). */
export function leafHash(data: Uint8Array): Uint8Array<ArrayBuffer> {
  if (data.length < MAX_NODE_BYTES) {
    nodeInput[0] = LEAF_PREFIX;
    nodeInput.set(data, 1);
    wasm.digest(1 + data.length);
    return new Uint8Array(nodeOutput);
  }
  const input = new Uint8Array(1 + data.length);
  input.set(data, 1);
  return sha256(input);
}

/**
 * SHA-256 in WebAssembly, with one buffer for its input and one for its output. For 65 bytes, the
 * call of the platform's hash costs several times what the hashing costs; a call of this one costs
 * almost nothing. It is instantiated here, once, and keeps nothing between two calls. Its SIMD
 * variant is faster only for input without a prefix byte.
 */
const wasm = newInstance(false);

/** First byte of a leaf's input (RFC 6962 section 2.1). */
const LEAF_PREFIX = 0x00;
/** First byte of an inner node's input (RFC 6962 section 2.1). */
const NODE_PREFIX = 0x01;
/** Longest input: the module's buffer. A node of a tree has 65 bytes. */
const MAX_NODE_BYTES = 512;
const nodeInput = new Uint8Array(wasm.memory.buffer, wasm.input.value, MAX_NODE_BYTES);
const nodeOutput = new Uint8Array(wasm.memory.buffer, wasm.output.value, HASH_BYTES);

/** Two neighbours. */
export interface NodeHalves {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
}

/**
 * Hash of an inner node: SHA-256(0x01 || left || right) (RFC 6962 section 2.1).
 * @throws RangeError if the two have more than 511 bytes
 */
export function nodeHash(halves: NodeHalves): Uint8Array<ArrayBuffer> {
  return hashNodeInto(new Uint8Array(HASH_BYTES), halves);
}

/**
 * As `nodeHash`, but writes into `target` (32 bytes), which may be one of the two halves. It is for
 * a path of many nodes of which only the last hash is needed.
 * @returns the target
 * @throws RangeError as `nodeHash`
 */
export function hashNodeInto<T extends Uint8Array>(target: T, { left, right }: NodeHalves): T {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + left.length);
  hashNodeInput(1 + left.length + right.length);
  target.set(nodeOutput);
  return target;
}

/**
 * The root of a full subtree from the hashes at its foot (RFC 6962 section 2.1), as a tile has
 * them.
 * @param hashes 2^k hashes, one after the other, 32 bytes each
 * @throws RangeError if their number is not a power of two
 */
export function subtreeRoot(hashes: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = hashes.length / HASH_BYTES;
  if (count < 1 || !Number.isInteger(Math.log2(count))) {
    throw new RangeError(`${hashes.length} bytes came, expected 2^k hashes of ${HASH_BYTES} bytes`);
  }
  // Each row replaces the row below. Node i is written where hash i was, which is no longer needed.
  const row = new Uint8Array(hashes);
  for (let nodes = count / 2; nodes >= 1; nodes /= 2) {
    for (let i = 0; i < nodes; i++) {
      nodeInput.set(row.subarray(2 * i * HASH_BYTES, 2 * (i + 1) * HASH_BYTES), 1);
      hashNodeInput(1 + 2 * HASH_BYTES);
      row.set(nodeOutput, i * HASH_BYTES);
    }
  }
  return row.slice(0, HASH_BYTES);
}

/**
 * Hashes the input after its prefix. The prefix is set each time, because the module may overwrite
 * it.
 */
function hashNodeInput(bytes: number): void {
  nodeInput[0] = NODE_PREFIX;
  wasm.digest(bytes);
}
