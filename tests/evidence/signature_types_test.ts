/** Evidence under keys of the types that joined Ed25519. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { createHash } from "node:crypto";
import { evidenceId } from "../../src/evidence/conflict.ts";
import {
  buildRecord,
  type ConflictRecord,
  formatRecord,
  type RecordedCheckpoint,
  signedBytes,
  withSignature,
} from "../../src/evidence/record.ts";
import { IncidentJournal } from "../../src/store/incidents.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { type CheckName, type Judgement, verifyConflict } from "../../src/evidence/verify.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";
import { ecdsaLog, LOG_KINDS, type SigningLog, treeHeadLog } from "../tlog/log_signers.ts";
import { newSigner, open } from "./histories.ts";

const DETECTED_AT = "2026-01-02T03:04:05.678Z";

function root(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

/** The record of two roots signed at one size. */
function conflictOf({ log, note }: SigningLog): ConflictRecord {
  const detector = new EquivocationDetector();
  const [a, b] = [1, 2].map((byte) =>
    open(note({ treeSize: 9n, rootHash: root(byte), time: BigInt(byte) }), log)
  );
  assertEquals(detector.observe(a!, "one"), undefined);
  const conflict = detector.observe(b!, "two");
  assert(conflict !== undefined);
  return buildRecord({ conflict, detectedAt: DETECTED_AT });
}

function detailOf({ checks }: Judgement, wanted: CheckName): string {
  return checks.find(({ name }) => name === wanted)!.detail;
}

/** What the record says of its key, and whether a second implementation was asked. */
const DETAILS = new Map([
  ["0x02 ECDSA", ["a sound ECDSA P-256 key", "an independent implementation says the same"]],
  ["0x02 ECDSA P-384", ["a sound ECDSA P-384 key", "an independent implementation says the same"]],
  ["0x02 ECDSA P-521", ["a sound ECDSA P-521 key", "only one implementation"]],
  ["0x05 ECDSA", [
    "a sound ECDSA P-256 key for RFC 6962 tree heads, which do not name the origin",
    "an independent implementation says the same",
  ]],
  ["0x05 RSA", [
    "a sound RSA key for RFC 6962 tree heads, which do not name the origin",
    "only one implementation",
  ]],
  ["0x06 ML-DSA-44", ["a sound ML-DSA-44 key", "only one implementation"]],
]);

for (const [kind, make] of LOG_KINDS) {
  Deno.test(`record: two roots of one size under ${kind} convince a stranger`, () => {
    const signing = make();
    const judgement = verifyConflict({
      input: formatRecord(conflictOf(signing)),
      log: signing.log,
    });
    assertEquals(judgement.checks.filter(({ ok }) => !ok), []);
    assertEquals(judgement.outcome, "holds");
    const [key, second] = DETAILS.get(kind)!;
    assertStringIncludes(detailOf(judgement, "log"), key!);
    assertStringIncludes(detailOf(judgement, "second opinion"), second!);
  });

  Deno.test(`record: under ${kind} a changed signature or root fails and is not disputed`, () => {
    const record = conflictOf(make());
    const { note } = record.checkpoint_b;
    const at = note.length - 40;
    const other = note[at] === "A" ? "B" : "A";
    const forged = note.slice(0, at) + other + note.slice(at + 1);
    for (const bad of [forged, note.replace(root(2).toBase64(), root(3).toBase64())]) {
      const changed = { ...record, checkpoint_b: { ...record.checkpoint_b, note: bad } };
      assertEquals(verifyConflict({ input: formatRecord(changed) }).outcome, "fails");
    }
  });

  Deno.test(`detector: ${kind} signed again on the same root is no conflict`, () => {
    const { log, note } = make();
    const detector = new EquivocationDetector();
    for (const time of [1n, 2n, 3n]) {
      const checkpoint = open(note({ treeSize: 9n, rootHash: root(1), time }), log);
      assertEquals(detector.observe(checkpoint, `${time}`), undefined);
    }
    assertEquals(detector.conflicts(), []);
  });
}

Deno.test("record: tree heads of one RFC 6962 key with two timestamps and one root do not conflict", () => {
  const { log, note } = treeHeadLog("ecdsa");
  const record = conflictOf({ log, note });
  const [a, b] = [1n, 2n].map((time) => note({ treeSize: 9n, rootHash: root(1), time }));
  const same = {
    ...record,
    checkpoint_a: { ...record.checkpoint_a, note: a! },
    checkpoint_b: { size: "9", root: root(1).toBase64(), note: b! },
  };
  const judgement = verifyConflict({ input: formatRecord(same) });
  assertEquals(judgement.outcome, "fails");
  assertStringIncludes(detailOf(judgement, "contradiction"), "two equal roots never conflict");
});

