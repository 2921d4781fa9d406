import type { LookTime } from "../sources/look_time.ts";
import {
  ProofRefused,
  type ServedProof,
  type Source,
  SourceUnavailable,
} from "../sources/source.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { impliedOlderRoot } from "../tlog/proof.ts";

/** A proof that leads to the newer root, and the older root it implies. */
export interface Proven {
  readonly implied: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** A proof that the log gave, again and again, and that does not lead to the newer root. */
export interface FailedProof extends Pick<ServedProof, "olderRoot" | "proof"> {
  /** The older size. */
  readonly from: bigint;
}

/** Why there is no such proof. */
export interface NotProven {
  readonly result: "unproven" | "unavailable";
  /** For a person. */
  readonly detail: string;
  /** The shortest time to wait before it is asked for again, if the log said one. */
  readonly retryAfterMs?: number | undefined;
  /** Whether a part of it is missing, and that may be temporary. */
  readonly mayPass?: boolean;
  /** See Finding. */
  readonly isRewritten?: boolean;
  /** See Finding. */
  readonly failedProof?: FailedProof;
}

/**
 * Asks for the proof from an older size to a newer checkpoint. It says what the root at the older size
 * is in the newer tree, whoever has signed what there.
 */
export async function prove({ source, from, newer, time }: {
  source: Source;
  /** More than 0 and less than the newer size. */
  from: bigint;
  newer: VerifiedCheckpoint;
  time: LookTime | undefined;
}): Promise<Proven | NotProven> {
  const sizes = { older: from, newer: newer.treeSize };
  let failedProof: FailedProof | undefined;
  try {
    // A cache may have served a part of an older tree. The source drops what did not hold, so one
    // more try asks for it anew; with several places there is one more for each.
    const tries = 1 + (source.parts?.length ?? 1);
    for (let tried = 0; tried < tries; tried++) {
      const { olderRoot, proof, judged } = await source.consistency(sizes, time);
      const older = { treeSize: from, rootHash: olderRoot };
      const implied = impliedOlderRoot({ older, newer, proof });
      judged(implied !== undefined);
      if (implied !== undefined) return { implied, proof };
      failedProof = { from, olderRoot, proof };
    }
  } catch (error) {
    const isRefused = error instanceof ProofRefused;
    if (!isRefused && !(error instanceof SourceUnavailable)) throw error;
    const detail = `no proof from size ${sizes.older} to ${sizes.newer}: ${error.message}`;
    if (isRefused) return { result: "unproven", detail, mayPass: true };
    return { result: "unavailable", detail, retryAfterMs: error.retryAfterMs };
  }
  const detail = `the proof from size ${sizes.older} to ${sizes.newer} that the log gives does ` +
    "not lead to the root it signed";
  return { result: "unproven", detail, ...(failedProof && { failedProof }) };
}
