/**
 * A log for benchmarks, as large as real ones are: 2^24 entries that are all alike, so that their
 * hashes are a handful, and after them those it grows by as time passes. Its tiles and checkpoints are
 * a real log's to whoever reads them.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Fetcher } from "../../src/sources/fetcher.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { decodeFrame, encodeFrame } from "../../src/tlog/frame.ts";
import { leafHash, nodeHash } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { TILE_HEIGHT, TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";
import type { Clock } from "../../src/world/world.ts";

const OLD_HEIGHT = 24;
/** Entries it has from the start. */
const OLD_ENTRIES = 1n << BigInt(OLD_HEIGHT);
/** Checkpoints remembered: more than the peers are behind. */
const MAX_PUBLISHED = 64;
/** Leaf hashes remembered: more than a proof from what a peer has goes back. */
const MAX_LEAVES = 3 * TILE_WIDTH;

/** Hashes of full subtrees of alike entries, by their level. */
const oldHashes = [leafHash(utf8("alike"))];
for (let level = 1; level <= OLD_HEIGHT; level++) {
  const below = oldHashes[level - 1]!;
  oldHashes.push(nodeHash({ left: below, right: below }));
}

/** How a log grows. */
export interface Growth {
  /** Entries it has from the start, besides the old ones. */
  readonly start: number;
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

/** One growing log. It remembers no more than is asked for, so that its memory stays as it is. */
export class GrowingLog {
  readonly log: Log;
  readonly #key: KeyObject;
  readonly #clock: Clock;
  readonly #growth: Growth;
  /** How many entries came after the old ones. */
  #grown = 0;
  /** Of these, the roots of full subtrees from the left, by their level; the last may be undefined. */
  readonly #edge: (Uint8Array | undefined)[] = [];
  /** The newest leaf hashes by their index, and the roots of every 256 of all. */
  readonly #rows = [new Map<number, Uint8Array>(), new Map<number, Uint8Array>()] as const;
  /** The newest checkpoints, signed when they are asked for. */
  readonly #published = new Map<number, { rootHash: Uint8Array; signed?: Signed }>();
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
    for (let i = 0; i < growth.start; i++) this.#append();
    this.#publish();
  }

  /** The checkpoint it published last at a moment, on the clock's monotonic scale. */
  checkpointAt(ms: number): Signed {
    const { start, everyMs, entries } = this.#growth;
    const grown = start + (everyMs === 0 ? 0 : Math.floor(ms / everyMs) * entries);
    return this.#published.get(grown)?.signed ?? this.#timed(() => this.#sign(grown));
  }

  /** Whether this frame is one of its newest checkpoints. */
  hasPublished(frame: Uint8Array): boolean {
    const grown = Number(decodeFrame(frame).treeSize - OLD_ENTRIES);
    const signed = this.#published.get(grown)?.signed;
    return signed !== undefined && equals(signed.frame, frame);
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
    while (this.#grown < grown) this.#publishNext();
    const published = this.#published.get(grown)!;
    const { rootHash } = published;
    const { origin, vkey } = this.log;
    const treeSize = OLD_ENTRIES + BigInt(grown);
    const text = formatCheckpointText({ origin, treeSize, rootHash });
    const signature = new Uint8Array(sign(null, utf8(text), this.#key));
    return published.signed = {
      treeSize,
      note: utf8(formatNote({ text, vkey, signature })),
      frame: encodeFrame({ treeSize, rootHash, signature }),
    };
  }

  #publishNext(): void {
    for (let i = 0; i < this.#growth.entries; i++) this.#append();
    this.#publish();
  }

  #publish(): void {
    const rootHash = [...this.#edge, oldHashes[OLD_HEIGHT]].filter((hash) => hash !== undefined)
      .reduce((right, left) => nodeHash({ left, right }));
    this.#published.set(this.#grown, { rootHash });
    dropOldest(this.#published, MAX_PUBLISHED);
  }

  #append(): void {
    const [leaves, above] = this.#rows;
    let hash: Uint8Array = leafHash(utf8(`entry ${this.#grown}`));
    leaves.set(this.#grown++, hash);
    dropOldest(leaves, MAX_LEAVES);
    for (let level = 0;; level++) {
      if (level === TILE_HEIGHT) above.set(above.size, hash);
      const left = this.#edge[level];
      this.#edge[level] = left === undefined ? hash : undefined;
      if (left === undefined) return;
      hash = nodeHash({ left, right: hash });
    }
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
    return index < old ? oldHashes[level]! : this.#rows[tileLevel]!.get(index - old)!;
  }
}

function dropOldest(kept: Map<number, unknown>, most: number): void {
  if (kept.size > most) kept.delete(kept.keys().next().value!);
}
