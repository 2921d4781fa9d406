import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { utf8 } from "../tlog/encoding.ts";
import { leafHash } from "../tlog/hashing.ts";
import { type Log, parseLog } from "../tlog/log.ts";
import { formatNote } from "../tlog/note.ts";
import { Tree } from "../tlog/tree.ts";
import { generateSigner, type Signer } from "../world/signer.ts";
import type { World } from "../world/world.ts";

/**
 * A small log in memory, for demonstrations and tests. It can tell two stories: a copy signs with
 * the same key, and the two grow apart. Never rely on such a log.
 */
export class TestLog {
  readonly #signer: Signer;
  readonly #tree: Tree;
  /** What monitors are given to follow it. */
  readonly log: Log;

  private constructor(fields: { signer: Signer; tree: Tree; log: Log }) {
    this.#signer = fields.signer;
    this.#tree = fields.tree;
    this.log = fields.log;
  }

  /** A new log without entries, under a new key. */
  static async create({ world, origin }: { world: World; origin: string }): Promise<TestLog> {
    const { signer } = await generateSigner({ world, name: origin });
    return new TestLog({ signer, tree: new Tree(), log: parseLog(signer.vkey.text) });
  }

  /** How many entries it has. */
  get treeSize(): bigint {
    return this.#tree.treeSize;
  }

  /** Adds entries. */
  append(...entries: readonly string[]): void {
    for (const entry of entries) this.#tree.append(leafHash(utf8(entry)));
  }

  /** A second history under the same key. The two are equal up to now and can grow apart. */
  fork(): TestLog {
    return new TestLog({ signer: this.#signer, tree: this.#tree.clone(), log: this.log });
  }

  /** The same history under a new key, and under another origin if one is given. */
  async rotated({ world, origin = this.log.origin }: {
    world: World;
    origin?: string;
  }): Promise<TestLog> {
    const { signer } = await generateSigner({ world, name: origin });
    return new TestLog({ signer, tree: this.#tree.clone(), log: parseLog(signer.vkey.text) });
  }

  /** The signed note of its checkpoint, now or at an earlier size. */
  async checkpoint(treeSize: bigint = this.treeSize): Promise<string> {
    const { origin, vkey } = this.log;
    const text = formatCheckpointText({ origin, treeSize, rootHash: this.#tree.root(treeSize) });
    return formatNote({ text, vkey, signature: await this.#signer.sign(utf8(text)) });
  }

  /** Its root at a size. */
  root(treeSize: bigint): Uint8Array {
    return this.#tree.root(treeSize);
  }

  /** The proof between two of its sizes. */
  consistencyProof(sizes: { older: bigint; newer: bigint }): Uint8Array[] {
    return this.#tree.consistencyProof(sizes);
  }
}
