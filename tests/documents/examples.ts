/** Every example of the documents, computed by the program, by the name it has there. */
import { formatEvidenceFile } from "../../src/cli/evidence_file.ts";
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import type { JsonObject } from "../../src/evidence/json.ts";
import { formatRecord, signedBytes } from "../../src/evidence/record.ts";
import { proofItem } from "../gossip/proof_item.ts";
import { aboutItem } from "../../src/gossip/about_item.ts";
import { followsItem, logHash } from "../../src/gossip/follows_item.ts";
import { knownItem } from "../../src/gossip/known_item.ts";
import { noteItem } from "../../src/gossip/note_item.ts";
import { encodeParcel } from "../../src/gossip/parcel.ts";
import { recordItem } from "../../src/gossip/record_item.ts";
import { settledItem } from "../../src/gossip/settled_item.ts";
import { ZERO_FRAME } from "../../src/gossip/judge.ts";
import { entryHash, FIRST_PREV_HASH } from "../../src/evidence/entry.ts";
import { Journal } from "../../src/store/journal.ts";
import type { Result } from "../../src/evidence/result.ts";
import { observedCheckpoint } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { formatRemovals } from "../../src/store/removal.ts";
import {
  type Transition,
  TRANSITION_VERSION,
  transitionBytes,
} from "../../src/evidence/transition.ts";
import { IncidentJournal } from "../../src/store/incidents.ts";
import { repairableIncidents } from "../../src/store/repairables.ts";
import { repairJournal } from "../../src/store/repairing.ts";
import { hashedBytes, makeStatement } from "../../src/swarm/statement.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint_text.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { formatLog } from "../../src/tlog/log.ts";
import { formatProof } from "../tlog/stated_proofs.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { worldOn } from "../store/observing.ts";
import { SESSION_EXAMPLES } from "./example_session.ts";
import {
  checkpointOf,
  crossSizeRecord,
  log,
  monitor,
  ORIGIN,
  proofOf,
  rootOf,
  sameSizeRecord,
} from "./stage.ts";

const RECORDED_AT = "2026-01-02T03:04:06.000Z";

const one5 = await checkpointOf("one", 5);
const one7 = await checkpointOf("one", 7);
const other4 = await checkpointOf("other", 4);
const other5 = await checkpointOf("other", 5);
const sameSize = await sameSizeRecord();
const crossSize4 = await crossSizeRecord(4);
const crossSize5 = await crossSizeRecord(5);
const proof47 = proofOf(4, 7);
const greeting = followsItem([log]);
const SOFTWARE = "hearsay/0.1.0";
/** What the ends of the example say about themselves. */
export const ABOUT = {
  caller: { startId: decodeHex("000102030405060708090a0b0c0d0e0f"), software: SOFTWARE },
  callee: { startId: decodeHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), software: SOFTWARE },
};

/** What the monitor says in section 17: that it leaves. */
const statement = await makeStatement({
  ...{ signer: monitor, epoch: 1_767_323_045n, sequence: 7n },
  body: { kind: "leave", time: "2026-01-02T03:04:05.678Z" },
});

/** The bytes of a file of a journal that is written into a folder in memory. */
async function written(path: string, write: (disk: MemoryDisk) => Promise<void>) {
  const disk = new MemoryDisk();
  await write(disk);
  return utf8(disk.content(path)!);
}

function writeIncident(disk: MemoryDisk): Promise<void> {
  return appendTo(disk, [sameSize as unknown as JsonObject]);
}

async function appendTo(disk: MemoryDisk, records: readonly JsonObject[]): Promise<void> {
  const journal = await Journal.open({ files: disk.files, folder: "journal" });
  for (const record of records) await journal.append(record, RECORDED_AT);
  await journal.close();
}

/** Two looks at the log: an entry that spells the log out, and one that names it. */
async function writeObservations(disk: MemoryDisk): Promise<void> {
  const journal = await ObservationJournal.open({ world: worldOn(disk), folder: "state" });
  const looks = [[one5, "first"], [one7, "extends"]] as const;
  for (const [checkpoint, result] of looks) {
    await journal.append({
      log: { origin: ORIGIN, vkey: log.vkey.text },
      via: "poll",
      source: "the log",
      result: result satisfies Result,
      checkpoint: observedCheckpoint(checkpoint),
    }, RECORDED_AT);
  }
  await journal.close();
}

const removal = formatRemovals([{
  from: 1,
  to: 2,
  before: { seq: 0, hash: FIRST_PREV_HASH },
  last: { seq: 900, hash: "ab".repeat(32) },
}]);
const removalEntry = {
  seq: 1_801,
  recorded_at: RECORDED_AT,
  record: removal,
  prev_hash: "cd".repeat(32),
};

/** The entry that a repair writes, if the second of two entries is damaged. */
const repairEntry = await (async (): Promise<Uint8Array> => {
  const disk = new MemoryDisk();
  await appendTo(disk, [sameSize, crossSize4] as unknown as JsonObject[]);
  const path = "journal/journal.jsonl";
  // One character of the second entry.
  const content = disk.content(path)!.replace('"seq":2}', '"seq":3}');
  disk.put(path, content);
  const journal = repairableIncidents({ files: disk.files, folder: "journal" });
  await repairJournal(journal, { signer: monitor, at: RECORDED_AT });
  return utf8(disk.content(path)!.split("\n")[1]!);
})();

