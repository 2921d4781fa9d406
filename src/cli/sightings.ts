import type { ConflictRecord } from "../evidence/record.ts";
import type { Log } from "../tlog/log.ts";
import { logIdOf } from "../store/observation.ts";
import { checkObservations, hasObservations } from "../store/observations.ts";
import { JournalDamaged } from "../store/journal.ts";
import { type World, WorldError } from "../world/world.ts";
import { sourceWords } from "./case_words.ts";
import type { Prose } from "./prose.ts";
import type { Terminal } from "./terminal.ts";

/** Progress is shown each time so many entries were read. */
const PROGRESS_ENTRIES = 10_000;

/**
 * Tells when this monitor first saw each half of a record, and from whom. It looks that up in the
 * observation journal, from its start until it has both: a minute or two if there are a million
 * entries. A journal that is not there, or is damaged, hides no incident: then this says why it does
 * not know.
 */
export async function tellSightings(
  prose: Prose,
  { world, terminal, state, record, log }: {
    world: World;
    terminal: Terminal;
    /** The folder of the observation journal. */
    state: string;
    record: ConflictRecord;
    log: Log;
  },
): Promise<void> {
  const { checkpoint_a: a, checkpoint_b: b } = record;
  const first: (string | undefined)[] = [undefined, undefined];
  let otherwise = "not in the observation journal";
  try {
    if (!await hasObservations(world.files, state)) otherwise = "no observation journal is here";
    let read = 0;
    for await (const item of checkObservations({ files: world.files, folder: state })) {
      if (++read % PROGRESS_ENTRIES === 0) {
        terminal.progress(`looking for when it was first seen: observation ${read}`);
      }
      if (!("observation" in item) || logIdOf(item.observation) !== log.id) continue;
      const { checkpoint, source } = item.observation;
      [a, b].forEach(({ size, root }, i) => {
        if (checkpoint?.size !== size || checkpoint.root !== root) return;
        first[i] ??= `${item.entry.recorded_at}, from ${sourceWords(source)}`;
      });
      if (first.every((each) => each !== undefined)) break;
    }
  } catch (error) {
    if (!(error instanceof JournalDamaged) && !(error instanceof WorldError)) throw error;
    otherwise = `not known: ${error.message}`;
  } finally {
    terminal.progress("");
  }
  prose.heading("When this monitor first saw them");
  prose.fact("checkpoint A", first[0] ?? otherwise);
  prose.fact("checkpoint B", first[1] ?? otherwise);
}
