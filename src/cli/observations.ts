import type { Result } from "../evidence/result.ts";
import type { Settings } from "../monitor/settings.ts";
import { checkObservations, hasObservations, type ObservationItem } from "../store/observations.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import type { World } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, UsageError } from "./command.ts";
import { DEFAULT_CONFIG } from "./find_config.ts";
import { journalFolder, journalSettings, tellLost } from "./journals.ts";
import { listEntries, shortTime } from "./listing.ts";
import { checkRepair, counted, describeRepair } from "./repairs.ts";
import { readSelection, type Selection, SELECTION_OPTIONS, selectionHelp } from "./selection.ts";
import type { Column, Row } from "./table.ts";
import type { Style, Terminal } from "./terminal.ts";

const DEFAULT_STATE = "state";

/** `hearsay observations`: reads the observation journal. */
export const observations: Command = {
  name: "observations",
  summary: "list or check what the daemon has seen",
  help:
    `hearsay observations list   [--state DIR | --config FILE] [--since WHEN] [--log LOG] [--limit N]
                            [--json]
hearsay observations check  [--state DIR | --config FILE] [--json]

  list   prints every observation, oldest first; for a person as a table, else a line each
  check  checks the hash chain through all segments

Ends with 3 if there is no journal, if it is damaged (it names the file and the line), or if something
of it is known to be lost (lost.txt). A repair is shown; check ends with 3 if what it set aside is gone
or altered.

  --state DIR    the folder of the journal (default that of the configuration, else ${DEFAULT_STATE})
  --config FILE  the monitor's configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
${selectionHelp(14)}
  --json         entries as JSON

Example:
  hearsay observations list --since 2h
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["state", "config", ...SELECTION_OPTIONS],
      flags: ["json"],
      operands: ["list|check"],
    });
    const [what] = options.operands as [string];
    if (what !== "list" && what !== "check") {
      throw new UsageError(`expected list or check; got: ${quoted(what)}`);
    }
    const selection = readSelection(options, world.clock);
    if (what === "check" && Object.keys(selection).length > 0) {
      throw new UsageError(
        "check reads the whole journal: --since, --log and --limit are for list",
      );
    }
    const folder = await journalFolder({
      ...{ world, options, named: "state", otherwise: DEFAULT_STATE },
      ...{ from: ({ state }) => state, isIn: hasObservations },
    });
    const tools = { world, terminal, folder, json: options.flag("json") };
    const settings = await journalSettings({ world, options, named: "state" });
    let exit: ExitCode = EXIT.ok;
    if (what === "check") exit = await check(tools);
    else await list(tools, { selection, settings });
    return await tellLost("observation", { ...tools, settings }) ? EXIT.failed : exit;
  },
};

interface Tools {
  world: World;
  terminal: Terminal;
  folder: string;
  json: boolean;
}

type Item = Exclude<ObservationItem, { torn: true }>;

/** Progress is shown each time so many entries were read. A million take minutes. */
const PROGRESS_ENTRIES = 10_000;

/** The entries of the journal. Tells of a torn last line, and leaves it where it is. */
async function* entries({ world, terminal, folder }: Tools): AsyncGenerator<Item, void> {
  let read = 0;
  for await (const item of checkObservations({ files: world.files, folder })) {
    if (++read % PROGRESS_ENTRIES === 0) terminal.progress(`${read} observations read`);
    if ("torn" in item) {
      terminal.err(
        `${item.path} line ${item.lineNumber} is not complete: it is being written now, or a ` +
          "crash cut it off",
      );
    } else yield item;
  }
  terminal.progress("");
}

async function check(tools: Tools): Promise<ExitCode> {
  const { terminal, json } = tools;
  let count = 0;
  let last = "";
  let faults = 0;
  for await (const item of entries(tools)) {
    count++;
    last = item.entry.hash;
    if ("repair" in item) faults += await checkRepair(tools, item);
  }
  if (json) {
    const altered = faults > 0 ? { setAsideFaults: faults } : {};
    terminal.out(JSON.stringify({ entries: count, hash: last || null, ...altered }));
  } else {
    const chain = last === "" ? "" : `; the last hash is ${last}`;
    terminal.out(`${counted(count, "observation")}, the chain is whole${chain}`);
  }
  return faults > 0 ? EXIT.failed : EXIT.ok;
}

const COLUMNS: readonly Column[] = [
  { title: "N", align: "right" },
  { title: "WHEN (UTC)" },
  { title: "LOG", narrow: "cut" },
  { title: "RESULT" },
  { title: "SIZE", align: "right" },
  { title: "FROM", narrow: "cut" },
];

async function list(
  tools: Tools,
  chosen: { selection: Selection; settings: Settings | undefined },
): Promise<void> {
  await listEntries(entries(tools), {
    ...{ ...tools, ...chosen, what: "observations", columns: COLUMNS },
    about: (item) => ({
      at: item.entry.recorded_at,
      log: "observation" in item ? item.observation.log : undefined,
      length: JSON.stringify(item.entry).length,
    }),
    row: rowOf,
    line: (item) => `${item.entry.seq}  ${item.entry.recorded_at}  ${describe(item)}`,
    jsonLine: ({ entry }) => printableJson(JSON.stringify(entry)),
  });
}

function describe(item: Item): string {
  if (!("observation" in item)) return housekeeping(item);
  const { log, via, source, result, checkpoint, detail, repeats, settled } = item.observation;
  const size = checkpoint === undefined ? "" : ` size=${checkpoint.size}`;
  const sizes = settled?.map(({ size }) => ` size=${size}`).join("");
  const times = repeats === undefined ? "" : sizes ?? ` (${repeats} times more)`;
  const why = detail === undefined ? "" : ` — ${detail}`;
  return printable(`${log.origin}: ${result}${size}${times} by ${via} from ${source}${why}`);
}

/** What an entry says that is no observation. */
function housekeeping(item: Exclude<Item, { observation: unknown }>): string {
  if ("repair" in item) return describeRepair(item.repair);
  const count = item.removals.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  return `${count} old segments removed so far`;
}

/** The results that ask something of a person, and how urgently. */
const STYLES: Readonly<Partial<Record<Result, Style>>> = {
  inconsistent: "red",
  ...{ unproven: "yellow", withheld: "yellow", frozen: "yellow", unavailable: "yellow" },
  ...{ unverified: "yellow", "rolled back": "yellow", refused: "yellow" },
};

function rowOf(item: Item): Row {
  const { seq, recorded_at } = item.entry;
  const start = [`${seq}`, shortTime(recorded_at)];
  if (!("observation" in item)) return { cells: start, note: housekeeping(item) };
  const { log, source, result, checkpoint, detail, repeats, settled } = item.observation;
  const style = STYLES[result];
  const times = repeats === undefined
    ? []
    : [settled === undefined ? `${repeats} times more` : `settled sizes ${sizesOf(settled)}`];
  const note = [...times, ...(detail === undefined ? [] : [detail])].join(": ");
  return {
    cells: [
      ...[...start, log.origin],
      style === undefined ? result : { text: `! ${result}`, style },
      ...[checkpoint?.size ?? "", source],
    ],
    ...(note !== "" && { note: { text: note, style: "dim" as const } }),
  };
}

function sizesOf(settled: readonly { size: string }[]): string {
  return settled.map(({ size }) => size).join(", ");
}
