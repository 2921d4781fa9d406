/**
 * What checking a consistency proof and hashing up a tile cost, beside what they cost with one call
 * of the platform's hash for each node, as it was done before; that is kept here as the baseline.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { hash } from "node:crypto";
import { utf8 } from "../../src/tlog/encoding.ts";
import { HASH_BYTES, leafHash, subtreeRoot } from "../../src/tlog/hashing.ts";
import { impliedOlderRoot, type TreeHead } from "../../src/tlog/proof.ts";
import { TILE_BYTES, TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { median } from "./median.ts";

/** Leaves of the tree whose proofs are checked. */
const LEAVES = 20_000;
const PROOFS = 500;
const TILES = 100;

/** How many are done a second, and how many by the former implementation. */
export interface HashingRates {
  readonly rate: number;
  readonly baseline: number;
}

/** Consistency proofs between many pairs of sizes, each checked once. */
export function proofRates(): HashingRates {
  const proofs = (made ??= makeProofs());
  return inTurns(proofs, {
    baseline: (one) => mustHold(formerImpliedOlderRoot(one), one),
    work: (one) => mustHold(impliedOlderRoot(one), one),
  });
}

/** Whole tiles, 256 hashes to one. */
export function tileRates(): HashingRates {
  const tile = new Uint8Array(TILE_BYTES);
  for (let i = 0; i < TILE_WIDTH; i++) tile.set(leafHash(utf8(`leaf ${i}`)), i * HASH_BYTES);
  if (!equals(subtreeRoot(tile), formerRoot(tile))) throw new Error("the tile's root is wrong");
  return inTurns(Array<Uint8Array>(TILES).fill(tile), { baseline: formerRoot, work: subtreeRoot });
}

/**
 * Other processes' work comes and goes by the millisecond, so the two take turns item by item, and of
 * each the median counts.
 */
function inTurns<T>(
  items: readonly T[],
  { baseline, work }: { baseline: (item: T) => unknown; work: (item: T) => unknown },
): HashingRates {
  const times: number[] = [];
  const baselines: number[] = [];
  for (const item of items) {
    const start = performance.now();
    baseline(item);
    const middle = performance.now();
    work(item);
    times.push(performance.now() - middle);
    baselines.push(middle - start);
  }
  return { rate: 1000 / median(times), baseline: 1000 / median(baselines) };
}

interface Proof {
  readonly older: TreeHead;
  readonly newer: TreeHead;
  readonly proof: Uint8Array[];
}

let made: Proof[] | undefined;

/** Sizes as a follower meets them: a log that has grown by a part of itself. */
function makeProofs(): Proof[] {
  const tree = new Tree();
  for (let i = 0; i < LEAVES; i++) tree.append(leafHash(utf8(`leaf ${i}`)));
  const head = (treeSize: bigint): TreeHead => ({ treeSize, rootHash: tree.root(treeSize) });
  return Array.from({ length: PROOFS }, (_, i) => {
    const newer = BigInt(LEAVES - i);
    const older = BigInt(Math.floor((LEAVES - i) * (i + 1) / (PROOFS + 1)));
    return {
      older: head(older),
      newer: head(newer),
      proof: tree.consistencyProof({ older, newer }),
    };
  });
}

function mustHold(implied: Uint8Array | undefined, { older }: Proof): void {
  if (implied === undefined || !equals(implied, older.rootHash)) {
    throw new Error("a benchmark proof is wrong");
  }
}

function platformNodeHash({ left, right }: { left: Uint8Array; right: Uint8Array }): Uint8Array {
  const input = new Uint8Array(1 + left.length + right.length);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return new Uint8Array(hash("sha256", input, "buffer"));
}

/** A whole tile's root, as `hashInTile` made it of a part. */
function formerRoot(hashes: Uint8Array): Uint8Array {
  let row: Uint8Array[] = Array.from(
    { length: TILE_WIDTH },
    (_, i) => hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
  while (row.length > 1) {
    const below = row;
    row = Array.from(
      { length: below.length / 2 },
      (_, i) => platformNodeHash({ left: below[2 * i]!, right: below[2 * i + 1]! }),
    );
  }
  return row[0]!;
}

/** For sizes 0 < older < newer. */
function formerImpliedOlderRoot({ older, newer, proof }: Proof): Uint8Array | undefined {
  const isOdd = (n: bigint): boolean => (n & 1n) === 1n;
  const isHash = (hash: Uint8Array): boolean => hash.length === HASH_BYTES;
  if (![older.rootHash, newer.rootHash, ...proof].every(isHash)) return undefined;
  const isPowerOfTwo = (older.treeSize & (older.treeSize - 1n)) === 0n;
  const [start, ...rest] = isPowerOfTwo ? [older.rootHash, ...proof] : proof;
  let fn = older.treeSize - 1n;
  let sn = newer.treeSize - 1n;
  while (isOdd(fn)) {
    fn >>= 1n;
    sn >>= 1n;
  }
  let olderRoot = start!;
  let newerRoot = start!;
  for (const hash of rest) {
    if (sn === 0n) return undefined;
    if (isOdd(fn) || fn === sn) {
      olderRoot = platformNodeHash({ left: hash, right: olderRoot });
      newerRoot = platformNodeHash({ left: hash, right: newerRoot });
      while (!isOdd(fn) && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      newerRoot = platformNodeHash({ left: newerRoot, right: hash });
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n && equals(newerRoot, newer.rootHash) ? olderRoot : undefined;
}
