/**
 * What the log signs: the text of C2SP tlog-checkpoint v1.0.0. This module knows only text and
 * fields; `openCheckpoint` verifies signatures.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { base64, parseTreeSize, strictBase64 } from "./encoding.ts";
import { EMPTY_ROOT, HASH_BYTES } from "./hashing.ts";
import { ImpossibleError, MalformedError } from "./malformed.ts";

/** What a checkpoint text states; nothing in it is verified. */
export interface CheckpointText {
  readonly origin: string;
  readonly treeSize: bigint;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** Lines below the third, if any. The log decides what they mean. */
  readonly extensions: readonly string[];
}

/**
 * Reads a checkpoint text: origin, size and root, a line each, then extension lines.
 *
 *     parseCheckpointText(`log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n`)
 *     // { origin: "log.example", treeSize: 0n, rootHash: …, extensions: [] }
 *
 * @throws MalformedError naming the line that is wrong
 */
export function parseCheckpointText(text: string): CheckpointText {
  if (!text.endsWith("\n")) {
    throw new MalformedError("Cannot read checkpoint: expected a newline at its end");
  }
  const lines = text.slice(0, -1).split("\n");
  const [origin, size, root, ...extensions] = lines;
  if (origin === undefined || size === undefined || root === undefined) {
    throw new MalformedError(
      `Cannot read checkpoint: it has ${lines.length} lines, expected origin, size and root`,
    );
  }
  // SPEC: "MUST be a non-empty string"; the same is asked of each extension line.
  if (lines.includes("")) throw new MalformedError("Cannot read checkpoint: it has an empty line");
  try {
    const treeSize = parseTreeSize(size);
    const rootHash = strictBase64(root);
    if (rootHash.length !== HASH_BYTES) {
      throw new MalformedError(`root hash has ${rootHash.length} bytes, expected ${HASH_BYTES}`);
    }
    refuseOtherEmptyRoot({ treeSize, rootHash });
    return { origin, treeSize, rootHash, extensions };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const Same = error instanceof ImpossibleError ? ImpossibleError : MalformedError;
    throw new Same(`Cannot read checkpoint: ${error.message}`);
  }
}

/**
 * The text that a log signs for these three fields, without extension lines. It has only one
 * spelling.
 */
export function formatCheckpointText(
  { origin, treeSize, rootHash }: { origin: string; treeSize: bigint; rootHash: Uint8Array },
): string {
  return textOfRoot({ origin, treeSize, root: base64(rootHash) });
}

/** As `formatCheckpointText`, for a root hash that is in base64 already. */
export function textOfRoot(
  { origin, treeSize, root }: { origin: string; treeSize: bigint; root: string },
): string {
  return `${origin}\n${treeSize}\n${root}\n`;
}

/**
 * Size 0 has one root, SHA-256 of nothing (RFC 6962 section 2.1; RULES R12). Logs have signed zeros
 * there and repaired it later. No tree has such a root, so it states no history and contradicts
 * none.
 * @throws ImpossibleError for another root at size 0
 */
export function refuseOtherEmptyRoot(
  { treeSize, rootHash }: { treeSize: bigint; rootHash: Uint8Array },
): void {
  if (treeSize !== 0n || equals(rootHash, EMPTY_ROOT)) return;
  throw new ImpossibleError(
    `root hash of size 0 is ${base64(rootHash)}, expected SHA-256 of nothing, ` +
      base64(EMPTY_ROOT),
  );
}
