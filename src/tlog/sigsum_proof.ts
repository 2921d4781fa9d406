/**
 * Proofs of Sigsum, as its tools write them (sigsum-go, doc/sigsum-proof.md): three blocks of lines
 * `key=value`, with an empty line between them. Versions 1 and 2 differ in how they name the leaf.
 *
 * @module
 */
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { concat } from "@std/bytes/concat";
import { ED25519_SIGNATURE_BYTES, importEd25519Key, verifyEd25519 } from "./ed25519.ts";
import { MAX_TREE_SIZE, parseTreeSize, utf8 } from "./encoding.ts";
import { HASH_BYTES, sha256 } from "./hashing.ts";
import { MalformedError, quoted } from "./malformed.ts";
import { within } from "./members.ts";
import { MAX_SIGNATURE_LINES } from "./note.ts";
import { MAX_PROOF_HASHES } from "./proof.ts";
import { sigsumKeyHash } from "./sigsum.ts";

/** What a Sigsum proof begins with. */
export const SIGSUM_PROOF_START = /^version=\d+\nlog=/;

/** A cosignature as Sigsum spells it; nothing in it is verified. */
export interface SigsumCosignature {
  /** The witness, by the hash of its key, in hex. */
  readonly keyHash: string;
  /** POSIX seconds. */
  readonly time: bigint;
  /** 64 bytes, as in a cosignature of type 0x04. */
  readonly signature: Uint8Array;
}

/** A proof of Sigsum, taken apart; nothing in it is verified. */
export interface SigsumProof {
  readonly origin: string;
  readonly leaf: SigsumLeaf;
  readonly treeSize: bigint;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** The log's, 64 bytes. */
  readonly signature: Uint8Array;
  readonly cosignatures: readonly SigsumCosignature[];
  readonly index: bigint;
  readonly hashes: readonly Uint8Array[];
}

/** What a proof says of its leaf. The checksum of what was logged is not in it. */
export interface SigsumLeaf {
  /** Whoever submitted it, by the hash of the key, in hex. */
  readonly keyHash: string;
  /** The submitter's, 64 bytes. */
  readonly signature: Uint8Array;
  /** The first two bytes of the checksum, in hex, which version 1 repeats. */
  readonly shortChecksum: string | undefined;
}

/**
 * Reads a proof of version 1 or 2.
 * @throws MalformedError naming the line that is wrong
 */
export function parseSigsumProof(text: string): SigsumProof {
  return within("Cannot read Sigsum proof", () => {
    if (!text.endsWith("\n")) throw new MalformedError("expected a newline at its end");
    const [start, head, inclusion, more] = text.slice(0, -1).split("\n\n");
    if (head === undefined || more !== undefined) {
      throw new MalformedError("expected two or three blocks of lines, with an empty line between");
    }
    const top = new Lines(start!);
    const version = top.value("version");
    if (version !== "1" && version !== "2") {
      throw new MalformedError(`version is ${quoted(version)}, expected 1 or 2`);
    }
    const origin = `sigsum.org/v1/tree/${
      hexText(top.value("log"), { key: "log", of: HASH_BYTES })
    }`;
    const leaf = readLeaf(top.value("leaf"), version);
    top.end();
    const tree = readTree(new Lines(head));
    return { origin, leaf, ...tree, ...readInclusion(inclusion, tree.treeSize) };
  });
}

/**
 * The leaf of a Sigsum log: checksum, the submitter's signature, the hash of the submitter's key.
 * @param message 32 bytes: the SHA-256 of what was logged, as a rule
 */
export function sigsumLeafOf(
  { leaf, message }: { leaf: SigsumLeaf; message: Uint8Array },
): Uint8Array {
  return concat([sha256(message), leaf.signature, decodeHex(leaf.keyHash)]);
}

/** Whether a proof of version 1 says that it is about this message. Version 2 does not say it. */
export function isAbout(
  { leaf, message }: { leaf: SigsumLeaf; message: Uint8Array },
): boolean {
  const short = encodeHex(sha256(message).subarray(0, SHORT_CHECKSUM_BYTES));
  return leaf.shortChecksum === undefined || leaf.shortChecksum === short;
}

/**
 * Whether the submitter with this key has signed the leaf: `sigsum.org/v1/tree-leaf`, 0x00, and the
 * checksum.
 * @param publicKey 32 bytes
 * @throws MalformedError for a key that is not sound
 */
export function isSubmittedBy(
  { leaf, message, publicKey }: { leaf: SigsumLeaf; message: Uint8Array; publicKey: Uint8Array },
): boolean {
  const key = importEd25519Key(publicKey);
  if (sigsumKeyHash(publicKey) !== leaf.keyHash) return false;
  const signed = concat([utf8("sigsum.org/v1/tree-leaf\0"), sha256(message)]);
  return verifyEd25519({ key, message: signed, signature: leaf.signature });
}

