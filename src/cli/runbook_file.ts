/**
 * Reads from the incident journal how its incidents stand, whether or not the daemon runs.
 *
 * @module
 */
import { isTransition } from "../evidence/transition.ts";
import { FROZEN_FILE, frozenMemory } from "../monitor/frozen_file.ts";
import { identityIn } from "../monitor/places.ts";
import type { Settings } from "../monitor/settings.ts";
import { type Hold, holdOf } from "../response/freeze.ts";
import { Runbook } from "../response/runbook.ts";
import { readIncidents, transitionOf } from "../store/incidents.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Log } from "../tlog/log.ts";
import type { World } from "../world/world.ts";
import { join } from "@std/path/join";

/** The incidents of a journal, and the steps in it that do not count. */
export interface ReadRunbook {
  readonly runbook: Runbook;
  readonly illegal: readonly { readonly seq: number; readonly why: string }[];
}

/**
 * Reads the incidents of a journal.
 * @param folder of the incident journal
 * @param own the vkey of the monitor whose journal it is, if that is known
 * @throws JournalDamaged, WorldError
 */
export async function readRunbook(
  world: World,
  { folder, own }: { folder: string; own: string | undefined },
): Promise<ReadRunbook> {
  const runbook = new Runbook({ own });
  const illegal: { seq: number; why: string }[] = [];
  for await (const item of readIncidents({ files: world.files, folder })) {
    if (!("entry" in item) || !isTransition(item.entry.record)) continue;
    const step = transitionOf(item.entry, folder);
    const refused = runbook.take(step);
    if (refused !== undefined) {
      illegal.push({ seq: item.entry.seq, why: `${step.incident} ${refused}` });
    }
  }
  return { runbook, illegal };
}

/** Says of which logs a monitor accepts nothing now. */
export type HoldsOf = (log: Pick<Log, "id" | "origin" | "vkey">) => readonly Hold[];

/**
 * Reads of which logs a monitor accepts nothing now, from its folders.
 * @throws JournalDamaged, WorldError
 */
export async function readHolds(world: World, settings: Settings): Promise<HoldsOf> {
  const { state, incidents: folder } = settings;
  const own = await identityIn(world, state);
  const { runbook } = await readRunbook(world, { folder, own });
  const kept = await readKept(world, state);
  // What the journal has lost is opened again at the next start.
  const lost = kept.filter(({ incident }) => runbook.find(incident) === undefined);
  return ({ id, origin, vkey }) => [
    ...runbook.freezing(id).map(holdOf),
    ...lost.filter(({ log }) => log.origin === origin && log.vkey === vkey.text),
  ];
}

async function readKept(world: World, folder: string) {
  const memory = frozenMemory({ files: world.files, folder });
  try {
    return (await memory.read())?.holds ?? [];
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${join(folder, FROZEN_FILE)}: ${error.message}`);
  }
}
