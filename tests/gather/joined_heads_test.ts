/** Which heads were compared, by all proofs together. */
import { assertEquals } from "@std/assert";
import { JoinedHeads, type JoinedReport } from "../../src/gather/joined_heads.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { twoStories } from "../cli/harness.ts";
import { checkpointOf } from "../evidence/histories.ts";

type Head = [story: TestLog, size: number];
type Proof = [story: TestLog, older: number, newer: number];

async function reportOf(heads: readonly Head[], proofs: readonly Proof[]): Promise<JoinedReport> {
  const joined = new JoinedHeads();
  for (const [story, older, newer] of proofs) {
    const sizes = { older: BigInt(older), newer: BigInt(newer) };
    const head = (treeSize: bigint) => ({ treeSize, rootHash: story.root(treeSize) });
    joined.addProof({
      log: story.log,
      older: head(sizes.older),
      newer: head(sizes.newer),
      proof: story.consistencyProof(sizes),
    });
  }
  for (const [story, size] of heads) joined.addHead(await checkpointOf(story, size));
  const [report] = joined.reports();
  return report!;
}

/** How many heads there are, how many are not compared, and the gap. */
function brief({ heads, notCompared, gap }: JoinedReport): unknown[] {
  return [heads, notCompared, ...(gap === undefined ? [] : [[gap.from, gap.to]])];
}

Deno.test("joined heads: k heads need k - 1 proofs between sizes in their order", async () => {
  const { a } = await twoStories({ common: 9, size: 9 });
  const heads: Head[] = [[a, 3], [a, 5], [a, 8], [a, 9]];
  const proofs: Proof[] = [[a, 3, 5], [a, 5, 8], [a, 8, 9]];
  assertEquals(brief(await reportOf(heads, proofs)), [4, 0]);
  const gaps = [[4, 1, [3n, 9n]], [4, 2, [3n, 5n]], [4, 1, [8n, 9n]]];
  for (const [left, gap] of gaps.entries()) {
    const others = proofs.filter((_, i) => i !== left);
    const [count, apart] = brief(await reportOf(heads, others));
    assertEquals([left, count, apart], [left, gap[0], gap[1]]);
  }
});

Deno.test("joined heads: one head, repeats of it and the empty tree need no proof", async () => {
  const { a } = await twoStories({ common: 9, size: 9 });
  assertEquals(brief(await reportOf([[a, 0], [a, 9], [a, 9]], [])), [1, 0]);
});

Deno.test("joined heads: two that have one beginning are not compared by that", async () => {
  const { a, b } = await twoStories({ common: 3, size: 9 });
  const proofs: Proof[] = [[a, 3, 6], [b, 3, 9]];
  assertEquals(brief(await reportOf([[a, 3], [a, 6], [b, 9]], proofs)), [3, 1, [6n, 9n]]);
});

Deno.test("joined heads: proofs over a root that nobody signed join as well", async () => {
  const { a } = await twoStories({ common: 9, size: 9 });
  assertEquals(brief(await reportOf([[a, 3], [a, 9]], [[a, 3, 6], [a, 6, 9]])), [2, 0]);
});

Deno.test("joined heads: those that contradict each other were compared", async () => {
  const { a, b } = await twoStories({ common: 3, size: 9 });
  assertEquals(brief(await reportOf([[a, 6], [b, 6]], [])), [2, 0]);
  assertEquals(brief(await reportOf([[a, 6], [b, 9]], [[b, 6, 9]])), [2, 0]);
  assertEquals(brief(await reportOf([[a, 5], [a, 6], [b, 9]], [[a, 5, 6], [b, 6, 9]])), [3, 0]);
});

Deno.test("joined heads: a proof that leads nowhere joins nothing", async () => {
  const { a, b } = await twoStories({ common: 3, size: 9 });
  const joined = new JoinedHeads();
  for (const size of [5, 9]) joined.addHead(await checkpointOf(a, size));
  joined.addProof({
    log: a.log,
    older: { treeSize: 5n, rootHash: a.root(5n) },
    newer: { treeSize: 9n, rootHash: a.root(9n) },
    proof: b.consistencyProof({ older: 5n, newer: 9n }),
  });
  assertEquals(brief(joined.reports()[0]!), [2, 1, [5n, 9n]]);
});
