/**
 * Which other monitors have recorded a case: what their mirrored journals say, as they are on this disk.
 *
 * @module
 */
import { join } from "@std/path/join";
import { MAX_ENTRY_BYTES, parseCanonicalEntry } from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, parseRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { textOf } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { isThere } from "../world/durable.ts";
import { readLinesOfChunks } from "../world/reading.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import {
  historiesIn,
  historyFolder,
  logOfEpoch,
  mirroredKey,
  mirrorFolders,
} from "./mirror_folder.ts";
import { LINES_FILE, MirrorDamaged, readHead } from "./mirrored_history.ts";

/** That another monitor has recorded a case, under its own signature. */
export interface Attestation {
  readonly vkey: Vkey;
  /** The entry (seq) of its journal, and when it wrote that, as it says. */
  readonly seq: number;
  readonly recordedAt: string;
  /** Its record, which holds. */
  readonly record: ConflictRecord;
}

/** What the mirrors say of a case. */
export interface Attestations {
  readonly attestations: readonly Attestation[];
  /** Why a mirror could not be read, for a person. */
  readonly unread: readonly string[];
}

/**
 * The attestations of a case. Each is judged: its record holds, and the monitor whose journal it stands
 * in has signed it. What no signed head covers does not count.
 * @param state the state folder
 * @throws WorldError if the folder of mirrors cannot be read
 */
export async function attestationsOf(
  { files, state, evidenceId }: { files: Files; state: string; evidenceId: string },
): Promise<Attestations> {
  const attestations: Attestation[] = [];
  const unread: string[] = [];
  for (const folder of await mirrorFolders(files, state)) {
    try {
      attestations.push(...await inMirror({ files, folder, evidenceId }));
    } catch (error) {
      const isKnown = [WorldError, MalformedError, MirrorDamaged].some((kind) =>
        error instanceof kind
      );
      if (!isKnown) throw error;
      unread.push(`${folder}: ${(error as Error).message}`);
    }
  }
  return { attestations, unread };
}

/** What one monitor's journal says, in each of its histories; one of them is enough. */
async function inMirror(
  { files, folder, evidenceId }: { files: Files; folder: string; evidenceId: string },
): Promise<Attestation[]> {
  const vkey = await mirroredKey(files, folder);
  if (vkey === undefined) return [];
  for (const name of await historiesIn({ files, folder })) {
    const inside = join(folder, historyFolder(name));
    const log = logOfEpoch(vkey, name.epoch);
    const head = await readHead({ files, folder: inside, log });
    const lines = join(inside, LINES_FILE);
    if (head === undefined || !await isThere(files, lines)) continue;
    const file = await files.open(lines, "read");
    try {
      const found = await inLines({ file, treeSize: head.treeSize, evidenceId, vkey });
      if (found !== undefined) return [found];
    } finally {
      file.close();
    }
  }
  return [];
}

const latin1 = new TextDecoder("latin1");

async function inLines(
  { file, treeSize, evidenceId, vkey }: {
    file: OpenFile;
    treeSize: bigint;
    evidenceId: string;
    vkey: Vkey;
  },
): Promise<Attestation | undefined> {
  // The spelling of an entry is canonical, so only this names the case.
  const named = `"evidence_id":"${evidenceId}"`;
  for await (const lines of readLinesOfChunks(file, MAX_ENTRY_BYTES)) {
    for (const { number, bytes } of lines) {
      if (BigInt(number) > treeSize) return undefined;
      if (!latin1.decode(bytes).includes(named)) continue;
      const found = judged(bytes, { evidenceId, vkey });
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The attestation in a line; nothing if it holds none of this case. */
function judged(
  bytes: Uint8Array,
  { evidenceId, vkey }: { evidenceId: string; vkey: Vkey },
): Attestation | undefined {
  try {
    const { seq, recorded_at: recordedAt, record: stated } = parseCanonicalEntry(textOf(bytes));
    const record = parseRecord(stated);
    if (record.evidence_id !== evidenceId || record.detector_vkey !== vkey.text) return undefined;
    const { outcome, signed } = verifyConflict({ input: record as unknown as JsonObject });
    return outcome === "holds" && signed ? { vkey, seq, recordedAt, record } : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
