import { formatRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { hasIncidents, readIncidents, recordOf, repairOf } from "../store/incidents.ts";
import { isRepair } from "../store/repaired.ts";
import { type Entry } from "../evidence/entry.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import type { World } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, UsageError } from "./command.ts";
import { DEFAULT_CONFIG } from "./find_config.ts";
import { journalFolder } from "./journals.ts";
import { DEFAULT_INCIDENTS } from "./inputs.ts";
import { checkRepair, describeRepair } from "./repairs.ts";
import { describeConflict } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

/** `hearsay incidents`: reads the incident journal. */
export const incidents: Command = {
  name: "incidents",
  summary: "list, show or check the incidents recorded here",
  help: `hearsay incidents list | show ID | check   [--incidents DIR | --config FILE] [--json]

  list     prints one line for every incident
  show ID  prints one conflict record; ID is its number, or the first 8 or more digits of its
           evidence_id
  check    checks the hash chain and verifies every record again

Ends with 3 if there is no journal, if it is damaged, or if a record in it does not hold. A repair is
shown; check ends with 3 if what it set aside is gone or altered.

  --incidents DIR  the folder of the journal (default that of the configuration, else incidents)
  --config FILE    the monitor's configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --json           records as JSON, ready to hand on

Example:
  hearsay incidents show 1 --json > conflict.json
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["incidents", "config"],
      flags: ["json"],
      operands: ["list|show|check", "ID"],
      leastOperands: 1,
    });
    const [what, id] = options.operands;
    if (!["list", "show", "check"].includes(what!) || (what === "show") === (id === undefined)) {
      throw new UsageError(
        `expected list, show ID or check; came: ${options.operands.map(quoted).join(" ")}`,
      );
    }
    const folder = await journalFolder({
      ...{ world, options, named: "incidents", otherwise: DEFAULT_INCIDENTS },
      ...{ from: ({ incidents }) => incidents, isIn: hasIncidents },
    });
    const tools = { world, terminal, folder, json: options.flag("json") };
    if (id !== undefined) return await showIncident(id, tools);
    return what === "list" ? await list(tools) : await check(tools);
  },
};

interface Tools {
  world: World;
  terminal: Terminal;
  folder: string;
  json: boolean;
}

/** The entries of the journal. Tells of a torn last line, and leaves it where it is. */
async function* entries({ world, terminal, folder }: Tools): AsyncGenerator<Entry, void> {
  for await (const item of readIncidents({ files: world.files, folder })) {
    if ("entry" in item) yield item.entry;
    else {
      terminal.err(
        `line ${item.torn.number} is not complete: it is being written now, or a crash cut it off; ` +
          "the next program that writes the journal sets it aside",
      );
    }
  }
}

async function list(tools: Tools): Promise<ExitCode> {
  const { terminal, json, folder } = tools;
  let count = 0;
  let unsound = 0;
  for await (const entry of entries(tools)) {
    if (isRepair(entry.record)) {
      const repair = describeRepair(repairOf(entry, folder));
      if (json) terminal.out(printableJson(JSON.stringify(entry)));
      else terminal.out(`${entry.seq}  ${entry.recorded_at}  ${repair}`);
      continue;
    }
    count++;
    const record = recordOf(entry, folder);
    const { outcome } = verifyConflict({ input: entry.record });
    if (outcome !== "holds") unsound++;
    const doubt = outcome === "holds" ? "" : `  DOES NOT HOLD (${outcome})`;
    if (json) terminal.out(printableJson(JSON.stringify(entry)));
    else terminal.out(`${entry.seq}  ${record.detected_at}  ${describeConflict(record)}${doubt}`);
  }
  if (count === 0 && !json) terminal.out(`no incidents in ${printable(folder)}`);
  return unsound > 0 ? EXIT.failed : EXIT.ok;
}

async function showIncident(id: string, tools: Tools): Promise<ExitCode> {
  const { terminal, json, folder } = tools;
  const isId = /^[0-9a-f]{8,64}$/.test(id);
  for await (const entry of entries(tools)) {
    if (isRepair(entry.record)) continue;
    const record = recordOf(entry, folder);
    const isIt = String(entry.seq) === id || (isId && record.evidence_id.startsWith(id));
    if (!isIt) continue;
    const { outcome } = verifyConflict({ input: entry.record });
    if (outcome !== "holds") terminal.err(`incident ${entry.seq} DOES NOT HOLD (${outcome})`);
    if (json) terminal.out(printableJson(formatRecord(record)));
    else {
      terminal.out(printableJson(JSON.stringify(record, null, 2)));
      terminal.err(
        "To hand this on, print it with --json. Anyone can check it: 'hearsay verify FILE --log LOG'.",
      );
    }
    return outcome === "holds" ? EXIT.ok : EXIT.failed;
  }
  throw new UsageError(
    `there is no incident ${quoted(id)} in ${quoted(folder)}; expected a number, or at least the ` +
      "first 8 digits of an evidence_id",
  );
}

async function check(tools: Tools): Promise<ExitCode> {
  const { terminal, json, folder } = tools;
  let count = 0;
  let unsound = 0;
  let faults = 0;
  let last: Entry | undefined;
  for await (const entry of entries(tools)) {
    last = entry;
    if (isRepair(entry.record)) {
      faults += await checkRepair(tools, { entry, repair: repairOf(entry, folder) });
      continue;
    }
    recordOf(entry, folder);
    const { outcome, checks } = verifyConflict({ input: entry.record });
    count++;
    if (outcome === "holds") continue;
    unsound++;
    const why = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    terminal.err(`incident ${entry.seq} ${outcome}: ${printable(why.join("; "))}`);
  }
  if (json) {
    const altered = faults > 0 ? { setAsideFaults: faults } : {};
    terminal.out(
      JSON.stringify({ entries: count, unsound, hash: last?.hash ?? null, ...altered }),
    );
  } else {
    const chain = last === undefined ? "" : `; the last hash is ${last.hash}`;
    terminal.out(`${count} incidents, the chain is whole${chain}; ${unsound} do not hold`);
  }
  return unsound > 0 || faults > 0 ? EXIT.failed : EXIT.ok;
}
