/**
 * Tree heads of RFC 6962 as logs serve them: the JSON of `get-sth` (section 4.3). The signature covers
 * its timestamp too, so in a note the two stand together, as a signature of type 0x05 (RULES S4).
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { strictBase64 } from "./encoding.ts";
import { HASH_BYTES } from "./hashing.ts";
import { MalformedError } from "./malformed.ts";
import { checkMembers, type Shape, text, wholeNumber, within } from "./members.ts";

/** The size and the timestamp are JSON numbers. */
const TREE_HEAD: Shape = {
  must: {
    tree_size: wholeNumber({ least: 0 }),
    timestamp: wholeNumber({ least: 0 }),
    sha256_root_hash: text,
    tree_head_signature: text,
  },
  others: "kept",
};

/** What a tree head states, and its signature as a note of type 0x05 has it. Nothing is verified. */
export interface ServedTreeHead {
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Reads a tree head.
 * @param value parsed JSON
 * @throws MalformedError naming the member that is wrong
 */
export function readTreeHead(value: unknown): ServedTreeHead {
  checkMembers(value, { what: "the tree head", shape: TREE_HEAD });
  const bytesOf = (name: string): Uint8Array<ArrayBuffer> =>
    within(name, () => strictBase64(value[name] as string));
  const rootHash = bytesOf("sha256_root_hash");
  if (rootHash.length !== HASH_BYTES) {
    throw new MalformedError(
      `sha256_root_hash has ${rootHash.length} bytes, expected ${HASH_BYTES}`,
    );
  }
  const timestamp = new Uint8Array(8);
  new DataView(timestamp.buffer).setBigUint64(0, BigInt(value.timestamp as number));
  return {
    treeSize: BigInt(value.tree_size as number),
    rootHash,
    signature: concat([timestamp, bytesOf("tree_head_signature")]),
  };
}
