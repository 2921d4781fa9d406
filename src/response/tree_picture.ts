/**
 * Two trees, drawn where they part: what was signed, and which hashes exclude each other. A record has
 * no leaves, so the picture shows no more of the trees than the record proves.
 *
 * @module
 */
import type { ConflictRecord, RecordedCheckpoint } from "../evidence/record.ts";
import { escapeHtml } from "./paper.ts";

/** A picture, and the same in words. */
export interface Picture {
  readonly svg: string;
  /** They say left and right, and belong beside the SVG. */
  readonly words: string;
  /** The same drawn with letters, one tree below the other, for who sees no SVG. */
  readonly drawing: string;
}

const [WIDTH, HEIGHT] = [720, 300];
/** Most parts of a tree that are drawn. The smallest are drawn together. */
const MAX_PARTS = 6;
/** A row of boxes of one tree. */
const [ROW_TOP, BOX_HEIGHT] = [205, 34];
const [ROOT_TOP, ROOT_WIDTH] = [100, 210];
/** So many characters of a root tell it from another, for a person. */
const SHORT_CHARACTERS = 12;

/** Leaves of a tree, from one index to another, that one hash stands for. */
interface Part {
  readonly from: bigint;
  /** One more than the last. */
  readonly to: bigint;
  /** What is said of it, if not which leaves it has. */
  readonly label?: string;
}

/**
 * The perfect subtrees of a tree of this size, the largest first (RFC 9162 section 2.1.1): those that
 * a consistency proof is made of.
 */
export function partsOf(size: bigint): Part[] {
  const parts: Part[] = [];
  let from = 0n;
  for (let bit = 1n << 63n; bit > 0n; bit >>= 1n) {
    if ((size & bit) === 0n) continue;
    parts.push({ from, to: from + bit });
    from += bit;
  }
  if (parts.length <= MAX_PARTS) return parts;
  const [first] = parts.slice(MAX_PARTS - 1);
  return [...parts.slice(0, MAX_PARTS - 1), { from: first!.from, to: size }];
}

/** Draws what a record proves. The record must hold. */
export function pictureOf(record: ConflictRecord): Picture {
  return record.kind === "same_size" ? sameSize(record) : twoSizes(record);
}

function sameSize({ checkpoint_a: a, checkpoint_b: b }: ConflictRecord): Picture {
  const parts = partsOf(BigInt(a.size));
  const left = tree({ at: 20, title: "checkpoint A", root: a, parts, under: "leaves as in A" });
  const right = tree({ at: 380, title: "checkpoint B", root: b, parts, under: "leaves as in B" });
  const words = [
    `Two trees of the same size, ${a.size}, side by side. Both roots are signed by the log's key.`,
    `Checkpoint A has the root ${a.root}.`,
    `Checkpoint B has the root ${b.root}.`,
    "One tree has one root. So the trees differ in at least one leaf; which one, nobody has shown.",
  ];
  const drawing = [
    ...branches(
      `checkpoint A: size ${a.size}, root ${short(a.root)}, signed`,
      { parts, as: "A" },
    ),
    "",
    ...branches(
      `checkpoint B: size ${b.size}, root ${short(b.root)}, signed`,
      { parts, as: "B" },
    ),
    "",
    `${short(a.root)} ≠ ${short(b.root)}`,
    "One tree has one root, and these are two. So the trees differ in at least one leaf;",
    "which one, nobody has shown.",
  ].join("\n");
  return { svg: drawn([left, right, unequal()], words), words: words.join("\n"), drawing };
}

function twoSizes(record: ConflictRecord): Picture {
  const { checkpoint_a: a, checkpoint_b: b, consistency } = record;
  const [older, newer] = BigInt(a.size) < BigInt(b.size) ? [a, b] : [b, a];
  const [olderName, newerName] = older === a ? ["A", "B"] : ["B", "A"];
  const implied = consistency!.implied_root;
  const parts = partsOf(BigInt(older.size));
  const later = { from: BigInt(older.size), to: BigInt(newer.size) };
  const left = tree({
    at: 20,
    title: `in checkpoint ${newerName}, size ${newer.size}`,
    root: { size: older.size, root: implied },
    parts: [...parts, { ...later, label: `only in ${newerName}: ${leavesOf(later)}` }],
    under: `leaves as in ${newerName}`,
    top: newer,
    inRoot: parts.length,
  });
  const right = tree({
    at: 380,
    title: `checkpoint ${olderName}`,
    root: older,
    parts,
    under: `leaves as in ${olderName}`,
  });
  const words = [
    `On the left the tree of checkpoint ${newerName}, of size ${newer.size}, with the root ` +
    `${newer.root}, which the log's key signed. The proof shows that its first ${older.size} leaves have ` +
    `the root ${implied}.`,
    `On the right the tree of checkpoint ${olderName}, of size ${older.size}, with the root ` +
    `${older.root}, which the log's key signed too.`,
    `Both are the root of the first ${older.size} leaves, and they are different. So the larger tree ` +
    "does not begin with the smaller one: at least one of these leaves differs; which one, nobody has shown.",
  ];
  const first = leavesOf({ from: 0n, to: BigInt(older.size) });
  const rest = leavesOf(later);
  const [top, ...below] = branches(
    `root ${short(implied)} of leaves ${first}, as the proof shows`,
    { parts, as: newerName! },
  );
  const drawing = [
    `checkpoint ${newerName}: size ${newer.size}, root ${short(newer.root)}, signed`,
    `├── ${top}`,
    ...below.map((line) => `│   ${line}`),
    `└── ${rest.includes("–") ? "leaves" : "leaf"} ${rest}, only in ${newerName}`,
    "",
    ...branches(
      `checkpoint ${olderName}: size ${older.size}, root ${short(older.root)}, signed`,
      { parts, as: olderName! },
    ),
    "",
    `leaves ${first}:  ${short(implied)} ≠ ${short(older.root)}`,
    "Both would be the root of the same leaves, and they are different. So the larger tree",
    "does not begin with the smaller one: at least one of these leaves differs. Which one,",
    "nobody has shown.",
  ].join("\n");
  return { svg: drawn([left, right, unequal()], words), words: words.join("\n"), drawing };
}

