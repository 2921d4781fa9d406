import { EquivocationDetector } from "../evidence/detector.ts";
import { type Gathered, mayHide, readGathered, type RejectionReason } from "../sources/gathered.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { type StatedProof, UnknownLog } from "../tlog/stated_proof.ts";
import type { OpenFile } from "../world/world.ts";

/** The result of judging gathered files. */
export interface JudgedFiles {
  readonly detector: EquivocationDetector;
  /** Checkpoints accepted, repeats included. */
  checkpoints: number;
  /** Proofs that hold, between two sizes at which the log signed a root. */
  proofs: number;
  /** Proofs about sizes of which no signed checkpoint was gathered. */
  idleProofs: number;
  readonly rejected: Map<RejectionReason, number>;
  /** Rejected items in which a contradiction could hide. If there are any, there is no all-clear. */
  unjudged: number;
}

interface Rejection {
  readonly where: string;
  readonly reason: RejectionReason;
  readonly detail: string;
  readonly hidesNothing?: boolean;
}

/** What the reading reports to. */
export interface JudgingReport {
  rejected(rejection: { where: string; reason: RejectionReason; detail: string }): void;
  /** Called for each item found, with its file and its place in it, in bytes. */
  progress(at: { doing: string; path: string; bytesRead: number; bytes: number }): void;
}

/**
 * Judges files of checkpoints and proofs. All checkpoints are read first, then all proofs, so that the
 * order of lines and files changes neither which roots conflict nor how many conflicts there are.
 * Memory grows with the number of distinct roots that the logs signed, not with the files.
 * @param open opens one of `paths`; it is called twice for a file with proofs, and the file is closed
 *   here
 * @throws whatever `open` throws; WorldError if reading fails
 */
export async function judgeFiles(
  { logs, paths, open, report }: {
    logs: readonly Log[];
    paths: readonly string[];
    open: (path: string) => Promise<OpenFile>;
    report: JudgingReport;
  },
): Promise<JudgedFiles> {
  const judged: JudgedFiles = {
    detector: new EquivocationDetector(),
    checkpoints: 0,
    proofs: 0,
    idleProofs: 0,
    rejected: new Map(),
    unjudged: 0,
  };
  const reject = (
    { where, reason, detail, hidesNothing = false }: Rejection,
  ): void => {
    judged.rejected.set(reason, (judged.rejected.get(reason) ?? 0) + 1);
    if (mayHide({ reason, hidesNothing })) judged.unjudged++;
    report.rejected({ where, reason, detail });
  };
  const readAll = async (
    { path, doing }: { path: string; doing: string },
    take: (found: Gathered) => void,
  ): Promise<void> => {
    const file = await open(path);
    try {
      const bytes = await file.size();
      for await (const found of readGathered({ file, name: path, logs })) {
        take(found);
        report.progress({ doing, path, bytesRead: found.bytesRead, bytes });
      }
    } finally {
      file.close();
    }
  };

  const withProofs: string[] = [];
  for (const path of paths) {
    let hasProofs = false;
    await readAll({ path, doing: "reading" }, (found) => {
      switch (found.kind) {
        case "rejected":
          return reject(found);
        case "proof":
          hasProofs = true;
          return;
        case "checkpoint":
          judged.checkpoints++;
          for (const checkpoint of found.checkpoints) {
            judged.detector.observe(checkpoint, found.source);
          }
      }
    });
    if (hasProofs) withProofs.push(path);
  }
  for (const path of withProofs) {
    await readAll({ path, doing: "following the proofs in" }, (found) => {
      if (found.kind !== "proof") return;
      try {
        judgeProof(judged, { proof: found.read(), reject, where: found.where });
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        const reason = error instanceof UnknownLog ? "unknown log" : "malformed";
        reject({ where: found.where, reason, detail: error.message });
      }
    });
  }
  return judged;
}

function judgeProof(
  judged: JudgedFiles,
  { proof, reject, where }: {
    proof: StatedProof;
    reject: (rejection: Rejection) => void;
    where: string;
  },
): void {
  switch (judged.detector.observeProof(proof).verdict) {
    case "failed":
      return reject({
        where,
        reason: "failed proof",
        detail: `the proof from size ${proof.older.treeSize} does not lead to the newer root of ` +
          `size ${proof.newer.treeSize}; it convicts nobody`,
      });
    case "nothing to compare":
      judged.idleProofs++;
      return;
    case "consistent":
    case "inconsistent":
      judged.proofs++;
  }
}
