/**
 * Conversations on connections. The first byte of a connection says which kind it is of, and so who
 * holds it. Each has a time limit.
 *
 * @module
 */
import {
  ConnectionTable,
  type FavouredHosts,
  type Place,
  SHUTTING_DOWN,
  type TableLimits,
} from "./connection_table.ts";
import { type Clock, type Connection, type Timer, WorldError } from "./world.ts";

/** How much time and room a conversation has. */
export interface ConversationLimits {
  /** How long a caller may take to send its first byte. */
  readonly firstByteMs: number;
  /** How long a connection may take in all, unless its handler sets another time. */
  readonly wholeMs: number;
  /** The most bytes that are read before the handler is chosen. */
  readonly firstReadBytes: number;
}

/** One kind of conversation. */
export interface Handler {
  /** Whether a connection that begins with this byte is of this kind. */
  begins(firstByte: number): boolean;
  /** How many conversations of this kind there may be. Without it, as many as the port holds. */
  readonly table?: TableLimits;
  /**
   * Holds the conversation. The connection is closed afterwards.
   * @returns the fault of what the caller sent, if there is one
   * @throws WorldError if the connection broke; anything else is a fault of ours
   */
  serve(caller: Visitor, first: FirstRead): Promise<string | undefined>;
}

/** The first bytes of a connection. */
export interface FirstRead {
  /** The buffer that has them. It belongs to the handler from now on. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** How many bytes came, at least 1. */
  readonly count: number;
}

/** What happens to conversations. */
export interface ConversationReport {
  /** A connection, or the wait for one, ended before both sides had finished. */
  broken(reason: string, source: string): void;
  /** This side failed. That is no fault of a caller. */
  failed(error: unknown): void;
}

/** A caller that has connected, as its handler sees it. */
export class Visitor {
  readonly #place: Place;
  readonly #time: ConnectionTime;
  readonly #clock: Clock;
  readonly #onStay: () => void;

  constructor(
    { place, time, clock, onStay }: {
      place: Place;
      time: ConnectionTime;
      clock: Clock;
      onStay: () => void;
    },
  ) {
    this.#place = place;
    this.#time = time;
    this.#clock = clock;
    this.#onStay = onStay;
  }

  /** Its connection. */
  get connection(): Connection {
    return this.#place.connection;
  }

  /**
   * Who it is, for people: its address, without the port, which is another one each time. A member's
   * name if the connection goes through a session.
   */
  get source(): string {
    return this.#place.source ?? this.#place.connection.remote.hostname;
  }

  /** The key of its allowance; see `addressKey`. */
  get key(): string {
    return this.#place.key;
  }

  /** Why its connection was closed from here, if it was. */
  get closedBecause(): string | undefined {
    return this.#place.closedBecause;
  }

  /** Notes that bytes came. In a full table, the caller that was silent longest gives way. */
  heard(): void {
    this.#place.heardAt = this.#clock.monotonic();
  }

  /**
   * Sets a new time limit, which begins now. When it is over, the connection is closed for this
   * reason.
   */
  finishWithin(ms: number, reason: string): void {
    this.#time.finishWithin(ms, reason);
  }

  /**
   * Lets the connection stay for as long as its handler likes. It no longer counts among those that
   * are served, so its handler has to bound how many there are, and has to close it in the end.
   */
  stay(): void {
    this.#time.over();
    this.#onStay();
  }
}

/** The time limits of one connection. */
class ConnectionTime {
  readonly #closeAfter: (ms: number, reason: string) => Timer;
  readonly #first: Timer;
  #whole: Timer;

  constructor(
    { closeAfter, limits: { firstByteMs, wholeMs } }: {
      closeAfter: (ms: number, reason: string) => Timer;
      limits: ConversationLimits;
    },
  ) {
    this.#closeAfter = closeAfter;
    this.#first = closeAfter(firstByteMs, `no byte came within ${firstByteMs} ms`);
    this.#whole = closeAfter(wholeMs, `the exchange was not finished within ${wholeMs} ms`);
  }

  /** The first byte has come. */
  begun(): void {
    this.#first.cancel();
  }

  finishWithin(ms: number, reason: string): void {
    this.#whole.cancel();
    this.#whole = this.#closeAfter(ms, reason);
  }

  /** The connection has ended. */
  over(): void {
    this.#first.cancel();
    this.#whole.cancel();
  }
}

/** Holds conversations, each with the handler for its kind. */
export class Conversations {
  readonly #clock: Clock;
  readonly #limits: ConversationLimits;
  readonly #report: ConversationReport;
  readonly #handlers: readonly Handler[];
  /** The connections whose kind has a limit of its own. */
  readonly #tables: ReadonlyMap<Handler, ConnectionTable>;

  /**
   * @param handlers the first one that knows the first byte holds the conversation
   * @param favoured the hosts for which places are reserved
   */
  constructor({ clock, limits, report, handlers, favoured }: {
    clock: Clock;
    limits: ConversationLimits;
    report: ConversationReport;
    handlers: readonly Handler[];
    favoured?: FavouredHosts | undefined;
  }) {
    this.#clock = clock;
    this.#limits = limits;
    this.#report = report;
    this.#handlers = handlers;
    this.#tables = new Map(
      handlers.flatMap((handler) =>
        handler.table === undefined
          ? []
          : [[handler, new ConnectionTable(handler.table, favoured)] as const]
      ),
    );
  }

  /** The monotonic time, in milliseconds. */
  get now(): number {
    return this.#clock.monotonic();
  }

  /**
   * Holds one conversation and closes the connection afterwards. It throws nothing.
   * @param onStay called if the connection stays; see Visitor
   */
  async hold(place: Place, onStay: () => void = () => {}): Promise<void> {
    const { connection } = place;
    const time = new ConnectionTime({
      limits: this.#limits,
      closeAfter: (ms, reason) => this.#closeAfter(place, ms, reason),
    });
    const stay = (): void => {
      this.#leaveTables(place);
      onStay();
    };
    const caller = new Visitor({ place, time, clock: this.#clock, onStay: stay });
    const broken = (reason: string): void => {
      // If this end stops, that is no fault of a caller.
      if (place.closedBecause !== SHUTTING_DOWN) this.#report.broken(reason, caller.source);
    };
    try {
      const buffer = new Uint8Array(this.#limits.firstReadBytes);
      const count = await connection.read(buffer);
      // A caller that sends nothing and finishes has done nothing wrong.
      if (count === undefined) return;
      time.begun();
      const fault = await this.#handOver(place, caller, { buffer, count });
      if (fault !== undefined) broken(fault);
    } catch (error) {
      if (error instanceof WorldError) broken(place.closedBecause ?? error.message);
      else this.#report.failed(error);
    } finally {
      time.over();
      connection.close();
      this.#leaveTables(place);
    }
  }

  #leaveTables(place: Place): void {
    for (const table of this.#tables.values()) table.remove(place);
  }

  #closeAfter(place: Place, ms: number, reason: string): Timer {
    return this.#clock.after(ms, () => {
      place.closedBecause ??= reason;
      place.connection.close();
    });
  }

  /**
   * Lets the right handler hold the conversation. Returns the fault of what came, if there is one.
   */
  #handOver(place: Place, caller: Visitor, first: FirstRead): Promise<string | undefined> {
    const firstByte = first.buffer[0]!;
    const handler = this.#handlers.find((one) => one.begins(firstByte));
    if (handler === undefined) {
      return Promise.resolve(
        `it begins with byte ${firstByte}, and nothing that is served here begins so`,
      );
    }
    this.#tables.get(handler)?.add(place);
    return handler.serve(caller, first);
  }
}
