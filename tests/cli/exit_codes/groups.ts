/** Commands that have something in common, and how they are run. */
import { keyFile } from "../harness.ts";
import { gathered, listening, MEMBER, type Stage, type Staging, type Way } from "./stage.ts";
import { WELL } from "./well.ts";

/** How each command meets one kind of trouble, by the command's name in OPERATING. */
export type Trouble = Readonly<Record<string, Staging>>;

/** One staging for several commands. */
export function each(names: readonly string[], staging: (name: string) => Staging): Trouble {
  return Object.fromEntries(names.map((name) => [name, staging(name)]));
}

/** Every command, as when all is well but for one thing. */
export function everyCommand(change: (way: Way, stage: Stage) => Way): Trouble {
  return each(
    Object.keys(WELL),
    (name) => async (stage) => change(await WELL[name]!(stage), stage),
  );
}

/** The commands that only print a text: they touch nothing outside that could meet a fault. */
const PRINTING = ["completions", "man"];

/** Every command but those that only print a text; see `everyCommand`. */
export function everyWorking(change: (way: Way, stage: Stage) => Way): Trouble {
  const all = Object.entries(everyCommand(change));
  return Object.fromEntries(all.filter(([name]) => !PRINTING.includes(name)));
}

/** A command's words, from its name in OPERATING. */
export const words = (name: string): string[] => name.split(" ");

export const subcommands = (of: string): string[] =>
  Object.keys(WELL).filter((name) => name.startsWith(`${of} `));

/** The commands that read the incident journal, wherever it is. */
export const INCIDENTS = ["list", "show", "export", "check"].map((name) => `incidents ${name}`);
/** Those that need the monitor's configuration: for its key, or both journals. */
export const STEPS = ["run", "advance", "resolve"].map((name) => `incidents ${name}`);
/** Those of them that write what is known for others. */
export const REPORTS = ["bundle", "report"].map((name) => `incidents ${name}`);
/** The commands that read the observation journal. */
export const OBSERVATIONS = subcommands("observations");
/** The ways to ask for members, and to change them. */
export const PEERS = ["peers", ...subcommands("peers")];
/** Those of them that a daemon has to do. */
export const ORDERS = ["peers", "peers ban", "peers unban"];
/** What is done about a store that several daemons share. */
export const STORE = subcommands("store");
/** The ways to run a monitor. */
export const RUNS = ["run", "run --once"];

/** Which incident or member is wanted, for the commands that are told. */
const OPERANDS: Readonly<Record<string, readonly string[]>> = {
  "incidents show": ["1"],
  "incidents export": ["1"],
  ...Object.fromEntries(STEPS.map((name) => [name, ["INC-2026-001", "--by", "A", "--why", "b"]])),
  ...Object.fromEntries(REPORTS.map((name) => [name, ["INC-2026-001"]])),
  "peers add": [MEMBER],
  "peers remove": [MEMBER],
  "peers ban": [MEMBER],
  "peers unban": [MEMBER],
};

/** The words of a command, and what it is about. */
export function reading(name: string): string[] {
  return [...words(name), ...OPERANDS[name] ?? []];
}

/** The commands that read a configuration. */
export const CONFIGURED = [
  ...["config check", ...RUNS, "status", ...PEERS, ...INCIDENTS, ...OBSERVATIONS],
  ...[...STEPS, ...REPORTS, ...STORE],
  "journal repair",
];

/** One of them, told which configuration. */
export function configured(name: string, config: string): string[] {
  return name === "config check"
    ? [...words(name), config]
    : [...reading(name), "--config", config];
}

/** `run` or `run --once` with a configuration; a daemon that starts after all is asked to end. */
export function runs(name: string, config: string): Way {
  return {
    args: [...words(name), "--config", config],
    ...(name === "run" && { during: (running) => running.line(/ daemon\.started /) }),
  };
}

/** The commands that record a case with a key. */
export const RECORDS = ["detect", "listen", "exchange", "ask"];
/** Those of them that talk to others. */
export const GOSSIPS = ["listen", "exchange", "ask"];

/** `listen`, `exchange` or `ask`: with whom it talks, about which log, and what it has. */
export function gossips(name: string, { peer, log, have }: {
  peer: string;
  log: string;
  have?: string;
}): string[] {
  const where = name === "listen" ? ["--address", "127.0.0.1:0"] : [peer];
  const had = have === undefined ? [] : name === "ask" ? [have] : ["--have", have];
  return [name, ...where, "--log", log, ...had];
}

/** A command that compares or judges, about a case that it has a journal to record in. */
export async function records(stage: Stage, name: string, incidents: string): Promise<Way> {
  const { log, both } = await gathered(stage);
  const signer = await keyFile(stage.folder, `monitor.invalid/${crypto.randomUUID()}`);
  const key = ["--key", signer, "--incidents", incidents];
  if (name === "detect") return { args: ["detect", "--log", log, ...key, both] };
  const peer = name === "listen" ? "" : await listening(stage, log, both);
  return {
    args: [...gossips(name, { peer, log, have: both }), ...key],
    ...(name === "listen" && { during: (running) => running.line(/^listening on /) }),
  };
}
