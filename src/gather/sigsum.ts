import { decodeHex } from "@std/encoding/hex";
import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { ED25519_SIGNATURE_BYTES } from "../tlog/ed25519.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { formatNote } from "../tlog/note.ts";
import { openNote } from "./found.ts";
import type { TextKind } from "./kinds.ts";

/**
 * A proof of Sigsum, versions 1 and 2 (sigsum-go, doc/sigsum-proof.md). The two differ in how they
 * name the leaf. Neither holds the message that the leaf is about, so the inclusion proof cannot be
 * followed here. The signed tree head is the text of a checkpoint in parts. It is looked for wherever
 * it stands, since a head that a log has signed counts even if the rest of a proof is broken;
 * `parseSigsumProof` reads a whole proof.
 */
export const sigsumProof: TextKind = {
  name: "Sigsum proofs",
  recognizes: (start) => /^version=\d+\nlog=/.test(start),
  read(text, { logs, where }) {
    const { origin, ...head } = readHead(text);
    const log = logs.find((log) => log.origin === origin);
    if (log === undefined) {
      const detail = `Sigsum proof of ${quoted(origin)}: no known key of this log`;
      return [{ kind: "rejected", reason: "unknown log", detail }];
    }
    const note = formatNote({
      text: formatCheckpointText({ origin, ...head }),
      vkey: log.vkey,
      signature: head.signature,
    });
    return [openNote({ note, source: where, logs })];
  },
};

/** @throws MalformedError naming the line that is wrong */
function readHead(
  text: string,
): { origin: string; treeSize: bigint; rootHash: Uint8Array; signature: Uint8Array } {
  try {
    const version = valueOf(text, "version");
    if (version !== "1" && version !== "2") {
      throw new MalformedError(`version is ${quoted(version)}, expected 1 or 2`);
    }
    const log = hexOf(text, { key: "log", bytes: HASH_BYTES });
    return {
      origin: `sigsum.org/v1/tree/${log.toHex()}`,
      treeSize: parseTreeSize(valueOf(text, "size")),
      rootHash: hexOf(text, { key: "root_hash", bytes: HASH_BYTES }),
      signature: hexOf(text, { key: "signature", bytes: ED25519_SIGNATURE_BYTES }),
    };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`Cannot read Sigsum proof: ${error.message}`);
  }
}

function valueOf(text: string, key: string): string {
  const [match, another] = text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"));
  if (match === undefined) throw new MalformedError(`it has no line ${key}=…`);
  if (another !== undefined) throw new MalformedError(`it has two lines ${key}=…`);
  return match[1]!;
}

function hexOf(text: string, { key, bytes }: { key: string; bytes: number }): Uint8Array {
  const value = valueOf(text, key);
  if (/^[0-9a-f]*$/.test(value) && value.length === 2 * bytes) return decodeHex(value);
  throw new MalformedError(
    `${key} is ${quoted(value)}, expected ${2 * bytes} lowercase hex digits`,
  );
}
