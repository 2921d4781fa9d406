import { assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes/concat";
import * as fc from "fast-check";
import { hash } from "node:crypto";
import {
  HASH_BYTES,
  hashNodeInto,
  leafHash,
  nodeHash,
  subtreeRoot,
} from "../../src/tlog/hashing.ts";

/** Any hash; zeros and all ones are among the first tried. */
const anyHash = fc.uint8Array({ minLength: HASH_BYTES, maxLength: HASH_BYTES });

/** The platform's SHA-256, which is not the one used for nodes. */
function oracle(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(hash("sha256", concat([new Uint8Array([1]), left, right]), "buffer"));
}

/** RFC 6962 section 2.1 as it is written, on the platform's SHA-256. */
function mth(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0]!;
  const half = hashes.length / 2;
  return oracle(mth(hashes.slice(0, half)), mth(hashes.slice(half)));
}

Deno.test("nodeHash: is the platform's SHA-256 of 0x01, left and right", () => {
  fc.assert(
    fc.property(anyHash, anyHash, (left, right) => {
      assertEquals(nodeHash({ left, right }), oracle(left, right));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("nodeHash: every value of every byte of its input counts", () => {
  const of = (at: number, value: number): { left: Uint8Array; right: Uint8Array } => {
    const both = new Uint8Array(2 * HASH_BYTES);
    both[at] = value;
    return { left: both.subarray(0, HASH_BYTES), right: both.subarray(HASH_BYTES) };
  };
  for (let at = 0; at < 2 * HASH_BYTES; at++) {
    for (let value = 0; value < 256; value++) {
      const { left, right } = of(at, value);
      assertEquals(nodeHash({ left, right }).toHex(), oracle(left, right).toHex());
    }
  }
});

Deno.test("nodeHash: a later one changes neither an earlier result nor what it was made of", () => {
  fc.assert(fc.property(anyHash, anyHash, (left, right) => {
    const before = [left.slice(), right.slice()];
    const first = nodeHash({ left, right });
    const second = nodeHash({ left: right, right: first });
    assertEquals([left, right], before);
    assertEquals(first, oracle(left, right));
    assertEquals(second, oracle(right, first));
    assertEquals(first.buffer.byteLength, HASH_BYTES);
  }));
});

Deno.test("hashNodeInto: the target may be the left or the right half", () => {
  fc.assert(fc.property(anyHash, anyHash, (a, b) => {
    const left = a.slice();
    assertEquals(hashNodeInto(left, { left, right: b }), oracle(a, b));
    const right = b.slice();
    assertEquals(hashNodeInto(right, { left: a, right }), oracle(a, b));
    const both = a.slice();
    assertEquals(hashNodeInto(both, { left: both, right: both }), oracle(a, a));
  }));
});

Deno.test("nodeHash: is the platform's for halves of any length, 511 bytes in all", () => {
  const most = 511;
  for (let length = 0; length <= most; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
    const [left, right] = [bytes.subarray(0, length >> 1), bytes.subarray(length >> 1)];
    assertEquals(nodeHash({ left, right }).toHex(), oracle(left, right).toHex(), `${length}`);
  }
});

Deno.test("nodeHash: what is too long is refused, and spoils nothing that comes after", () => {
  const good = new Uint8Array(HASH_BYTES).fill(7);
  for (const length of [480, 512, 10_000]) {
    const long = new Uint8Array(length).fill(9);
    assertThrows(() => nodeHash({ left: long, right: good }), RangeError);
    assertThrows(() => nodeHash({ left: good, right: long }), RangeError);
    assertEquals(nodeHash({ left: good, right: good }), oracle(good, good));
  }
});

Deno.test("subtreeRoot: is RFC 6962's root by the platform's SHA-256, for 1 to 1,024 hashes", () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 }), fc.infiniteStream(anyHash), (height, stream) => {
      const hashes = Array.from({ length: 1 << height }, () => stream.next().value);
      const bytes = concat(hashes);
      const before = bytes.slice();
      assertEquals(subtreeRoot(bytes), mth(hashes));
      assertEquals(bytes, before);
    }),
  );
});

Deno.test("subtreeRoot: what stands somewhere in a larger buffer is hashed as if alone", () => {
  fc.assert(fc.property(anyHash, anyHash, fc.nat({ max: 70 }), (left, right, at) => {
    const buffer = new Uint8Array(at + 2 * HASH_BYTES + 5).fill(0xee);
    buffer.set(left, at);
    buffer.set(right, at + HASH_BYTES);
    const root = subtreeRoot(buffer.subarray(at, at + 2 * HASH_BYTES));
    assertEquals(root, oracle(left, right));
  }));
});

Deno.test("subtreeRoot: no hashes, a cut one, and a number that is no power of two are refused", () => {
  for (const length of [0, 1, 31, 33, 63, 3 * HASH_BYTES, 255 * HASH_BYTES, 256 * HASH_BYTES - 1]) {
    assertThrows(() => subtreeRoot(new Uint8Array(length)), RangeError, `${length} bytes`);
  }
});

Deno.test("leafHash: is the platform's SHA-256 of 0x00 and the data, around every limit", () => {
  // A block of SHA-256 has 64 bytes, the WebAssembly module's buffer 512.
  const lengths = [0, 1, 54, 55, 56, 62, 63, 64, 65, 509, 510, 511, 512, 513, 5_000];
  for (const length of lengths) {
    const data = Uint8Array.from({ length }, (_, i) => i * 7 + length);
    const input = concat([new Uint8Array([0]), data]);
    assertEquals(leafHash(data).toHex(), hash("sha256", input, "hex"), `${length} bytes`);
  }
});

Deno.test("leafHash: a later hash changes neither an earlier one nor what it was made of", () => {
  fc.assert(fc.property(anyHash, anyHash, (a, b) => {
    const data = a.slice();
    const first = leafHash(data);
    const before = first.slice();
    const node = nodeHash({ left: a, right: b });
    leafHash(b);
    assertEquals([data, first, node], [a, before, oracle(a, b)]);
    assertEquals(first.buffer.byteLength, HASH_BYTES);
  }));
});
