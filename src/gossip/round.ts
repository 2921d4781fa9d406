import type { RecordedHead } from "../evidence/record.ts";
import { base64 } from "../tlog/encoding.ts";
import { decodeFrame, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import type { TreeHead } from "../tlog/proof.ts";
import { packNotes, packRecords } from "./answering.ts";
import { aboutItem, isSameStart } from "./about_item.ts";
import {
  type Callee,
  ExchangeFailed,
  exchangeFrames,
  nameOfCallee,
  type SentFrame,
  Unreachable,
} from "./caller.ts";
import { casesAbout, type ExchangeParty } from "./exchange.ts";
import { followsItem } from "./follows_item.ts";
import type { Heard, HeardCheckpoint } from "./judge.ts";
import type { ParcelItem } from "./kinds.ts";
import { knownItem } from "./known_item.ts";
import { ParcelPacker } from "./parcel.ts";
import { callWithParcel } from "./parcel_exchange.ts";

/** The result of one round with a peer. */
export interface Round {
  /** The verdict on each frame of the answer, in the order of the frames sent. */
  readonly heard: readonly Heard[];
  /** The verdicts on the notes in the peer's answers to parcels; none if no parcel was needed. */
  readonly notes: readonly HeardCheckpoint[];
  /** The cases it was handed, by evidence id. */
  readonly handedOver: readonly string[];
  /** How many logs both follow; nothing if the peer did not say. */
  readonly shared?: number;
  /** Whether the peer is this monitor itself, or repeats what it says. Then nothing was compared. */
  readonly isSelf?: boolean;
  /** Why a parcel failed, if one did. The results of the frames count all the same. */
  readonly fault?: string;
}

/**
 * One round with a peer (PROTOCOL section 8): first the greeting, a parcel that asks which logs the
 * peer follows and what it has not reconciled of them. Then come the frames about the logs that
 * both follow. Then comes another parcel, if there is a question, or something that fits no frame.
 * @throws ExchangeFailed if the exchange of frames fails; a parcel that fails is reported instead
 * @throws Ended if this end stops meanwhile; whatever `keep` throws
 */
export async function exchangeRound(
  { party, callee }: { party: ExchangeParty; callee: Callee },
): Promise<Round> {
  const greeting = await greet({ party, callee });
  const { shared, fault, isSelf = false } = greeting;
  const logs = party.judge.logs.filter((log) => shared?.has(log) ?? true);
  const told = { notes: greeting.notes, isSelf, ...(shared && { shared: shared.size }) };
  if (logs.length === 0) return { heard: [], handedOver: [], ...told, ...(fault && { fault }) };
  const round = await compare({ party, callee, logs });
  return { ...round, ...told, notes: [...told.notes, ...round.notes], ...(fault && { fault }) };
}

/**
 * Asks a peer which of our logs it follows. It asks in each round, because lists change. If the
 * peer does not say, its last answer counts, or else all our logs: it may be of a version that
 * cannot say.
 * @throws Unreachable
 */
async function greet({ party, callee }: { party: ExchangeParty; callee: Callee }): Promise<{
  shared: ReadonlySet<Log> | undefined;
  notes: readonly HeardCheckpoint[];
  isSelf?: boolean;
  fault?: string;
}> {
  const { peerKnowledge, judge, report, world: { clock } } = party;
  const peer = nameOfCallee(callee);
  const failed = peerKnowledge.parcelFault(peer, clock.monotonic());
  if (failed !== undefined) {
    return { shared: peerKnowledge.bothFollow(peer), notes: [], fault: failed };
  }
  try {
    const items = [followsItem(judge.logs), aboutItem(party.about)];
    const { follows, heard, about } = await callWithParcel({ party, callee, items });
    const isSelf = about !== undefined && isSameStart(about, party.about);
    report.greeted?.(peer, { isSelf, about });
    if (follows !== undefined) peerKnowledge.bothFollowNow(peer, follows);
    return { shared: peerKnowledge.bothFollow(peer), notes: heard, isSelf };
  } catch (error) {
    if (!(error instanceof ExchangeFailed) || error instanceof Unreachable) throw error;
    peerKnowledge.parcelFailed(peer, clock.monotonic(), error.what);
    report.broken(error.what, peer);
    return { shared: peerKnowledge.bothFollow(peer), notes: [], fault: error.what };
  }
}

/** Exchanges frames about these logs, and then a parcel if one is needed. */
async function compare(
  { party, callee, logs }: { party: ExchangeParty; callee: Callee; logs: readonly Log[] },
): Promise<Round> {
  const { world: { clock }, peerKnowledge, report } = party;
  const peer = nameOfCallee(callee);
  const frames = await exchangeFrames({ party, callee, logs });
  const { heard } = frames;
  const now = clock.monotonic();
  peerKnowledge.knowsNow(peer, concluded({ party, ...frames }));
  const asksAll = peerKnowledge.isToBeAsked(peer, now);
  const { items, ids } = await parcelFor({ party, peer, asksAll, about: logs, ...frames });
  if (items.length === 0 || peerKnowledge.parcelFault(peer, now) !== undefined) {
    return { heard, notes: [], handedOver: [] };
  }
  try {
    const answer = await callWithParcel({ party, callee, items });
    // If something was new, there may be more than one answer can hold. The next round asks for it.
    if (asksAll && !answer.hasNews) peerKnowledge.answeredAll(peer, now);
    peerKnowledge.knowsNow(peer, [...ids, ...answer.shown]);
    return { heard, notes: answer.heard, handedOver: ids };
  } catch (error) {
    if (!(error instanceof ExchangeFailed)) throw error;
    peerKnowledge.parcelFailed(peer, clock.monotonic(), error.what);
    report.broken(error.what, peer);
    return { heard, notes: [], handedOver: [], fault: error.what };
  }
}

/** The frames of a round, and the verdicts on their answers. */
interface Frames {
  readonly sent: readonly SentFrame[];
  readonly heard: readonly Heard[];
}

/**
 * Makes this round's parcel. It has the evidence about the logs named that the peer was not handed
 * yet. It also has the notes of checkpoints that fit no frame, and of those that ask about their
 * log.
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
  // While something of a log is not reconciled, every round asks about it, because the peer may
  // have proven it meanwhile.
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
  // The peer answers with evidence. An answer has limited room, so it should hold only what is new
  // here.
  const held = [...logs].flatMap((log) => casesAbout(party, log));
  if (notes.length > 0 && held.length > 0) packer.add(knownItem(held, limits.kinds.known));
  return { items: packer.items, ids: packed.map(({ evidence_id }) => evidence_id) };
}

/**
 * The logs that the frames named, and those whose latest fits no frame, so that no frame can name
 * them.
 */
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
 * The logs that the peer's answers give a reason to ask about. Either the peer has seen more of the
 * log than we have, and so may prove what we cannot prove yet. Or it has nothing of the log that
 * fits a frame.
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
 * The cases that the peer can conclude from the frames alone, by evidence id: it has both signed
 * roots.
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
