/**
 * Where mirrors are on the disk: `STATE/mirrors/ID`, one folder for each monitor, and in it `vkey`, whose
 * journal it is, and a folder for each history.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { join } from "@std/path/join";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { fileText, utf8 } from "../tlog/encoding.ts";
import { type Log, makeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseNote } from "../tlog/note.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import { ensureFolder, isThere, replaceDurably } from "../world/durable.ts";
import { type Files, WorldError } from "../world/world.ts";
import { MirrorDamaged, readWhole } from "./mirrored_history.ts";
import { formatOrigin, mirrorId, parseOrigin } from "./wire.ts";

/** The folder of all mirrors, below the state folder. */
const MIRRORS_FOLDER = "mirrors";
/** In a mirror's folder: whose journal it is. */
const VKEY_FILE = "vkey";
/** `EPOCH`, or `EPOCH-N` where the one before was damaged here. The first epoch is 0. */
const HISTORY_FOLDER = /^(0|[1-9]\d{0,18})(?:-([1-9]\d{0,3}))?$/;
const PERMISSIONS = 0o644;

/** The mirror is another monitor's. */
class MirrorForeign extends MirrorDamaged {}

/** One history in a mirror's folder. */
export interface HistoryName {
  readonly epoch: bigint;
  /** How many before it, of the same epoch, were damaged here. */
  readonly damaged: number;
}

/** Longest vkey of a monitor read from its file. */
const MAX_VKEY_BYTES = 4_096;

/** The folder of a mirror. @param name of the monitor's key */
export function mirrorFolder(state: string, name: string): string {
  return join(state, MIRRORS_FOLDER, mirrorId(name));
}

/** The folder of a history, in that of its mirror. */
export function historyFolder({ epoch, damaged }: HistoryName): string {
  return damaged === 0 ? `${epoch}` : `${epoch}-${damaged}`;
}

/**
 * Writes down whose mirror a folder is, or checks it. The folder is made if it is missing.
 * @throws MirrorDamaged if it is another monitor's, WorldError
 */
export async function claimFolder(
  { files, folder, vkey }: { files: Files; folder: string; vkey: Vkey },
): Promise<void> {
  const path = join(folder, VKEY_FILE);
  const content = utf8(`${vkey.text}\n`);
  await ensureFolder(files, folder);
  if (!await isThere(files, path)) {
    return await replaceDurably({ files, path, content, permissions: PERMISSIONS });
  }
  const there = await readWhole({ files, path, maxBytes: MAX_VKEY_BYTES });
  if (there !== undefined && equals(there, content)) return;
  throw new MirrorForeign(
    `${folder} is the mirror of another key of this name: move it away, and start again`,
  );
}

/** The folders of all mirrors. @param state the state folder @throws WorldError */
export async function mirrorFolders(files: Files, state: string): Promise<string[]> {
  const folder = join(state, MIRRORS_FOLDER);
  try {
    const entries = await files.entries(folder);
    return entries.filter(({ kind }) => kind === "folder").map(({ name }) => join(folder, name))
      .sort();
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return [];
    throw error;
  }
}

/** Whose mirror a folder is; nothing if it does not say. @throws MalformedError, WorldError */
export async function mirroredKey(files: Files, folder: string): Promise<Vkey | undefined> {
  const path = join(folder, VKEY_FILE);
  const text = await readWhole({ files, path, maxBytes: MAX_VKEY_BYTES });
  return text && parseVkey(fileText(text).trimEnd());
}

/** The keys of all mirrors. What says no key is passed over. @throws WorldError */
export async function mirroredKeys(files: Files, state: string): Promise<Vkey[]> {
  const keys: Vkey[] = [];
  for (const folder of await mirrorFolders(files, state)) {
    try {
      const vkey = await mirroredKey(files, folder);
      if (vkey !== undefined) keys.push(vkey);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
    }
  }
  return keys;
}

/** The histories in a mirror's folder, the latest first. @throws WorldError */
export async function historiesIn(
  { files, folder }: { files: Files; folder: string },
): Promise<HistoryName[]> {
  const names = (await files.entries(folder)).flatMap(({ name, kind }) => {
    const [, epoch, damaged = "0"] = HISTORY_FOLDER.exec(name) ?? [];
    if (kind !== "folder" || epoch === undefined) return [];
    return [{ epoch: BigInt(epoch), damaged: Number(damaged) }];
  });
  return names.sort((a, b) =>
    a.epoch === b.epoch ? b.damaged - a.damaged : a.epoch < b.epoch ? 1 : -1
  );
}

/** A monitor's journal as a log. @param epoch 0 for the first */
export function logOfEpoch(vkey: Vkey, epoch: bigint): Log {
  const named = epoch === 0n ? {} : { epoch };
  return makeLog({ vkey, origin: formatOrigin({ name: vkey.name, ...named }) });
}

/**
 * Opens a note as a head of a monitor's journal, of whichever epoch.
 * @throws MalformedError if it is none, or the signature is wrong
 */
export function openHead(note: string, vkey: Vkey): VerifiedCheckpoint {
  const { origin } = parseCheckpointText(parseNote(note).text);
  const parsed = parseOrigin(origin, vkey.name);
  if (parsed === undefined) {
    const wanted = formatOrigin({ name: vkey.name });
    throw new MalformedError(`its checkpoint is of ${quoted(origin)}, expected ${quoted(wanted)}`);
  }
  const opened = openCheckpoint({ note, logs: [makeLog({ vkey, origin })] });
  if ("refused" in opened) throw new MalformedError(opened.detail);
  return opened[0]!;
}
