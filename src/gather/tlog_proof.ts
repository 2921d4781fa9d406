import { parseTlogProof, TLOG_PROOF_START } from "../tlog/tlog_proof.ts";
import { openNote } from "./found.ts";
import type { TextKind } from "./kinds.ts";

/**
 * A proof of C2SP tlog-proof. It does not hold the entry that it is about, so its inclusion proof
 * cannot be followed here; only its form is checked.
 */
export const tlogProof: TextKind = {
  name: "tlog-proofs",
  recognizes: (start) => start.startsWith(TLOG_PROOF_START),
  read: (text, { logs, where }) => [
    openNote({ note: parseTlogProof(text).note, source: where, logs }),
  ],
};
