/**
 * New files that are whole or not there at all, whatever fails, and never in the place of another.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { Replacement } from "./replacing.ts";
import { type Files, type OpenFile, WorldError } from "./world.ts";

/**
 * Creates a file that must not exist yet, with this content, durably: written under another name,
 * synced, renamed, its folder synced. Whoever opens `path`, now or after a crash, finds nothing or
 * all of it. If a step fails, what was made is removed again as far as the disk lets us.
 *
 * A rename takes the place of what is there, so we look first; and who writes holds the other name,
 * so that a second process is refused, or finds the file. What remains: of two that come within the
 * moment between creating the other name and taking hold of it, the later one's content may stay;
 * and so it is with a program that knows nothing of this and puts a file there after we looked.
 * @returns the file, open for reading and writing, and held by this process (`tryLock`)
 * @throws WorldError, `already exists` among its kinds: what the failed step threw
 */
export async function createDurably(
  { files, path, content, permissions }: Replacement,
): Promise<OpenFile> {
  await expectNone(files, path);
  const temporary = `${path}.new`;
  await removeAbandoned(files, temporary);
  const file = await files.create(temporary, permissions);
  const made = [temporary];
  try {
    await hold(file, temporary);
    await expectNone(files, path); // Again: who held the other name before us has made it by now.
    await file.write(content, 0);
    await file.sync();
    await files.rename({ from: temporary, to: path });
    made.push(path);
    await files.syncFolder(join(path, ".."));
    return file;
  } catch (error) {
    for (const each of made) await discard(files, each);
    file.close();
    throw error;
  }
}

/** Removes what a crash left of an earlier try; what a process holds is no such thing. */
async function removeAbandoned(files: Files, path: string): Promise<void> {
  if (!await isThere(files, path)) return;
  const file = await files.open(path, "read");
  try {
    await hold(file, path);
    await files.remove(path);
  } finally {
    file.close();
  }
}

async function hold(file: OpenFile, path: string): Promise<void> {
  if (!await file.tryLock()) throw new WorldError("other", `another process is writing ${path}`);
}

/** Whether a folder has anything of this name, be it a file or not, and whoever may open it. */
export async function isThere(files: Files, path: string): Promise<boolean> {
  const folder = join(path, "..");
  try {
    return (await files.list(folder)).some((name) => join(folder, name) === join(path));
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return false;
    throw error;
  }
}

async function expectNone(files: Files, path: string): Promise<void> {
  if (await isThere(files, path)) throw new WorldError("already exists", `${path} exists`);
}

/** Removes what a failed try has made; that this fails as well is no news. */
async function discard(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
  }
}
