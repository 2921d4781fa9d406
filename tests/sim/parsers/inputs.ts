/**
 * The inputs for parsers: valid samples, mutations of them, and inputs unlike any sample.
 *
 * @module
 */
import fc from "fast-check";
import { utf8 } from "../../../src/tlog/encoding.ts";
import {
  BYTE_CHANGES,
  CHARACTERS,
  MAX_INPUT_LENGTH,
  mutated,
  NUMBERS,
  splice,
  STEPS,
  TEXT_CHANGES,
} from "./mutate.ts";

/** Long texts are made of many copies of these parts, which may take a parser more than linear time. */
export const LONG_PARTS = [
  ...['\\"', '"', "\\", "[", "{", '{"a":', '["', " ", "\n", "\n\n", "0", "9", "a", "/", "+", "—"],
  ...["\ud800", "\\ud800", "\u2028", '"a":1,', "// ", "/*", "— a b\n", "=", "-", ",", ":"],
  "PRIVATE+KEY+",
];

/** The length of long texts. At this length quadratic time is too long. */
export const LONG_TEXT_LENGTH = 128 * 1024;

const FIRST_SURROGATE = 0xd800;
const SURROGATES = 0x800;

/** A long text within a sample. */
export function longText(sample: string, at: number, part: string, length: number): string {
  return splice(sample, at % (sample.length + 1), 0, part.repeat(Math.ceil(length / part.length)));
}

/** An index below this count. */
export function choice(count: number): fc.Arbitrary<number> {
  return fc.nat(Math.max(0, count - 1));
}

/**
 * Any character but half a pair: the same as fast-check's own unit "binary", which takes a second and
 * 125 MB to make.
 */
const CHARACTER = fc.nat(0x10ffff - SURROGATES).map((n) =>
  String.fromCodePoint(n < FIRST_SURROGATE ? n : n + SURROGATES)
);

/** Texts: the samples, mutations of them, and texts unlike any sample. */
export function texts(samples: readonly string[]): fc.Arbitrary<string> {
  const pick = choice(samples.length);
  return fc.oneof(
    { weight: 20, arbitrary: pick.map((i) => samples[i]!) },
    {
      weight: 160,
      arbitrary: fc.tuple(pick, pick, STEPS).map(([i, j, steps]) =>
        mutated({ sample: samples[i]!, other: samples[j]!, steps, changes: TEXT_CHANGES })
          .slice(0, MAX_INPUT_LENGTH)
      ),
    },
    { weight: 10, arbitrary: fc.string({ unit: CHARACTER, maxLength: 40 }) },
    {
      weight: 9,
      arbitrary: fc.array(fc.constantFrom(...CHARACTERS, ...NUMBERS), { maxLength: 12 })
        .map((parts) => parts.join("")),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(pick, fc.nat(), fc.constantFrom(...LONG_PARTS), fc.nat(LONG_TEXT_LENGTH))
        .map(([i, at, part, length]) => longText(samples[i]!, at, part, length)),
    },
  );
}

/** Bytes: the samples, mutations of them, and bytes unlike any sample. */
export function bytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const pick = choice(samples.length);
  return fc.oneof(
    { weight: 20, arbitrary: pick.map((i) => samples[i]!) },
    {
      weight: 170,
      arbitrary: fc.tuple(pick, pick, STEPS).map(([i, j, steps]) =>
        mutated({ sample: samples[i]!, other: samples[j]!, steps, changes: BYTE_CHANGES })
          .slice(0, MAX_INPUT_LENGTH)
      ),
    },
    { weight: 10, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
}

/** Texts as bytes: mutated as texts, and as bytes. */
export function textBytes(samples: readonly string[]): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 2, arbitrary: texts(samples).map(utf8) },
    { weight: 1, arbitrary: bytes(samples.map(utf8)) },
  );
}
