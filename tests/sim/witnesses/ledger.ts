/**
 * What was signed in a run, by whom: the truth that all judgements are held against. Nothing is
 * verified here; whoever signs says so.
 *
 * @module
 */
import type { Rule } from "../../../src/authority/tolerance.ts";
import { base64 } from "../../../src/tlog/encoding.ts";
import { SIGNATURE_TYPE, type Vkey } from "../../../src/tlog/vkey.ts";
import { isMet } from "../../authority/rules.ts";
import type { PushingLog } from "../../authority/pushing_log.ts";

/** A checkpoint of a log, as far as it matters who contradicts whom. */
export interface SignedHead {
  readonly log: PushingLog;
  readonly size: bigint;
  /** In base64. */
  readonly root: string;
  readonly text: string;
}

/** A cosignature that somebody really made. */
export interface Made {
  readonly vkey: Vkey;
  readonly covers: string;
  readonly time: bigint;
}

/** Sizes that histories reach here. */
export const MAX_SIZE = 64n;
/** How many histories a log has. */
export const HISTORIES = 3;

/** The roots of all sizes in each history, of each log. */
const roots = new WeakMap<PushingLog, string[][]>();

/** The numbers of the histories that have this head. */
export function historiesOf({ log, size, root }: Omit<SignedHead, "text">): number[] {
  let known = roots.get(log);
  if (known === undefined) roots.set(log, known = rootsOf(log));
  return [...known.keys()].filter((history) => known[history]![Number(size)] === root);
}

function rootsOf(log: PushingLog): string[][] {
  return Array.from({ length: HISTORIES }, (_, history) => {
    const tree = log.tree(history, MAX_SIZE);
    return Array.from(
      { length: Number(MAX_SIZE) + 1 },
      (_, size) => base64(tree.root(BigInt(size))),
    );
  });
}

/** Whether a head can be one at all: size 0 has one root. */
export function isPossible({ log, size, root }: SignedHead): boolean {
  return size > 0n || historiesOf({ log, size, root }).length > 0;
}

/** Whether one tree can have both heads. */
export function areConsistent(a: SignedHead, b: SignedHead): boolean {
  if (a.log !== b.log) return true;
  if (a.size === b.size) return a.root === b.root;
  // Every tree extends the empty one, and also a tree whose root was made up.
  if ((a.size === 0n && isPossible(a)) || (b.size === 0n && isPossible(b))) return true;
  const others = new Set(historiesOf(b));
  return historiesOf(a).some((history) => others.has(history));
}

/** All signatures of a run. */
export class Ledger {
  /** The log's checkpoints, by their texts. */
  readonly heads = new Map<string, SignedHead>();
  readonly lines = new Map<string, Made>();

  /** A log has signed this head. */
  signed(head: SignedHead): void {
    this.heads.set(head.text, head);
  }

  /** Somebody has cosigned this text; the line may be seen by all. */
  cosigned({ vkey, text, time, line }: { vkey: Vkey; text: string; time: bigint; line: string }) {
    this.lines.set(line, { vkey, time, covers: coveredBy(vkey, text) });
  }

  /** Somebody has cosigned a part of a tree. From 0 on it is a cosignature on a checkpoint as well. */
  cosignedPart(
    { vkey, line, origin, start, end, hash }: {
      vkey: Vkey;
      line: string;
      origin: string;
      start: number;
      end: number;
      hash: string;
    },
  ): void {
    const covers = start === 0 ? `${origin}\n${end}\n${hash}` : `from ${start} to ${end}: ${hash}`;
    this.lines.set(line, { vkey, time: 0n, covers });
  }

  /** The lines whose cosignatures cover a text. */
  linesFor(text: string): string[] {
    return [...this.lines].filter(([, { vkey, covers }]) => covers === coveredBy(vkey, text))
      .map(([line]) => line);
  }

  /** The vkeys that have cosigned a text in these lines, not before `since` if it is given. */
  cosignersIn(
    { text, lines, since }: { text: string; lines: readonly string[]; since?: bigint | undefined },
  ): Set<string> {
    return new Set(lines.flatMap((line) => {
      const made = this.lines.get(line);
      if (made === undefined || made.covers !== coveredBy(made.vkey, text)) return [];
      const isOld = since !== undefined && (made.time === 0n || made.time < since);
      return isOld ? [] : [made.vkey.text];
    }));
  }
}

/** What a cosignature on this text covers: a key of type 0x06 does not sign extension lines. */
function coveredBy({ type }: Vkey, text: string): string {
  return type === SIGNATURE_TYPE.mldsa44 ? text.split("\n").slice(0, 3).join("\n") : text;
}

/** Whether these vkeys meet a rule in labels. */
export function isMetBy(
  rule: Rule,
  vkeys: ReadonlySet<string>,
  labels: ReadonlyMap<string, string>,
): boolean {
  return isMet(rule, new Set([...vkeys].map((vkey) => labels.get(vkey) ?? "")));
}
