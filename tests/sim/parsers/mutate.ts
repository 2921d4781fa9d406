/**
 * The mutations: steps that turn good input into bad input, the same way each time.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import fc from "fast-check";

/** Longest input that a mutation makes. */
export const MAX_INPUT_LENGTH = 768 * 1024;

/** One step: which change, and two numbers that say where and how. */
export type Step = readonly [number, number, number];

/** Steps of one mutation. */
export const STEPS = fc.array(fc.tuple(fc.nat(255), fc.nat(), fc.nat()), {
  minLength: 1,
  maxLength: 4,
});

/** What a step has to work with. */
interface Change<T> {
  readonly value: T;
  /** Another valid input. */
  readonly other: T;
  readonly a: number;
  readonly b: number;
}

/** Long repeats are rare, so that most cases stay cheap. */
function timesOf(b: number): number {
  return b % 997 === 500 ? 100_000 : 1 + b % 300;
}

const BYTES = [0, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x30, 0x39, 0x5b, 0x5c, 0x7b, 0x7f, 0x80, 0xc0];
const LENGTHS = [0xffffffff, 0x7fffffff, 0x80000000, 0, 1, 0xffff, 0x10000000];

function cut(bytes: Uint8Array, at: number, remove: number, put: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, at), put, bytes.subarray(at + remove)]);
}

/** What a step may do to bytes. */
export const BYTE_CHANGES: readonly ((change: Change<Uint8Array>) => Uint8Array)[] = [
  // A bit flips.
  ({ value, a, b }) => {
    const copy = value.slice();
    if (copy.length > 0) copy[a % copy.length]! ^= 1 << (b & 7);
    return copy;
  },
  // A byte becomes a remarkable one, or such a one comes in.
  ({ value, a, b }) =>
    cut(value, a % (value.length + 1), b & 1, Uint8Array.of(BYTES[(b >> 1) % BYTES.length]!)),
  // Bytes go missing.
  ({ value, a, b }) => cut(value, a % (value.length + 1), 1 + b % 40, new Uint8Array(0)),
  // The end goes missing.
  ({ value, a }) => value.subarray(0, a % (value.length + 1)),
  // The start goes missing.
  ({ value, a }) => value.subarray(a % (value.length + 1)),
  // A part comes again, once or many times.
  ({ value, a, b }) => {
    const at = a % (value.length + 1);
    const part = value.subarray(at, at + 1 + b % 64);
    const times = Math.min(timesOf(b >> 6), Math.floor(MAX_INPUT_LENGTH / (part.length + 1)));
    return cut(value, at, 0, concat(Array.from({ length: times }, () => part)));
  },
  // Half of this one, half of another.
  ({ value, other, a, b }) =>
    concat([value.subarray(0, a % (value.length + 1)), other.subarray(b % (other.length + 1))]),
  // What may be a length is a huge one.
  ({ value, a, b }) => {
    const field = new Uint8Array(4);
    new DataView(field.buffer).setUint32(0, LENGTHS[b % LENGTHS.length]!);
    return cut(value, a % (value.length + 1), 4, field);
  },
  // Two parts change places.
  ({ value, a, b }) => {
    const [from, to] = [a % (value.length + 1), b % (value.length + 1)].sort((x, y) => x - y);
    return concat([value.subarray(to), value.subarray(from, to), value.subarray(0, from)]);
  },
];

/** Characters and short texts that have a meaning in some format. */
export const CHARACTERS = [
  ...'\0\n\r\t "\\{}[]:,+-=/—09aAzZ%.<>',
  ...["\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\u202e", "\ud800", "\udc00", "😀"],
  ...["\r\n", "\n\n", "null", "1e999", "\\u0000", "\\ud800", '\\"', "//", "/*", "../", "x001/"],
];
/** Numbers that are not in canonical form, or too large for some reader. */
export const NUMBERS = [
  ...["0", "-1", "007", "+1", "1e3", "1.5", "0x10", "18446744073709551616", "9223372036854775807"],
  ...["9223372036854775808", "4294967296", "65536", "99999", "NaN", "1".repeat(400)],
];
const VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, "", "\0", "x".repeat(300), "9".repeat(30), [], {}, [[]], "\u2028"],
  ...[{ __proto__: null, constructor: 1 }, JSON.parse('{"__proto__":{"size":"1"}}'), [null], "1"],
];
/** The depth of the deepest nesting: deeper than any call stack. Most nestings are shallow. */
const DEEP = 100_000;

