import { millisecondsBetween } from "../world/time.ts";
import { type LogStatus, type LookResult, nameOf, type PeerStatus, type Status } from "./status.ts";

/** How long after its start a daemon may not have looked at a log, or called a peer, yet. */
const STARTING_MS = 120_000;

/** What each result of a look says that is not as it should be; the others are. */
const TROUBLES: Readonly<Partial<Record<LookResult, string>>> = {
  inconsistent: "shows what contradicts what it signed before",
  unproven: "shows a checkpoint that could not be proven",
  frozen: "has not grown for longer than its patience",
  withheld: "does not show us what peers were shown",
  unavailable: "cannot be reached, or answers with what is no checkpoint of it",
  unverified: "answers with a checkpoint that no known key of it has signed",
  "not written": "is looked at in vain: our own disk or database refuses",
};

/**
 * What is not done as it is configured, one sentence each. A monitor that compares nothing, or sees
 * nothing, must not look as if all were well. Proven cases are counted elsewhere (`incidents`).
 */
export function troublesOf(status: Status): string[] {
  const { startedAt, now, logs, peers, listen, unwritten, faults = 0, eventsLost = 0 } = status;
  const isStarting = millisecondsBetween(startedAt, now) < STARTING_MS;
  const isAlone = peers.length === 0 && listen === undefined;
  return [
    ...(unwritten ? ["a proven conflict could not be written: the disk refuses"] : []),
    ...(faults > 0 ? [`faults in Hearsay itself: ${faults}`] : []),
    ...(eventsLost > 0 ? [`events that could not be printed: ${eventsLost}`] : []),
    ...(isAlone ? ['nothing is compared with anybody: there is no peer and no "listen"'] : []),
    ...logs.flatMap((log) => troublesOfLog(log, { name: nameOf(log, status), isStarting })),
    ...peers.flatMap((peer) => troublesOfPeer(peer, isStarting)),
  ];
}

function troublesOfLog(
  { lastResult, lastDetail, sharedBy }: LogStatus,
  { name, isStarting }: { name: string; isStarting: boolean },
): string[] {
  const trouble = lastResult === undefined
    ? isStarting ? undefined : "was not looked at yet"
    : TROUBLES[lastResult];
  const detail = lastDetail === undefined ? "" : ` (${lastDetail})`;
  return [
    ...(trouble === undefined ? [] : [`log ${name} ${trouble}${detail}`]),
    ...(sharedBy === 0 ? [`log ${name} is compared with nobody: no peer follows it`] : []),
  ];
}

function troublesOfPeer(
  { address, sharedLogs, failing, exchanges }: PeerStatus,
  isStarting: boolean,
): string[] {
  if (failing !== undefined) return [`peer ${address}: the last exchange failed: ${failing}`];
  if (exchanges === 0 && !isStarting) return [`peer ${address} was not called yet`];
  return sharedLogs === 0 ? [`peer ${address} follows none of the logs followed here`] : [];
}
