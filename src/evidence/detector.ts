import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { impliedOlderRoot, type TreeHead } from "../tlog/proof.ts";
import type { Conflict, Seen } from "./conflict.ts";
import { type Head, headKey } from "./head.ts";
import { type CheckpointMemory, MAX_ROOTS_PER_SIZE, ShortMemory } from "./memory.ts";

/** Most conflicts kept for one log. One is proof enough; the cap bounds a log that goes mad. */
export const MAX_CONFLICTS_PER_LOG = 10_000;
/**
 * Characters of the notes in them: one note is at most half a million, and almost all have 200. The
 * conflict that passes this is the last that is kept.
 */
export const MAX_CONFLICT_NOTES_PER_LOG = 64 * 1024 * 1024;

/** What a consistency proof says about the checkpoints seen so far. */
export type ProofOutcome =
  /** it does not lead to the newer root: it convicts nobody, anyone can make one up (RULES R4) */
  | { readonly verdict: "failed" }
  /** a checkpoint it speaks of was not seen signed, or it compares a size with itself or with 0 */
  | { readonly verdict: "nothing to compare" }
  /** every root signed at the older size is the one it implies */
  | { readonly verdict: "consistent" }
  /** a root signed at the older size is not the one it implies; the conflicts that are new */
  | { readonly verdict: "inconsistent"; readonly conflicts: readonly Conflict[] };

/** What a checkpoint is, compared with what was seen of its size. */
export interface Comparison {
  /** The conflict it makes, if that is new; `conflicts()` lists it too. */
  readonly conflict: Conflict | undefined;
  /** Those kept of the same size with other roots, in order. */
  readonly others: readonly Seen[];
  /** Whether it is remembered; otherwise there was no room for it. */
  readonly isKept: boolean;
}

/** How many observations that contradict were not kept, repeats included, by the limit that was hit. */
export interface Unrecorded {
  /** MAX_ROOTS_PER_SIZE. */
  readonly perSize: number;
  /** The most conflicts of a log. */
  readonly perLog: number;
}

/** What is counted of one log. */
interface LogCounts {
  /** Older roots (size and root) already convicted by a newer one. */
  readonly contradicted: Set<string>;
  conflicts: number;
  /** Characters of their notes. */
  noteLength: number;
  unrecordedPerSize: number;
  unrecordedPerLog: number;
}

