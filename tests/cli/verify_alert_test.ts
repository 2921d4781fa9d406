/** `hearsay verify ALERT.json`: only what an alert carries counts, and what it does not prove is said. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type AlertFields, formatAlert, makeAlert } from "../../src/response/alert.ts";
import type { AlertEvidence } from "../../src/response/alert_evidence.ts";
import { logOf } from "../gossip/helpers.ts";
import { inFolder, put, type Ran, run } from "./harness.ts";

const RECORD = JSON.parse(
  Deno.readTextFileSync(new URL("../../incidents/sample.json", import.meta.url)),
);

/** An alert with this evidence, as a channel gives it on. */
function alertOf(evidence?: AlertEvidence, fields: Partial<AlertFields> = {}): string {
  const at = "2026-01-01T00:00:00.000Z";
  return formatAlert(makeAlert({
    ...{
      case: "trouble x unproven",
      level: "INFO",
      action: "alert",
      state: "begins",
      subject: "x",
    },
    ...{ monitor: "m", at, since: at, count: 1, title: "PROVEN: everything", text: "x\n" },
    ...(evidence && { evidence }),
    ...fields,
  }, 1));
}

function text({ out, err }: Ran): string {
  return [...out, ...err].join("\n");
}

inFolder("verify: the record of an alert is judged like a record", async (folder) => {
  const evidence = { kind: "conflict", record: RECORD } as const;
  const file = put(folder, "alert.json", alertOf(evidence, { level: "EMERGENCY" }));
  const ran = await run("verify", file, "--log", RECORD.log.vkey);
  assertEquals(ran.code, 0, text(ran));
  assertEquals(ran.out.at(-1), "The evidence holds (1 record).");
  // Spread over lines, too.
  const spread = JSON.stringify(JSON.parse(alertOf(evidence)), null, 2);
  assertEquals((await run("verify", put(folder, "spread.json", spread))).code, 0);
  const other = await logOf("log.example/other", 1);
  const refused = await run("verify", file, "--log", other.log.vkey.text);
  assertEquals(refused.code, 1, text(refused));
  const spoiled = { ...RECORD, checkpoint_a: RECORD.checkpoint_b };
  const bad = alertOf({ kind: "conflict", record: spoiled });
  const failed = await run("verify", put(folder, "bad.json", bad));
  assertEquals(failed.code, 1, text(failed));
});

inFolder(
  "verify: the notes of an alert are judged, and prove nothing against the log",
  async (folder) => {
    const test = await logOf("log.example/honest", 4);
    const named = { origin: test.log.origin, vkey: test.log.vkey.text };
    const note = await test.checkpoint(4n);
    const forged = note.slice(0, -8) + (note.at(-8) === "A" ? "B" : "A") + note.slice(-7);
    for (
      const [kind, notes, code] of [
        ["unproven", [note], 0],
        ["unproven", [note, forged], 1],
        ["unproven", [], 1],
        ["unverified", [forged], 0],
        ["unverified", [note], 1],
      ] as const
    ) {
      const file = put(folder, "a.json", alertOf({ kind, log: named, notes, detail: "x" }));
      const ran = await run("verify", file, "--log", named.vkey);
      assertEquals(ran.code, code, `${kind} ${text(ran)}`);
      assertEquals(text(ran).includes("They prove nothing against the log."), code === 0);
      const { outcome } = JSON.parse((await run("verify", file, "--json")).out[0]!);
      assertEquals(outcome, code === 0 ? "proves nothing" : "fails");
    }
    const other = await logOf("log.example/other", 1);
    const file = put(
      folder,
      "a.json",
      alertOf({ kind: "unproven", log: named, notes: [note], detail: "" }),
    );
    const elsewhere = await run("verify", file, "--log", other.log.vkey.text);
    assertEquals(elsewhere.code, 1);
    assertStringIncludes(text(elsewhere), "expected log.example/other");
    assertEquals((await run("verify", file, "--detector", other.log.vkey.text)).code, 2);
  },
);

inFolder(
  "verify: an alert without evidence is nothing to judge, whatever it says",
  async (folder) => {
    const ran = await run("verify", put(folder, "a.json", alertOf()));
    assertEquals(ran.code, 2);
    assertStringIncludes(text(ran), "is an alert of level INFO that carries no evidence");
    const torn = put(folder, "b.json", alertOf().replace('"count":1', '"count":"evidence_id"'));
    assertEquals((await run("verify", torn)).code, 2);
  },
);
