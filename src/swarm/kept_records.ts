import type { ConflictRecord } from "../evidence/record.ts";

/** So many records are kept. */
const MAX_RECORDS = 256;
/** Most characters of their notes. */
const MAX_LENGTH = 8 * 1024 * 1024;

interface Kept {
  readonly record: ConflictRecord;
  readonly length: number;
}

/**
 * Records about logs that are not followed here, for members that come later. If there are too many, the
 * oldest goes of the finder that has most. So one that makes up cases puts out its own, and nobody
 * else's.
 */
export class KeptRecords {
  /** For each finder, its records by evidence id, the latest last. */
  readonly #ofFinder = new Map<string, Map<string, Kept>>();

  /** @param finder who has signed it, or who is answerable for it otherwise */
  keep(record: ConflictRecord, finder: string): void {
    const kept = this.#ofFinder.get(finder) ?? new Map<string, Kept>();
    this.#ofFinder.set(finder, kept);
    kept.delete(record.evidence_id);
    kept.set(record.evidence_id, { record, length: lengthOf(record) });
    while (this.#sum(() => 1) > MAX_RECORDS) this.#dropOf(({ size }) => size);
    while (this.#sum(({ length }) => length) > MAX_LENGTH) this.#dropOf(lengthsOf);
  }

  /** All of them, and whose they are. */
  *all(): Generator<{ record: ConflictRecord; finder: string }, void> {
    for (const [finder, kept] of this.#ofFinder) {
      for (const { record } of kept.values()) yield { record, finder };
    }
  }

  #sum(of: (kept: Kept) => number): number {
    let sum = 0;
    for (const kept of this.#ofFinder.values()) {
      for (const each of kept.values()) sum += of(each);
    }
    return sum;
  }

  /** Drops the oldest record of the finder that has most of something. */
  #dropOf(amount: (kept: ReadonlyMap<string, Kept>) => number): void {
    const [finder, kept] = [...this.#ofFinder].reduce((most, each) =>
      amount(each[1]) > amount(most[1]) ? each : most
    );
    kept.delete(kept.keys().next().value!);
    if (kept.size === 0) this.#ofFinder.delete(finder);
  }
}

function lengthsOf(kept: ReadonlyMap<string, Kept>): number {
  return [...kept.values()].reduce((sum, { length }) => sum + length, 0);
}

function lengthOf({ checkpoint_a, checkpoint_b }: ConflictRecord): number {
  return checkpoint_a.note.length + checkpoint_b.note.length;
}
