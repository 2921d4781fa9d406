import type { Seen } from "../evidence/conflict.ts";
import { type CheckpointMemory, MAX_ROOTS_PER_SIZE, ShortMemory } from "../evidence/memory.ts";
import type { Log } from "../tlog/log.ts";

/** How many numbers of one list are remembered. Who contradicts an older one is not found here. */
const MAX_NUMBERS = 1_024;
/** How many lists of all members are remembered: two or three of each of a thousand members. */
const MAX_LISTS = 2_048;

/** The numbers of one list, the first one remembered first. */
interface Numbers {
  readonly memory: ShortMemory;
  readonly order: bigint[];
}

/**
 * What the detector remembers of members' statements. It is bounded, whatever members say: of each
 * list the latest numbers that came, and of the lists the latest that something came of.
 */
export class StatementMemory implements CheckpointMemory {
  readonly #lists = new Map<string, Numbers>();
  readonly #onForgotten: (log: Log) => void;
  readonly #logs = new Map<string, Log>();

  /** @param onForgotten told when a whole list is forgotten, so that its counts can be, too */
  constructor(onForgotten: (log: Log) => void) {
    this.#onForgotten = onForgotten;
  }

  /** How many lists it remembers. */
  get lists(): number {
    return this.#lists.size;
  }

  /** See CheckpointMemory. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    return this.#lists.get(log.id)?.memory.at(log, treeSize) ?? [];
  }

  /** See CheckpointMemory. */
  remember(seen: Seen): boolean {
    const { log, treeSize } = seen.checkpoint;
    const known = this.#lists.get(log.id);
    const list = known ?? { memory: new ShortMemory(), order: [] };
    this.#lists.delete(log.id);
    this.#lists.set(log.id, list);
    this.#logs.set(log.id, log);
    const there = list.memory.at(log, treeSize);
    if (there.length >= MAX_ROOTS_PER_SIZE) return false;
    if (there.length === 0) list.order.push(treeSize);
    list.memory.remember(seen);
    if (list.order.length > MAX_NUMBERS) this.#shorten(log, list);
    if (this.#lists.size > MAX_LISTS) this.#forgetOldest();
    return true;
  }

  /** Keeps the latest half of the numbers. */
  #shorten(log: Log, { memory, order }: Numbers): void {
    const kept = order.slice(-MAX_NUMBERS / 2);
    const shorter: Numbers = { memory: new ShortMemory(), order: kept };
    for (const number of kept) {
      for (const seen of memory.at(log, number)) shorter.memory.remember(seen);
    }
    this.#lists.set(log.id, shorter);
  }

  #forgetOldest(): void {
    const [id] = this.#lists.keys();
    const log = this.#logs.get(id!)!;
    this.#lists.delete(id!);
    this.#logs.delete(id!);
    this.#onForgotten(log);
  }
}
