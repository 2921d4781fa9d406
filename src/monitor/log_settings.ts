/**
 * The section of the configuration about the logs to follow.
 *
 * @module
 */
import { DEFAULT_LIMITS } from "../gossip/limits.ts";
import { isFolder, openSource } from "../sources/open.ts";
import { NO_CONTACT } from "../world/http_client.ts";
import { describeLog, type Log, makeLog, parseLog, refuseSharedTreeHeadKey } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { parseVkey } from "../tlog/vkey.ts";
import type { Given, Members, Section } from "../world/jsonc.ts";
import { placeBeside, readDuration, readSwitch, readText } from "../world/setting_values.ts";

/** One exchange sends a frame for each log, so there are no more logs than frames. */
const MAX_LOGS = DEFAULT_LIMITS.maxFramesPerExchange;

/** One log to follow. */
export interface LogSettings {
  readonly log: Log;
  /** The log that this one continues under a new key (`"replaces"`). It has no source any more. */
  readonly replaces?: Log;
  /** Whether a person has said that it continues no other log (`"replaces": "none"`). */
  readonly replacesNone?: boolean;
  /** Where the log is served, at one place or several; see `openSource`. */
  readonly source: string | readonly string[];
  /** How often it is polled, in milliseconds. */
  readonly pollMs: number;
  /**
   * Patience, in milliseconds: after so long without growth the log is `frozen`, and after so long a
   * checkpoint that peers were shown and we were not is `withheld`.
   */
  readonly patienceMs: number;
  /** Whether it is known that the log does not grow any more. Then it is never `frozen`. */
  readonly isRetired?: boolean;
  /** Path of the policy that says who cosigns its checkpoints. */
  readonly policy?: string;
  /** As the setting of the monitor, for this log alone, in milliseconds. */
  readonly cosignedWithin?: number;
}

/** All logs that these settings are about: those that are followed, and those that they replace. */
export function knownLogs(logs: readonly LogSettings[]): Log[] {
  return logs.flatMap(({ log, replaces }) => replaces === undefined ? [log] : [log, replaces]);
}

/** What `"replaces"` says of a log of its own whose origin another key had before. */
export const REPLACES_NONE = "none";

/** The values of what the file leaves out, spelled as in the file. */
export const LOG_DEFAULTS = { poll: "1m", patience: "1d" } as const;

/** Reads `logs`: at least one, and no two that could be taken for each other. */
export const logsSection: Section<readonly LogSettings[]> = (given) =>
  readLogs(given, { mayPush: false });

/** As `logsSection`, for a monitor that is a witness: a log without `source` only pushes to it. */
export const logsOfWitnessSection: Section<readonly LogSettings[]> = (given) =>
  readLogs(given, { mayPush: true });

/** Whether a log has no source, and so only pushes. */
export function pushesOnly({ source }: LogSettings): boolean {
  return source.length === 0;
}

function readLogs(given: Given, how: { mayPush: boolean }): readonly LogSettings[] {
  const read = given.items({ least: how.mayPush ? 0 : 1, most: MAX_LOGS }).flatMap((item) => {
    const settings = readLog(item, how);
    return settings === undefined ? [] : [{ item, settings }];
  });
  for (const [i, { item, settings }] of read.entries()) {
    refuseClash(item, settings, read.slice(0, i).map((before) => before.settings));
  }
  const followed = read.map(({ settings }) => settings.log);
  for (const { item, settings: { replaces } } of read) {
    if (replaces !== undefined) refuseFollowed(item, replaces, followed);
  }
  return read.map(({ settings }) => settings);
}

/**
 * Refuses a log that is given or replaced twice, and logs whose signatures do not say which of them
 * they are about.
 */
function refuseClash(given: Given, settings: LogSettings, before: readonly LogSettings[]): void {
  const { log, replaces } = settings;
  try {
    if (before.some(({ log: { id } }) => id === log.id)) {
      throw new MalformedError(
        `the log ${quoted(log.origin)} is given twice, expected once, with a list of places as ` +
          'its "source" if it is served in several',
      );
    }
    if (replaces !== undefined && before.some((other) => other.replaces?.id === replaces.id)) {
      throw new MalformedError(
        `two logs replace ${describeLog(replaces)}; one log has one successor`,
      );
    }
    refuseSharedTreeHeadKey(knownLogs([...before, settings]));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    given.fail(error.message);
  }
}