/** A tree drawn with letters: its root, and its parts below, as a checkpoint has them. */
function branches(
  root: string,
  { parts, as }: { parts: readonly Part[]; as: string },
): string[] {
  return [
    root,
    ...parts.map((part, i) =>
      `${i === parts.length - 1 ? "└──" : "├──"} ${
        part.to - part.from === 1n ? "leaf" : "leaves"
      } ` +
      `${leavesOf(part)}, as in ${as}`
    ),
  ];
}

/** One tree: its root, and the boxes below it. */
function tree({ at, title, root, parts, under: caption, top, inRoot = parts.length }: {
  at: number;
  title: string;
  /** The root that is compared with the other tree's. */
  root: Pick<RecordedCheckpoint, "size" | "root">;
  parts: readonly Part[];
  /** What is said below the parts. */
  under: string;
  /** The signed root above, if the compared one only follows from it. */
  top?: RecordedCheckpoint;
  /** How many of the parts are below the compared root. */
  inRoot?: number;
}): string {
  const wide = 320;
  const gap = 6;
  const width = (wide - gap * (parts.length - 1)) / parts.length;
  const middle = (i: number): number => at + i * (width + gap) + width / 2;
  const under = (middle(0) + middle(inRoot - 1)) / 2;
  const rootAt = Math.min(Math.max(under, at + ROOT_WIDTH / 2), at + wide - ROOT_WIDTH / 2);
  const boxes = parts.map((part, i) => {
    const isCompared = i < inRoot;
    const text = part.label ?? leavesOf(part);
    const to = isCompared
      ? { x: rootAt, y: ROOT_TOP + BOX_HEIGHT }
      : { x: at + wide / 2, y: 40 + BOX_HEIGHT };
    return line({ x: middle(i), y: ROW_TOP }, to) +
      box({
        x: middle(i) - width / 2,
        y: ROW_TOP,
        width,
        text,
        kind: isCompared ? "part" : "later",
      });
  });
  const compared = top === undefined ? `signed, size ${root.size}` : `follows, size ${root.size}`;
  const signed = top === undefined ? "" : [
    line({ x: rootAt, y: ROOT_TOP }, { x: at + wide / 2, y: 40 + BOX_HEIGHT }),
    box({
      ...{ x: at + wide / 2 - ROOT_WIDTH / 2, y: 40, width: ROOT_WIDTH, kind: "signed" },
      text: `signed: ${short(top.root)}`,
    }),
  ].join("");
  return [
    label({ x: at + wide / 2, y: 24, text: title, isBold: true }),
    ...boxes,
    signed,
    box({
      ...{ x: rootAt - ROOT_WIDTH / 2, y: ROOT_TOP, width: ROOT_WIDTH, kind: "differs" },
      text: `${compared}: ${short(root.root)}`,
    }),
    label({ x: at + wide / 2, y: ROW_TOP + BOX_HEIGHT + 22, text: caption }),
  ].join("\n");
}

function leavesOf({ from, to }: Part): string {
  return to - from === 1n ? `${from}` : `${from}–${to - 1n}`;
}

function short(root: string): string {
  return `${root.slice(0, SHORT_CHARACTERS)}…`;
}

/** The sign between the two roots that exclude each other. */
function unequal(): string {
  return `<text class="bad" x="${WIDTH / 2}" y="${ROOT_TOP + 25}" text-anchor="middle">≠</text>`;
}

function line(from: { x: number; y: number }, to: { x: number; y: number }): string {
  return `<line x1="${round(from.x)}" y1="${from.y}" x2="${round(to.x)}" y2="${to.y}"/>`;
}

function box({ x, y, width, text, kind }: {
  x: number;
  y: number;
  width: number;
  text: string;
  kind: string;
}): string {
  // Six units a character: a text that is too long is made narrower, and never leaves its box.
  const most = Math.floor(width - 6);
  const squeeze = text.length * 6 > most
    ? ` textLength="${most}" lengthAdjust="spacingAndGlyphs"`
    : "";
  return `<g class="${kind}"><rect x="${round(x)}" y="${y}" width="${round(width)}" ` +
    `height="${BOX_HEIGHT}" rx="4"/><text x="${round(x + width / 2)}" y="${y + 22}" ` +
    `text-anchor="middle"${squeeze}>${escapeHtml(text)}</text></g>`;
}

function label({ x, y, text, isBold = false }: {
  x: number;
  y: number;
  text: string;
  isBold?: boolean;
}): string {
  const weight = isBold ? ' font-weight="600"' : "";
  return `<text x="${round(x)}" y="${y}" text-anchor="middle"${weight}>${escapeHtml(text)}</text>`;
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}

const CSS = "text{font:11px ui-monospace,monospace;fill:currentColor}" +
  "rect{fill:Canvas;stroke:currentColor}line{stroke:currentColor;opacity:.5}" +
  ".signed rect{stroke-width:2}.differs rect{stroke:#c62828;stroke-width:2.5}" +
  ".later rect{stroke-dasharray:4 3}.bad{fill:#c62828;font-size:28px}";

function drawn(parts: readonly string[], words: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `aria-label="${escapeHtml(words.join(" "))}">\n<style>${CSS}</style>\n${
      parts.join("\n")
    }\n</svg>`;
}
