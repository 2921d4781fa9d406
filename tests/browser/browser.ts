/**
 * Debian's Chromium, driven through playwright-core, with axe-core. Neither is a dependency: both are
 * fetched into a folder of their own. Where Chromium, Node or one of them cannot be had, the tests are
 * skipped by name.
 */
import { onPath, shell } from "../interop/go.ts";

/** From npm, with fixed versions. */
const PACKAGES = ["playwright-core@1.65.1", "axe-core@4.14.1"];

type Found = { readonly folder: string; readonly chromium: string } | { readonly absent: string };

/** Looks for all that is needed. */
async function find(): Promise<Found> {
  for (const name of ["node", "npm", "chromium"]) {
    const found = await onPath(name);
    if ("absent" in found) return found;
  }
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-browser-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const line =
    `cd "$1" && shift && timeout 300 npm install --no-audit --no-fund --ignore-scripts "$@"`;
  const { code, err } = await shell(line, folder, ...PACKAGES);
  if (code !== 0) return { absent: `${PACKAGES.join(" or ")} cannot be had: ${err.slice(-200)}` };
  const { out } = await shell("command -v chromium");
  return { folder, chromium: out.trim() };
}

const FOUND = await find();

/** What `drive.mjs` can be told to do. */
export interface OpenHow {
  readonly url: string;
  /** Of the window, in pixels. */
  readonly width?: number;
  readonly scheme?: "light" | "dark";
  /** Whether scripts run. */
  readonly script?: boolean;
}

/** A browser with one page. */
export class Browser implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor({ folder, chromium }: { folder: string; chromium: string }) {
    const drive = new URL("drive.mjs", import.meta.url).pathname;
    this.#child = new Deno.Command("sh", {
      args: ["-c", 'exec timeout -k 5 240 node "$@"', "sh", drive, folder, chromium],
      ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Has it do something. @returns what came of it @throws Error if it could not */
  async tell(what: string, how: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify({ ...how, what }) + "\n"));
    const { value, error } = JSON.parse(await this.#line());
    if (error !== undefined) throw new Error(`${what}: ${error}`);
    return value;
  }

  /** Opens a page in a new context. */
  async open(how: OpenHow): Promise<void> {
    await this.tell("open", { ...how });
  }

  /** The text that a person sees at a place. */
  async text(selector: string): Promise<string> {
    return await this.tell("text", { selector }) as string;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the browser has ended");
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
    await this.#lines.cancel();
  }
}

/** Registers a test with a browser; it is skipped, and says why, where there is none. */
export function browserTest(name: string, test: (browser: Browser) => Promise<void>): void {
  const absent = "absent" in FOUND ? FOUND.absent : undefined;
  Deno.test({
    name: absent === undefined ? name : `${name} (skipped: ${absent})`,
    ignore: absent !== undefined,
    async fn() {
      await using browser = new Browser(FOUND as { folder: string; chromium: string });
      await test(browser);
    },
  });
}
