/**
 * One port for several kinds of conversation. It accepts callers that may connect, gives each
 * connection a place, and has the conversation held.
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
  type TableLimits,
} from "./connection_table.ts";
import type { Conversations } from "./conversations.ts";
import type { Address, Clock, Connection, Listener } from "./world.ts";

/** How much callers of a port may use, whatever they send. */
export interface AcceptorLimits extends TableLimits {
  /** How long to wait before accepting again when the system has no descriptors left. */
  readonly acceptRetryMs: number;
}

/** The answering end of a port: serves everyone who connects. */
export class Acceptor {
  readonly #listener: Listener;
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  readonly #limits: AcceptorLimits;
  readonly #conversations: Conversations;
  readonly #onTrouble: (reason: string, where: string) => void;
  readonly #table: ConnectionTable;
  readonly #serving = new Set<Promise<void>>();
  #closing = false;

  /**
   * @param allowance says whether an address may connect; the handlers take from it
   * @param favoured the hosts for which places are reserved
   * @param onTrouble told why a connection could not be accepted, and where
   */
  constructor({ listener, clock, allowance, limits, conversations, favoured, onTrouble }: {
    listener: Listener;
    clock: Clock;
    allowance: Allowance;
    limits: AcceptorLimits;
    conversations: Conversations;
    favoured?: FavouredHosts | undefined;
    onTrouble: (reason: string, where: string) => void;
  }) {
    this.#listener = listener;
    this.#clock = clock;
    this.#allowance = allowance;
    this.#limits = limits;
    this.#conversations = conversations;
    this.#onTrouble = onTrouble;
    this.#table = new ConnectionTable(limits, favoured);
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
      onTrouble: ({ reason }) => this.#onTrouble(reason, where),
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
    try {
      await this.#conversations.hold(place, () => this.#table.remove(place));
    } finally {
      this.#table.remove(place);
    }
  }
}
