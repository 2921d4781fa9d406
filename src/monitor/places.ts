/**
 * The two folders of a monitor: whose they are, and what was in them and is no more. Each has a small
 * file with the monitor's vkey, written once both journals are there. So each folder is a witness for
 * the other. What is found lost is written into `lost.txt`, and told until a person removes that file.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { join } from "@std/path/join";
import type { Link } from "../evidence/entry.ts";
import { hasIncidents, type IncidentJournal } from "../store/incidents.ts";
import {
  hasObservations,
  type LostEntries,
  type ObservationJournal,
} from "../store/observations.ts";
import { isSetAside, type Repair } from "../store/repaired.ts";
import { fileText, utf8 } from "../tlog/encoding.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { ensureFolder, isThere, PlaceLost, replaceDurably } from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import { millisecondsBetween, timeNow } from "../world/time.ts";
import { type World, WorldError } from "../world/world.ts";
import type { EventReport } from "./events.ts";
import type { Settings } from "./settings.ts";

/** A file in each folder with the vkey of the monitor that last used it. */
export const IDENTITY_FILE = "monitor.vkey";
/** A file that says what was lost, one sentence a line, until a person removes it. */
export const LOST_FILE = "lost.txt";
const MAX_FILE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const PERMISSIONS = { identity: 0o600, lost: 0o644 };
/**
 * A monitor that runs writes at least one observation an hour. So an incident this much later than
 * the last observation was not written beside these observations.
 */
const OBSERVATIONS_BEHIND_MS = 2 * 3_600_000;

/** What a person is to do about what was lost. */
export const LOST_ADVICE =
  `Restore it from a backup or accept the loss. Then remove the ${LOST_FILE} in which it is noted ` +
  '(OPERATING, "Lost state")';

/** The name of a folder's setting. */
type FolderName = "state" | "incidents";

/** A folder is another monitor's. */
export class PlaceForeign extends Error {}

/** See the module. */
export class Places {
  readonly #world: World;
  readonly #settings: Pick<Settings, FolderName>;
  readonly #own: Vkey;
  readonly #vkeys: Readonly<Record<FolderName, string | undefined>>;
  #lost: readonly string[] = [];

  private constructor(fields: {
    world: World;
    settings: Pick<Settings, FolderName>;
    own: Vkey;
    vkeys: Record<FolderName, string | undefined>;
  }) {
    this.#world = fields.world;
    this.#settings = fields.settings;
    this.#own = fields.own;
    this.#vkeys = fields.vkeys;
  }

  /**
   * Looks at the folders before a start. If a journal is gone, that is written down before anything
   * is made anew.
   * @throws PlaceForeign if a folder is another monitor's, WorldError if it cannot be told
   */
  static async look({ world, settings, own }: {
    world: World;
    settings: Pick<Settings, FolderName>;
    own: Vkey;
  }): Promise<Places> {
    const { state, incidents } = settings;
    const vkeys = {
      state: await identityIn(world, state),
      incidents: await identityIn(world, incidents),
    };
    const places = new Places({ world, settings, own, vkeys });
    places.#expectOwn();
    await places.refresh();
    for (const gone of await goneJournals(world, settings)) await places.note(gone);
    return places;
  }

  #expectOwn(): void {
    for (const name of ["state", "incidents"] as const) {
      const vkey = this.#vkeys[name];
      if (vkey === undefined || nameOf(vkey) === this.#own.name) continue;
      const folder = this.#settings[name];
      throw new PlaceForeign(
        `the folder ${quoted(folder)} ("${name}") is another monitor's: it was last used by ` +
          `${quoted(nameOf(vkey))}, and this one is ${
            quoted(this.#own.name)
          }. Nothing was written. ` +
          `Give each monitor its own folders. If this monitor was renamed, remove ` +
          quoted(join(folder, IDENTITY_FILE)),
      );
    }
  }

  /** What was lost and is not removed from the notes yet, one sentence each. */
  get lost(): readonly string[] {
    return this.#lost;
  }

  /** Whether what was lost is the journal of observations, or a part of it. */
  get hasLostObservations(): boolean {
    return this.#lost.some((sentence) => sentence.includes("the observation journal in "));
  }

