/**
 * A journal's lines on disk as an RFC 6962 tree: the leaf hashes and the place of each line in memory,
 * the lines in the file. A monitor's own journal and every mirror of one is held so.
 *
 * @module
 */
import { MAX_ENTRY_BYTES } from "../evidence/entry.ts";
import { leafHash } from "../tlog/hashing.ts";
import { Tree } from "../tlog/tree.ts";
import { type Line, readFully, readLinesOfChunks, upTo } from "../world/reading.ts";
import { type OpenFile, WorldError } from "../world/world.ts";
import { leafOf, MAX_RECORDS_BYTES } from "./wire.ts";

/** Ends a line. */
const NEWLINE_BYTES = 1;

/**
 * The tree over the lines of a file.
 *
 *     const lines = new LineTree({ file, path });
 *     await lines.takeInTo(end); // whole lines, up to what is durable
 *     const root = lines.tree.root(lines.tree.treeSize);
 */
export class LineTree {
  readonly tree = new Tree();
  readonly #file: OpenFile;
  readonly #path: string;
  /** Where each line begins, in bytes, and where the next one will. */
  readonly #starts: number[] = [0];

  /**
   * @param file open for reading; only appended to from now on
   * @param path the file's, for messages
   */
  constructor({ file, path }: { file: OpenFile; path: string }) {
    this.#file = file;
    this.#path = path;
  }

  /** Bytes of the lines taken in. */
  get end(): number {
    return this.#starts.at(-1)!;
  }

  /** How many lines it has. */
  get size(): bigint {
    return this.tree.treeSize;
  }

  /** Where the line of a leaf begins, in bytes; where the next line will, for the index after the last. */
  startOf(index: bigint): number {
    return this.#starts[Number(index)]!;
  }

  /** Takes in a line that stands, or is about to be written, behind the others. It has no newline. */
  append(line: Uint8Array): void {
    this.tree.append(leafHash(leafOf(line)));
    this.#starts.push(this.end + line.length + NEWLINE_BYTES);
  }

  /** Forgets the last lines. @param size how many stay */
  cut(size: bigint): void {
    this.tree.cut(size);
    this.#starts.length = Number(size) + 1;
  }

  /**
   * Takes in the lines from `this.end` on.
   * @param end where they end, in bytes: what is behind it may still be taken back
   * @throws WorldError if the file cannot be read, or does not end a line there
   */
  async takeInTo(end: number): Promise<void> {
    for await (const line of this.#lines(this.end, end)) {
      this.tree.append(leafHash(leafOf(line.bytes)));
      this.#starts.push(line.at + line.bytes.length + NEWLINE_BYTES);
    }
    if (this.end >= end) return;
    throw new WorldError("other", `${this.#path} is shorter than it was: it has ${this.end} bytes`);
  }

  /**
   * Lines as they are in the file, each with its newline: at most `count`, and MAX_RECORDS_BYTES, but
   * at least one.
   * @param start index of the first leaf
   * @param treeSize below which leaves are given
   * @throws WorldError if the file cannot be read
   */
  async records(
    { start, count, treeSize }: { start: bigint; count: number; treeSize: bigint },
  ): Promise<Uint8Array<ArrayBuffer>> {
    const first = Number(start);
    const last = Math.min(first + count, Number(treeSize));
    let end = first;
    const bytesTo = (index: number): number => this.#starts[index]! - this.#starts[first]!;
    while (end < last && (end === first || bytesTo(end + 1) <= MAX_RECORDS_BYTES)) end++;
    const bytes = new Uint8Array(bytesTo(end));
    if (await readFully(this.#file, bytes, this.#starts[first]!) === bytes.length) return bytes;
    throw new WorldError("other", `${this.#path} is shorter than it was`);
  }

  /**
   * The leaves from `start` up to `end`, without `end`.
   * @throws WorldError if the file cannot be read, or has changed
   */
  async leaves({ start, end }: { start: bigint; end: bigint }): Promise<Uint8Array[]> {
    const [from, to] = [this.#starts[Number(start)]!, this.#starts[Number(end)]!];
    const leaves: Uint8Array[] = [];
    for await (const line of this.#lines(from, to)) leaves.push(leafOf(line.bytes));
    if (BigInt(leaves.length) === end - start) return leaves;
    throw new WorldError("other", `${this.#path} is not what it was`);
  }

  /** Whole lines between two places. */
  async *#lines(from: number, to: number): AsyncGenerator<Line, void> {
    const part = upTo(this.#file, to);
    for await (const lines of readLinesOfChunks(part, MAX_ENTRY_BYTES, { from })) {
      for (const line of lines) {
        if (!line.complete || line.tooLong) return;
        yield line;
      }
    }
  }

  /** Lets go of the file. */
  close(): void {
    this.#file.close();
  }
}
