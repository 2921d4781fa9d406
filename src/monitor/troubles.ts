import { millisecondsBetween } from "../world/time.ts";
import { troublesOfMirrors } from "./mirror_troubles.ts";
import { troublesOfMembers } from "./member_troubles.ts";
import { easedBy, troublesOfStore } from "./store_troubles.ts";
import { replacesAdvice } from "./former_keys.ts";
import { LOST_ADVICE } from "./places.ts";
import type { WitnessStatus } from "./witnessing.ts";
import {
  type LogStatus,
  type LookResult,
  nameOf,
  type PeerStatus,
  type Status,
  type WitnessOfLog,
} from "./status.ts";

/** How long after its start a daemon may not have looked at a log, or called a peer, yet. */
const STARTING_MS = 120_000;

/** Something that is not done as it is configured. */
export interface Trouble {
  /** What is wrong, a sentence. */
  readonly text: string;
  /** What it asks of a person, or that it asks nothing. Whole sentences. */
  readonly advice: string;
  /** The log or the peer it is about, if it is about one. */
  readonly about?: LogStatus | PeerStatus;
  /** Since when, RFC 3339. */
  readonly since?: string | undefined;
  /**
   * `case` if it is nothing but a case that the journal has: who lists the cases too leaves it out.
   * `advice` if nothing fails, and the monitor is set up so that it compares less than it could.
   */
  readonly isOnly?: "case" | "advice";
}

/** For each result of a look that is not as it should be: what it says, and what it asks of a person. */
const LOOKS: Readonly<Partial<Record<LookResult, readonly [says: string, advice: string]>>> = {
  inconsistent: [
    "shows a checkpoint that contradicts one that it signed before",
    "Keep the journals, and look at the case: hearsay incidents list.",
  ],
  unproven: [
    "shows a checkpoint that could not be proven",
    "Keep the journals, and ask the log's operator. It may be a broken cache, and is tried again.",
  ],
  frozen: [
    "has not grown for longer than its patience",
    'Ask whether the log is still run, or set its "patience" to its pace.',
  ],
  unavailable: [
    "cannot be reached, or its answer is no signed checkpoint",
    "Look at your network, and at the log's own status page. It is no sign of misbehaviour.",
  ],
  unverified: [
    "answers with a checkpoint that no known key of it has signed",
    "Its key may have been rotated, or somebody else answers: ask its operator.",
  ],
  "not written": [
    "could not be looked at: our own disk or database refuses to write",
    "Free the disk. It says nothing about the log.",
  ],
};

/** The same for a log that, under its new key, shows another history than it signed before. */
const REWRITTEN: readonly [says: string, advice: string] = [
  "has changed its history with its key",
  "Keep the journals, which have both signed notes. Tell the other monitors, and ask the log's operator " +
  "for the reason. It is no incident, since two keys have signed, and it does not pass by itself " +
  '(OPERATING, "A log\'s key was rotated").',
];

/** What is asked of a person if a log shows less than before, and gives no proof. */
const SHRANK =
  "Keep the journals, and ask its operator. The log may have been restored from a backup, or " +
  "an old state may be shown to you alone: compare from another network. It is tried again.";

/**
 * What is not done as it is configured. A monitor that compares nothing, or sees nothing, must not
 * look as if all were well. Proven cases are counted elsewhere (`incidents`).
 */
export function troublesOf(status: Status): Trouble[] {
  const { logs, peers } = status;
  const isStarting = isNew(status);
  return [
    ...troublesOfItself(status, isStarting),
    ...logs.flatMap((log) => troublesOfLog(log, { name: nameOf(log, status), isStarting })),
    ...peers.filter((peer) => !isAway(peer, status))
      .flatMap((peer) => troublesOfPeer(peer, { isStarting, now: status.now })),
    ...troublesAmongMembers(status),
    ...troublesOfStore(status, isStarting),
    ...troublesOfAlerts(status),
    ...troublesOfMirrors(status.mirrors ?? []),
    ...(status.witness === undefined ? [] : troublesOfWitness(status.witness, isStarting)),
  ];
}

/** What is wrong and what is advice, each without what is only a case: cases are told by themselves. */
export function troublesAndAdvice(status: Status): { troubles: Trouble[]; advice: Trouble[] } {
  const all = troublesOf(status);
  return {
    troubles: all.filter(({ isOnly }) => isOnly === undefined),
    advice: all.filter(({ isOnly }) => isOnly === "advice"),
  };
}

/** What keeps its operator from being told. */
function troublesOfAlerts({ alerts }: Status): Trouble[] {
  if (alerts === undefined) return [];
  const { channels, heartbeat } = alerts;
  const ofChannels = channels.filter(({ failingSince }) => failingSince !== undefined)
    .map(({ name, description, waiting, failingSince, lastError = "", isDisabled }): Trouble => ({
      text: `alerts do not get through channel ${name} (${description}): ${lastError}`,
      advice: isDisabled
        ? `It is not tried any more; ${waiting} wait. Repair it, try it with 'hearsay alert ` +
          "test', then reload the daemon."
        : `${waiting} wait, and nothing is lost. Look at the receiver: 'hearsay alert test'.`,
      since: failingSince,
    }));
  const { lastError, isHeldBack } = heartbeat ?? {};
  const reason = isHeldBack ? "not every log is looked at as it should be" : lastError;
  if (reason === undefined) return ofChannels;
  const text = `the heartbeat does not go out: ${reason}`;
  return [...ofChannels, { text, advice: "Whoever watches for it will raise the alarm." }];
}

