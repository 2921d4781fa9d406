/**
 * What somebody asks a witness to cosign of parts of trees (sign-subtree), sound and forged.
 *
 * @module
 */
import { base64, utf8 } from "../../../src/tlog/encoding.ts";
import { isSubtree } from "../../../src/tlog/subtree.ts";
import { leavesOf, type PushingLog } from "../../authority/pushing_log.ts";
import { naiveRoot, naiveSubtreeProof } from "../../tlog/naive_subtrees.ts";
import type { Draw } from "../draw.ts";
import { HISTORIES, historiesOf, type Ledger, MAX_SIZE, type SignedHead } from "./ledger.ts";

/** A part of a tree, and what it hashes to. */
export interface Part {
  readonly log: PushingLog;
  readonly start: number;
  readonly end: number;
  /** In base64. */
  readonly hash: string;
}

/** A request of sign-subtree, and what it is about. */
export interface PartRequest {
  readonly body: Uint8Array;
  readonly part: Part;
}

/** Draws a request: about any checkpoint that was signed, with a part of its history or another's. */
export async function drawPart(
  { draw, log, ledger, told }: {
    draw: Draw;
    log: PushingLog;
    ledger: Ledger;
    /** What the witness has cosigned. */
    told: readonly SignedHead[];
  },
): Promise<PartRequest | undefined> {
  const heads = [...ledger.heads.values()].filter((head) =>
    head.log === log && head.size > 0n && head.size <= MAX_SIZE
  );
  if (heads.length === 0) return undefined;
  const known = heads.filter(({ text }) => told.some((one) => one.text === text));
  const head = draw.pick(known.length > 0 && draw.chance(0.7) ? known : heads);
  const size = Number(head.size);
  const [own = 0] = historiesOf(head);
  const history = draw.chance(0.6) ? own : draw.below(HISTORIES);
  const { start, end } = drawRange(draw, size);
  const leaves = leavesOf(size, history);
  const hash = base64(naiveRoot(leaves.slice(start, end)));
  const proof = naiveSubtreeProof({ start, end, leaves: leavesOf(size, own) }).map(base64);
  // Cosignatures on another checkpoint, in half of the forged cases.
  const shown = draw.chance(0.8) ? head : draw.pick(heads);
  const lines = [await log.line(head.text), ...ledger.linesFor(shown.text)];
  const asked = [`subtree ${start} ${end}`, hash, ...proof].map((line) => `${line}\n`).join("");
  const note = `${head.text}\n${lines.map((line) => `${line}\n`).join("")}`;
  return { body: utf8(`${asked}\n${note}`), part: { log, start, end, hash } };
}

function drawRange(draw: Draw, size: number): { start: number; end: number } {
  for (let tries = 0; tries < 20; tries++) {
    const end = draw.between(1, size);
    const start = draw.below(end);
    if (isSubtree({ start: BigInt(start), end: BigInt(end) })) return { start, end };
  }
  return { start: 0, end: size };
}

/** Whether a head's tree has this part. */
export function hasPart(head: SignedHead, { log, start, end, hash }: Part): boolean {
  if (head.log !== log || BigInt(end) > head.size) return false;
  // The whole of a tree whose root was made up.
  if (start === 0 && BigInt(end) === head.size && hash === head.root) return true;
  return historiesOf(head).some((history) =>
    base64(naiveRoot(leavesOf(end, history).slice(start))) === hash
  );
}
