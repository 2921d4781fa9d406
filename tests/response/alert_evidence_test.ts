/** The evidence of alerts, as a stranger checks it; and what `hearsay alert eval` says of an alert. */
import { assertEquals, assertMatch } from "@std/assert";
import { type Alert, formatAlert, makeAlert } from "../../src/response/alert.ts";
import { type AlertEvidence, verifyEvidence } from "../../src/response/alert_evidence.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { inFolder, put, run } from "../cli/harness.ts";
import { grow, newLog } from "../evidence/histories.ts";

type Unproven = Extract<AlertEvidence, { kind: "unproven" }> & {
  proof: NonNullable<Extract<AlertEvidence, { kind: "unproven" }>["proof"]>;
};

/** Two notes of a log, and a proof between them that does not hold. */
async function unproven(older: number): Promise<{ failed: Unproven; sound: Unproven }> {
  const log = grow(await newLog("log.invalid/x"), 12);
  const sizes = { older: BigInt(older), newer: 12n };
  const hashes = log.consistencyProof(sizes).map(base64);
  const { origin, vkey } = log.log;
  const sound: Unproven = {
    ...{ kind: "unproven", log: { origin, vkey: vkey.text }, detail: "no proof" },
    notes: [await log.checkpoint(12n), await log.checkpoint(sizes.older)],
    proof: { olderRoot: base64(log.root(sizes.older)), hashes },
  };
  const broken = [base64(new Uint8Array(32)), ...hashes.slice(1)];
  return { sound, failed: { ...sound, proof: { ...sound.proof, hashes: broken } } };
}

Deno.test("alert evidence: a failed proof is checked between the two notes, and one that holds is no evidence", async () => {
  // A proof from a power of two does not contain the older root.
  for (const older of [8, 9]) {
    const { failed, sound } = await unproven(older);
    assertEquals(verifyEvidence(failed), undefined);
    const cases: [AlertEvidence, RegExp][] = [
      [sound, /the proof in it leads to the root of the newer note/],
      [{ ...sound, notes: sound.notes.toReversed() }, /leads to the root/],
      [{ ...failed, notes: failed.notes.slice(0, 1) }, /not two notes of different sizes/],
      [{ ...failed, notes: [failed.notes[0]!, failed.notes[0]!] }, /not two notes of different/],
      [{ ...failed, proof: { ...failed.proof, hashes: ["x"] } }, /not canonical base64/],
      [
        { ...failed, notes: [failed.notes[0]!, failed.notes[1]!.replace("log.invalid/x", "y")] },
        /./,
      ],
    ];
    for (const [evidence, message] of cases) assertMatch(verifyEvidence(evidence) ?? "", message);
  }
  // What was served as the older root does not matter, if the signed one makes the proof hold.
  const { sound } = await unproven(8);
  const other = { ...sound, proof: { ...sound.proof, olderRoot: base64(new Uint8Array(32)) } };
  assertMatch(verifyEvidence(other)!, /leads to the root/);
});

inFolder("alert eval: says what an alert's evidence proves, and checks it", async (folder) => {
  const { failed, sound } = await unproven(9);
  const at = "2026-01-01T00:00:00.000Z";
  const alert: Alert = makeAlert({
    ...{ case: "trouble x unproven", level: "CRITICAL", action: "reject_and_alert" },
    ...{ state: "begins", subject: "log.invalid/x", monitor: "m", at, since: at, count: 1 },
    ...{ title: "Log x has not proven it", text: "t", evidence: failed },
  }, 1);
  const told = async (one: Alert) => {
    const { code, out } = await run("alert", "eval", put(folder, "alert.json", formatAlert(one)));
    return { code, text: out.join("\n") };
  };
  assertEquals(await told(alert), {
    code: 0,
    text: "an alert at level CRITICAL, reject_and_alert, begins, about log.invalid/x:\n" +
      "  Log x has not proven it\n" +
      "  its evidence was checked: the log's key has signed the notes of size 12 and 9\n" +
      "  the proof in it (4 hashes) does not lead from one to the other; that the log gave it is " +
      "the monitor's word\n" +
      "  it convicts nobody",
  });
  const bad = await told({ ...alert, evidence: sound });
  assertEquals(bad.code, 2);
  assertMatch(bad.text, /its evidence DOES NOT HOLD: the proof in it leads to the root/);
  const { out } = await run("alert", "eval", put(folder, "a.json", formatAlert(alert)), "--json");
  const { holds, evidence } = JSON.parse(out.join(""));
  assertEquals([holds, evidence.proof.hashes.length], [true, 4]);
});