const SHORT_CHECKSUM_BYTES = 2;

/** `leaf=[SHORT-CHECKSUM] KEYHASH SIGNATURE`: version 1 has the first part. */
function readLeaf(value: string, version: "1" | "2"): SigsumLeaf {
  const parts = value.split(" ");
  const [keyHash, signature, more] = version === "1" ? parts.slice(1) : parts;
  if (keyHash === undefined || signature === undefined || more !== undefined) {
    throw new MalformedError(`leaf is ${quoted(value)}, expected the form of version ${version}`);
  }
  return {
    keyHash: hexText(keyHash, { key: "leaf", of: HASH_BYTES }),
    signature: hexOf(signature, { key: "leaf", of: ED25519_SIGNATURE_BYTES }),
    shortChecksum: version === "1"
      ? hexText(parts[0]!, { key: "leaf", of: SHORT_CHECKSUM_BYTES })
      : undefined,
  };
}

function readTree(
  lines: Lines,
): Pick<SigsumProof, "treeSize" | "rootHash" | "signature" | "cosignatures"> {
  const treeSize = within("size", () => parseTreeSize(lines.value("size")));
  const rootHash = hexOf(lines.value("root_hash"), { key: "root_hash", of: HASH_BYTES });
  const signature = lines.value("signature");
  // In a note the log's own line comes before them.
  const cosignatures = lines.rest("cosignature", MAX_SIGNATURE_LINES - 1).map(
    readSigsumCosignature,
  );
  return {
    ...{ treeSize, rootHash, cosignatures },
    signature: hexOf(signature, { key: "signature", of: ED25519_SIGNATURE_BYTES }),
  };
}

/**
 * Reads a cosignature as Sigsum writes it: `KEYHASH TIMESTAMP SIGNATURE`.
 * @throws MalformedError naming what is wrong
 */
export function readSigsumCosignature(value: string): SigsumCosignature {
  const [keyHash, time, signature, more] = value.split(" ");
  if (keyHash === undefined || time === undefined || signature === undefined || more) {
    throw new MalformedError(`cosignature is ${quoted(value)}, expected KEYHASH TIME SIGNATURE`);
  }
  if (!/^(0|[1-9]\d{0,18})$/.test(time) || BigInt(time) > MAX_TREE_SIZE) {
    throw new MalformedError(`cosignature has the time ${quoted(time)}, expected POSIX seconds`);
  }
  return {
    keyHash: hexText(keyHash, { key: "cosignature", of: HASH_BYTES }),
    time: BigInt(time),
    signature: hexOf(signature, { key: "cosignature", of: ED25519_SIGNATURE_BYTES }),
  };
}

/** In a tree of one leaf this block is left out. */
function readInclusion(
  block: string | undefined,
  treeSize: bigint,
): Pick<SigsumProof, "index" | "hashes"> {
  if (block === undefined) {
    if (treeSize === 1n) return { index: 0n, hashes: [] };
    throw new MalformedError(
      "it has no inclusion proof, which only a tree of one leaf may leave out",
    );
  }
  const lines = new Lines(block);
  const index = within("leaf_index", () => parseTreeSize(lines.value("leaf_index")));
  const hashes = lines.rest("node_hash", MAX_PROOF_HASHES)
    .map((hash) => hexOf(hash, { key: "node_hash", of: HASH_BYTES }));
  return { index, hashes };
}

/** The lines of one block, which stand in a fixed order. */
class Lines {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(block: string) {
    this.#lines = block.split("\n");
  }

  /** The value of the next line, which must have this key. */
  value(key: string): string {
    const line = this.#lines[this.#at++];
    if (line?.startsWith(`${key}=`)) return line.slice(key.length + 1);
    const came = line === undefined ? "nothing" : quoted(line);
    throw new MalformedError(`${came} came, expected a line ${key}=…`);
  }

  /** The values of all lines that are left, which must have this key. */
  rest(key: string, most: number): string[] {
    const count = this.#lines.length - this.#at;
    if (count > most) throw new MalformedError(`${count} lines ${key}=…, expected at most ${most}`);
    return Array.from({ length: count }, () => this.value(key));
  }

  /** @throws MalformedError if lines are left */
  end(): void {
    const line = this.#lines[this.#at];
    if (line !== undefined) {
      throw new MalformedError(`${quoted(line)} came, expected an empty line`);
    }
  }
}

function hexText(value: string, { key, of }: { key: string; of: number }): string {
  if (/^[0-9a-f]*$/.test(value) && value.length === 2 * of) return value;
  throw new MalformedError(
    `${key} has ${quoted(value)}, expected ${2 * of} lowercase hex digits`,
  );
}

function hexOf(value: string, how: { key: string; of: number }): Uint8Array {
  return decodeHex(hexText(value, how));
}
