/**
 * Logs that answer with whole proofs, and not with tiles: Sigsum, RFC 6962 and Rekor v1.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import {
  type ConsistencyNodes,
  consistencyNodes,
  joinedHash,
  type TreeNode,
} from "../tlog/tiles.ts";
import { AnswerTooLarge, type Fetcher, UnexpectedStatus } from "./fetcher.ts";
import { ProofRefused, type ServedProof } from "./source.ts";

/** The statuses of a log that does not want to prove what it was asked for. */
const BAD_REQUEST = [400, 422];

/** A leaf of a tree of that size. */
export interface LeafOf {
  readonly index: bigint;
  readonly leafHash: Uint8Array;
  readonly treeSize: bigint;
}

/** What a log of this kind is asked for. */
export interface ProofServer {
  /**
   * The hashes of PROOF(older, D[newer]) of RFC 6962 section 2.1.2, as served.
   * @throws SourceUnavailable, ProofRefused
   */
  consistencyProof(sizes: { older: bigint; newer: bigint }): Promise<readonly Uint8Array[]>;
  /**
   * The first hash of PATH(index, D[treeSize]) of RFC 6962 section 2.1.1, as served.
   * @throws SourceUnavailable, ProofRefused
   */
  firstOfInclusion(leaf: LeafOf): Promise<Uint8Array>;
}

/**
 * Gets a consistency proof, and the older root that it is about.
 * @param sizes 0 < older < newer
 * @throws SourceUnavailable, ProofRefused
 */
export async function proofFrom(
  server: ProofServer,
  sizes: { older: bigint; newer: bigint },
): Promise<ServedProof> {
  const nodes = consistencyNodes(sizes);
  const proof = await wholeProof({ server, sizes, nodes });
  const roots = nodes.olderRoot.map((node) => hashOf({ node, nodes, proof }));
  // Each node of the older root is a hash in the proof, unless the older size is a power of two.
  const olderRoot = roots.every((hash) => hash !== undefined)
    ? joinedHash(roots)
    : await rootOfFullTree({ server, sizes, proof });
  // Nothing is remembered, so there is nothing to forget.
  return { olderRoot, proof, judged: () => {} };
}

/**
 * The root at an older size that is a power of two. The proof from that size does not contain it,
 * but the proof from one leaf more does. Sometimes there is no such proof, because it would be
 * empty or start from a power of two again. Then the first hash of `proof` is the leaf that follows
 * the older tree, and the older root is the first hash of that leaf's inclusion proof.
 */
async function rootOfFullTree({ server, sizes: { older, newer }, proof }: {
  server: ProofServer;
  sizes: { older: bigint; newer: bigint };
  proof: readonly Uint8Array[];
}): Promise<Uint8Array> {
  if (older === 1n || older + 1n === newer) {
    return await server.firstOfInclusion({ index: older, leafHash: proof[0]!, treeSize: newer });
  }
  const sizes = { older: older + 1n, newer };
  const nodes = consistencyNodes(sizes);
  const [node] = consistencyNodes({ older, newer }).olderRoot;
  return hashOf({ node: node!, nodes, proof: await wholeProof({ server, sizes, nodes }) })!;
}

/** @throws ProofRefused also if the proof has another length than a proof of these sizes */
async function wholeProof({ server, sizes, nodes }: {
  server: ProofServer;
  sizes: { older: bigint; newer: bigint };
  nodes: ConsistencyNodes;
}): Promise<readonly Uint8Array[]> {
  const proof = await server.consistencyProof(sizes);
  if (proof.length === nodes.proof.length) return proof;
  throw new ProofRefused(
    `The log gives no proof from ${sizes.older} to ${sizes.newer}: what it gives has ` +
      `${proof.length} hashes, expected ${nodes.proof.length} for these sizes`,
  );
}

/** The hash of a node, if it is a hash of the proof by itself. */
function hashOf(
  { node, nodes, proof }: {
    node: TreeNode;
    nodes: ConsistencyNodes;
    proof: readonly Uint8Array[];
  },
): Uint8Array | undefined {
  const at = nodes.proof.findIndex(([first, ...more]) =>
    more.length === 0 && first?.level === node.level && first.index === node.index
  );
  return proof[at];
}

/** Longest answer read, if one hash of a proof takes this many bytes in it. */
export function maxProofBytes(perHash: number): number {
  return (1 + MAX_PROOF_HASHES) * perHash;
}

/**
 * Asks a log for a proof. Every answer that is not a proof is a refusal. Only silence, and a status
 * that does not speak about the question, is an outage.
 * @param read throws MalformedError for what is no such proof
 * @throws SourceUnavailable, ProofRefused
 */
export async function askForProof<T>(
  { fetcher, path, maxBytes }: { fetcher: Fetcher; path: string; maxBytes: number },
  read: (answer: Uint8Array) => T,
): Promise<T> {
  const refused = (why: string): ProofRefused =>
    new ProofRefused(`The log gives no proof at ${fetcher.locate(path)}: ${why}`);
  try {
    const answer = await fetcher.get(path, { maxBytes });
    if (answer === undefined) throw refused("it is not there");
    return read(answer);
  } catch (error) {
    if (error instanceof MalformedError) throw refused(error.message);
    if (error instanceof AnswerTooLarge) throw refused(`longer than ${maxBytes} bytes`);
    if (!(error instanceof UnexpectedStatus) || !BAD_REQUEST.includes(error.status)) throw error;
    throw refused("it refuses these sizes");
  }
}
