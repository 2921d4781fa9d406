/** Size 0 has one root: what real logs signed there by mistake, and repaired, convicts nobody. */
import { assert, assertEquals } from "@std/assert";
import { evidenceId } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { type ConflictRecord, RECORD_VERSION } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { CaseKeeper } from "../../src/monitor/case_keeper.ts";
import { IncidentJournal } from "../../src/store/incidents.ts";
import { Journal } from "../../src/store/journal.ts";
import { formatCheckpointText, openCheckpoint, openFrame } from "../../src/tlog/checkpoint.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { encodeFrame } from "../../src/tlog/frame.ts";
import { EMPTY_ROOT } from "../../src/tlog/hashing.ts";
import { type Log, makeLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Signer } from "../../src/world/signer.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { treeHeadLog } from "../tlog/log_signers.ts";
import { newSigner } from "./histories.ts";

const ZEROS = new Uint8Array(32);
const AT = "2026-01-02T03:04:05Z";
const ALMOST = EMPTY_ROOT.with(31, EMPTY_ROOT[31]! ^ 1);

async function signedBy(signer: Signer, log: Log, rootHash: Uint8Array, treeSize = 0n) {
  const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
  const signature = await signer.sign(utf8(text));
  const { vkey } = signer;
  return {
    note: formatNote({ text, vkey, signature }),
    frame: encodeFrame({ treeSize, rootHash, signature }),
  };
}

async function emptyLog(): Promise<{ signer: Signer; log: Log }> {
  const signer = await newSigner("log.invalid/empty");
  return { signer, log: makeLog({ vkey: signer.vkey, origin: "log.invalid/empty" }) };
}

/** An incident as the versions before this rule wrote it: two roots of size 0, rightly signed. */
async function oldRecord(signer: Signer, log: Log): Promise<ConflictRecord> {
  const [zero, repaired] = await Promise.all(
    [ZEROS, EMPTY_ROOT].map(async (rootHash) => ({
      size: "0",
      root: base64(rootHash),
      note: (await signedBy(signer, log, rootHash)).note,
    })),
  );
  const heads = [ZEROS, EMPTY_ROOT].map((rootHash) => ({ treeSize: 0n, rootHash }));
  return {
    version: RECORD_VERSION,
    kind: "same_size",
    log: { origin: log.origin, vkey: log.vkey.text },
    checkpoint_a: zero!,
    checkpoint_b: repaired!,
    source_a: "x",
    source_b: "y",
    evidence_id: evidenceId({ log, heads: [heads[0]!, heads[1]!] }),
    detector_id: null,
    detector_vkey: null,
    key_id: null,
    detected_at: AT,
    evidence_signature: null,
  };
}

Deno.test("size 0: a note or frame with another root than SHA-256 of nothing is malformed", async () => {
  const { signer, log } = await emptyLog();
  for (const rootHash of [ZEROS, ALMOST]) {
    const { note, frame } = await signedBy(signer, log, rootHash);
    for (
      const opened of [openCheckpoint({ note, logs: [log] }), openFrame({ frame, logs: [log] })]
    ) {
      assert("refused" in opened);
      assertEquals(opened.refused, "malformed");
      assert(opened.detail.includes("size 0") && opened.detail.includes(base64(EMPTY_ROOT)));
    }
    // The same root is a root like any other where there are leaves.
    const one = await signedBy(signer, log, rootHash, 1n);
    assert(!("refused" in openCheckpoint({ note: one.note, logs: [log] })));
    assert(!("refused" in openFrame({ frame: one.frame, logs: [log] })));
  }
});

Deno.test("size 0: an RFC 6962 tree head with another root is malformed as well", () => {
  const { log, note } = treeHeadLog("ecdsa");
  const opened = openCheckpoint({ note: note({ treeSize: 0n, rootHash: ZEROS }), logs: [log] });
  assert("refused" in opened);
  assertEquals(opened.refused, "malformed");
  const sound = note({ treeSize: 0n, rootHash: EMPTY_ROOT });
  assert(!("refused" in openCheckpoint({ note: sound, logs: [log] })));
});

Deno.test("size 0: the root of the empty tree opens, and a repair convicts nobody", async () => {
  const { signer, log } = await emptyLog();
  const detector = new EquivocationDetector();
  for (const rootHash of [ZEROS, EMPTY_ROOT]) {
    const { note } = await signedBy(signer, log, rootHash);
    const opened = openCheckpoint({ note, logs: [log] });
    if (!("refused" in opened)) detector.observe(opened[0]!, "x");
  }
  assertEquals(detector.conflicts(), []);
  const frame = (await signedBy(signer, log, EMPTY_ROOT)).frame;
  assert(!("refused" in openFrame({ frame, logs: [log] })));
});

Deno.test("size 0: a record of two roots there fails, for its checkpoint", async () => {
  const { signer, log } = await emptyLog();
  const { outcome, checks } = verifyConflict({
    input: JSON.stringify(await oldRecord(signer, log)),
  });
  assertEquals(outcome, "fails");
  assertEquals(checks.filter(({ ok }) => !ok).map(({ name }) => name), ["checkpoint_a"]);
});

Deno.test("size 0: an old journal's incident there does not hold, and stops no start", async () => {
  const { signer, log } = await emptyLog();
  const disk = new MemoryDisk();
  const journal = await Journal.open({ files: disk.files, folder: "incidents" });
  await journal.append(JSON.parse(JSON.stringify(await oldRecord(signer, log))), AT);
  await journal.close();
  const monitor = await CaseKeeper.start({
    world: { ...denoWorld(), files: disk.files },
    logs: [log],
    identity: { signer: await newSigner(), folder: "incidents" },
    report: { heard: () => {}, broken: () => {}, notAnswered: () => {}, incident: () => {} },
  });
  assertEquals(monitor.unsoundEntries, [1]);
  assertEquals(monitor.cases(log), []);
  await monitor.close();
  const incidents = await IncidentJournal.open({ files: disk.files, folder: "incidents" });
  assertEquals([incidents.unsound, await Array.fromAsync(incidents.records())], [[1], []]);
  await incidents.close();
});
