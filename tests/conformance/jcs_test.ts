/** The canonical JSON of records and journals against the author's RFC 8785 cases. */
import { assertEquals } from "@std/assert";
import { canonicalize } from "@std/json/canonicalize";
import {
  everyCase,
  hex,
  listFolder,
  readBytes,
  readJson,
  readText,
  unhex,
  vectorTest,
} from "./vectors.ts";

/** The bytes that are hashed and signed: canonical text in UTF-8, as our records have it. */
function canonicalBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalize(value));
}

vectorTest(
  "canonicalize: turns each of the 6 input files into its output, byte for byte",
  () =>
    everyCase({
      cases: listFolder("jcs/input"),
      count: 6,
      name: (file) => file,
      check: (file) =>
        assertEquals(
          hex(canonicalBytes(readJson(`jcs/input/${file}`))),
          hex(readBytes(`jcs/output/${file}`)),
        ),
    }),
);

vectorTest(
  "canonicalize: turns each of the 6 input files into the bytes written as hex",
  () =>
    everyCase({
      cases: listFolder("jcs/input"),
      count: 6,
      name: (file) => file,
      check(file) {
        const bytes = readText(`jcs/outhex/${file.replace(".json", ".txt")}`).replace(/\s/g, "");
        assertEquals(hex(canonicalBytes(readJson(`jcs/input/${file}`))), bytes);
      },
    }),
);

vectorTest("canonicalize: leaves each of the 6 output files as it is", () =>
  everyCase({
    cases: listFolder("jcs/output"),
    count: 6,
    name: (file) => file,
    check: (file) =>
      assertEquals(canonicalize(readJson(`jcs/output/${file}`)), readText(`jcs/output/${file}`)),
  }));

/** The number with these IEEE 754 bits; the files leave out leading zeros. */
function ieee754(bits: string): number {
  return new DataView(unhex(bits.padStart(16, "0")).buffer).getFloat64(0);
}

interface NumberCase {
  readonly ieee754_hex: string;
  readonly expected: string;
}

vectorTest(
  "canonicalize: spells the 6 numbers of numbers.json as RFC 8785 appendix B does",
  () =>
    everyCase({
      cases: readJson<NumberCase[]>("jcs/numbers.json"),
      count: 6,
      name: ({ ieee754_hex }) => ieee754_hex,
      check: (one) => assertEquals(canonicalize(ieee754(one.ieee754_hex)), one.expected),
    }),
);

vectorTest("canonicalize: spells the first 1,000 numbers of the ES6 test file", () =>
  everyCase({
    cases: readText("jcs/es6_numbers_1000.txt").trimEnd().split("\n"),
    count: 1000,
    name: (line) => line,
    check(line) {
      const [bits, expected] = line.split(",") as [string, string];
      assertEquals(canonicalize(ieee754(bits)), expected);
    },
  }));
