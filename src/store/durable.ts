/**
 * What "durable" means here, in one place. Linux promises that data survives a crash only once the
 * file was synced, and a new file only once its folder was synced too; anything less may be lost
 * or torn. Every step can fail, and the tests fail each in turn.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { Files, OpenFile } from "../world/world.ts";

// How a new file and a new folder are made is told there: a log in a folder makes them as well.
export { createDurably } from "../world/creating.ts";
export { ensureFolder } from "../world/folders.ts";

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
