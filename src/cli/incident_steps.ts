/**
 * `hearsay incidents run`, `advance` and `resolve`: the steps that people take. If the daemon runs, it
 * is asked, since it alone writes its journal then. If it does not, the journal is written here.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { parseExactJson } from "../evidence/json.ts";
import {
  type Cause,
  checkName,
  checkWhy,
  INCIDENT_ID,
  isItself,
  type State,
} from "../evidence/transition.ts";
import { keepFailed, whyNaming } from "../monitor/failed_answers.ts";
import { frozenMemory } from "../monitor/frozen_file.ts";
import { IncidentKeeper } from "../monitor/incident_keeper.ts";
import { type IncidentOrder, obeyOrder } from "../monitor/incident_orders.ts";
import { identityIn } from "../monitor/places.ts";
import type { Settings } from "../monitor/settings.ts";
import {
  type AlertEvidence,
  checkEvidenceForm,
  verifyEvidence,
} from "../response/alert_evidence.ts";
import { type Incident, nextState } from "../response/runbook.ts";
import { hasIncidents, IncidentJournal } from "../store/incidents.ts";
import { JournalLocked } from "../store/journal.ts";
import type { Obeyed } from "../swarm/control.ts";
import { fileText } from "../tlog/encoding.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { isObject } from "../tlog/members.ts";
import { isThere } from "../world/durable.ts";
import { type World, WorldError } from "../world/world.ts";
import { EXIT, type ExitCode, type Options, readOptions, UsageError } from "./command.ts";
import type { Tools } from "./command.ts";
import { shellWord } from "../world/shell_word.ts";
import { askDaemon, DaemonRefused, readAnswer } from "./control.ts";
import { findConfig } from "./find_config.ts";
import { bundleOf, describeBundle } from "./incident_bundle.ts";
import { readInput } from "./inputs.ts";
import { PASSPHRASE_FILE, Passphrases } from "./passphrase.ts";
import { parseObeyed } from "./parse_status.ts";
import { loadIdentity, readSettings } from "./run.ts";
import { readRunbook } from "./runbook_file.ts";

/** Most bytes of an alert. It may hold a whole record. */
const MAX_ALERT_BYTES = 4 * 1024 * 1024;

/** The actions, and what each does. */
export const STEP_ACTIONS = ["run", "advance", "resolve"] as const;
/** One of STEP_ACTIONS. */
export type StepAction = typeof STEP_ACTIONS[number];

/** Runs one of the actions. @throws UsageError, MalformedError, WorldError */
export async function runStep(
  action: StepAction,
  args: readonly string[],
  tools: Tools,
): Promise<ExitCode> {
  const { world, terminal } = tools;
  const options = readOptions(args, {
    values: ["config", "key", "by", "why", "out", PASSPHRASE_FILE],
    flags: ["json", "offline"],
    operands: [action === "run" ? "ALERT.json" : "INC"],
  });
  const [operand] = options.operands as [string];
  const config = await findConfig(world, options.value("config"));
  const settings = await readSettings(world, config);
  const order = action === "run"
    ? { open: await openingOf(operand, { world, settings, options }) }
    : { step: await stepOf(action, operand, { tools, settings, options }) };
  const obeyed = await give(order, { tools, settings, options });
  if ("refused" in obeyed) {
    terminal.err(printable(`hearsay incidents ${action}: refused: ${obeyed.refused}`));
    return EXIT.usage;
  }
  const { incident, state, isUnchanged } = obeyed;
  if (options.flag("json")) {
    const opened = action === "run" ? { opened: isUnchanged !== true } : {};
    terminal.out(printableJson(JSON.stringify({ incident, state, ...opened })));
    return EXIT.ok;
  }
  if (isUnchanged === true) {
    terminal.out(
      printable(
        `Nothing was opened, and your name and reason were not written: ${incident} is about it already`,
      ),
    );
  }
  terminal.out(printable(`${incident} is in the state ${state}`));
  terminal.out(printable(whatNext(incident!, { state: state as State, options })));
  return EXIT.ok;
}

