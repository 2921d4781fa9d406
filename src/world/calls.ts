import type { Address, Connection, Network } from "./world.ts";

/** Work ended early because this end stops. That is nobody's fault, and is not reported as one. */
export class Ended extends Error {
  constructor() {
    super("this monitor ends");
  }
}

/**
 * The connections that this end has made to others and not closed yet. A pending read cannot be
 * cancelled; only closing its connection ends it. So to stop, all of them are closed.
 */
export class Calls {
  /** Each gives up one connection that is being made. */
  readonly #connecting = new Set<() => void>();
  readonly #open = new Set<Connection>();
  #isEnded = false;

  /** Whether `end` was called. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Connects, and gives up after `timeoutMs`.
   * @throws Ended once this end stops; WorldError if nobody answers there in time
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

  /** Has nothing to do with one of them any more: somebody else closes it. */
  release(connection: Connection): void {
    this.#open.delete(connection);
  }

  /** Closes all open connections, gives up those that are being made, and makes no more. */
  end(): void {
    this.#isEnded = true;
    for (const giveUp of this.#connecting) giveUp();
    for (const connection of this.#open) connection.close();
  }
}
