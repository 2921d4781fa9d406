import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { canonicalize } from "@std/json/canonicalize";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { evidenceId } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { parseExactJson } from "../../src/evidence/json.ts";
import {
  buildRecord,
  cleanSource,
  type ConflictRecord,
  formatRecord,
  MAX_SOURCE_CHARACTERS,
  parseRecord,
  signedBytes,
  withSignature,
} from "../../src/evidence/record.ts";
import {
  type CheckName,
  type Judgement,
  Opinions,
  verifyConflict,
} from "../../src/evidence/verify.ts";
import { base64, textOf, utf8 } from "../../src/tlog/encoding.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import type { Signer } from "../../src/world/signer.ts";
import { checkpointOf, grow, newLog, newSigner, proofOf, seenOf } from "./histories.ts";

const DETECTED_AT = "2026-01-02T03:04:05.678Z";

async function sameSizeConflict(): Promise<Conflict> {
  const log = await newLog();
  return {
    kind: "same_size",
    first: await seenOf(grow(log.fork(), 6, "a"), 6, "one.invalid:9900"),
    second: await seenOf(grow(log.fork(), 6, "b"), 6, "file.jsonl line 7"),
  };
}

async function crossSizeConflict(older = 5): Promise<Conflict> {
  const log = await newLog();
  const honest = grow(log.fork(), 13, "honest");
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(honest, 13), "one");
  detector.observe(await checkpointOf(grow(log.fork(), older, "other"), older), "two");
  const outcome = detector.observeProof(proofOf(honest, { older, newer: 13 }));
  assert(outcome.verdict === "inconsistent");
  return outcome.conflicts[0]!;
}

async function signedRecord(conflict: Conflict, signer: Signer): Promise<ConflictRecord> {
  const record = buildRecord({ conflict, detectedAt: DETECTED_AT, detector: signer.vkey });
  return withSignature(record, await signer.sign(signedBytes(record)));
}

function failedChecks({ checks }: Judgement): CheckName[] {
  return checks.filter(({ ok }) => !ok).map(({ name }) => name);
}

for (
  const [name, make] of [
    ["same_size", sameSizeConflict],
    ["cross_size", () => crossSizeConflict(5)],
    ["cross_size from a power of two", () => crossSizeConflict(8)],
  ] as const
) {
  Deno.test(`record: a ${name} record survives JSON and convinces a stranger`, async () => {
    const conflict = await make();
    const signer = await newSigner();
    const record = await signedRecord(conflict, signer);
    const text = formatRecord(record);
    assertEquals(parseRecord(text), record);
    const { log } = conflict.first.checkpoint;
    const judgement = verifyConflict({ input: text, log, detector: signer.vkey });
    assertEquals(failedChecks(judgement), []);
    assertEquals(judgement.outcome, "holds");
    assertEquals(judgement.signed, true);
    // As any tool would write it: other order, other white space, other escapes.
    const pretty = JSON.stringify(Object.fromEntries(Object.entries(record).reverse()), null, 2)
      .replaceAll("—", "\\u2014");
    assertEquals(verifyConflict({ input: pretty }).outcome, "holds");
  });

  Deno.test(`record: a ${name} record without a detector holds and says so`, async () => {
    const record = buildRecord({ conflict: await make(), detectedAt: DETECTED_AT });
    const judgement = verifyConflict({ input: formatRecord(record) });
    assertEquals([judgement.outcome, judgement.signed], ["holds", false]);
    assertEquals(judgement.checks.at(-1)?.detail, "no detector has signed the record");
    const wanted = await newSigner();
    const asked = verifyConflict({ input: formatRecord(record), detector: wanted.vkey });
    assertEquals(failedChecks(asked), ["detector"]);
  });

  Deno.test(`record: any byte of a signed ${name} record changed makes it fail`, async () => {
    const text = formatRecord(await signedRecord(await make(), await newSigner()));
    const bytes = utf8(text);
    // Of a note that is as it was, the independent implementation is asked once.
    const opinions = new Opinions();
    let changed = 0;
    for (let at = 0; at < bytes.length; at++) {
      // One bit, and one character that keeps most JSON readable.
      for (const byte of [bytes[at]! ^ 0x01, bytes[at] === 0x30 ? 0x31 : 0x30]) {
        const mutant = bytes.with(at, byte);
        const outcome = outcomeOf(mutant, opinions);
        assert(outcome !== "holds", `byte ${at} as ${byte}: ${textAround(mutant, at)}`);
        changed++;
      }
    }
    assertEquals(changed, 2 * bytes.length);
  });
}

