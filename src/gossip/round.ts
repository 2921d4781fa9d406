import type { RecordedHead } from "../evidence/record.ts";
import { base64 } from "../tlog/encoding.ts";
import { decodeFrame, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import type { TreeHead } from "../tlog/proof.ts";
import { formatAddress } from "../world/address.ts";
import type { Address } from "../world/world.ts";
import { packNotes, packRecords } from "./answering.ts";
import { aboutItem, isSameStart } from "./about_item.ts";
import { ExchangeFailed, exchangeFrames, type SentFrame, Unreachable } from "./caller.ts";
import type { ExchangeParty } from "./exchange.ts";
import { followsItem } from "./follows_item.ts";
import type { Heard, HeardCheckpoint } from "./judge.ts";
import type { ParcelItem } from "./kinds.ts";
import { knownItem } from "./known_item.ts";
import { ParcelPacker } from "./parcel.ts";
import { callWithParcel } from "./parcel_exchange.ts";

/** What one round with a peer came to. */
export interface Round {
  /** What each frame it answered says, in the order of the frames sent. */
  readonly heard: readonly Heard[];
  /** What the notes say that it answered to parcels; none if that was not needed. */
  readonly notes: readonly HeardCheckpoint[];
  /** The cases it was handed, by evidence id. */
  readonly handedOver: readonly string[];
  /** How many logs both follow; nothing if the peer did not say. */
  readonly shared?: number;
  /** Why a parcel failed, if one did; what the frames said stands all the same. */
  readonly fault?: string;
}

/**
 * One round with a peer (PROTOCOL section 8): first the greeting, a parcel that asks which logs
 * it follows and what it has not reconciled of those; then the exchange of frames about the logs
 * that both follow; then, if there is something to say that fits no frame or to ask for, another
 * parcel.
 * @throws ExchangeFailed if the exchange of frames fails; a parcel that fails is reported instead
 * @throws Ended if this end stops meanwhile; whatever `keep` throws
 */
export async function exchangeRound(
  { party, address }: { party: ExchangeParty; address: Address },
): Promise<Round> {
  const greeting = await greet({ party, address });
  const { shared, fault } = greeting;
  const logs = party.judge.logs.filter((log) => shared?.has(log) ?? true);
  const told = { notes: greeting.notes, ...(shared && { shared: shared.size }) };
  if (logs.length === 0) return { heard: [], handedOver: [], ...told };
  const round = await compare({ party, address, logs });
  return { ...round, ...told, notes: [...told.notes, ...round.notes], ...(fault && { fault }) };
}

/**
 * Asks a peer which of our logs it follows, anew in each round: lists change. A peer that does not say
 * (it may be of a version that cannot) is taken to follow what it said last, or all.
 * @throws Unreachable
 */
async function greet({ party, address }: { party: ExchangeParty; address: Address }): Promise<{
  shared: ReadonlySet<Log> | undefined;
  notes: readonly HeardCheckpoint[];
  fault?: string;
}> {
  const { peerKnowledge, judge, report, world: { clock } } = party;
  const peer = formatAddress(address);
  if (!peerKnowledge.mayBeSentParcel(peer, clock.monotonic())) {
    return { shared: peerKnowledge.bothFollow(peer), notes: [] };
  }
  try {
    const items = [followsItem(judge.logs), aboutItem(party.about)];
    const { follows, heard, about } = await callWithParcel({ party, address, items });
    const isSelf = about !== undefined && isSameStart(about, party.about);
    report.greeted?.(peer, { isSelf, about });
    if (follows !== undefined) peerKnowledge.bothFollowNow(peer, follows);
    return { shared: peerKnowledge.bothFollow(peer), notes: heard };
  } catch (error) {
    if (!(error instanceof ExchangeFailed) || error instanceof Unreachable) throw error;
    peerKnowledge.parcelFailed(peer, clock.monotonic());
    report.broken(error.what, peer);
    return { shared: peerKnowledge.bothFollow(peer), notes: [], fault: error.what };
  }
}

/** The exchange of frames about these logs, and the parcel that may follow it. */
async function compare(
  { party, address, logs }: { party: ExchangeParty; address: Address; logs: readonly Log[] },
): Promise<Round> {
  const { world: { clock }, peerKnowledge, report } = party;
  const peer = formatAddress(address);
  const frames = await exchangeFrames({ party, address, logs });
  const { heard } = frames;
  const now = clock.monotonic();
  peerKnowledge.knowsNow(peer, concluded({ party, ...frames }));
  const asksAll = peerKnowledge.isToBeAsked(peer, now);
  const { items, ids } = await parcelFor({ party, peer, asksAll, about: logs, ...frames });
  if (items.length === 0 || !peerKnowledge.mayBeSentParcel(peer, now)) {
    return { heard, notes: [], handedOver: [] };
  }
  try {
    const answer = await callWithParcel({ party, address, items });
    // Where something was new there may be more than an answer holds: asked for in the next round.
    if (asksAll && !answer.hasNews) peerKnowledge.answeredAll(peer, now);
    peerKnowledge.knowsNow(peer, [...ids, ...answer.shown]);
    return { heard, notes: answer.heard, handedOver: ids };
  } catch (error) {
    if (!(error instanceof ExchangeFailed)) throw error;
    peerKnowledge.parcelFailed(peer, clock.monotonic());
    report.broken(error.what, peer);
    return { heard, notes: [], handedOver: [], fault: error.what };
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
async function parcelFor(
  { party, peer, asksAll, about, ...frames }: Frames & {
    party: ExchangeParty;
    peer: string;
    asksAll: boolean;
    /** The logs this round is about. */
    about: readonly Log[];
  },
): Promise<{ items: readonly ParcelItem[]; ids: readonly string[] }> {
  const { judge, limits, peerKnowledge } = party;
  const logs = namedLogs({ party, about, ...frames });
  const packer = new ParcelPacker(limits);
  const packed = await packRecords({
    ...{ party, packer, logs },
    wanted: ({ evidence_id }) => !peerKnowledge.knows(peer, evidence_id),
  });
  // Whoever has not reconciled something asks in every round: the peer may have proven it meanwhile.
  const isOpen = (log: Log): boolean => party.unreconciled(log).length > 0;
  const asked = asksAll ? new Set(about) : logsToAsk(frames).union(new Set(about.filter(isOpen)));
  const latest = [...logs].map((log) => judge.latest(log));
  const notes = latest.filter((checkpoint) =>
    checkpoint !== undefined && (!checkpoint.fitsFrame || asked.has(checkpoint.log))
  );
  packNotes(packer, notes);
  packNotes(
    packer,
    about.flatMap((log) => party.unreconciled(log)).filter(({ fitsFrame }) => !fitsFrame),
  );
  // What is asked is answered with evidence: with what is new here, since an answer holds only so much.
  const held = [...logs].flatMap((log) => party.cases(log));
  if (notes.length > 0 && held.length > 0) packer.add(knownItem(held, limits.kinds.known));
  return { items: packer.items, ids: packed.map(({ evidence_id }) => evidence_id) };
}

/** The logs the frames named, and those that no frame can name because their latest fits none. */
function namedLogs(
  { party: { judge }, about, sent, heard }: Frames & {
    party: ExchangeParty;
    about: readonly Log[];
  },
): Set<Log> {
  const isFrameless = (log: Log): boolean => judge.latest(log)?.fitsFrame === false;
  return new Set([
    ...sent.filter(({ frame }) => !isZeroFrame(frame)).map(({ log }) => log),
    ...checkpointsIn(heard).map(({ checkpoint }) => checkpoint.log),
    ...about.filter(isFrameless),
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
      .map(({ log, frame }) => passedKey(log, decodeFrame(frame))),
    ...answers.map(({ checkpoint }) => passedKey(checkpoint.log, checkpoint)),
  ]);
  const inconsistent = answers.filter(({ verdict }) => verdict === "inconsistent");
  return inconsistent.flatMap(({ checkpoint: { log } }) => {
    const isPassed = ({ size, root }: RecordedHead): boolean =>
      passed.has(`${size} ${root} ${log.id}`);
    return party.cases(log)
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
function passedKey(log: Log, { treeSize, rootHash }: TreeHead): string {
  return `${treeSize} ${base64(rootHash)} ${log.id}`;
}
