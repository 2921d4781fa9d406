/**
 * Reads from the incident journal how its incidents stand, whether or not the daemon runs.
 *
 * @module
 */
import type { Entry } from "../evidence/entry.ts";
import { isTransition, logIdOfTransition } from "../evidence/transition.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { FROZEN_FILE, frozenMemory } from "../monitor/frozen_file.ts";
import { isOfLog } from "../monitor/incident_keeper.ts";
import { identityIn } from "../monitor/places.ts";
import type { Settings } from "../monitor/settings.ts";
import { type Hold, holdOf, type Kept } from "../response/freeze.ts";
import { Runbook } from "../response/runbook.ts";
import { isCase, readIncidents, recordOf, transitionOf } from "../store/incidents.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Log } from "../tlog/log.ts";
import type { World } from "../world/world.ts";
import { join } from "@std/path/join";

/** The incidents of a journal, the cases that none has, and the steps in it that do not count. */
export interface ReadRunbook {
  readonly runbook: Runbook;
  /** In their order; those about logs. Whether their records hold was not judged. */
  readonly unopened: readonly Entry[];
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
  const cases = new Map<string, Entry>();
  for await (const item of readIncidents({ files: world.files, folder })) {
    if (!("entry" in item)) continue;
    if (isCase(item.entry.record)) {
      const record = recordOf(item.entry, folder);
      if (isOfLog(record)) cases.set(record.evidence_id, item.entry);
    }
    if (!isTransition(item.entry.record)) continue;
    const step = transitionOf(item.entry, folder);
    const refused = runbook.take(step);
    if (refused !== undefined) {
      illegal.push({ seq: item.entry.seq, why: `${step.incident} ${refused}` });
    }
  }
  const unopened = [...cases].filter(([id]) => runbook.withCase(id) === undefined)
    .map(([, entry]) => entry);
  return { runbook, unopened, illegal };
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
  const { runbook, unopened } = await readRunbook(world, { folder, own });
  const kept = await readKept(world, state);
  // What the journal has lost is opened again at the next start.
  const lost = (kept?.holds ?? []).filter(({ incident }) => runbook.find(incident) === undefined);
  // So is a case whose incident a crash has cut short. Where there was no gate yet, none is.
  const sudden = kept === undefined ? [] : unopened.filter((entry) => {
    const { evidence_id } = recordOf(entry, folder);
    return !kept.before.includes(evidence_id) &&
      verifyConflict({ input: entry.record }).outcome === "holds";
  });
  return (log) => [
    ...runbook.freezing(log.id).map(holdOf),
    ...lost.filter((hold) => logIdOfTransition(hold) === log.id),
    ...sudden.filter((entry) => logIdOfTransition(recordOf(entry, folder)) === log.id)
      .map(({ recorded_at: since }): Hold => ({ cause: "equivocation", since, why: UNOPENED })),
  ];
}

const UNOPENED = "a case is recorded, and the monitor has not opened its incident yet";

async function readKept(world: World, folder: string): Promise<Kept | undefined> {
  const memory = frozenMemory({ files: world.files, folder });
  try {
    return await memory.read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${join(folder, FROZEN_FILE)}: ${error.message}`);
  }
}
