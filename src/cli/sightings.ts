import type { ConflictRecord } from "../evidence/record.ts";
import type { Log } from "../tlog/log.ts";
import { logIdOf } from "../store/observation.ts";
import { checkObservations, hasObservations } from "../store/observations.ts";
import { JournalDamaged } from "../store/journal.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Seen, sourceWords } from "./case_words.ts";
import type { Terminal } from "./terminal.ts";

/** Progress is shown each time so many entries were read. */
const PROGRESS_ENTRIES = 10_000;

/**
 * Looks up in the observation journal when each half of a record was first seen, and from whom. It
 * reads from the start until it has both. A journal that is not there, or is damaged, hides no
 * incident: then this says why it does not know.
 */
export async function findSightings(
  { world, terminal, state, record, log }: {
    world: World;
    terminal: Terminal;
    /** The folder of the observation journal. */
    state: string;
    record: ConflictRecord;
    log: Log;
  },
): Promise<Seen> {
  const { checkpoint_a: a, checkpoint_b: b } = record;
  const sources = [record.source_a, record.source_b];
  const first: (string | undefined)[] = [undefined, undefined];
  let otherwise = "when it was first seen is not in the observation journal";
  try {
    if (!await hasObservations(world.files, state)) otherwise = "no observation journal is here";
    let read = 0;
    for await (const item of checkObservations({ files: world.files, folder: state })) {
      if (++read % PROGRESS_ENTRIES === 0) terminal.progress(`reading observation ${read}`);
      if (!("observation" in item) || logIdOf(item.observation) !== log.id) continue;
      const { checkpoint, source } = item.observation;
      [a, b].forEach(({ size, root }, i) => {
        if (checkpoint?.size !== size || checkpoint.root !== root) return;
        // A peer can be the first to tell of what the log itself shows later.
        const from = source === sources[i] ? "" : `, from ${sourceWords(source)}`;
        first[i] ??= `first seen ${item.entry.recorded_at}${from}`;
      });
      if (first.every((each) => each !== undefined)) break;
    }
  } catch (error) {
    if (!(error instanceof JournalDamaged) && !(error instanceof WorldError)) throw error;
    otherwise = `when it was first seen is not known: ${error.message}`;
  } finally {
    terminal.progress("");
  }
  return { a: first[0] ?? otherwise, b: first[1] ?? otherwise };
}
