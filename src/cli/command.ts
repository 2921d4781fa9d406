import { parseArgs } from "@std/cli/parse-args";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import type { Witness } from "../authority/witness.ts";
import type { ServedJournals } from "../federation/served.ts";
import type { ToldOverHttp } from "../monitor/told_over_http.ts";
import type { Address, HttpServer, World } from "../world/world.ts";
import type { Terminal } from "./terminal.ts";

/** How the process ends (README, "Exit codes"). */
export const EXIT = {
  /** nothing wrong */
  ok: 0,
  /** misbehaviour proven; for `verify`: the evidence does not hold */
  proven: 1,
  /** wrong usage or configuration */
  usage: 2,
  /** could not do the work: network, disk, nothing to judge */
  failed: 3,
} as const;

/** How the process ends if a signal ends it: what a shell reports (SIGINT, SIGTERM, SIGHUP). */
export type SignalCode = 130 | 143 | 129;

/** One of EXIT's values, or what a signal left. */
export type ExitCode = typeof EXIT[keyof typeof EXIT] | SignalCode;

/** What every command is given. */
export interface Tools {
  readonly world: World;
  readonly terminal: Terminal;
  /** Serves a daemon's status and its page over HTTP, and comparisons while it offers them. */
  serveStatus(
    page: ToldOverHttp & {
      address: Address;
      /** See Http.serve. */
      onLack: (reason: string) => void;
    },
  ): HttpServer;
  /** Serves a witness over HTTP. */
  serveWitness(page: {
    address: Address;
    witness: Witness;
    /** Told what our own disk refused. */
    failed: (error: unknown) => void;
    onLack: (reason: string) => void;
  }): HttpServer;
  /** Serves a daemon's journal over HTTP. */
  serveFederation(
    page: ServedJournals & { address: Address; onLack: (reason: string) => void },
  ): HttpServer;
}

/** One command of the program. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints; it holds an example. */
  readonly help: string;
  /**
   * Runs the command.
   * @throws UsageError, MalformedError for wrong usage; other errors if the work could not be done
   */
  run(args: readonly string[], tools: Tools): Promise<ExitCode>;
}

/** The command line is wrong; the message says what came and what was wanted. */
export class UsageError extends Error {}

/**
 * A sealed file does not open: its passphrase is another, or it was changed. The command line is right,
 * so no help is offered.
 */
export class SealedRefused extends MalformedError {
  constructor(path: string, why: string) {
    super(`cannot open ${quoted(path)}: ${why}`);
  }
}

/** A person, or a signal, ended the program while it waited for an answer. */
export class Interrupted extends Error {
  constructor(readonly code: SignalCode) {
    super("interrupted");
  }
}

/** The options and operands that a command takes. */
export interface OptionSpec {
  /** Options with a value, given at most once. */
  readonly values?: readonly string[];
  /** Options with a value that may be repeated. */
  readonly lists?: readonly string[];
  /** Options without a value. */
  readonly flags?: readonly string[];
  /** Options that the command has taken out of the line itself, for messages. */
  readonly taken?: readonly string[];
  /** Names of the operands, for messages. If the last one ends in `…`, it may be repeated. */
  readonly operands?: readonly string[];
  /** The least number of operands; by default all of them. */
  readonly leastOperands?: number;
}

/** The options and operands of a command line. */
export interface Options {
  /** The value of an option given at most once. */
  value(name: string): string | undefined;
  /** The values of an option that may be repeated. */
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** The operands in order, as many as the command asks for. */
  readonly operands: readonly string[];
}

/**
 * Reads a command line.
 * @throws UsageError for an option that is unknown, repeated or without its value, and for too few
 *   or too many operands
 */
export function readOptions(args: readonly string[], spec: OptionSpec): Options {
  const { values = [], lists = [], flags = [], taken = [], operands = [] } = spec;
  const least = spec.leastOperands ?? operands.length;
  const strings = [...values, ...lists];
  const parsed = parseArgs(args, {
    string: [...strings, "_"],
    boolean: flags,
    collect: strings,
    unknown(arg, name) {
      if (name === undefined) return true; // An operand.
      throw new UsageError(unknownOption(arg, [...strings, ...flags, ...taken]));
    },
  });
  const given = (name: string): readonly string[] => (parsed[name] ?? []) as string[];
  for (const name of strings) {
    if (given(name).includes("")) throw new UsageError(`--${name} has no value`);
    if (values.includes(name) && given(name).length > 1) {
      throw new UsageError(`--${name} is given ${given(name).length} times, expected once`);
    }
  }
  const found = parsed._.map(String);
  const repeats = operands.at(-1)?.endsWith("…") ?? false;
  if (found.length < least || (found.length > operands.length && !repeats)) {
    const named = operands.map((operand, i) => i < least ? operand : `[${operand}]`);
    const wanted = operands.length === 0 ? "no operands" : named.join(" ");
    const came = found.length === 0 ? "nothing" : found.map(quoted).join(" ");
    const hint = found.length > least && values.includes("config") ? CONFIG_HINT : "";
    throw new UsageError(`expected ${wanted}; got: ${came}${hint}`);
  }
  return {
    value: (name) => given(name)[0],
    list: given,
    flag: (name) => parsed[name] === true,
    operands: found,
  };
}

/** For who names a configuration, or a monitor's folder, without the option. */
export const CONFIG_HINT = ". A configuration is named by --config FILE";

/** How many letters may be wrong, missing or too many in a mistyped name. */
const MISTYPED_LETTERS = 2;

/** The name that was meant by a mistyped one, if that is clear. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  const away = (one: string): number => levenshteinDistance(typed, one);
  const [best] = names.toSorted((a, b) => away(a) - away(b));
  return best !== undefined && away(best) <= MISTYPED_LETTERS ? best : undefined;
}

function unknownOption(arg: string, options: readonly string[]): string {
  const meant = nearest(arg.replace(/^-+/, "").replace(/=.*$/s, ""), options);
  const hint = meant === undefined ? "" : `did you mean --${meant}? `;
  const known = options.map((option) => `--${option}`).join(" ");
  return `there is no option ${quoted(arg)}; ${hint}the options are: ${known || "none"}`;
}

/** Whether an error means that the command line or the configuration is wrong. */
export function isUsageFault(error: unknown): error is Error {
  return error instanceof UsageError || error instanceof MalformedError;
}

/**
 * A message without the private keys in it: one may be in a file or on the command line by mistake, where
 * a vkey belongs. Messages go into logs, and are sent to others.
 */
export function hideKeys(message: string): string {
  return message.replace(/PRIVATE\+KEY\+[^\s"]*/g, "PRIVATE+KEY+…");
}