function outcomeOf(bytes: Uint8Array, opinions: Opinions): Judgement["outcome"] {
  let text: string;
  try {
    text = textOf(bytes);
  } catch {
    return "fails"; // Not UTF-8: no reader gets as far as the record.
  }
  return verifyConflict({ input: text, opinions }).outcome;
}

function textAround(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.slice(Math.max(0, at - 20), at + 20));
}

Deno.test("record: without a detector, only who showed it and when can be changed unnoticed", async () => {
  const record = buildRecord({ conflict: await crossSizeConflict(), detectedAt: DETECTED_AT });
  const unvouched = new Set(["source_a", "source_b", "detected_at"]);
  const text = formatRecord(record);
  const found = new Set<string>();
  const opinions = new Opinions();
  for (let at = 0; at < text.length; at++) {
    const mutant = text.slice(0, at) + (text[at] === "7" ? "8" : "7") + text.slice(at + 1);
    if (verifyConflict({ input: mutant, opinions }).outcome !== "holds") continue;
    const changed = parseRecord(mutant) as unknown as Record<string, unknown>;
    for (const [member, value] of Object.entries(record)) {
      if (canonicalize(changed[member] ?? null) !== canonicalize(value)) found.add(member);
    }
  }
  assertEquals(found, unvouched);
});

Deno.test("verifyConflict: names the check that failed", async () => {
  const signer = await newSigner();
  const conflict = await crossSizeConflict();
  const record = await signedRecord(conflict, signer);
  const other = await signedRecord(await crossSizeConflict(), signer);
  const resign = async (changed: ConflictRecord): Promise<ConflictRecord> =>
    withSignature(changed, await signer.sign(signedBytes(changed)));
  const { checkpoint_a: a, checkpoint_b: b, consistency } = record;
  const cases: [string, ConflictRecord | Promise<ConflictRecord>, CheckName[]][] = [
    ["another log", resign({ ...record, log: other.log }), ["checkpoint_a", "checkpoint_b"]],
    ["a bad vkey", resign({ ...record, log: { ...record.log, vkey: "x" } }), ["log"]],
    ["a note of another log", resign({ ...record, checkpoint_a: other.checkpoint_a }), [
      "checkpoint_a",
    ]],
    ["a size beside the note", resign({ ...record, checkpoint_b: { ...b, size: "12" } }), [
      "checkpoint_b",
    ]],
    ["one checkpoint twice", resign({ ...record, checkpoint_b: a }), [
      ...["contradiction", "evidence_id"] as const,
    ]],
    ["the kind of the other", resign({ ...record, kind: "same_size" }), ["format"]],
    [
      "an implied root that is the signed one",
      resign({
        ...record,
        consistency: { ...consistency!, implied_root: a.size === "5" ? a.root : b.root },
      }),
      ["contradiction"],
    ],
    [
      "a proof that fails",
      resign({ ...record, consistency: { ...consistency!, proof: consistency!.proof.slice(1) } }),
      ["contradiction"],
    ],
    ["another evidence_id", resign({ ...record, evidence_id: other.evidence_id }), ["evidence_id"]],
    ["another detector's name", resign({ ...record, detector_id: "else" }), ["detector"]],
    ["another key id", resign({ ...record, key_id: "00000000" }), ["detector"]],
    ["another detector's signature", { ...record, evidence_signature: other.evidence_signature }, [
      "detector",
    ]],
    ["a source changed after signing", { ...record, source_a: "else" }, ["detector"]],
  ];
  for (const [what, changed, failed] of cases) {
    const judgement = verifyConflict({ input: formatRecord(await changed) });
    assertEquals([what, judgement.outcome, failedChecks(judgement)], [what, "fails", failed]);
  }
  assertEquals(
    failedChecks(verifyConflict({ input: formatRecord(record), log: parseLog(other.log.vkey) })),
    [
      "log",
    ],
  );
  assertEquals(
    failedChecks(
      verifyConflict({ input: formatRecord(record), detector: (await newSigner()).vkey }),
    ),
    ["detector"],
  );
});

