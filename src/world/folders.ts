/**
 * Folders that survive a loss of power: Linux promises that of a new one only once the folder it was
 * made in was synced.
 *
 * @module
 */
import { join } from "@std/path/join";
import { type Files, WorldError } from "./world.ts";

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
