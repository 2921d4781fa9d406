/**
 * The parsers of parcels and of their items.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import type { Conflict } from "../../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../../src/evidence/detector.ts";
import { type ConflictRecord, isKnownVersion } from "../../../src/evidence/record.ts";
import { logOf } from "../../../src/evidence/replay.ts";
import { verifyConflict } from "../../../src/evidence/verify.ts";
import { proofItem } from "../../gossip/proof_item.ts";
import { aboutItem, newAbout } from "../../../src/gossip/about_item.ts";
import { followsItem } from "../../../src/gossip/follows_item.ts";
import { hearParcel } from "../../../src/gossip/hearing.ts";
import { type ItemKind, KINDS, type ParcelItem } from "../../../src/gossip/kinds.ts";
import { knownItem } from "../../../src/gossip/known_item.ts";
import { noteItem } from "../../../src/gossip/note_item.ts";
import {
  encodeParcel,
  PARCEL_VERSION,
  ParcelDecoder,
  UnknownParcelVersion,
} from "../../../src/gossip/parcel.ts";
import { recordItem } from "../../../src/gossip/record_item.ts";
import { settledItem } from "../../../src/gossip/settled_item.ts";
import { DEFAULT_LIMITS } from "../../../src/gossip/limits.ts";
import { Judge } from "../../../src/gossip/judge.ts";
import type { TestLog } from "../../../src/sources/test_log.ts";
import { base64, textOf, utf8 } from "../../../src/tlog/encoding.ts";
import { HASH_BYTES, sha256 } from "../../../src/tlog/hashing.ts";
import type { Log } from "../../../src/tlog/log.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { proofOf } from "../../evidence/histories.ts";
import { bytes, textBytes } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { FORK_SIZE, type Stage } from "./stage.ts";

/** Parsers of parcels. */
export function parcels(stage: Stage): ParserUnderTest[] {
  return [decoding(stage), hearing(stage)];
}

/** The items that the other end may send in a parcel. */
function itemsOf(
  { checkpoints, honest, records }: Stage,
): Readonly<Record<ItemKind, readonly ParcelItem[]>> {
  return {
    note: checkpoints.map(noteItem),
    proof: [proofItem(proofOf(honest, { older: FORK_SIZE, newer: 90 }))],
    record: records.map(recordItem),
    known: [[], records].map((some) => knownItem(some)),
    about: [newAbout(denoWorld().random)].map(aboutItem),
    settled: [
      settledItem(checkpoints),
      settledItem(checkpoints.map((one) => ({ ...one, standing: "consistent" }))),
    ],
    follows: [[], [honest.log]].map((some) => followsItem(some)),
  };
}

interface Delivery {
  readonly bytes: Uint8Array;
  /** How many bytes come at a time, over and over. */
  readonly chunks: readonly number[];
}

