/** Programs that check our output. Where one is absent, its test is skipped by name. */

/** What a program left. */
export interface Left {
  readonly code: number;
  /** Both streams. */
  readonly said: string;
}

/** Runs a line of shell; its arguments are "$1", "$2" and so on. */
export async function shell(
  line: string,
  { args = [], input = "" }: { args?: readonly string[]; input?: string } = {},
): Promise<Left> {
  const child = new Deno.Command("sh", {
    args: ["-c", line, "sh", ...args],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that is not there, or ends early, does not read.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, said: text(stdout) + text(stderr) };
}

/** Registers a test that needs a program; skipped, and said so, where it is not installed. */
export async function testWith(
  program: string,
  name: string,
  test: () => Promise<void>,
): Promise<void> {
  const isHere = (await shell('command -v "$1"', { args: [program] })).code === 0;
  const why = isHere ? "" : ` (skipped: ${program} is not installed here)`;
  Deno.test({ name: name + why, ignore: !isHere, fn: test });
}
