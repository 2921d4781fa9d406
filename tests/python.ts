/** Tests that run a script of Python. */

/** The command. */
export const PYTHON = "python3";
const absence = await whyAbsent();

/** Why no script can run here, if so. Any other trouble than these is a failure. */
async function whyAbsent(): Promise<string | undefined> {
  const args = ["-c", "import sys; sys.exit(sys.version_info < (3, 8))"];
  try {
    const { success } = await new Deno.Command(PYTHON, { args }).output();
    return success ? undefined : `${PYTHON} is older than 3.8`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `${PYTHON} is not here`;
    if (error instanceof Deno.errors.NotCapable) return `--allow-run does not name ${PYTHON}`;
    throw error;
  }
}

/** Registers a test that runs Python, in an empty folder; without Python, one that is skipped by name. */
export function pythonTest(name: string, test: (folder: string) => Promise<void>): void {
  Deno.test({
    name: absence === undefined ? name : `${name} (skipped: ${absence})`,
    ignore: absence !== undefined,
    async fn() {
      const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
      try {
        await test(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}
