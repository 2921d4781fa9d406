import { WitnessStateDamaged, WitnessStateLocked } from "../authority/witness_state.ts";
import { EntryNotKnown, JournalDamaged, JournalLocked } from "../store/journal.ts";
import { StoreRefused } from "../store/shared_types.ts";
import { ExchangeFailed } from "../gossip/caller.ts";
import { IncidentNotWritten } from "../monitor/case_keeper.ts";
import { PlaceForeign } from "../monitor/places.ts";
import { DurabilityLost } from "../world/durable.ts";
import { VERSION } from "../world/version.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { WorldError } from "../world/world.ts";
import { alert } from "./alert.ts";
import { ask } from "./ask.ts";
import { check } from "./check.ts";
import {
  type Command,
  EXIT,
  type ExitCode,
  hideKeys,
  Interrupted,
  isUsageFault,
  nearest,
  SealedRefused,
  type Tools,
} from "./command.ts";
import { completionsOf } from "./completions.ts";
import { shellWord } from "../world/shell_word.ts";
import { config } from "./config_check.ts";
import { demo } from "./demo.ts";
import { detect } from "./detect.ts";
import { exchange } from "./exchange.ts";
import { gather } from "./gather.ts";
import { incidents } from "./incidents.ts";
import { init } from "./init.ts";
import { journal } from "./journal.ts";
import { keygen } from "./keygen.ts";
import { listen } from "./listen.ts";
import { observations } from "./observations.ts";
import { open } from "./open.ts";
import { peers } from "./peers.ts";
import { policy } from "./policy.ts";
import { proof } from "./proof.ts";
import { run } from "./run.ts";
import { seal } from "./seal.ts";
import { status } from "./status.ts";
import { store } from "./store.ts";
import { log } from "./log.ts";
import { manOf } from "./man.ts";
import { verify } from "./verify.ts";

/** Every command, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [
  demo,
  init,
  config,
  run,
  status,
  peers,
  keygen,
  seal,
  open,
  listen,
  exchange,
  gather,
  ask,
  detect,
  verify,
  check,
  proof,
  policy,
  incidents,
  observations,
  alert,
  journal,
  store,
  log,
  completionsOf(() => COMMANDS),
  manOf(() => ({ commands: COMMANDS, help: HELP })),
];

const NAME_COLUMNS = Math.max(...COMMANDS.map(({ name }) => name.length));

const HELP =
  `Hearsay turns gossip into evidence. It finds out whether a transparency log shows everyone the same
history. If it does not, Hearsay keeps a signed record that anyone can check.

${
    COMMANDS.map(({ name, summary }) => `  hearsay ${name.padEnd(NAME_COLUMNS)} ${summary}`).join(
      "\n",
    )
  }

'hearsay help COMMAND' tells more, with an example. Begin with 'hearsay demo'.

A LOG is the log's vkey, or "VKEY ORIGIN" if its origin is not the key's name.
Exit codes: 0 nothing wrong, 1 misbehaviour proven, 2 wrong usage or configuration, 3 could not do
the work (network, disk). For verify: 0 the evidence holds, 1 it does not.
`;

/** What to do about an entry that is as it was written, and that this version does not know. */
const NOT_KNOWN_ADVICE =
  "this line is not damaged: a newer version of Hearsay wrote it. Use that version; do not repair";

/** What to do about a damaged journal, with the command to type. */
function repairAdvice({ folder }: JournalDamaged, args: readonly string[]): string {
  const config = args.includes("--config") ? args[args.indexOf("--config") + 1] : undefined;
  const named = config === undefined ? "" : ` --config ${shellWord(config)}`;
  const command = `hearsay journal repair ${shellWord(folder)}${named}`;
  return printable(
    `'${command}' sets the damaged part aside, untouched, and continues the chain; with --dry-run ` +
      'it only says what it would do (OPERATING, "A damaged journal")',
  );
}

