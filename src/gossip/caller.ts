import { concat } from "@std/bytes/concat";
import { FRAME_BYTES, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import { formatAddress } from "../world/address.ts";
import { Ended } from "../world/calls.ts";
import { type Address, type Connection, WorldError } from "../world/world.ts";
import type { ExchangeParty } from "./exchange.ts";
import { type Heard, NOTHING } from "./judge.ts";

/** Why an exchange failed: an outage, or a fault of the peer. It is never a log's fault. */
export class ExchangeFailed extends Error {
  /** @param what the reason, without the peer's name, with which the message begins */
  constructor(peer: string, readonly what: string) {
    super(`peer ${peer} ${what}`);
  }
}

/** Nobody answers at a peer's address. */
export class Unreachable extends ExchangeFailed {}

/** Whom to call: who answers at an address, or a member, which is reached in another way. */
export type Callee = Address | Line;

/** A way to a peer other than a TCP connection of its own. */
export interface Line {
  /** The peer's name; see `nameOfPeer`. */
  readonly name: string;
  /**
   * A connection to it. `Calls.close` ends it like any other.
   * @throws WorldError if there is no way to it now; Ended if this end stops meanwhile
   */
  connect(): Promise<Connection>;
}

/** The name of a peer that is called, which is the `source` of what it tells. */
export function nameOfCallee(callee: Callee): string {
  return "connect" in callee ? callee.name : formatAddress(callee);
}

/**
 * Connects to a peer, and notes where it was reached.
 * @throws Unreachable if nobody answers there in time; Ended if this end stops meanwhile
 */
export async function reach(
  { party, callee }: { party: ExchangeParty; callee: Callee },
): Promise<Connection> {
  const { world: { network }, limits, calls, peerHosts } = party;
  try {
    if ("connect" in callee) return await callee.connect();
    const connection = await calls.connect(network, callee, limits.connectMs);
    peerHosts?.reached(callee, connection.remote);
    return connection;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw new Unreachable(nameOfCallee(callee), `cannot be reached: ${error.message}`);
  }
}

/** A frame that was sent, and the log it is about. */
export interface SentFrame {
  readonly log: Log;
  /** 104 bytes. */
  readonly frame: Uint8Array;
}

/**
 * The calling end of one exchange: sends the latest frame of every log followed, or the zero frame
 * if there is none, and the checkpoints that are not reconciled yet. Then it judges the answers.
 * @returns what each answer says, in the order of the frames sent
 * @throws ExchangeFailed if the peer could not be reached, did not answer everything in time, or
 *   answered something that verifies under no key; all answers before that have been judged and
 *   kept
 * @throws Ended if this end stops meanwhile; whatever `keep` throws
 */
export async function callPeer(
  call: { party: ExchangeParty; callee: Callee },
): Promise<Heard[]> {
  return (await exchangeFrames(call)).heard;
}

/**
 * As `callPeer`, for callers that need the frames that were sent as well.
 * @throws as `callPeer`
 */
export async function exchangeFrames(
  { party, callee, logs = party.judge.logs }: {
    party: ExchangeParty;
    callee: Callee;
    /**
     * The logs that the frames are about. A peer refuses a frame of a log that it does not follow.
     */
    logs?: readonly Log[];
  },
): Promise<{ sent: readonly SentFrame[]; heard: Heard[] }> {
  const { calls } = party;
  const peer = nameOfCallee(callee);
  const sent = framesToSend(party, logs);
  const connection = await reach({ party, callee });
  const { answers, fault } = await converse({ connection, sent, party });
  // The answers that came are judged and kept even if the exchange broke off. One may be half of
  // the evidence.
  const heard = await judge({ party, peer, sent, answers });
  if (fault !== undefined) throw calls.isEnded ? new Ended() : new ExchangeFailed(peer, fault);
  checkAnswers({ peer, sent: sent.length, answers, heard });
  return { sent, heard };
}

/**
 * Sends the frames and reads the answers within the exchange's time. It returns the failure, if
 * any.
 */
async function converse(
  { connection, sent, party: { world: { clock }, limits, calls } }: {
    connection: Connection;
    sent: readonly SentFrame[];
    party: ExchangeParty;
  },
): Promise<{ answers: Uint8Array; fault: string | undefined }> {
  let late = false;
  const timer = clock.after(limits.exchangeMs, () => {
    late = true;
    connection.close();
  });
  // It reads at most one frame more than is due, so it notices a peer that never stops.
  const buffer = new Uint8Array((sent.length + 1) * FRAME_BYTES);
  let filled = 0;
  let fault: string | undefined;
  const note = (error: unknown): void => {
    if (!(error instanceof WorldError)) throw error;
    fault ??= late
      ? `did not finish the exchange within ${limits.exchangeMs} ms`
      : `broke the connection: ${error.message}`;
  };
  try {
    // A peer that stopped reading may have answered before.
    const bytes = concat(sent.map(({ frame }) => frame));
    await connection.write(bytes).then(() => connection.closeWrite()).catch(note);
    while (filled < buffer.length) {
      const count = await connection.read(buffer.subarray(filled));
      if (count === undefined) break;
      filled += count;
    }
  } catch (error) {
    note(error);
  } finally {
    timer.cancel();
    calls.close(connection);
  }
  return { answers: buffer.subarray(0, filled), fault };
}

/**
 * The zero frames go last, because a zero frame is answered with a log that no frame has named. The
 * latest of each log goes before its unreconciled checkpoints.
 */
function framesToSend(party: ExchangeParty, logs: readonly Log[]): SentFrame[] {
  const { judge, limits } = party;
  const frames = logs.map((log) => ({ log, frame: judge.latestFrame(log) }));
  const isSaying = ({ frame }: SentFrame): boolean => !isZeroFrame(frame);
  const open = logs.flatMap((log) =>
    party.unreconciled(log).filter(({ fitsFrame }) => fitsFrame).map(({ frame }) => ({
      log,
      frame,
    }))
  );
  return [...frames.filter(isSaying), ...open, ...frames.filter((sent) => !isSaying(sent))]
    .slice(0, limits.maxFramesPerExchange);
}

async function judge(
  { party, peer, sent, answers }: {
    party: ExchangeParty;
    peer: string;
    sent: readonly SentFrame[];
    answers: Uint8Array;
  },
): Promise<Heard[]> {
  const named = new Set<Log>();
  const heard: Heard[] = [];
  const whole = Math.min(sent.length, Math.floor(answers.length / FRAME_BYTES));
  for (let i = 0; i < whole; i++) {
    const frame = answers.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
    const said = party.judge.hear(frame, peer, named).heard;
    // A zero frame names no log. Its answer may be about a log that is not followed here.
    const isAside = said.verdict === "refused" && isZeroFrame(sent[i]!.frame);
    heard.push(isAside ? NOTHING : said);
  }
  await party.keep(peer);
  for (const answer of heard) party.report.heard(answer, peer);
  return heard;
}

function checkAnswers(
  { peer, sent, answers, heard }: {
    peer: string;
    sent: number;
    answers: Uint8Array;
    heard: readonly Heard[];
  },
): void {
  const refused = heard.find(({ verdict }) => verdict === "refused");
  if (refused !== undefined) {
    throw new ExchangeFailed(peer, "answered with something that does not verify");
  }
  if (answers.length !== sent * FRAME_BYTES) {
    const came = answers.length > sent * FRAME_BYTES ? "more" : `${answers.length} bytes`;
    const frames = sent === 1 ? "1 frame" : `${sent} frames`;
    // Nothing is answered that is not durable first.
    const perhaps = answers.length > 0
      ? ""
      : "; it may answer members alone, be ending, limit this address, or be unable to write to its disk";
    throw new ExchangeFailed(
      peer,
      `answered ${came}, expected ${
        sent * FRAME_BYTES
      } bytes (${frames} of ${FRAME_BYTES})${perhaps}`,
    );
  }
}