/**
 * Finds equivocation in verified checkpoints and consistency proofs; pure. A call takes the same time
 * however many sizes were seen, and however many roots were signed at one.
 *
 * How many conflicts a case makes (RULES R6): k roots at one size make k - 1 of kind
 * `same_size`, each new root against the one first seen; a signed older root that newer ones
 * contradict makes one of kind `cross_size`. Both counts depend on what was seen, not on its order. Of
 * more than MAX_ROOTS_PER_SIZE roots at a size the first are kept, and the others counted.
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

  /** As `compare`, for who wants to know the new conflict alone. */
  observe(...seen: Parameters<EquivocationDetector["compare"]>): Conflict | undefined {
    return this.compare(...seen).conflict;
  }

  /**
   * Takes in one checkpoint, and compares it with what was seen of its size. Here a case of two roots at
   * one size is born: the new conflict goes on the list that `takeConflicts` empties.
   * @param isOnRecord whether a journal has it already: then it is counted by `recall`, and not here
   * @param isEvidence whether it is half of a conflict record that holds: then it is always remembered
   */
  compare(
    checkpoint: VerifiedCheckpoint,
    source: string,
    { isOnRecord = false, isEvidence = false }: { isOnRecord?: boolean; isEvidence?: boolean } = {},
  ): Comparison {
    const { log, treeSize, root } = checkpoint;
    const there = this.#memory.at(log, treeSize);
    const known = there.find((seen) => seen.checkpoint.root === root);
    const others = known === undefined ? there : there.filter((seen) => seen !== known);
    const [first] = there;
    if (known !== undefined) {
      // What fits a frame can be told to everyone.
      if (checkpoint.fitsFrame && !known.checkpoint.fitsFrame) {
        this.#memory.remember({ checkpoint, source });
      } else this.#memory.repeated?.({ checkpoint, source });
      return { conflict: undefined, others, isKept: true };
    }
    if (first !== undefined && (isFullSize(there, checkpoint) || this.#isFull(log))) {
      if (!isOnRecord) {
        if (isFullSize(there, checkpoint)) this.#countsOf(log).unrecordedPerSize++;
        else this.#countsOf(log).unrecordedPerLog++;
      }
      return { conflict: undefined, others, isKept: false };
    }
    const second: Seen = { checkpoint, source };
    const isKept = this.#memory.remember(second, { isEvidence });
    const conflict = first && this.#list({ kind: "same_size", first, second }, { isOnRecord });
    return { conflict, others, isKept };
  }

  /**
   * Judges a consistency proof by the checkpoints seen so far; offer it after the checkpoints it
   * speaks of. Here a case of two sizes is born, and goes on the list like one of `compare`. `older.rootHash` need not be signed, nor the implied root: see `impliedOlderRoot`.
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
    // Size 0 holds no history; what was signed there is judged at equal sizes only.
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
        if (!isOnRecord) this.#countsOf(log).unrecordedPerLog++;
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

  /** Whether its memory holds what is not durable yet. */
  get hasUnwritten(): boolean {
    return this.#memory.hasUnwritten ?? false;
  }

  /**
   * Counts a case that a journal has of this log, so that the limits hold for what is written as well
   * as for what is found, whenever it was.
   * @param noteLength characters of its two notes
   * @param contradicted the older head, if it is a case of two sizes: its root has its one record
   */
  recall(log: Log, { noteLength, contradicted }: {
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

  /** Forgets what is counted of a log that is followed no more; its journal is recalled if it is again. */
  forget(log: Log): void {
    this.#counts.delete(log.id);
  }

  /** Whether there is room for a conflict that its memory shows and that it did not find itself. */
  admits(conflict: Conflict): boolean {
    const { log } = conflict.first.checkpoint;
    const isFull = this.#isFull(log);
    if (isFull) this.#countsOf(log).unrecordedPerLog++;
    else this.#count(conflict);
    return !isFull;
  }

  /** Every conflict found, in order, without those that were taken. */
  conflicts(): readonly Conflict[] {
    return this.#conflicts;
  }

  /**
   * The conflicts found and not taken yet, in order; they are let go of here. A daemon's are taken by its
   * CaseKeeper: a case must not depend on the exchange or look in which it was found.
   */
  takeConflicts(): readonly Conflict[] {
    const taken = this.#conflicts;
    this.#conflicts = [];
    this.#taken += taken.length;
    return taken;
  }

  /** How many conflicts were found, those that were taken among them. */
  get found(): number {
    return this.#taken + this.#conflicts.length;
  }

  /** What was not kept of a log. */
  unrecorded(log: Log): Unrecorded {
    const counts = this.#counts.get(log.id);
    return { perSize: counts?.unrecordedPerSize ?? 0, perLog: counts?.unrecordedPerLog ?? 0 };
  }

  #countsOf(log: Log): LogCounts {
    let counts = this.#counts.get(log.id);
    if (counts === undefined) {
      counts = {
        contradicted: new Set(),
        conflicts: 0,
        noteLength: 0,
        unrecordedPerSize: 0,
        unrecordedPerLog: 0,
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

/**
 * Whether nothing more is kept of a size. The first root that a frame can carry is kept beyond the
 * limit: those that fit none must not keep us from answering every frame with what contradicts it.
 */
function isFullSize(there: readonly Seen[], { fitsFrame }: VerifiedCheckpoint): boolean {
  if (there.length < MAX_ROOTS_PER_SIZE) return false;
  return !fitsFrame || there.some(({ checkpoint }) => checkpoint.fitsFrame);
}
