/**
 * An HTTP/1.1 server for short answers, over any listener. It is our own, because Deno's server
 * gives a caller unlimited time for its request, holds any number of requests, and ends the process
 * when it cannot accept.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { acceptAll } from "./accepting.ts";
import { addressKey, ConnectionTable, type Place } from "./connection_table.ts";
import { formatAnswerHead, parseRequestHead, type RequestHead } from "./http_request.ts";
import {
  type Clock,
  type Connection,
  type HttpAnswer,
  type HttpQuery,
  type HttpServer,
  type Listener,
  WorldError,
} from "./world.ts";

/** How much callers of an HTTP port may use. */
export interface HttpServerLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** Bytes of a request's line and headers. */
  readonly maxHeadBytes: number;
  /** How long a request may take to come, from the connection or the answer before it. */
  readonly requestMs: number;
  /** How long an answer may take, until the caller has read all of it. */
  readonly answerMs: number;
  /** How much longer answers under way may take when the server closes. */
  readonly closeMs: number;
  /** How long to wait for descriptors before accepting again. */
  readonly acceptRetryMs: number;
}

/** The limits in force. */
export const HTTP_SERVER_LIMITS: HttpServerLimits = {
  maxConnections: 128,
  maxConnectionsPerAddress: 32,
  maxHeadBytes: 8 * 1024,
  requestMs: 10_000,
  answerMs: 30_000,
  closeMs: 2_000,
  acceptRetryMs: 250,
};

/** A lack that comes and goes is reported again after this time. */
export const TELL_LACK_AGAIN_MS = 60_000;

/** Content that is not taken. The caller is told the status. */
class ContentRefused extends Error {
  constructor(readonly status: 411 | 413) {
    super(`refused with HTTP status ${status}`);
  }
}

/** Answers one request. */
export type Answerer = (query: HttpQuery) => Promise<HttpAnswer>;

const HEAD_END = "\r\n\r\n";
const latin1 = new TextDecoder("latin1");
const utf8 = new TextEncoder();

/**
 * Serves until closed. If `answer` throws, the caller gets an empty 500.
 * @param onLack called with a sentence for a person if descriptors or memory lack to accept a
 *   connection, at most once in TELL_LACK_AGAIN_MS. If a caller breaks off, nothing is reported
 */
export function serveHttp({ listener, clock, answer, onLack, limits = HTTP_SERVER_LIMITS }: {
  listener: Listener;
  clock: Clock;
  answer: Answerer;
  onLack: (reason: string) => void;
  limits?: HttpServerLimits;
}): HttpServer {
  let toldAt = -Infinity;
  const table = new ConnectionTable(limits);
  const serving = new Map<Guest, Promise<void>>();
  let isClosing = false;
  const accepting = acceptAll({
    ...{ listener, clock, retryMs: limits.acceptRetryMs, isOver: () => isClosing },
    onConnection(connection) {
      const guest = new Guest({ connection, clock, answer, limits, table });
      if (isClosing) return connection.close();
      const served = guest.serve().finally(() => serving.delete(guest));
      serving.set(guest, served);
    },
    onTrouble({ isLack, reason }) {
      const now = clock.monotonic();
      if (!isLack || now - toldAt < TELL_LACK_AGAIN_MS) return;
      toldAt = now;
      onLack(reason);
    },
  });
  async function close(): Promise<void> {
    isClosing = true;
    listener.close();
    for (const guest of serving.keys()) guest.finish();
    const timer = clock.after(limits.closeMs, () => table.closeAll());
    await Promise.all([accepting, ...serving.values()]);
    timer.cancel();
  }
  return { address: listener.address, close };
}

/** One connection, and the requests that come on it. */
class Guest {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #answer: Answerer;
  readonly #limits: HttpServerLimits;
  readonly #table: ConnectionTable;
  readonly #place: Place;
  /** Bytes that have come and were not read yet. */
  #pending = new Uint8Array(0);
  /** What heads are read into. */
  #buffer: Uint8Array | undefined;
  #isAnswering = false;
  #isLast = false;
  /** Whether the content of the request was read whole. What was not read is no next request. */
  #isRead = false;

  constructor(fields: {
    connection: Connection;
    clock: Clock;
    answer: Answerer;
    limits: HttpServerLimits;
    table: ConnectionTable;
  }) {
    const { connection, clock } = fields;
    this.#connection = connection;
    this.#clock = clock;
    this.#answer = fields.answer;
    this.#limits = fields.limits;
    this.#table = fields.table;
    const key = addressKey(connection.remote.hostname);
    this.#place = { connection, key, heardAt: clock.monotonic(), closedBecause: undefined };
  }

