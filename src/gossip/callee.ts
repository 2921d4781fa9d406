import { FRAME_BYTES } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import { acceptAll } from "../world/accepting.ts";
import { formatAddress } from "../world/address.ts";
import { Allowance, type StrangersShare } from "../world/allowance.ts";
import {
  addressKey,
  ConnectionTable,
  type Place,
  SHUTTING_DOWN,
} from "../world/connection_table.ts";
import {
  type Address,
  type Connection,
  type Listener,
  type Timer,
  WorldError,
} from "../world/world.ts";
import { serveParcel } from "./carrier.ts";
import { type ExchangeParty, NotKept, orNotKept, SECOND_CARRIER_BIT } from "./exchange.ts";
import type { Heard } from "./judge.ts";
import { allowanceLimits } from "./limits.ts";

/** Read and answered at a time: as many whole frames as fit 64 kB. */
const CHUNK_BYTES = FRAME_BYTES * 630;
/**
 * The same until a caller has sent as many at once. Nearly every exchange is over by then, and making
 * 128 kB for each costs more than all else that is done for it here.
 */
const FIRST_CHUNK_BYTES = FRAME_BYTES * 64;

/** What ends a connection in time. */
interface Deadlines {
  first: Timer;
  whole: Timer;
}

/** The answering end of the exchange: serves everyone who connects. */
export class Callee {
  readonly #party: ExchangeParty;
  readonly #listener: Listener;
  readonly #allowance: Allowance;
  /** What the parcels of all strangers may still cost. */
  readonly #parcelShare: StrangersShare;
  /** The signatures that may still be checked of strangers' frames. */
  readonly #signatureShare: StrangersShare;
  readonly #table: ConnectionTable;
  /** Those of the table that speak the second carrier. */
  readonly #parcels: ConnectionTable;
  readonly #serving = new Set<Promise<void>>();
  #closing = false;

