/**
 * `deno task install [--dir BIN]`: a command `hearsay` for who has only npm.
 *
 * It is a shell script that runs the source in this folder by the Deno that made it. What it needs is
 * kept beside the source, in `.installed` and `node_modules`: neither an emptied npm cache nor another
 * user's home matters to it, and it starts without a network. It passes signals on, as it becomes Deno.
 */
import { join } from "@std/path/join";
import { RUN_FLAGS } from "./compile.ts";

/** What a wrapper made here begins with. Only such a file is replaced. */
const MARK = "#!/bin/sh\n# Hearsay, run from its source.";
const EXECUTABLE = 0o755;
const [WRONG_USAGE, COULD_NOT] = [2, 3];

/** What cannot be installed, and what to do. */
class NotInstalled extends Error {}

/** A text as one word of a shell. */
function word(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The shell script that runs the source in a folder. */
export function wrapper(source: string): string {
  const again = `run there: npx -y deno@${Deno.version.deno} task install`;
  return `${MARK} Made by 'deno task install', and made again by it.
source=${word(source)}
kept=$source/.installed

# Deno's own errors end with 1, which here means that a log has misbehaved.
stop() {
  printf 'hearsay: %s\\n' "$1" >&2
  exit ${COULD_NOT}
}
[ -r "$source/main.ts" ] ||
  stop "its source is not in $source any more. Go to the folder where it is now, and ${again}"
[ -x "$kept/deno" ] && [ -d "$source/node_modules" ] &&
  [ "$(cat "$source/deno.lock")" = "$(cat "$kept/deno.lock")" ] ||
  stop "its source in $source has changed since it was installed. Go to that folder, and ${again}"

# Nothing but these is needed at a start: no cache of the user, no network.
export DENO_DIR="$kept/cache" DENO_NO_UPDATE_CHECK=1 DENO_TLS_CA_STORE=system
exec "$kept/deno" run ${[...RUN_FLAGS, ...KEPT_FLAGS].join(" ")} \\
  --config "$source/deno.json" "$source/main.ts" "$@"
`;
}

/** Packages come from the source's own folder, and are never downloaded at a start. */
const KEPT_FLAGS = ["--cached-only", "--node-modules-dir=auto"];

/** Puts the wrapper into a folder, and what it needs beside the source. @returns its path */
export async function install(
  { source, bin }: { source: string; bin: string },
): Promise<string> {
  if (Deno.build.os === "windows") {
    throw new NotInstalled(
      "There is no wrapper for Windows. Run 'deno task hearsay' in this folder instead.",
    );
  }
  const path = join(bin, "hearsay");
  refuseOthers(path);
  const kept = join(source, ".installed");
  Deno.mkdirSync(kept, { recursive: true });
  takeDeno(join(kept, "deno"));
  // The packages may have to be downloaded now, so that no start needs to.
  await deno(source, {}, "cache", "--frozen", "--node-modules-dir=auto", "main.ts");
  // As the wrapper starts it, so that it is known to work.
  const env = { DENO_DIR: join(kept, "cache") };
  await deno(source, env, "run", ...RUN_FLAGS, ...KEPT_FLAGS, "main.ts", "--version");
  Deno.copyFileSync(join(source, "deno.lock"), join(kept, "deno.lock"));

  Deno.mkdirSync(bin, { recursive: true });
  Deno.writeTextFileSync(`${path}.new`, wrapper(source));
  Deno.chmodSync(`${path}.new`, EXECUTABLE);
  Deno.renameSync(`${path}.new`, path);
  return path;
}

/** @throws NotInstalled if something stands there that was not made here */
function refuseOthers(path: string): void {
  let there: string;
  try {
    there = new TextDecoder().decode(Deno.readFileSync(path).subarray(0, MARK.length));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (there === MARK) return;
  throw new NotInstalled(
    `${path} exists and was not made by this task, so it is not replaced. Move it, or give another ` +
      "folder with --dir.",
  );
}

/** Keeps the Deno that runs this: npx has it in a cache, which may be emptied. */
function takeDeno(path: string): void {
  Deno.copyFileSync(Deno.execPath(), `${path}.new`);
  Deno.chmodSync(`${path}.new`, EXECUTABLE);
  Deno.renameSync(`${path}.new`, path);
}

/** Runs Deno in the source's folder. @throws NotInstalled with what it said if it failed */
async function deno(
  source: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<void> {
  // By name, as the task's --allow-run names it.
  const { success, stderr } = await new Deno.Command("deno", { args, env, cwd: source }).output();
  if (!success) throw new NotInstalled(new TextDecoder().decode(stderr));
}

/** What a person is told who cannot call the command by its name yet. */
function pathNotice(bin: string, path: string | undefined): string | undefined {
  if (path?.split(":").includes(bin)) return undefined;
  return `${bin} is not on your PATH. Add it, here and where your shell starts:
  export PATH="${bin}:$PATH"`;
}

const HELP = `deno task install [--dir BIN]

Makes a command, hearsay, that runs the source in this folder. It is put into BIN (default
~/.local/bin). A file there that this task has not made is not replaced.`;

async function main(args: string[]): Promise<number> {
  if (args.length === 1 && ["--help", "-h"].includes(args[0]!)) {
    console.log(HELP);
    return 0;
  }
  const given = args[0] === "--dir" && args.length === 2 ? args[1] : undefined;
  const home = Deno.env.get("HOME");
  const wanted = given ?? (args.length === 0 && home ? join(home, ".local/bin") : undefined);
  if (!wanted) {
    const came = args.length === 0
      ? "HOME is not set, so --dir is needed"
      : `came: ${args.join(" ")}`;
    console.error(`expected deno task install [--dir BIN]; ${came}`);
    return WRONG_USAGE;
  }
  try {
    // Relative to this folder, as for 'deno task hearsay'.
    const bin = wanted.startsWith("/") ? wanted : join(Deno.cwd(), wanted);
    const source = new URL("../../", import.meta.url);
    const path = await install({ source: Deno.realPathSync(source), bin });
    console.log(`installed ${path}, which runs the source in this folder`);
    const notice = pathNotice(bin, Deno.env.get("PATH"));
    if (notice !== undefined) console.log(notice);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return COULD_NOT;
  }
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