/** What a port says that answers no exchanges: nothing. */
const SILENCE = /answered 0 bytes|no parcel came/;
const SILENCE_ADVICE =
  'a monitor answers exchanges at its "listen" address, and not at its "http" address';

/** Errors that mean: the command line is right, but the work could not be done. */
const FAILURES = [
  WitnessStateDamaged,
  WitnessStateLocked,
  WorldError,
  ExchangeFailed,
  IncidentNotWritten,
  DurabilityLost,
  JournalDamaged,
  JournalLocked,
  PlaceForeign,
  StoreRefused,
];

/**
 * Runs the program on a command line. Every error becomes a message and an exit code. So does output
 * that could not be written: its reader must not take incomplete output for the whole.
 */
export async function runProgram(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const code = await runCommandLine(args, tools);
  const { terminal } = tools;
  const { lines, reason } = terminal.lost;
  if (lines === 0) return code;
  const what = lines === 1 ? "a line" : `${lines} lines`;
  terminal.err(`hearsay: ${what} of the output could not be written: ${reason}`);
  return EXIT.failed;
}

async function runCommandLine(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const { terminal } = tools;
  const [name, ...rest] = args;
  if (name === undefined) {
    terminal.err(HELP.trimEnd());
    return EXIT.usage;
  }
  if (["--version", "-V", "version"].includes(name)) {
    terminal.out(`hearsay ${VERSION}`);
    return EXIT.ok;
  }
  const isHelp = ["help", "--help", "-h"].includes(name);
  if (isHelp && rest.length === 0) {
    terminal.out(HELP.trimEnd());
    return EXIT.ok;
  }
  const wanted = isHelp ? rest[0]! : name;
  const command = COMMANDS.find((command) => command.name === wanted);
  if (command === undefined) {
    terminal.err(unknownCommand(wanted));
    return EXIT.usage;
  }
  if (isHelp || rest.includes("--help") || rest.includes("-h")) {
    terminal.out(command.help.trimEnd());
    return EXIT.ok;
  }
  return await runCommand(command, rest, tools);
}

/** The message for an unknown command. It names the command that was meant, if that is clear. */
function unknownCommand(name: string): string {
  const names = COMMANDS.map(({ name }) => name);
  const meant = nearest(name, names);
  const hint = meant === undefined
    ? `there are: ${names.join(", ")}`
    : `did you mean 'hearsay ${meant}'?`;
  return `hearsay: there is no command ${quoted(name)}; ${hint}`;
}

/** Runs a command; every error ends as a line for a person and an exit code. */
async function runCommand(
  command: Command,
  args: readonly string[],
  tools: Tools,
): Promise<ExitCode> {
  const { terminal } = tools;
  const { name } = command;
  try {
    return await command.run(args, tools);
  } catch (error) {
    terminal.progress("");
    if (error instanceof Interrupted) return error.code;
    if (isUsageFault(error)) {
      terminal.err(`hearsay ${name}: ${hideKeys(error.message)}`);
      if (!(error instanceof SealedRefused)) {
        terminal.err(`'hearsay ${name} --help' shows how to use it`);
      }
      return EXIT.usage;
    }
    if (FAILURES.some((type) => error instanceof type)) {
      terminal.err(`hearsay ${name}: ${hideKeys(printable((error as Error).message))}`);
      if (error instanceof EntryNotKnown) terminal.err(NOT_KNOWN_ADVICE);
      else if (error instanceof JournalDamaged) terminal.err(repairAdvice(error, args));
      if (error instanceof ExchangeFailed && SILENCE.test(error.what)) terminal.err(SILENCE_ADVICE);
      return EXIT.failed;
    }
    // A fault of our own must not end with 1, which means that a log has misbehaved.
    terminal.err(`hearsay ${name}: a fault in Hearsay itself, please report it`);
    terminal.err(error instanceof Error ? error.stack ?? error.message : String(error));
    return EXIT.failed;
  }
}