  /** Reads the notes again: a person may have removed them. */
  async refresh(): Promise<void> {
    const { state, incidents } = this.#settings;
    const folders = [...new Set([state, incidents])];
    const told = await Promise.all(folders.map(async (folder) => {
      const sentences = await readLost(this.#world, [folder]);
      return sentences.map((one) => `${one} (noted in ${printable(join(folder, LOST_FILE))})`);
    }));
    this.#lost = told.flat();
  }

  /**
   * Writes down that something was lost; see `noteLost`.
   * @param folder where; the state folder by default
   * @throws WorldError if the disk refuses
   */
  async note(what: string, folder = this.#settings.state): Promise<void> {
    await noteLost(this.#world, folder, what);
    await this.refresh();
  }

  /**
   * Whether this monitor's own repairs have set an entry aside. Anybody who can write the folder can
   * make another key, and a repair with it.
   */
  #isSetAside(known: Link, repairs: readonly Repair[]): boolean {
    return isSetAside(known, repairs.filter(({ by }) => by === this.#own.text));
  }

  /** What the index knows to have been in the observation journal is not there. */
  async noteObservations({ known, last, repairs }: LostEntries): Promise<void> {
    if (this.#isSetAside(known, repairs)) return;
    await this.note(
      `the observation journal in ${quoted(this.#settings.state)} lacks entries: it had entry ` +
        `${known.seq} with the hash ${known.hash}, and ${endOf(last)}`,
    );
  }

  /** Removes the notes about folders that were moved, and are back with all that was in them. */
  async #withdraw(last: Readonly<Record<FolderName, Link>>): Promise<void> {
    const { files } = this.#world;
    const isBack = (sentence: string): boolean =>
      (["state", "incidents"] as const).some((name) =>
        sentence.endsWith(endedWith(name, last[name]))
      );
    for (const folder of new Set([this.#settings.state, this.#settings.incidents])) {
      const sentences = await readLost(this.#world, [folder]);
      const left = sentences.filter((sentence) => !isBack(sentence));
      if (left.length === sentences.length) continue;
      const path = join(folder, LOST_FILE);
      const content = utf8(left.map((sentence) => `${sentence}\n`).join(""));
      if (left.length === 0) await files.remove(path);
      else await replaceDurably({ files, path, content, permissions: PERMISSIONS.lost });
    }
    await this.refresh();
  }

  /**
   * Compares the incident journal with what the index knows of it, and with the observations.
   * @throws WorldError
   */
  async compare(observations: ObservationJournal, incidents: IncidentJournal): Promise<void> {
    await this.#withdraw({ state: observations.last, incidents: incidents.last });
    const where = `the incident journal in ${quoted(this.#settings.incidents)}`;
    const { incidentsSeen: seen } = observations;
    const { last, repairs, detectors } = incidents;
    const lastAt = detectors.get(this.#own.name);
    const newRepairs = repairs.filter((repair) => observations.isNewRepair(repair));
    if (seen !== undefined && seen.seq > 0 && !this.#isSetAside(seen, newRepairs)) {
      if (await incidents.hashOf(seen.seq) !== seen.hash) {
        await this.note(
          `${where} lacks entries: it had entry ${seen.seq} with the hash ${seen.hash}, and ` +
            endOf(last),
        );
      }
    }
    const { latestAt } = observations;
    const isBehind = lastAt !== undefined && latestAt !== undefined &&
      millisecondsBetween(latestAt, lastAt) > OBSERVATIONS_BEHIND_MS;
    if (isBehind) {
      await this.note(
        `the observation journal in ${quoted(this.#settings.state)} ends at ${latestAt}, and ` +
          `${where} has a case that this monitor found at ${lastAt}: the observations may be an older ` +
          "copy",
      );
    }
    const isForeign = this.#vkeys.incidents === undefined && detectors.size > 0 &&
      !detectors.has(this.#own.name);
    if (isForeign) {
      await this.note(
        `${where} has no record of this monitor: its records are by ${
          [...detectors.keys()].map(quoted).join(", ")
        }`,
      );
    }
  }

  /**
   * Writes down whose folders these are, once both journals are open and locked. Warns if they were
   * last used with another key: somebody else may have put the key there, and those who know this
   * monitor by its vkey must be told the new one. If the disk refuses, the daemon runs all the same.
   */
  async claim(report: EventReport): Promise<void> {
    const { files } = this.#world;
    const { text } = this.#own;
    const before = this.#vkeys.state ?? this.#vkeys.incidents;
    if (before !== undefined && before !== text) {
      report.event("key.changed", "warning", { before: printable(before), now: text });
    }
    try {
      for (const name of ["state", "incidents"] as const) {
        if (this.#vkeys[name] === text) continue;
        const path = join(this.#settings[name], IDENTITY_FILE);
        const content = utf8(`${text}\n`);
        await replaceDurably({ files, path, content, permissions: PERMISSIONS.identity });
      }
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      report.workFailed(error);
    }
  }

  /**
   * A folder is no longer where it was. Writes that down in the other one, if that is still there.
   * @param inPlace whether each journal is still where it was opened
   * @param last the last entry of each: a folder that is put back is known by it
   */
  async noteMoved(
    error: PlaceLost,
    inPlace: Readonly<Record<FolderName, () => Promise<void>>>,
    last: Readonly<Record<FolderName, Link>>,
  ): Promise<void> {
    for (const name of ["state", "incidents"] as const) {
      const moved = name === "state" ? "incidents" : "state";
      try {
        await inPlace[name]();
        const what = `${error.message}; ${endedWith(moved, last[moved])}`;
        return await this.note(what, this.#settings[name]);
      } catch (failure) {
        // Then it is told, and nowhere written down.
        if (!(failure instanceof WorldError || failure instanceof PlaceLost)) throw failure;
      }
    }
  }
}

/** How a journal ended whose folder was moved. A start that finds it so again has lost nothing. */
function endedWith(name: FolderName, { seq, hash }: Link): string {
  const kind = name === "state" ? "observation" : "incident";
  return `the ${kind} journal ended with entry ${seq}, ${hash}`;
}

function endOf(last: Link): string {
  return last.seq === 0 ? "has no entry now" : `its last entry is ${last.seq} now, ${last.hash}`;
}

/** The name in a vkey. */
function nameOf(vkey: string): string {
  return vkey.split("+", 1)[0]!;
}

/**
 * Which journals are gone: one of the folders shows that the monitor ran, so both were made. One
 * sentence each.
 * @throws WorldError
 */
export async function goneJournals(
  world: World,
  { state, incidents }: Pick<Settings, FolderName>,
): Promise<string[]> {
  const vkeys = [await identityIn(world, state), await identityIn(world, incidents)];
  if (vkeys.every((vkey) => vkey === undefined)) return [];
  const gone = (kind: string, folder: string): string =>
    `the ${kind} journal in ${quoted(folder)} is gone, and this monitor has run before`;
  return [
    ...await hasObservations(world.files, state) ? [] : [gone("observation", state)],
    ...await hasIncidents(world.files, incidents) ? [] : [gone("incident", incidents)],
  ];
}

/**
 * What was lost of the journals in these folders and is still told, one sentence each.
 * @throws WorldError
 */
export async function readLost(world: World, folders: readonly string[]): Promise<string[]> {
  const notes = await Promise.all(
    [...new Set(folders)].map((folder) => readSmall(world, join(folder, LOST_FILE))),
  );
  return notes.flatMap((note) => note === undefined ? [] : sentencesOf(note));
}

/**
 * Writes down in a folder that something was lost, durably. What is written there already is not
 * written again: a service manager may start a monitor that cannot start again and again.
 * @throws WorldError if the disk refuses
 */
export async function noteLost(world: World, folder: string, what: string): Promise<void> {
  const { files, clock } = world;
  const path = join(folder, LOST_FILE);
  await ensureFolder(files, folder);
  const before = await readSmall(world, path) ?? new Uint8Array();
  const text = printable(what);
  if (sentencesOf(before).some((line) => line.endsWith(` ${text}`))) return;
  const isWhole = before.length === 0 || before.at(-1) === NEWLINE;
  const content = concat([before, utf8(`${isWhole ? "" : "\n"}${timeNow(clock)} ${text}\n`)]);
  await replaceDurably({ files, path, content, permissions: PERMISSIONS.lost });
}

/** The vkey of the monitor that last used a folder, if the folder says one. */
export async function identityIn(world: World, folder: string): Promise<string | undefined> {
  const bytes = await readSmall(world, join(folder, IDENTITY_FILE));
  if (bytes === undefined) return undefined;
  try {
    const text = fileText(bytes).trimEnd();
    return text === "" ? undefined : text;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** The sentences of a note. A person may have edited it, so it need not be UTF-8. */
function sentencesOf(note: Uint8Array): string[] {
  return new TextDecoder().decode(note).split(/\r?\n/).filter((line) => line !== "").map(printable);
}

/** The content of a small file; nothing if it is not there. */
async function readSmall(
  { files }: World,
  path: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!await isThere(files, path)) return undefined;
  const file = await files.open(path, "read");
  try {
    const buffer = new Uint8Array(MAX_FILE_BYTES);
    return buffer.subarray(0, await readFully(file, buffer, 0));
  } finally {
    file.close();
  }
}
