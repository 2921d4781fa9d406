/** Small servers that answer as Certificate Transparency logs of RFC 6962 and as Rekor v1 do. */
import { encodeHex } from "@std/encoding/hex";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { Tree } from "../../src/tlog/tree.ts";
import type { SigningLog } from "../tlog/log_signers.ts";
import type { Answer, Server } from "./fake_http.ts";

/** A tree and its entries. */
export class Story {
  readonly tree = new Tree();
  readonly #entries: string[] = [];

  /** Appends entries until the tree has this size. */
  grow(size: number, text = "entry"): this {
    while (this.#entries.length < size) {
      const entry = `${text} ${this.#entries.length}`;
      this.#entries.push(entry);
      this.tree.append(leafHash(utf8(entry)));
    }
    return this;
  }

  /** Another tree, of the same entries so far. */
  fork(): Story {
    const story = new Story();
    for (const entry of this.#entries) {
      story.#entries.push(entry);
      story.tree.append(leafHash(utf8(entry)));
    }
    return story;
  }

  get treeSize(): bigint {
    return this.tree.treeSize;
  }

  entry(index: number): string | undefined {
    return this.#entries[index];
  }

  indexOf(leaf: Uint8Array): number {
    return this.#entries.findIndex((entry) => base64(leafHash(utf8(entry))) === base64(leaf));
  }

  /** PROOF(older, D[newer]), or nothing for sizes that the tree has not. */
  consistency(older: bigint, newer: bigint): Uint8Array[] | undefined {
    if (older <= 0n || older >= newer || newer > this.treeSize) return undefined;
    return this.tree.consistencyProof({ older, newer });
  }
}

function json(value: unknown): Answer {
  return { body: JSON.stringify(value) };
}

const BAD_REQUEST: Answer = { status: 400, body: '{"error_message":"bad request"}' };

/** A log of RFC 6962 behind a URL that ends in `/log`. Each answer may come from another backend. */
export class CtLog {
  readonly signing: SigningLog;
  story: Story;
  /** The size that its tree head has; the story's if there is none. */
  headSize: bigint | undefined;
  /** How large the tree of the backend is that answers for proofs; the story's if there is none. */
  proofsUpTo: bigint | undefined;
  /** What is answered instead, for as long as it says something. */
  instead: Server = () => undefined;
  time = 1_700_000_000_000n;

  constructor({ signing, story }: { signing: SigningLog; story: Story }) {
    this.signing = signing;
    this.story = story;
  }

  get log(): Log {
    return this.signing.log;
  }

  /** The members of its tree head. Each answer bears a time of its own, as real ones do. */
  head(): Record<string, unknown> {
    const treeSize = this.headSize ?? this.story.treeSize;
    const rootHash = this.story.tree.root(treeSize);
    const note = this.signing.note({ treeSize, rootHash, time: ++this.time });
    const opened = openCheckpoint({ note, logs: [this.log] });
    if ("refused" in opened) throw new Error(opened.detail);
    return {
      tree_size: Number(treeSize),
      timestamp: Number(this.time),
      sha256_root_hash: base64(rootHash),
      tree_head_signature: base64(opened[0]!.signature.slice(8)),
    };
  }

  readonly answer: Server = (path, request) => {
    const instead = this.instead(path, request);
    if (instead !== undefined) return instead;
    const query = new URL(request.url).searchParams;
    const { story, proofsUpTo = story.treeSize } = this;
    const number = (name: string): bigint => BigInt(query.get(name)!);
    switch (path.replace(/^\/log\/ct\/v1\//, "")) {
      case "get-sth":
        return json(this.head());
      case "get-sth-consistency": {
        const [older, newer] = [number("first"), number("second")];
        const proof = newer > proofsUpTo ? undefined : story.consistency(older, newer);
        return proof === undefined ? BAD_REQUEST : json({ consistency: proof.map(base64) });
      }
      case "get-proof-by-hash": {
        const treeSize = number("tree_size");
        const index = story.indexOf(Uint8Array.fromBase64(query.get("hash")!));
        if (index < 0 || index >= treeSize || treeSize > proofsUpTo) return BAD_REQUEST;
        const path = story.tree.inclusionProof({ index: BigInt(index), treeSize });
        return json({ leaf_index: index, audit_path: path.map(base64) });
      }
    }
    return undefined;
  };
}

/** One tree of a Rekor. */
interface RekorTree {
  readonly id: string;
  story: Story;
}

/** A Rekor v1 with several trees, the last of which grows. It signs them all with one key. */
export class Rekor {
  readonly signing: SigningLog;
  readonly trees: RekorTree[] = [];
  /** What is answered instead, for as long as it says something. */
  instead: Server = () => undefined;

  constructor(signing: SigningLog) {
    this.signing = signing;
  }

  /** Begins a new tree. The one before is retired. */
  begin(story: Story): Log {
    const id = `${1_193_050_959_916_656_506n + BigInt(this.trees.length)}`;
    this.trees.push({ id, story });
    return parseLog(`${this.signing.log.vkey.text} ${this.#originOf(id)}`);
  }

  #originOf(id: string): string {
    return `${this.signing.log.vkey.name} - ${id}`;
  }

  #info({ id, story: { tree, treeSize } }: RekorTree): Record<string, unknown> {
    const rootHash = tree.root();
    return {
      rootHash: encodeHex(rootHash),
      signedTreeHead: this.signing.note({ origin: this.#originOf(id), treeSize, rootHash }),
      treeID: id,
      treeSize: Number(treeSize),
    };
  }

  readonly answer: Server = (path, request) => {
    const instead = this.instead(path, request);
    if (instead !== undefined) return instead;
    const query = new URL(request.url).searchParams;
    switch (path.replace(/^\/api\/v1\//, "")) {
      case "log": {
        const inactiveShards = this.trees.slice(0, -1).map((tree) => this.#info(tree));
        return json({ inactiveShards, ...this.#info(this.trees.at(-1)!) });
      }
      case "log/proof": {
        const tree = this.trees.find(({ id }) => id === query.get("treeID"));
        const [older, newer] = [query.get("firstSize")!, query.get("lastSize")!].map(BigInt);
        const hashes = tree?.story.consistency(older!, newer!);
        if (tree === undefined || hashes === undefined) return BAD_REQUEST;
        return json({
          hashes: hashes.map(encodeHex),
          rootHash: encodeHex(tree.story.tree.root(newer)),
        });
      }
      case "log/entries": {
        let index = Number(query.get("logIndex"));
        const tree = this.trees.find(({ story }) => {
          if (index < story.treeSize) return true;
          index -= Number(story.treeSize);
          return false;
        });
        const body = tree?.story.entry(index);
        if (body === undefined) return { status: 404 };
        return json({ [`uuid${index}`]: { body: base64(utf8(body)), logIndex: index } });
      }
    }
    return undefined;
  };
}
