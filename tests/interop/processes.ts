/** Programs of others that run while a test does. Each ends with the test, or by itself soon after. */
import { shell } from "./go.ts";

/** After so many seconds a program ends by itself, whatever became of the test, unless more are given. */
const MOST_SECONDS = 240;
/** How long a program may take until it accepts connections. */
const START_MS = 30_000;

/** A port of the loopback interface that was free a moment ago. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** A program that runs. */
export class Process implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #outputs: Promise<string[]>;
  #said = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#outputs = Promise.all([this.#read(child.stdout), this.#read(child.stderr)]);
  }

  /**
   * Starts a program that reaches nobody but this machine over HTTP, whatever it tries.
   * @param seconds after which it ends by itself
   */
  static start(args: readonly string[], folder: string, seconds = MOST_SECONDS): Process {
    const nowhere = "http://127.0.0.1:1";
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        `cd "$1" && shift && exec timeout -k 5 ${seconds} "$@"`,
        "sh",
        folder,
        ...args,
      ],
      ...{ stdin: "null", stdout: "piped", stderr: "piped" },
      env: { HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, NO_PROXY: "127.0.0.1,localhost" },
    }).spawn();
    return new Process(child);
  }

  /** The process id: of `timeout`, which hands signals on. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has printed so far, on both streams. */
  get said(): string {
    return this.#said;
  }

  /** Waits until a port accepts connections. */
  async reached(port: number): Promise<void> {
    await this.#until(async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    }, `port ${port}`);
  }

  /** Waits until it has printed something that matches. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    await this.#until(() => pattern.test(this.#said), `${pattern}`);
    return pattern.exec(this.#said)!;
  }

  /** Ends it, and waits until it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    await this.#outputs;
  }

  async #until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
    for (const end = performance.now() + START_MS; performance.now() < end;) {
      if (await isSo()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`a program did not come to ${what} in ${START_MS} ms:\n${this.#said}`);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<string> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#said += decoder.decode(chunk, { stream: true });
    return this.#said;
  }
}

/** Runs a program to its end; it has so many seconds. */
export async function runFor(seconds: number, ...args: readonly string[]) {
  return await shell('s="$1"; shift; exec timeout -k 5 "$s" "$@"', `${seconds}`, ...args);
}
