/**
 * Files that survive: what "durable" means, in one place. Linux promises that what was written
 * outlives a loss of power only once the file was synced, and that a name leads to it only once the
 * folder which holds the name was synced as well. Anything less may be lost, torn, or found as it
 * was before. Each of the four sequences of system calls below (as `strace` shows them) can fail at
 * every step. The tests let each step fail in turn, before and after its effect.
 *
 * Creating, `createDurably`. A reader that opens `c` finds nothing, or all of it.
 *
 *     getdents(folder)                   is there a c? a rename would take its place
 *     getdents(folder)                   is there a c.new? if nobody holds it a crash left it: unlink
 *     open("c.new", O_CREAT | O_EXCL)    never in the place of anything
 *     flock("c.new", LOCK_EX | LOCK_NB)  one process at a time makes c; it keeps holding the file
 *     getdents(folder)                   again: who held c.new before us has made c by now
 *     write, fsync("c.new")              the content first, or the name could lead to an empty file
 *     rename("c.new", "c")               from one moment to the next
 *     open(folder), fsync(folder)        the name
 *
 * Replacing, `replaceFile` and `replaceDurably`. A reader that opens `c` finds all of the old
 * content or all of the new one.
 *
 *     open("c.new", O_CREAT | O_EXCL)    what a crash left there is removed, and this tried again
 *     write, fsync("c.new")              the content first, as above
 *     rename("c.new", "c")
 *     open(folder), fsync(folder)        the name; left to the caller by `replaceFile`
 *
 * Folders, `ensureFolder`. The name of a new folder stands in the folder above it, which may be new
 * as well.
 *
 *     mkdir("a"), mkdir("a/b")           those that are missing
 *     open("."), fsync(".")              the name a
 *     open("a"), fsync("a")              the name a/b
 *
 * Appending, `appendDurably`. The earlier content stays as it is. The added content is there as a
 * whole or not at all.
 *
 *     write(at the end), fsync           the length is synced with the content (fsync, not fdatasync)
 *
 * and if one of them fails
 *
 *     ftruncate(to where it ended), fsync    or the next append would follow on half a line
 *
 * After a failed fsync the system may believe that content is written which is not on the disk. So
 * reading it back shows nothing. A file that was to be created or replaced is given up under its
 * other name, and an append is cut off. If even that fails, `DurabilityLost` says that nothing more
 * may be written to the file before a new start has read it. See Rebello et al., "Can Applications
 * Recover from fsync Failures?", USENIX ATC 2020.
 *
 * @module
 */
import { join } from "@std/path/join";
import { type Files, type OpenFile, WorldError } from "./world.ts";

/** Writes the content of a new, empty file, piece by piece. It is called once. */
export type Filling = (file: OpenFile) => Promise<void>;

/** A path and the content for it. */
export interface NewContent {
  readonly files: Files;
  readonly path: string;
  readonly content: Uint8Array | Filling;
  /** POSIX mode bits. */
  readonly permissions: number;
}

/**
 * Creates a file that must not exist yet, with this content, durably. If a step fails, what was made
 * is removed again as far as the disk lets us.
 *
 * Two gaps remain. If two processes come in the moment between creating the other name and locking
 * it, the later one's content may stay. And another program may put a file there after we looked.
 * @returns the file, open for reading and writing, and locked by this process (`tryLock`)
 * @throws WorldError, `already exists` among its kinds: what the failed step threw
 */
export async function createDurably(
  { files, path, content, permissions }: NewContent,
): Promise<OpenFile> {
  await expectNone(files, path);
  const temporary = temporaryName(path);
  await removeAbandoned(files, temporary);
  const file = await files.create(temporary, permissions);
  const made = [temporary];
  try {
    await hold(file, temporary);
    await expectNone(files, path);
    await fill(file, content);
    await file.sync();
    await files.rename({ from: temporary, to: path });
    made.push(path);
    await syncFolderOf(files, path);
    return file;
  } catch (error) {
    for (const each of made) await discard(files, each);
    file.close();
    throw error;
  }
}

/**
 * Whether a folder has anything of this name, whether or not it is a file and this process may open
 * it.
 */
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

/**
 * Removes the file that a crash left of an earlier try. A file that a process has locked is not
 * one.
 */
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

async function fill(file: OpenFile, content: Uint8Array | Filling): Promise<void> {
  if (typeof content === "function") await content(file);
  else await file.write(content, 0);
}

