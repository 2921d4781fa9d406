import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { parseTreeSize, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import { openNote } from "./found.ts";
import type { TextKind } from "./kinds.ts";

const FIRST_LINE = "c2sp.org/tlog-proof@v1\n";

/**
 * A proof of C2SP tlog-proof. It does not hold the entry that it is about, so its inclusion proof
 * cannot be followed here; only its form is checked.
 */
export const tlogProof: TextKind = {
  name: "tlog-proofs",
  recognizes: (start) => start.startsWith(FIRST_LINE),
  read(text, { logs, where }) {
    const end = text.indexOf("\n\n");
    if (end < 0) throw new MalformedError("Cannot read tlog-proof: it has no checkpoint");
    within("Cannot read tlog-proof", () => checkHead(text.slice(FIRST_LINE.length, end)));
    return [openNote({ note: text.slice(end + 2), source: where, logs })];
  },
};

/** @throws MalformedError unless it is an optional `extra`, an `index`, and hashes */
function checkHead(text: string): void {
  const [first = "", ...others] = text.split("\n");
  const hasExtra = first.startsWith("extra ");
  if (hasExtra) strictBase64(first.slice("extra ".length));
  const [index = "", ...hashes] = hasExtra ? others : [first, ...others];
  if (!index.startsWith("index ")) {
    throw new MalformedError(`${quoted(index)} came, expected a line "index N"`);
  }
  within("index", () => parseTreeSize(index.slice("index ".length)));
  if (hashes.length > MAX_PROOF_HASHES) {
    throw new MalformedError(
      `it has ${hashes.length} hashes, expected at most ${MAX_PROOF_HASHES}`,
    );
  }
  const wrong = hashes.find((hash) => strictBase64(hash).length !== HASH_BYTES);
  if (wrong !== undefined) {
    throw new MalformedError(`${quoted(wrong)} is not a hash of ${HASH_BYTES} bytes`);
  }
}
