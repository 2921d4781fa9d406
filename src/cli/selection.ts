/** Which entries of a journal are listed: `--since`, `--log`, `--limit`. */
import { printable, quoted } from "../tlog/malformed.ts";
import { parseDuration } from "../world/setting_values.ts";
import { millisecondsOf, parseTime, timeOf } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import { type Options, UsageError } from "./command.ts";

/** The names of the options. */
export const SELECTION_OPTIONS = ["since", "log", "limit"];

/** The help of the options, their names as wide as those of a command's other options. */
export function selectionHelp(width: number): string {
  return [
    [
      "--since WHEN",
      "only what came since then: 2026-11-28T11:00:00Z, 2026-11-28, or 2h or 7d ago",
    ],
    ["--log LOG", 'only what is about a log: its origin, its vkey, or "VKEY ORIGIN"'],
    ["--limit N", "only the newest N"],
  ].map(([name, text]) => `  ${name!.padEnd(width)} ${text}`).join("\n");
}

/** What is to be listed; everything if nothing is said. */
export interface Selection {
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly log?: string;
  readonly limit?: number;
}

/** A log, as journals name it. */
export interface NamedLog {
  readonly origin: string;
  readonly vkey: string;
}

/** @throws UsageError for a value that is none */
export function readSelection(options: Options, clock: Clock): Selection {
  const [since, log, limit] = SELECTION_OPTIONS.map((name) => options.value(name));
  return {
    ...(since !== undefined && { since: readSince(since, clock) }),
    ...(log !== undefined && { log }),
    ...(limit !== undefined && { limit: readLimit(limit) }),
  };
}

function readSince(text: string, clock: Clock): number {
  const duration = parseDuration(text);
  if (duration !== undefined) return Math.max(0, clock.now().getTime() - duration);
  const time = parseTime(text);
  if (time !== undefined) return time;
  throw new UsageError(
    `--since is ${
      quoted(text)
    }, expected a time such as 2026-11-28T11:00:00Z or 2026-11-28, or a ` +
      "duration such as 30m, 2h, 7d",
  );
}

function readLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--limit is ${quoted(text)}, expected a whole number above 0`);
}

/** What is known of one entry. */
export interface About {
  /** RFC 3339; the one that is shown. */
  readonly at: string;
  readonly log?: NamedLog | undefined;
  /** How much memory it takes, in characters. */
  readonly length: number;
}

/** Entries are handed over in parts of at most so many. */
const PART = 500;
/** Of the newest entries, no more characters are kept in memory. */
export const MAX_KEPT_CHARACTERS = 64 * 1024 * 1024;
/** Most logs whose names are remembered for a message. */
const MAX_NAMES = 20;

/** What was found, and what was passed over. */
export class Found {
  /** Entries that were selected. */
  selected = 0;
  /** Selected ones that are not shown, because newer ones are. */
  cut = 0;
  /** Entries of the log before `since`. */
  older = 0;
  /** Entries of other logs. */
  others = 0;
  /** Origins there are. */
  readonly origins = new Set<string>();
  hasLog = false;
}

/**
 * Passes on the entries that are selected, oldest first, a part at a time. What it keeps in memory is
 * bounded, however long the journal is.
 * @throws whatever `entries` throws; what was selected before that is passed on first
 */
export async function select<T>(
  entries: AsyncIterable<T>,
  { selection, about, pass, maxKept = MAX_KEPT_CHARACTERS }: {
    selection: Selection;
    about: (entry: T) => About;
    pass: (part: readonly T[]) => void;
    maxKept?: number;
  },
): Promise<Found> {
  const found = new Found();
  const { limit } = selection;
  let kept: { entry: T; length: number }[] = [];
  let first = 0;
  let characters = 0;
  const handOver = (): void => {
    for (let at = first; at < kept.length; at += PART) {
      pass(kept.slice(at, at + PART).map(({ entry }) => entry));
    }
    [kept, first, characters] = [[], 0, 0];
  };
  try {
    for await (const entry of entries) {
      const { at, log, length } = about(entry);
      if (!isSelected({ at, log }, { selection, found })) continue;
      found.selected++;
      kept.push({ entry, length });
      characters += length;
      if (limit === undefined) {
        if (kept.length >= PART || characters >= maxKept) handOver();
        continue;
      }
      while (kept.length - first > limit || (characters > maxKept && kept.length - first > 1)) {
        characters -= kept[first]!.length;
        first++;
        found.cut++;
      }
      // What was dropped is let go of now and then, since to move the rest takes time.
      if (first > PART && first > kept.length / 2) [kept, first] = [kept.slice(first), 0];
    }
  } finally {
    handOver();
  }
  return found;
}

function isSelected(
  { at, log }: Pick<About, "at" | "log">,
  { selection, found }: { selection: Selection; found: Found },
): boolean {
  if (log !== undefined && found.origins.size < MAX_NAMES) found.origins.add(log.origin);
  if (selection.log !== undefined) {
    if (log === undefined || !isNamed(log, selection.log)) {
      found.others++;
      return false;
    }
    found.hasLog = true;
  }
  // A time that cannot be read (NaN) is not older than another one.
  if (selection.since !== undefined && millisecondsOf(at) < selection.since) {
    found.older++;
    return false;
  }
  return true;
}

function isNamed({ origin, vkey }: NamedLog, text: string): boolean {
  return [origin, printable(origin), vkey, `${vkey} ${origin}`].includes(text);
}

/**
 * Refuses a `--log` that nothing here knows: it may be a mistake in writing, and "nothing found" would
 * be a wrong answer to it.
 * @param configured the logs of the configuration, if it was read
 * @throws UsageError
 */
export function refuseUnknownLog(
  found: Found,
  { selection, configured, folder }: {
    selection: Selection;
    configured: readonly NamedLog[] | undefined;
    folder: string;
  },
): void {
  const { log } = selection;
  if (log === undefined || found.hasLog) return;
  if (configured?.some((each) => isNamed(each, log))) return;
  const named = configured === undefined
    ? "No configuration was read that could name it (--config)"
    : "The configuration does not name it";
  const names = [...found.origins, ...(configured ?? []).map(({ origin }) => origin)];
  const there = names.length === 0
    ? ""
    : `; there are: ${[...new Set(names)].slice(0, MAX_NAMES).map(quoted).join(", ")}`;
  throw new UsageError(
    `nothing in ${quoted(folder)} is about a log ${quoted(log)}. ${named}${there}`,
  );
}

/** What to say if nothing was selected: what was looked at, and what was passed over. */
export function nothingFound(
  found: Found,
  { selection, what, folder }: { selection: Selection; what: string; folder: string },
): string {
  const of = selection.log === undefined ? "" : ` of ${quoted(selection.log)}`;
  const since = selection.since === undefined ? "" : ` since ${timeOf(selection.since)}`;
  const passed = [
    ...(found.older > 0 ? [several(found.older, "older one", "older ones")] : []),
    ...(found.others > 0 ? [`${found.others} of other logs`] : []),
  ];
  const rest = passed.length === 0 ? "" : `; ${passed.join(", ")}`;
  return `no ${what}${of}${since} in ${printable(folder)}${rest}`;
}

function several(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

/** What to say if older entries gave way to newer ones. */
export function cutNotice({ selected, cut }: Found): string | undefined {
  if (cut === 0) return undefined;
  return `only the newest ${selected - cut} of ${selected} are listed`;
}