/** Puts something into a text, in the place of so many characters. */
export function splice(text: string, at: number, remove: number, put: string): string {
  return text.slice(0, at) + put + text.slice(at + remove);
}

/** Puts something in the place of the nth match of a pattern. */
function replaceNth(text: string, pattern: RegExp, n: number, put: (found: string) => string) {
  const found = [...text.matchAll(pattern)];
  if (found.length === 0) return text;
  const { index, 0: match } = found[n % found.length]!;
  return splice(text, index, match.length, put(match));
}

/** What a step may do to a text. */
export const TEXT_CHANGES: readonly ((change: Change<string>) => string)[] = [
  // A character becomes a remarkable one, or such a one comes in.
  ({ value, a, b }) =>
    splice(value, a % (value.length + 1), b & 1, CHARACTERS[(b >> 1) % CHARACTERS.length]!),
  // A bit of a character flips.
  ({ value, a, b }) => {
    const at = a % (value.length + 1);
    const code = (at < value.length ? value.charCodeAt(at) : 0) ^ (1 << (b & 7));
    return splice(value, at, 1, String.fromCharCode(code));
  },
  // Characters go missing.
  ({ value, a, b }) => splice(value, a % (value.length + 1), 1 + b % 40, ""),
  // The end goes missing.
  ({ value, a }) => value.slice(0, a % (value.length + 1)),
  // A part comes again, once or many times.
  ({ value, a, b }) => {
    const at = a % (value.length + 1);
    const part = value.slice(at, at + 1 + b % 64);
    const times = Math.min(timesOf(b >> 6), Math.floor(MAX_INPUT_LENGTH / (part.length + 1)));
    return splice(value, at, 0, part.repeat(times));
  },
  // Half of this one, half of another.
  ({ value, other, a, b }) =>
    value.slice(0, a % (value.length + 1)) + other.slice(b % (other.length + 1)),
  // A number becomes another.
  ({ value, a, b }) => replaceNth(value, /\d+/g, a, () => NUMBERS[b % NUMBERS.length]!),
  // A line goes missing, comes twice, or last.
  ({ value, a, b }) => {
    const lines = value.split("\n");
    const [line] = lines.splice(a % lines.length, 1);
    if (b % 3 === 1) lines.splice(a % (lines.length + 1), 0, line!, line!);
    if (b % 3 === 2) lines.push(line!);
    return lines.join("\n");
  },
  // Brackets, nested.
  ({ value, a, b }) => {
    const deep = b % 97 === 50 ? DEEP : 1 + b % 40;
    const nest = b & 1 ? "[".repeat(deep) + "]".repeat(deep) : '{"a":'.repeat(deep);
    return splice(value, a % (value.length + 1), 0, nest);
  },
  // A JSON member comes twice, or one that is none of its own.
  ({ value, a, b }) =>
    replaceNth(
      value,
      /"[A-Za-z_]+"\s*:/g,
      a,
      (member) =>
        b % 3 === 0
          ? `${member} null, ${member}`
          : b % 3 === 1
          ? `"__proto__": {"size": "1"}, ${member}`
          : `"constructor":`,
    ),
  // A JSON value becomes another.
  ({ value, a, b }) => withOtherValue(value, a, VALUES[b % VALUES.length]),
  // A character is spelled as JSON may.
  ({ value, a }) => {
    const at = a % (value.length + 1);
    const code = value.slice(at, at + 1);
    return code === "" ? value : splice(value, at, 1, escaped(code));
  },
];

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A JSON text in which one value, however deep, is another. */
function withOtherValue(text: string, n: number, put: unknown): string {
  try {
    const root = { all: JSON.parse(text) as unknown };
    const places: [Record<string, unknown>, string][] = [];
    const visit = (parent: Record<string, unknown>, key: string): void => {
      places.push([parent, key]);
      const value = parent[key];
      if (typeof value !== "object" || value === null) return;
      for (const inner of Object.keys(value)) visit(value as Record<string, unknown>, inner);
    };
    visit(root, "all");
    const [parent, key] = places[n % places.length]!;
    parent[key] = put;
    return JSON.stringify(root.all);
  } catch {
    return text; // It is not JSON, or nested too deeply. Other steps are for such texts.
  }
}

/** A sample, changed by one step after the other. */
export function mutated<T>(
  { sample, other, steps, changes }: {
    sample: T;
    other: T;
    steps: readonly Step[];
    changes: readonly ((change: Change<T>) => T)[];
  },
): T {
  return steps.reduce(
    (value, [kind, a, b]) => changes[kind % changes.length]!({ value, other, a, b }),
    sample,
  );
}
