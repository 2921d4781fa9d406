/** What `hearsay seal` and `hearsay open` share: how a file becomes another one. */
import type { Chunks } from "../swarm/sealed_file.ts";
import { quoted } from "../tlog/malformed.ts";
import {
  createDurably,
  isThere,
  type NewContent,
  replaceDurably,
  temporaryName,
} from "../world/durable.ts";
import { READ_CHUNK_BYTES } from "../world/reading.ts";
import { type OpenFile, type World, WorldError } from "../world/world.ts";
import { type Options, type OptionSpec, UsageError } from "./command.ts";
import { cannotRead, cannotWrite, kindOf, writing } from "./inputs.ts";
import { KEY_PERMISSIONS } from "./keygen.ts";
import { PASSPHRASE_FILE } from "./passphrase.ts";

/** The options that both have. */
export const SEALING_OPTIONS = {
  values: ["out", PASSPHRASE_FILE],
  flags: ["overwrite"],
  operands: ["FILE"],
} satisfies OptionSpec;

/** What a sealed file's name ends with, unless it is told otherwise. */
export const SEALED_ENDING = ".sealed";

/**
 * Refuses to take the place of a file, before anybody is asked for a passphrase.
 * @throws UsageError, WorldError
 */
export async function expectFree(
  { world, out, options }: { world: World; out: string; options: Options },
): Promise<void> {
  const kind = await kindOf(world, out);
  if (kind === "folder" || kind === "something else") {
    throw new UsageError(`${quoted(out)} is a folder, a pipe or a device, expected a file`);
  }
  if (options.flag("overwrite")) return;
  if (await writing(out, () => isThere(world.files, out))) throw inTheWay(out);
}

function inTheWay(out: string): UsageError {
  return new UsageError(
    `${
      quoted(out)
    } exists and is not overwritten: name another file with --out, or say --overwrite`,
  );
}

/** What a file holds, piece by piece. @throws WorldError that names the file */
export async function* chunksOf(file: OpenFile, path: string): Chunks {
  const buffer = new Uint8Array(READ_CHUNK_BYTES);
  for (let at = 0;;) {
    let count: number;
    try {
      count = await file.read(buffer, at);
    } catch (error) {
      throw cannotRead(path, error);
    }
    if (count === 0) return;
    yield buffer.subarray(0, count);
    at += count;
  }
}

/**
 * Writes a file that only its owner can read: whole and synced, or not at all.
 * @throws UsageError if it is there and `options` do not say that it may be overwritten; WorldError;
 *   whatever `chunks` throws
 */
export async function writeOut(
  { world: { files }, out, options, chunks }: {
    world: World;
    out: string;
    options: Options;
    chunks: Chunks;
  },
): Promise<void> {
  const content = async (file: OpenFile): Promise<void> => {
    let at = 0;
    for await (const chunk of chunks) {
      await file.write(chunk, at);
      at += chunk.length;
    }
  };
  const whole = { files, path: out, content, permissions: KEY_PERMISSIONS };
  if (options.flag("overwrite")) return await writing(out, () => replaceOrDiscard(whole));
  try {
    (await createDurably(whole)).close();
  } catch (error) {
    const isTaken = error instanceof WorldError && error.kind === "already exists";
    throw isTaken ? inTheWay(out) : cannotWrite(out, error);
  }
}

/** What was opened before something failed must not stay there, under whatever name. */
async function replaceOrDiscard(whole: NewContent): Promise<void> {
  try {
    await replaceDurably(whole);
  } catch (error) {
    try {
      await whole.files.remove(temporaryName(whole.path));
    } catch (second) {
      if (!(second instanceof WorldError)) throw second;
    }
    throw error;
  }
}
