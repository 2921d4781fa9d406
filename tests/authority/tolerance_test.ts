/** What quorums tolerate: the computation agrees with trying everything. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Rule, ruleOf, toleranceOf } from "../../src/authority/tolerance.ts";
import { policyOf, witness } from "./policies.ts";
import { checkTolerance as check, computedTolerance as computed, partiesOf } from "./rules.ts";

/** Nested groups over parties of these names, which may repeat. */
function rules(names: readonly string[]): fc.Arbitrary<Rule> {
  const { rule } = fc.letrec<{ rule: Rule }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      fc.constantFrom(...names),
      fc.array(tie("rule"), { minLength: 1, maxLength: 4 }).chain((of) =>
        fc.integer({ min: 1, max: of.length }).map((least) => ({ least, of }))
      ),
    ),
  }));
  return rule;
}

/** The same rule with a name of its own at each place, as policies have it. */
function named(rule: Rule, next = { number: 0 }): Rule {
  if (typeof rule === "string") return `w${next.number++}`;
  return { least: rule.least, of: rule.of.map((part) => named(part, next)) };
}

Deno.test("toleranceOf: agrees with trying everything, for parties in one place each", () => {
  const trees = rules(["x"]).map((rule) => named(rule)).filter((rule) =>
    partiesOf(rule).length <= 8
  );
  fc.assert(fc.property(trees, check), { numRuns: 200 });
});

Deno.test("toleranceOf: agrees with trying everything, for parties in several places", () => {
  fc.assert(fc.property(rules(["a", "b", "c", "d", "e"]), check), { numRuns: 200 });
});

Deno.test("toleranceOf: q of n tolerate n - q failures and 2q - n - 1 liars, and so f of each", () => {
  for (let n = 1; n <= 13; n++) {
    for (let q = 1; q <= n; q++) {
      const of = Array.from({ length: n }, (_, i) => `w${i}`);
      const { failuresToStop, liarsToSplit } = computed({ least: q, of });
      assertEquals([failuresToStop - 1, liarsToSplit], [n - q, Math.max(0, 2 * q - n)]);
    }
    const f = Math.floor((n - 1) / 3);
    if (n !== 3 * f + 1) continue;
    const of = Array.from({ length: n }, (_, i) => `w${i}`);
    const { failuresToStop, liarsToSplit } = computed({ least: 2 * f + 1, of });
    assertEquals([failuresToStop, liarsToSplit], [f + 1, f + 1], `n = 3f + 1 with f = ${f}`);
  }
});

Deno.test("toleranceOf: seven witnesses with a quorum of five tolerate two liars, and not three", () => {
  const of = ["a", "b", "c", "d", "e", "f", "g"];
  const { failuresToStop, liarsToSplit } = computed({ least: 5, of });
  assertEquals([failuresToStop, liarsToSplit], [3, 3]);
});

Deno.test("toleranceOf: a group is not a flat list", () => {
  // Of a flat 3 of 4, one may lie. In pairs, one that is in both halves is enough.
  const pairs: Rule = {
    least: 2,
    of: [{ least: 1, of: ["a", "b"] }, { least: 2, of: ["c", "d"] }],
  };
  const { failuresToStop, liarsToSplit, splitting } = computed(pairs);
  assertEquals([failuresToStop, liarsToSplit], [1, 2]);
  assertEquals(splitting, ["c", "d"]);
  const disjoint: Rule = { least: 1, of: [{ least: 2, of: ["a", "b"] }, "c"] };
  assertEquals(computed(disjoint).liarsToSplit, 0);
});

Deno.test("toleranceOf: two keys of one name are one party, which cosigns one story if it is honest", () => {
  const both = (name: string) => [
    witness(`${name}-1`, { keyName: `${name}.invalid` }),
    witness(`${name}-2`, { keyName: `${name}.invalid`, mldsa: true }),
  ];
  const keys = ["a", "b", "c", "d"].map(both);
  const policy = policyOf(
    ...keys.flat().map(({ defined }) => defined),
    ...["a", "b", "c", "d"].map((name) => `group ${name} any ${name}-1 ${name}-2`),
    "group q 3 a b c d",
    "quorum q",
  );
  const { parties, failuresToStop, liarsToSplit } = computed(ruleOf(policy.quorum!));
  assertEquals([parties, failuresToStop, liarsToSplit], [4, 2, 2]);
});

Deno.test("toleranceOf: the largest policy is computed, and what is too involved is said not to be", () => {
  const of = Array.from({ length: 64 }, (_, i) => `w${i}`);
  for (const least of [1, 43, 64]) {
    const { failuresToStop, liarsToSplit } = computed({ least, of });
    assertEquals([failuresToStop, liarsToSplit], [65 - least, Math.max(0, 2 * least - 64)]);
  }
  // A group of two keys of one operator is that operator, however many operators have two keys.
  const pairs = { least: 21, of: of.slice(0, 30).map((name) => ({ least: 1, of: [name, name] })) };
  assertEquals([computed(pairs).failuresToStop, computed(pairs).liarsToSplit], [10, 12]);
  const twice = (count: number): Rule => {
    const names = Array.from({ length: count }, (_, i) => `w${i}`);
    const least = Math.ceil(count / 2);
    return { least: 2, of: [{ least, of: names }, { least: least + 1, of: names }] };
  };
  check(twice(4));
  const many = toleranceOf(twice(20));
  assert("notComputed" in many);
  assert(many.notComputed.startsWith("20 of 20 witnesses stand in several groups"));
});
