import { concat } from "@std/bytes/concat";
import { type Clock, type Connection, WorldError } from "../world/world.ts";
import { CELL_ROOM, type CellSealer } from "./cell.ts";
import { SessionFault } from "./session_fault.ts";
import type { SessionLimits } from "./session_limits.ts";
import { Signal } from "./signal.ts";

/** Cells that are sealed and written at a time. */
const BATCH_CELLS = 16;

/** A message that waits to be sent, or the rest of one. */
interface Waiting {
  readonly message: Uint8Array;
  /** Nobody waits for an answer to be sent. */
  readonly sent: PromiseWithResolvers<void> | undefined;
  /** How many bytes of it were sent. */
  at: number;
}

/**
 * The sending side of a session's connection. One loop seals and writes, so cells go out in the order
 * in which they were sealed.
 */
export class Outgoing {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #sealer: CellSealer;
  readonly #limits: SessionLimits;
  readonly #onFault: (fault: SessionFault) => void;
  readonly #queue: Waiting[] = [];
  readonly #work = new Signal();
  #queuedBytes = 0;
  #queuedAnswers = 0;
  #isFinishing = false;
  #failure: WorldError | undefined;
  /** When something was last written, by the monotonic clock. */
  sentAt: number;

  /** @param onFault told if the other end does not read */
  constructor({ connection, clock, sealer, limits, onFault }: {
    connection: Connection;
    clock: Clock;
    sealer: CellSealer;
    limits: SessionLimits;
    onFault: (fault: SessionFault) => void;
  }) {
    this.#connection = connection;
    this.#clock = clock;
    this.#sealer = sealer;
    this.#limits = limits;
    this.#onFault = onFault;
    this.sentAt = clock.monotonic();
  }

  /** Bytes of messages that wait. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Sends a message after those that wait.
   * @returns once it was written, which waits while the other end does not read
   * @throws WorldError if the session ends before
   */
  send(message: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const sent = Promise.withResolvers<void>();
    this.#add({ message, sent, at: 0 });
    return sent.promise;
  }

  /**
   * Sends a short message for which nobody waits: an answer that the other end asks for, or nothing at
   * all, which takes a cell. If too many wait, the session ends.
   */
  post(message: Uint8Array): void {
    if (this.#failure !== undefined) return;
    if (this.#queuedAnswers >= this.#limits.maxQueuedAnswers) {
      return this.#onFault(
        new SessionFault(
          "unread",
          `${this.#queuedAnswers} short messages wait for it to read them`,
        ),
      );
    }
    if (this.#add({ message, sent: undefined, at: 0 })) this.#queuedAnswers++;
  }

  /** Says that nothing more will be sent after what waits. */
  finish(): void {
    this.#isFinishing = true;
    this.#work.change();
  }

  /** Ends it: who waits is told why. */
  fail(failure: WorldError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    for (const { sent } of this.#queue.splice(0)) sent?.reject(failure);
    this.#queuedBytes = 0;
    this.#work.change();
  }

  /**
   * Writes what is sent, until it is finished or failed.
   * @throws WorldError if the connection breaks
   */
  async run(): Promise<void> {
    while (this.#failure === undefined) {
      if (this.#queue.length > 0) await this.#writeBatch();
      else if (this.#isFinishing) return await this.#connection.closeWrite();
      else await this.#work.changed;
    }
  }

  #add(waiting: Waiting): boolean {
    if (this.#isFinishing) {
      waiting.sent?.reject(new WorldError("closed", "the session is being closed"));
      return false;
    }
    this.#queue.push(waiting);
    this.#queuedBytes += waiting.message.length;
    this.#work.change();
    return true;
  }

  async #writeBatch(): Promise<void> {
    const { bytes, complete } = this.#take(BATCH_CELLS * CELL_ROOM);
    const { writeMs } = this.#limits;
    const timer = this.#clock.after(writeMs, () => {
      this.#onFault(new SessionFault("unread", `it read nothing for ${writeMs} ms`));
    });
    try {
      await this.#connection.write(this.#sealer.seal(bytes));
    } catch (error) {
      for (const { sent } of complete) sent?.reject(error);
      throw error;
    } finally {
      timer.cancel();
    }
    this.sentAt = this.#clock.monotonic();
    for (const { sent } of complete) sent?.resolve();
  }

  /** Takes so many bytes out of the queue, and the messages that are complete with them. */
  #take(most: number): { bytes: Uint8Array; complete: readonly Waiting[] } {
    const parts: Uint8Array[] = [];
    const complete: Waiting[] = [];
    for (let room = most; room > 0 && this.#queue.length > 0;) {
      const first = this.#queue[0]!;
      const part = first.message.subarray(first.at, first.at + room);
      parts.push(part);
      room -= part.length;
      first.at += part.length;
      this.#queuedBytes -= part.length;
      if (first.at < first.message.length) break;
      complete.push(first);
      this.#queue.shift();
      if (first.sent === undefined) this.#queuedAnswers--;
    }
    return { bytes: concat(parts), complete };
  }
}
