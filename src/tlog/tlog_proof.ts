import { parseTreeSize, strictBase64 } from "./encoding.ts";
import { HASH_BYTES } from "./hashing.ts";
import { MalformedError, quoted } from "./malformed.ts";
import { within } from "./members.ts";
import { MAX_PROOF_HASHES } from "./proof.ts";

/** What every tlog-proof begins with. */
export const TLOG_PROOF_START = "c2sp.org/tlog-proof@v1\n";

/** A proof of C2SP tlog-proof, taken apart; nothing in it is verified. */
export interface TlogProof {
  readonly index: bigint;
  /** The inclusion proof: 32 bytes each, in the order of RFC 6962 section 2.1.1. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note of the checkpoint. */
  readonly note: string;
}

/**
 * Reads a proof of C2SP tlog-proof, section "Format". It does not hold the entry that it is about.
 * Its `extra` data is not authenticated, and is left out.
 * @throws MalformedError naming the line that is wrong
 */
export function parseTlogProof(text: string): TlogProof {
  return within("Cannot read tlog-proof", () => {
    if (!text.startsWith(TLOG_PROOF_START)) {
      throw new MalformedError(`expected "${TLOG_PROOF_START.trimEnd()}" in its first line`);
    }
    const end = text.indexOf("\n\n");
    if (end < 0) throw new MalformedError("it has no checkpoint");
    return { ...readHead(text.slice(TLOG_PROOF_START.length, end)), note: text.slice(end + 2) };
  });
}

/** @throws MalformedError unless it is an optional `extra`, an `index`, and hashes */
function readHead(text: string): { index: bigint; hashes: Uint8Array[] } {
  const [first = "", ...others] = text.split("\n");
  const hasExtra = first.startsWith("extra ");
  if (hasExtra) strictBase64(first.slice("extra ".length));
  const [line = "", ...hashes] = hasExtra ? others : [first, ...others];
  if (!line.startsWith("index ")) {
    throw new MalformedError(`${quoted(line)} came, expected a line "index N"`);
  }
  const index = within("index", () => parseTreeSize(line.slice("index ".length)));
  if (hashes.length > MAX_PROOF_HASHES) {
    throw new MalformedError(
      `it has ${hashes.length} hashes, expected at most ${MAX_PROOF_HASHES}`,
    );
  }
  return { index, hashes: hashes.map(readHash) };
}

function readHash(text: string): Uint8Array {
  const hash = strictBase64(text);
  if (hash.length === HASH_BYTES) return hash;
  throw new MalformedError(`${quoted(text)} is not a hash of ${HASH_BYTES} bytes`);
}
