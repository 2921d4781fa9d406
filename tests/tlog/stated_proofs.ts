import { base64 } from "../../src/tlog/encoding.ts";
import { formatLog } from "../../src/tlog/log.ts";
import type { TreeHead } from "../../src/tlog/proof.ts";
import type { StatedProof } from "../../src/tlog/stated_proof.ts";

/** The JSON text of a proof, as `readProof` reads it; the program itself writes none. */
export function formatProof({ log, older, newer, proof }: StatedProof): string {
  const head = ({ treeSize, rootHash }: TreeHead): { size: string; root: string } => ({
    size: `${treeSize}`,
    root: base64(rootHash),
  });
  return JSON.stringify({
    log: formatLog(log),
    older: head(older),
    newer: head(newer),
    proof: proof.map(base64),
  });
}
