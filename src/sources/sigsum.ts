/**
 * Sigsum logs. They serve tree heads and proofs as ASCII lines `key=value`, with hashes in hex.
 *
 * @module
 */
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { ED25519_SIGNATURE_BYTES } from "../tlog/ed25519.ts";
import { parseTreeSize, textOf, utf8 } from "../tlog/encoding.ts";
import { HASH_BYTES, sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { formatNote, MAX_NOTE_BYTES } from "../tlog/note.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import {
  type ConsistencyNodes,
  consistencyNodes,
  joinedHash,
  type TreeNode,
} from "../tlog/tiles.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { AnswerTooLarge, type Fetcher, fetchLatest, UnexpectedStatus } from "./fetcher.ts";
import type { LookTime } from "./look_time.ts";
import { within } from "./patient_fetcher.ts";
import { ProofRefused, type ServedProof, type Source, SourceUnavailable } from "./source.ts";

/** Bytes of a line `leaf_index=…` or `node_hash=…`, with room to spare. */
const MAX_LINE_BYTES = 128;
/** Longest proof read. */
const MAX_PROOF_BYTES = (1 + MAX_PROOF_HASHES) * MAX_LINE_BYTES;
/** The status of a Sigsum log for a size outside of its tree. */
const BAD_REQUEST = 400;

/** The origin of a Sigsum log, which follows from its key. */
export function sigsumOrigin(publicKey: Uint8Array): string {
  return `sigsum.org/v1/tree/${encodeHex(sha256(publicKey))}`;
}

/** A Sigsum log. We do not read its witnesses' cosignatures. */
export class SigsumSource implements Source {
  readonly #fetcher: Fetcher;
  readonly #log: Log;

  /** @throws MalformedError if the log's key or origin cannot be a Sigsum log's */
  constructor({ fetcher, log }: { fetcher: Fetcher; log: Log }) {
    const { type, publicKey } = log.vkey;
    if (type !== SIGNATURE_TYPE.ed25519) {
      throw new MalformedError(
        `a Sigsum log has a key of type 0x01 (Ed25519), this one's is 0x0${type.toString(16)}`,
      );
    }
    const origin = sigsumOrigin(publicKey);
    if (log.origin !== origin) {
      throw new MalformedError(
        `origin is ${quoted(log.origin)}, expected ${origin}: a Sigsum log's follows from its key`,
      );
    }
    this.#fetcher = fetcher;
    this.#log = log;
  }

  /** See Source. */
  distrust(): void {
    this.#fetcher.forget?.();
  }

