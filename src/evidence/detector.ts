import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { impliedOlderRoot, type TreeHead } from "../tlog/proof.ts";
import type { Conflict, Seen } from "./conflict.ts";

/** Most conflicts kept for one log. One is proof enough; the cap bounds a log that goes mad. */
export const MAX_CONFLICTS_PER_LOG = 10_000;

/** What a consistency proof says about the checkpoints seen so far. */
export type ProofOutcome =
  /** it does not lead to the newer root: it convicts nobody, anyone can make one up (rule 4) */
  | { readonly verdict: "failed" }
  /** a checkpoint it speaks of was not seen signed, or it compares a size with itself or with 0 */
  | { readonly verdict: "nothing to compare" }
  /** every root signed at the older size is the one it implies */
  | { readonly verdict: "consistent" }
  /** a root signed at the older size is not the one it implies; the conflicts that are new */
  | { readonly verdict: "inconsistent"; readonly conflicts: readonly Conflict[] };

/** One log's signed roots by size; almost every size has one. Several are kept by root, in base64. */
interface LogMemory {
  readonly sizes: Map<bigint, Seen | Map<string, Seen>>;
  /** Older roots (size and root) already convicted by a newer one. */
  readonly contradicted: Set<string>;
  conflicts: number;
  unrecorded: number;
}

/**
 * Finds equivocation in verified checkpoints and consistency proofs; pure. A call takes the same time
 * however many sizes were seen.
 *
 * How many conflicts a case makes (DESIGN, rule 6): k roots at one size make k - 1 of kind
 * `same_size`, each new root against the one first seen; a signed older root that newer ones
 * contradict makes one of kind `cross_size`. Both counts depend on what was seen, not on its order.
 */
export class EquivocationDetector {
  readonly #logs = new Map<string, LogMemory>();
  readonly #conflicts: Conflict[] = [];
  readonly #cap: number;

  constructor({ maxConflictsPerLog = MAX_CONFLICTS_PER_LOG } = {}) {
    this.#cap = maxConflictsPerLog;
  }

  /** Takes in one checkpoint and returns the conflict it makes, if it makes a new one. */
  observe(checkpoint: VerifiedCheckpoint, source: string): Conflict | undefined {
    const memory = this.#memory(checkpoint.log);
    const seen: Seen = { checkpoint, source };
    const there = memory.sizes.get(checkpoint.treeSize);
    if (there === undefined) {
      memory.sizes.set(checkpoint.treeSize, seen);
      return undefined;
    }
    const known = withRoot(there, checkpoint.root);
    if (known !== undefined) {
      // What fits a frame can be told to everyone.
      if (checkpoint.fitsFrame && !known.checkpoint.fitsFrame) {
        if (there instanceof Map) there.set(checkpoint.root, seen);
        else memory.sizes.set(checkpoint.treeSize, seen);
      }
      return undefined;
    }
    if (this.#isFull(memory)) return undefined;
    const first = rootsOf(there).next().value!;
    const roots = there instanceof Map ? there : new Map([[first.checkpoint.root, first]]);
    memory.sizes.set(checkpoint.treeSize, roots.set(checkpoint.root, seen));
    return this.#keep(memory, { kind: "same_size", first, second: seen });
  }

  /**
   * Judges a consistency proof by the checkpoints seen so far; offer it after the checkpoints it
   * speaks of. `older.rootHash` need not be signed, nor the implied root: see `impliedOlderRoot`.
   */
  observeProof(
    { log, older, newer, proof }: {
      log: Log;
      older: TreeHead;
      newer: TreeHead;
      proof: readonly Uint8Array[];
    },
  ): ProofOutcome {
    const impliedRoot = impliedOlderRoot({ older, newer, proof });
    if (impliedRoot === undefined) return { verdict: "failed" };
    const newerSeen = this.#find(log, newer.treeSize, base64(newer.rootHash));
    const olderSeen = [...this.#at(log, older.treeSize)];
    // Size 0 holds no history; what was signed there is judged at equal sizes only.
    if (
      newerSeen === undefined || olderSeen.length === 0 || older.treeSize === 0n ||
      older.treeSize === newer.treeSize
    ) return { verdict: "nothing to compare" };
    const implied = base64(impliedRoot);
    // Rule 5: two equal roots are never a conflict, even if they are signed for two sizes.
    const newerRoot = newerSeen.checkpoint.root;
    const wrong = olderSeen.filter(({ checkpoint: { root } }) =>
      root !== implied && root !== newerRoot
    );
    if (wrong.length === 0) return { verdict: "consistent" };

    const memory = this.#memory(log);
    const conflicts: Conflict[] = [];
    for (const seen of wrong) {
      const key = `${older.treeSize} ${seen.checkpoint.root}`;
      if (memory.contradicted.has(key) || this.#isFull(memory)) continue;
      memory.contradicted.add(key);
      conflicts.push(this.#keep(memory, {
        kind: "cross_size",
        first: seen,
        second: newerSeen,
        consistency: { impliedRoot, proof },
      }));
    }
    return { verdict: "inconsistent", conflicts };
  }

  /** Every conflict found, in order. */
  conflicts(): readonly Conflict[] {
    return this.#conflicts;
  }

  /** The checkpoints seen at the same size with other roots, in order. */
  contradictionsOf({ log, treeSize, root }: VerifiedCheckpoint): readonly Seen[] {
    const there = this.#logs.get(log.id)?.sizes.get(treeSize);
    if (there === undefined) return [];
    const seen = there instanceof Map ? [...there.values()] : [there];
    return seen.filter(({ checkpoint }) => checkpoint.root !== root);
  }

  /** The first observation of exactly this log, size and root, if there was one. */
  seen({ log, treeSize, root }: VerifiedCheckpoint): Seen | undefined {
    return this.#find(log, treeSize, root);
  }

  /** How many observations that contradict were not kept because of the cap, repeats included. */
  unrecorded(log: Log): number {
    return this.#logs.get(log.id)?.unrecorded ?? 0;
  }

  #memory(log: Log): LogMemory {
    let memory = this.#logs.get(log.id);
    if (memory === undefined) {
      memory = { sizes: new Map(), contradicted: new Set(), conflicts: 0, unrecorded: 0 };
      this.#logs.set(log.id, memory);
    }
    return memory;
  }

  #at(log: Log, treeSize: bigint): Iterable<Seen> {
    const there = this.#logs.get(log.id)?.sizes.get(treeSize);
    return there === undefined ? [] : rootsOf(there);
  }

  #find(log: Log, treeSize: bigint, root: string): Seen | undefined {
    const there = this.#logs.get(log.id)?.sizes.get(treeSize);
    return there === undefined ? undefined : withRoot(there, root);
  }

  #isFull(memory: LogMemory): boolean {
    if (memory.conflicts < this.#cap) return false;
    memory.unrecorded++;
    return true;
  }

  #keep(memory: LogMemory, conflict: Conflict): Conflict {
    memory.conflicts++;
    this.#conflicts.push(conflict);
    return conflict;
  }
}

/** What was seen at one size, in order. */
function* rootsOf(there: Seen | Map<string, Seen>): Generator<Seen, void> {
  if (there instanceof Map) yield* there.values();
  else yield there;
}

function withRoot(there: Seen | Map<string, Seen>, root: string): Seen | undefined {
  if (there instanceof Map) return there.get(root);
  return there.checkpoint.root === root ? there : undefined;
}
