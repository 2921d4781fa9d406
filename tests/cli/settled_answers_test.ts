/** The words for what a monitor says about checkpoints, where no daemon is needed to bring it about. */
import { assertEquals } from "@std/assert";
import { Claims, describeComparison } from "../../src/cli/settled_answers.ts";
import type { Standing } from "../../src/gossip/settled_item.ts";
import { checkpointOf, logOf } from "../gossip/helpers.ts";

const log = await logOf("log.example/a", 9);
const [three, five, nine] = [
  await checkpointOf(log, 3n),
  await checkpointOf(log, 5n),
  await checkpointOf(log, 9n),
];

function claimed(...standings: (Standing | undefined)[]): Claims {
  const claims = new Claims();
  for (const [i, checkpoint] of [five, three].entries()) {
    const standing = standings[i];
    if (standing !== undefined) claims.add(checkpoint, standing);
  }
  return claims;
}

const AHEAD = "the monitor is ahead, at size 9";
const NOTHING = `${AHEAD}, and we at 5; nothing that it said contradicts what is here`;

Deno.test("ask: a version that cannot say what is settled gets the sentence without that", () => {
  const comparison = { ours: five, others: [three], theirs: nine, claims: claimed() };
  const words = "It settles by its own view what it heard: ask again later";
  assertEquals(describeComparison(comparison), `${NOTHING}. ${words}`);
});

Deno.test("ask: all checkpoints must be consistent, one that is open or unknown is told", () => {
  const of = (...standings: (Standing | undefined)[]) =>
    describeComparison({
      ours: five,
      others: [three],
      theirs: nine,
      claims: claimed(...standings),
    });
  const consistent = of("consistent", "consistent");
  assertEquals(consistent.startsWith(`${AHEAD}, and consistent: it says that it has`), true);
  for (const other of ["open", undefined, "unknown"] as const) {
    for (const one of [of("consistent", other), of(other, "consistent")]) {
      assertEquals(one.startsWith(other === "open" ? "not settled yet: " : "not settled: "), true);
      assertEquals(one.includes(NOTHING), true);
    }
  }
});

Deno.test("ask: what is smaller than what both were shown is told unless it is settled", () => {
  const of = (claims: Claims) =>
    describeComparison({ ours: five, others: [three], theirs: five, claims });
  const same = "the monitor was shown the same, size 5";
  assertEquals(of(claimed("consistent", "consistent")), same);
  assertEquals(of(claimed()), same);
  const more = "; of 1 smaller checkpoints that are here, it has not settled 1 yet";
  assertEquals(of(claimed("consistent", "open")), same + more);
});
