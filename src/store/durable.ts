/**
 * What "durable" means here, in one place. Linux promises that data survives a crash only once the
 * file was synced, and a new file only once its folder was synced too; anything less may be lost
 * or torn. Every step can fail, and the tests fail each in turn.
 *
 * @module
 */
import { join } from "@std/path/join";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";

/**
 * Creates a file that must not exist yet, with this content, durably: created, written, synced, its
 * folder synced. If a step fails the file is removed again, so that a later try can succeed.
 * @param permissions POSIX mode bits
 * @returns the file, open for reading and writing
 * @throws WorldError, `already exists` among its kinds
 */
export async function createDurably(
  { files, path, content, permissions }: {
    files: Files;
    path: string;
    content: Uint8Array;
    permissions: number;
  },
): Promise<OpenFile> {
  const file = await files.create(path, permissions);
  try {
    await file.write(content, 0);
    await file.sync();
    await files.syncFolder(join(path, ".."));
    return file;
  } catch (error) {
    file.close();
    await files.remove(path);
    throw error;
  }
}

/** Gives an existing file this content, durably. After a crash half of it may be there. */
export async function rewriteDurably(
  { files, path, content }: { files: Files; path: string; content: Uint8Array },
): Promise<void> {
  const file = await files.open(path, "write");
  try {
    await file.write(content, 0);
    await file.truncate(content.length);
    await file.sync();
    await files.syncFolder(join(path, ".."));
  } finally {
    file.close();
  }
}

/**
 * A folder to keep things in: created where it is missing, with the folders above it, and the entry
 * of each made durable in the one above.
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
 * Syncs a folder above ours. One that this process may not read it has not made an entry in: whoever
 * made the folder below it has, long before.
 */
async function syncIfPermitted(files: Files, folder: string): Promise<void> {
  try {
    await files.syncFolder(folder);
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "not permitted") throw error;
  }
}

/**
 * Writes at the end of a file and syncs. If a step fails, cuts the file back to where it was, so
 * that the next write does not follow on half a line.
 * @param at where the file ends
 * @throws what the failed step threw; a DurabilityLost if cutting back failed as well
 */
export async function appendDurably(file: OpenFile, bytes: Uint8Array, at: number): Promise<void> {
  try {
    await file.write(bytes, at);
    await file.sync();
  } catch (error) {
    try {
      await file.truncate(at);
      await file.sync();
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

/** A write failed and could not be undone: nothing more may be written to this file. */
export class DurabilityLost extends Error {}