/** Refuses to replace a log that is followed too. So no log replaces itself, and none in a circle. */
function refuseFollowed(given: Given, replaced: Log, followed: readonly Log[]): void {
  if (!followed.some(({ id }) => id === replaced.id)) return;
  given.inside("replaces").fail(
    `replaces is ${describeLog(replaced)}, which is followed itself; expected a log that is no ` +
      "longer in the list",
  );
}

function readLog(given: Given, { mayPush }: { mayPush: boolean }): LogSettings | undefined {
  const known = ["vkey", "origin", ...OF_SOURCE, "source"];
  const members = given.members({ what: "a log", known });
  if (members === undefined) return undefined;
  const { path, world } = given.file;
  // First a log with the key alone, so that a wrong origin is told as a fault of the origin.
  const log = members.get("vkey").read((value, name) => {
    const text = readText(value, name);
    const vkey = within(name, () => parseVkey(text));
    return within(name, () => makeLog({ vkey, origin: vkey.name }));
  });
  const withOrigin = members.get("origin").maybe((value, name) => {
    const origin = readText(value, name);
    return log && within(name, () => makeLog({ vkey: log.vkey, origin }));
  });
  const named = withOrigin ?? log;
  const replaced = members.get("replaces").maybe((value, name) => {
    const text = readText(value, name);
    if (text === REPLACES_NONE) return REPLACES_NONE;
    return readReplaced(text, { name, origin: withOrigin?.origin });
  });
  const isPushed = mayPush && !members.get("source").isThere;
  if (isPushed) refuseOfSource(members);
  const source = isPushed
    ? []
    : members.get("source").read((value, name) => readSources(value, { name, path }));
  if (named && source && !isPushed) {
    members.get("source").read((_, name) =>
      within(name, () => openSource({ world, log: named, source, contact: NO_CONTACT }))
    );
  }
  const pollMs = members.get("poll").read(readDuration, LOG_DEFAULTS.poll);
  const patienceMs = members.get("patience").read(readDuration, LOG_DEFAULTS.patience);
  const isRetired = members.get("retired").read(readSwitch, false);
  const policy = members.get("policy").maybe((value, name) =>
    placeBeside(path, readText(value, name))
  );
  const cosignedWithin = members.get("cosignedWithin").maybe(readDuration);
  if (!named || !source || !pollMs || !patienceMs || isRetired === undefined) return undefined;
  const more = {
    ...(replaced === REPLACES_NONE ? { replacesNone: true } : replaced && { replaces: replaced }),
    ...(isRetired && { isRetired }),
    ...(policy !== undefined && { policy }),
    ...(cosignedWithin !== undefined && { cosignedWithin }),
  };
  return { log: named, source, pollMs, patienceMs, ...more };
}

/** What is said of a log that has a source, and only of such a log. */
const OF_SOURCE = ["replaces", "poll", "patience", "retired", "policy", "cosignedWithin"];

/** Refuses what says how a source is looked at, for a log without one. */
function refuseOfSource(members: Members): void {
  for (const name of OF_SOURCE) {
    const member = members.get(name);
    if (!member.isThere) continue;
    member.fail(`${name} is about a log with a "source"; this one has none and only pushes`);
  }
}

/**
 * Reads the log that this one replaces, in the notation of `--log`: its vkey, then a space and its
 * origin. Without one it has the origin that this log is given, or else the name of its own key.
 */
function readReplaced(
  text: string,
  { name, origin }: { name: string; origin: string | undefined },
): Log {
  return within(name, () => {
    const log = parseLog(text);
    const isWhole = origin === undefined || text.includes(" ");
    return isWhole ? log : makeLog({ vkey: log.vkey, origin });
  });
}

/** A source, or a list of places where the same log is served. */
function readSources(
  value: unknown,
  { name, path }: { name: string; path: string },
): string | string[] {
  const read = (one: unknown): string => placeOf(readText(one, name), path);
  return Array.isArray(value) ? value.map(read) : read(value);
}

/** A source. A folder is relative to the configuration file, like every path in it. */
function placeOf(source: string, path: string): string {
  // What looks like a URL is left as it is: `openSource` must refuse it, not read it as a folder.
  if (!isFolder(source) || /^(?:[a-z][a-z0-9.-]+[:+]|[a-z]:)/i.test(source)) return source;
  const placed = placeBeside(path, source);
  return /^[./]/.test(placed) ? placed : `./${placed}`;
}
