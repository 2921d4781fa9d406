import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { HashList } from "../../src/gossip/hash_list.ts";
import { KNOWN } from "../../src/gossip/known_item.ts";
import { HASH_BYTES } from "../../src/tlog/hashing.ts";

/** Hashes that begin alike, so that only all of their bytes tell them apart. */
function hashes(count: number, beginnings: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const hash = new Uint8Array(HASH_BYTES);
    const view = new DataView(hash.buffer);
    view.setUint32(0, 0xffff_fff0 + i % beginnings);
    view.setUint32(HASH_BYTES - 4, i);
    return hash;
  });
}

Deno.test("hash list: has what is in it and nothing else, however many begin alike", () => {
  for (const beginnings of [1, 3, 16]) {
    const all = hashes(200, beginnings);
    const [inside, outside] = [all.slice(0, 150), all.slice(150)];
    const list = new HashList(concat([Uint8Array.of(7), ...inside]).subarray(1));
    assertEquals(inside.map((hash) => list.has(encodeHex(hash))), inside.map(() => true));
    assertEquals(outside.map((hash) => list.has(encodeHex(hash))), outside.map(() => false));
  }
  assertEquals(new HashList(new Uint8Array(0)).has("0".repeat(64)), false);
  assert(new HashList(new Uint8Array(HASH_BYTES)).has("0".repeat(64)));
});

// A list costs whoever sends it as much as few signatures, so it must not cost us more.
Deno.test("hash list: to look a hash up in the longest list takes less than to spell a tenth of it", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(KNOWN.maxBytes));
  const wanted = encodeHex(bytes.subarray(bytes.length - HASH_BYTES));
  const spell = (): void => {
    for (let at = 0; at < bytes.length / 10; at += HASH_BYTES) {
      encodeHex(bytes.subarray(at, at + HASH_BYTES));
    }
  };
  const look = (): void => void new HashList(bytes).has(wanted);
  const quickest = (work: () => void): number =>
    Math.min(...Array.from({ length: 200 }, () => {
      const start = performance.now();
      work();
      return performance.now() - start;
    }));
  const [looked, spelled] = [quickest(look), quickest(spell)];
  assert(looked < spelled, `${looked} ms, ${spelled} ms`);
});