/** Who does it, and why. @throws UsageError */
function signedBy(options: Options): { by: string; why: string } {
  const [by, why] = [options.value("by"), options.value("why")];
  if (by === undefined || why === undefined) {
    throw new UsageError(
      "expected --by NAME and --why TEXT: who decides, and for which reason. Both stand in the journal",
    );
  }
  // Before anything is gathered, or a key is read.
  checkName(by, "--by");
  checkWhy(why, "--why");
  if (isItself(by)) {
    throw new UsageError(`--by is ${quoted(by)}, expected the name of a person`);
  }
  return { by, why };
}

/** A command about an incident, as it is typed where this one was. */
function commandFor(action: string, incident: string, options: Options): string {
  const config = options.value("config");
  const named = config === undefined ? "" : ` --config ${shellWord(config)}`;
  const signed = isStep(action) ? " --by NAME --why TEXT" : "";
  return `hearsay incidents ${action} ${incident}${signed}${named}`;
}

function isStep(action: string): boolean {
  return STEP_ACTIONS.some((one) => one === action);
}

function whatNext(
  incident: string,
  { state, options }: { state: State; options: Options },
): string {
  const command = (action: string): string => commandFor(action, incident, options);
  switch (state) {
    case "DETECT":
    case "FREEZE":
      return `Next: ${command("report")}; and once somebody investigates: ${command("advance")}`;
    case "INVESTIGATE":
      return "Next: find out what happened. To let the log go on then: " + command("resolve");
    case "RESOLVE":
      return "The log goes on, unless another incident freezes it. When nothing is left to do: " +
        command("advance");
    case "CLOSED":
      return "Nothing is left to do";
  }
}

/** The step that an action asks for, as the journal stands. */
async function stepOf(
  action: "advance" | "resolve",
  id: string,
  { tools, settings, options }: { tools: Tools; settings: Settings; options: Options },
): Promise<{ incident: string; to: State; by: string; why: string; bundle?: string }> {
  const { world, terminal } = tools;
  const signed = signedBy(options);
  const incident = await findIncident(world, settings, id);
  if (action === "resolve") return { incident: id, to: "RESOLVE", ...signed };
  const { state } = incident;
  if (state === "INVESTIGATE") {
    throw new UsageError(
      `${id} is in the state INVESTIGATE, from which only RESOLVE follows: ` +
        commandFor("resolve", id, options),
    );
  }
  const to = nextState(state);
  if (to === undefined) throw new UsageError(`${id} is CLOSED, which is the end`);
  if (to !== "INVESTIGATE") return { incident: id, to, ...signed };
  const bundle = await bundleOf(incident, { world, settings, options });
  terminal.err(printable(describeBundle(id, bundle)));
  return { incident: id, to, ...signed, bundle: bundle.sha256 };
}

/** @throws UsageError if there is none, JournalDamaged, WorldError */
export async function findIncident(
  world: World,
  { incidents: folder, state }: Pick<Settings, "incidents" | "state">,
  id: string,
): Promise<Incident> {
  if (!INCIDENT_ID.test(id)) {
    throw new UsageError(`${quoted(id)} names no incident, expected a name such as INC-2026-001`);
  }
  const own = await identityIn(world, state);
  const { runbook } = await readRunbook(world, { folder, own });
  const incident = runbook.find(id);
  if (incident !== undefined) return incident;
  const known = runbook.incidents.map((one) => one.id).slice(-5).join(", ");
  throw new UsageError(
    `there is no incident ${id} in ${quoted(folder)}${
      known === "" ? ", and no other" : `; the last are ${known}`
    }`,
  );
}

/** What an alert, a record or a case asks to be opened. @throws UsageError, MalformedError, WorldError */
async function openingOf(
  operand: string,
  { world, settings, options }: { world: World; settings: Settings; options: Options },
) {
  const signed = signedBy(options);
  if (!await isThere(world.files, operand)) {
    throw new UsageError(`there is no file ${quoted(operand)}: expected an alert, or a record`);
  }
  const bytes = await readInput({ world, path: operand, maxBytes: MAX_ALERT_BYTES });
  const alert = parseExactJson(fileText(bytes));
  const { failed, ...what } = whatOf(alert, settings);
  if (failed === undefined) return { ...what, ...signed };
  await keepFailed({ files: world.files, state: settings.state }, failed);
  return { ...what, by: signed.by, why: whyNaming(signed.why, failed) };
}

