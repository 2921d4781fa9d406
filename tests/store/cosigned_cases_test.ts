import { assertEquals } from "@std/assert";
import type { CaseName } from "../../src/evidence/record.ts";
import { Cases } from "../../src/store/incidents.ts";

/** The case that a cosigner has signed these two roots at size 5. */
function caseOf(a: string, b: string): CaseName {
  const log = { origin: "log.invalid", vkey: "w.invalid+00000000+BAAA" };
  const kind = "same_size_cosigned";
  return { kind, log, checkpoint_a: { size: "5", root: a }, checkpoint_b: { size: "5", root: b } };
}

Deno.test("Cases: two roots of a cosigner are one case in either order, and k roots make k - 1", () => {
  const cases = new Cases();
  cases.add(caseOf("r1", "r2"), 1);
  assertEquals(cases.find(caseOf("r2", "r1")), 1);
  assertEquals(cases.find(caseOf("r1", "r3")), undefined);
  cases.add(caseOf("r2", "r3"), 2);
  assertEquals(cases.find(caseOf("r3", "r1")), 1, "they are joined through the second");
});

Deno.test("Cases: what a key has signed as a log's is another case than what it has cosigned", () => {
  const cases = new Cases();
  cases.add({ ...caseOf("r1", "r2"), kind: "same_size" }, 1);
  assertEquals(cases.find(caseOf("r1", "r2")), undefined);
});
