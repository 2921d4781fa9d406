/**
 * Who has seen what: for each log, how far this monitor, its witnesses and its peers have seen it, as a
 * picture and as a table that says the same.
 *
 * @module
 */
import { type LogStatus, nameOf, type Status } from "../monitor/status.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import type { ShownHead } from "../monitor/shown.ts";
import { type Html, html, type Value } from "./html.ts";
import { shownBy } from "./page_case.ts";
import { refusedOf } from "./page_refused.ts";
import { type Column, leftOut, section, table } from "./page_parts.ts";
import { ago, capital, grouped, nameIn, several, shortened } from "./page_words.ts";

/** Most logs drawn. */
export const MAX_DRAWN = 6;
/** Most that see a log in one drawing, this monitor included. */
export const MAX_SEEING = 16;

const WIDTH = 360;
const ROW_HEIGHT = 38;
/** Where the track of sizes begins and ends. */
const [LEFT, RIGHT] = [8, 352];
/** Most characters of a name in a drawing. */
const MAX_LABEL = 30;
/** Steps of the track: sizes are whole numbers that a drawing need not have exactly. */
const STEPS = 1_000n;

/** How what somebody has seen compares with what this monitor has. */
type Relation = "ours" | "same" | "open" | "refused" | "contradicts";

/** Somebody, and the checkpoint that it has seen last. */
interface Seeing {
  readonly name: string;
  readonly what: string;
  readonly size: string;
  readonly root: string | undefined;
  readonly at: string | undefined;
  readonly relation: Relation;
}

const RELATIONS: Readonly<Record<Relation, string>> = {
  ours: "what this monitor has accepted",
  same: "the same history",
  open: "another size",
  refused: "NOT ACCEPTED: shown after the log was frozen",
  contradicts: "NOT ACCEPTED: contradicts another checkpoint that the key signed",
};

/** Reads what peers last showed of a log. */
export type ShownOf = (log: LogStatus) => readonly ShownHead[];

/**
 * The section of the drawings.
 * @param logs in the order in which they are to be drawn
 */
export function drawingSection(
  status: Status,
  { logs, shown, cases }: {
    logs: readonly LogStatus[];
    shown: ShownOf;
    cases: readonly ReadCase[];
  },
): Html {
  const isConvicted = convictedIn(cases);
  const seen = logs.filter(({ size }) => size !== undefined);
  const drawn = seen.slice(0, MAX_DRAWN);
  const content = drawn.length === 0
    ? html`<p>No checkpoint was seen yet.</p>`
    : html`<p>${
      "Each line is somebody, and the mark on it is the checkpoint that it last showed. Further to the " +
      "right is a larger tree. The square is what this monitor has accepted. A full circle is the same " +
      "history, and an empty one is of another size. A cross was shown and is not accepted: it contradicts " +
      "another checkpoint that the log's key signed, or came after the log was frozen."
    }</p>
<div class="drawings">${
      drawn.map((log, i) =>
        drawing(log, {
          status,
          seeing: allSeeing(log, { shown: shown(log), isConvicted, cases }),
          id: `seen-${i}`,
        })
      )
    }</div>
${
      leftOut({
        ...{ all: seen.length, shown: drawn.length, what: "logs, what is wrong first" },
        see: "find one by its name, and it is drawn",
      })
    }`;
  return section("seen", "Who has seen what", content);
}

/** A checkpoint of a log: its size and root. */
type Head = Partial<Pick<LogStatus, "size" | "root">>;
type Convicted = (log: LogStatus, head: Head) => boolean;

/** Says whether a checkpoint is one of the two in a case. */
function convictedIn(cases: readonly ReadCase[]): Convicted {
  const name = (vkey: string, origin: string, { size, root }: Head): string =>
    [vkey, origin, size, root].join("\n");
  const convicted = new Set(
    cases.flatMap(({ record: { log, checkpoint_a, checkpoint_b } }) =>
      [checkpoint_a, checkpoint_b].map((head) => name(log.vkey, log.origin, head))
    ),
  );
  return ({ vkey, origin }, head) => convicted.has(name(vkey, origin, head));
}

/** Who has seen what of a log, this monitor first. */
function allSeeing(
  log: LogStatus,
  { shown, isConvicted, cases }: {
    shown: readonly ShownHead[];
    isConvicted: Convicted;
    cases: readonly ReadCase[];
  },
): readonly Seeing[] {
  const { size, root, grewAt, cosigned } = log;
  const relationOf = (head: Head): Relation => {
    if (head.size === size) return head.root === root ? "same" : "contradicts";
    return isConvicted(log, head) ? "contradicts" : "open";
  };
  const committed = cosigned?.committed;
  // What a peer has shown last has a line of its own.
  const refused = refusedOf(log, cases).filter(({ by, size, root }) =>
    !shown.some((head) => head.source === by && head.size === size && head.root === root)
  );
  return [
    { name: "This monitor", what: "accepted", size: size!, root, at: grewAt, relation: "ours" },
    ...refused.map(({ by, contradicts, ...head }): Seeing => ({
      ...{ name: capital(shownBy(by)), what: "not accepted", ...head, at: undefined },
      relation: contradicts ? "contradicts" : "refused",
    })),
    ...(committed === undefined ? [] : [{
      ...{ name: "A quorum of witnesses", what: "committed", at: undefined },
      ...{ size: committed.size, root: committed.root, relation: relationOf(committed) },
    }]),
    ...(cosigned?.witnesses ?? []).flatMap((witness) =>
      witness.size === undefined ? [] : [{
        ...{ name: witness.name, what: "witness", size: witness.size, root: witness.root },
        ...{ at: witness.cosignedAt, relation: relationOf(witness) },
      }]
    ),
    ...shown.map((head) => ({
      ...{ name: head.source, what: "peer", size: head.size, root: head.root, at: head.at },
      relation: relationOfVerdict(head, relationOf(head)),
    })),
  ];
}

