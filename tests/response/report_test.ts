/** Reports about keys of other types, about several cases, and about a log with a hostile name. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { buildRecord, type ConflictRecord } from "../../src/evidence/record.ts";
import { reportOf } from "../../src/response/incident_report.ts";
import { asHtml, asMarkdown } from "../../src/response/paper.ts";
import type { CaseFiles, Sighting } from "../../src/response/reported.ts";
import { Runbook } from "../../src/response/runbook.ts";
import { type Log, makeLog } from "../../src/tlog/log.ts";
import { shellWord } from "../../src/world/shell_word.ts";
import { blocksOf, followed, hasOpenssl } from "../cli/reports.ts";
import { newSigner, open } from "../evidence/histories.ts";
import { LOG_KINDS, type Statement } from "../tlog/log_signers.ts";

const AT = "2026-01-02T03:04:05.678Z";

interface Signing {
  readonly log: Log;
  note(statement: Statement): string;
}

/** The records of so many roots, signed at one size. */
function recordsOf({ log, note }: Signing, roots: number): ConflictRecord[] {
  const detector = new EquivocationDetector();
  return Array.from({ length: roots }, (_, i) => i + 1).flatMap((byte) => {
    const rootHash = new Uint8Array(32).fill(byte);
    const { origin } = log;
    const checkpoint = open(note({ origin, treeSize: 9n, rootHash, time: BigInt(byte) }), log);
    const conflict = detector.observe(checkpoint!, `monitor ${byte}`);
    return conflict === undefined ? [] : [buildRecord({ conflict, detectedAt: AT })];
  });
}

function named({ evidence_id: id }: ConflictRecord): CaseFiles {
  return { record: `${id}.json`, noteA: `${id}-a.note`, noteB: `${id}-b.note` };
}

/** The report of an incident with these cases; and its files, in a folder. */
function paperOf({ log }: Signing, { records, folder, monitor, ...more }: {
  records: readonly ConflictRecord[];
  folder: string;
  monitor: string;
  sightings?: readonly Sighting[];
  latest?: Sighting;
}) {
  for (const record of records) {
    const { record: file, noteA, noteB } = named(record);
    Deno.writeTextFileSync(`${folder}/${file}`, JSON.stringify(record));
    Deno.writeTextFileSync(`${folder}/${noteA}`, record.checkpoint_a.note);
    Deno.writeTextFileSync(`${folder}/${noteB}`, record.checkpoint_b.note);
  }
  const runbook = new Runbook();
  const refused = runbook.take({
    ...{ version: "hearsay/transition/v1", incident: "INC-2026-001", cause: "equivocation" },
    log: { origin: log.origin, vkey: log.vkey.text },
    ...{ evidence_ids: records.map(({ evidence_id }) => evidence_id), from: null, to: "DETECT" },
    ...{ at: AT, by: "hearsay", why: "x", monitor },
  });
  assertEquals(refused, undefined);
  const incident = runbook.find("INC-2026-001")!;
  return reportOf({
    ...{ incident, records, sightings: [], named, word: shellWord, at: AT, software: "hearsay/x" },
    ...more,
  });
}

Deno.test("report: an incident is in its state since the step that led there, and not the last case", async () => {
  const CASES = ["ab".repeat(32), "cd".repeat(32)];
  const { vkey } = await newSigner("log.invalid/l");
  const runbook = new Runbook();
  const steps = [
    { from: null, to: "DETECT", at: AT, evidence_ids: [CASES[0]!] },
    { from: "DETECT", to: "FREEZE", at: "2026-01-02T03:04:06.000Z", evidence_ids: [] },
    { from: "FREEZE", to: "FREEZE", at: "2026-01-09T00:00:00.000Z", evidence_ids: [CASES[1]!] },
  ] as const;
  for (const step of steps) {
    const refused = runbook.take({
      ...{ version: "hearsay/transition/v1", incident: "INC-2026-001", cause: "equivocation" },
      log: { origin: vkey.name, vkey: vkey.text },
      ...{ by: "hearsay", why: "x", monitor: "m", ...step },
    });
    assertEquals(refused, undefined);
  }
  const incident = runbook.find("INC-2026-001")!;
  const report = asMarkdown(reportOf({
    ...{
      incident,
      records: [],
      sightings: [],
      named,
      word: shellWord,
      at: AT,
      software: "hearsay/x",
    },
  }));
  assertStringIncludes(report, "since 2026-01-02T03:04:06.000Z");
});

