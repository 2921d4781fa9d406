/** Whom to choose. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { longestGap, Rotation } from "../../src/world/rotation.ts";
import type { Random } from "../../src/world/world.ts";
import { words } from "./helpers.ts";

const randomness = fc.array(fc.nat(2 ** 32 - 1), { minLength: 1, maxLength: 100 });

const [LEAST, MIDDLE, MOST] = [words(0), words(2 ** 31), words(2 ** 32 - 1)];

/** Turns of a rotation. */
function turns({ items, count, random, times }: {
  items: readonly number[];
  count: number;
  random: Random;
  times: number;
}): number[][] {
  const rotation = new Rotation({ items, random });
  return Array.from({ length: times }, () => rotation.next(count));
}

Deno.test("rotation: it gives some without repeats, and all if fewer are there", () => {
  const items = [1, 2, 3, 4, 5];
  for (const random of [LEAST, MIDDLE, MOST, words(1e9, 3e9, 7)]) {
    for (let count = 0; count <= 7; count++) {
      for (const given of turns({ items, count, random, times: 9 })) {
        assertEquals(given.length, Math.min(count, 5));
        assertEquals(new Set(given).size, given.length);
        assert(given.every((one) => items.includes(one)));
      }
    }
  }
  assertEquals(items, [1, 2, 3, 4, 5], "what is given stays");
  assertEquals(turns({ items: [], count: 3, random: MOST, times: 2 }), [[], []]);
});

Deno.test("rotation: it gives each item at least once in its longest gap, and no more seldom", () => {
  let longest = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 8 }),
      randomness,
      (length, count, given) => {
        const items = Array.from({ length }, (_, i) => i);
        const gap = longestGap({ items: length, count });
        const all = turns({ items, count, random: words(...given), times: 6 * gap });
        for (const item of items) {
          let last = -1;
          for (const [turn, some] of [...all, [item]].entries()) {
            if (!some.includes(item)) continue;
            assert(turn - last <= gap, `${item} was not given in ${turn - last} turns`);
            if (length === 4 && count === 1) longest = Math.max(longest, turn - last);
            last = turn;
          }
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assertEquals(
    longest,
    longestGap({ items: 4, count: 1 }),
    "the bound is not looser than it must be",
  );
});

Deno.test("rotation: every order is as likely as any other", () => {
  const seen = new Map<string, number>();
  let word = 1;
  const random: Random = {
    bytes(count) {
      const bytes = new Uint8Array(count);
      word = Math.imul(word, 1_664_525) + 1_013_904_223;
      new DataView(bytes.buffer).setUint32(0, word >>> 0);
      return bytes;
    },
  };
  const rotation = new Rotation({ items: [1, 2, 3], random });
  for (let i = 0; i < 6_000; i++) {
    const order = Array.from({ length: 3 }, () => rotation.next(1)).join("");
    seen.set(order, (seen.get(order) ?? 0) + 1);
  }
  assertEquals(seen.size, 6);
  for (const [order, times] of seen) assert(times > 800 && times < 1_200, `${order}: ${times}`);
});

Deno.test("rotation: an item is given within the turns that are told", () => {
  for (const count of [1, 2, 3, 4, 7]) {
    const items = ["a", "b", "c", "d", "e"];
    const rotation = new Rotation({ items, random: words(1e9, 3e9, 7) });
    const due = new Map<string, number>();
    for (let turn = 1; turn <= 60; turn++) {
      for (const item of items) {
        const turns = rotation.turnsUntil(item, count);
        assert(turns >= 1 && turns <= longestGap({ items: items.length, count }));
        const by = turn + turns - 1;
        // Later calls may know better, never worse.
        assert(by <= (due.get(item) ?? Infinity), `${item} was put off`);
        due.set(item, by);
      }
      const given = rotation.next(count);
      for (const item of items) {
        if (given.includes(item)) due.delete(item);
        else assert(due.get(item)! > turn, `${item} was due in turn ${turn}`);
      }
    }
  }
});
