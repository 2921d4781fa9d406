import type { Seen } from "../evidence/conflict.ts";
import type { CheckpointMemory } from "../evidence/memory.ts";
import type { Log } from "../tlog/log.ts";
import { MAX_EPOCHS } from "./replay.ts";
import { statementsEpoch } from "./statement.ts";

/** Most numbers remembered of one list of statements, the highest. */
export const MAX_NUMBERS_PER_LIST = 256;

/**
 * The detector's memory of statements. A log's checkpoints are few, or are in a journal. Statements are
 * many, and of interest for as long as members still pass them on. So of each member the latest lists
 * are remembered, and of each list the highest numbers.
 *
 *     const detector = new EquivocationDetector({ memory: new StatementMemory() });
 *     const conflict = detector.observe(statement.checkpoint, source);
 *
 * A member that says a second thing under a number that is forgotten here is not found by us. Others
 * may have both, and a proof that arrives later holds all the same.
 */
export class StatementMemory implements CheckpointMemory {
  /** By vkey, then by epoch, then by number. */
  readonly #lists = new Map<string, Map<bigint, Map<bigint, Seen[]>>>();

  /** See CheckpointMemory. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    return this.#list(log)?.get(treeSize) ?? [];
  }

  /** See CheckpointMemory. Evidence makes room for itself, and is forgotten with its list. */
  remember(seen: Seen, { isEvidence = false }: { isEvidence?: boolean } = {}): boolean {
    const { log, treeSize, root } = seen.checkpoint;
    const list = this.#list(log) ?? this.#begin(log, { isEvidence });
    if (list === undefined) return false;
    const there = list.get(treeSize);
    if (there === undefined && list.size >= MAX_NUMBERS_PER_LIST) {
      const lowest = [...list.keys()].reduce((a, b) => a < b ? a : b);
      if (treeSize < lowest && !isEvidence) return false;
      list.delete(lowest);
    }
    const others = (there ?? []).filter(({ checkpoint }) => checkpoint.root !== root);
    list.set(treeSize, [...others, seen]);
    return true;
  }

  /** Forgets those who are not members any more. */
  retain(vkeys: readonly string[]): void {
    const kept = new Set(vkeys);
    for (const vkey of this.#lists.keys()) if (!kept.has(vkey)) this.#lists.delete(vkey);
  }

  #list(log: Log): Map<bigint, Seen[]> | undefined {
    return this.#lists.get(log.vkey.text)?.get(statementsEpoch(log) ?? 0n);
  }

  /** Makes room for a list; nothing if later ones have it. */
  #begin(log: Log, { isEvidence }: { isEvidence: boolean }): Map<bigint, Seen[]> | undefined {
    const epoch = statementsEpoch(log) ?? 0n;
    let lists = this.#lists.get(log.vkey.text);
    if (lists === undefined) this.#lists.set(log.vkey.text, lists = new Map());
    if (lists.size >= MAX_EPOCHS) {
      const earliest = [...lists.keys()].reduce((a, b) => a < b ? a : b);
      if (epoch < earliest && !isEvidence) return undefined;
      lists.delete(earliest);
    }
    const list = new Map<bigint, Seen[]>();
    lists.set(epoch, list);
    return list;
  }
}
