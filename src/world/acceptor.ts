/**
 * One port on which several kinds of conversation are held. It accepts whoever may connect, gives
 * each connection a place and a time, reads what comes first, and hands the connection to the
 * handler whose kind begins so.
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

/** What callers of a port may take, whatever they say. */
export interface AcceptorLimits extends TableLimits {
  /** How long a caller may take to send its first byte. */
  readonly firstByteMs: number;
  /** How long a connection may take in all, unless its handler says otherwise. */
  readonly wholeMs: number;
  /** How long to wait before accepting again when the system has no descriptors left. */
  readonly acceptRetryMs: number;
  /** Bytes read at most before it is known whose the connection is. */
  readonly firstReadBytes: number;
}

/** One kind of conversation. */
export interface Handler {
  /** Whether a connection that begins with this byte is of this kind. */
  begins(firstByte: number): boolean;
  /** How many there may be of this kind; without it as many as the port holds. */
  readonly table?: TableLimits;
  /**
   * Holds the conversation; the connection is closed when this ends.
   * @returns what was wrong with what the caller sent, if anything
   * @throws WorldError if the connection broke; anything else is a fault of ours
   */
  serve(caller: Visitor, first: FirstRead): Promise<string | undefined>;
}

/** What came first on a connection. */
export interface FirstRead {
  /** What it was read into; the handler's own from now on. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** How many bytes came, at least 1. */
  readonly count: number;
}

/** What is told of the connections. */
export interface AcceptorReport {
  /** A connection, or the wait for one, ended otherwise than by both sides finishing. */
  broken(reason: string, source: string): void;
  /** This side failed: no fault of a caller. */
  failed(error: unknown): void;
}

/** Who has connected, as a handler has it. */
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

  /** Its address, for people. Its port is another one each time, and says nothing of who it is. */
  get source(): string {
    return this.#place.connection.remote.hostname;
  }

  /** What its allowance goes by; see `addressKey`. */
  get key(): string {
    return this.#place.key;
  }

  /** Why its connection was closed from here, if it was. */
  get closedBecause(): string | undefined {
    return this.#place.closedBecause;
  }

  /** Notes that something came; in a full table who has been silent longest gives way. */
  heard(): void {
    this.#place.heardAt = this.#clock.monotonic();
  }

  /** From now on it has so long; any longer, and it is closed for this reason. */
  finishWithin(ms: number, reason: string): void {
    this.#time.finishWithin(ms, reason);
  }
}

/** What ends one connection in time. */
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

  /** The first byte came. */
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
  /** Of the connections in the table, those of a kind that has a limit of its own. */
  readonly #tables: ReadonlyMap<Handler, ConnectionTable>;
  readonly #serving = new Set<Promise<void>>();
  #closing = false;

  /**
   * @param allowance asked whether an address may connect; what it takes of it is for the handlers
   * @param handlers the first whose kind begins with the byte that came serves
   * @param favoured hosts that have been promised places
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

  /** Serves until `close`; a connection that cannot be accepted does not end it. */
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
      // That this end stops is no fault of a caller.
      if (place.closedBecause !== SHUTTING_DOWN) this.#report.broken(reason, caller.source);
    };
    try {
      const buffer = new Uint8Array(this.#limits.firstReadBytes);
      const count = await connection.read(buffer);
      // A caller that says nothing and finishes has done nothing wrong.
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

  /** Lets the handler serve whose kind begins so; gives what was wrong with what came, if anything. */
  #handOver(place: Place, caller: Visitor, first: FirstRead): Promise<string | undefined> {
    const firstByte = first.buffer[0]!;
    const handler = this.#handlers.find((one) => one.begins(firstByte));
    if (handler === undefined) {
      return Promise.resolve(
        `it begins with byte ${firstByte}, as nothing does that is served here`,
      );
    }
    this.#tables.get(handler)?.add(place);
    return handler.serve(caller, first);
  }
}
