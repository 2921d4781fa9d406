import type { Address, Connection, Network } from "./world.ts";

/** Something was not finished because this end stops: no fault of anybody, and told as none. */
export class Ended extends Error {
  constructor() {
    super("this monitor ends");
  }
}

/**
 * The connections that this end has made to others and not closed yet. A pending read cannot be
 * cancelled, only closed, so whoever stops closes them all.
 */
export class Calls {
  /** Give up one each that is being made. */
  readonly #connecting = new Set<() => void>();
  readonly #open = new Set<Connection>();
  #isEnded = false;

  /** Whether `end` was called. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Connects; gives up after `timeoutMs`.
   * @throws Ended once this end stops; WorldError if nobody answers there, or not in time
   */
  connect(network: Network, address: Address, timeoutMs: number): Promise<Connection> {
    if (this.#isEnded) return Promise.reject(new Ended());
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(new Ended());
      this.#connecting.add(giveUp);
      network.connect(address, timeoutMs).finally(() => this.#connecting.delete(giveUp)).then(
        (connection) => {
          if (this.#isEnded) return connection.close();
          this.#open.add(connection);
          resolve(connection);
        },
        reject,
      );
    });
  }

  /** Closes one of them. */
  close(connection: Connection): void {
    this.#open.delete(connection);
    connection.close();
  }

  /** Closes all that are open, gives up those that are being made, and makes none any more. */
  end(): void {
    this.#isEnded = true;
    for (const giveUp of this.#connecting) giveUp();
    for (const connection of this.#open) connection.close();
  }
}
