import type { Log } from "../tlog/log.ts";
import type { Seen } from "./conflict.ts";

/**
 * Most roots remembered of one size of a log. Two prove the case. A handful is enough to answer
 * everybody with a root that contradicts theirs. More prove nothing more. A log that signs so many
 * is already convicted at that size, so it cannot hide behind the limit.
 */
export const MAX_ROOTS_PER_SIZE = 8;

/** What was seen signed: the distinct roots of each size of each log, each as it was first seen. */
export interface CheckpointMemory {
  /** What was seen of a log at a size, in order; almost always one checkpoint or none. */
  at(log: Log, treeSize: bigint): readonly Seen[];
  /**
   * Remembers a checkpoint. If one of the same log, size and root is there, the new one takes its
   * place. The detector does that if a frame can carry the new one but not the old one. A memory
   * with limits may leave a checkpoint out, but never one that is half of evidence (`isEvidence`).
   * @returns whether it is remembered
   */
  remember(seen: Seen, how?: { readonly isEvidence: boolean }): boolean;
  /** Notes that somebody showed a checkpoint that is already remembered; `how` is as above. */
  repeated?(seen: Seen, how?: { readonly isEvidence: boolean }): void;
  /** Whether it holds something that is not durable yet. Then it must be told of repeats. */
  readonly hasUnwritten?: boolean;
}

/** A memory that lasts as long as the process. */
export class ShortMemory implements CheckpointMemory {
  // A size with one root, which is almost every size, costs no list.
  readonly #logs = new Map<string, Map<bigint, Seen | Seen[]>>();

  /** See CheckpointMemory. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    const there = this.#logs.get(log.id)?.get(treeSize);
    if (there === undefined) return NONE;
    return Array.isArray(there) ? there : [there];
  }

  /** See CheckpointMemory. */
  remember(seen: Seen): boolean {
    const { log, treeSize, root } = seen.checkpoint;
    let sizes = this.#logs.get(log.id);
    if (sizes === undefined) this.#logs.set(log.id, sizes = new Map());
    const there = this.at(log, treeSize);
    if (there.length === 0) {
      sizes.set(treeSize, seen);
      return true;
    }
    const known = there.findIndex(({ checkpoint }) => checkpoint.root === root);
    const now = known < 0 ? [...there, seen] : there.with(known, seen);
    sizes.set(treeSize, now.length === 1 ? seen : now);
    return true;
  }
}

const NONE: readonly Seen[] = [];
