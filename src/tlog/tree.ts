import { EMPTY_ROOT, nodeHash } from "./hashing.ts";

/**
 * An RFC 6962 tree over leaf hashes, held in memory. It gives the root at every size that it has
 * had, and proofs between them.
 *
 *     const tree = new Tree();
 *     for (const entry of entries) tree.append(leafHash(entry));
 *     const proof = tree.consistencyProof({ older: 6n, newer: 8n });
 *
 * Appending hashes at most one inner node per leaf on average. A root or a proof takes O(log n).
 */
export class Tree {
  // levels[k][i] is the hash of the full subtree over leaves i·2^k to (i+1)·2^k - 1.
  readonly #levels: Uint8Array[][] = [[]];

  /** How many leaves the tree has. */
  get treeSize(): bigint {
    return BigInt(this.#leaves);
  }

  get #leaves(): number {
    return this.#levels[0]!.length;
  }

  /** Adds one leaf by its leaf hash (32 bytes). */
  append(leafHash: Uint8Array): void {
    let hash = leafHash;
    for (let level = 0;; level++) {
      const row = this.#levels[level] ??= [];
      row.push(hash);
      if (row.length % 2 === 1) return;
      hash = nodeHash({ left: row[row.length - 2]!, right: hash });
    }
  }

  /**
   * The hash of a full subtree: over leaves index·2^level to (index + 1)·2^level - 1.
   * @throws RangeError if the tree has fewer leaves
   */
  node({ level, index }: { level: number; index: bigint }): Uint8Array {
    const hash = this.#levels[level]?.[Number(index)];
    if (hash !== undefined) return hash;
    throw new RangeError(`node ${index} of level ${level} is not full in ${this.treeSize} leaves`);
  }

  /**
   * Takes the last leaves away.
   * @param treeSize how many stay
   * @throws RangeError if it has fewer
   */
  cut(treeSize: bigint): void {
    const leaves = this.#checked(treeSize);
    for (const [level, row] of this.#levels.entries()) row.length = Math.floor(leaves / 2 ** level);
  }

  /** A second tree with the same leaves. The two can grow apart. */
  clone(): Tree {
    const copy = new Tree();
    copy.#levels.splice(0, 1, ...this.#levels.map((row) => [...row]));
    return copy;
  }

  /**
   * The root over the first `treeSize` leaves (RFC 6962 section 2.1).
   * @throws RangeError if it has fewer leaves
   */
  root(treeSize: bigint = this.treeSize): Uint8Array {
    const end = this.#checked(treeSize);
    return end === 0 ? EMPTY_ROOT : this.#hash(0, end);
  }

  /**
   * PATH(index, D[treeSize]) of RFC 6962 section 2.1.1.
   * @throws RangeError if the index is not below the size, or the size above the leaves
   */
  inclusionProof({ index, treeSize }: { index: bigint; treeSize: bigint }): Uint8Array[] {
    const end = this.#checked(treeSize);
    if (index < 0n || index >= treeSize) throw new RangeError(`no leaf ${index} in ${treeSize}`);
    return this.#path(Number(index), 0, end);
  }

  /**
   * PROOF(older, D[newer]) of RFC 6962 section 2.1.2; empty for an older size of 0 or equal sizes.
   * @throws RangeError if older > newer, or newer above the leaves
   */
  consistencyProof({ older, newer }: { older: bigint; newer: bigint }): Uint8Array[] {
    const end = this.#checked(newer);
    if (older < 0n || older > newer) throw new RangeError(`no tree of ${older} within ${newer}`);
    return older === 0n ? [] : this.#subproof(Number(older), 0, end, true);
  }

  #checked(treeSize: bigint): number {
    if (treeSize < 0n || treeSize > this.treeSize) {
      throw new RangeError(`tree has ${this.treeSize} leaves, ${treeSize} were asked for`);
    }
    return Number(treeSize);
  }

  /**
   * MTH of leaves start to end - 1. `start` is a multiple of a power of two that is not below the
   * width.
   */
  #hash(start: number, end: number): Uint8Array {
    const width = end - start;
    const level = Math.log2(width);
    if (Number.isInteger(level)) return this.#levels[level]![start / width]!;
    const middle = start + splitOf(width);
    return nodeHash({ left: this.#hash(start, middle), right: this.#hash(middle, end) });
  }

  #path(index: number, start: number, end: number): Uint8Array[] {
    if (end - start === 1) return [];
    const middle = start + splitOf(end - start);
    return index < middle
      ? [...this.#path(index, start, middle), this.#hash(middle, end)]
      : [...this.#path(index, middle, end), this.#hash(start, middle)];
  }

  /** SUBPROOF(older, D[start:end], whole) of RFC 6962 section 2.1.2. */
  #subproof(older: number, start: number, end: number, whole: boolean): Uint8Array[] {
    if (older === end) return whole ? [] : [this.#hash(start, end)];
    const middle = start + splitOf(end - start);
    return older <= middle
      ? [...this.#subproof(older, start, middle, whole), this.#hash(middle, end)]
      : [...this.#subproof(older, middle, end, false), this.#hash(start, middle)];
  }
}

/** The largest power of two smaller than `width`, for a width above 1. */
function splitOf(width: number): number {
  let split = 1;
  while (split * 2 < width) split *= 2;
  return split;
}
