/**
 * One port for several kinds of conversation. It accepts callers that may connect, gives each
 * connection a place and a time limit, and reads its first bytes. Then it hands the connection to
 * the handler for conversations that begin so.
 *
 * @module
 */
import { acceptAll } from "./accepting.ts";
import { formatAddress } from "./address.ts";
import type { Allowance } from "./allowance.ts";
import {
  addressKey,
  ConnectionTable,
  type FavouredHosts,
  type Place,
  SHUTTING_DOWN,
  type TableLimits,
} from "./connection_table.ts";
import {
  type Address,
  type Clock,
  type Connection,
  type Listener,
  type Timer,
  WorldError,
} from "./world.ts";

/** How much callers of a port may use, whatever they send. */
export interface AcceptorLimits extends TableLimits {
  /** How long a caller may take to send its first byte. */
  readonly firstByteMs: number;
  /** How long a connection may take in all, unless its handler sets another time. */
  readonly wholeMs: number;
  /** How long to wait before accepting again when the system has no descriptors left. */
  readonly acceptRetryMs: number;
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

/** What an acceptor reports. */
export interface AcceptorReport {
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

  constructor({ place, time, clock }: { place: Place; time: ConnectionTime; clock: Clock }) {
    this.#place = place;
    this.#time = time;
    this.#clock = clock;
  }

  /** Its connection. */
  get connection(): Connection {
    return this.#place.connection;
  }

  /** Its address, for people. The port is left out, because it is another one each time. */
  get source(): string {
    return this.#place.connection.remote.hostname;
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
}

/** The time limits of one connection. */
class ConnectionTime {
  readonly #closeAfter: (ms: number, reason: string) => Timer;
  readonly #first: Timer;
  #whole: Timer;

  constructor(
    { closeAfter, limits: { firstByteMs, wholeMs } }: {
      closeAfter: (ms: number, reason: string) => Timer;
      limits: AcceptorLimits;
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

/** The answering end of a port: serves everyone who connects. */
export class Acceptor {
  readonly #listener: Listener;
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  readonly #limits: AcceptorLimits;
  readonly #report: AcceptorReport;
  readonly #handlers: readonly Handler[];
  readonly #table: ConnectionTable;
  /** The connections in the table whose kind has a limit of its own. */
  readonly #tables: ReadonlyMap<Handler, ConnectionTable>;
  readonly #serving = new Set<Promise<void>>();
  #closing = false;

  /**
   * @param allowance says whether an address may connect; the handlers take from it
   * @param handlers the first one that knows the first byte serves the connection
   * @param favoured the hosts for which places are reserved
   */
  constructor({ listener, clock, allowance, limits, report, handlers, favoured }: {
    listener: Listener;
    clock: Clock;
    allowance: Allowance;
    limits: AcceptorLimits;
    report: AcceptorReport;
    handlers: readonly Handler[];
    favoured?: FavouredHosts | undefined;
  }) {
    this.#listener = listener;
    this.#clock = clock;
    this.#allowance = allowance;
    this.#limits = limits;
    this.#report = report;
    this.#handlers = handlers;
    this.#table = new ConnectionTable(limits, favoured);
    this.#tables = new Map(
      handlers.flatMap((handler) =>
        handler.table === undefined
          ? []
          : [[handler, new ConnectionTable(handler.table, favoured)] as const]
      ),
    );
  }

  /** Where it answers. */
  get address(): Address {
    return this.#listener.address;
  }

  /** Connections being served now. */
  get connections(): number {
    return this.#table.size;
  }

  /** Serves until `close`. A connection that cannot be accepted does not end it. */
  async run(): Promise<void> {
    const where = formatAddress(this.#listener.address);
    await acceptAll({
      ...{ listener: this.#listener, clock: this.#clock, retryMs: this.#limits.acceptRetryMs },
      isOver: () => this.#closing,
      onConnection: (connection) => {
        const served: Promise<void> = this.#admit(connection)
          .finally(() => this.#serving.delete(served));
        this.#serving.add(served);
      },
      onTrouble: ({ reason }) => this.#report.broken(reason, where),
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
    const key = addressKey(connection.remote.hostname);
    if (this.#closing || !this.#allowance.isOpen(key)) {
      connection.close();
      return;
    }
    const heardAt = this.#clock.monotonic();
    const place: Place = { connection, key, heardAt, closedBecause: undefined };
    this.#table.add(place);
    const time = new ConnectionTime({
      limits: this.#limits,
      closeAfter: (ms, reason) => this.#closeAfter(place, ms, reason),
    });
    const caller = new Visitor({ place, time, clock: this.#clock });
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
      this.#table.remove(place);
      for (const table of this.#tables.values()) table.remove(place);
    }
  }

  #closeAfter(place: Place, ms: number, reason: string): Timer {
    return this.#clock.after(ms, () => this.#table.close(place, reason));
  }

  /**
   * Lets the right handler serve the connection. Returns the fault of what came, if there is one.
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
