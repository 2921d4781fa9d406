/**
 * Keys that were swapped without a word: the configuration has a log of an origin that this monitor
 * followed under another key before, and nothing holds the one to what the other has signed. That is
 * how a rewritten history would go by unseen.
 *
 * @module
 */
import { strictBase64 } from "../tlog/encoding.ts";
import { formatLog, type Log, makeLog } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseNote, signersOf } from "../tlog/note.ts";
import { formatKeyId, makeVkey } from "../tlog/vkey.ts";
import { openKept } from "./kept_note.ts";
import { knownLogs, type LogSettings, REPLACES_NONE } from "./log_settings.ts";

/** The last view of a log, as the observations have it. */
export interface SeenView {
  readonly treeSize: bigint;
  readonly note: string;
  /** RFC 3339, UTC. */
  readonly seenAt: string;
}

/** The views in the observation journal, by the ids of the logs. */
export interface SeenViews {
  viewedLogs(): string[];
  view(log: { id: string }): SeenView | undefined;
}

/** A log under the key by which it was followed before. */
export interface Former {
  /** In the notation of `"replaces"`. */
  readonly log: string;
  /** Of the last view, decimal. */
  readonly size: string;
  /** What a person is to know, a sentence. */
  readonly detail: string;
}

/** What a person is to write into the configuration. */
export function replacesAdvice({ log }: Pick<Former, "log">): string {
  return `write "replaces": "${log}" into its settings, or "replaces": "${REPLACES_NONE}" if it is ` +
    "a log of its own";
}

/** For each log, by its id, that is held to nothing: the log of the same origin that was followed before. */
export function formerKeys(
  logs: readonly LogSettings[],
  observations: SeenViews,
): ReadonlyMap<string, Former> {
  const known = new Set(knownLogs(logs).map(({ id }) => id));
  const viewed = observations.viewedLogs();
  const left = viewed.filter((id) => !known.has(id));
  return new Map(logs.flatMap((settings) => {
    const { log, replaces, replacesNone } = settings;
    const isHeld = replacesNone || (replaces !== undefined && viewed.includes(replaces.id));
    if (isHeld) return [];
    const [latest] = left.filter((id) => originIn(id) === log.origin)
      .flatMap((id) => {
        const view = observations.view({ id })!;
        const former = logOfNote(id, view.note);
        return former === undefined ? [] : [{ former, view }];
      })
      .toSorted((a, b) => a.view.seenAt < b.view.seenAt ? 1 : -1);
    if (latest === undefined) return [];
    const { former, view } = latest;
    const size = `${view.treeSize}`;
    const detail = `this monitor followed ${log.origin} under key ${keyIdOf(former)} up to size ` +
      `${size}; without "replaces" the key ${keyIdOf(log)} is held to nothing of that`;
    return [[log.id, { log: formatLog(former), size, detail }] as const];
  }));
}

function keyIdOf({ vkey }: Log): string {
  return formatKeyId(vkey.keyId);
}

/** The origin in a log's id: the key there is in base64. */
function originIn(id: string): string {
  return id.slice(id.indexOf(" ") + 1);
}

/** The log of an id. Its key's name is not in the id, and is one of the names that signed its note. */
function logOfNote(id: string, note: string): Log | undefined {
  try {
    const key = strictBase64(id.slice(0, id.indexOf(" ")));
    for (const { name } of signersOf(parseNote(note))) {
      const vkey = makeVkey({ name, type: key[0]!, publicKey: key.slice(1) });
      const log = makeLog({ vkey, origin: originIn(id) });
      if (openKept(note, log) !== undefined) return log;
    }
  } catch (error) {
    // A later version may know more types of keys.
    if (!(error instanceof MalformedError)) throw error;
  }
  return undefined;
}
