/**
 * Small files of the state folder: what a monitor must not forget about itself and its members. Each is
 * one line of canonical JSON, with a hash over the rest of it, so that a damaged file is never taken
 * for a sound one.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { ensureFolder, isThere, replaceDurably } from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import { type Files, WorldError } from "../world/world.ts";
import { join } from "@std/path/join";

/** Most bytes of such a file. A thousand members need less than one of them. */
export const MAX_SMALL_FILE_BYTES = 4 * 1024 * 1024;
/** Most values and names in one. No stranger writes it. */
const MAX_PARTS = 200_000;
/** Nobody else needs to read it. */
const PERMISSIONS = 0o600;

/** Where a small file is. */
export interface SmallFile {
  readonly files: Files;
  /** The state folder. */
  readonly folder: string;
  readonly name: string;
  /** Names the format; a file of another version is not read. */
  readonly version: string;
}

/**
 * Reads a small file.
 * @returns its members, without version and hash; nothing if it is not there
 * @throws MalformedError if it is damaged, or of another version; WorldError if it cannot be read
 */
export async function readSmallFile(
  { files, folder, name, version }: SmallFile,
): Promise<JsonObject | undefined> {
  const path = join(folder, name);
  if (!await isThere(files, path)) return undefined;
  let content: Uint8Array;
  try {
    content = await contentOf(files, path);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw new WorldError(error.kind, `${path} cannot be read: ${error.message}`);
  }
  const text = textOf(content);
  const { sha256: hash, ...rest } = parseExactJson(text, MAX_PARTS);
  if (text !== `${canonicalize({ ...rest, sha256: hash })}\n` || hash !== hashOf(rest)) {
    throw new MalformedError("its content does not match its own hash");
  }
  const { version: found, ...members } = rest;
  if (found !== version) throw new MalformedError("it is of another version of this program");
  return members;
}

async function contentOf(files: Files, path: string): Promise<Uint8Array> {
  const file = await files.open(path, "read");
  try {
    const size = await file.size();
    if (size > MAX_SMALL_FILE_BYTES) throw new MalformedError(`it has ${size} bytes`);
    const buffer = new Uint8Array(size);
    return buffer.subarray(0, await readFully(file, buffer, 0));
  } finally {
    file.close();
  }
}

/**
 * Puts a small file in the place of the one that is there, durably.
 * @throws WorldError; then the old one, or this one, is there
 */
export async function writeSmallFile(
  { files, folder, name, version }: SmallFile,
  members: JsonObject,
): Promise<void> {
  const rest = { ...members, version };
  const content = utf8(`${canonicalize({ ...rest, sha256: hashOf(rest) })}\n`);
  await ensureFolder(files, folder);
  await replaceDurably({ files, path: join(folder, name), content, permissions: PERMISSIONS });
}

function hashOf(rest: JsonObject): string {
  return encodeHex(sha256(utf8(canonicalize(rest))));
}