/** The record as somebody would tell it of another origin: of 0x05 the signatures still hold. */
function retold(record: ConflictRecord, origin: string, log: Log): ConflictRecord {
  const other = parseLog(`${log.vkey.text} ${origin}`);
  const under = ({ note, ...head }: RecordedCheckpoint): RecordedCheckpoint => ({
    ...head,
    note: note.replace(`${log.origin}\n`, `${origin}\n`),
  });
  const [a, b] = [under(record.checkpoint_a), under(record.checkpoint_b)];
  const heads = [open(a.note, other), open(b.note, other)] as const;
  return {
    ...record,
    log: { origin, vkey: log.vkey.text },
    checkpoint_a: a,
    checkpoint_b: b,
    evidence_id: evidenceId({ log: other, heads }),
  };
}

/** The id of README's five lines, of which the third is this one. */
function idOf(record: ConflictRecord, log: Log, origin: string): string {
  const key = Uint8Array.of(log.vkey.type, ...log.vkey.publicKey).toBase64();
  const pairs = [record.checkpoint_a, record.checkpoint_b].map(({ size, root }) =>
    `${size} ${root}\n`
  );
  const text = `hearsay/evidence-id/v1\n${key}\n${origin}\n${pairs.join("")}`;
  return createHash("sha256").update(text).digest("hex");
}

for (const kind of ["ecdsa", "rsa"] as const) {
  Deno.test(`record: a case of a 0x05 ${kind} key has one id under whatever origin it is told`, () => {
    const signing = treeHeadLog(kind);
    const { log } = signing;
    const record = conflictOf(signing);
    const elsewhere = retold(record, "test.invalid/elsewhere", log);
    assertEquals(elsewhere.evidence_id, record.evidence_id);
    assertEquals(record.evidence_id, idOf(record, log, ""));
    assertEquals(verifyConflict({ input: formatRecord(elsewhere) }).outcome, "holds");
    assertEquals(verifyConflict({ input: formatRecord(elsewhere), log }).outcome, "fails");
  });

  Deno.test(`record: an id that former versions gave a 0x05 ${kind} case holds under its own origin`, () => {
    const signing = treeHeadLog(kind);
    const { log } = signing;
    const record = conflictOf(signing);
    const former = { ...record, evidence_id: idOf(record, log, log.origin) };
    const judgement = verifyConflict({ input: formatRecord(former), log });
    assertEquals(judgement.outcome, "holds");
    assertStringIncludes(detailOf(judgement, "evidence_id"), record.evidence_id);
    const origin = "test.invalid/elsewhere";
    const elsewhere = retold(record, origin, log);
    const second = { ...elsewhere, evidence_id: idOf(record, log, origin) };
    assertEquals(verifyConflict({ input: formatRecord(second) }).outcome, "fails");
  });
}

Deno.test("record: under keys that sign the origin it is part of the id", () => {
  for (const [kind, make] of LOG_KINDS.filter(([kind]) => !kind.startsWith("0x05"))) {
    const signing = make();
    const record = conflictOf(signing);
    assertEquals([kind, record.evidence_id], [kind, idOf(record, signing.log, signing.log.origin)]);
  }
});

Deno.test("incidents: a 0x05 case told under two origins is one entry", async () => {
  const signing = treeHeadLog("ecdsa");
  const signer = await newSigner();
  const signed = async (record: ConflictRecord): Promise<ConflictRecord> => {
    const { name, text, keyId } = signer.vkey;
    const key_id = keyId.toString(16).padStart(8, "0");
    const named = { ...record, detector_id: name, detector_vkey: text, key_id };
    return withSignature(named, await signer.sign(signedBytes(named)));
  };
  const record = conflictOf(signing);
  const { files } = new MemoryDisk();
  const incidents = await IncidentJournal.open({ files, folder: "incidents" });
  const outcomes = [];
  for (const telling of [record, retold(record, "test.invalid/elsewhere", signing.log)]) {
    outcomes.push((await incidents.record(await signed(telling), DETECTED_AT)).outcome);
  }
  assertEquals(outcomes, ["recorded", "known"]);
  await incidents.close();
});

Deno.test("record: a detector whose key is not Ed25519 is refused by name", async () => {
  const signing = ecdsaLog();
  const { publicKey } = (await newSigner()).vkey;
  for (
    const [vkey, type] of [
      [signing.log.vkey, "0x02"],
      [makeVkey({ name: "w.invalid", type: 0x04, publicKey }), "0x04"],
    ] as const
  ) {
    const record = {
      ...conflictOf(signing),
      detector_id: vkey.name,
      detector_vkey: vkey.text,
      key_id: vkey.keyId.toString(16).padStart(8, "0"),
      evidence_signature: new Uint8Array(64).toBase64(),
    };
    const judgement = verifyConflict({ input: formatRecord(record) });
    assertEquals(judgement.outcome, "fails");
    assertStringIncludes(
      detailOf(judgement, "detector"),
      `the detector's key is of signature type ${type}, expected Ed25519 (0x01)`,
    );
  }
});