async function inTemporary(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

for (const [kind, make] of LOG_KINDS) {
  Deno.test(`report: a key of type ${kind} is checked by openssl, or it says that none can`, () =>
    inTemporary(async (folder) => {
      const { vkey: { text: monitor } } = await newSigner();
      const signing = make();
      const records = recordsOf(signing, 3);
      assertEquals(records.length, 2);
      const report = asMarkdown(paperOf(signing, { records, folder, monitor }));
      const isForOpenssl = kind.startsWith("0x02");
      assertEquals(report.includes("no single command of openssl"), !isForOpenssl);
      const seen = await followed(report, { folder });
      const verified = seen.filter((line) => line === "Verified OK").length;
      assertEquals(verified, isForOpenssl && hasOpenssl(seen) ? 4 : 0, seen.join("\n"));
      // Each root of the two cases is shown, under the log's name and the size.
      for (const { checkpoint_a: a, checkpoint_b: b } of records) {
        for (const { root } of [a, b]) assert(seen.includes(root), seen.join("\n"));
      }
    }));
}

Deno.test("report: a log's name is no command, no Markdown and no HTML", () =>
  inTemporary(async (folder) => {
    const { vkey: { text: monitor } } = await newSigner();
    const [, make] = LOG_KINDS[0]!;
    const signing = make();
    for (
      const origin of [
        `log';touch pwned;'`,
        "log`touch pwned`$(touch pwned)",
        "<script>alert(1)</script>",
        "``` EOF [a](javascript:x) ![b](x) | c",
      ]
    ) {
      const log = makeLog({ vkey: signing.log.vkey, origin });
      const records = recordsOf({ log, note: signing.note }, 2);
      const paper = paperOf({ log, note: signing.note }, { records, folder, monitor });
      const report = asMarkdown(paper);
      const seen = await followed(report, { folder });
      assert(seen.includes(origin), seen.join("\n"));
      assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name === "pwned"), []);
      assert(!asHtml(paper).includes("<script"), origin);
      assertStringIncludes(report, `--log "$VKEY "${shellWord(origin)}`);
    }
  }));

Deno.test("report: texts of another log of the same key are told from those of the log named", () =>
  inTemporary(async (folder) => {
    const { vkey: { text: monitor } } = await newSigner();
    const [, make] = LOG_KINDS.find(([kind]) => kind.startsWith("0x02"))!;
    const signing = make();
    const records = recordsOf(signing, 2);
    const report = asMarkdown(paperOf(signing, { records, folder, monitor }));
    // Both signatures are good, and of quite another log.
    const other = makeLog({ vkey: signing.log.vkey, origin: "another.invalid/log" });
    const [record] = recordsOf({ log: other, note: signing.note }, 2);
    const { noteA, noteB } = named(records[0]!);
    Deno.writeTextFileSync(`${folder}/${noteA}`, record!.checkpoint_a.note);
    Deno.writeTextFileSync(`${folder}/${noteB}`, record!.checkpoint_b.note);
    const seen = await followed(report, { folder });
    if (!hasOpenssl(seen)) return;
    assertEquals(seen.filter((line) => line === "Verified OK").length, 2);
    // Right below the signatures comes the name, and it is not the one that must come.
    const after = seen.slice(seen.lastIndexOf("Verified OK"));
    assertEquals(after.slice(0, 4), ["Verified OK", "0", other.origin, other.origin]);
    const { origin } = signing.log;
    assert(
      blocksOf(report).some(({ kind, content }) =>
        kind === "text" && content === `${origin}\n${origin}`
      ),
    );
  }));

Deno.test("report: a check that fails proves nothing, and does not speak for the key", () =>
  inTemporary(async (folder) => {
    const { vkey: { text: monitor } } = await newSigner();
    const signing = LOG_KINDS.find(([kind]) => kind.startsWith("0x02"))![1]();
    const records = recordsOf(signing, 2);
    const report = asMarkdown(paperOf(signing, { records, folder, monitor }));
    assertStringIncludes(report, "nothing is proven yet");
    assertStringIncludes(report, "Most often a file was changed on its way");
    assert(!/has not signed/.test(report));
  }));

Deno.test("report: it says which of the two the log itself has shown, and what last", () =>
  inTemporary(async (folder) => {
    const { vkey: { text: monitor } } = await newSigner();
    const signing = LOG_KINDS[0]![1]();
    const records = recordsOf(signing, 2);
    const { checkpoint_a: a, checkpoint_b: b } = records[0]!;
    const sighting = (half: typeof a, isOfLog: boolean): Sighting => ({
      ...{ at: AT, source: isOfLog ? "the log" : "127.0.0.1:9912", isOfLog, result: "first" },
      ...{ size: half.size, root: half.root },
    });
    const latest = { ...sighting(a, true), size: "12", at: "2026-01-03T00:00:00.000Z" };
    const sightings = [sighting(a, true), sighting(b, false)];
    const files = { records, folder, monitor };
    const report = asMarkdown(paperOf(signing, { ...files, sightings, latest }));
    assertStringIncludes(
      report,
      `- Checkpoint A, of size 9: the log itself has shown it to this monitor, first by ${AT}.`,
    );
    assertStringIncludes(
      report,
      "- Checkpoint B, of size 9: the log itself has not shown it to this monitor, as far as",
    );
    assertStringIncludes(report, "the log itself is size 12, root ");
    assertStringIncludes(report, "written down at 2026-01-03T00:00:00.000Z.");
    assertStringIncludes(report, "## If you run this log");
    assertStringIncludes(report, "leaves 0–7, as in A");
    assertStringIncludes(report, "leaf 8, as in B");
    const without = asMarkdown(paperOf(signing, files));
    assertStringIncludes(without, "The journal has nothing that the log itself has shown.");
  }));
