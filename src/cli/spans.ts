import { millisecondsBetween } from "../world/time.ts";

/** The time between two times in RFC 3339, in the largest unit that fits: `3m`. */
export function span(from: string, to: string): string {
  const seconds = Math.round(millisecondsBetween(from, to) / 1000);
  const units: [string, number][] = [["d", 86_400], ["h", 3_600], ["m", 60]];
  for (const [unit, length] of units) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)}${unit}`;
  }
  return `${seconds}s`;
}

/** How long ago a time was: `3m ago`; a dash for none. */
export function ago(time: string | undefined, now: string): string {
  return time === undefined ? "-" : `${span(time, now)} ago`;
}

/** How soon a time comes: `in 3m`, or `at once`. */
export function soon(word: "in" | "within", now: string, at: string): string {
  const time = span(now, at);
  return time === "0s" ? "at once" : `${word} ${time}`;
}
