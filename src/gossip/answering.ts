/**
 * What is answered to a parcel: the rules of PROTOCOL section 7, without sockets.
 *
 * @module
 */
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { randomShare } from "../world/random.ts";
import type { Random } from "../world/world.ts";
import type { ExchangeParty, HeldCase } from "./exchange.ts";
import type { Hearing, Kind } from "./kind.ts";
import { KINDS, type ParcelItem } from "./kinds.ts";
import { noteItem } from "./note_item.ts";
import { ParcelPacker } from "./parcel.ts";
import { recordItem } from "./record_item.ts";

/**
 * What to answer to a parcel, once its conflicts are kept: for each note the checkpoint known to
 * contradict it, otherwise our latest of that log; and the evidence held about every log named that
 * the other end has not shown. Evidence goes first, since what does not fit is left out; what the
 * kinds answer of their own goes last.
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
 * Packs evidence about these logs, one log after the other, so that one that went mad does not crowd
 * out the rest; of each the newest first, and of what is too much some of the older ones by chance:
 * the other end may have the newest, and more cases than it can say.
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
  const byLog = [...logs].map((log) => some(party.cases(log).filter(wanted), most, random));
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

/** The last of a list, or, if they are more than this, half as many of them and others by chance. */
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

/** The last of a list, the very last first. */
function newest<T>(list: readonly T[], count: number): T[] {
  return list.slice(-count).reverse();
}
