import type { ParcelItem } from "../../src/gossip/kinds.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import type { StatedProof } from "../../src/tlog/stated_proof.ts";
import { formatProof } from "../tlog/stated_proofs.ts";

/** A consistency proof as an item; the program sends none so far (PROTOCOL section 7). */
export function proofItem(proof: StatedProof): ParcelItem {
  return { kind: "proof", body: utf8(formatProof(proof)) };
}
