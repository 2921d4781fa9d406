import { EquivocationDetector } from "../evidence/detector.ts";
import { CachedHeads, type Compared } from "../gather/cached_heads.ts";
import { mayHide, type RejectionReason } from "../gather/found.ts";
import { FROM_TILES, gather, gatherProofs, type Piece } from "../gather/gather.ts";
import { JoinedHeads } from "../gather/joined_heads.ts";
import type { Gathered } from "../gather/read.ts";
import type { PassedOver } from "../gather/walk.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { type StatedProof, UnknownLog } from "../tlog/stated_proof.ts";
import type { Files, OpenFile } from "../world/world.ts";

/** What was found of one log. */
export interface LogFindings {
  readonly log: Log;
  /** Checkpoints accepted, repeats included. */
  checkpoints: number;
  smallest: bigint;
  largest: bigint;
  /** What cached tiles say about its heads, if there are any. */
  compared?: Compared;
}

/** What was looked at, and what it was. */
export class Findings {
  /** Files that were looked at. */
  files = 0;
  /** Of these, files of no known kind. */
  ofNoKind = 0;
  /** Whether a folder was walked, so that not every file was named. */
  walked = false;
  /** What was found, repeats included, by the kind it was found in. */
  readonly kinds = new Map<string, number>();
  readonly logs = new Map<string, LogFindings>();
  readonly rejected = new Map<RejectionReason, number>();
  readonly passedOver = new Map<PassedOver, number>();
  /** Which heads were compared with each other. Whoever follows a proof adds it. */
  readonly joined = new JoinedHeads();
  /** The heads of logs and the tiles beside them. Whoever gathers with it can prove more by them. */
  readonly cached = new CachedHeads();

  /** Takes in what is no checkpoint, proof or rejection itself, and counts all. */
  count(piece: Piece): void {
    if (piece.kind === "passed over" || piece.kind === "file" && !piece.isNamed) this.walked = true;
    switch (piece.kind) {
      case "file":
        this.files++;
        if (!piece.isKnown) this.ofNoKind++;
        return;
      case "passed over":
        return add(this.passedOver, piece.why);
      case "compared":
        return void (this.#of(piece.log).compared = piece);
      case "found":
        if (piece.found.kind === "rejected") return;
        add(this.kinds, piece.found.what);
        if (piece.found.kind === "checkpoint") this.#countHeads(piece.found.checkpoints);
    }
  }

  /** Counts a rejection. */
  reject(reason: RejectionReason): void {
    add(this.rejected, reason);
  }

  #countHeads(checkpoints: readonly VerifiedCheckpoint[]): void {
    for (const checkpoint of checkpoints) {
      const { log, treeSize } = checkpoint;
      this.joined.addHead(checkpoint);
      const of = this.#of(log);
      if (of.checkpoints === 0 || treeSize < of.smallest) of.smallest = treeSize;
      if (treeSize > of.largest) of.largest = treeSize;
      of.checkpoints++;
    }
  }

  #of(log: Log): LogFindings {
    let of = this.logs.get(log.id);
    if (of === undefined) {
      of = { log, checkpoints: 0, smallest: 0n, largest: 0n };
      this.logs.set(log.id, of);
    }
    return of;
  }
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The result of judging gathered files. */
export interface JudgedFiles {
  readonly detector: EquivocationDetector;
  readonly findings: Findings;
  /** Checkpoints accepted, repeats included. */
  checkpoints: number;
  /** Proofs that hold, between two sizes at which the log signed a root. */
  proofs: number;
  /** Proofs about sizes of which no signed checkpoint was gathered. */
  idleProofs: number;
  /**
   * Rejected items in which a contradiction could hide, in files that were named. If there are any,
   * there is no all-clear. What lies about in a folder is counted and told, and decides nothing.
   */
  unjudged: number;
}

interface Rejection {
  readonly where: string;
  readonly reason: RejectionReason;
  readonly detail: string;
  readonly hidesNothing?: boolean;
  readonly isNamed: boolean;
}

