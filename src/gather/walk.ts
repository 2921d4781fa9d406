/**
 * Walks folders and gives the files in them, one after the other. What is kept in memory is the names
 * in the folders that lead to where it is, and nothing of what it has passed.
 *
 * @module
 */
import { join } from "@std/path/join";
import { type Files, type FolderEntry, WorldError } from "../world/world.ts";

/** Deepest nesting of folders that is walked. */
export const MAX_DEPTH = 128;

/** Why something in a folder was not read. */
export type PassedOver =
  /** It may lead anywhere. If it leads to something inside what was named, that is read there. */
  | "symbolic link"
  /** a pipe, a socket, a device */
  | "special file"
  | "not readable"
  /** nested deeper than MAX_DEPTH */
  | "too deep";

/** How tiles are laid out: `tile/8/<L>/…` as Go's client does, or `tile/<L>/…` (C2SP tlog-tiles). */
export type TileLayout = "Go" | "C2SP";

/** One step of a walk. */
export type Step =
  /** a file; `isNamed` if it is itself one of the paths that were asked for */
  | { readonly kind: "file"; readonly path: string; readonly isNamed: boolean }
  /** a folder `tile` that holds nothing but tiles, which is not walked */
  | { readonly kind: "tiles"; readonly path: string; readonly layout: TileLayout }
  | {
    readonly kind: "passed over";
    readonly path: string;
    readonly why: PassedOver;
    readonly detail: string;
  };

/**
 * Walks what was named, in order; in a folder, in the order of names. A path that was named is followed
 * if it is a symbolic link. A link inside a folder is not.
 * What is not there is given as a file: whoever opens it finds out.
 */
export async function* walk(
  files: Files,
  paths: readonly string[],
): AsyncGenerator<Step, void> {
  for (const path of paths) {
    if (await isFolder(files, path)) yield* walkFolder(files, path);
    else yield { kind: "file", path, isNamed: true };
  }
}

async function isFolder(files: Files, path: string): Promise<boolean> {
  try {
    return await files.kindOf(path) === "folder";
  } catch (error) {
    if (error instanceof WorldError) return false;
    throw error;
  }
}

/** A folder on the way, with what is still to be done in it, in reverse. */
interface OnTheWay {
  readonly path: string;
  readonly left: FolderEntry[];
}

async function* walkFolder(files: Files, root: string): AsyncGenerator<Step, void> {
  const way: OnTheWay[] = [];
  /** Steps into a folder; or says why not. */
  async function enter(path: string): Promise<Step | undefined> {
    if (way.length > MAX_DEPTH) {
      return passed(path, "too deep", `nested deeper than ${MAX_DEPTH} folders`);
    }
    try {
      const entries = await files.entries(path);
      const layout = layoutOf(path, entries);
      if (layout !== undefined) return { kind: "tiles", path, layout };
      way.push({ path, left: [...entries].sort(byName).reverse() });
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      return passed(path, "not readable", error.message);
    }
  }
  const first = await enter(root);
  if (first !== undefined) yield first;
  for (let folder; (folder = way.at(-1)) !== undefined;) {
    const entry = folder.left.pop();
    if (entry === undefined) {
      way.pop();
      continue;
    }
    const step = await stepOf(join(folder.path, entry.name), entry.kind);
    if (step !== undefined) yield step;
  }

  async function stepOf(path: string, kind: FolderEntry["kind"]): Promise<Step | undefined> {
    switch (kind) {
      case "file":
        return { kind: "file", path, isNamed: false };
      case "folder":
        return await enter(path);
      case "link":
        return passed(path, "symbolic link", "a symbolic link is not followed");
      case "something else":
        return passed(path, "special file", "a pipe, a socket or a device");
    }
  }
}

function passed(path: string, why: PassedOver, detail: string): Step {
  return { kind: "passed over", path, why, detail };
}

/**
 * The layout of the tiles in a folder `tile` that holds nothing else. No tree has a level 8: in
 * `tile/8` it is the height. Beside the levels a log may have its entries.
 */
function layoutOf(path: string, entries: readonly FolderEntry[]): TileLayout | undefined {
  if (!/(?:^|[\\/])tile[\\/]?$/.test(path)) return undefined;
  if (entries.some(({ kind }) => kind !== "folder")) return undefined;
  const has = (name: string): boolean => entries.some((entry) => entry.name === name);
  const areAll = (names: RegExp): boolean => entries.every(({ name }) => names.test(name));
  if (has("8") && areAll(/^\d+$/)) return "Go";
  return has("0") && areAll(/^(?:[0-7]|entries|data|names)$/) ? "C2SP" : undefined;
}

function byName(a: FolderEntry, b: FolderEntry): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
