import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { impliedOlderRoot, type TreeHead } from "../tlog/proof.ts";
import type { Conflict, Seen } from "./conflict.ts";
import { type Head, headKey } from "./head.ts";
import { type CheckpointMemory, MAX_ROOTS_PER_SIZE, ShortMemory } from "./memory.ts";

/**
 * Most conflicts kept for one log. One is proof enough. The cap bounds the memory that a log can
 * cause by signing many.
 */
export const MAX_CONFLICTS_PER_LOG = 10_000;
/**
 * Most characters of the notes in them. One note has at most half a million, and almost all have
 * 200. The conflict that passes this limit is the last one kept.
 */
export const MAX_CONFLICT_NOTES_PER_LOG = 64 * 1024 * 1024;

/** What a consistency proof says about the checkpoints seen so far. */
export type ProofOutcome =
  /** it does not lead to the newer root. It convicts nobody: anyone can make one up (RULES R4) */
  | { readonly verdict: "failed" }
  /** one of its two checkpoints was not seen signed, or it compares a size with itself or with 0 */
  | { readonly verdict: "nothing to compare" }
  /** every root signed at the older size is the one it implies */
  | { readonly verdict: "consistent" }
  /** a root signed at the older size is not the one it implies; `conflicts` has the new ones */
  | { readonly verdict: "inconsistent"; readonly conflicts: readonly Conflict[] };

/** The result of comparing a checkpoint with the others seen of its size. */
export interface Comparison {
  /** The conflict it makes, if that is new; `conflicts()` lists it too. */
  readonly conflict: Conflict | undefined;
  /** Those kept of the same size with other roots, in order. */
  readonly others: readonly Seen[];
  /** Whether it is remembered. If not, there was no room for it. */
  readonly isKept: boolean;
}

/** How many contradicting observations were not kept, repeats included, for each limit. */
export interface BeyondCap {
  /** MAX_ROOTS_PER_SIZE. */
  readonly perSize: number;
  /** The most conflicts of a log. */
  readonly perLog: number;
}

/** The counts of one log. */
interface LogCounts {
  /** Older roots (size and root) already convicted by a newer one. */
  readonly contradicted: Set<string>;
  conflicts: number;
  /** Characters of their notes. */
  noteLength: number;
  beyondCapPerSize: number;
  beyondCapPerLog: number;
}

/**
 * Finds equivocation in verified checkpoints and consistency proofs, of logs and of the cosigners of
 * their checkpoints. It is pure. A call takes the
 * same time however many sizes were seen, and however many roots were signed at one size.
 *
 *     const detector = new EquivocationDetector();
 *     detector.observe(first, "peer a"); // undefined: nothing contradicts it
 *     const conflict = detector.observe(second, "peer b"); // a Conflict, if one size has two roots
 *     detector.observeProof({ log, older, newer, proof }); // finds conflicts between two sizes
 *
 * How many conflicts there are (RULES R6):
 *
 * - k roots at one size make k - 1 of kind `same_size`: each new root against the one first seen. Of
 *   a cosigner they are of kind `same_size_cosigned`.
 * - A signed older root that newer ones contradict makes one of kind `cross_size`.
 *
 * Both counts depend on what was seen, not on its order. If a size has more than MAX_ROOTS_PER_SIZE
 * roots, the first are kept and the others counted.
 */
export class EquivocationDetector {
  readonly #memory: CheckpointMemory;
  readonly #counts = new Map<string, LogCounts>();
  #conflicts: Conflict[] = [];
  #taken = 0;
  readonly #cap: number;
  readonly #noteCap: number;

  /** @param memory where checkpoints are remembered; by default as long as the detector lasts */
  constructor(
    {
      memory = new ShortMemory(),
      maxConflictsPerLog = MAX_CONFLICTS_PER_LOG,
      maxConflictNotesPerLog = MAX_CONFLICT_NOTES_PER_LOG,
    }: {
      memory?: CheckpointMemory;
      maxConflictsPerLog?: number;
      maxConflictNotesPerLog?: number;
    } = {},
  ) {
    this.#memory = memory;
    this.#cap = maxConflictsPerLog;
    this.#noteCap = maxConflictNotesPerLog;
  }

