import type { Source } from "../sources/source.ts";
import { formatLog } from "../tlog/log.ts";
import { formatAddress } from "../world/address.ts";
import type { Address, Listener } from "../world/world.ts";
import { answerAt, listenAt, type OpenSource, type Parts } from "./assembly.ts";
import { Follower } from "./follower.ts";
import type { LogSettings, Settings } from "./settings.ts";

/** What changed settings say of one log. */
interface LogChange {
  readonly settings: LogSettings;
  /** Who follows it already. */
  readonly follower?: Follower;
  /** Where it is asked, if nobody follows it yet. */
  readonly added?: Source;
  /** Where it is asked from now on, if that changed. */
  readonly moved?: Source;
  /** Whether anything else of it changed. */
  readonly isChanged?: boolean;
}

/** What works from now on, and what did until now, after a change. */
export interface Changed {
  /** Followers that are to begin. */
  readonly begun: readonly Follower[];
  /** Whether exchanges are answered at another address, or at none, from now on. */
  readonly isMoved: boolean;
}

/**
 * Whether a daemon that runs can take up these settings: another name, key, folder or limit makes it
 * another monitor, which has to be started.
 */
export function canTakeUp(
  { settings: now, signer }: Parts,
  settings: Settings,
  vkey: string,
): boolean {
  return vkey === signer.vkey.text && settings.name === now.name &&
    settings.state === now.state && settings.incidents === now.incidents &&
    JSON.stringify(settings.limits) === JSON.stringify(now.limits);
}

/**
 * Changes the parts of a daemon that runs to what its settings say now; what did not change is not
 * touched. One call at a time.
 * @param settings those that `canTakeUp` accepts
 * @throws MalformedError, WorldError, IncidentNotWritten; then nothing has changed
 */
export async function takeUp(
  { parts, settings, openSource }: { parts: Parts; settings: Settings; openSource: OpenSource },
): Promise<Changed> {
  const logs = settings.logs.map((one) => changeOf(parts, one, settings.contact, openSource));
  const isMoved = addressText(settings.listen) !== addressText(parts.settings.listen);
  const { shared: { world } } = parts;
  const listener = isMoved ? listenAt(world, settings.listen) : undefined;
  let followers: readonly Follower[];
  try {
    followers = await withAdded(parts, logs);
  } catch (error) {
    listener?.close();
    throw error;
  }
  // From here on nothing is refused.
  parts.peers.change(settings.peers);
  parts.rounds.change(settings.gossip, settings.peers);
  if (isMoved) moveAcceptor(parts, listener);
  const begun = await changeFollowers(parts, followers, logs);
  parts.settings = { ...settings, logs: logs.map((log) => log.settings) };
  return { begun, isMoved };
}

/** What one log of the settings changes. @throws MalformedError if its source is none */
function changeOf(
  { settings: before, followers }: Parts,
  settings: LogSettings,
  contact: string,
  openSource: OpenSource,
): LogChange {
  const follower = followers.find(({ log }) => formatLog(log) === formatLog(settings.log));
  const then = before.logs.find(({ log }) => log === follower?.log);
  if (follower === undefined || then === undefined) {
    return { settings, added: openSource(settings) };
  }
  const kept = { ...settings, log: follower.log };
  const isMoved = contact !== before.contact ||
    JSON.stringify(settings.source) !== JSON.stringify(then.source);
  if (isMoved) return { settings: kept, follower, moved: openSource(kept) };
  const isChanged = settings.pollMs !== then.pollMs || settings.patienceMs !== then.patienceMs;
  return { settings: kept, follower, isChanged };
}

/** The followers of all these logs, those of added ones started. */
async function withAdded(
  { shared }: Parts,
  logs: readonly LogChange[],
): Promise<readonly Follower[]> {
  const before = shared.keeper.judge.logs;
  const added = logs.filter(({ added }) => added !== undefined).map(({ settings }) => settings.log);
  try {
    await shared.keeper.follow([...before, ...added]);
    const followers: Follower[] = [];
    for (const { settings, follower, added: source } of logs) {
      followers.push(follower ?? await Follower.start({ shared, settings, source: source! }));
    }
    return followers;
  } catch (error) {
    await shared.keeper.follow(before);
    throw error;
  }
}

/** Lets these follow from now on; those of removed logs end. @returns those that are to begin */
async function changeFollowers(
  parts: Parts,
  followers: readonly Follower[],
  logs: readonly LogChange[],
): Promise<readonly Follower[]> {
  const { followers: before, background, shared: { keeper } } = parts;
  parts.followers = followers;
  for (const removed of before.filter((one) => !followers.includes(one))) {
    removed.stop();
    background.run(() => removed.done());
  }
  for (const { follower, settings, moved, isChanged } of logs) {
    if (follower === undefined || (moved === undefined && isChanged !== true)) continue;
    background.run(() => follower.change(settings, moved));
  }
  // What was added is followed already, so nothing is read of the journal that could fail.
  await keeper.follow(followers.map(({ log }) => log));
  return followers.filter((one) => !before.includes(one));
}

/** Answers there from now on, and where it did no more. */
function moveAcceptor(parts: Parts, listener: Listener | undefined): void {
  parts.acceptor?.close();
  const { shared: { keeper }, peers } = parts;
  parts.acceptor = answerAt({ party: { ...keeper.party, peerHosts: peers.hosts }, listener });
}

function addressText(address: Address | undefined): string | undefined {
  return address && formatAddress(address);
}
