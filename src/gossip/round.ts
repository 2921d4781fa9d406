import type { RecordedCheckpoint } from "../evidence/record.ts";
import { base64 } from "../tlog/encoding.ts";
import { decodeFrame, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import type { TreeHead } from "../tlog/proof.ts";
import { formatAddress } from "../world/address.ts";
import type { Address } from "../world/world.ts";
import { knownItem, packNotes, packRecords } from "./answering.ts";
import { ExchangeFailed, exchangeFrames, type SentFrame } from "./caller.ts";
import { callWithParcel } from "./carrier.ts";
import type { ExchangeParty } from "./exchange.ts";
import { type ParcelItem, ParcelPacker } from "./parcel.ts";
import type { Heard, HeardCheckpoint } from "./view.ts";

/** What one round with a peer came to. */
export interface Round {
  /** What each frame it answered says, in the order of the frames sent. */
  readonly heard: readonly Heard[];
  /** What the notes say that it answered through the second carrier; none if that was not needed. */
  readonly notes: readonly HeardCheckpoint[];
  /** The cases it was handed, by evidence id. */
  readonly handedOver: readonly string[];
  /** Why the second carrier failed, if it did; what the frames said stands all the same. */
  readonly fault?: string;
}

/**
 * One round with a peer: the exchange of frames, and then, if there is something to say that fits no
 * frame or to ask for, a parcel on a second connection.
 * @throws ExchangeFailed if the exchange of frames fails; a parcel that fails is reported instead
 * @throws whatever `keep` throws
 */
export async function exchangeRound(
  { party, address }: { party: ExchangeParty; address: Address },
): Promise<Round> {
  const { world: { clock }, handedOver, report } = party;
  const peer = formatAddress(address);
  const frames = await exchangeFrames({ party, address });
  const { heard } = frames;
  const now = clock.monotonic();
  handedOver.add(peer, concluded({ party, ...frames }));
  const asksAll = handedOver.isToBeAsked(peer, now);
  const { items, ids } = parcelFor({ party, peer, asksAll, ...frames });
  if (items.length === 0 || !handedOver.mayTry(peer, now)) {
    return { heard, notes: [], handedOver: [] };
  }
  try {
    const answer = await callWithParcel({ party, address, items });
    // Where something was new there may be more than an answer holds: asked for in the next round.
    if (asksAll && !answer.hasNews) handedOver.answered(peer, now);
    handedOver.add(peer, [...ids, ...answer.shown]);
    return { heard, notes: answer.heard, handedOver: ids };
  } catch (error) {
    if (!(error instanceof ExchangeFailed)) throw error;
    handedOver.failed(peer, clock.monotonic());
    report.broken(error.message, peer);
    return { heard, notes: [], handedOver: [], fault: error.message };
  }
}

/** What was said in the frames of a round. */
interface Frames {
  readonly sent: readonly SentFrame[];
  readonly heard: readonly Heard[];
}

/**
 * What to put into this round's parcel: the evidence about the logs named that the peer was not
 * handed yet, and the notes of checkpoints that fit no frame or that are to ask with.
 */
function parcelFor(
  { party, peer, asksAll, ...frames }: Frames & {
    party: ExchangeParty;
    peer: string;
    asksAll: boolean;
  },
): { items: readonly ParcelItem[]; ids: readonly string[] } {
  const { view, limits, handedOver } = party;
  const logs = namedLogs({ party, ...frames });
  const packer = new ParcelPacker(limits);
  const packed = packRecords({
    ...{ party, packer, logs },
    wanted: ({ evidence_id }) => !handedOver.has(peer, evidence_id),
  });
  const asked = asksAll ? new Set(view.logs) : logsToAsk(frames);
  const latest = [...logs].map((log) => view.latest(log));
  const notes = latest.filter((checkpoint) =>
    checkpoint !== undefined && (!checkpoint.fitsFrame || asked.has(checkpoint.log))
  );
  packNotes(packer, notes);
  // What is asked is answered with evidence: with what is new here, since an answer holds only so much.
  const held = [...logs].flatMap((log) => party.records(log));
  if (notes.length > 0 && held.length > 0) packer.add(knownItem(held, limits));
  return { items: packer.items, ids: packed.map(({ evidence_id }) => evidence_id) };
}

/** The logs the frames named, and those that no frame can name because their latest fits none. */
function namedLogs({ party: { view }, sent, heard }: Frames & { party: ExchangeParty }): Set<Log> {
  const isFrameless = (log: Log): boolean => view.latest(log)?.fitsFrame === false;
  return new Set([
    ...sent.filter(({ frame }) => !isZeroFrame(frame)).map(({ log }) => log),
    ...checkpointsIn(heard).map(({ checkpoint }) => checkpoint.log),
    ...view.logs.filter(isFrameless),
  ]);
}

/**
 * The logs of which to ask what the peer knows because of what it answered: it has seen more than we
 * have, and so may be able to prove what we cannot yet; or it has nothing that fits a frame.
 */
function logsToAsk({ sent, heard }: Frames): Set<Log> {
  const ahead = checkpointsIn(heard).filter((answer) =>
    answer.verdict === "pending" && answer.checkpoint.treeSize > (answer.localSize ?? -1n)
  );
  const unanswered = sent.filter((_, i) => heard[i]?.verdict === "nothing");
  return new Set([
    ...ahead.map(({ checkpoint }) => checkpoint.log),
    ...unanswered.map(({ log }) => log),
  ]);
}

/**
 * The cases the peer concludes from the frames alone, by evidence id: both signed roots have passed.
 */
function concluded({ party, sent, heard }: Frames & { party: ExchangeParty }): string[] {
  const answers = checkpointsIn(heard);
  const passed = new Set([
    ...sent.filter(({ frame }) => !isZeroFrame(frame))
      .map(({ log, frame }) => headKey(log, decodeFrame(frame))),
    ...answers.map(({ checkpoint }) => headKey(checkpoint.log, checkpoint)),
  ]);
  const inconsistent = answers.filter(({ verdict }) => verdict === "inconsistent");
  return inconsistent.flatMap(({ checkpoint: { log } }) => {
    const isPassed = ({ size, root }: RecordedCheckpoint): boolean =>
      passed.has(`${size} ${root} ${log.id}`);
    return party.records(log)
      .filter(({ kind, checkpoint_a, checkpoint_b }) =>
        kind === "same_size" && isPassed(checkpoint_a) && isPassed(checkpoint_b)
      )
      .map(({ evidence_id }) => evidence_id);
  });
}

function checkpointsIn(heard: readonly Heard[]): HeardCheckpoint[] {
  return heard.filter((answer) => "checkpoint" in answer);
}

/** A signed head as one text: size, root and log. */
function headKey(log: Log, { treeSize, rootHash }: TreeHead): string {
  return `${treeSize} ${base64(rootHash)} ${log.id}`;
}
