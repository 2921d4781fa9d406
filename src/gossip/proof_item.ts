import { parseExactJson } from "../evidence/json.ts";
import { textOf } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { readProof, type StatedProof, UnknownLog } from "../tlog/stated_proof.ts";
import { JSON_MEMBERS_BYTES, type Kind } from "./kind.ts";

/**
 * A consistency proof (PROTOCOL section 10). It has room for far more than 64 hashes and the name
 * of a log. To follow it takes up to 128 hashes.
 */
export const PROOF: Kind = {
  byte: 2,
  what: "proof",
  maxBytes: JSON_MEMBERS_BYTES,
  isOnce: false,
  cost: 8,
  isJson: true,

  hear({ body, party: { judge }, hearing }) {
    const stated = readFollowed(body, judge.logs);
    if (stated === undefined) return;
    const outcome = judge.hearProof(stated);
    if (outcome.verdict === "failed") {
      throw new MalformedError(
        `it does not lead from size ${stated.older.treeSize} to the root given for size ` +
          `${stated.newer.treeSize}; it convicts nobody`,
      );
    }
    hearing.named.add(stated.log);
  },
};

/** A proof about a log that is followed. */
function readFollowed(body: Uint8Array, logs: readonly Log[]): StatedProof | undefined {
  try {
    return readProof(parseExactJson(textOf(body)), logs);
  } catch (error) {
    if (error instanceof UnknownLog) return undefined;
    throw error;
  }
}