/** What keeps this monitor's own witness from cosigning, as far as it can be told from here. */
function troublesOfWitness(
  { logs, cosigned, list }: WitnessStatus,
  isStarting: boolean,
): Trouble[] {
  const { problem, at, url } = list ?? {};
  const troubles: (Trouble | false)[] = [
    problem !== undefined && {
      text: `the witness's list of logs ${url} cannot be had: ${problem}`,
      advice: at === undefined
        ? "None of its logs is known, and none is cosigned. It is tried again."
        : `The copy of ${at} stays in use; logs that are new since then are not cosigned. It is tried ` +
          "again. Look at your network, and at the list's server.",
    },
    logs === 0 && !isStarting && {
      text: "the witness knows no log, and cosigns nothing",
      advice: 'Add a log to the configuration, or a "list". If there is a list, the event ' +
        "witness.list says what was left out of it.",
    },
    logs > 0 && cosigned === 0 && !isStarting && {
      text: "the witness has cosigned nothing: no log has pushed a checkpoint that it could cosign",
      advice: "Give the address and the vkey of the witness to the operators of the logs.",
    },
  ];
  return troubles.filter((trouble) => trouble !== false);
}

/** Whether a peer is a member that there is no session with: then that is what is told of it. */
function isAway({ vkey }: PeerStatus, { members }: Status): boolean {
  const member = members?.members.find((one) => one.vkey === vkey);
  return member !== undefined && member.state !== "connected";
}

function troublesAmongMembers({ members, peers, now }: Status): Trouble[] {
  if (members === undefined) return [];
  return troublesOfMembers(members).map(({ member, isUnreached, ...trouble }) => {
    const about = member && peers.find(({ vkey }) => vkey === member.vkey);
    const heardBy = isUnreached ? about?.heardBy : undefined;
    return { ...easedBy(trouble, { heardBy, now }), ...(about && { about }) };
  });
}

/** Whether a daemon has only begun, so that it may not have looked and called yet. */
export function isNew({ startedAt, now }: Status): boolean {
  return millisecondsBetween(startedAt, now) < STARTING_MS;
}

function troublesOfItself(status: Status, isStarting: boolean): Trouble[] {
  const { peers, listen, unwritten, faults = 0, eventsLost = 0, lost = [] } = status;
  const troubles: (Trouble | false)[] = [
    unwritten && {
      text: "a proven conflict could not be written: the disk refuses",
      advice: "Free the disk of the incident journal now. Every exchange tries to write it again.",
    },
    faults > 0 && {
      text: `faults in Hearsay itself: ${faults}`,
      advice: "Each is in the events, as daemon.fault with its stack. Please report it.",
    },
    eventsLost > 0 && {
      text: `events that could not be printed: ${eventsLost}`,
      advice: "Look where standard output goes. What they were about is in the journals.",
    },
    ...lost.map((what) => ({ text: `lost: ${what}`, advice: `${LOST_ADVICE}.` })),
    status.federation?.newEpoch !== undefined && {
      text: `the journal is published as another log, ${status.federation.origin}: ` +
        status.federation.newEpoch,
      advice:
        "Look for what became of its entries, and tell who mirrors it. It is said until the next " +
        'start (OPERATING, "Federation").',
    },
    status.federation?.isBehind === true && {
      text: "the journal has entries that could not be published: the disk refuses",
      advice: "Free the disk of the state folder. It is tried again every minute.",
    },
    status.reloadRefused !== undefined && {
      text: `the changed configuration was refused: ${status.reloadRefused}`,
      advice:
        "The daemon goes on as it was before. Mend the file, try it with 'hearsay config check', " +
        "and reload again.",
    },
    status.isUncompared === true && !isStarting && {
      text: "nothing was compared yet: no peer is configured, and nobody has called",
      advice: "Add a peer, or ask the operator of another monitor to call this one.",
      isOnly: "advice",
    },
    peers.length === 0 && listen === undefined && {
      text: 'nothing is compared with anybody: there is no peer and no "listen"',
      advice: "Add one to the configuration. One monitor alone cannot see a split view.",
      isOnly: "advice",
    },
    peers.length > 0 && peers.every(({ isSelf }) => isSelf === true) && {
      text: "nothing is compared with anybody: no peer is another monitor",
      advice: "Give the address of another monitor as a peer.",
      isOnly: "advice",
    },
  ];
  return troubles.filter((trouble) => trouble !== false);
}

