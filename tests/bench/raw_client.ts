/**
 * Posts bodies over one kept connection and does as little as it can besides, so that what is
 * measured is the server.
 */
export class RawClient {
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(64 * 1024);
  readonly #decoder = new TextDecoder();

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<RawClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    return new RawClient(connection);
  }

  /** A request as it goes over the wire. */
  static request(path: string, body: Uint8Array): Uint8Array {
    const head =
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n`;
    const bytes = new TextEncoder().encode(head);
    const whole = new Uint8Array(bytes.length + body.length);
    whole.set(bytes);
    whole.set(body, bytes.length);
    return whole;
  }

  /**
   * Sends a request and reads the answer whole.
   * @returns the status
   */
  async post(request: Uint8Array): Promise<number> {
    for (let sent = 0; sent < request.length;) {
      sent += await this.#connection.write(request.subarray(sent));
    }
    for (let length = 0;;) {
      const count = await this.#connection.read(this.#buffer.subarray(length));
      if (count === null) throw new Error("the connection was closed");
      length += count;
      const text = this.#decoder.decode(this.#buffer.subarray(0, length));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const bytes = /^content-length: (\d+)/im.exec(text)?.[1];
      // A head is ASCII, so its characters are its bytes. Without a length it comes in chunks.
      const isWhole = bytes === undefined
        ? text.endsWith("\r\n0\r\n\r\n")
        : length >= end + 4 + Number(bytes);
      if (isWhole) return Number(text.slice(9, 12));
    }
  }

  close(): void {
    this.#connection.close();
  }
}
