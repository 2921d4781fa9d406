import { checkObservations, hasObservations } from "../store/observations.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";
import { DEFAULT_CONFIG } from "./find_config.ts";
import { journalFolder } from "./journals.ts";
import { checkRepair, describeRepair } from "./repairs.ts";

const DEFAULT_STATE = "state";

/** `hearsay observations`: reads the observation journal. */
export const observations: Command = {
  name: "observations",
  summary: "list or check what the daemon has seen",
  help: `hearsay observations list | check   [--state DIR | --config FILE] [--json]

  list   prints one line for every observation, oldest first
  check  checks the hash chain through all segments

Ends with 3 if there is no journal, or if it is damaged: then it names the file and the line. A
repair is shown; check ends with 3 if what it set aside is gone or altered.

  --state DIR    the folder of the journal (default that of the configuration, else ${DEFAULT_STATE})
  --config FILE  the monitor's configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --json         entries as JSON

Example:
  hearsay observations check --state /var/lib/hearsay/state
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["state", "config"],
      flags: ["json"],
      operands: ["list|check"],
    });
    const [what] = options.operands as [string];
    if (what !== "list" && what !== "check") {
      throw new UsageError(`expected list or check; got: ${quoted(what)}`);
    }
    const folder = await journalFolder({
      ...{ world, options, named: "state", otherwise: DEFAULT_STATE },
      ...{ from: ({ state }) => state, isIn: hasObservations },
    });
    const json = options.flag("json");
    let count = 0;
    let last = "";
    let faults = 0;
    for await (const item of checkObservations({ files: world.files, folder })) {
      if ("torn" in item) {
        terminal.err(
          `${item.path} line ${item.lineNumber} is not complete: it is being written now, or a ` +
            "crash cut it off",
        );
        continue;
      }
      count++;
      last = item.entry.hash;
      if (what === "check") {
        if (!("repair" in item)) continue;
        const { entry, repair } = item;
        faults += await checkRepair({ world, terminal, folder, json }, { entry, repair });
        continue;
      }
      if (json) terminal.out(printableJson(JSON.stringify(item.entry)));
      else terminal.out(`${item.entry.seq}  ${item.entry.recorded_at}  ${describe(item)}`);
    }
    if (what === "check") {
      if (json) {
        const altered = faults > 0 ? { setAsideFaults: faults } : {};
        terminal.out(JSON.stringify({ entries: count, hash: last || null, ...altered }));
      } else {
        const chain = last === "" ? "" : `; the last hash is ${last}`;
        terminal.out(`${count} observations, the chain is whole${chain}`);
      }
    } else if (count === 0 && !json) terminal.out(`no observations in ${printable(folder)}`);
    return faults > 0 ? EXIT.failed : EXIT.ok;
  },
};

type Item = Awaited<ReturnType<ReturnType<typeof checkObservations>["next"]>>["value"];

function describe(item: NonNullable<Item>): string {
  if ("repair" in item) return describeRepair(item.repair);
  if ("removals" in item) {
    const removed = item.removals.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    return `${removed} old segments removed so far`;
  }
  if (!("observation" in item)) return "";
  const { log, via, source, result, checkpoint, detail, repeats, settled } = item.observation;
  const size = checkpoint === undefined ? "" : ` size=${checkpoint.size}`;
  const sizes = settled?.map(({ size }) => ` size=${size}`).join("");
  const times = repeats === undefined ? "" : sizes ?? ` (${repeats} times more)`;
  const why = detail === undefined ? "" : ` — ${detail}`;
  return printable(`${log.origin}: ${result}${size}${times} by ${via} from ${source}${why}`);
}
