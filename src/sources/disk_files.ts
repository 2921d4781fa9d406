/** The files of a log on disk, and how they are written. */
import { join } from "@std/path/join";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { TILE_WIDTH } from "../tlog/tiles.ts";
import { createDurably, ensureFolder, isThere, replaceFile } from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import { MAX_ENTRY_BYTES, type TileFile } from "./disk_edge.ts";

/** Where the signed note is, below the log's folder. */
export const CHECKPOINT_FILE = "checkpoint";
/** Where the private key is, below the log's folder. */
export const KEY_FILE = "log.key";

/** Only the owner may read a private key. */
const KEY_PERMISSIONS = 0o600;
/** Everyone may read a log. */
export const PUBLIC_PERMISSIONS = 0o644;

const MAX_KEY_BYTES = 4_096;
/** Longest tile or bundle. */
const MAX_TILE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);
/** Files written or copied at once. Most of the time of each is spent waiting for the disk. */
const FILES_AT_ONCE = 16;

/** Writes tiles, some at a time, and makes them and their folders durable. */
export async function writeTiles(
  { files, folder, tiles }: {
    files: Files;
    folder: string;
    tiles: Iterable<TileFile> | AsyncIterable<TileFile>;
  },
): Promise<void> {
  const folders = new Set<string>();
  async function write({ path, content }: TileFile): Promise<void> {
    await replaceFile({
      files,
      path: join(folder, path),
      content,
      permissions: PUBLIC_PERMISSIONS,
    });
  }
  let batch: Promise<void>[] = [];
  try {
    for await (const tile of tiles) {
      const parts = tile.path.split("/");
      const own = parts.slice(0, -1).join("/");
      if (!folders.has(own)) await files.makeFolder(join(folder, own));
      for (let depth = 0; depth < parts.length; depth++) {
        folders.add(parts.slice(0, depth).join("/"));
      }
      batch.push(write(tile));
      if (batch.length === FILES_AT_ONCE) {
        await allOf(batch);
        batch = [];
      }
    }
  } finally {
    // This also runs if making the tiles fails. Otherwise a write would go on after this function
    // has ended.
    await allOf(batch);
  }
  for (const path of folders) await files.syncFolder(join(folder, path));
}

/** Waits for all, whichever fails. */
async function allOf(batch: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(batch)) {
    if (result.status === "rejected") throw result.reason;
  }
}

/** What to do about a folder in which a log was begun and has no checkpoint. */
export const CUT_OFF = "making or copying this log was cut off. Remove the folder and do it again";

/**
 * Makes the folder if it is missing, writes the key into it, and locks the key.
 * @throws MalformedError if the folder has a log, or any part of one that matters: nothing was made
 */
export async function createKey(
  { files, folder, content }: { files: Files; folder: string; content: Uint8Array },
): Promise<OpenFile> {
  await expectNoLog(files, folder);
  await ensureFolder(files, folder);
  const path = join(folder, KEY_FILE);
  try {
    return await createDurably({ files, path, content, permissions: KEY_PERMISSIONS });
  } catch (error) {
    // Another process may have made one since we looked.
    if (error instanceof WorldError && error.kind === "already exists") {
      await expectNoLog(files, folder);
    }
    throw error;
  }
}

/** A checkpoint without a key is a log too: a copy of somebody else's. */
async function expectNoLog(files: Files, folder: string): Promise<void> {
  if (await isThere(files, join(folder, CHECKPOINT_FILE))) {
    throw new MalformedError(`there is a log in ${quoted(folder)}; name a folder without one`);
  }
  if (await isThere(files, join(folder, KEY_FILE))) {
    (await openKey(files, folder)).close(); // Who is making one holds it.
    throw new MalformedError(`${quoted(folder)} has a key and no checkpoint: ${CUT_OFF}`);
  }
}

/**
 * Opens the key and locks it, so that one process at a time changes the log.
 * @throws MalformedError if there is none, WorldError if another process holds it
 */
export async function openKey(files: Files, folder: string): Promise<OpenFile> {
  let key: OpenFile;
  try {
    key = await files.open(join(folder, KEY_FILE), "read");
  } catch (error) {
    if (!(error instanceof WorldError && error.kind === "not found")) throw error;
    throw new MalformedError(`there is no log in ${quoted(folder)}; 'hearsay log init' makes one`);
  }
  try {
    await hold(key, folder);
    return key;
  } catch (error) {
    key.close();
    throw error;
  }
}

async function hold(key: OpenFile, folder: string): Promise<void> {
  if (!await key.tryLock()) {
    throw new WorldError("other", `another process is changing the log in ${quoted(folder)}`);
  }
}

/** All of a key file. */
export async function readKey(file: OpenFile): Promise<Uint8Array> {
  const buffer = new Uint8Array(MAX_KEY_BYTES);
  return buffer.slice(0, await readFully(file, buffer, 0));
}

/**
 * Reads one of the log's public files.
 * @param path below the log's folder
 * @throws WorldError, `not found` among its kinds
 */
export async function readFile(
  { files, folder, path }: { files: Files; folder: string; path: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await files.open(join(folder, path), "read");
  try {
    const limit = path === CHECKPOINT_FILE ? MAX_NOTE_BYTES : MAX_TILE_BYTES;
    const content = new Uint8Array(Math.min(await file.size(), limit));
    return content.subarray(0, await readFully(file, content, 0));
  } finally {
    file.close();
  }
}