/** What was proven of a peer's checkpoint counts for more than its size. */
function relationOfVerdict({ verdict }: ShownHead, bySize: Relation): Relation {
  if (bySize !== "open") return bySize;
  if (verdict === "inconsistent") return "contradicts";
  return ["matches", "consistent"].includes(verdict) ? "same" : "open";
}

function drawing(
  log: LogStatus,
  { status, seeing, id }: { status: Status; seeing: readonly Seeing[]; id: string },
): Html {
  const shown = seeing.slice(0, MAX_SEEING);
  const name = nameOf(log, status);
  return html`
    <figure>
    <figcaption>${nameIn(name)}</figcaption>
    ${picture(shown, id, name)}
    <details id="${id}-table"><summary>The same as a table<span class="unseen"> for ${shortened(
      name,
    )}</span></summary>
    ${asTable(shown, status, name)}</details>
    ${leftOut({
      ...{ all: seeing.length, shown: shown.length, what: "that have seen it" },
      see: html`<a href="/status">/status</a> has the witnesses`,
    })}
    </figure>
  `;
}

/** One sentence for those who do not see the picture. */
function inWords(seeing: readonly Seeing[]): string {
  const count = (relation: Relation): number =>
    seeing.filter((one) => one.relation === relation).length;
  const others = seeing.length - 1;
  const own = `This monitor has accepted size ${grouped(seeing[0]!.size)}.`;
  if (others === 0) return `${own} Nobody else has shown anything yet.`;
  return `${own} Below it: ${several(others, "line")}. Of the same history: ${
    count("same")
  }. Of another ` +
    `size: ${count("open")}. Not accepted: ${count("contradicts") + count("refused")}.`;
}

function picture(seeing: readonly Seeing[], id: string, name: string): Html {
  const sizes = seeing.map(({ size }) => wholeNumber(size));
  const least = sizes.reduce((a, b) => a < b ? a : b);
  const most = sizes.reduce((a, b) => a > b ? a : b);
  const place = (size: bigint): number => {
    const part = most === least ? STEPS : (size - least) * STEPS / (most - least);
    // A little room at the left, so that a mark there is no end of the track.
    return LEFT + 24 + Number(part) / Number(STEPS) * (RIGHT - LEFT - 32);
  };
  const height = seeing.length * ROW_HEIGHT + 4;
  const ours = place(sizes[0]!);
  return html`
    <svg viewBox="0 0 ${WIDTH} ${height}" role="img"
      aria-labelledby="${id}-title ${id}-desc">
    <title id="${id}-title">Who has seen what of ${shortened(name)}</title>
    <desc id="${id}-desc">${inWords(seeing)}</desc>
    <line class="ours" x1="${ours}" x2="${ours}" y1="26" y2="${height - 12}"/>
    ${seeing.map((one, i) => pictureRow(one, i * ROW_HEIGHT, place(sizes[i]!)))}</svg>
  `;
}

function pictureRow({ name, what, size, relation }: Seeing, top: number, x: number): Html {
  const y = top + 26;
  const label = what === "committed" ? name : `${shortened(name, MAX_LABEL)} (${what})`;
  return html`
    <text class="label" x="${LEFT}" y="${top + 14}">${label}</text>
    <text class="size" x="${RIGHT}" y="${top + 14}" text-anchor="end">${grouped(size)}</text>
    <line class="track" x1="${LEFT}" x2="${RIGHT}" y1="${y}" y2="${y}" />
    ${mark(relation, x, y)}
  `;
}

function mark(relation: Relation, x: number, y: number): Html {
  switch (relation) {
    case "ours":
      return html`
        <rect class="mark ours" x="${x - 5}" y="${y - 5}" width="10" height="10" />
      `;
    case "same":
      return html`
        <circle class="mark same" cx="${x}" cy="${y}" r="5" />
      `;
    case "open":
      return html`
        <circle class="mark open" cx="${x}" cy="${y}" r="5" />
      `;
    case "refused":
    case "contradicts":
      return html`
        <path class="mark contradicts" d="M${x - 6} ${y - 6}l12 12m0 -12l-12 12" />
      `;
  }
}

const COLUMNS: readonly Column[] = [
  { title: "Who" },
  { title: "Size", isNumber: true },
  { title: "Root" },
  { title: "Compared" },
  { title: "When" },
];

function asTable(seeing: readonly Seeing[], { now }: Status, name: string): Html {
  const rows = seeing.map(({ name, what, size, root, at, relation }) => ({
    mark: relation === "contradicts" || relation === "refused" ? "bad" as const : undefined,
    cells: [
      [nameIn(name), ` (${what})`] as Value,
      grouped(size),
      root === undefined ? "–" : html`<code class="root">${root}</code>`,
      RELATIONS[relation],
      ago(at, now),
    ],
  }));
  return table({ caption: `Who has seen what of ${shortened(name)}`, columns: COLUMNS, rows });
}

/** A size, which may come from anybody; 0 for what is none. */
function wholeNumber(size: string): bigint {
  return /^\d{1,20}$/.test(size) ? BigInt(size) : 0n;
}
