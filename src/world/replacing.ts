import { join } from "@std/path/join";
import { type Files, WorldError } from "./world.ts";

/** What to put where. */
export interface Replacement {
  readonly files: Files;
  readonly path: string;
  readonly content: Uint8Array;
  /** POSIX mode bits. */
  readonly permissions: number;
}

/**
 * Puts a file with this content at `path`, in the place of one that is there: written under another
 * name, synced, renamed. Whoever opens `path`, now or after a crash, finds the old content or the
 * new one, whole. It is durable once the folder was synced, which is left to the caller, who may
 * have many files in one folder. One process at a time may replace one file.
 * @throws WorldError; then the old content is in its place
 */
export async function replaceFile(
  { files, path, content, permissions }: Replacement,
): Promise<void> {
  const temporary = `${path}.new`;
  const file = await createAnew(files, temporary, permissions);
  try {
    await file.write(content, 0);
    await file.sync();
  } finally {
    file.close();
  }
  await files.rename({ from: temporary, to: path });
}

/** The same, and durable when it returns. */
export async function replaceDurably(replacement: Replacement): Promise<void> {
  await replaceFile(replacement);
  await replacement.files.syncFolder(join(replacement.path, ".."));
}

/** Creates the file; one that a crash or a full disk left behind is taken away. */
async function createAnew(files: Files, path: string, permissions: number) {
  try {
    return await files.create(path, permissions);
  } catch (error) {
    if (!(error instanceof WorldError && error.kind === "already exists")) throw error;
  }
  await files.remove(path);
  return await files.create(path, permissions);
}
