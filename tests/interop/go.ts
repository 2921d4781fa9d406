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

/**
 * Builds a program.
 * @param module with the version, which is fixed: `example.com/module/cmd/program@v1.2.3`
 */
export async function build(module: string): Promise<Built> {
  if ((await shell("command -v go")).code !== 0) return { absent: "go is not here" };
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-interop-" });
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  // The Go that is here, and no other that the module asks for.
  const line = 'GOTOOLCHAIN=local GOBIN="$1" go install "$2"';
  const { code, err } = await shell(line, folder, module);
  if (code !== 0) return { absent: `${module} cannot be had: ${err.trim().split("\n").at(-1)}` };
  return { program: `${folder}/${/([^/]+)@/.exec(module)![1]}` };
}

/** Registers a test that runs such a program in an empty folder. */
export function interopTest(
  built: Built,
  name: string,
  test: (program: string, folder: string) => Promise<void>,
): void {
  const absent = "absent" in built ? built.absent : undefined;
  Deno.test({
    name: absent === undefined ? name : `${name} (skipped: ${absent})`,
    ignore: absent !== undefined,
    async fn() {
      const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
      try {
        await test((built as { program: string }).program, folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}
