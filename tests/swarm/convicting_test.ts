/** A member that told two things under one number is convicted by what convicts logs, offline. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { evidenceFile } from "../../src/cli/export.ts";
import { describeConflict } from "../../src/cli/reporting.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { type ConflictRecord, formatRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { makeRecord } from "../../src/monitor/make_record.ts";
import { IncidentJournal } from "../../src/store/incidents.ts";
import { OWN_STATEMENTS_FILE, OwnStatements } from "../../src/swarm/own_statements.ts";
import { logOf, type Statement } from "../../src/swarm/statement.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { formatLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { inFolder, put, run } from "../cli/harness.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { FOLDER, HandClock, leave, newMember, START, statementOf, worldOf } from "./stage.ts";

const PATH = `${FOLDER}/${OWN_STATEMENTS_FILE}`;
const EPOCH = 1_767_323_045n;
const liar = await newMember("liar.example/tokyo");
const finder = await newMember("finder.example/oslo");
const list = logOf({ vkey: liar.vkey, epoch: EPOCH });
const LOG = formatLog(list);

/** What the liar says under number 7, in this many tongues. */
function tongues(count: number): Promise<Statement[]> {
  const each = Array.from({ length: count }, (_, i) => leave(START + i));
  return Promise.all(
    each.map((body) => statementOf(liar, { epoch: EPOCH, sequence: 7n, body })),
  );
}

/** The record that a monitor makes of two notes alone. */
async function recordOf(notes: readonly string[]): Promise<ConflictRecord> {
  const detector = new EquivocationDetector();
  for (const [i, note] of notes.entries()) {
    const opened = openCheckpoint({ note, logs: [list] });
    assert(!("refused" in opened));
    detector.observe(opened[0]!, `192.0.2.${i + 1}:9900`);
  }
  const [conflict] = detector.takeConflicts();
  return await makeRecord({ world: denoWorld(), conflict: conflict!, signer: finder });
}

const record = await recordOf((await tongues(2)).map(({ note }) => note));

/** The lines as one text, however they are broken. */
function flat(lines: readonly string[]): string {
  return lines.join(" ").replaceAll(/ +/g, " ");
}

Deno.test("convicting: two notes alone make a record that holds under the member's key", () => {
  const input = formatRecord(record);
  assertEquals(record.log, {
    origin: `liar.example/tokyo/statements/${EPOCH}`,
    vkey: liar.vkey.text,
  });
  const judgement = verifyConflict({ input, log: list, detector: finder.vkey });
  assertEquals([judgement.outcome, judgement.signed], ["holds", true]);
  assertEquals(
    verifyConflict({ input, log: logOf({ vkey: liar.vkey, epoch: 1n }) }).outcome,
    "fails",
  );
});

Deno.test("convicting: k tongues under one number make k - 1 records", async () => {
  const detector = new EquivocationDetector();
  for (const { checkpoint } of await tongues(5)) detector.observe(checkpoint, "a");
  assertEquals(detector.takeConflicts().length, 4);
});

Deno.test("convicting: a changed half convinces nobody", () => {
  for (const half of ["checkpoint_a", "checkpoint_b"] as const) {
    const note = record[half].note.replace(/\n7\n/, "\n8\n");
    const input = { ...record, [half]: { ...record[half], note } } as unknown as JsonObject;
    assertEquals(verifyConflict({ input }).outcome, "fails");
  }
});

const IN_WORDS =
  "the monitor liar.example/tokyo signed two different statements under number 7. There a size is the " +
  "number of a statement, and a root is its hash. What is proven is that one key signed both; a copied " +
  "or restored folder does that too.";

inFolder(
  "convicting: verify judges the file offline, and says what it is about",
  async (folder) => {
    const file = put(folder, "record.json", formatRecord(record));
    const { code, out, err } = await run("verify", file, "--log", LOG);
    assertEquals([code, err], [0, []]);
    assertStringIncludes(flat(out), `This is about a monitor, and not about a log: ${IN_WORDS}`);
    assertEquals(out.at(-1), "The evidence holds (1 record).");
    assertEquals(out.some((line) => line.includes("The log's key")), false);

    const without = await run("verify", file);
    assertEquals(without.code, 0);
    assertStringIncludes(flat(without.out), `with --log "VKEY ${list.origin}"`);

    const wrong = await run("verify", file, "--log", liar.vkey.text);
    assertEquals(wrong.code, 1);
    assertEquals(flat(wrong.out).includes("This is about a monitor"), false);
  },
);

