/**
 * The answering end of the exchange: the handlers registered at a port's acceptor. A connection
 * whose first bit is set brings a parcel, any other brings frames.
 *
 * @module
 */
import { FRAME_BYTES } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import { Acceptor } from "../world/acceptor.ts";
import type { Allowance, StrangersShare } from "../world/allowance.ts";
import type { TableLimits } from "../world/connection_table.ts";
import {
  Conversations,
  type FirstRead,
  type Handler,
  type Visitor,
} from "../world/conversations.ts";
import type { Listener } from "../world/world.ts";
import { type ExchangeParty, NotKept, orNotKept } from "./exchange.ts";
import { PARCEL_BIT } from "./parcel.ts";
import type { Heard } from "./judge.ts";
import { serveParcel } from "./parcel_exchange.ts";
import { acceptorLimits, parcelTableLimits } from "./limits.ts";
import { Tolls } from "./tolls.ts";

/** Bytes read and answered at a time: as many whole frames as fit 64 kB. */
const CHUNK_BYTES = FRAME_BYTES * 630;
/**
 * The same at first, until a caller has sent as many at once. Nearly every exchange is over by
 * then. Allocating 128 kB for each exchange would cost more than all its other work here.
 */
const FIRST_CHUNK_BYTES = FRAME_BYTES * 64;
/** With a parcel's bit, this one makes a session, which is not for here. */
const SESSION_BIT = 0x40;

/**
 * The handlers of frames and parcels.
 * @param tolls what callers may ask for, if other ports take from the same
 */
export function exchangeHandlers(
  { party, tolls = new Tolls(party) }: { party: ExchangeParty; tolls?: Tolls },
): Handler[] {
  return [new ParcelHandler({ party, tolls }), new FrameHandler({ party, tolls })];
}

/** Holds conversations, within the limits of the exchange, on whatever connection they come. */
export function exchangeConversations(
  { party, handlers }: { party: ExchangeParty; handlers: readonly Handler[] },
): Conversations {
  const { world: { clock }, limits, report, peerHosts } = party;
  const { firstByteMs, exchangeMs: wholeMs } = limits;
  return new Conversations({
    ...{ clock, favoured: peerHosts, handlers },
    report: {
      broken: (reason, source) => report.broken(reason, source),
      // For NotKept, the cause is the error to report.
      failed: (error) => report.notAnswered(error instanceof NotKept ? error.cause : error),
    },
    limits: { firstByteMs, wholeMs, firstReadBytes: FIRST_CHUNK_BYTES },
  });
}

/**
 * A port where frames and parcels are answered.
 * @param handlers what is answered there instead, and before
 */
export function exchangeAcceptor(
  { party, listener, tolls = new Tolls(party), handlers = exchangeHandlers({ party, tolls }) }: {
    party: ExchangeParty;
    listener: Listener;
    tolls?: Tolls | undefined;
    handlers?: readonly Handler[];
  },
): Acceptor {
  const { world: { clock }, limits, report, peerHosts } = party;
  return new Acceptor({
    ...{ listener, clock, allowance: tolls.allowance, favoured: peerHosts },
    limits: acceptorLimits(limits),
    conversations: exchangeConversations({ party, handlers }),
    onTrouble: (reason, where) => report.broken(reason, where),
  });
}

/** Answers parcels, within limits of their own. */
class ParcelHandler implements Handler {
  readonly table: TableLimits;
  readonly #party: ExchangeParty;
  readonly #tolls: Tolls;

  constructor({ party, tolls }: { party: ExchangeParty; tolls: Tolls }) {
    this.table = parcelTableLimits(party.limits);
    this.#party = party;
    this.#tolls = tolls;
  }

  begins(firstByte: number): boolean {
    return (firstByte & (PARCEL_BIT | SESSION_BIT)) === PARCEL_BIT;
  }

  async serve(caller: Visitor, { buffer, count }: FirstRead): Promise<string | undefined> {
    const { parcelMs } = this.#party.limits;
    caller.finishWithin(parcelMs, `the parcel was not finished within ${parcelMs} ms`);
    return await this.#answer(caller, buffer.subarray(0, count));
  }

  async #answer(caller: Visitor, begun: Uint8Array): Promise<string | undefined> {
    const { connection, source, key } = caller;
    const fault = await serveParcel({
      ...{ party: this.#party, connection, source, begun },
      pay: (frames) => this.#tolls.pay(key, frames),
      owe: (frames) => this.#tolls.owe(key, frames),
      onBytes: () => caller.heard(),
    });
    if (fault === undefined) return undefined;
    if (!fault.charged) return caller.closedBecause ?? fault.reason;
    this.#tolls.allowance.charge(key);
    return `${fault.reason}; closed without an answer, and its address charged`;
  }
}

/** Answers frames until the caller has finished. */
class FrameHandler implements Handler {
  readonly #party: ExchangeParty;
  readonly #tolls: Tolls;
  readonly #allowance: Allowance;
  /** How many signatures of strangers' frames may still be checked. */
  readonly #signatures: StrangersShare;

