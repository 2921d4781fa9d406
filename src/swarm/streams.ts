/**
 * Streams: virtual connections inside a session. What runs over a TCP connection runs unchanged over
 * one of them: it has the same interface, each direction ends by itself, and who writes waits for who
 * reads (PROTOCOL section 16).
 *
 * @module
 */
import { type Address, type Clock, type Connection, WorldError } from "../world/world.ts";
import { SessionFault } from "./session_fault.ts";
import type { SessionLimits } from "./session_limits.ts";
import { encodeMessage, KIND, STREAM_ID_BYTES, uint32s } from "./session_message.ts";
import { Signal } from "./signal.ts";

const MAX_STREAM_ID = 2 ** 32 - 1;

/** How a stream reaches the other end. */
interface StreamLink {
  /** Sends a message; resolves once it was written. */
  send(message: Uint8Array): Promise<void>;
  /** Sends a short message for which nobody waits. */
  post(message: Uint8Array): void;
}

const closedHere = (): WorldError => new WorldError("closed", "closed here");

/** Bytes that came and were not read yet, as many as a window at most. */
class Held {
  readonly #capacity: number;
  /** Made when the first bytes come, because many streams never hold any. */
  #buffer = new Uint8Array(0);
  #start = 0;
  #end = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  put(bytes: Uint8Array): void {
    if (this.#buffer.length === 0) this.#buffer = new Uint8Array(this.#capacity);
    if (this.#end + bytes.length > this.#capacity) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** @returns how many bytes were put into the buffer */
  take(buffer: Uint8Array): number {
    const part = this.#buffer.subarray(
      this.#start,
      Math.min(this.#end, this.#start + buffer.length),
    );
    buffer.set(part);
    this.#start += part.length;
    return part.length;
  }

  clear(): void {
    this.#buffer = new Uint8Array(0);
    this.#start = this.#end = 0;
  }
}

/** One end of a stream. */
export class Stream implements Connection {
  readonly remote: Address;
  readonly id: number;
  readonly #link: StreamLink;
  readonly #limits: SessionLimits;
  readonly #onOver: () => void;
  readonly #signal = new Signal();
  readonly #held: Held;
  /** What the other end may still send. */
  #allowed: number;
  /** What was read here since the other end was last told so. */
  #taken = 0;
  /** What this end may still send. */
  #credit: number;
  /** Writes are done one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #writing = 0;
  #isClosed = false;
  #hasEnded = false;
  #otherHasEnded = false;
  #failure: WorldError | undefined;

  /** @param onOver told once neither end will send any more */
  constructor({ id, remote, link, limits, onOver }: {
    id: number;
    remote: Address;
    link: StreamLink;
    limits: SessionLimits;
    onOver: () => void;
  }) {
    this.id = id;
    this.remote = remote;
    this.#link = link;
    this.#limits = limits;
    this.#onOver = onOver;
    this.#held = new Held(limits.streamWindowBytes);
    this.#allowed = this.#credit = limits.streamWindowBytes;
  }

  /** See `Connection`. What came before the other end failed can still be read. */
  async read(buffer: Uint8Array): Promise<number | undefined> {
    while (!this.#isClosed) {
      const count = this.#held.take(buffer);
      if (count > 0) {
        this.#grant(count);
        return count;
      }
      if (this.#otherHasEnded) return undefined;
      if (this.#failure !== undefined) throw this.#failure;
      await this.#signal.changed;
    }
    throw closedHere();
  }

  /** See `Connection`. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#inTurn(() => this.#writeAll(bytes));
  }

  /** See `Connection`. */
  closeWrite(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#hasEnded && !this.#isClosed && this.#failure === undefined) return;
      this.#checkWritable();
      this.#hasEnded = true;
      const sent = this.#link.send(encodeMessage(KIND.end, uint32s(this.id)));
      this.#checkOver();
      await sent;
    });
  }

  /**
   * Ends it. As with TCP, what was written arrives, and then the end; but if a write is still under
   * way, the other end learns that the stream broke off.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isClean = this.#writing === 0;
    if (this.#failure === undefined) {
      if (isClean && !this.#hasEnded) this.#link.post(encodeMessage(KIND.end, uint32s(this.id)));
      if (!isClean || !this.#otherHasEnded) {
        this.#link.post(encodeMessage(KIND.reset, uint32s(this.id)));
      }
    }
    this.#held.clear();
    this.#signal.change();
    this.#onOver();
  }

  /** Bytes came. @throws SessionFault if they are more than were allowed, or came after the end */
  receive(bytes: Uint8Array): void {
    if (this.#otherHasEnded) {
      throw new SessionFault("malformed", `data came on stream ${this.id} after its end`);
    }
    if (bytes.length > this.#allowed) {
      throw new SessionFault(
        "malformed",
        `${bytes.length} bytes came on stream ${this.id}, and ${this.#allowed} were allowed`,
      );
    }
    this.#allowed -= bytes.length;
    this.#held.put(bytes);
    this.#signal.change();
  }

  /** The other end has finished sending. @throws SessionFault if it had before */
  receiveEnd(): void {
    if (this.#otherHasEnded) {
      throw new SessionFault("malformed", `stream ${this.id} was ended twice`);
    }
    this.#otherHasEnded = true;
    this.#signal.change();
    this.#checkOver();
  }

  /** The other end has read so much. @throws SessionFault if that is more than was sent */
  receiveCredit(bytes: number): void {
    if (bytes === 0 || this.#credit + bytes > this.#limits.streamWindowBytes) {
      throw new SessionFault(
        "malformed",
        `a credit of ${bytes} bytes for stream ${this.id}, which has used ` +
          `${this.#limits.streamWindowBytes - this.#credit}`,
      );
    }
    this.#credit += bytes;
    this.#signal.change();
  }

  /** Nothing more can be sent or will come. */
  fail(failure: WorldError): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    this.#failure = failure;
    this.#signal.change();
    this.#onOver();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#writing++;
    const done = this.#turn.then(work).finally(() => this.#writing--);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    this.#checkWritable();
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(this.#credit, this.#limits.dataBytes, bytes.length - at);
      if (count === 0) await this.#signal.changed;
      else {
        this.#credit -= count;
        const part = bytes.subarray(at, at + count);
        await this.#link.send(encodeMessage(KIND.data, uint32s(this.id), part));
        at += count;
      }
      this.#checkWritable();
    }
  }

  #checkWritable(): void {
    if (this.#isClosed) throw closedHere();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#hasEnded) throw closedHere();
  }

  /** Tells the other end, now and then, how much was read here. */
  #grant(count: number): void {
    this.#taken += count;
    if (this.#taken < this.#limits.streamWindowBytes / 2) return;
    if (this.#otherHasEnded || this.#failure !== undefined) return;
    this.#allowed += this.#taken;
    this.#link.post(encodeMessage(KIND.credit, uint32s(this.id, this.#taken)));
    this.#taken = 0;
  }

  #checkOver(): void {
    if (this.#hasEnded && this.#otherHasEnded) this.#onOver();
  }
}

/** All streams of a session. */
export class Streams {
  readonly #isCaller: boolean;
  readonly #remote: Address;
  readonly #clock: Clock;
  readonly #limits: SessionLimits;
  readonly #link: StreamLink;
  readonly #onStream: (stream: Connection) => void;
  /** Those that are open, by number. */
  readonly #open = new Map<number, Stream>();
  readonly #closed = new Signal();
  #lastOwn: number;
  #lastOther: number;
  #failure: WorldError | undefined;

  constructor({ isCaller, remote, clock, limits, link, onStream }: {
    isCaller: boolean;
    remote: Address;
    clock: Clock;
    limits: SessionLimits;
    link: StreamLink;
    onStream: (stream: Connection) => void;
  }) {
    this.#isCaller = isCaller;
    this.#remote = remote;
    this.#clock = clock;
    this.#limits = limits;
    this.#link = link;
    this.#onStream = onStream;
    // The caller's numbers are 1, 3, 5, …, the callee's 2, 4, 6, …
    [this.#lastOwn, this.#lastOther] = isCaller ? [-1, 0] : [0, -1];
  }

  /**
   * Opens a stream, once there are few enough.
   * @throws WorldError if there are not in time, or the session ends
   */
  async open(): Promise<Stream> {
    const { openMs, maxStreams } = this.#limits;
    let isLate = false;
    const timer = this.#clock.after(openMs, () => {
      isLate = true;
      this.#closed.change();
    });
    try {
      while (this.#failure === undefined && !isLate && this.#count(this.#isCaller) >= maxStreams) {
        await this.#closed.changed;
      }
    } finally {
      timer.cancel();
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (isLate) {
      throw new WorldError("timed out", `${maxStreams} streams were open for ${openMs} ms`);
    }
    const id = this.#lastOwn + 2;
    if (id > MAX_STREAM_ID) throw new WorldError("other", "no number is left for a stream");
    this.#lastOwn = id;
    const stream = this.#add(id);
    this.#link.post(encodeMessage(KIND.open, uint32s(id)));
    return stream;
  }

  /**
   * Hears a message about streams.
   * @returns false if it is about something else
   * @throws SessionFault if the other end must not send it
   */
  receive(kind: number, body: Uint8Array): boolean {
    if (!ABOUT_STREAMS.has(kind)) return false;
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const id = view.getUint32(0);
    if (kind === KIND.open) {
      this.#receiveOpen(id);
      return true;
    }
    if (id === 0 || id > (this.#isOwn(id) ? this.#lastOwn : this.#lastOther)) {
      throw new SessionFault("malformed", `something came on stream ${id}, which nobody opened`);
    }
    // What was under way to a stream as it was closed is passed over.
    const stream = this.#open.get(id);
    if (stream === undefined) return true;
    switch (kind) {
      case KIND.data:
        stream.receive(body.subarray(STREAM_ID_BYTES));
        break;
      case KIND.end:
        stream.receiveEnd();
        break;
      case KIND.credit:
        stream.receiveCredit(view.getUint32(STREAM_ID_BYTES));
        break;
      case KIND.reset:
        stream.fail(new WorldError("other", "the other end reset the stream"));
        break;
    }
    return true;
  }

  /** The session has ended. */
  fail(failure: WorldError): void {
    this.#failure = failure;
    for (const stream of [...this.#open.values()]) stream.fail(failure);
    this.#closed.change();
  }

  #receiveOpen(id: number): void {
    if (id !== this.#lastOther + 2) {
      throw new SessionFault("malformed", `it opened stream ${id}, which is not its next`);
    }
    this.#lastOther = id;
    if (this.#count(!this.#isCaller) >= this.#limits.maxStreams) {
      return this.#link.post(encodeMessage(KIND.reset, uint32s(id)));
    }
    this.#onStream(this.#add(id));
  }

  #add(id: number): Stream {
    const onOver = (): void => {
      this.#open.delete(id);
      this.#closed.change();
    };
    const stream = new Stream({
      ...{ id, remote: this.#remote, link: this.#link, limits: this.#limits, onOver },
    });
    this.#open.set(id, stream);
    return stream;
  }

  #isOwn(id: number): boolean {
    return (id % 2 === 1) === this.#isCaller;
  }

  #count(ofCaller: boolean): number {
    return [...this.#open.keys()].filter((id) => (id % 2 === 1) === ofCaller).length;
  }
}

const ABOUT_STREAMS: ReadonlySet<number> = new Set([
  ...[KIND.open, KIND.data, KIND.end, KIND.reset, KIND.credit],
]);