  /** Answers until the caller has finished, breaks off, or takes too long. */
  async serve(): Promise<void> {
    this.#table.add(this.#place);
    try {
      while (await this.#serveOne());
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
    } finally {
      this.#connection.close();
      this.#table.remove(this.#place);
    }
  }

  /** Ends the connection after the answer that is under way, if there is one. */
  finish(): void {
    this.#isLast = true;
    if (!this.#isAnswering) this.#connection.close();
  }

  /** Whether another request may follow. */
  async #serveOne(): Promise<boolean> {
    const { requestMs, answerMs } = this.#limits;
    const text = await this.#within(requestMs, () => this.#readHead());
    if (text === undefined) return false;
    this.#isAnswering = true;
    const keepsAlive = await this.#within(answerMs, () => this.#reply(text));
    this.#isAnswering = false;
    return keepsAlive && !this.#isLast;
  }

  /** Closes the connection if the work is not done in time. That ends the work. */
  async #within<T>(ms: number, work: () => Promise<T>): Promise<T> {
    const close = (): void => this.#table.close(this.#place, `not finished within ${ms} ms`);
    const timer = this.#clock.after(ms, close);
    try {
      return await work();
    } finally {
      timer.cancel();
    }
  }

  /** The head of the next request; nothing if no more comes; "too long" if it is too long. */
  async #readHead(): Promise<string | undefined> {
    const { maxHeadBytes } = this.#limits;
    for (;;) {
      const text = this.#pending.length === 0 ? "" : latin1.decode(this.#pending);
      const end = text.indexOf(HEAD_END);
      if (end >= 0 && end <= maxHeadBytes) {
        this.#pending = this.#pending.slice(end + HEAD_END.length);
        return text.slice(0, end);
      }
      if (this.#pending.length >= maxHeadBytes + HEAD_END.length) return TOO_LONG;
      const buffer = this.#buffer ??= new Uint8Array(maxHeadBytes);
      const count = await this.#connection.read(buffer);
      if (count === undefined) return undefined;
      this.#place.heardAt = this.#clock.monotonic();
      this.#pending = concat([this.#pending, buffer.subarray(0, count)]);
    }
  }

  /** Answers a request. Returns whether another may follow. */
  async #reply(text: string): Promise<boolean> {
    const head = text === TOO_LONG ? undefined : parseRequestHead(text);
    if (head === undefined) {
      const status = text === TOO_LONG ? 431 : 400;
      await this.#write({ status }, { isLast: true, hasBody: true });
      return false;
    }
    this.#isRead = head.contentBytes === 0;
    const answer = await this.#ask(head);
    const isLast = this.#isLast || !head.keepsAlive || !this.#isRead;
    await this.#write(answer, { isLast, hasBody: head.method !== "HEAD" });
    this.#place.heardAt = this.#clock.monotonic();
    return !isLast;
  }

  async #ask(head: RequestHead): Promise<HttpAnswer> {
    const { method, path, search, headers } = head;
    const caller = this.#connection.remote;
    try {
      return await this.#answer({
        ...{ method, path, search, caller },
        header: (name) => headers.get(name),
        content: (maxBytes) => this.#readContent(head, maxBytes),
      });
    } catch (error) {
      return { status: error instanceof ContentRefused ? error.status : 500 };
    }
  }

  /** @throws ContentRefused; WorldError if the caller breaks off */
  async #readContent(
    { contentBytes, headers }: RequestHead,
    maxBytes: number,
  ): Promise<Uint8Array> {
    if (contentBytes === undefined) throw new ContentRefused(411);
    if (contentBytes > maxBytes) throw new ContentRefused(413);
    if (headers.get("expect")?.toLowerCase() === "100-continue") {
      await this.#connection.write(utf8.encode("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    const content = new Uint8Array(contentBytes);
    const come = this.#pending.subarray(0, contentBytes);
    content.set(come);
    this.#pending = this.#pending.slice(come.length);
    for (let length = come.length; length < contentBytes;) {
      const count = await this.#connection.read(content.subarray(length));
      if (count === undefined) throw new WorldError("closed", "the caller broke off");
      length += count;
      this.#place.heardAt = this.#clock.monotonic();
    }
    this.#isRead = true;
    return content;
  }

  async #write(
    answer: HttpAnswer,
    { isLast, hasBody }: { isLast: boolean; hasBody: boolean },
  ): Promise<void> {
    const head = utf8.encode(formatAnswerHead(answer, { date: this.#clock.now(), isLast }));
    const body = hasBody && answer.body !== undefined ? [answer.body] : [];
    await this.#connection.write(concat([head, ...body]));
    if (isLast) await this.#connection.closeWrite();
  }
}

/** Stands for a head that is too long. No real head is empty. */
const TOO_LONG = "";
