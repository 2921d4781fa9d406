/** What is said of a checkpoint that was weighed by a policy. */
import { assertEquals } from "@std/assert";
import type { Cosigned, Weighed } from "../../src/authority/committed.ts";
import { verdictOn } from "../../src/cli/weighed_words.ts";

function weighed(committed: boolean, counting: number): Weighed {
  const one = { counts: true } as Cosigned;
  const cosigned = Array.from({ length: counting }, () => one);
  return { committed, checkpoints: [], cosigned, missing: [], frozen: [] } as unknown as Weighed;
}

Deno.test("weighed words: nobody is said to have cosigned what a quorum of none asks nobody for", () => {
  assertEquals(
    verdictOn(weighed(true, 0)),
    "committed, though nobody needs to have cosigned it: the policy's quorum is none " +
      "(witnesses: 0 of 0)",
  );
  assertEquals(
    verdictOn(weighed(true, 2)),
    "committed: a quorum of the policy has cosigned it (witnesses: 2 of 2)",
  );
  assertEquals(
    verdictOn(weighed(false, 1)),
    "NOT committed: no quorum of the policy has cosigned it (witnesses: 1 of 1)",
  );
});
