/**
 * The bytes between this program and a PostgreSQL server: a socket of Deno's, in the shape that the
 * package `postgres` wants. TLS is Deno's own, so that a server without a good certificate is never
 * spoken to, whatever the package would do.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { WorldError } from "./world.ts";
import type { SharedHost } from "./postgres_url.ts";

/** "May we speak TLS?" (PostgreSQL's documentation, "SSLRequest"). */
const TLS_REQUEST = new Uint8Array([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
/** The one byte of a server that may. */
const TLS_GRANTED = "S".charCodeAt(0);
/** How much is read at once. */
const READ_BYTES = 64 * 1024;

/** How a server is connected to. */
export interface StreamOptions {
  readonly host: SharedHost;
  readonly isOverTls: boolean;
  /** PEM of who may have signed the certificate, besides those the system trusts. */
  readonly ca: string | undefined;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Connects to a server, over TLS if that is wanted. Its certificate must be for the host's name then.
 * @throws WorldError if it grants no TLS; whatever Deno throws
 */
export async function openStream(
  { host, isOverTls, ca, signal }: StreamOptions,
): Promise<PostgresStream> {
  if (host.socket !== undefined) {
    return new PostgresStream(await Deno.connect({ transport: "unix", path: host.socket }));
  }
  const socket = await Deno.connect({ ...host.address, signal });
  // Closing is the only way to end a pending read.
  const giveUp = (): void => socket.close();
  signal.addEventListener("abort", giveUp);
  try {
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    if (!isOverTls) return new PostgresStream(socket);
    await askForTls(socket);
    const secured = await Deno.startTls(socket, {
      hostname: host.address.hostname,
      ...(ca === undefined ? {} : { caCerts: [ca] }),
    });
    return await shakeHands(secured, signal);
  } catch (error) {
    closeQuietly(socket);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

async function askForTls(socket: Deno.TcpConn): Promise<void> {
  await socket.write(TLS_REQUEST);
  // Not a byte more is read: what follows belongs to the handshake.
  const answer = new Uint8Array(1);
  await socket.read(answer);
  if (answer[0] === TLS_GRANTED) return;
  throw new WorldError(
    "not permitted",
    `it speaks no TLS. Switch it on there ("ssl = on"); for a server on this ` +
      "machine alone, say ?sslmode=disable",
  );
}

async function shakeHands(socket: Deno.TlsConn, signal: AbortSignal): Promise<PostgresStream> {
  const giveUp = (): void => closeQuietly(socket);
  signal.addEventListener("abort", giveUp);
  try {
    await socket.handshake();
    return new PostgresStream(socket);
  } catch (error) {
    closeQuietly(socket);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // It is closed, or TLS has taken it over.
  }
}

/** A connection as a stream of node's. */
export class PostgresStream extends Duplex {
  readonly #socket: Deno.Conn;
  readonly #ended = Promise.withResolvers<void>();

  constructor(socket: Deno.Conn) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    // The package hears errors too, but not before it begins and not after it has ended.
    this.on("error", () => {});
  }

  /** Resolves when it has ended, however. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** What the package asks a socket before it says goodbye. */
  get readyState(): string {
    return this.destroyed ? "closed" : "open";
  }

  override _read(): void {
    this.#readOnce().catch((error) => this.destroy(error));
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#writeAll(bytes).then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#socket.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    closeQuietly(this.#socket);
    this.#ended.resolve();
    done(error);
  }

  async #readOnce(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await this.#socket.read(buffer);
    this.push(count === null ? null : Buffer.from(buffer.buffer, 0, count));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }
}