  /** As `takeIn`, but gives only the new conflict. */
  observe(...seen: Parameters<EquivocationDetector["takeIn"]>): Conflict | undefined {
    return this.takeIn(...seen).conflict;
  }

  /**
   * Takes in one checkpoint, and compares it with what was seen of its size. A case of two roots at one
   * size is born here: the new conflict goes on the list that `takeConflicts` empties.
   * @param isOnRecord whether a journal has it already. Then `countRecorded` counts it, and not this call
   * @param isEvidence whether it is half of a conflict record that holds. Then it is always
   *   remembered
   */
  takeIn(
    checkpoint: VerifiedCheckpoint,
    source: string,
    { isOnRecord = false, isEvidence = false }: { isOnRecord?: boolean; isEvidence?: boolean } = {},
  ): Comparison {
    // Its cosigners are held to what they have signed, each like a log.
    for (const cosigned of checkpoint.cosigned) this.takeIn(cosigned, source);
    const { log, treeSize, root } = checkpoint;
    const there = this.#memory.at(log, treeSize);
    const known = there.find((seen) => seen.checkpoint.root === root);
    const others = known === undefined ? there : there.filter((seen) => seen !== known);
    const [first] = there;
    if (known !== undefined) {
      // A checkpoint that fits a frame can be sent to everyone.
      if (checkpoint.fitsFrame && !known.checkpoint.fitsFrame) {
        this.#memory.remember({ checkpoint, source });
      } else this.#memory.repeated?.({ checkpoint, source }, { isEvidence });
      return { conflict: undefined, others, isKept: true };
    }
    if (first !== undefined && (isFullSize(there, checkpoint) || this.#isFull(log))) {
      if (!isOnRecord) {
        if (isFullSize(there, checkpoint)) this.#countsOf(log).beyondCapPerSize++;
        else this.#countsOf(log).beyondCapPerLog++;
      }
      return { conflict: undefined, others, isKept: false };
    }
    const second: Seen = { checkpoint, source };
    const isKept = this.#memory.remember(second, { isEvidence });
    const conflict = first && this.#list(sameSize(first, second), { isOnRecord });
    return { conflict, others, isKept };
  }

  /**
   * Judges a consistency proof by the checkpoints seen so far. Observe the two checkpoints first. A case
   * of two sizes is born here, and goes on the list like one of `takeIn`. `older.rootHash` and the
   * implied root need not be signed: see `impliedOlderRoot`.
   * @param isOnRecord as for `observe`
   */
  observeProof(
    { log, older, newer, proof, isOnRecord = false }: {
      log: Log;
      older: TreeHead;
      newer: TreeHead;
      proof: readonly Uint8Array[];
      isOnRecord?: boolean;
    },
  ): ProofOutcome {
    const impliedRoot = impliedOlderRoot({ older, newer, proof });
    if (impliedRoot === undefined) return { verdict: "failed" };
    const newerSeen = this.#find(log, newer.treeSize, base64(newer.rootHash));
    const olderSeen = this.#memory.at(log, older.treeSize);
    // Size 0 has no history. Checkpoints of size 0 are compared only with each other.
    if (
      newerSeen === undefined || olderSeen.length === 0 || older.treeSize === 0n ||
      older.treeSize === newer.treeSize
    ) return { verdict: "nothing to compare" };
    const implied = base64(impliedRoot);
    // RULES R5: two equal roots are never a conflict, even if they are signed for two sizes.
    const newerRoot = newerSeen.checkpoint.root;
    const wrong = olderSeen.filter(({ checkpoint: { root } }) =>
      root !== implied && root !== newerRoot
    );
    if (wrong.length === 0) return { verdict: "consistent" };

    const { contradicted } = this.#countsOf(log);
    const conflicts: Conflict[] = [];
    for (const seen of wrong) {
      const key = headKey(seen.checkpoint);
      if (contradicted.has(key)) continue;
      if (this.#isFull(log)) {
        if (!isOnRecord) this.#countsOf(log).beyondCapPerLog++;
        continue;
      }
      contradicted.add(key);
      const consistency = { impliedRoot, proof };
      conflicts.push(this.#list(
        { kind: "cross_size", first: seen, second: newerSeen, consistency },
        { isOnRecord },
      ));
    }
    return { verdict: "inconsistent", conflicts };
  }

