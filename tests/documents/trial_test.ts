/** README's trial, run as it stands there, line by line, by a shell in which `hearsay` is the program. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readDocument } from "./document.ts";

const SECTION = "Try it on a log that cheats";

/** The shell blocks of the trial. */
function blocks(): string[] {
  const section = readDocument("README.md").split(/^## /m).find((part) => part.startsWith(SECTION));
  return [...section!.matchAll(/^```\n([^]*?)^```$/gm)].map(([, block]) => block!);
}

/** The lines of a block; one that ends in a backslash goes on in the next. */
function statements(block: string): string[] {
  return block.trimEnd().split(/(?<!\\)\n/);
}

function portsOf(text: string): number[] {
  const found = text.matchAll(/(?:127\.0\.0\.1:|--port )(\d+)/g);
  return [...new Set([...found].map(([, port]) => Number(port)))];
}

function listen(port: number): Deno.TcpListener | undefined {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

/** Whoever holds this port may use the README's: tests of two clones may run at once. */
const CLAIM = 9910;

/** What to put for the README's ports: themselves, or free ones if one is taken. */
function replacements(ports: readonly number[]): { map: Map<number, number>; claim: Disposable } {
  const claim = listen(CLAIM);
  const held = ports.map(listen);
  const isFree = claim !== undefined && !held.includes(undefined);
  const free = isFree ? [] : ports.map(() => listen(0)!);
  const map = new Map(ports.map((port, i) => [port, free[i]?.addr.port ?? port]));
  for (const listener of [...held, ...free]) listener?.close();
  return { map, claim: { [Symbol.dispose]: () => claim?.close() } };
}

/** A shell that is given one statement after the other. */
class Shell {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #said = "";

  constructor(cwd: string) {
    const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    this.#child = new Deno.Command("sh", { cwd, ...streams }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Runs a statement; what it printed, and its exit code. */
  async run(statement: string): Promise<{ code: number; out: string }> {
    await this.#input.write(new TextEncoder().encode(`${statement}\necho "<$?>"\n`));
    let end: RegExpExecArray | null;
    while ((end = /<(\d+)>\n/.exec(this.#said)) === null) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`the shell has ended: ${this.#said}`);
      this.#said += value;
    }
    const { index, 0: mark, 1: code } = end;
    const out = this.#said.slice(0, index);
    this.#said = this.#said.slice(index + mark.length);
    return { code: Number(code), out };
  }

  /** Ends it; what it and its children said on standard error. */
  async end(): Promise<string> {
    await this.#input.close();
    const { stderr } = this.#child;
    const text = await new Response(stderr).text();
    await this.#output.cancel();
    await this.#child.status;
    return text;
  }
}

/** After so long nothing is expected any more. */
const PATIENCE_MS = 60_000;

/** Waits until a file of the folder has a text. */
async function written(folder: string, file: string, text: string): Promise<void> {
  const watcher = Deno.watchFs(folder);
  const timer = setTimeout(() => watcher.close(), PATIENCE_MS);
  const content = (): string => {
    try {
      return Deno.readTextFileSync(`${folder}/${file}`);
    } catch (error) {
      // A shell makes the file of a command in the background when that begins.
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  };
  if (!content().includes(text)) {
    for await (const _ of watcher) if (content().includes(text)) break;
  }
  clearTimeout(timer);
  try {
    watcher.close();
  } catch {
    // Leaving the loop has closed it.
  }
  assertStringIncludes(content(), text);
}

/** A command `hearsay` that runs the source these tests are of. */
function putProgram(folder: string): void {
  const root = Deno.realPathSync(new URL("../../", import.meta.url));
  const flags = "--no-check --frozen --no-prompt --allow-net --allow-read --allow-write";
  const program = `exec '${Deno.execPath()}' run ${flags} '${root}/main.ts' "$@"`;
  Deno.writeTextFileSync(`${folder}/hearsay`, `#!/bin/sh\n${program}\n`);
  Deno.chmodSync(`${folder}/hearsay`, 0o755);
}

Deno.test("README: the trial runs as it stands, and both monitors record the case", async () => {
  const [prepare, look, ...others] = blocks();
  assertEquals(others, []);
  const { map, claim } = replacements(portsOf(prepare! + look!));
  using _claim = claim;
  const asRun = (text: string): string =>
    text.replace(
      /(127\.0\.0\.1:|--port )(\d+)/g,
      (_, before, port) => `${before}${map.get(Number(port))}`,
    );
  const folder = Deno.makeTempDirSync();
  const [bin, here] = [`${folder}/bin`, `${folder}/here`];
  for (const each of [bin, here]) Deno.mkdirSync(each);
  putProgram(bin);
  const shell = new Shell(here);
  const said = new Map<string, string>();
  try {
    await shell.run(`PATH="${bin}:$PATH"`);
    // Whatever fails, nothing goes on running.
    await shell.run("trap 'kill $SERVER $BERLIN $LIMA 2>/dev/null' EXIT");
    for (const block of [prepare!, look!]) {
      if (block === look) {
        for (const file of ["berlin.out", "lima.out"]) {
          await written(here, file, "incident.recorded");
        }
      }
      for (const statement of statements(block)) {
        const { code, out } = await shell.run(asRun(statement));
        const isStatus = statement.startsWith("hearsay status");
        assertEquals([statement, code], [statement, isStatus ? 1 : 0], out);
        said.set(statement.split(" --")[0]!, out);
      }
    }
    // The daemons end as they were asked to, having recorded a case; the log's server with nothing wrong.
    for (const [who, wanted] of [["SERVER", 0], ["BERLIN", 1], ["LIMA", 1]] as const) {
      assertEquals([who, (await shell.run(`wait $${who}`)).code], [who, wanted]);
    }
    await shell.run("trap - EXIT");
  } finally {
    const told = await shell.end();
    assert(!told.includes("fault"), told);
  }
  const conflict = JSON.parse(Deno.readTextFileSync(`${here}/conflict.json`));
  Deno.removeSync(folder, { recursive: true });
  const recorded = said.get("grep incident.recorded berlin.out lima.out")!;
  const ids = [...recorded.matchAll(/evidence_id=([0-9a-f]{64})/g)].map(([, id]) => id);
  assertEquals([ids.length, new Set(ids).size], [2, 1], recorded);
  assertStringIncludes(said.get("hearsay status")!, "monitor.example.com/berlin");
  assertStringIncludes(said.get("hearsay incidents list")!, "test.example.com/log");
  assertMatch(said.get("hearsay verify conflict.json")!, /^The evidence holds \(1 record\)\.$/m);
  assertEquals(conflict.evidence_id, ids[0]);
});

/** What `init` takes if it is told no other. */
const DEFAULT_PORTS = [9900, 9980];
/** Where collectors of OpenTelemetry listen. */
const OTLP_PORT = 4318;

Deno.test("documents: README and OPERATING use one set of ports", () => {
  const known = [...portsOf(blocks().join()), ...DEFAULT_PORTS, OTLP_PORT];
  for (const name of ["README.md", "documents/OPERATING.md"]) {
    const used = [...readDocument(name).matchAll(/(?:[\w.]+|\]):(\d{4,5})\b|--port (\d+)/g)]
      .map(([, port, other]) => Number(port ?? other));
    assert(used.length > 3);
    assertEquals(used.filter((port) => !known.includes(port)), [], name);
  }
});
