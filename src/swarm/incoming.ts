import type { Connection } from "../world/world.ts";
import { CELL_BYTES } from "./cell.ts";
import { SessionFault } from "./session_fault.ts";

const READ_BYTES = 16 * CELL_BYTES;

/** The receiving side of a session's connection, in pieces of one size. */
export class Incoming {
  readonly #connection: Connection;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;

  /** @param begun what was read already */
  constructor(connection: Connection, begun: Uint8Array = new Uint8Array(0)) {
    this.#connection = connection;
    this.#buffer = new Uint8Array(Math.max(READ_BYTES, begun.length));
    this.#buffer.set(begun);
    this.#end = begun.length;
  }

  /**
   * The next bytes. They are valid until the next call.
   * @param count at most CELL_BYTES
   * @returns nothing if the other end has finished before the first of them
   * @throws SessionFault if it has finished in the midst of them; WorldError if the connection broke
   */
  async next(count: number): Promise<Uint8Array | undefined> {
    while (this.#end - this.#start < count) {
      if (this.#start > 0) this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      const read = await this.#connection.read(this.#buffer.subarray(this.#end));
      if (read !== undefined) {
        this.#end += read;
        continue;
      }
      if (this.#end === 0) return undefined;
      throw new SessionFault(
        "changed",
        `the connection ended after ${this.#end} of the ${count} bytes of a message`,
      );
    }
    return this.ready(count);
  }

  /** As `next`, if they have come already. To wait for what is there costs more than to open it. */
  ready(count: number): Uint8Array | undefined {
    if (this.#end - this.#start < count) return undefined;
    this.#start += count;
    return this.#buffer.subarray(this.#start - count, this.#start);
  }
}