  /** Whether its memory holds something that is not durable yet. */
  get hasUnwritten(): boolean {
    return this.#memory.hasUnwritten ?? false;
  }

  /**
   * Counts a case of this log that a journal has. So the limits count what was written before, as
   * well as what is found now.
   * @param noteLength characters of its two notes
   * @param contradicted the older head, if it is a case of two sizes. Its root then has its one
   *   record
   */
  countRecorded(log: Log, { noteLength, contradicted }: {
    noteLength: number;
    contradicted?: Head | undefined;
  }): void {
    const counts = this.#countsOf(log);
    counts.conflicts++;
    counts.noteLength += noteLength;
    if (contradicted !== undefined) {
      counts.contradicted.add(headKey(contradicted));
    }
  }

  /**
   * Forgets the counts of a log that is no longer followed. If it is followed again, its journal is
   * recalled.
   */
  forget(log: Log): void {
    this.#counts.delete(log.id);
  }

  /**
   * Whether there is room for a conflict that the memory shows and the detector did not find
   * itself. It counts the conflict either way.
   */
  admits(conflict: Conflict): boolean {
    const { log } = conflict.first.checkpoint;
    const isFull = this.#isFull(log);
    if (isFull) this.#countsOf(log).beyondCapPerLog++;
    else this.#count(conflict);
    return !isFull;
  }

  /** The conflicts found and not taken yet, in order. */
  conflicts(): readonly Conflict[] {
    return this.#conflicts;
  }

  /**
   * Takes the conflicts found and not taken yet, in order. The detector no longer holds them. In a daemon
   * the CaseKeeper takes them: a case must not depend on the exchange or look in which it was found.
   */
  takeConflicts(): readonly Conflict[] {
    const taken = this.#conflicts;
    this.#conflicts = [];
    this.#taken += taken.length;
    return taken;
  }

  /** How many conflicts were found, including those that were taken. */
  get found(): number {
    return this.#taken + this.#conflicts.length;
  }

  /** How much of a log was not kept. */
  beyondCap(log: Log): BeyondCap {
    const counts = this.#counts.get(log.id);
    return { perSize: counts?.beyondCapPerSize ?? 0, perLog: counts?.beyondCapPerLog ?? 0 };
  }

  #countsOf(log: Log): LogCounts {
    let counts = this.#counts.get(log.id);
    if (counts === undefined) {
      counts = {
        contradicted: new Set(),
        conflicts: 0,
        noteLength: 0,
        beyondCapPerSize: 0,
        beyondCapPerLog: 0,
      };
      this.#counts.set(log.id, counts);
    }
    return counts;
  }

  #find(log: Log, treeSize: bigint, root: string): Seen | undefined {
    return this.#memory.at(log, treeSize).find(({ checkpoint }) => checkpoint.root === root);
  }

  #isFull(log: Log): boolean {
    const { conflicts, noteLength } = this.#countsOf(log);
    return conflicts >= this.#cap || noteLength >= this.#noteCap;
  }

  #count({ first, second }: Conflict): void {
    const counts = this.#countsOf(first.checkpoint.log);
    counts.conflicts++;
    counts.noteLength += first.checkpoint.note.length + second.checkpoint.note.length;
  }

  #list(conflict: Conflict, { isOnRecord }: { isOnRecord: boolean }): Conflict {
    if (!isOnRecord) this.#count(conflict);
    this.#conflicts.push(conflict);
    return conflict;
  }
}

/** Two roots of one size under one key: a log's, or that of a cosigner (RULES R2, R20). */
export function sameSize(first: Seen, second: Seen): Conflict {
  const kind = first.checkpoint.log.isCosigner ? "same_size_cosigned" : "same_size";
  return { kind, first, second };
}

/**
 * Whether nothing more is kept of a size. The first root that a frame can carry is kept beyond the
 * limit. Otherwise roots that fit no frame could keep us from answering a frame with one that
 * contradicts it.
 */
function isFullSize(there: readonly Seen[], { fitsFrame }: VerifiedCheckpoint): boolean {
  if (there.length < MAX_ROOTS_PER_SIZE) return false;
  return !fitsFrame || there.some(({ checkpoint }) => checkpoint.fitsFrame);
}
