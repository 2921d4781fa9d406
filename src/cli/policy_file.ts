/**
 * What `policy check`, `check` and `proof verify` have in common: a policy, whose checkpoints count,
 * and how old a cosignature may be.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { MAX_POLICY_BYTES, parsePolicy, type Policy } from "../authority/policy.ts";
import { markBytes, refuseUtf16, withoutMark } from "../tlog/encoding.ts";
import { type Log, parseLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { isThere } from "../world/durable.ts";
import { READ_CHUNK_BYTES } from "../world/reading.ts";
import { parseDuration } from "../world/setting_values.ts";
import type { World } from "../world/world.ts";
import { type Options, UsageError } from "./command.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { readInput } from "./inputs.ts";
import { readSettings } from "./run.ts";
import { type HoldsOf, readHolds } from "./runbook_file.ts";
import type { Terminal } from "./terminal.ts";

/** The options of those who weigh a checkpoint. */
export const WEIGHING_OPTIONS = ["policy", "log", "max-age", "config"] as const;

/** What `--help` says of them. */
export const WEIGHING_HELP =
  `  --policy FILE     which logs and witnesses count: a policy of C2SP tlog-policy, or Sigsum's
  --log LOG         the log that it must be of, in place of the policy's: its vkey, or "VKEY ORIGIN"
  --max-age TIME    cosignatures that are older do not count, such as 1h or 7d
  --config FILE     the monitor whose frozen logs count (default ${DEFAULT_CONFIG} here or in
                    /etc/hearsay). What it has frozen is not committed. If there is none, no monitor
                    is asked, and the answer says so`;

/** Said where no monitor was asked, so that nobody takes it for a monitor's word. */
export const NOT_ASKED = `no monitor was asked whether it has frozen the log: there is no ` +
  `${DEFAULT_CONFIG} here or in /etc/hearsay, and no --config FILE was given`;

/**
 * Reads a policy.
 * @throws UsageError if there is no such file, MalformedError that names the file and the line
 */
export async function readPolicy(world: World, path: string): Promise<Policy> {
  const file = await readInput({ world, path, maxBytes: MAX_POLICY_BYTES });
  return within(`the policy ${quoted(path)}`, () => {
    refuseUtf16(file);
    return parsePolicy(file.subarray(markBytes(file)));
  });
}

/** How checkpoints are weighed. */
export interface Weighing {
  readonly policy: Policy;
  readonly logs: readonly Log[];
  /** POSIX seconds; see `weigh`. */
  readonly since: bigint | undefined;
  /** Whether nothing of a log is accepted now; see `weigh`. */
  readonly isFrozen: (log: Log) => boolean;
  /** Why. */
  readonly holdsOf: HoldsOf;
  /** Whether there is a monitor that was asked what it has frozen. */
  readonly isAsked: boolean;
}

/**
 * Reads the options of those who weigh a checkpoint.
 * @throws UsageError, MalformedError for what is wrong or missing
 */
export async function readWeighing(world: World, options: Options): Promise<Weighing> {
  const path = options.value("policy");
  if (path === undefined) throw new UsageError("expected --policy FILE");
  const maxAge = options.value("max-age");
  const age = maxAge === undefined ? undefined : parseDuration(maxAge);
  if (maxAge !== undefined && age === undefined) {
    throw new UsageError(`--max-age is ${quoted(maxAge)}, expected a duration such as 1h or 7d`);
  }
  const notation = options.value("log");
  const named = notation === undefined ? undefined : parseLog(withoutMark(notation));
  const policy = await readPolicy(world, path);
  const logs = named === undefined ? policy.logs.map(({ log }) => log) : [named];
  if (logs.length === 0) {
    throw new UsageError(`the policy ${quoted(path)} lists no log: name it with --log`);
  }
  const now = Math.floor(world.clock.now().getTime() / 1_000);
  const since = age === undefined ? undefined : BigInt(now - Math.floor(age / 1_000));
  const asked = await frozenBy(world, options);
  const holdsOf = asked ?? (() => []);
  return {
    ...{ policy, logs, since, holdsOf, isAsked: asked !== undefined },
    isFrozen: (log) => holdsOf(log).length > 0,
  };
}

/** What the monitor on this machine has frozen; nothing if no monitor can be asked. */
async function frozenBy(world: World, options: Options): Promise<HoldsOf | undefined> {
  const given = options.value("config");
  const path = await findConfig(world, given);
  if (given === undefined && !await isThere(world.files, path)) return undefined;
  return await readHolds(world, await readSettings(world, path));
}

/**
 * Reads a whole small file named on the command line; `-` is standard input.
 * @throws as `readInput`
 */
export async function readWhole({ world, terminal, path, maxBytes }: {
  world: World;
  terminal: Terminal;
  path: string;
  maxBytes: number;
}): Promise<Uint8Array> {
  if (path !== "-") return await readInput({ world, path, maxBytes });
  const parts: Uint8Array[] = [];
  for (let length = 0; length <= maxBytes;) {
    const buffer = new Uint8Array(READ_CHUNK_BYTES);
    const count = await terminal.read(buffer);
    if (count === 0) return concat(parts);
    parts.push(buffer.subarray(0, count));
    length += count;
  }
  throw new MalformedError(`standard input is too long: expected at most ${maxBytes} bytes`);
}
