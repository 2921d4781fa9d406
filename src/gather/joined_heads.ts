import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { impliedOlderRoot } from "../tlog/proof.ts";
import type { StatedProof } from "../tlog/stated_proof.ts";

/** Most heads of a log, and most proofs, that are remembered. */
const MAX_REMEMBERED = 200_000;

/** How the heads of one log hang together by all proofs that were found. */
export interface JoinedReport {
  readonly log: Log;
  /** Distinct sizes and roots. */
  readonly heads: number;
  /** How many of them are not compared with the largest group that is proven to be of one history. */
  readonly notCompared: number;
  /** If there are any, two sizes between which nothing leads. */
  readonly gap: { readonly from: bigint; readonly to: bigint } | undefined;
}

interface LogHeads {
  readonly log: Log;
  /** The sizes of the heads, by their keys. */
  readonly heads: Map<string, bigint>;
  /** For each head that a proof leads to, those that it shows to be the beginning of it. */
  readonly begins: Map<string, Set<string>>;
  proofs: number;
  /** Heads beyond MAX_REMEMBERED, repeats included. */
  leftOut: number;
}

/**
 * Which heads were compared, by proofs of every kind. k heads are all compared if each is proven to be the
 * beginning of the largest, directly or over others. Between sizes in their order k - 1 proofs do that.
 * Two heads that have the same beginning are not compared by that: a log that tells two stories shows both
 * after it.
 */
export class JoinedHeads {
  readonly #logs = new Map<string, LogHeads>();

  /** Notes a head. The empty tree is the beginning of every tree, and needs no proof. */
  addHead({ log, treeSize, root }: VerifiedCheckpoint): void {
    if (treeSize === 0n) return;
    const of = this.#of(log);
    const key = keyOf(treeSize, root);
    if (of.heads.size < MAX_REMEMBERED || of.heads.has(key)) of.heads.set(key, treeSize);
    else of.leftOut++;
  }

  /** Notes a proof. One that leads nowhere joins nothing. */
  addProof(proof: StatedProof): void {
    const { log, older, newer } = proof;
    const implied = impliedOlderRoot(proof);
    const of = this.#of(log);
    if (implied === undefined || of.proofs >= MAX_REMEMBERED) return;
    of.proofs++;
    const key = keyOf(newer.treeSize, base64(newer.rootHash));
    const begins = of.begins.get(key) ?? new Set<string>();
    of.begins.set(key, begins.add(keyOf(older.treeSize, base64(implied))));
  }

  /** What came of it, for each log of which there are heads. */
  reports(): JoinedReport[] {
    return [...this.#logs.values()].filter(({ heads }) => heads.size > 0).map(reportOf);
  }

  #of(log: Log): LogHeads {
    let of = this.#logs.get(log.id);
    if (of === undefined) {
      of = { log, heads: new Map(), begins: new Map(), proofs: 0, leftOut: 0 };
      this.#logs.set(log.id, of);
    }
    return of;
  }
}

function keyOf(treeSize: bigint, root: string): string {
  return `${treeSize} ${root}`;
}

function sizeOf(key: string): bigint {
  return BigInt(key.slice(0, key.indexOf(" ")));
}

function reportOf({ log, heads, begins, leftOut }: LogHeads): JoinedReport {
  const sorted = [...heads].sort(([, a], [, b]) => a < b ? 1 : a > b ? -1 : 0);
  const reached = new Set<string>();
  let [top, most] = ["", 0];
  for (const [key] of sorted) {
    // What a larger head has reached is not counted again for a smaller one.
    const added = addBeginnings({ key, begins, to: reached }).filter((one) => heads.has(one));
    if (added.length > most) [top, most] = [key, added.length];
  }
  const joined = new Set(addBeginnings({ key: top, begins, to: new Set() }));
  const contradicted = contradictedOf({ heads, begins, joined });
  const apart = sorted.filter(([key]) => !joined.has(key) && !contradicted.has(key));
  const [lowest, highest] = [apart.at(-1)?.[1], sizeOf(top)];
  const gap = lowest === undefined
    ? undefined
    : lowest < highest
    ? { from: lowest, to: highest }
    : { from: highest, to: lowest };
  return { log, heads: heads.size + leftOut, notCompared: apart.length + leftOut, gap };
}

/** Adds a head and all that are proven to be a beginning of it. @returns those that are new */
function addBeginnings(
  { key, begins, to }: {
    key: string;
    begins: ReadonlyMap<string, ReadonlySet<string>>;
    to: Set<string>;
  },
): string[] {
  const left = [key];
  const added: string[] = [];
  for (let at; (at = left.pop()) !== undefined;) {
    if (to.has(at)) continue;
    to.add(at);
    added.push(at);
    for (const older of begins.get(at) ?? []) if (!to.has(older)) left.push(older);
  }
  return added;
}

/**
 * The heads that a joined one contradicts: of a size at which the joined history has another root, or of
 * a tree that has another root at the size of a joined head. They are compared, and the detector has the case.
 */
function contradictedOf({ heads, begins, joined }: {
  heads: ReadonlyMap<string, bigint>;
  begins: ReadonlyMap<string, ReadonlySet<string>>;
  joined: ReadonlySet<string>;
}): Set<string> {
  const sizes = new Set([...joined].map(sizeOf));
  const contradicted = new Set<string>();
  for (const [key, size] of heads) {
    if (joined.has(key)) continue;
    const isRival = (older: string): boolean => !joined.has(older) && sizes.has(sizeOf(older));
    if (sizes.has(size) || [...begins.get(key) ?? []].some(isRival)) contradicted.add(key);
  }
  return contradicted;
}
