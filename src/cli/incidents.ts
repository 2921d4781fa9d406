import { formatRecord } from "../evidence/record.ts";
import { Opinions, verifyConflict } from "../evidence/verify.ts";
import { INCIDENT_ID, isTransition } from "../evidence/transition.ts";
import { Runbook } from "../response/runbook.ts";
import {
  hasIncidents,
  isCase,
  readIncidents,
  recordOf,
  repairOf,
  transitionOf,
} from "../store/incidents.ts";
import { isRepair } from "../store/repaired.ts";
import { type Entry } from "../evidence/entry.ts";
import { identityIn } from "../monitor/places.ts";
import type { Settings } from "../monitor/settings.ts";
import { utf8 } from "../tlog/encoding.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { createDurably } from "../world/durable.ts";
import { type World, WorldError } from "../world/world.ts";
import { listAttestations, tellAttestations } from "./attestation_words.ts";
import {
  type Command,
  CONFIG_HINT,
  EXIT,
  type ExitCode,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { shellWord } from "../world/shell_word.ts";
import { keyOption } from "./cosigner_words.ts";
import { evidenceFile } from "./export.ts";
import { DEFAULT_CONFIG } from "./find_config.ts";
import { type Incident, tellIncident } from "./incident_words.ts";
import { journalFolder, journalSettings, tellLost } from "./journals.ts";
import { cannotWrite, DEFAULT_INCIDENTS } from "./inputs.ts";
import { listEntries, shortTime } from "./listing.ts";
import { Prose } from "./prose.ts";
import { BUNDLE_ACTIONS, runBundle } from "./incident_bundle.ts";
import { readRunbook } from "./runbook_file.ts";
import { runStep, STEP_ACTIONS } from "./incident_steps.ts";
import { type Numbered, tellWhole, wholeForMachines } from "./show_incident.ts";
import { describeStep } from "./step_words.ts";
import { checkRepair, counted, describeRepair } from "./repairs.ts";
import { describeConflict } from "./reporting.ts";
import { readSelection, type Selection, SELECTION_OPTIONS, selectionHelp } from "./selection.ts";
import { tellSightings } from "./sightings.ts";
import type { Column, Row } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Anyone may read evidence. */
const EVIDENCE_PERMISSIONS = 0o644;

/** `hearsay incidents`: reads the incident journal. */
export const incidents: Command = {
  name: "incidents",
  summary: "list, show, export or check the cases recorded here; take incidents to their end",
  help: `hearsay incidents list       [--since WHEN] [--log LOG] [--limit N] [--json]
hearsay incidents show ID    [--attestations] [--json]
hearsay incidents export ID  [--out FILE]
hearsay incidents check      [--json]
                             each with [--incidents DIR | --config FILE]
hearsay incidents run ALERT.json  --by NAME --why TEXT
hearsay incidents advance INC     --by NAME --why TEXT  [--out DIR] [--offline]
hearsay incidents resolve INC     --by NAME --why TEXT
                             each with [--config FILE] [--key FILE] [--passphrase-file FILE]
hearsay incidents bundle INC      [--out DIR] [--offline] | bundle --check DIR [--log LOG]
hearsay incidents report INC      [--out FILE] [--html]
                             each with [--config FILE]

  list       prints every case and every step, oldest first; for a person as a table, else a line each
  show ID    says in words who signed what, what that proves, and what to do; with --json it prints
             the conflict record; with --attestations, which other monitors have recorded the case, by
             their journals that are mirrored here, a line each. ID is the number of a case, the
             beginning of its evidence_id, 8 digits or more, or an incident: INC-2026-001, of which it
             shows the steps and the cases
  export ID  writes one file to send to others: the record with an explanation. 'hearsay verify'
             checks it
  check      checks the hash chain and verifies every record again

A case freezes its log and opens an incident, INC-2026-001 and so on. Nothing of the log is accepted
until a person has resolved it. The steps are DETECT, FREEZE, INVESTIGATE, RESOLVE, CLOSED; each is an
entry of the journal, signed by the monitor. A daemon that runs is asked at its "listen" address, with
its own key.

  run FILE     opens an incident by hand, from an alert or a conflict record
  advance INC  takes the next step. To INVESTIGATE, it first gathers the bundle
  resolve INC  takes the step to RESOLVE: the log goes on, unless another incident freezes it
  bundle INC   gathers what is known into a folder (default INC), with the SHA-256 of each file, and
               verifies it; with --check it only verifies a folder, and with --log LOG that it is
               about this log (vkey, or "VKEY ORIGIN")
  report INC   writes the report for others, as Markdown, or HTML (--html, or FILE ends in .html)

  --by NAME    who decides: a person
  --why TEXT   for which reason, one line
  --offline    does not ask the log what it shows now

A step that the runbook forbids ends with 2, and says why. bundle ends with 1 if a file does not hold.

Ends with 3 if there is no journal, if it is damaged, or if a record in it does not hold. list and
check also end with 3 if something of it is known to be lost (lost.txt). A repair is shown; check ends
with 3 if what it set aside is gone or altered.

  --incidents DIR  the folder of the journal (default that of the configuration, else ${DEFAULT_INCIDENTS})
  --config FILE    the monitor's configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --out FILE       the file to write, which must not exist (default standard output)
${selectionHelp(16)}
  --json           entries or records as JSON

Example:
  hearsay incidents export 1 --out incident-1.txt
`,
  async run(args, tools) {
    const { world, terminal } = tools;
    const [action = ""] = args;
    const isIn = <T extends string>(all: readonly T[]): T | undefined =>
      all.find((one) => one === action);
    const [step, bundle] = [isIn(STEP_ACTIONS), isIn(BUNDLE_ACTIONS)];
    if (step !== undefined) return await runStep(step, args.slice(1), tools);
    if (bundle !== undefined) return await runBundle(bundle, args.slice(1), tools);
    return await readJournal(args, { world, terminal });
  },
};

async function readJournal(
  args: readonly string[],
  { world, terminal }: Pick<Tools, "world" | "terminal">,
): Promise<ExitCode> {
  const options = readOptions(args, {
    values: ["incidents", "config", "out", ...SELECTION_OPTIONS],
    flags: ["json", "attestations"],
    operands: ["list|show|export|check", "ID"],
    leastOperands: 1,
  });
  const [what, id] = options.operands;
  checkUsage(what!, id, options);
  const named = "incidents";
  const selection = readSelection(options, world.clock);
  const folder = await journalFolder({
    ...{ world, options, named, otherwise: DEFAULT_INCIDENTS },
    ...{ from: ({ incidents }) => incidents, isIn: hasIncidents },
  });
  const own = await identityIn(world, folder);
  const tools = { world, terminal, folder, options, json: options.flag("json"), own };
  if (id !== undefined && INCIDENT_ID.test(id)) {
    if (what === "show" && !options.flag("attestations")) return await showWhole(id, tools);
    const { numbers } = await findWhole(id, tools);
    const [only, ...more] = numbers;
    if (only === undefined || more.length > 0) {
      const which = only === undefined ? "no case" : `the cases ${numbers.join(", ")}`;
      throw new UsageError(
        `${id} has ${which}, expected the number of one. For all that is known of it: ` +
          `hearsay incidents bundle ${id}`,
      );
    }
    return await readJournal([what!, `${only}`, ...args.slice(2)], { world, terminal });
  }
  if (what === "export") return await exportIncident(await find(id!, tools), tools);
  const isAttested = options.flag("attestations");
  const settings = tools.json && what === "show" && !isAttested
    ? undefined
    : await journalSettings({ world, options, named });
  if (isAttested) return await showAttestations(await find(id!, tools), tools, settings);
  if (what === "show") return await showIncident(await find(id!, tools), tools, settings);
  const exit = what === "check" ? await check(tools) : await list(tools, { selection, settings });
  return await tellLost("incident", { ...tools, settings }) ? EXIT.failed : exit;
}

/** The options that only some of the four take. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  list: ["json", ...SELECTION_OPTIONS],
  show: ["json", "attestations"],
  export: ["out"],
  check: ["json"],
};

/** @throws UsageError for what is none of the four, and for an option that does nothing there */
function checkUsage(what: string, id: string | undefined, options: Options): void {
  const taken = TAKEN[what];
  const takesId = what === "show" || what === "export";
  if (taken === undefined || takesId === (id === undefined)) {
    throw new UsageError(
      "expected list, show ID, export ID, check, run FILE, advance INC, resolve INC, bundle INC or " +
        "report INC; came: " +
        options.operands.map(quoted).join(" ") + (id === undefined ? "" : CONFIG_HINT),
    );
  }
  for (const name of ["json", "attestations", "out", ...SELECTION_OPTIONS]) {
    const isFlag = name === "json" || name === "attestations";
    const isGiven = isFlag ? options.flag(name) : options.value(name) !== undefined;
    if (isGiven && !taken.includes(name)) {
      throw new UsageError(`${what} does not take --${name}`);
    }
  }
}

interface Reading {
  world: World;
  terminal: Terminal;
  folder: string;
  options: Options;
  json: boolean;
  /** The vkey of the monitor whose folder it is, if that says it. */
  own: string | undefined;
}

/** The entries of the journal. Tells of a torn last line, and leaves it where it is. */
async function* entries({ world, terminal, folder }: Reading): AsyncGenerator<Entry, void> {
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

const COLUMNS: readonly Column[] = [
  { title: "N", align: "right" },
  { title: "FOUND AT (UTC)" },
  { title: "LOG", narrow: "cut" },
  { title: "KIND", narrow: "leave out" },
  { title: "SIZES" },
  { title: "ROOTS", narrow: "leave out" },
  { title: "EVIDENCE" },
];

async function list(
  tools: Reading,
  chosen: { selection: Selection; settings: Settings | undefined },
): Promise<ExitCode> {
  const { terminal, folder } = tools;
  const own = ownOptions(tools.options);
  const opinions = new Opinions();
  let unsound = 0;
  const judged = (entry: Entry): Incident => {
    const judgement = verifyConflict({ input: entry.record, opinions });
    if (judgement.outcome !== "holds") unsound++;
    return { entry, record: recordOf(entry, folder), judgement };
  };
  const stated = (entry: Entry): string =>
    isRepair(entry.record)
      ? describeRepair(repairOf(entry, folder))
      : describeStep(transitionOf(entry, folder));
  await listEntries(entries(tools), {
    ...{ ...tools, ...chosen, what: "incidents", columns: COLUMNS },
    about(entry) {
      const { length } = JSON.stringify(entry);
      if (isRepair(entry.record)) return { at: entry.recorded_at, length };
      if (isTransition(entry.record)) {
        const { log } = transitionOf(entry, folder);
        return { at: entry.recorded_at, log, length };
      }
      const { detected_at, log } = recordOf(entry, folder);
      return { at: detected_at, log, length };
    },
    row(entry) {
      if (isCase(entry.record)) return rowOf(judged(entry));
      const note = { text: stated(entry), style: "yellow" as const };
      return { cells: [`${entry.seq}`, shortTime(entry.recorded_at)], note };
    },
    hint: `'hearsay incidents show N${own}' says what is proven, and what to do`,
    line(entry) {
      if (!isCase(entry.record)) return `${entry.seq}  ${entry.recorded_at}  ${stated(entry)}`;
      const { record, judgement: { outcome } } = judged(entry);
      const doubt = outcome === "holds" ? "" : `  DOES NOT HOLD (${outcome})`;
      return `${entry.seq}  ${record.detected_at}  ${describeConflict(record)}${doubt}`;
    },
    jsonLine(entry) {
      if (isCase(entry.record)) judged(entry);
      return printableJson(JSON.stringify(entry));
    },
  });
  if (unsound > 0) {
    terminal.err(
      printable(`records that do not hold: ${unsound}; 'hearsay incidents show N${own}' says why`),
    );
  }
  return unsound > 0 ? EXIT.failed : EXIT.ok;
}

/** So many characters of an id or a root tell it from others, for a person. */
const SHORT_CHARACTERS = 8;

function short(text: string): string {
  return `${text.slice(0, SHORT_CHARACTERS)}…`;
}

function rowOf({ entry, record, judgement }: Incident): Row {
  const { kind, log, checkpoint_a: a, checkpoint_b: b } = record;
  const isSame = kind !== "cross_size";
  const cells = [
    ...[
      `${entry.seq}`,
      shortTime(record.detected_at),
      log.origin,
      kind === "same_size_cosigned" ? "witness" : isSame ? "same size" : "two sizes",
    ],
    ...[isSame ? a.size : `${a.size}, ${b.size}`, `${short(a.root)} ${short(b.root)}`],
    short(record.evidence_id),
  ];
  if (judgement.outcome === "holds") return { cells };
  return { cells, note: { text: `✗ DOES NOT HOLD (${judgement.outcome})`, style: "red" } };
}

const NUMBER = /^[1-9]\d{0,15}$/;
const ID_BEGINNING = /^[0-9a-f]{8,64}$/;

/**
 * The incident with this number, or the one whose evidence_id begins so.
 * @throws UsageError if there is none, or if there are several
 */
async function find(id: string, tools: Reading): Promise<Incident> {
  const { folder } = tools;
  const isBeginning = ID_BEGINNING.test(id);
  const found: Incident[] = [];
  let isOfRepair = false;
  let step: string | undefined;
  for await (const entry of entries(tools)) {
    const isNumber = NUMBER.test(id) && `${entry.seq}` === id;
    if (isRepair(entry.record)) {
      isOfRepair ||= isNumber;
      continue;
    }
    if (isTransition(entry.record)) {
      if (isNumber) step = describeStep(transitionOf(entry, folder));
      continue;
    }
    const record = recordOf(entry, folder);
    if (!isNumber && !(isBeginning && record.evidence_id.startsWith(id))) continue;
    const incident = { entry, record, judgement: verifyConflict({ input: entry.record }) };
    if (isNumber) return incident;
    found.push(incident);
  }
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    throw new UsageError(
      `there is no case ${quoted(id)} in ${quoted(folder)}${
        isOfRepair
          ? ": this entry states a repair, after which cases have new numbers"
          : step === undefined
          ? ""
          : `: this entry states a step (${step})`
      }; expected a number, or at least the first 8 digits of an evidence_id. ` +
        `'hearsay incidents list${ownOptions(tools.options)}' shows those there are`,
    );
  }
  const numbers = found.map(({ entry }) => entry.seq).join(", ");
  throw new UsageError(
    `${found.length} cases have an evidence_id that begins with ${quoted(id)}; give the number ` +
      `of one: ${numbers}`,
  );
}

async function showIncident(
  incident: Incident,
  { world, terminal, json, folder, options }: Reading,
  settings: Settings | undefined,
): Promise<ExitCode> {
  const { record, judgement } = incident;
  const holds = judgement.outcome === "holds";
  if (json) {
    if (!holds) terminal.err(`case ${incident.entry.seq} DOES NOT HOLD (${judgement.outcome})`);
    terminal.out(printableJson(formatRecord(record)));
  } else {
    const prose = new Prose(terminal);
    tellIncident(prose, incident, { folder, own: ownOptions(options) });
    let told = 0;
    const print = (): void => {
      for (const line of prose.lines.slice(told)) terminal.out(line);
      told = prose.lines.length;
    };
    print();
    const { log } = judgement;
    if (settings !== undefined) {
      await tellAttestations(prose, { world, state: settings.state, record });
      print();
    }
    if (settings !== undefined && log !== undefined) {
      // This may take a while, so it comes last.
      await tellSightings(prose, { world, terminal, state: settings.state, record, log });
      print();
    }
  }
  return holds ? EXIT.ok : EXIT.failed;
}

/** Lists who else has recorded a case. */
async function showAttestations(
  { record: { evidence_id: evidenceId } }: Incident,
  { world, terminal, json }: Reading,
  settings: Settings | undefined,
): Promise<ExitCode> {
  if (settings === undefined) {
    throw new UsageError(
      "--attestations needs the monitor's configuration, which says where its mirrors are; name it by " +
        "--config",
    );
  }
  return await listAttestations({ world, terminal, json, state: settings.state, evidenceId });
}

/** The incident with this name, and its cases. @throws UsageError if there is none */
async function findWhole(id: string, tools: Reading): Promise<Numbered> {
  const { world, folder, own, options } = tools;
  const { runbook } = await readRunbook(world, { folder, own });
  const incident = runbook.find(id);
  if (incident === undefined) {
    const known = runbook.incidents.map((one) => one.id).slice(-5).join(", ");
    throw new UsageError(
      `there is no incident ${id} in ${quoted(folder)}${
        known === "" ? ", and no other" : `; the last are ${known}`
      }. 'hearsay incidents list${ownOptions(options)}' shows what there is`,
    );
  }
  const numbers: number[] = [];
  for await (const entry of entries(tools)) {
    if (!isCase(entry.record)) continue;
    if (incident.cases.includes(recordOf(entry, folder).evidence_id)) numbers.push(entry.seq);
  }
  return { incident, numbers };
}

async function showWhole(id: string, tools: Reading): Promise<ExitCode> {
  const { terminal, json, options } = tools;
  const whole = await findWhole(id, tools);
  if (json) {
    terminal.out(printableJson(JSON.stringify(wholeForMachines(whole))));
    return EXIT.ok;
  }
  const prose = new Prose(terminal);
  tellWhole(prose, whole, ownOptions(options));
  for (const line of prose.lines) terminal.out(line);
  return EXIT.ok;
}

/** The options that name this journal, as they are typed in a shell. */
function ownOptions(options: Options): string {
  return ["incidents", "config"].map((name) => {
    const value = options.value(name);
    return value === undefined ? "" : ` --${name} ${shellWord(value)}`;
  }).join("");
}

async function exportIncident(
  incident: Incident,
  { world, terminal, options }: Reading,
): Promise<ExitCode> {
  const { entry, judgement: { outcome } } = incident;
  if (outcome !== "holds") {
    terminal.err(
      `case ${entry.seq} DOES NOT HOLD (${outcome}) and is not written: it is no evidence. ` +
        `'hearsay incidents show ${entry.seq}${printable(ownOptions(options))}' says why`,
    );
    return EXIT.failed;
  }
  const text = evidenceFile(incident);
  const path = options.value("out");
  if (path === undefined) {
    for (const line of text.slice(0, -1).split("\n")) terminal.out(line);
    return EXIT.ok;
  }
  await writeNew(world, path, text);
  terminal.err(
    printable(
      `case ${entry.seq} is in ${path}. Check it: hearsay verify ${shellWord(path)}${
        keyOption(incident.record)
      }`,
    ),
  );
  return EXIT.ok;
}

/** @throws UsageError if the file exists, WorldError if it cannot be written */
async function writeNew(world: World, path: string, text: string): Promise<void> {
  try {
    const content = utf8(text);
    const permissions = EVIDENCE_PERMISSIONS;
    (await createDurably({ files: world.files, path, content, permissions })).close();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    if (error.kind === "already exists") {
      throw new UsageError(`${quoted(path)} exists, and is not overwritten; name another file`);
    }
    throw cannotWrite(path, error);
  }
}

async function check(tools: Reading): Promise<ExitCode> {
  const { terminal, json, folder } = tools;
  let count = 0;
  let unsound = 0;
  let faults = 0;
  let steps = 0;
  const runbook = new Runbook({ own: tools.own });
  let last: Entry | undefined;
  for await (const entry of entries(tools)) {
    last = entry;
    if (isRepair(entry.record)) {
      faults += await checkRepair(tools, { entry, repair: repairOf(entry, folder) });
      continue;
    }
    if (isTransition(entry.record)) {
      steps++;
      const refused = runbook.take(transitionOf(entry, folder));
      if (refused === undefined) continue;
      faults++;
      const { incident } = transitionOf(entry, folder);
      terminal.err(printable(`entry ${entry.seq} does not count: ${incident} ${refused}`));
      continue;
    }
    recordOf(entry, folder);
    const { outcome, checks } = verifyConflict({ input: entry.record });
    count++;
    if (outcome === "holds") continue;
    unsound++;
    const why = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    terminal.err(`case ${entry.seq} ${outcome}: ${printable(why.join("; "))}`);
  }
  if (json) {
    const altered = faults > 0 ? { setAsideFaults: faults } : {};
    const open = runbook.frozenLogs.flatMap((id) => runbook.freezing(id)).map(({ id }) => id);
    const stepped = steps > 0 ? { steps, open } : {};
    terminal.out(
      JSON.stringify({ entries: count, unsound, hash: last?.hash ?? null, ...altered, ...stepped }),
    );
  } else {
    const chain = last === undefined ? "" : `; the last hash is ${last.hash}`;
    const holds = unsound === 1 ? "does" : "do";
    terminal.out(
      `${counted(count, "case")}, the chain is whole${chain}; ${unsound} ${holds} not hold`,
    );
    for (const { id, state, log } of runbook.incidents) {
      terminal.out(printable(`${id} about ${log.origin} is in the state ${state}`));
    }
  }
  return unsound > 0 || faults > 0 ? EXIT.failed : EXIT.ok;
}