Deno.test("verifyConflict: equal roots at one size convince nobody", async () => {
  const conflict = await sameSizeConflict();
  const record = buildRecord({
    conflict: { ...conflict, second: conflict.first } as Conflict,
    detectedAt: DETECTED_AT,
  });
  const judgement = verifyConflict({ input: formatRecord(record) });
  assertEquals(failedChecks(judgement), ["contradiction"]);
});

Deno.test("verifyConflict: two sizes without a proof convince nobody", async () => {
  const log = await newLog();
  const conflict: Conflict = {
    kind: "same_size",
    first: await seenOf(grow(log.fork(), 5, "a"), 5, "x"),
    second: await seenOf(grow(log.fork(), 6, "b"), 6, "x"),
  };
  const record = buildRecord({ conflict, detectedAt: DETECTED_AT });
  assertEquals(failedChecks(verifyConflict({ input: formatRecord(record) })), ["contradiction"]);
});

Deno.test("parseRecord: refuses what is missing, extra, twice or of the wrong type", async () => {
  const record = buildRecord({ conflict: await crossSizeConflict(), detectedAt: DETECTED_AT });
  const { kind: _, ...without } = record;
  const cases: [unknown, string][] = [
    [without, "kind is missing"],
    [{ ...record, extra: 1 }, 'unknown member "extra"'],
    [{ ...record, version: "hearsay/conflict/v3" }, "this program judges"],
    [{ ...record, version: "hearsay/conflict/v2" }, 'expected "same_size_cosigned"'],
    [{ ...record, kind: "same_size_cosigned" }, 'expected "same_size" or "cross_size"'],
    [{ ...record, checkpoint_a: null }, "checkpoint_a is"],
    [{ ...record, checkpoint_a: { ...record.checkpoint_a, size: 5 } }, "checkpoint_a.size is"],
    [{ ...record, consistency: { implied_root: "x" } }, "consistency.proof is missing"],
    [{ ...record, detected_at: "yesterday" }, "RFC 3339"],
    [{ ...record, detected_at: "2026-01-02T03:04:05+01:00" }, "RFC 3339"],
    [{ ...record, detector_id: "x" }, "detector_id is"],
    [{ ...record, source_a: "two\nlines" }, "source_a is"],
    [[record], "expected one JSON object"],
    ["", "expected one JSON object"],
  ];
  for (const [value, message] of cases) {
    const text = value === "" ? "" : JSON.stringify(value);
    assertThrows(() => parseRecord(text), MalformedError, message);
  }
  const text = formatRecord(record);
  const twice = text.replace('"kind":', '"kind":"same_size","kind":');
  assertThrows(() => parseRecord(twice), MalformedError, "once");
  assertThrows(() => parseRecord("[".repeat(1_000_000)), MalformedError);
  assertThrows(() => parseRecord('{"a":'.repeat(100_000)), MalformedError);
});

Deno.test("parseExactJson: white space and escapes are free, duplicates and odd numbers are not", () => {
  assertEquals(parseExactJson(' { "a" : "\\u0041\\/" , "b":[1, true,null ] }\n'), {
    a: "A/",
    b: [1, true, null],
  });
  for (
    const bad of ['{"a":1,"a":1}', '{"a":1.0}', '{"a":1e2}', "[]", "1", '{"a":01}', '{"a":"\n"}']
  ) {
    assertThrows(() => parseExactJson(bad), MalformedError);
  }
  assertThrows(() => parseExactJson('{"a":{"b":1,"\\u0062":2}}'), MalformedError, "once");
});

