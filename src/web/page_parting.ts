import type { ConflictRecord } from "../evidence/record.ts";
import { type Html, html } from "./html.ts";
import { grouped } from "./page_words.ts";

/** Characters of a root in the picture. The halves below it have the whole root. */
const ROOT_START = 12;

/**
 * Two histories of one log that part. Where exactly they part is not known from the record, so the
 * picture does not say.
 */
export function partingPicture({ kind, checkpoint_a: a, checkpoint_b: b }: ConflictRecord): Html {
  const isCross = kind === "cross_size";
  const isAOlder = isCross && isLess(a.size, b.size);
  const isBOlder = isCross && !isAOlder;
  const words = isCross
    ? `Two branches that part: checkpoint A at size ${grouped(a.size)} and checkpoint B at size ` +
      `${grouped(b.size)}. The larger tree does not begin with the smaller one.`
    : `Two branches that part: checkpoints A and B, both at size ${
      grouped(a.size)
    }, with two roots.`;
  return html`<svg class="parting" viewBox="0 0 360 170" role="img" aria-labelledby="parting-title parting-desc">
<title id="parting-title">Where the two histories part</title>
<desc id="parting-desc">${words}</desc>
<path class="branch" d="M10 85H90"/>
<text class="label" x="10" y="76">one log</text>
${branch({ name: "A", head: a, end: isAOlder ? 190 : 300, up: true })}
${branch({ name: "B", head: b, end: isBOlder ? 190 : 300, up: false })}
<circle class="mark ours" cx="90" cy="85" r="4"/>
</svg>`;
}

function branch({ name, head: { size, root }, end, up }: {
  name: "A" | "B";
  head: { readonly size: string; readonly root: string };
  end: number;
  up: boolean;
}): Html {
  const y = up ? 45 : 125;
  const at = { text: up ? y - 26 : y + 22, root: up ? y - 10 : y + 38 };
  return html`
    <path class="branch ${name}" d="M90 85C110 85 110 ${y} 140 ${y}H${end}" />
    <circle class="mark branch-end ${name}" cx="${end}" cy="${y}" r="6" />
    <text class="label" x="140" y="${at.text}">${name}: size ${grouped(size)}</text>
    <text class="size" x="140" y="${at.root}">root ${root.slice(0, ROOT_START)}…</text>
  `;
}

/** Compares decimals of a record, which are without leading zeros if it holds. */
function isLess(one: string, other: string): boolean {
  return one.length === other.length ? one < other : one.length < other.length;
}
