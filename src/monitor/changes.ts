import type { Rule } from "../response/policy.ts";
import type { LogList } from "../authority/log_list.ts";
import type { Source } from "../sources/source.ts";
import { formatLog, type Log } from "../tlog/log.ts";
import { isSameAddress } from "../world/address.ts";
import type { Listener } from "../world/world.ts";
import {
  answerAt,
  count,
  listenAt,
  type OpenSource,
  type Parts,
  shareTurns,
  tellSwarm,
} from "./assembly.ts";
import { Follower } from "./follower.ts";
import { formerKeys } from "./former_keys.ts";
import { knownLogs } from "./log_settings.ts";
import type { Policies } from "./policies.ts";
import type { LogSettings, Settings } from "./settings.ts";

/** What a change of the settings means for one log. */
interface LogChange {
  readonly settings: LogSettings;
  /** The follower of the log, if it was followed before. */
  readonly follower?: Follower;
  /** The source of the log, if it was not followed before. */
  readonly added?: Source;
  /** Its new source, if that changed. */
  readonly moved?: Source;
  /** Whether another of its settings changed. */
  readonly isChanged?: boolean;
}

/** What was read again of the files that the configuration names. */
export interface ReadFiles {
  /** The logs of the witness's list. */
  readonly listed?: LogList["logs"] | undefined;
  /** By their paths. */
  readonly policies?: Policies | undefined;
}

/** What the daemon has to start after a change. */
export interface Changed {
  /** Followers of added logs, which are to be run. */
  readonly begun: readonly Follower[];
  /** Whether exchanges are answered at another address, or at none, from now on. */
  readonly isMoved: boolean;
}

/**
 * The settings that a running daemon can change. All others need a new start, and so does a setting
 * that is added to the program later.
 */
const CHANGEABLE: readonly (keyof Settings)[] = [
  ...["logs", "peers", "gossip", "listen", "http", "httpGossip", "contact"] as const,
  ...["admit", "members", "policy", "cosignedWithin"] as const,
  // This is only the key's path. Whether the key itself changed is checked apart.
  "key",
];

/**
 * Whether a daemon that runs can take up these settings. Another name, key, folder or limit makes it
 * another monitor, which has to be started.
 */
export function canTakeUp(
  { settings: now, signer, alertRules }: Parts,
  { settings, vkey, alertRules: rules }: {
    settings: Settings;
    vkey: string;
    alertRules: readonly Rule[] | undefined;
  },
): boolean {
  const names = Object.keys({ ...now, ...settings }) as (keyof Settings)[];
  return vkey === signer.vkey.text && JSON.stringify(rules) === JSON.stringify(alertRules) &&
    names.every((name) =>
      CHANGEABLE.includes(name) || JSON.stringify(settings[name]) === JSON.stringify(now[name])
    );
}

/**
 * Changes the parts of a running daemon to what the settings say now. What did not change is not
 * touched. Calls must not overlap.
 * @param settings must be accepted by `canTakeUp`
 * @throws MalformedError, WorldError, IncidentNotWritten; then nothing has changed
 */
export async function takeUp(
  { parts, settings, openSource, files: { listed, policies = new Map() } }: {
    parts: Parts;
    settings: Settings;
    openSource: OpenSource;
    files: ReadFiles;
  },
): Promise<Changed> {
  const logs = settings.logs.map((one) => changeOf(parts, one, settings.contact, openSource));
  const isMoved = !isSameAddress(settings.listen, parts.settings.listen);
  const { common: { world } } = parts;
  const listener = isMoved ? listenAt(world, settings.listen) : undefined;
  let followers: readonly Follower[];
  let formers: Parts["formerKeys"];
  try {
    formers = formerKeys(settings.logs, parts.common.observations);
    followers = await withAdded(parts, logs);
  } catch (error) {
    listener?.close();
    throw error;
  }
  // Nothing below can be refused, so a change is made whole or not at all.
  parts.peers.change(settings.peers);
  if (isMoved) moveAcceptor(parts, listener);
  tellSwarm(parts, settings);
  parts.rounds.change(settings);
  const begun = await changeFollowers(parts, followers, logs);
  // The logs that only push are the same: another one needs a new start.
  const { pushed } = parts.settings;
  parts.settings = { ...settings, logs: logs.map((log) => log.settings), pushed };
  const followed = parts.settings.logs.map(({ log }) => log);
  parts.witnessing?.follow({ followed, pushed, ...(listed !== undefined && { listed }) });
  shareTurns(parts);
  parts.formerKeys = formers;
  await count(parts, policies);
  parts.mirroring?.changed(settings.peers);
  return { begun, isMoved };
}

