/**
 * The part of `hearsay config check` that reads the journals, as a start of the daemon does, and says
 * what is known to be lost of them. It neither locks nor changes them.
 *
 * @module
 */
import { join } from "@std/path/join";
import { Opinions, verifyConflict } from "../evidence/verify.ts";
import { goneJournals, LOST_FILE, readLost } from "../monitor/places.ts";
import type { Settings } from "../monitor/settings.ts";
import { hasIncidents, readIncidents, recordOf, repairOf } from "../store/incidents.ts";
import { JournalDamaged } from "../store/journal.ts";
import { logIdOf } from "../store/observation.ts";
import { checkObservations, hasObservations } from "../store/observations.ts";
import { isRepair } from "../store/repaired.ts";
import { describeLog } from "../tlog/log.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Check, type Checked, undone, wrong } from "./checking.ts";
import { counted } from "./repairs.ts";

/** Progress is shown each time so many entries were read. An incident takes longer to judge. */
const PROGRESS_ENTRIES = { observations: 10_000, incidents: 100 };

interface Telling {
  readonly tell: (check: Check) => void;
  readonly progress: (text: string) => void;
}

/** Reads both journals, if they are there, and tells what is damaged or lost. */
export async function checkJournals(
  { world, settings }: Pick<Checked, "world" | "settings">,
  { tell, progress }: Telling,
): Promise<void> {
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
      { name, tell },
      () => readCases({ world, folder: incidents, name }, { tell, progress }),
    );
  }
  let seen: ReadonlySet<string> = new Set();
  if (await hasObservations(world.files, state)) {
    const name = `the observation journal in ${state}`;
    await telling({ name, tell }, async () => {
      const read = await readLooks(world, state, progress);
      tell({ about: "journal", text: `${name} is whole: ${counted(read.entries, "line")}` });
      seen = read.logs;
    });
  }
  for (const check of checkReplaced(settings, seen)) tell(check);
}

/** Tells what a journal is refused for. */
async function telling(
  { name, tell }: { name: string; tell: Telling["tell"] },
  read: () => Promise<void>,
): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof JournalDamaged || error instanceof WorldError)) throw error;
    tell(undone("journal", `${name}: ${error.message}`));
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

/** Reads all observations. @throws JournalDamaged, WorldError */
async function readLooks(
  world: World,
  folder: string,
  progress: Telling["progress"],
): Promise<{ entries: number; logs: ReadonlySet<string> }> {
  const logs = new Set<string>();
  let entries = 0;
  for await (const item of checkObservations({ files: world.files, folder })) {
    if ("torn" in item) continue;
    if (++entries % PROGRESS_ENTRIES.observations === 0) progress(`${entries} observations read`);
    if ("observation" in item) logs.add(logIdOf(item.observation));
  }
  progress("");
  return { entries, logs };
}

/**
 * Says which replaced log was never seen here. If the new one was not seen either, this is a mistake
 * that can still be mended: what the old key signed is to hold the new one.
 */
function* checkReplaced(
  { logs }: Pick<Settings, "logs">,
  seen: ReadonlySet<string>,
): Generator<Check, void> {
  for (const { log, replaces } of logs) {
    if (replaces === undefined || seen.has(replaces.id)) continue;
    const text =
      `log ${describeLog(log)} replaces ${
        describeLog(replaces)
      }, of which nothing was seen here: ` +
      "the new key is held to nothing that the old one signed";
    yield seen.size > 0 && !seen.has(log.id) ? wrong("log", text) : { about: "log", text };
  }
}
