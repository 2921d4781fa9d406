/**
 * The part of `hearsay config check` that reads the journals, as a start of the daemon does, and says
 * what is known to be lost of them. It neither locks nor changes them.
 *
 * @module
 */
import { join } from "@std/path/join";
import { Opinions, verifyConflict } from "../evidence/verify.ts";
import { goneJournals, LOST_FILE, readLost } from "../monitor/places.ts";
import {
  hasIncidents,
  readIncidents,
  recordOf,
  repairOf,
  transitionOf,
} from "../store/incidents.ts";
import { JournalDamaged } from "../store/journal.ts";
import { checkObservations, hasObservations } from "../store/observations.ts";
import { isTransition } from "../evidence/transition.ts";
import { isRepair } from "../store/repaired.ts";
import { type World, WorldError } from "../world/world.ts";
import { WalkedViews } from "./check_keys.ts";
import { type Check, type Checked, undone } from "./checking.ts";
import { shellWord } from "./command.ts";
import { counted } from "./repairs.ts";

/** Progress is shown each time so many entries were read. An incident takes longer to judge. */
const PROGRESS_ENTRIES = { observations: 10_000, incidents: 100 };

interface Telling {
  readonly tell: (check: Check) => void;
  readonly progress: (text: string) => void;
}

/**
 * Reads both journals, if they are there, and tells what is damaged or lost.
 * @returns which logs were seen, as far as that could be read
 */
export async function checkJournals(
  { world, settings }: Pick<Checked, "world" | "settings">,
  { tell, progress }: Telling,
): Promise<WalkedViews> {
  for (const what of await goneJournals(world, settings)) tell(undone("journal", what));
  for (const folder of new Set([settings.state, settings.incidents])) {
    for (const what of await readLost(world, [folder])) {
      tell(undone("journal", `${join(folder, LOST_FILE)} still says what was lost: ${what}`));
    }
  }
  const { state, incidents } = settings;
  if (await hasIncidents(world.files, incidents)) {
    const name = `the incident journal in ${incidents}`;
    await telling(
      { name, folder: incidents, tell },
      () => readCases({ world, folder: incidents, name }, { tell, progress }),
    );
  }
  const seen = new WalkedViews();
  if (await hasObservations(world.files, state)) {
    const name = `the observation journal in ${state}`;
    await telling({ name, folder: state, tell }, async () => {
      const entries = await readLooks({ world, folder: state, seen }, progress);
      tell({ about: "journal", text: `${name} is whole: ${counted(entries, "line")}` });
    });
  }
  return seen;
}

/** Tells what a journal is refused for. */
async function telling(
  { name, folder, tell }: { name: string; folder: string; tell: Telling["tell"] },
  read: () => Promise<void>,
): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof JournalDamaged || error instanceof WorldError)) throw error;
    const advice = error instanceof JournalDamaged
      ? `; see what a repair would do: hearsay journal repair ${shellWord(folder)} --dry-run`
      : "";
    tell(undone("journal", `${name}: ${error.message}${advice}`));
  }
}

/** Judges every record of the incident journal. @throws JournalDamaged, WorldError */
async function readCases(
  { world, folder, name }: { world: World; folder: string; name: string },
  { tell, progress }: Telling,
): Promise<void> {
  const opinions = new Opinions();
  let entries = 0;
  const unsound: number[] = [];
  for await (const item of readIncidents({ files: world.files, folder })) {
    if (!("entry" in item)) continue;
    const { entry } = item;
    if (++entries % PROGRESS_ENTRIES.incidents === 0) progress(`${entries} incidents judged`);
    if (isRepair(entry.record)) {
      repairOf(entry, folder);
      continue;
    }
    if (isTransition(entry.record)) {
      transitionOf(entry, folder);
      continue;
    }
    recordOf(entry, folder);
    if (verifyConflict({ input: entry.record, opinions }).outcome !== "holds") {
      unsound.push(entry.seq);
    }
  }
  progress("");
  tell({ about: "journal", text: `${name} is whole: ${counted(entries, "line")}` });
  if (unsound.length === 0) return;
  tell(undone("journal", `${name} has records that do not hold: ${unsound.join(", ")}`));
}

/** Reads all observations. @returns how many entries @throws JournalDamaged, WorldError */
async function readLooks(
  { world, folder, seen }: { world: World; folder: string; seen: WalkedViews },
  progress: Telling["progress"],
): Promise<number> {
  let entries = 0;
  for await (const item of checkObservations({ files: world.files, folder })) {
    if ("torn" in item) continue;
    if (++entries % PROGRESS_ENTRIES.observations === 0) progress(`${entries} observations read`);
    if ("observation" in item) seen.take(item.observation, item.entry.recorded_at);
  }
  progress("");
  return entries;
}
