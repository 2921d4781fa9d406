/** A log that pushes to a witness: one tree, or two that part, under one key. */
import { leafHash } from "../../src/tlog/hashing.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { formatSignatureLine } from "../../src/tlog/signature_line.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { makeVkey, SIGNATURE_TYPE, type Vkey } from "../../src/tlog/vkey.ts";
import { signing } from "../sim/signing.ts";

/** What a log asks of a witness. */
export interface Push {
  readonly old: bigint | string;
  readonly size: bigint;
  /** Signed in place of the root of that size. */
  readonly root?: Uint8Array;
  /** Sent in place of the proof. */
  readonly proof?: readonly string[];
  /** Which history it is; they part after `PARTING` leaves. */
  readonly history?: number;
  /** With their newlines. */
  readonly extensions?: string;
}

/** How many leaves all histories share. */
export const PARTING = 4;

/** The leaf hashes of a history. */
export function leavesOf(size: number, history = 0): Uint8Array[] {
  return Array.from(
    { length: size },
    (_, i) => leafHash(utf8(`${i < PARTING ? 0 : history}/${i}`)),
  );
}

/** A log that signs whatever it is told to. */
export class PushingLog {
  readonly log: Log;
  readonly #seed: Uint8Array<ArrayBuffer>;
  readonly #histories: Tree[] = [];

  private constructor(vkey: Vkey, seed: Uint8Array<ArrayBuffer>) {
    this.log = parseLog(vkey.text);
    this.#seed = seed;
  }

  /** Makes a log whose key follows from its name. */
  static async named(name: string): Promise<PushingLog> {
    const seed = new Uint8Array(32);
    seed.set(utf8(name).slice(0, 32));
    const publicKey = await signing.publicKey(seed);
    return new PushingLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }), seed);
  }

  /** A history, with at least this many leaves. */
  tree(history: number, leaves: bigint): Tree {
    const tree = this.#histories[history] ??= new Tree();
    while (tree.treeSize < leaves) {
      const of = tree.treeSize < PARTING ? 0 : history;
      tree.append(leafHash(utf8(`${of}/${tree.treeSize}`)));
    }
    return tree;
  }

  /** A signature line of this log on a text. */
  async line(text: string): Promise<string> {
    const signature = await signing.sign(this.#seed, utf8(text));
    return formatSignatureLine({ vkey: this.log.vkey, signature });
  }

  /** A signed note. */
  async note(
    { size, root, history = 0, extensions = "" }: Omit<Push, "old" | "proof">,
  ): Promise<string> {
    const rootHash = root ?? this.tree(history, size).root(size);
    const text = formatCheckpointText({ origin: this.log.origin, treeSize: size, rootHash }) +
      extensions;
    return formatNote({
      ...{ text, vkey: this.log.vkey },
      signature: await signing.sign(this.#seed, utf8(text)),
    });
  }

  /** The proof between two sizes, in base64. */
  proof({ old, size, history = 0 }: { old: bigint; size: bigint; history?: number }): string[] {
    if (old > size) return [];
    return this.tree(history, size).consistencyProof({ older: old, newer: size }).map(base64);
  }

  /** The body of a request. */
  async request(push: Push): Promise<Uint8Array<ArrayBuffer>> {
    const { old, size, history = 0 } = push;
    const proof = push.proof ?? (typeof old === "bigint" ? this.proof({ old, size, history }) : []);
    const head = [`old ${old}`, ...proof].map((line) => `${line}\n`).join("");
    return utf8(`${head}\n${await this.note(push)}`);
  }
}