/** What was shown as a log's and its key has not signed, if an alert has that. */
function failedIn({ evidence }: JsonObject): string | undefined {
  if (!isObject(evidence) || evidence.kind !== "unverified") return undefined;
  checkEvidenceForm(evidence, "evidence");
  const { notes } = evidence as unknown as AlertEvidence & { notes: string[] };
  return verifyEvidence(evidence as unknown as AlertEvidence) === undefined ? notes[0] : undefined;
}

/** What an alert is about. A record is taken for an alert that has nothing else. */
function whatOf(
  alert: JsonObject,
  { logs, pushed }: Pick<Settings, "logs" | "pushed">,
): { log: { origin: string; vkey: string }; cause: Cause; cases: string[]; failed?: string } {
  const evidence = isObject(alert.evidence) ? alert.evidence : {};
  const record = isObject(evidence.record) ? evidence.record : alert;
  const { evidence_id: id, log } = record as { evidence_id?: unknown; log?: unknown };
  if (typeof id === "string" && isObject(log)) {
    const { origin, vkey } = log as { origin?: unknown; vkey?: unknown };
    if (typeof origin === "string" && typeof vkey === "string") {
      return { log: { origin, vkey }, cause: "equivocation", cases: [id] };
    }
  }
  // "trouble LOG_ID KIND"; a log's id has a space in it.
  const [, logId, kind] = /^trouble (.+) (\S+)$/.exec(String(alert.case ?? "")) ?? [];
  const known = [...logs.map((one) => one.log), ...pushed].find((one) => one.id === logId);
  const causes: Readonly<Record<string, Cause>> = {
    unproven: "consistency failure",
    unverified: "signature failure",
  };
  const cause = kind === undefined ? undefined : causes[kind];
  if (known === undefined || cause === undefined) {
    throw new MalformedError(
      "this alert freezes nothing: expected one with a conflict record as its evidence, or about a " +
        "log of the configuration that is unproven or unverified",
    );
  }
  const failed = cause === "signature failure" ? failedIn(alert) : undefined;
  const opening = { log: { origin: known.origin, vkey: known.vkey.text }, cause, cases: [] };
  return { ...opening, ...(failed !== undefined && { failed }) };
}

/** Has an order done: here if no daemon holds the journal, else by the daemon. */
async function give(
  order: IncidentOrder,
  { tools: { world, terminal }, settings, options }: {
    tools: Tools;
    settings: Settings;
    options: Options;
  },
): Promise<Obeyed> {
  const key = options.value("key") ?? settings.key;
  const passphrases = new Passphrases({ world, terminal, options });
  const signer = await loadIdentity(world, { ...settings, key }, { passphrases });
  const plain = order as unknown as JsonObject;
  if (!await hasIncidents(world.files, settings.incidents)) {
    throw new WorldError(
      "not found",
      `there is no incident journal in ${quoted(settings.incidents)}: the monitor never ran`,
    );
  }
  let journal: IncidentJournal;
  try {
    journal = await IncidentJournal.open({ files: world.files, folder: settings.incidents });
  } catch (error) {
    if (!(error instanceof JournalLocked)) throw error;
    return await orderDaemon({ world, settings, signer }, plain);
  }
  try {
    const { clock, files } = world;
    const memory = frozenMemory({ files, folder: settings.state });
    const failed = (error: unknown): void =>
      terminal.err(printable(`frozen.json is to be written at the next start: ${error}`));
    const keeper = await IncidentKeeper.open({ journal, signer, clock, memory, failed });
    return await obeyOrder(plain, {
      step: (step) => keeper.step(step),
      // The daemon knows what it has accepted. Without it nothing is said of that.
      open: ({ log: { origin, vkey }, ...opening }) =>
        keeper.open({ ...opening, log: { origin, vkey: vkey.text }, accepted: undefined }),
    });
  } finally {
    await journal.close();
  }
}

async function orderDaemon(
  daemon: Parameters<typeof askDaemon>[0],
  order: JsonObject,
): Promise<Obeyed> {
  try {
    const answer = await askDaemon(daemon, { do: "incident", order });
    return readAnswer(() => parseObeyed(answer));
  } catch (error) {
    if (error instanceof DaemonRefused) return { refused: error.why };
    if (!(error instanceof WorldError)) throw error;
    throw new WorldError(
      error.kind,
      `the daemon has the journal, and cannot be asked: ${error.message}. Stop it, do this again, and ` +
        "start it",
    );
  }
}