function troublesOfLog(
  log: LogStatus,
  { name, isStarting }: { name: string; isStarting: boolean },
): Trouble[] {
  const { lastResult, sharedBy, withheld = 0 } = log;
  // A start looks at a log anew, which may have stood still for long.
  const since = lastResult === "frozen" ? log.grewAt : log.resultSince;
  const troubles: Trouble[] = [];
  if (lastResult === undefined && !isStarting) {
    const advice = "A look may take minutes. If this stays, look into the events.";
    troubles.push({ about: log, text: `log ${name} was not looked at yet`, advice });
  }
  const look = saysOfLook(log);
  if (look !== undefined) {
    const [says, advice] = look;
    const isCase = lastResult === "inconsistent" && log.isRewritten !== true &&
      log.incidents > (log.closed ?? 0);
    const trouble = { about: log, text: `log ${name} ${says}`, advice, since };
    troubles.push({ ...trouble, ...(isCase && { isOnly: "case" }) });
  }
  if (log.formerKey !== undefined) {
    const text = `log ${name} is held to nothing that it signed under the key that was followed ` +
      `before, up to size ${log.formerSize}`;
    const advice = replacesAdvice({ log: log.formerKey });
    troubles.push({ about: log, text, advice: `${advice[0]!.toUpperCase()}${advice.slice(1)}.` });
  }
  if (withheld > 0) {
    const text = `log ${name} does not show us what peers were shown: checkpoints: ${withheld}`;
    const advice = "Compare from another network: somebody may show an old state to you alone.";
    troubles.push({ about: log, text, advice });
  }
  troubles.push(...troublesOfWitnesses(log, name));
  if (sharedBy === 0) {
    const text = `log ${name} is compared with nobody: no peer follows it`;
    troubles.push({
      about: log,
      text,
      advice: "Ask the operators of your peers to follow it too.",
      isOnly: "advice",
    });
  }
  return troubles;
}

/** What a witness that does not keep up may mean. Nobody is accused by it. */
const NOT_KEEPING_UP =
  "It may be down, or cut off from the log or from us. It could be cosigning another version of the " +
  "log, which only its operator and other monitors can tell: ask them.";

/** The witnesses of a log's policy that do not keep up. */
function troublesOfWitnesses(log: LogStatus, name: string): Trouble[] {
  return (log.cosigned?.witnesses ?? []).flatMap((witness): Trouble[] => {
    const says = saysOfWitness(witness);
    if (says === undefined) return [];
    const since = witness.keeping === "lagging" ? witness.behindSince : witness.cosignedAt;
    const text = `witness ${witness.name} ${says} for log ${name}`;
    return [{ text, advice: NOT_KEEPING_UP, ...(since !== undefined && { since }) }];
  });
}

/** What is the matter with a witness; nothing if it keeps up, or if it is too early to say. */
export function saysOfWitness({ keeping, size }: WitnessOfLog): string | undefined {
  if (keeping === "lagging") return `lags behind the other witnesses, at size ${size},`;
  if (keeping !== "missing") return undefined;
  return size === undefined
    ? "is missing: no cosignature of it was seen"
    : `is missing: no cosignature of it was seen after size ${size}`;
}

/** What the last look says that is not as it should be, and what that asks of a person. */
function saysOfLook(
  { lastResult, lastDetail, isRewritten, shrankTo, size }: LogStatus,
): readonly [says: string, advice: string] | undefined {
  if (lastResult === "unproven" && shrankTo !== undefined) {
    return [`shows size ${shrankTo}, and has shown us size ${size}`, SHRANK];
  }
  const look = isRewritten ? REWRITTEN : lastResult && LOOKS[lastResult];
  if (look === undefined || lastDetail === undefined) return look;
  const [says, advice] = look;
  return [`${says} (${lastDetail})`, advice];
}

function troublesOfPeer(
  peer: PeerStatus,
  { isStarting, now }: { isStarting: boolean; now: string },
): Trouble[] {
  const { address, sharedLogs, failing, failingSince: since, exchanges, isSelf, heardBy } = peer;
  if (isSelf) {
    const text = `peer ${address} is this monitor itself`;
    return [{ about: peer, text, advice: "Give the address of another monitor instead." }];
  }
  if (peer.isUnwritten) {
    const text =
      `peer ${address} answered, and our own disk or database refuses to write that down`;
    return [{ about: peer, text, advice: "Free the disk. It says nothing about the peer." }];
  }
  if (failing !== undefined) {
    const text = `peer ${address} ${failing}`;
    const advice = "Ask its operator whether it runs, and look at the network between you.";
    return [easedBy({ about: peer, text, advice, since }, { heardBy, now })];
  }
  if (exchanges === 0 && !isStarting) {
    const advice = "Nothing is to be done: peers are called in turn.";
    return [{ about: peer, text: `peer ${address} was not called yet`, advice }];
  }
  if (sharedLogs !== 0) return [];
  const text = `peer ${address} follows none of the logs followed here`;
  return [{ about: peer, text, advice: "Follow a log in common, or remove the peer." }];
}
