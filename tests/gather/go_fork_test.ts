/** What readers find in what go prints about a fork. */
import { assertEquals, assertMatch } from "@std/assert";
import { START_BYTES } from "../../src/gather/read.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { formatRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { buildRecord } from "../../src/evidence/record.ts";
import { base64, strictBase64 } from "../../src/tlog/encoding.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { FORKED_LOG, GO_REPORTS } from "./go_reports.ts";
import { brief, readAll } from "./reading.ts";

Deno.test("read: what go prints about a fork is two heads and the proof that convicts", async () => {
  const log = parseLog(FORKED_LOG);
  for (const [sizes, report] of Object.entries(GO_REPORTS)) {
    const { found } = await readAll(report, { logs: [log] });
    assertEquals(brief(found), [...sizes.split(" "), "proof"]);
    const detector = new EquivocationDetector();
    for (const one of found) {
      if (one.kind === "checkpoint") detector.observe(one.checkpoints[0]!, one.source);
      if (one.kind === "proof") detector.observeProof(one.read());
    }
    const [conflict, ...more] = detector.conflicts();
    assertEquals(more, []);
    const detectedAt = "2026-11-28T12:00:00Z";
    const input = formatRecord(buildRecord({ conflict: conflict!, detectedAt }));
    assertEquals(verifyConflict({ input, log }).outcome, "holds", sizes);
  }
});

Deno.test("read: go's report is read out of what build services make of it", async () => {
  const logs = [parseLog(FORKED_LOG)];
  const report = GO_REPORTS["300 700"];
  const time = "2026-11-28T12:00:00.1234567Z ";
  const spellings = [
    report.replaceAll("\n", "\r\n"),
    report.split("\n").map((line) => line.trimEnd()).join("\n"),
    report.split("\n").map((line) => time + line).join("\n"),
    `${report}\nexit status 1\n`,
  ];
  for (const text of spellings) {
    assertEquals(brief((await readAll(text, { logs })).found), ["300", "700", "proof"]);
  }
  const twice = await readAll(`${report}\n${GO_REPORTS["256 700"]}`, { logs });
  assertEquals(brief(twice.found), ["300", "700", "proof", "256", "700", "proof"]);
});

Deno.test("read: go's report is found at the end of a long build log, in a named one anywhere", async () => {
  const logs = [parseLog(FORKED_LOG)];
  const report = GO_REPORTS["300 700"];
  const built = "go: downloading example.invalid/module v1.0.0\n".repeat(START_BYTES / 20);
  const three = ["300", "700", "proof"];
  for (
    const [text, walked] of [
      [`${built}${report}\nexit status 1\n`, three],
      [`${built}${report}\n${built}`, []],
      [built, []],
    ] as const
  ) {
    assertEquals(brief((await readAll(text, { logs })).found), [...walked]);
    const named = await readAll(text, { logs, isNamed: true });
    assertEquals(brief(named.found), text === built ? ["malformed"] : three);
  }
});

Deno.test("read: go's report with a wrong hash convicts nobody", async () => {
  const log = parseLog(FORKED_LOG);
  const report = GO_REPORTS["300 700"];
  const hashes = report.split("proof of misbehavior:\n")[1]!.match(/[A-Za-z0-9+/]{43}=/g)!;
  for (const hash of hashes.slice(1)) {
    const bytes = strictBase64(hash);
    bytes[5]! ^= 1;
    const { found } = await readAll(report.replace(hash, base64(bytes)), { logs: [log] });
    const detector = new EquivocationDetector();
    for (const one of found) {
      if (one.kind === "checkpoint") detector.observe(one.checkpoints[0]!, one.source);
      if (one.kind === "proof") assertEquals(detector.observeProof(one.read()).verdict, "failed");
    }
    assertEquals(detector.conflicts(), []);
  }
});

Deno.test("read: a report of go that is broken hides none of the others in its file", async () => {
  const logs = [parseLog(FORKED_LOG)];
  const report = GO_REPORTS["300 700"];
  const cut = report.slice(0, report.indexOf("new database:"));
  const three = ["300", "700", "proof"];
  for (
    const [text, wanted] of [
      [`${report}\n${cut}`, [...three, "malformed"]],
      [`${cut}\n${report}`, ["malformed", ...three]],
      [`# did it say: go.sum database server misbehavior detected!\n${report}`, [
        "malformed",
        ...three,
      ]],
    ] as const
  ) {
    assertEquals(brief((await readAll(text, { logs })).found), [...wanted]);
  }
});

Deno.test("read: go's report that lacks a part says which", async () => {
  const logs = [parseLog(FORKED_LOG)];
  const report = GO_REPORTS["300 700"];
  const cases: [string, RegExp][] = [
    [report.replace("new database:", "another:"), /no line "new database:"/],
    [report.replace(/old database:\n(?:\t.*\n)+/, "old database:\n"), /no note below "old/],
  ];
  for (const [text, message] of cases) {
    const { found } = await readAll(text, { logs });
    assertEquals(brief(found), ["malformed"]);
    assertMatch(found[0]!.kind === "rejected" ? found[0]!.detail : "", message);
  }
});

Deno.test("read: the words of go's report in its own sources are no report", async () => {
  const source =
    'package x\n\tfmt.Fprintf(&buf, "go.sum database server misbehavior detected!\\n\\n")\n' +
    '\tfmt.Fprintf(&buf, "old database:\\n\\t%s\\n", indent(olderNote))\n';
  assertEquals(await readAll(source, { logs: [] }), { found: [], isKnown: false });
});
