/** The caches of this machine in which other programs keep what logs have signed. */
import { join } from "@std/path/join";
import { fileText } from "../tlog/encoding.ts";
import { printable } from "../tlog/malformed.ts";
import { type World, WorldError } from "../world/world.ts";
import { isUsageFault, UsageError } from "./command.ts";
import { environmentOf } from "./folders.ts";
import { kindOf, readInput } from "./inputs.ts";
import type { Terminal } from "./terminal.ts";

/** Longest file of settings of the go command that is read. */
const MAX_GO_ENV_BYTES = 64 * 1024;

/** The variables of the environment that say where they are. */
export const CACHE_VARIABLES = [
  ...["HOME", "USERPROFILE", "GOPATH", "GOMODCACHE", "GOENV", "XDG_CONFIG_HOME"] as const,
];
type CacheVariable = typeof CACHE_VARIABLES[number];

/** The value of a variable of the environment, if there is one. */
type Environment = (name: CacheVariable) => string | undefined;

/** The caches that are known. */
export interface KnownCaches {
  readonly there: readonly string[];
  readonly missing: readonly string[];
  /** Why it is not known where they would be. */
  readonly unknown?: string;
}

/**
 * Where the go command keeps lookups and tiles, and the latest tree head (`go help environment`:
 * GOMODCACHE, GOPATH; what `go env -w` has set comes after the environment), and where npm keeps the
 * attestations that `npm audit signatures` has fetched.
 * @param environment the value of a variable of the environment, if there is one
 */
export async function knownCaches(
  world: World,
  environment: Environment = environmentOf,
): Promise<KnownCaches> {
  const home = environment("HOME") ?? environment("USERPROFILE");
  const settings = home === undefined ? new Map() : await goSettings({ world, home, environment });
  const setting = (name: "GOPATH" | "GOMODCACHE"): string | undefined =>
    environment(name) ?? settings.get(name);
  const goPaths = setting("GOPATH")?.split(home?.includes("\\") ? ";" : ":")
    .filter((path) => path !== "") ?? (home === undefined ? [] : [join(home, "go")]);
  const [firstGoPath] = goPaths;
  const modules = setting("GOMODCACHE") ??
    (firstGoPath === undefined ? undefined : join(firstGoPath, "pkg", "mod"));
  const paths = [
    ...(modules === undefined ? [] : [join(modules, "cache", "download", "sumdb")]),
    ...goPaths.map((path) => join(path, "pkg", "sumdb")),
    ...(home === undefined ? [] : [join(home, ".npm", "_cacache", "content-v2")]),
  ];
  if (paths.length === 0) {
    const unknown =
      "where the caches of this machine are is not known, because the variables HOME, " +
      "GOPATH and GOMODCACHE of the environment are not set or may not be read";
    return { there: [], missing: [], unknown };
  }
  const kinds = await Promise.all(paths.map((path) => kindOf(world, path)));
  return {
    there: paths.filter((_, i) => kinds[i] === "folder"),
    missing: paths.filter((_, i) => kinds[i] !== "folder"),
  };
}

/** What `go env -w` has written: lines NAME=VALUE. */
async function goSettings({ world, home, environment }: {
  world: World;
  home: string;
  environment: Environment;
}): Promise<Map<string, string>> {
  const folders = [
    environment("XDG_CONFIG_HOME"),
    join(home, ".config"),
    join(home, "Library", "Application Support"),
    join(home, "AppData", "Roaming"),
  ].filter((folder) => folder !== undefined);
  const paths = [environment("GOENV"), ...folders.map((folder) => join(folder, "go", "env"))];
  for (const path of paths) {
    if (path === undefined) continue;
    try {
      const text = fileText(await readInput({ world, path, maxBytes: MAX_GO_ENV_BYTES }));
      const lines = text.matchAll(/^([A-Z]+)=(.*?)\r?$/gm);
      return new Map([...lines].map(([, name, value]) => [name!, value!]));
    } catch (error) {
      // It is not there, or it is not what it should be: then the go command does not use it either.
      if (error instanceof WorldError || isUsageFault(error)) continue;
      throw error;
    }
  }
  return new Map();
}

/**
 * The caches to look into if nothing was named. It says which it looks into, and which are not there.
 * @throws UsageError if no cache is known or none is there
 */
export async function cachesToWalk(
  { world, terminal }: { world: World; terminal: Terminal },
): Promise<readonly string[]> {
  const { there, missing, unknown } = await knownCaches(world);
  if (unknown !== undefined) throw new UsageError(`${unknown}; name a FILE or DIR`);
  for (const path of missing) terminal.err(`not there: ${printable(path)}`);
  if (there.length === 0) {
    throw new UsageError(
      "none of the caches that are known is on this machine; name a FILE or DIR",
    );
  }
  for (const path of there) terminal.err(`looking into ${printable(path)}`);
  return there;
}
