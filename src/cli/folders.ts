import { WorldError } from "../world/world.ts";

/** The folder that relative paths of the command line begin in. */
export function workingFolder(): string {
  return Deno.cwd();
}

/** Makes a new folder for the time a command runs. @throws WorldError */
export function makeTemporaryFolder(prefix: string): string {
  try {
    return Deno.makeTempDirSync({ prefix });
  } catch (error) {
    throw new WorldError("other", `cannot make a temporary folder: ${(error as Error).message}`);
  }
}

/**
 * The value of a variable of the environment. There is none if it is not set, is empty, or if this
 * process may not read it (`--allow-env`).
 */
export function environmentOf(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) || undefined : undefined;
}
