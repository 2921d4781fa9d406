import { encodeHex } from "@std/encoding/hex";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import type { TreeHead } from "../tlog/proof.ts";
import { encodedKey } from "../tlog/vkey.ts";

/** A verified checkpoint and who it came from. */
export interface Seen {
  readonly checkpoint: VerifiedCheckpoint;
  /** A peer's address, a file and line, or whatever the gatherer wrote; free text. */
  readonly source: string;
}

/** A consistency proof that leads from an implied older root to the newer signed one. */
export interface ImpliedConsistency {
  /** 32 bytes; not the root that was signed at the older size. */
  readonly impliedRoot: Uint8Array;
  /** As in RFC 9162 section 2.1.4: 32 bytes each. */
  readonly proof: readonly Uint8Array[];
}

/** Two checkpoints signed by one log that no single tree can have. */
export type Conflict =
  & {
    /** Observed first. */
    readonly first: Seen;
    readonly second: Seen;
  }
  & (
    | { readonly kind: "same_size" }
    | { readonly kind: "cross_size"; readonly consistency: ImpliedConsistency }
  );

/**
 * The name of a case: SHA-256, in hex, over the log (its key and origin) and the two (size, root)
 * pairs in canonical order. Two monitors that saw the halves in different order, from different
 * sources or with different cosignatures, name the case alike.
 *
 * The bytes hashed are five lines: a domain line; base64(type || key); the origin; and the two
 * pairs, each `size SPACE base64(root)`, by ascending size and then by root bytes.
 */
export function evidenceId(
  { log, heads }: { log: Log; heads: readonly [TreeHead, TreeHead] },
): string {
  const pairs = [...heads].sort(byHead)
    .map(({ treeSize, rootHash }) => `${treeSize} ${base64(rootHash)}\n`);
  return encodeHex(
    sha256(
      utf8(`hearsay/evidence-id/v1\n${encodedKey(log.vkey)}\n${log.origin}\n${pairs.join("")}`),
    ),
  );
}

function byHead(a: TreeHead, b: TreeHead): number {
  if (a.treeSize !== b.treeSize) return a.treeSize < b.treeSize ? -1 : 1;
  const at = a.rootHash.findIndex((byte, i) => byte !== b.rootHash[i]);
  return at < 0 ? 0 : a.rootHash[at]! - b.rootHash[at]!;
}