  constructor({ party, listener }: { party: ExchangeParty; listener: Listener }) {
    this.#party = party;
    this.#listener = listener;
    const { world: { clock }, limits } = party;
    this.#allowance = new Allowance({ clock, limits: allowanceLimits(limits) });
    this.#parcelShare = this.#allowance.share();
    this.#signatureShare = this.#allowance.share();
    this.#table = new ConnectionTable(party.limits, party.peerHosts);
    this.#parcels = new ConnectionTable({
      maxConnections: party.limits.maxParcelConnections,
      maxConnectionsPerAddress: party.limits.maxParcelConnectionsPerAddress,
    }, party.peerHosts);
  }

  /** Where it answers. */
  get address(): Address {
    return this.#listener.address;
  }

  /** Connections being served now. */
  get connections(): number {
    return this.#table.size;
  }

  /** Serves until `close`; a connection that cannot be accepted does not end it. */
  async run(): Promise<void> {
    const { world: { clock }, limits: { acceptRetryMs }, report } = this.#party;
    const where = formatAddress(this.#listener.address);
    await acceptAll({
      ...{ listener: this.#listener, clock, retryMs: acceptRetryMs },
      isOver: () => this.#closing,
      onConnection: (connection) => {
        const served: Promise<void> = this.#admit(connection)
          .finally(() => this.#serving.delete(served));
        this.#serving.add(served);
      },
      onTrouble: ({ reason }) => report.broken(reason, where),
    });
    await Promise.all(this.#serving);
  }

  /** Stops accepting and ends what is being served; `run` then returns. */
  close(): void {
    this.#closing = true;
    this.#listener.close();
    this.#table.closeAll();
  }

  async #admit(connection: Connection): Promise<void> {
    const { world: { clock }, limits, report } = this.#party;
    const key = addressKey(connection.remote.hostname);
    if (this.#closing || !this.#allowance.isOpen(key)) {
      connection.close();
      return;
    }
    const place: Place = { connection, key, heardAt: clock.monotonic(), closedBecause: undefined };
    this.#table.add(place);
    const { firstByteMs, exchangeMs } = limits;
    const deadlines: Deadlines = {
      first: this.#closeAfter(place, firstByteMs, `no byte came within ${firstByteMs} ms`),
      whole: this.#closeAfter(
        place,
        exchangeMs,
        `the exchange was not finished within ${exchangeMs} ms`,
      ),
    };
    // The port is another one each time, and says nothing of who it is.
    const source = connection.remote.hostname;
    const broken = (reason: string): void => {
      // That this end stops is no fault of a caller.
      if (place.closedBecause !== SHUTTING_DOWN) report.broken(reason, source);
    };
    try {
      const fault = await this.#serve(place, source, deadlines);
      if (fault !== undefined) broken(fault);
    } catch (error) {
      if (error instanceof NotKept) report.refused(error.cause);
      else if (error instanceof WorldError) broken(place.closedBecause ?? error.message);
      else report.refused(error);
    } finally {
      deadlines.first.cancel();
      deadlines.whole.cancel();
      connection.close();
      this.#table.remove(place);
      this.#parcels.remove(place);
    }
  }

  #closeAfter(place: Place, ms: number, reason: string): Timer {
    return this.#party.world.clock.after(ms, () => this.#table.close(place, reason));
  }

  /** Answers until the caller has finished; returns what was wrong with what it sent, if anything. */
  async #serve(
    place: Place,
    source: string,
    deadlines: Deadlines,
  ): Promise<string | undefined> {
    const { world: { clock }, limits } = this.#party;
    const { connection, key } = place;
    let buffer = new Uint8Array(FIRST_CHUNK_BYTES);
    let answers = new Uint8Array(FIRST_CHUNK_BYTES);
    const exchange = { source, named: new Set<Log>(), told: new Set<Heard>() };
    let filled = 0;
    let frames = 0;
    for (;;) {
      const count = await connection.read(buffer.subarray(filled));
      if (count === undefined) break;
      if (frames === 0 && filled === 0) {
        deadlines.first.cancel();
        if ((buffer[0]! & SECOND_CARRIER_BIT) !== 0) {
          const begun = buffer.subarray(0, count);
          return await this.#serveParcel({ place, source, deadlines, begun });
        }
      }
      place.heardAt = clock.monotonic();
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
      if (refused) return "closed without an answer to what was refused, and its address charged";
      if (isTooMuch) return "more came that is to be verified than strangers together may send";
      if (filled === FIRST_CHUNK_BYTES && buffer.length === filled) {
        // Whole frames only, all of them answered: nothing has to move into the larger ones.
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

  /** Answers a parcel, within limits of its own; returns what was wrong with it, if anything. */
  async #serveParcel({ place, source, deadlines, begun }: {
    place: Place;
    source: string;
    deadlines: Deadlines;
    begun: Uint8Array;
  }): Promise<string | undefined> {
    const { world: { clock }, limits: { parcelMs }, peerHosts } = this.#party;
    const { connection, key } = place;
    const isPeer = peerHosts?.has(key) === true;
    deadlines.whole.cancel();
    deadlines.whole = this.#closeAfter(
      place,
      parcelMs,
      `the parcel was not finished within ${parcelMs} ms`,
    );
    this.#parcels.add(place);
    const fault = await serveParcel({
      ...{ party: this.#party, connection, source, begun },
      pay: (frames) =>
        isPeer ? this.#allowance.take(key, frames) : this.#parcelShare.take(key, frames),
      owe: (frames) => {
        if (!isPeer) this.#parcelShare.owe(key, frames);
      },
      onBytes: () => place.heardAt = clock.monotonic(),
    });
    if (fault === undefined) return undefined;
    if (!fault.charged) return place.closedBecause ?? fault.reason;
    this.#allowance.charge(key);
    return `${fault.reason}; closed without an answer, and its address charged`;
  }

  /**
   * Judges the first `count` frames in `buffer` and puts the answers into `answers`; up to the first
   * that is refused, or that there is no allowance for.
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
    const { judge, peerHosts } = this.#party;
    const isStranger = peerHosts?.has(key) !== true;
    const news: Heard[] = [];
    const words = new Uint32Array(buffer.buffer);
    const answerWords = new Uint32Array(answers.buffer);
    let wasNothing = false;
    for (let i = 0; i < count; i++) {
      const at = i * FRAME_BYTES;
      // A caller that repeats itself is told the same again; only the zero frame asks anew.
      if (i > 0 && isRepeat(words, i) && !wasNothing) {
        repeat(answerWords, i);
        continue;
      }
      const frame = buffer.subarray(at, at + FRAME_BYTES);
      if (isStranger && !judge.knows(frame) && !this.#signatureShare.isOpen(key)) {
        return { answered: i, refused: false, isTooMuch: true, news };
      }
      const { heard, answer, tried } = judge.hear(frame, source, named);
      if (isStranger && tried !== undefined) this.#signatureShare.used(tried);
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
