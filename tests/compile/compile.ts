/**
 * `deno task compile`: one executable, `hearsay`, with exactly the permissions it needs baked in.
 *
 * `deno compile` puts the program into `denort`, a runtime it downloads from dl.deno.land on first
 * use. Where that cannot be reached this says what is missing and what to do, and ends with 3.
 */
import { ENVIRONMENT } from "../../src/cli/environment.ts";

/**
 * Net, files, the variables of the environment that say where caches and passwords are (and one that
 * the package for PostgreSQL asks for), programs, and nothing else: no foreign functions, no prompts.
 * Programs are those that "alerts" names as commands. Every command
 * but 'run' and 'alert' gives that permission up when it begins (main.ts).
 */
export const RUN_FLAGS = [
  "--frozen",
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  `--allow-env=${ENVIRONMENT.join(",")}`,
];

const COULD_NOT = 3;

/** Compiles main.ts; returns the exit code. */
export async function compile(
  { output, env = {}, print }: {
    output: string;
    env?: Record<string, string>;
    print: (line: string) => void;
  },
): Promise<number> {
  const root = new URL("../../", import.meta.url);
  const args = ["compile", ...RUN_FLAGS, "--exclude-unused-npm", "--output", output, "main.ts"];
  // By name, as the task's --allow-run names it.
  const { success, stderr } = await new Deno.Command("deno", { args, env, cwd: root }).output();
  const said = new TextDecoder().decode(stderr);
  if (success) {
    print(`compiled ${output}`);
    return 0;
  }
  const advice = adviceOn(said);
  print(advice ?? said);
  return advice === undefined ? 1 : COULD_NOT;
}

/** What to do about a runtime that could not be downloaded, if that is what `deno compile` said. */
export function adviceOn(said: string): string | undefined {
  const missing = /https:\/\/\S*\/(release\/v[\d.]+)\/(denort-\S+?\.zip)/.exec(said);
  if (missing === null || !said.includes("base binary")) return undefined;
  const [url, release, file] = missing;
  return `Cannot compile: the runtime that goes into the executable is missing, and cannot be
downloaded from here: ${url}

Three ways out:
  1. Fetch that file on a machine that can, unpack it, and name the runtime in it:
       DENORT_BIN=/path/to/denort deno task compile
  2. Put the file, as it is, into Deno's download cache ('deno info' names DENO_DIR):
       DENO_DIR/dl/${release}/${file}
  3. Do without it: 'deno task install' makes a command 'hearsay' that runs this source.`;
}

if (import.meta.main) {
  Deno.exitCode = await compile({ output: "hearsay", print: (line) => console.log(line) });
}
