/** The script that reports give to readers without Hearsay: it never accuses an honest log. */
import { assert, assertEquals } from "@std/assert";
import { CONSISTENCY } from "../../src/response/report_script.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { logOf } from "../gossip/helpers.ts";
import { PYTHON, pythonTest } from "../python.ts";

/** What it says last if the two texts contradict each other. */
const SHOWN = "CONTRADICTION, if both signatures above were verified";

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
  const args = ["-c", CONSISTENCY, "record.json", "b.note", "a.note", log.log.origin];
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

pythonTest(
  "report: its script says nothing of texts of another log than the one named",
  async (folder) => {
    const [one, other] = [await logOf("log.example/one", 9), await logOf("log.example/other", 9)];
    const proof = one.consistencyProof({ older: 5n, newer: 9n });
    const implied = one.root(5n);
    const consistency = { implied_root: base64(implied), proof: proof.map(base64) };
    Deno.writeTextFileSync(`${folder}/record.json`, JSON.stringify({ consistency }));
    // What the key has signed in the name of the log: two that contradict each other.
    const signed = (await one.checkpoint(5n)).replace(
      base64(implied),
      base64(new Uint8Array(32).fill(7)),
    );
    Deno.writeTextFileSync(`${folder}/a.text`, signed);
    Deno.writeTextFileSync(`${folder}/b.text`, await one.checkpoint(9n));
    Deno.writeTextFileSync(`${folder}/other.text`, await other.checkpoint(5n));
    Deno.writeTextFileSync(`${folder}/crlf.text`, signed.replaceAll("\n", "\r\n"));
    Deno.writeTextFileSync(`${folder}/empty.text`, "");
    for (
      const [a, b, origin, code, last] of [
        ["a.text", "b.text", one.log.origin, 0, SHOWN],
        ["b.text", "a.text", one.log.origin, 0, SHOWN],
        // One key may sign for several logs.
        ["a.text", "b.text", "log.example/named", 1, "a.text is not of the log log.example/named"],
        ["other.text", "b.text", one.log.origin, 1, "other.text is not of the log log.example/one"],
        ["a.text", "other.text", one.log.origin, 1, "other.text is not of the log log.example/one"],
        ["crlf.text", "b.text", one.log.origin, 1, "crlf.text is not of the log log.example/one"],
        ["empty.text", "b.text", one.log.origin, 1, "empty.text is empty: the note was not found"],
      ] as const
    ) {
      const args = ["-c", CONSISTENCY, "record.json", a, b, origin];
      const ran = await new Deno.Command(PYTHON, { args, cwd: folder }).output();
      const [out, err] = [ran.stdout, ran.stderr].map((bytes) => new TextDecoder().decode(bytes));
      assertEquals(
        [ran.code, (out! + err!).trimEnd().split("\n").at(-1)],
        [code, last],
        `${a} ${b}`,
      );
      assertEquals(out!.split("\n")[0], code === 0 ? `both texts are of the log ${origin}` : "");
    }
  },
);