  async latest(time?: LookTime): Promise<Uint8Array> {
    const path = "get-tree-head";
    const fetcher = within({ fetcher: this.#fetcher, time });
    const head = await fetchLatest({ fetcher, path, maxBytes: MAX_NOTE_BYTES });
    try {
      return utf8(noteOf(this.#log, head));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw new SourceUnavailable(
        `Cannot read ${this.#fetcher.locate(path)}: ${error.message}`,
      );
    }
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    const { older, newer } = sizes;
    const wanted = consistencyNodes(sizes);
    const fetcher = within({ fetcher: this.#fetcher, time });
    const proof = await consistencyProof({ fetcher, sizes, nodes: wanted });
    const roots = wanted.olderRoot.map((node) => hashOf({ node, nodes: wanted, proof }));
    // Each node of the older root is a hash in the proof, unless the older size is a power of two.
    const olderRoot = roots.every((hash) => hash !== undefined)
      ? joinedHash(roots)
      : await rootOfFullTree({ fetcher, older, newer, proof });
    // Nothing is remembered, so there is nothing to forget.
    return { olderRoot, proof, judged: () => {} };
  }
}

/**
 * The root at an older size that is a power of two. The proof from that size does not contain it,
 * but the proof from one leaf more does. Sometimes there is no such proof, because it would be
 * empty or start from a power of two again. Then the first hash of `proof` is the leaf that follows
 * the older tree, and the older root is the first hash of that leaf's inclusion proof.
 * @throws SourceUnavailable, ProofRefused
 */
async function rootOfFullTree({ fetcher, older, newer, proof }: {
  fetcher: Fetcher;
  older: bigint;
  newer: bigint;
  proof: readonly Uint8Array[];
}): Promise<Uint8Array> {
  if (older === 1n || older + 1n === newer) {
    const leafHash = proof[0]!;
    return await firstOfInclusion({ fetcher, index: older, leafHash, treeSize: newer });
  }
  const sizes = { older: older + 1n, newer };
  const nodes = consistencyNodes(sizes);
  const [node] = consistencyNodes({ older, newer }).olderRoot;
  return hashOf({ node: node!, nodes, proof: await consistencyProof({ fetcher, sizes, nodes }) })!;
}

async function consistencyProof({ fetcher, sizes: { older, newer }, nodes }: {
  fetcher: Fetcher;
  sizes: { older: bigint; newer: bigint };
  nodes: ConsistencyNodes;
}): Promise<Uint8Array[]> {
  return await ask({ fetcher, path: `get-consistency-proof/${older}/${newer}` }, (lines) => {
    const proof = lines.map((line) => readHash(line, "node_hash"));
    if (proof.length === nodes.proof.length) return proof;
    throw new MalformedError(
      `it has ${proof.length} hashes, expected ${nodes.proof.length} for these sizes`,
    );
  });
}

async function firstOfInclusion({ fetcher, index, leafHash, treeSize }: {
  fetcher: Fetcher;
  index: bigint;
  leafHash: Uint8Array;
  treeSize: bigint;
}): Promise<Uint8Array> {
  const path = `get-inclusion-proof/${treeSize}/${encodeHex(leafHash)}`;
  return await ask({ fetcher, path }, ([indexLine, first]) => {
    const found = readValue(indexLine, "leaf_index");
    if (found !== index.toString()) {
      throw new MalformedError(`leaf_index is ${quoted(found)}, expected ${index}`);
    }
    return readHash(first, "node_hash");
  });
}

/** Asks for a proof. Every answer that is not a proof is a refusal. */
async function ask<T>(
  { fetcher, path }: { fetcher: Fetcher; path: string },
  read: (lines: readonly string[]) => T,
): Promise<T> {
  const refused = (why: string): ProofRefused =>
    new ProofRefused(`The log gives no proof at ${fetcher.locate(path)}: ${why}`);
  try {
    const answer = await fetcher.get(path, { maxBytes: MAX_PROOF_BYTES });
    if (answer === undefined) throw refused("it is not there");
    return read(linesOf(answer));
  } catch (error) {
    if (error instanceof MalformedError) throw refused(error.message);
    if (error instanceof AnswerTooLarge) throw refused(`longer than ${MAX_PROOF_BYTES} bytes`);
    if (!(error instanceof UnexpectedStatus) || error.status !== BAD_REQUEST) throw error;
    throw refused("it refuses these sizes");
  }
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

/**
 * Makes the signed note of a tree head. A Sigsum log signs the text of a checkpoint, but serves its
 * parts as lines.
 * @throws MalformedError naming the line that is wrong
 */
function noteOf(log: Log, head: Uint8Array): string {
  const [size, root, signed] = linesOf(head);
  const treeSize = parseTreeSize(readValue(size, "size"));
  const rootHash = readHash(root, "root_hash");
  const signature = readHex(signed, "signature", ED25519_SIGNATURE_BYTES);
  const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
  return formatNote({ text, vkey: log.vkey, signature });
}

function linesOf(answer: Uint8Array): string[] {
  const text = textOf(answer);
  if (!text.endsWith("\n")) throw new MalformedError("expected a newline at its end");
  return text.slice(0, -1).split("\n");
}

function readValue(line: string | undefined, key: string): string {
  if (line?.startsWith(`${key}=`)) return line.slice(key.length + 1);
  const came = line === undefined ? "nothing" : quoted(line);
  throw new MalformedError(`${came} came, expected a line ${key}=…`);
}

function readHash(line: string | undefined, key: string): Uint8Array {
  return readHex(line, key, HASH_BYTES);
}

function readHex(line: string | undefined, key: string, bytes: number): Uint8Array {
  const value = readValue(line, key);
  if (/^[0-9a-f]*$/.test(value) && value.length === 2 * bytes) return decodeHex(value);
  throw new MalformedError(
    `${key} is ${quoted(value)}, expected ${2 * bytes} lowercase hex digits`,
  );
}
