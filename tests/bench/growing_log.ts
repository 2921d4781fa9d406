/**
 * A log for benchmarks, as large as real ones are: 2^24 entries that are all alike, so that their
 * hashes are a handful, and after them those it grows by as time passes. Its tiles and checkpoints are
 * a real log's to whoever reads them.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Fetcher } from "../../src/sources/fetcher.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { encodeFrame } from "../../src/tlog/frame.ts";
import { leafHash, nodeHash } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { TILE_HEIGHT, TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";
import type { Clock } from "../../src/world/world.ts";

const OLD_HEIGHT = 24;
/** Entries it has from the start. */
const OLD_ENTRIES = 1n << BigInt(OLD_HEIGHT);
/** Checkpoints kept signed: more than the peers are behind. */
const MAX_SIGNED = 1_024;

/** Hashes of full subtrees of alike entries, by their level. */
const oldHashes = [leafHash(utf8("alike"))];
for (let level = 1; level <= OLD_HEIGHT; level++) {
  const below = oldHashes[level - 1]!;
  oldHashes.push(nodeHash({ left: below, right: below }));
}

/** How a log grows. */
export interface Growth {
  /** One checkpoint every so many milliseconds; 0 for a log that stands. */
  readonly everyMs: number;
  /** Entries added with each. */
  readonly entries: number;
}

/** A checkpoint in the forms it travels in. */
export interface Signed {
  readonly treeSize: bigint;
  readonly note: Uint8Array;
  readonly frame: Uint8Array;
}

/** One growing log. */
export class GrowingLog {
  readonly log: Log;
  readonly #key: KeyObject;
  readonly #clock: Clock;
  readonly #growth: Growth;
  /** What came after the old entries. */
  readonly #tree = new Tree();
  /** Of these, the leaf hashes, and above them the roots of every 256 of them. */
  readonly #rows: [leaves: Uint8Array[], above: Uint8Array[]] = [[], []];
  readonly #signed = new Map<number, Signed>();
  /** Milliseconds of real time it took to grow, sign and cut tiles: not the daemon's. */
  workedMs = 0;

  constructor({ origin, clock, growth }: { origin: string; clock: Clock; growth: Growth }) {
    const { privateKey } = generateKeyPairSync("ed25519");
    const { x, d } = privateKey.export({ format: "jwk" }) as { x: string; d: string };
    const publicKey = Uint8Array.fromBase64(x, { alphabet: "base64url" });
    this.log = parseLog(makeVkey({ name: origin, type: 1, publicKey }).text);
    this.#key = createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", x, d }, format: "jwk" });
    this.#clock = clock;
    this.#growth = growth;
  }

  /** The checkpoint it published last at a moment, on the clock's monotonic scale. */
  checkpointAt(ms: number): Signed {
    const { everyMs, entries } = this.#growth;
    const grown = everyMs === 0 ? 0 : Math.floor(ms / everyMs) * entries;
    const known = this.#signed.get(grown);
    if (known !== undefined) return known;
    return this.#timed(() => this.#sign(grown));
  }

  /** Its files, as C2SP tlog-tiles has them. */
  get fetcher(): Fetcher {
    return {
      locate: (path) => path,
      get: (path) =>
        Promise.resolve(
          path === "checkpoint"
            ? this.checkpointAt(this.#clock.monotonic()).note
            : this.#timed(() => this.#tile(path)),
        ),
    };
  }

  #timed<T>(work: () => T): T {
    const start = performance.now();
    try {
      return work();
    } finally {
      this.workedMs += performance.now() - start;
    }
  }

  #sign(grown: number): Signed {
    while (this.#tree.treeSize < grown) this.#append();
    const { origin, vkey } = this.log;
    const treeSize = OLD_ENTRIES + BigInt(grown);
    const old = oldHashes[OLD_HEIGHT]!;
    const rootHash = grown === 0
      ? old
      : nodeHash({ left: old, right: this.#tree.root(BigInt(grown)) });
    const text = formatCheckpointText({ origin, treeSize, rootHash });
    const signature = new Uint8Array(sign(null, utf8(text), this.#key));
    const signed = {
      treeSize,
      note: utf8(formatNote({ text, vkey, signature })),
      frame: encodeFrame({ treeSize, rootHash, signature }),
    };
    this.#signed.set(grown, signed);
    if (this.#signed.size > MAX_SIGNED) this.#signed.delete(this.#signed.keys().next().value!);
    return signed;
  }

  #append(): void {
    const [leaves, above] = this.#rows;
    const leaf = leafHash(utf8(`entry ${leaves.length}`));
    this.#tree.append(leaf);
    leaves.push(leaf);
    if (leaves.length % TILE_WIDTH !== 0) return;
    const last = new Tree();
    for (const one of leaves.slice(-TILE_WIDTH)) last.append(one);
    above.push(last.root());
  }

  #tile(path: string): Uint8Array | undefined {
    const match = /^tile\/(\d)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
    if (match === null) return undefined;
    const [, level, number, width = TILE_WIDTH] = match;
    const first = Number(number!.replace(/[x/]/g, "")) * TILE_WIDTH;
    return concat(
      Array.from({ length: Number(width) }, (_, i) => this.#node(Number(level), first + i)),
    );
  }

  /** A hash on the level that tiles of a level store. */
  #node(tileLevel: number, index: number): Uint8Array {
    const level = tileLevel * TILE_HEIGHT;
    const old = 2 ** (OLD_HEIGHT - level);
    return index < old ? oldHashes[level]! : this.#rows[tileLevel]![index - old]!;
  }
}
