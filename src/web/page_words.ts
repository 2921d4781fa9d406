/**
 * The small words of the page: times, counts, sizes and names as a person reads or hears them.
 *
 * @module
 */
import { isTime, millisecondsBetween } from "../world/time.ts";
import { type Html, html } from "./html.ts";

const UNITS: readonly (readonly [name: string, seconds: number])[] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Most characters shown of a name that comes from outside. */
export const MAX_NAME = 200;

/** A count with its noun: `1 log`, `3 logs`. */
export function several(count: number, noun: string, nouns = `${noun}s`): string {
  return `${grouped(`${count}`)} ${count === 1 ? noun : nouns}`;
}

/** A sentence that begins with a capital letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The time between two times in RFC 3339, in the largest unit that fits: `3 minutes`. */
export function span(from: string, to: string): string {
  const seconds = Math.max(0, Math.round(millisecondsBetween(from, to) / 1_000));
  for (const [name, length] of UNITS) {
    if (seconds >= 2 * length) return several(Math.floor(seconds / length), name);
  }
  return several(seconds, "second");
}

/** How long ago a time was, with the time itself for whoever points at it; a dash for none. */
export function ago(time: string | undefined, now: string): Html {
  if (time === undefined) return html`–`;
  if (!isTime(time)) return html`${time}`;
  return html`<time datetime="${time}" title="${utc(time)}">${span(time, now)} ago</time>`;
}

/** For how long something has lasted; nothing if nobody knows. */
export function lasting(since: string | undefined, now: string): Html | undefined {
  if (since === undefined || !isTime(since)) return undefined;
  return html`
    for <time datetime="${since}" title="${utc(since)}">${span(since, now)}</time>
  `;
}

/** A time as a person reads it: `2026-11-28 18:53:59 UTC`; any other text as it is. */
export function utc(time: string): string {
  return isTime(time) ? `${time.slice(0, 19).replace("T", " ")} UTC` : time;
}

/** A decimal with its digits in groups of three; any other text as it is. */
export function grouped(decimal: string): string {
  return /^\d+$/.test(decimal) ? decimal.replace(/\B(?=(\d{3})+$)/g, ",") : decimal;
}

/** A size of a tree; a dash for none. */
export function sizeOf(size: string | undefined): Html {
  return size === undefined ? html`–` : html`<span class="number">${grouped(size)}</span>`;
}

/** A name from outside, bounded: its middle gives way. */
export function shortened(name: string, most: number = MAX_NAME): string {
  const letters = [...name];
  if (letters.length <= most) return name;
  const half = Math.floor((most - 1) / 2);
  return `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}

/** Where a long name may break. */
const SLASH = html`/<wbr>`;

/** A name from outside, set apart so that its writing direction stays its own. */
export function nameIn(name: string, most: number = MAX_NAME): Html {
  const parts = shortened(name, most).split("/");
  return html`<bdi class="name">${parts.map((part, i) => i === 0 ? part : [SLASH, part])}</bdi>`;
}

/** What each result means, in a few words. */
const RESULTS: Readonly<Record<string, string>> = {
  first: "this is its first checkpoint that was seen",
  extends: "it has grown, and the step is proven",
  unchanged: "it shows the same as before",
  matches: "the same root at the same size",
  consistent: "proven to be the same history",
  pending: "another size",
  "rolled back": "it shows an older checkpoint, as caches do",
  frozen: "it has stood still for longer than its configured patience",
  withheld: "others were shown this, and the log does not show it to us",
  unavailable: "it cannot be reached; nothing was learned",
  unverified: "no known key of it has signed what it shows",
  unproven: "the proof is missing or does not hold; that proves nothing",
  inconsistent: "no tree can have both checkpoints",
  "not written": "our own disk refuses to write",
};

/** What a result means; nothing for one that is not known here. */
export function meaningOf(result: string): string | undefined {
  return Object.hasOwn(RESULTS, result) ? RESULTS[result] : undefined;
}