/** What changes for one log. @throws MalformedError if its source cannot be used */
function changeOf(
  { settings: before, followers, common }: Parts,
  given: LogSettings,
  contact: string,
  openSource: OpenSource,
): LogChange {
  const settings = withKnown(given, common.keeper.judge.logs);
  const follower = followers.find(({ log }) => log === settings.log);
  const then = before.logs.find(({ log }) => log === follower?.log);
  // What a log replaces is taken up from the journal, as at a start.
  if (follower === undefined || then === undefined || then.replaces !== settings.replaces) {
    return { settings, added: openSource(settings) };
  }
  const isMoved = contact !== before.contact ||
    JSON.stringify(settings.source) !== JSON.stringify(then.source);
  if (isMoved) return { settings, follower, moved: openSource(settings) };
  const isChanged = settings.pollMs !== then.pollMs || settings.patienceMs !== then.patienceMs ||
    settings.isRetired !== then.isRetired;
  return { settings, follower, isChanged };
}

/** The same settings; a log in them that is known here is the very object of before. */
function withKnown(settings: LogSettings, known: readonly Log[]): LogSettings {
  const same = (log: Log): Log => known.find((other) => formatLog(other) === formatLog(log)) ?? log;
  const { log, replaces } = settings;
  return { ...settings, log: same(log), ...(replaces && { replaces: same(replaces) }) };
}

/** The followers of all these logs. Those of added logs are new. */
async function withAdded(
  { common }: Parts,
  logs: readonly LogChange[],
): Promise<readonly Follower[]> {
  const before = common.keeper.judge.logs;
  const wanted = knownLogs(logs.map(({ settings }) => settings));
  try {
    await common.keeper.follow([...new Set([...before, ...wanted])]);
    const followers: Follower[] = [];
    for (const { settings, follower, added: source } of logs) {
      followers.push(follower ?? await Follower.start({ common, settings, source: source! }));
    }
    return followers;
  } catch (error) {
    await common.keeper.follow(before);
    throw error;
  }
}

/** Ends the followers of removed logs and changes the others. @returns those that are to be run */
async function changeFollowers(
  parts: Parts,
  followers: readonly Follower[],
  logs: readonly LogChange[],
): Promise<readonly Follower[]> {
  const { followers: before, background, common: { keeper } } = parts;
  parts.followers = followers;
  for (const removed of before.filter((one) => !followers.includes(one))) {
    removed.stop();
    background.run(() => removed.done());
  }
  for (const { follower, settings, moved, isChanged } of logs) {
    if (follower === undefined || (moved === undefined && isChanged !== true)) continue;
    background.run(() => follower.change(settings, moved));
  }
  // The keeper knows the added logs already, so this reads nothing from the journal and cannot fail.
  const followed = followers.flatMap(({ logs }) => logs);
  const mirrored = parts.mirroring?.logs ?? [];
  await keeper.follow([...followed, ...parts.settings.pushed, ...mirrored]);
  return followers.filter((one) => !before.includes(one));
}

/** Closes what answered exchanges, and answers them on this listener from now on. */
function moveAcceptor(parts: Parts, listener: Listener | undefined): void {
  parts.acceptor?.close();
  answerAt(parts, listener);
}
