import { encodeHex } from "@std/encoding/hex";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import type { TreeHead } from "../tlog/proof.ts";
import { encodedKey, SIGNATURE_TYPE } from "../tlog/vkey.ts";

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
 * The name of a case (PROTOCOL section 12): SHA-256, in hex, over the log (its key and origin)
 * and the two (size, root) pairs in canonical order. Two monitors that saw the halves in
 * different order, from different sources or with different cosignatures, name the case alike.
 *
 * The bytes hashed are five lines, of which each ends in a newline, the last too: a domain line;
 * base64(type || key); the origin; and the two pairs, each `size SPACE base64(root)`, by ascending
 * size and then by root bytes.
 *
 * For a 0x05 key (RFC 6962 tree heads) the third line is empty: its signatures do not cover the
 * origin, so the same two statements can be told under any, and would be as many cases.
 */
export function evidenceId(named: Case): string {
  return idUnder(signsOrigin(named.log) ? named.log.origin : "", named);
}

/**
 * The id that versions before gave a case under a 0x05 key, with the origin in it. What they wrote
 * still holds, but only under the origin that is the key's name, as static-ct-api has it: under
 * every other one it is a retelling.
 * @returns nothing where it was never another one, or the origin is not the key's name
 */
export function formerEvidenceId(named: Case): string | undefined {
  const { log } = named;
  if (signsOrigin(log) || log.origin !== log.vkey.name) return undefined;
  return idUnder(log.origin, named);
}

/** What an id is of: a log, and the two heads that it signed. */
interface Case {
  readonly log: Log;
  readonly heads: readonly [TreeHead, TreeHead];
}

function signsOrigin({ vkey }: Log): boolean {
  return vkey.type !== SIGNATURE_TYPE.rfc6962;
}

function idUnder(origin: string, { log, heads }: Case): string {
  const pairs = [...heads].sort(byHead)
    .map(({ treeSize, rootHash }) => `${treeSize} ${base64(rootHash)}\n`);
  return encodeHex(
    sha256(
      utf8(`hearsay/evidence-id/v1\n${encodedKey(log.vkey)}\n${origin}\n${pairs.join("")}`),
    ),
  );
}

function byHead(a: TreeHead, b: TreeHead): number {
  if (a.treeSize !== b.treeSize) return a.treeSize < b.treeSize ? -1 : 1;
  const at = a.rootHash.findIndex((byte, i) => byte !== b.rootHash[i]);
  return at < 0 ? 0 : a.rootHash[at]! - b.rootHash[at]!;
}