inFolder(
  "convicting: detect makes the record of two notes that a stranger was sent",
  async (folder) => {
    const lines = (await tongues(2)).map(({ note }) => JSON.stringify({ note, source: "mail" }));
    const { code, out } = await run("detect", "--log", LOG, put(folder, "notes", lines.join("\n")));
    assertEquals(code, 1);
    assertMatch(flat(out), /the monitor liar\.example\/tokyo signed two different statements/);
  },
);

inFolder(
  "convicting: incidents show tells it to people who know nothing of statements",
  async (folder) => {
    const { files } = denoWorld();
    const journal = await IncidentJournal.open({ files, folder: `${folder}/in` });
    assertEquals((await journal.record(record, record.detected_at)).outcome, "recorded");
    await journal.close();
    const own = ["--incidents", `${folder}/in`];
    const { code, out, err } = await run("incidents", "show", "1", ...own);
    assertEquals([code, err], [0, []]);
    const text = flat(out);
    for (
      const words of [
        "Case 1: the key of a monitor has signed two different statements under one number",
        "monitor liar.example/tokyo",
        `vkey ${liar.vkey.text}`,
        `counts from epoch ${EPOCH}, which is 2026-01-02T03:04:05.000Z`,
        "in short the monitor liar.example/tokyo signed two different statements under number 7",
        "What is proven is that one key signed both; a copied or restored folder does that too.",
        "Anything about a log. This is about the monitor that watches logs.",
        "Ask whether its folder, its key or its machine was copied or restored.",
        `from ${record.source_a}`,
        record.evidence_id,
      ]
    ) assertStringIncludes(text, words);
    assertEquals(
      [/attack/i, /operator of the log/, /No tree can have both/, /the log's/]
        .filter((words) => words.test(text)),
      [],
    );
    assertMatch(
      (await run("incidents", "list", ...own)).out[0]!,
      /under number 7: same_size conflict/,
    );
  },
);

inFolder(
  "convicting: the file for others explains itself, and verify judges it",
  async (folder) => {
    const judgement = verifyConflict({ input: formatRecord(record) });
    const text = evidenceFile({ record, judgement });
    const words = flat(text.split("\n"));
    assertStringIncludes(words, "has signed two different statements under one number");
    assertStringIncludes(words, `hearsay verify FILE --log "VKEY ${list.origin}"`);
    assertEquals(/log's|attack|operator of the log/.test(words), false);
    const { code } = await run("verify", put(folder, "sent.txt", text), "--log", LOG);
    assertEquals(code, 0);
  },
);

Deno.test("convicting: a log of another name is told as a log", async () => {
  const other = `${liar.vkey.name}/statement/1`;
  const line = describeConflict({ ...record, log: { ...record.log, origin: other } });
  assert(line.startsWith("same_size conflict of "), line);
  const ofAnother = { ...record.log, vkey: (await newMember("other.example")).vkey.text };
  assert(describeConflict({ ...record, log: ofAnother }).startsWith("same_size conflict of "));
});

/** A monitor that says a few things in each of its runs. Every statement goes to one detector. */
class Honest {
  readonly clock = new HandClock();
  readonly detector = new EquivocationDetector();
  disk = new MemoryDisk();

  async run({ heard }: { heard?: Statement } = {}): Promise<Statement> {
    const world = worldOf(this.disk, this.clock);
    const own = new OwnStatements({ world, folder: FOLDER, signer: liar });
    if (heard !== undefined) await own.heardByPeers(heard.note);
    let said: Statement | undefined;
    for (let i = 0; i < 70; i++) {
      this.clock.pass(1);
      said = await own.say({ kind: "leave" });
      this.detector.observe(said.checkpoint, "a peer");
    }
    return said!;
  }

  get conflicts(): number {
    return this.detector.takeConflicts().length;
  }
}

Deno.test("convicting: neither restart, restored backup nor lost folder convicts an honest member", async () => {
  const honest = new Honest();
  await honest.run();
  const backup = honest.disk.content(PATH)!;
  await honest.run();
  honest.disk.crash({ keepShare: 0 });
  await honest.run();
  honest.disk = new MemoryDisk();
  const heard = await honest.run();
  honest.disk.put(PATH, backup);
  const heardLater = await honest.run({ heard });
  // All is restored, the clock too.
  honest.disk.put(PATH, backup);
  honest.clock.ms = START;
  await honest.run({ heard: heardLater });
  assertEquals(honest.conflicts, 0);
});

Deno.test("convicting: a copy of the folder that runs beside the monitor is found", async () => {
  const honest = new Honest();
  await honest.run();
  const backup = honest.disk.content(PATH)!;
  await honest.run();
  assertEquals(honest.conflicts, 0);
  honest.disk.put(PATH, backup);
  await honest.run();
  assert(honest.conflicts > 0);
});