  constructor({ party, tolls }: { party: ExchangeParty; tolls: Tolls }) {
    this.#party = party;
    this.#tolls = tolls;
    this.#allowance = tolls.allowance;
    this.#signatures = tolls.allowance.share();
  }

  begins(firstByte: number): boolean {
    return (firstByte & PARCEL_BIT) === 0;
  }

  async serve(caller: Visitor, first: FirstRead): Promise<string | undefined> {
    const { limits } = this.#party;
    const { connection, source, key } = caller;
    let { buffer } = first;
    let answers = new Uint8Array(buffer.length);
    const exchange = { source, named: new Set<Log>(), told: new Set<Heard>() };
    let filled = 0;
    let frames = 0;
    let count: number | undefined = first.count;
    for (; count !== undefined; count = await connection.read(buffer.subarray(filled))) {
      caller.heard();
      filled += count;
      const whole = Math.floor(filled / FRAME_BYTES);
      if (whole === 0) continue;
      frames += whole;
      if (frames > limits.maxFramesPerExchange) {
        return `more than ${limits.maxFramesPerExchange} frames came in one exchange`;
      }
      if (!this.#allowance.take(key, whole)) {
        return `more than ${limits.framesPerSecondPerAddress} frames a second came from its address`;
      }
      const { answered, refused, isTooMuch, news } = await orNotKept(async () => {
        const said = this.#answer(buffer, answers, whole, { ...exchange, key });
        if (said.refused) this.#allowance.charge(key);
        await this.#party.keep(source);
        return said;
      });
      for (const heard of news) this.#party.report.heard(heard, source);
      if (answered > 0) await connection.write(answers.subarray(0, answered * FRAME_BYTES));
      if (refused) return "closed without an answer to the refused frame, and its address charged";
      if (isTooMuch) return "all strangers together sent more frames than may be verified";
      if (filled === FIRST_CHUNK_BYTES && buffer.length === filled) {
        // The buffers hold only whole frames, and all of them were answered. So nothing has to be
        // copied.
        buffer = new Uint8Array(CHUNK_BYTES);
        answers = new Uint8Array(CHUNK_BYTES);
      }
      buffer.copyWithin(0, whole * FRAME_BYTES, filled);
      filled -= whole * FRAME_BYTES;
    }
    if (filled > 0) {
      this.#allowance.charge(key);
      return `${filled} bytes came after the last whole frame, expected ${FRAME_BYTES} a frame`;
    }
    return undefined;
  }

  /**
   * Judges the first `count` frames in `buffer` and puts the answers into `answers`. It stops at
   * the first frame that is refused, or for which there is no allowance.
   */
  #answer(
    buffer: Uint8Array,
    answers: Uint8Array,
    count: number,
    { source, key, named, told }: {
      source: string;
      key: string;
      named: Set<Log>;
      told: Set<Heard>;
    },
  ): { answered: number; refused: boolean; isTooMuch: boolean; news: Heard[] } {
    const { judge } = this.#party;
    const fromStranger = this.#tolls.isStranger(key);
    const news: Heard[] = [];
    const words = new Uint32Array(buffer.buffer);
    const answerWords = new Uint32Array(answers.buffer);
    let wasNothing = false;
    for (let i = 0; i < count; i++) {
      const at = i * FRAME_BYTES;
      // A repeated frame gets the same answer again. Only a zero frame asks anew.
      if (i > 0 && isRepeat(words, i) && !wasNothing) {
        repeat(answerWords, i);
        continue;
      }
      const frame = buffer.subarray(at, at + FRAME_BYTES);
      if (fromStranger && !judge.knows(frame) && !this.#signatures.isOpen(key)) {
        return { answered: i, refused: false, isTooMuch: true, news };
      }
      const { heard, answer, tried } = judge.hear(frame, source, named);
      if (fromStranger && tried !== undefined) this.#signatures.used(tried);
      wasNothing = heard.verdict === "nothing";
      if (!told.has(heard)) {
        told.add(heard);
        news.push(heard);
      }
      if (answer === undefined) return { answered: i, refused: true, isTooMuch: false, news };
      answers.set(answer, at);
    }
    return { answered: count, refused: false, isTooMuch: false, news };
  }
}

const FRAME_WORDS = FRAME_BYTES / Uint32Array.BYTES_PER_ELEMENT;

/** Whether frame `i` is the same as the one before it. */
function isRepeat(words: Uint32Array, i: number): boolean {
  const end = (i + 1) * FRAME_WORDS;
  for (let at = i * FRAME_WORDS; at < end; at++) {
    if (words[at] !== words[at - FRAME_WORDS]) return false;
  }
  return true;
}

/** Makes frame `i` the same as the one before it. */
function repeat(words: Uint32Array, i: number): void {
  const end = (i + 1) * FRAME_WORDS;
  for (let at = i * FRAME_WORDS; at < end; at++) words[at] = words[at - FRAME_WORDS]!;
}
