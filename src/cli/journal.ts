import { join } from "@std/path/join";
import { hasIncidents } from "../store/incidents.ts";
import { JOURNAL_FILE, JournalLocked } from "../store/journal.ts";
import { hasObservations, OBSERVATIONS_NAME } from "../store/observations.ts";
import { repairableIncidents, repairableObservations } from "../store/repairables.ts";
import { type Plan, planRepair, type Repairable, repairJournal } from "../store/repairing.ts";
import { LOST_FILE, noteLost } from "../monitor/places.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { isThere } from "../world/durable.ts";
import type { Signer } from "../world/signer.ts";
import { timeNow } from "../world/time.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Command, EXIT, type Options, readOptions, UsageError } from "./command.ts";
import { shellWord } from "../world/shell_word.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { cannotRead, readKey } from "./inputs.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";
import { counted } from "./repairs.ts";
import { readSettings } from "./run.ts";
import type { Terminal } from "./terminal.ts";

/** `hearsay journal`: repairs a damaged journal. */
export const journal: Command = {
  name: "journal",
  summary: "repair a damaged journal",
  help: `hearsay journal repair [DIR|FILE] [--config FILE] [--key FILE] [--dry-run]

Repairs the journal in a folder: incidents, observations, or both. Without DIR it takes both folders of
the monitor's configuration. The monitor must not run.

Everything from the first damaged line on is copied, byte for byte, into a file beside the journal.
Then the chain goes on with an entry that says what was set aside, where it is, and why. The monitor's
key signs that entry. What was set aside and counts by itself is written again after it, as new
entries: every conflict record that holds, and the largest checkpoint of each log. What counted before
and cannot be used any more is named, and written into lost.txt beside the journal: the monitor tells
of it until a person removes that file. A journal that is whole is not changed.

  --config FILE  the monitor's configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --key FILE     the key that signs (default that of the configuration)
${passphraseHelp(17)}
  --dry-run      only say what would be done

Ends with 0 if the journal is whole now, or would be; with 3 if it could not be repaired.

Example:
  hearsay journal repair /var/lib/hearsay/incidents --dry-run
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["config", "key", PASSPHRASE_FILE],
      flags: ["dry-run"],
      operands: ["repair", "DIR|FILE"],
      leastOperands: 1,
    });
    const [what, path] = options.operands;
    if (what !== "repair") throw new UsageError(`expected repair; got: ${quoted(what!)}`);
    const isDry = options.flag("dry-run");
    const found = path === undefined
      ? await configuredJournals(world, options)
      : await journalsAt(world, path);
    const signer = isDry ? undefined : await signerOf({ world, terminal, options });
    for (const one of found) await repair(one, { world, terminal, signer });
    return EXIT.ok;
  },
};

/** A journal that was found, and what to call it. */
interface Found {
  readonly name: string;
  readonly journal: Repairable;
}

/** The journals of the configuration's folders. @throws WorldError if there is none */
async function configuredJournals(world: World, options: Options): Promise<Found[]> {
  const { state, incidents } = await readSettings(
    world,
    await findConfig(world, options.value("config")),
  );
  const found = [...await journalsIn(world, incidents), ...await journalsIn(world, state)];
  // One folder may have both.
  const byName = [...new Map(found.map((one) => [one.name, one])).values()];
  if (byName.length > 0) return byName;
  throw noJournal(`${quoted(state)} or ${quoted(incidents)}`);
}

/** The journals in a folder, or the one that has this file. @throws WorldError if there is none */
async function journalsAt(world: World, path: string): Promise<Found[]> {
  const name = join(path).split("/").at(-1)!;
  const isJournals = name === JOURNAL_FILE || isSegment(name);
  const folder = isJournals ? join(path, "..") : path;
  let found: Found[];
  try {
    found = await journalsIn(world, folder);
  } catch (error) {
    throw cannotRead(folder, error);
  }
  if (isJournals) {
    found = found.filter(({ journal }) => journal.isObservations === isSegment(name));
  }
  if (found.length > 0) return found;
  throw noJournal(quoted(path));
}

function isSegment(name: string): boolean {
  return name.startsWith(`${OBSERVATIONS_NAME}-`) && name.endsWith(".jsonl");
}

async function journalsIn(world: World, folder: string): Promise<Found[]> {
  const { files } = world;
  if (!await isThere(files, folder)) return [];
  return [
    ...await hasIncidents(files, folder)
      ? [{
        name: `the incident journal in ${printable(folder)}`,
        journal: repairableIncidents({ files, folder }),
      }]
      : [],
    ...await hasObservations(files, folder)
      ? [{
        name: `the observation journal in ${printable(folder)}`,
        journal: repairableObservations({ files, folder }),
      }]
      : [],
  ];
}

function noJournal(where: string): WorldError {
  return new WorldError("not found", `there is no journal in ${where}`);
}

/** The key that signs: the one that is named, or the configuration's. */
async function signerOf(
  { world, terminal, options }: { world: World; terminal: Terminal; options: Options },
): Promise<Signer> {
  const reading = { passphrases: new Passphrases({ world, terminal, options }) };
  const named = options.value("key");
  if (named !== undefined) return await readKey(world, named, reading);
  const config = await findConfig(world, options.value("config"));
  if (options.value("config") === undefined && !await isThere(world.files, config)) {
    throw new MalformedError(
      "a repair is signed by the monitor's key: name its configuration by --config, or the key by " +
        "--key. If the key is lost, make another with 'hearsay keygen'",
    );
  }
  return await readKey(world, (await readSettings(world, config)).key, reading);
}

async function repair(
  { name, journal }: Found,
  { world, terminal, signer }: { world: World; terminal: Terminal; signer: Signer | undefined },
): Promise<void> {
  let plan: Plan | undefined;
  try {
    plan = signer === undefined ? await planRepair(journal) : await repairJournal(journal, {
      ...{ signer, at: timeNow(world.clock) },
      onLost: (plan) => noteLost(world, journal.folder, lostSentence(name, plan)),
    });
  } catch (error) {
    if (error instanceof JournalLocked) {
      throw new JournalLocked(
        error.path,
        "end that process, such as the monitor, and then repeat this",
      );
    }
    if (!(error instanceof WorldError)) throw error;
    const now = "The journal is as it was, or repaired already; the command can be repeated";
    throw new WorldError(error.kind, `cannot repair ${name}: ${error.message}. ${now}`);
  }
  if (plan === undefined) {
    terminal.out(`${name} is whole: there is nothing to repair`);
    return;
  }
  for (const line of describePlan(name, { plan, journal, signer })) terminal.out(printable(line));
}

/** So many of what is lost are named: a large part of a journal may be beyond reading. */
const MOST_NAMED = 10;

/** What is said of what is lost, until a person removes the file that says it. */
function lostSentence(name: string, { aside, lost }: Plan): string {
  const named = lost.slice(0, MOST_NAMED).map(({ what, from }) =>
    `${what} (now in ${aside.find((one) => one.from === from)!.file})`
  );
  const more = lost.length > MOST_NAMED ? `; and ${lost.length - MOST_NAMED} more` : "";
  return `${name} was damaged, and the repair could not save everything. What cannot be used any ` +
    `more: ${named.join("; ")}${more}`;
}

function describePlan(
  name: string,
  { plan, journal, signer }: { plan: Plan; journal: Repairable; signer: Signer | undefined },
): string[] {
  const { damage: { error, after }, aside, again, lost } = plan;
  const [does, isDone] = signer === undefined
    ? ["would be", false]
    : [aside.length === 1 ? "was" : "were", true];
  const folder = shellWord(journal.folder);
  const check = journal.isObservations
    ? "observations check --state"
    : "incidents check --incidents";
  return [
    `${name} is damaged: ${error.message}`,
    after.seq === 0
      ? "  kept: nothing, since the damage is at its beginning"
      : `  kept: ${
        after.seq === 1 ? "entry 1" : `entries 1 to ${after.seq}`
      }; the hash of the last one is ${after.hash}`,
    ...aside.map(({ from, line, at, lines, bytes, file, sha256 }) =>
      `  ${does} set aside: ${from} from line ${line} (byte ${at}) on, ${
        counted(lines, "line")
      }, ` +
      `${counted(bytes, "byte")}; copied into ${file}, SHA-256 ${sha256}`
    ),
    ...again.map(({ what }) => `  ${isDone ? "was" : "would be"} written again: ${what}`),
    ...lost.slice(0, MOST_NAMED).map(({ what }) => `  ${isDone ? "is" : "would be"} LOST: ${what}`),
    ...(lost.length > MOST_NAMED ? [`  and ${lost.length - MOST_NAMED} more`] : []),
    isDone
      ? `  entry ${after.seq + 1} states this, signed by ${signer!.vkey.text}`
      : `  entry ${after.seq + 1} would state this. Nothing was changed`,
    ...(isDone && lost.length > 0
      ? [
        `What is lost counts no more, and nobody is alerted of it: ${
          join(journal.folder, LOST_FILE)
        } says so, and the monitor tells of it until you remove that file. If you have a backup of ` +
        "the journal, or know the case from a peer, keep its evidence",
      ]
      : []),
    ...(isDone
      ? [
        `Keep the files set aside: they are what is left of that part, and 'check' looks for them. ` +
        `Then: hearsay ${check} ${folder}`,
      ]
      : []),
  ];
}
