/**
 * How wide texts are on a terminal, and how they are made to fit.
 *
 * @module
 */

/** What most terminals show in two columns. East Asian texts and emoji, by script; others are rare. */
const WIDE = new RegExp(
  "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}\\p{Script=Yi}" +
    "\\u{1100}-\\u{115F}\\p{Emoji_Presentation}\\u{3000}-\\u{303E}\\u{3130}-\\u{33FF}" +
    "\\u{A960}-\\u{A97F}\\u{AC00}-\\u{D7A3}\\u{FE30}-\\u{FE6F}\\u{FF01}-\\u{FF60}" +
    "\\u{FFE0}-\\u{FFE6}\\u{20000}-\\u{3FFFD}]",
  "gu",
);
/** What takes no column of its own: marks above and below letters, and the vowels within Hangul. */
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11FF]/gu;
/** One code point that is two units of a string. */
const PAIR = /[\u{10000}-\u{10FFFF}]/gu;
const PLAIN = /^[\x20-\x7E]*$/;

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** How many columns of a terminal a text takes. It expects printable text. */
export function columnsOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  const rest = text.replace(NO_WIDTH, "");
  // Half-width forms belong to the same scripts, and are not wide.
  return rest.length - count(rest, PAIR) + count(rest.replace(/[\uFF61-\uFFDC]/gu, ""), WIDE);
}

const ELLIPSIS = "…";
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * A text that takes at most so many columns: its middle gives way to `…`, so that names that differ
 * at one end only stay apart.
 */
export function shortened(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  const parts = [...graphemes.segment(text)].map(({ segment }) => segment);
  const room = width - 1;
  const end = fitting(parts.toReversed(), Math.floor(room / 2)).toReversed();
  const start = fitting(parts, room - columnsOf(end.join("")));
  return start.join("") + ELLIPSIS + end.join("");
}

/** As many of the first parts as fit. */
function fitting(parts: readonly string[], width: number): string[] {
  let taken = 0;
  const end = parts.findIndex((part) => (taken += columnsOf(part)) > width);
  return parts.slice(0, end < 0 ? parts.length : end);
}

/**
 * Breaks a text into lines at its spaces. A word that is longer than a line stays whole, so that it
 * can be copied.
 */
export function wrapped(
  text: string,
  { width, indent = "" }: { width: number; indent?: string },
): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && columnsOf(indent + longer) > width) {
      lines.push(indent + line);
      line = word;
    } else line = longer;
  }
  return [...lines, indent + line];
}

/** A text behind its label, broken into lines that begin where the first one does. */
export function hanging(
  label: string,
  text: string,
  { columns: width = Infinity }: { columns: number | undefined },
): string[] {
  const indent = " ".repeat(columnsOf(label));
  const [first, ...more] = wrapped(text, { width, indent });
  return [label + first!.slice(indent.length), ...more];
}