async function hold(file: OpenFile, path: string): Promise<void> {
  if (!await file.tryLock()) throw new WorldError("other", `another process is writing ${path}`);
}

/** Removes the file that a failed try has made. If this fails too, that is not reported. */
async function discard(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
  }
}

/**
 * Puts a file with this content at `path`, in the place of one that is there. It is durable once
 * the folder was synced. The caller does that, because it may have many files in one folder. One
 * process at a time may replace one file.
 * @param isSynced false for a file that is derived and compared at each start: a loss of power may
 *   leave any content there
 * @throws WorldError; then the old content is in its place
 */
export async function replaceFile(
  { files, path, content, permissions, isSynced = true }: NewContent & { isSynced?: boolean },
): Promise<void> {
  const temporary = temporaryName(path);
  const file = await createAnew(files, temporary, permissions);
  try {
    await fill(file, content);
    if (isSynced) await file.sync();
  } finally {
    file.close();
  }
  await files.rename({ from: temporary, to: path });
}

/** As `replaceFile`, and it is durable when this returns. */
export async function replaceDurably(replacement: NewContent): Promise<void> {
  await replaceFile(replacement);
  await syncFolderOf(replacement.files, replacement.path);
}

/** Creates the file. A file that a crash or a full disk left behind is removed first. */
async function createAnew(files: Files, path: string, permissions: number): Promise<OpenFile> {
  try {
    return await files.create(path, permissions);
  } catch (error) {
    if (!(error instanceof WorldError && error.kind === "already exists")) throw error;
  }
  await files.remove(path);
  return await files.create(path, permissions);
}

/**
 * Makes a folder if it is missing, and the folders above it. The entry of each is made durable in
 * the folder above it.
 */
export async function ensureFolder(files: Files, folder: string): Promise<void> {
  await files.makeFolder(folder);
  const names = join(folder).split("/").filter((name) => name !== "" && name !== ".");
  const top = folder.startsWith("/") ? "/" : ".";
  for (let above = 0; above < names.length; above++) {
    await syncIfPermitted(files, join(top, ...names.slice(0, above)));
  }
}

/**
 * Syncs a folder above ours, unless this process may not read it. In that case it has made no entry
 * there, because it could not. The folder below is older, and its maker has synced its entry.
 */
async function syncIfPermitted(files: Files, folder: string): Promise<void> {
  try {
    await files.syncFolder(folder);
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not permitted") throw error;
  }
}

/**
 * Writes at the end of a file and syncs. If a step fails, cuts the file back to where it was.
 * @param at the end of the file; or where zeros begin, which stand for its end and are cut off as well
 * @throws the error of the failed step; a DurabilityLost if cutting back failed as well
 */
export async function appendDurably(file: OpenFile, bytes: Uint8Array, at: number): Promise<void> {
  try {
    await file.write(bytes, at);
    await file.sync();
  } catch (error) {
    try {
      await cutDurably(file, at);
    } catch (second) {
      throw new DurabilityLost(
        `${(error as Error).message}; cutting the file back failed as well: ${
          (second as Error).message
        }`,
      );
    }
    throw error;
  }
}

/** Cuts a file to `size` bytes, durably. */
export async function cutDurably(file: OpenFile, size: number): Promise<void> {
  await file.truncate(size);
  await file.sync();
}

/** A write failed and could not be undone. Nothing more may be written to this file. */
export class DurabilityLost extends Error {}

/**
 * The path of an open file leads elsewhere by now: its folder was moved, removed or replaced. What
 * is written to the file from now on is nowhere that anybody looks.
 */
export class PlaceLost extends DurabilityLost {}

/**
 * Checks that a path still leads to a file that is open.
 * @throws PlaceLost if it does not, WorldError if it cannot be told
 */
export async function expectInPlace(files: Files, path: string, file: OpenFile): Promise<void> {
  if (file.identity === undefined) return;
  let there: string | undefined;
  try {
    there = await files.identity(path);
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not found") throw error;
    throw new PlaceLost(`${path} is gone: it, or its folder, was moved or removed`);
  }
  if (there === file.identity) return;
  throw new PlaceLost(`${path} is another file than before: it, or its folder, was replaced`);
}

/**
 * The ending of the name under which a file is written first. It is in the same folder, so the
 * rename moves no bytes.
 */
export function temporaryName(path: string): string {
  return `${path}.new`;
}

async function syncFolderOf(files: Files, path: string): Promise<void> {
  await files.syncFolder(join(path, ".."));
}
