/**
 * The answer to a parcel: the rules of PROTOCOL section 7, without sockets.
 *
 * @module
 */
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { randomShare } from "../world/random.ts";
import type { Random } from "../world/world.ts";
import { casesAbout, type ExchangeParty, type HeldCase } from "./exchange.ts";
import type { Hearing, Kind } from "./kind.ts";
import { KINDS, type ParcelItem } from "./kinds.ts";
import { noteItem } from "./note_item.ts";
import { ParcelPacker } from "./parcel.ts";
import { recordItem } from "./record_item.ts";

/**
 * Makes the answer to a parcel. The conflicts in the parcel must be durable by then. For each note
 * the answer has the checkpoint known to contradict it, or else our latest of that log. For each
 * log named it also has the evidence held here that the other end has not shown. Evidence comes
 * first, because an answer has limited room. The kinds' own answers come last.
 * @throws WorldError if the evidence cannot be read
 */
export async function answerParcel(
  hearing: Hearing,
  party: ExchangeParty,
): Promise<readonly ParcelItem[]> {
  const packer = new ParcelPacker(party.limits);
  const contradicting = hearing.heard
    .map((heard) => heard.verdict === "inconsistent" ? heard.other.checkpoint : undefined);
  packNotes(packer, contradicting);
  const { shown, claimed } = hearing;
  const isUnseen = ({ evidence_id }: HeldCase): boolean =>
    !shown.has(evidence_id) && claimed?.has(evidence_id) !== true;
  await packRecords({ party, packer, logs: hearing.named, wanted: isUnseen });
  const others = hearing.heard.filter(({ verdict }) => verdict !== "inconsistent");
  packNotes(packer, others.map(({ checkpoint: { log } }) => party.judge.latest(log)));
  for (const kind of Object.values<Kind>(KINDS)) {
    for (const item of kind.answer?.(hearing, party) ?? []) packer.add(item as ParcelItem);
  }
  return packer.items;
}

/** Packs the notes of checkpoints, each once. */
export function packNotes(
  packer: ParcelPacker,
  checkpoints: readonly (VerifiedCheckpoint | undefined)[],
): void {
  for (const checkpoint of new Set(checkpoints)) {
    if (checkpoint !== undefined) packer.add(noteItem(checkpoint));
  }
}

/**
 * Packs evidence about these logs. The logs take turns, so that a log that went mad does not crowd
 * out the others. Of each log the newest cases come first. If there are too many, some older ones
 * are drawn at random: the other end may have the newest, and may have more cases than it can list.
 * @returns the cases whose records went in
 * @throws WorldError if one cannot be read
 */
export async function packRecords(
  { party, packer, logs, wanted }: {
    party: ExchangeParty;
    packer: ParcelPacker;
    logs: Iterable<Log>;
    wanted: (held: HeldCase) => boolean;
  },
): Promise<HeldCase[]> {
  const most = party.limits.maxRecordsPerParcel;
  const { random } = party.world;
  const byLog = [...logs].map((log) => some(casesAbout(party, log).filter(wanted), most, random));
  const packed: HeldCase[] = [];
  for (let turn = 0; turn < most; turn++) {
    for (const cases of byLog) {
      const held = cases[turn];
      if (held === undefined || packed.length >= most) continue;
      if (packer.add(recordItem(await held.read()))) packed.push(held);
    }
  }
  return packed;
}

/**
 * The whole list, or, if it is longer than `count`, half of `count` from its end and the other half
 * drawn at random.
 */
function some<T>(list: readonly T[], count: number, random: Random): T[] {
  if (list.length <= count) return newest(list, count);
  const last = newest(list, Math.ceil(count / 2));
  const others = list.slice(0, -last.length);
  const chosen = Array.from(
    { length: count - last.length },
    () => others.splice(Math.floor(randomShare(random) * others.length), 1)[0]!,
  );
  return [...last, ...chosen];
}

/** At most `count` items from the end of a list, the last one first. */
function newest<T>(list: readonly T[], count: number): T[] {
  return list.slice(-count).reverse();
}
