import type { LookTime } from "../sources/look_time.ts";
import { ProofRefused, type Source, SourceUnavailable } from "../sources/source.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { impliedOlderRoot } from "../tlog/proof.ts";

/** A proof that leads to the newer root, and the older root it implies. */
export interface Proven {
  readonly implied: Uint8Array;
  readonly proof: readonly Uint8Array[];
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

/** A proof that does not lead from one checkpoint to the other. Anybody can make one: it proves nothing. */
export interface FailedProof {
  readonly older: VerifiedCheckpoint;
  readonly newer: VerifiedCheckpoint;
  /** The root at the older size, as it came with the proof. */
  readonly givenRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Asks for the proof from the size of an older checkpoint to a newer one. It says what the root at the
 * older size is in the newer tree, whoever has signed what there.
 */
export async function prove({ source, older: wanted, newer, time }: {
  source: Source;
  /** Of a size more than 0 and less than the newer one's. */
  older: VerifiedCheckpoint;
  newer: VerifiedCheckpoint;
  time: LookTime | undefined;
}): Promise<Proven | NotProven> {
  const sizes = { older: wanted.treeSize, newer: newer.treeSize };
  try {
    // A cache may have served a part of an older tree. The source drops what did not hold, so one
    // more try asks for it anew; with several places there is one more for each.
    const tries = 1 + (source.parts?.length ?? 1);
    let failedProof: FailedProof | undefined;
    for (let tried = 0; tried < tries; tried++) {
      const { olderRoot, proof, judged } = await source.consistency(sizes, time);
      const older = { treeSize: sizes.older, rootHash: olderRoot };
      const implied = impliedOlderRoot({ older, newer, proof });
      judged(implied !== undefined);
      if (implied !== undefined) return { implied, proof };
      failedProof = { older: wanted, newer, givenRoot: olderRoot, proof };
    }
    const detail = `the proof from size ${sizes.older} to ${sizes.newer} that the log gives does ` +
      "not lead to the root it signed";
    return { result: "unproven", detail, ...(failedProof && { failedProof }) };
  } catch (error) {
    const isRefused = error instanceof ProofRefused;
    if (!isRefused && !(error instanceof SourceUnavailable)) throw error;
    const detail = `no proof from size ${sizes.older} to ${sizes.newer}: ${error.message}`;
    if (isRefused) return { result: "unproven", detail, mayPass: true };
    return { result: "unavailable", detail, retryAfterMs: error.retryAfterMs };
  }
}