Deno.test("evidenceId: one name for one case, whoever saw which half first", async () => {
  const conflict = await sameSizeConflict();
  const { first: { checkpoint: a }, second: { checkpoint: b } } = conflict;
  const id = evidenceId({ log: a.log, heads: [a, b] });
  assertEquals(evidenceId({ log: a.log, heads: [b, a] }), id);
  const reversed = { ...conflict, first: conflict.second, second: conflict.first } as Conflict;
  assertEquals(buildRecord({ conflict: reversed, detectedAt: DETECTED_AT }).evidence_id, id);
  const renamed = { ...a.log, origin: "another.invalid/origin" };
  assert(evidenceId({ log: renamed, heads: [a, b] }) !== id, "another origin is another log");
});

Deno.test("cleanSource: a hostile source becomes one short line", () => {
  assertEquals(cleanSource("peer.invalid:9900"), "peer.invalid:9900");
  assertEquals(cleanSource("a\nb\x1b[2J\ud800\u2028"), "a\ufffdb\ufffd[2J\ufffd\ufffd");
  assertEquals([...cleanSource("😀".repeat(1000))].length, MAX_SOURCE_CHARACTERS);
  for (const character of ["a", "😀"]) {
    const longest = character.repeat(MAX_SOURCE_CHARACTERS);
    assertEquals(cleanSource(longest), longest);
    assertEquals(cleanSource(longest + character), longest);
  }
  assertEquals(cleanSource(cleanSource("\x00".repeat(999))), cleanSource("\x00".repeat(999)));
});

Deno.test("record: a hostile source cannot break the record", async () => {
  const conflict = await sameSizeConflict();
  const hostile = { ...conflict, first: { ...conflict.first, source: '"},\n\ud800\x1b[31m' } };
  const record = await signedRecord(hostile as Conflict, await newSigner());
  assertEquals(verifyConflict({ input: formatRecord(record) }).outcome, "holds");
});

Deno.test("verifyConflict: a note's other signature lines are kept and change nothing", async () => {
  const conflict = await sameSizeConflict();
  const record = buildRecord({ conflict, detectedAt: DETECTED_AT });
  const note = `${record.checkpoint_a.note}— witness.invalid ${base64(new Uint8Array(76))}\n`;
  const cosigned = { ...record, checkpoint_a: { ...record.checkpoint_a, note } };
  const judgement = verifyConflict({ input: formatRecord(cosigned) });
  assertEquals(judgement.outcome, "holds");
  assertStringIncludes(judgement.record!.checkpoint_a.note, "witness.invalid");
});

Deno.test("verifyConflict: a key and origin that only together read as a log are refused", async () => {
  // "KEY evil" beside "go.sum database tree" must not pass for the origin "evil go.sum database tree".
  const record = buildRecord({ conflict: await sameSizeConflict(), detectedAt: DETECTED_AT });
  const [first, ...rest] = "evil go.sum database tree".split(" ");
  const log = { vkey: `${record.log.vkey} ${first}`, origin: rest.join(" ") };
  assertEquals(failedChecks(verifyConflict({ input: formatRecord({ ...record, log }) })), ["log"]);
});

Deno.test("parseExactJson: lone surrogates and deep nesting are refused, escapes of pairs are not", () => {
  for (const bad of ['{"a":"\\ud800"}', '{"\\udc00":1}']) {
    assertThrows(() => parseExactJson(bad), MalformedError, "valid Unicode");
  }
  const nested = (depth: number): string => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  parseExactJson(nested(31));
  assertThrows(() => parseExactJson(nested(32)), MalformedError, "at most 32 deep");
  assertEquals(parseExactJson('{"a":"\\ud83d\\ude00","b":"\\\\ud800"}'), { a: "😀", b: "\\ud800" });
});