/** Where the reading is. `bytes` is the length of a file that was named. */
export interface JudgingProgress {
  readonly doing: string;
  readonly path: string;
  readonly files: number;
  readonly bytesRead: number;
  readonly bytes: number | undefined;
}

/** What the reading reports to. */
export interface JudgingReport {
  rejected(rejection: { where: string; reason: RejectionReason; detail: string }): void;
  /** Called for each file, and for each item of one that was named. */
  progress(at: JudgingProgress): void;
}

/**
 * Judges files of checkpoints and proofs, and what is in folders. All checkpoints are read first, then
 * all proofs, so that the order of lines and files changes neither which roots conflict nor how many
 * conflicts there are. Memory grows with the number of distinct roots that the logs signed, not with
 * the files.
 * @param open opens one of `paths`; it is called twice for a file with proofs, and the file is closed
 *   here
 * @throws whatever `open` throws; WorldError if reading what was named fails
 */
export async function judgeFiles(
  { files, logs, paths, open, report }: {
    files: Files;
    logs: readonly Log[];
    paths: readonly string[];
    open: (path: string) => Promise<OpenFile>;
    report: JudgingReport;
  },
): Promise<JudgedFiles> {
  const findings = new Findings();
  const judged: JudgedFiles = {
    detector: new EquivocationDetector(),
    findings,
    ...{ checkpoints: 0, proofs: 0, idleProofs: 0, unjudged: 0 },
  };
  const reject = ({ where, reason, detail, hidesNothing = false, isNamed }: Rejection): void => {
    findings.reject(reason);
    if (isNamed && mayHide({ reason, hidesNothing })) judged.unjudged++;
    report.rejected({ where, reason, detail });
  };
  const judgeOne = (found: Gathered & { kind: "proof" }, isNamed: boolean): void => {
    try {
      const { where } = found;
      const proof = found.read();
      findings.joined.addProof(proof);
      judgeProof(judged, {
        proof,
        reject: (rejection) => reject({ ...rejection, isNamed }),
        where,
      });
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      const reason = error instanceof UnknownLog ? "unknown log" : "malformed";
      reject({ where: found.where, reason, detail: error.message, isNamed });
    }
  };
  let bytes: number | undefined;
  const openMeasured = async (path: string): Promise<OpenFile> => {
    const file = await open(path);
    bytes = await file.size();
    return file;
  };

  const withProofs = new Map<string, boolean>();
  for await (const piece of gather({ files, logs, paths, open: openMeasured })) {
    findings.count(piece);
    if (piece.kind === "compared" || piece.kind === "passed over") continue;
    const { path } = piece;
    if (piece.kind === "found") {
      const { found, isNamed } = piece;
      if (found.kind === "rejected") reject({ ...found, isNamed });
      else if (found.kind === "checkpoint") {
        judged.checkpoints++;
        for (const each of found.checkpoints) judged.detector.observe(each, found.source);
      } else if (found.what === FROM_TILES) judgeOne(found, isNamed); // Every head was seen by now.
      else withProofs.set(path, isNamed);
    }
    const bytesRead = piece.kind === "found" ? piece.found.bytesRead : 0;
    const isNamed = "isNamed" in piece && piece.isNamed;
    report.progress({
      ...{ doing: "reading", path, files: findings.files, bytesRead },
      bytes: isNamed ? bytes : undefined,
    });
  }
  for await (const piece of gatherProofs({ files, logs, open: openMeasured }, withProofs)) {
    const { path } = piece;
    if (piece.kind === "passed over") {
      findings.count(piece);
      continue;
    }
    const { found, isNamed } = piece;
    if (found.kind === "proof") judgeOne(found, isNamed);
    const doing = "following the proofs in";
    const { bytesRead } = found;
    report.progress({ doing, path, files: findings.files, bytesRead, bytes });
  }
  return judged;
}

function judgeProof(
  judged: JudgedFiles,
  { proof, reject, where }: {
    proof: StatedProof;
    reject: (rejection: Omit<Rejection, "isNamed">) => void;
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
