/**
 * `hearsay store check` and `rebuild`: the store beside this site's own journal.
 *
 * @module
 */
import { identityIn } from "../monitor/places.ts";
import { isOfSite } from "../monitor/shared_source.ts";
import { checkObservations, hasObservations, type ObservationItem } from "../store/observations.ts";
import {
  type Compared,
  compareWithJournal,
  type Comparison,
  publishAgain,
} from "../store/shared_compare.ts";
import { expectSchema } from "../store/shared_schema.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { SOFTWARE } from "../world/version.ts";
import { WorldError } from "../world/world.ts";
import { EXIT, type ExitCode } from "./command.ts";
import { counted } from "./repairs.ts";
import type { StoreTools } from "./store.ts";

/** Progress is shown each time so many entries were read. A million take minutes. */
const PROGRESS_ENTRIES = 10_000;

/** `hearsay store check`. @throws StoreRefused, WorldError, JournalDamaged */
export async function checkStore(tools: StoreTools): Promise<ExitCode> {
  const { terminal, json } = tools;
  const found = await compareWithJournal(await compared(tools));
  terminal.progress("");
  const { faults, told, published, ...counts } = found;
  if (json) {
    const publishedSeq = published.seq;
    terminal.out(
      JSON.stringify({ isDamaged: faults > 0, ...counts, publishedSeq, faults, told }),
    );
  } else {
    for (const line of inWords(found)) terminal.out(printable(line));
  }
  if (faults === 0) return EXIT.ok;
  for (const line of told) if (!json) terminal.err(printable(`  ${line}`));
  if (!json && faults > told.length) terminal.err(`  and ${faults - told.length} more`);
  terminal.err(
    "the store is damaged; the journal is right. `hearsay store rebuild` publishes the journal again " +
      "(find out who else can write to the database)",
  );
  return EXIT.failed;
}

function inWords(
  { entries, rows, older, published, behind, lacking, faults }: Comparison,
): string[] {
  const verdict = faults === 0
    ? "the store has nothing otherwise than the journal"
    : `the store is not as the journal has it, in ${counted(faults, "place")}`;
  const late = behind === 0
    ? `all ${entries} of the journal are published`
    : `it is published up to ${published.seq} of ${entries}: ${behind} behind. A daemon that runs ` +
      "catches up";
  return [
    `${verdict}: ${counted(rows, "checkpoint")} compared`,
    `  entries: ${late}`,
    ...(older > 0
      ? [
        `  not compared, as the journal has removed their entries: ${counted(older, "checkpoint")}`,
      ]
      : []),
    ...(lacking > 0
      ? [
        `  not in the store, as it drops what is old, or the journal was cut: ${
          counted(lacking, "checkpoint")
        }`,
      ]
      : []),
  ];
}

/** `hearsay store rebuild`. @throws StoreRefused, WorldError, JournalDamaged */
export async function rebuildStore(tools: StoreTools): Promise<ExitCode> {
  const { terminal, json } = tools;
  const { last, checkpoints } = await publishAgain(await compared(tools));
  terminal.progress("");
  if (json) terminal.out(JSON.stringify({ publishedSeq: last.seq, checkpoints }));
  else {
    terminal.out(
      `what the store had of this site was removed, and its journal published again up to entry ` +
        `${last.seq}: ${counted(checkpoints, "checkpoint")} from here; a daemon that runs goes on`,
    );
  }
  return EXIT.ok;
}

/**
 * What is compared, or published again.
 * @throws WorldError if this monitor has not run here, so that it has nothing to compare
 */
async function compared({ world, terminal, db, settings }: StoreTools): Promise<Compared> {
  const { state, name } = settings;
  await expectSchema(db);
  const vkey = await identityIn(world, state);
  if (vkey === undefined || !await hasObservations(world.files, state)) {
    throw new WorldError(
      "not found",
      `the folder ${
        quoted(state)
      } has no journal in it, or does not say whose it is: a monitor that ` +
        "never ran has nothing in a store",
    );
  }
  return {
    ...{ db, site: { vkey, name, software: SOFTWARE } },
    journal: counting(
      checkObservations({ files: world.files, folder: state }),
      (count) => terminal.progress(`${count} observations read`),
    ),
    isPublished: (source) => !isOfSite(source),
  };
}

async function* counting(
  items: AsyncIterable<ObservationItem>,
  tell: (count: number) => void,
): AsyncGenerator<ObservationItem, void> {
  let count = 0;
  for await (const item of items) {
    if (++count % PROGRESS_ENTRIES === 0) tell(count);
    yield item;
  }
}
