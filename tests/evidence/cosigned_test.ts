/** A cosigner that has signed two roots at one size is held to them as a log is (RULES R20). */
import { createHash } from "node:crypto";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { buildRecord, type ConflictRecord, formatRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { openNote, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { type Log, makeCosigned, makeLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { type MadeWitness, witness } from "../authority/policies.ts";
import { grow, newLog } from "./histories.ts";
import type { TestLog } from "../../src/sources/test_log.ts";

const DETECTED_AT = "2026-01-02T03:04:05Z";

/** Two stories of 9 entries that part after 4. */
async function twoStories(): Promise<[TestLog, TestLog]> {
  const ours = grow(await newLog(), 4);
  const theirs = grow(ours.fork(), 9, "theirs");
  return [grow(ours, 9, "ours"), theirs];
}

/** The checkpoint of a log, cosigned by these at these times, as one who knows them opens it. */
async function cosigned(
  log: TestLog,
  lines: readonly (readonly [MadeWitness, bigint])[],
): Promise<VerifiedCheckpoint> {
  const note = await log.checkpoint();
  const { text } = parseNote(note);
  const all = note + lines.map(([one, time]) => `${one.line(text, time)}\n`).join("");
  const opened = openNote({ note: all, logs: [log.log] });
  assert(!("refused" in opened));
  return opened.checkpoints[0]!;
}

function follow({ log }: TestLog, ...made: readonly MadeWitness[]): void {
  log.cosigners.change(
    made.map(({ cosigner: { vkey } }) => makeCosigned({ vkey, origin: log.origin })),
  );
}

/** What a detector finds about cosigners. */
function found(...seen: readonly VerifiedCheckpoint[]): Conflict[] {
  const detector = new EquivocationDetector();
  for (const checkpoint of seen) detector.observe(checkpoint, "somebody");
  return detector.takeConflicts().filter(({ kind }) => kind === "same_size_cosigned");
}

async function recordOf(made: MadeWitness): Promise<ConflictRecord> {
  const [ours, theirs] = await twoStories();
  follow(ours, made);
  const [conflict, ...more] = found(
    await cosigned(ours, [[made, 100n]]),
    await cosigned(theirs, [[made, 200n]]),
  );
  assertEquals(more, []);
  return buildRecord({ conflict: conflict!, detectedAt: DETECTED_AT });
}

const TYPES = [["0x04", false], ["0x06", true]] as const;

for (const [type, mldsa] of TYPES) {
  Deno.test(`detector: two roots at one size that a witness of type ${type} has cosigned are evidence, and the record holds`, async () => {
    const made = witness("w", { mldsa });
    const record = await recordOf(made);
    assertEquals([record.version, record.kind], ["hearsay/conflict/v2", "same_size_cosigned"]);
    const input = formatRecord(record);
    const { vkey } = made.cosigner;
    const judgement = verifyConflict({ input, cosigner: vkey });
    assertEquals(judgement.checks.filter(({ ok }) => !ok), []);
    assertEquals(judgement.outcome, "holds");
    const origin = record.log.origin;
    assertEquals(verifyConflict({ input, log: makeCosigned({ vkey, origin }) }).outcome, "holds");
    assert(!record.checkpoint_a.note.includes(`\n— ${origin} `), "the log's line is not needed");
  });

  Deno.test(`verifyConflict: no record about a witness of type ${type} holds with any byte of a note changed`, async () => {
    const record = await recordOf(witness("w", { mldsa }));
    for (const half of ["checkpoint_a", "checkpoint_b"] as const) {
      const { note } = record[half];
      // An ML-DSA signature is long and slow to check: of its bytes every fifth is changed.
      const start = mldsa ? note.lastIndexOf(" ") + 8 : note.length;
      for (let at = 0; at < note.length; at += at < start ? 1 : 5) {
        const other = note.slice(0, at) + String.fromCharCode(note.charCodeAt(at) ^ 1) +
          note.slice(at + 1);
        const [, size = "", root = ""] = other.split("\n");
        // Whoever changes a note can change what stands beside it as well.
        const changed = { ...record, [half]: { note: other, size, root } };
        const judged = verifyConflict({ input: changed as unknown as JsonObject });
        assertEquals(judged.outcome, "fails", `byte ${at} of ${half}`);
      }
    }
  });
}

Deno.test("detector: one head cosigned several times is nothing, whatever the times and the keys", async () => {
  const [ours] = await twoStories();
  const [a, b] = [witness("a"), witness("b", { mldsa: true })];
  follow(ours, a, b);
  const seen = [
    await cosigned(ours, [[a, 100n], [b, 100n]]),
    await cosigned(ours, [[a, 103n], [b, 101n], [a, 104n]]),
    await cosigned(ours, [[a, 0n]]),
  ];
  assertEquals(found(...seen), []);
});

Deno.test("detector: two roots at one size, each cosigned by another witness, convict none of them", async () => {
  const [ours, theirs] = await twoStories();
  const [a, b] = [witness("a"), witness("b")];
  follow(ours, a, b);
  const seen = [await cosigned(ours, [[a, 1n]]), await cosigned(theirs, [[b, 1n]])];
  assertEquals(found(...seen), []);
});

Deno.test("detector: two sizes that a witness has cosigned are nothing, even of two histories", async () => {
  const [ours, theirs] = await twoStories();
  const made = witness("w");
  follow(ours, made);
  grow(theirs, 12, "theirs");
  const seen = [await cosigned(ours, [[made, 1n]]), await cosigned(theirs, [[made, 2n]])];
  assertEquals(found(...seen), [], "the kind is about one size");
});

Deno.test("openNote: a root in another spelling is refused, so it is no second head of a witness", async () => {
  const [ours] = await twoStories();
  const made = witness("w");
  follow(ours, made);
  const note = await ours.checkpoint();
  const { text } = parseNote(note);
  const [origin, size, root] = text.split("\n") as [string, string, string];
  // The last character before the pad has two bits that say nothing.
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const at = root.length - 2;
  const respelled = root.slice(0, at) + digits[digits.indexOf(root[at]!) + 1] + "=";
  const other = `${origin}\n${size}\n${respelled}\n`;
  const opened = openNote({
    note: `${other}\n${made.line(other, 5n)}\n`,
    logs: ours.log.cosigners.all,
  });
  assert("refused" in opened);
});

Deno.test("verifyConflict: a record about a witness is not about a log, and the other way round", async () => {
  const made = witness("w", { mldsa: true });
  const record = await recordOf(made);
  const { origin } = record.log;
  const { vkey } = made.cosigner;
  const input = formatRecord(record);
  // A log may have a key of this type too, and under it the two notes would contradict each other.
  const log = makeLog({ vkey, origin });
  assertEquals(verifyConflict({ input, log }).outcome, "fails");
  const asLog = { ...record, version: "hearsay/conflict/v1", kind: "same_size" };
  const judged = verifyConflict({ input: asLog as unknown as JsonObject, cosigner: vkey });
  assertEquals(judged.outcome, "fails");
  const stranger = witness("w").cosigner.vkey;
  assertEquals(verifyConflict({ input, cosigner: stranger }).outcome, "fails");
});

Deno.test("verifyConflict: a log's key of type 0x01 is no witness's, so its record has no such kind", async () => {
  const [ours, theirs] = await twoStories();
  const { publicKey, name } = ours.log.vkey;
  const vkey = makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey });
  assertThrows(() => makeCosigned({ vkey, origin: name }), MalformedError, "a cosigner's");
  const detector = new EquivocationDetector();
  for (const story of [ours, theirs]) {
    const opened = openNote({ note: await story.checkpoint(), logs: [ours.log] });
    assert(!("refused" in opened));
    detector.observe(opened.checkpoints[0]!, "somebody");
  }
  const record = buildRecord({ conflict: detector.takeConflicts()[0]!, detectedAt: DETECTED_AT });
  const input = { ...record, version: "hearsay/conflict/v2", kind: "same_size_cosigned" };
  assertEquals(verifyConflict({ input: input as unknown as JsonObject }).outcome, "fails");
});

Deno.test("evidenceId: names the witness's key, the origin and both heads", async () => {
  const record = await recordOf(witness("w"));
  const { log, checkpoint_a: a, checkpoint_b: b } = record;
  const key = parseVkey(log.vkey).text.split("+").slice(2).join("+");
  const heads = [a, b].map(({ size, root }) => ({ line: `${size} ${root}\n`, root }))
    .sort((one, two) => compareBytes(one.root, two.root))
    .map(({ line }) => line);
  assertEquals(
    record.evidence_id,
    sha256Hex(`hearsay/evidence-id/v1\n${key}\n${log.origin}\n${heads.join("")}`),
  );
});

function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function compareBytes(one: string, two: string): number {
  const [a, b] = [atob(one), atob(two)];
  return a < b ? -1 : a > b ? 1 : 0;
}

Deno.test("openNote: of one cosigner no more than 4 lines are tried, and others are not kept from counting", async () => {
  const [ours] = await twoStories();
  const [a, b] = [witness("a"), witness("b")];
  follow(ours, a, b);
  const note = await ours.checkpoint();
  const { text } = parseNote(note);
  const wrong = (i: number): string => a.line(`${text}${i}\n`, 1n);
  const opened = (count: number): string[] => {
    const lines = [...Array(count).keys()].map(wrong);
    const all = [...lines, a.line(text, 7n), b.line(text, 8n)];
    const read = openNote({
      note: note + all.map((line) => `${line}\n`).join(""),
      logs: [ours.log],
    });
    assert(!("refused" in read));
    return read.checkpoints[0]!.cosigned.map((one) => `${one.log.vkey.name} ${one.cosignedAt}`);
  };
  assertEquals(opened(3), ["a.invalid 7", "b.invalid 8"]);
  assertEquals(opened(4), ["b.invalid 8"]);
});

Deno.test("noteWithCosignatures: gives the note back with the lines that hold, the latest of each cosigner", async () => {
  const [ours] = await twoStories();
  const [a, b] = [witness("a"), witness("b", { mldsa: true })];
  follow(ours, a, b);
  const checkpoint = await cosigned(ours, [[a, 5n], [b, 6n], [a, 9n]]);
  const again = openNote({ note: checkpoint.noteWithCosignatures, logs: [ours.log] });
  assert(!("refused" in again));
  assertEquals(times(again.checkpoints[0]!), ["a.invalid 9", "b.invalid 6"]);
  assertEquals(times(checkpoint.alone), []);
  const log: Log = ours.log;
  log.cosigners.change([]);
  assertEquals(checkpoint.note, await ours.checkpoint());
});

function times({ cosigned }: VerifiedCheckpoint): string[] {
  return cosigned.map(({ log, cosignedAt }) => `${log.vkey.name} ${cosignedAt}`);
}

Deno.test("openNote: once as many lines have failed as may, no more are tried, in this note and the next", async () => {
  const [ours] = await twoStories();
  const [a, b, c] = [witness("a"), witness("b"), witness("c")];
  follow(ours, a, b, c);
  const note = await ours.checkpoint();
  const { text } = parseNote(note);
  const wrong = (one: MadeWitness): string => one.line(`${text}x\n`, 1n);
  const opened = (lines: readonly string[], trials?: { left: number }): string[] => {
    const all = note + lines.map((line) => `${line}\n`).join("");
    const read = openNote({ note: all, logs: [ours.log], trials });
    assert(!("refused" in read));
    return times(read.checkpoints[0]!);
  };
  const lines = [wrong(a), b.line(text, 2n), wrong(b), c.line(text, 3n)];
  assertEquals(opened(lines), ["b.invalid 2", "c.invalid 3"]);
  const trials = { left: 2 };
  assertEquals(opened(lines, trials), ["b.invalid 2"], "the second failed before the third");
  assertEquals(trials.left, 0);
  assertEquals(opened([c.line(text, 3n)], trials), []);
});
