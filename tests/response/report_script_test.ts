/** The script that reports give to readers without Hearsay: it never accuses an honest log. */
import { assert, assertEquals } from "@std/assert";
import { CONSISTENCY } from "../../src/response/report_script.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { logOf } from "../gossip/helpers.ts";
import { PYTHON, pythonTest } from "../python.ts";

/** What it says of two checkpoints of a log and a proof, as in the bundle of an incident. */
async function judged(
  folder: string,
  log: TestLog,
  { older, newer, proof }: { older: bigint; newer: bigint; proof: readonly Uint8Array[] },
): Promise<string> {
  const consistency = { implied_root: base64(log.root(older)), proof: proof.map(base64) };
  Deno.writeTextFileSync(`${folder}/record.json`, JSON.stringify({ consistency }));
  Deno.writeTextFileSync(`${folder}/a.note`, await log.checkpoint(older));
  Deno.writeTextFileSync(`${folder}/b.note`, await log.checkpoint(newer));
  const args = ["-c", CONSISTENCY, "record.json", "b.note", "a.note"];
  const { stdout, stderr } = await new Deno.Command(PYTHON, { args, cwd: folder }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

pythonTest(
  "report: its script says nothing against an honest log, whatever the proof",
  async (folder) => {
    const log = await logOf("log.example/honest", 9);
    const junk = new Uint8Array(32).fill(7);
    for (
      const [older, newer] of [[1n, 2n], [3n, 7n], [4n, 8n], [5n, 9n], [6n, 8n], [8n, 9n]] as const
    ) {
      const proof = log.consistencyProof({ older, newer });
      const honest = await judged(folder, log, { older, newer, proof });
      assertEquals(honest.trimEnd().split("\n").at(-1), "no contradiction", `${older} ${newer}`);
      // The proof of another size may have one hash more, and so lead into the tree.
      const sizes = Array.from({ length: Number(newer) - 1 }, (_, i) => BigInt(i + 1));
      const proofs = sizes.filter((size) => size !== older)
        .map((size) => log.consistencyProof({ older: size, newer }));
      const others = [...proofs, [...proof, junk], proof.slice(1), [junk]];
      for (const other of others) {
        const said = await judged(folder, log, { older, newer, proof: other });
        assert(!said.includes("CONTRADICTION"), `${older} ${newer}: ${said}`);
      }
    }
  },
);

pythonTest("report: its script compares no checkpoints of two logs", async (folder) => {
  const [one, other] = [await logOf("log.example/one", 9), await logOf("log.example/other", 9)];
  const proof = one.consistencyProof({ older: 5n, newer: 9n });
  const consistency = { implied_root: base64(one.root(5n)), proof: proof.map(base64) };
  Deno.writeTextFileSync(`${folder}/record.json`, JSON.stringify({ consistency }));
  Deno.writeTextFileSync(`${folder}/a.note`, await other.checkpoint(5n));
  Deno.writeTextFileSync(`${folder}/b.note`, await one.checkpoint(9n));
  const args = ["-c", CONSISTENCY, "record.json", "b.note", "a.note"];
  const { code, stdout, stderr } = await new Deno.Command(PYTHON, { args, cwd: folder }).output();
  assertEquals([code, stdout.length], [1, 0]);
  assertEquals(
    new TextDecoder().decode(stderr),
    "NOTHING IS SHOWN: the checkpoints are of two logs\n",
  );
});
