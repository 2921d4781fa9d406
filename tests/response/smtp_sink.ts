/** A mail server on loopback that takes letters and delivers none (RFC 5321, as far as needed). */

/** A letter that came. */
export interface SunkLetter {
  readonly receivers: string[];
  readonly headers: string;
  /** The parts, decoded, by the names of their files; the text has none. */
  readonly parts: ReadonlyMap<string, string>;
}

/** Takes letters until it is disposed of. */
export class SmtpSink implements AsyncDisposable {
  readonly letters: SunkLetter[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #done: Promise<void>;
  readonly #conduct: "takes" | "refuses" | "hangs up";

  constructor(conduct: "takes" | "refuses" | "hangs up" = "takes") {
    this.#conduct = conduct;
    this.#done = this.#run();
  }

  get address(): { hostname: string; port: number } {
    const { hostname, port } = this.#listener.addr as Deno.NetAddr;
    return { hostname, port };
  }

  async #run(): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for (;;) serving.push(this.#serve(await this.#listener.accept()));
    } catch {
      await Promise.all(serving);
    }
  }

  async #serve(socket: Deno.Conn): Promise<void> {
    const say = (line: string): Promise<unknown> =>
      socket.write(new TextEncoder().encode(`${line}\r\n`));
    const receivers: string[] = [];
    let text = "";
    let isData = false;
    const buffer = new Uint8Array(65_536);
    try {
      if (this.#conduct === "hangs up") return;
      await say("220 sink.invalid");
      for (let count; (count = await socket.read(buffer)) !== null;) {
        text += new TextDecoder().decode(buffer.subarray(0, count));
        for (;;) {
          if (isData) {
            const end = text.indexOf("\r\n.\r\n");
            if (end < 0) break;
            this.letters.push(letterFrom(text.slice(0, end), [...receivers]));
            text = text.slice(end + 5);
            isData = false;
            await say("250 taken");
            continue;
          }
          const end = text.indexOf("\r\n");
          if (end < 0) break;
          const line = text.slice(0, end);
          text = text.slice(end + 2);
          const verb = line.slice(0, 4).toUpperCase();
          if (verb === "RCPT") receivers.push(/<(.*)>/.exec(line)![1]!);
          if (verb === "DATA") isData = true;
          if (verb === "DATA") await say("354 go on");
          else if (verb === "QUIT") await say("221 bye");
          else if (verb === "RCPT" && this.#conduct === "refuses") await say("550 nobody");
          else await say("250 ok");
        }
      }
    } catch {
      // The other end has gone.
    } finally {
      socket.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#done;
  }
}

function letterFrom(raw: string, receivers: string[]): SunkLetter {
  const text = raw.replace(/\r\n\.\./g, "\r\n.");
  const split = text.indexOf("\r\n\r\n");
  const headers = text.slice(0, split).replace(/\r\n[ \t]+/g, " ");
  const [, boundary] = /boundary="?([^";]+)"?/i.exec(headers) ?? [];
  const bodies = boundary === undefined
    ? []
    : text.slice(split).split(`--${boundary}`).slice(1, -1);
  return { receivers, headers, parts: new Map(bodies.map(partOf)) };
}

function partOf(part: string): [name: string, content: string] {
  const split = part.indexOf("\r\n\r\n");
  const headers = part.slice(0, split);
  const body = part.slice(split + 4).replace(/\r\n$/, "");
  const [, name = ""] = /filename="?([^";\r\n]+)"?/i.exec(headers) ?? [];
  return [name, decoded(body, /transfer-encoding: (\S+)/i.exec(headers)?.[1] ?? "7bit")];
}

function decoded(body: string, coding: string): string {
  const bytes = (text: string): string =>
    new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  if (coding === "base64") return bytes(atob(body.replace(/\s/g, "")));
  if (coding !== "quoted-printable") return body;
  return bytes(
    body.replace(/=\r\n/g, "").replace(
      /=([0-9A-F]{2})/g,
      (_, hex) => String.fromCharCode(parseInt(hex, 16)),
    ),
  );
}
