/**
 * Programs in Go that Hearsay must get on with, built from the Go module proxy into a folder of their
 * own. Where Go is absent, or a module cannot be had, the tests are skipped by name.
 */

/** What a command left. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a line of shell; its arguments are "$1", "$2" and so on. */
export async function shell(line: string, ...args: string[]): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", line, "sh", ...args],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** A program that was built, or why it was not. */
export type Built = { readonly program: string } | { readonly absent: string };

/** The newest Go that anything here needs, from the module proxy. */
export const NEWER_GO = "go1.27.3";

/** A build that takes longer, as the proxy does not answer, is given up. */
const IN_TIME = "timeout 300";

/**
 * Builds a program.
 * @param module with the version, which is fixed: `example.com/module/cmd/program@v1.2.3`
 * @param go which Go: `local` is the one that is here, and no other that the module asks for
 */
export async function build(module: string, go = "local"): Promise<Built> {
  const line = `GOTOOLCHAIN="$3" GOBIN="$1" ${IN_TIME} go install "$2"`;
  return await buildWith(line, { what: module, go, program: /([^/]+)@/.exec(module)![1]! });
}

/** Builds a program whose source is in a folder beside this file. */
export async function buildOwn(name: string, go = "local"): Promise<Built> {
  const what = new URL(name, import.meta.url).pathname;
  const line = `cd "$2" && GOTOOLCHAIN="$3" ${IN_TIME} go build -o "$1/" .`;
  return await buildWith(line, { what, go, program: name });
}

async function buildWith(
  line: string,
  { what, go, program }: { what: string; go: string; program: string },
): Promise<Built> {
  if ((await shell("command -v go")).code !== 0) return { absent: "go is not here" };
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-interop-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const { code, err } = await shell(line, folder, what, go);
  if (code !== 0) return { absent: `${what} cannot be had: ${err.trim().split("\n").at(-1)}` };
  return { program: `${folder}/${program}` };
}

/** Whether a program is on this machine, under the name by which a shell finds it. */
export async function onPath(name: string): Promise<Built> {
  const { code } = await shell('command -v "$1"', name);
  return code === 0 ? { program: name } : { absent: `${name} is not here` };
}

/** Several programs that a test needs, as one: absent if one of them is. */
export function all<Name extends string>(
  built: Readonly<Record<Name, Built>>,
): { readonly programs: Readonly<Record<Name, string>> } | { readonly absent: string } {
  const programs: Partial<Record<Name, string>> = {};
  for (const [name, one] of Object.entries(built) as [Name, Built][]) {
    if ("absent" in one) return one;
    programs[name] = one.program;
  }
  return { programs: programs as Record<Name, string> };
}

/** Registers a test that runs such a program in an empty folder. */
export function interopTest(
  built: Built,
  name: string,
  test: (program: string, folder: string) => Promise<void>,
): void {
  const one = all({ program: built });
  interopTestOfAll(one, name, ({ program }, folder) => test(program, folder));
}

/** As `interopTest`, with several programs. */
export function interopTestOfAll<Name extends string>(
  built: ReturnType<typeof all<Name>>,
  name: string,
  test: (programs: Readonly<Record<Name, string>>, folder: string) => Promise<void>,
): void {
  const absent = "absent" in built ? built.absent : undefined;
  Deno.test({
    name: absent === undefined ? name : `${name} (skipped: ${absent})`,
    ignore: absent !== undefined,
    async fn() {
      const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
      try {
        await test((built as { programs: Record<Name, string> }).programs, folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}