function decoding(stage: Stage): ParserUnderTest {
  const ofKinds = Object.values(itemsOf(stage));
  const items = [...ofKinds.flat(), ...stage.falseRecords.map(recordItem)];
  const unknown = Uint8Array.of(UNUSED_BYTE, 0, 0, 0, 3, 1, 2, 3);
  const samples = [
    encodeParcel([]),
    encodeParcel(items.slice(0, 3)),
    concat([encodeParcel(items.slice(2, 4)), unknown]),
    ...ofKinds.map((ofKind) => encodeParcel(ofKind.slice(-3))),
    encodeParcel(items),
  ];
  function decode({ bytes, chunks }: Delivery): ParcelItem[] {
    const decoder = new ParcelDecoder(DEFAULT_LIMITS);
    const taken: ParcelItem[] = [];
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const chunk = bytes.subarray(at, at + chunks[i % chunks.length]!);
      taken.push(...decoder.take(chunk));
      at += chunk.length;
    }
    decoder.end();
    return taken;
  }
  return parser<Delivery>({
    name: "parcel: ParcelDecoder",
    share: 50,
    orderly: [UnknownParcelVersion],
    inputs: fc.record({
      bytes: bytes(samples),
      chunks: fc.array(fc.oneof(fc.constantFrom(1, 4, 5, 6), fc.integer({ min: 1, max: 70_000 })), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
    feed: (text) => ({
      bytes: concat([Uint8Array.of(PARCEL_VERSION), utf8(text)]),
      chunks: [4_096],
    }),
    valid: samples.map((bytes) => ({ bytes, chunks: [1_000] })),
    run(delivery) {
      const whole = settle(() => decode({ ...delivery, chunks: [Infinity] }));
      const taken = settle(() => decode(delivery));
      insist(whole.said === taken.said, "it is the same parcel, whatever pieces it comes in");
      if ("error" in taken) throw taken.error;
      for (const { body } of taken.value) {
        insist(body.buffer.byteLength === body.length, "no item has more room than it takes");
      }
      const strangers = strangersIn(delivery.bytes);
      insist(strangers !== undefined, "a parcel ends where an item does");
      const given = encodeParcel(taken.value).length;
      insist(given + strangers === delivery.bytes.length, "every item is given or passed over");
      if (strangers === 0) {
        insist(equals(encodeParcel(taken.value), delivery.bytes), "it encodes back to itself");
      }
      return "accepted";
    },
  });
}

const BYTES: readonly number[] = Object.values(KINDS).map(({ byte }) => byte);
/** No kind has it. */
const UNUSED_BYTE = 0x7f;

/** Bytes of the items of unknown kinds in a parcel, naively; nothing if it ends within an item. */
function strangersIn(parcel: Uint8Array): number | undefined {
  const view = new DataView(parcel.buffer, parcel.byteOffset, parcel.length);
  let strangers = 0;
  let at = 1;
  while (at < parcel.length) {
    if (at + 5 > parcel.length) return undefined;
    const bytes = 5 + view.getUint32(at + 1);
    if (!BYTES.includes(parcel[at]!)) strangers += bytes;
    at += bytes;
  }
  return at === parcel.length ? strangers : undefined;
}

/** The result of a call, and words for it that differ for different results. */
function settle(run: () => ParcelItem[]):
  & { said: string }
  & (
    | { value: ParcelItem[] }
    | { error: unknown }
  ) {
  try {
    const value = run();
    const parts = value.flatMap(({ kind, body }) => [utf8(`${kind} ${body.length} `), body]);
    return { said: encodeHex(sha256(concat(parts))), value };
  } catch (error) {
    return { said: `${(error as Error).constructor.name}`, error };
  }
}

/** The kinds whose bodies are mutated as text; the others are mutated as bytes. */
const TEXTS: readonly ItemKind[] = ["note", "proof", "record"];
/** How often each kind comes; 1 unless it is here. */
const WEIGHTS: Readonly<Partial<Record<ItemKind, number>>> = { note: 4, proof: 3 };

function hearing(stage: Stage): ParserUnderTest {
  const { honest, forked, logs } = stage;
  const items = itemsOf(stage);
  const samples = { ...items, record: [...items.record, ...stage.falseRecords.map(recordItem)] };
  const ofKind = (kind: ItemKind): fc.Arbitrary<ParcelItem> => {
    const bodies = samples[kind].map(({ body }) => body);
    const isText = TEXTS.includes(kind);
    return (isText ? textBytes(bodies.map(textOf)) : bytes(bodies)).map((body) => ({ kind, body }));
  };
  return parser<readonly ParcelItem[]>({
    name: "parcel: hearParcel",
    share: 30,
    inputs: fc.array(
      fc.oneof(
        ...(Object.keys(items) as ItemKind[])
          .map((kind) => ({ weight: WEIGHTS[kind] ?? 1, arbitrary: ofKind(kind) })),
      ),
      { minLength: 1, maxLength: 4 },
    ),
    valid: [
      ...Object.values(items).flat().map((item) => [item]),
      [...items.note, ...items.proof, ...items.record, items.known.at(-1)!],
    ],
    feed: (text) => [{ kind: "record", body: utf8(text) }],
    run(given) {
      const detector = new EquivocationDetector();
      const judge = new Judge({ logs, detector });
      const party = { judge, cases: () => [], standing: () => "open" as const };
      const { fault, claimed } = hearParcel({ items: given, source: "a peer", party });
      for (const conflict of detector.conflicts()) checkConflict(conflict, [honest, forked]);
      if (fault !== undefined) {
        const isOfKnown = fault.reason.startsWith("a known was refused");
        const lists = given.filter(({ kind }) => kind === "known").length;
        insist(!isOfKnown || lists > 1 || given.some(isTorn), "only torn ids, and a second list");
        return "refused";
      }
      for (const item of given) {
        const { kind, body } = item;
        insist(kind !== "record" || isTrueOrStrange(body, logs), "it holds");
        if (kind !== "known") continue;
        insist(!isTorn(item), "every id has its bytes");
        insist(idsIn(body).every((id) => claimed?.has(id)), "what is known is not to be answered");
      }
      return "accepted";
    },
  });
}

/** Whether an item should be a list of evidence ids, and its length is no multiple of 32. */
function isTorn({ kind, body }: ParcelItem): boolean {
  return kind === "known" && body.length % HASH_BYTES !== 0;
}

/** The evidence ids in an item of such, as records spell them. */
function idsIn(body: Uint8Array): readonly string[] {
  return encodeHex(body).match(/.{64}/g) ?? [];
}

/** Insists that the signed histories really have this conflict. */
function checkConflict(conflict: Conflict, told: readonly [TestLog, TestLog]): void {
  const both = [conflict.first.checkpoint, conflict.second.checkpoint] as const;
  insist(
    both.every(({ log, treeSize, root }) =>
      log.id !== told[0].log.id || isRootOf(told, treeSize, root)
    ),
    "both are signed",
  );
  if (conflict.kind !== "cross_size") {
    insist(both[0].root !== both[1].root, "the roots differ");
    return;
  }
  const older = both[0].treeSize < both[1].treeSize ? both[0] : both[1];
  const implied = base64(conflict.consistency.impliedRoot);
  insist(implied !== older.root, "the implied root is another");
  insist(isRootOf(told, older.treeSize, implied), "only what a signed tree holds is implied");
}

/** Whether a record that was accepted holds, or is of a version or log that is not known here. */
function isTrueOrStrange(body: Uint8Array, logs: readonly Log[]): boolean {
  const input = textOf(body);
  const record = JSON.parse(input) as ConflictRecord;
  return !isKnownVersion(record.version) || logOf(record, logs) === undefined ||
    verifyConflict({ input }).outcome === "holds";
}

function isRootOf(told: readonly TestLog[], treeSize: bigint, root: string): boolean {
  return told.some((log) => treeSize <= log.treeSize && base64(log.root(treeSize)) === root);
}