/** The second step of an incident, as the third entry. */
const stepEntry = await (async (): Promise<Uint8Array> => {
  const disk = new MemoryDisk();
  const journal = await IncidentJournal.open({ files: disk.files, folder: "journal" });
  await journal.record(sameSize, RECORDED_AT);
  const said = {
    version: TRANSITION_VERSION,
    cause: "equivocation",
    ...{ incident: "INC-2026-001", log: sameSize.log, by: "hearsay", at: RECORDED_AT },
    monitor: monitor.vkey.text,
  } as const;
  const { size, root } = sameSize.checkpoint_a;
  const steps: Transition[] = [
    {
      ...{ ...said, evidence_ids: [sameSize.evidence_id], from: null, to: "DETECT" },
      why: `the log signed two roots at size ${size}`,
    },
    {
      ...{ ...said, evidence_ids: [], from: "DETECT", to: "FREEZE", accepted: { size, root } },
      why: `nothing of the log beyond size ${size} is accepted until this is resolved`,
    },
  ];
  for (const transition of steps) {
    const signature = await monitor.sign(transitionBytes(transition));
    await journal.step({ transition, signature }, RECORDED_AT);
  }
  await journal.close();
  return utf8(disk.content("journal/journal.jsonl")!.split("\n")[2]!);
})();

/** By name, the bytes of each example. */
export const EXAMPLES: ReadonlyMap<string, Uint8Array> = new Map<string, Uint8Array>([
  ["log-vkey", utf8(log.vkey.text)],
  ["monitor-vkey", utf8(monitor.vkey.text)],
  ["log-notation", utf8(formatLog(log))],

  [
    "text-one-5",
    utf8(formatCheckpointText({
      ...{ origin: ORIGIN, treeSize: 5n, rootHash: rootOf("one", 5) },
    })),
  ],
  ["note-one-5", utf8(one5.note)],
  ["note-one-7", utf8(one7.note)],
  ["note-other-4", utf8(other4.note)],
  ["note-other-5", utf8(other5.note)],

  ["frame-one-5", one5.frame],
  ["frame-one-7", one7.frame],
  ["frame-other-5", other5.frame],
  ["exchange-request", concat([one5.frame, other5.frame, ZERO_FRAME])],
  ["exchange-answer", concat([one7.frame, one5.frame, ZERO_FRAME])],

  ["log-hash", logHash(log)],
  ["greeting", encodeParcel([greeting])],
  ["greeting-answer", encodeParcel([greeting, noteItem(other4)])],
  ["greeting-about", encodeParcel([greeting, aboutItem(ABOUT.caller)])],
  ["greeting-about-answer", encodeParcel([aboutItem(ABOUT.callee), greeting])],
  ["question", encodeParcel([noteItem(one7), knownItem([sameSize])])],
  ["question-answer", encodeParcel([recordItem(crossSize4), noteItem(one7)])],
  ["note-parcel", encodeParcel([noteItem(other5)])],
  ["note-parcel-answer", encodeParcel([noteItem(one5)])],
  ["settled-parcel", encodeParcel([settledItem([one5])])],
  [
    "settled-parcel-answer",
    encodeParcel([settledItem([{ ...one5, standing: "consistent" as const }])]),
  ],
  ["record-parcel", encodeParcel([recordItem(crossSize4)])],
  ["proof-parcel", encodeParcel([proofItem(proof47)])],
  ["unknown-parcel", decodeHex("817f00000003616263")],
  ["empty-parcel", encodeParcel([])],

  ["proof-4-7", utf8(formatProof(proof47))],
  ["record-same-size", utf8(formatRecord(sameSize))],
  ["record-cross-size-4", utf8(formatRecord(crossSize4))],
  ["record-cross-size-5", utf8(formatRecord(crossSize5))],
  [
    "evidence-file",
    utf8(formatEvidenceFile({ words: ["", "Any words for people."], record: sameSize })),
  ],
  ["signed-bytes-hash", sha256(signedBytes(sameSize))],
  ["evidence-id-same-size", decodeHex(sameSize.evidence_id)],
  ["evidence-id-cross-size-4", decodeHex(crossSize4.evidence_id)],
  ["evidence-id-cross-size-5", decodeHex(crossSize5.evidence_id)],

  ["incident-entry", await written("journal/journal.jsonl", writeIncident)],
  ["observation-entries", await written("state/observations-000001.jsonl", writeObservations)],
  ["repair-entry", repairEntry],
  ["step-entry", stepEntry],
  ["statement-body", utf8(canonicalize(statement.body))],
  ["statement-root", sha256(hashedBytes(statement.body))],
  ["statement-note", utf8(statement.note)],
  ["statement", utf8(statement.text)],
  ["removal-entry", utf8(canonicalize({ ...removalEntry, hash: entryHash(removalEntry) }))],

  ...SESSION_EXAMPLES,
]);
