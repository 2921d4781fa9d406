import type { Log } from "../tlog/log.ts";
import type { Seen } from "./conflict.ts";

/**
 * Most roots remembered of one size of a log. Two prove the case; a handful gives everybody who was
 * shown another root one that contradicts it, and all beyond proves nothing more. Whoever signs so
 * many is convicted at that size already, so nobody hides behind the limit.
 */
export const MAX_ROOTS_PER_SIZE = 8;

/** What was seen signed: distinct roots of every size of every log, the first time each was seen. */
export interface CheckpointMemory {
  /** What was seen of a log at a size, in order; almost always one checkpoint or none. */
  at(log: Log, treeSize: bigint): readonly Seen[];
  /**
   * Remembers a checkpoint. One of the same log, size and root replaces the one there is, in its
   * place: the detector does that where the new one can be told in a frame and the old one cannot. A
   * memory with limits may leave a checkpoint out, but never one that is half of evidence.
   * @returns whether it is remembered
   */
  remember(seen: Seen, how?: { readonly isEvidence: boolean }): boolean;
  /** Takes note that somebody shows what is remembered already. */
  repeated?(seen: Seen): void;
  /** Whether it holds something that is not durable yet: then a repeat must be told to it. */
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
