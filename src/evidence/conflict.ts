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

/** A consistency proof that leads from an implied older root to the newer, signed root. */
export interface ImpliedConsistency {
  /** 32 bytes. It differs from the root that was signed at the older size. */
  readonly impliedRoot: Uint8Array;
  /** As in RFC 9162 section 2.1.4: 32 bytes each. */
  readonly proof: readonly Uint8Array[];
}

/** Two checkpoints signed by one log, or by one of its cosigners, that no single tree can have. */
export type Conflict =
  & {
    /** Observed first. */
    readonly first: Seen;
    readonly second: Seen;
  }
  & (
    | { readonly kind: "same_size" }
    /** The key is not the log's, but that of a cosigner of its checkpoints. */
    | { readonly kind: "same_size_cosigned" }
    | { readonly kind: "cross_size"; readonly consistency: ImpliedConsistency }
  );

/**
 * The name of a case (PROTOCOL section 12): SHA-256, in hex, over the log (its key and origin) and
 * the two (size, root) pairs in canonical order. Two monitors give one case the same name, even if
 * they saw the halves in different order, from different sources or with different cosignatures.
 *
 * The hashed bytes are five lines. Each of them ends in a newline, the last one too:
 *
 *     hearsay/evidence-id/v1
 *     base64(type || key)
 *     origin
 *     size SPACE base64(root)
 *     size SPACE base64(root)
 *
 * The two pairs are in order of size, and for one size in order of the bytes of the roots.
 *
 * For a 0x05 key (RFC 6962 tree heads) the third line is empty. Its signatures do not cover the
 * origin. Otherwise the same two statements, told under several origins, would be several cases.
 */
export function evidenceId(named: Case): string {
  return idUnder(signsOrigin(named.log) ? named.log.origin : "", named);
}

/**
 * The id that earlier versions gave a case under a 0x05 key, with the origin in it. Their records
 * still hold, but only if the origin is the key's name, as in static-ct-api. Under any other origin
 * a record is a retelling.
 * @returns nothing if earlier versions gave the same id, or if the origin is not the key's name
 */
export function formerEvidenceId(named: Case): string | undefined {
  const { log } = named;
  if (signsOrigin(log) || log.origin !== log.vkey.name) return undefined;
  return idUnder(log.origin, named);
}

/** What an id names: a log, and the two heads that it signed. */
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
