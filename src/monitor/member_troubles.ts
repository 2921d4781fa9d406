import { ROTATED } from "../swarm/known_members.ts";
import type { MemberStatus, SwarmStatus } from "../swarm/member_status.ts";
import { formatDuration } from "../world/setting_values.ts";
import { millisecondsBetween } from "../world/time.ts";

/** How long there may be no session before that is told as trouble: after a start, and after one ended. */
const GRACE_MS = 120_000;
/** A session is asked for a sign after 30 s, so that whoever is there answers before this. */
const SILENT_MS = 40_000;
/** How long a session may be away before that is trouble, although no call has failed. */
const AWAY_MS = 5_000;
/** How long a member that said goodbye may stay away. */
const DAY_MS = 24 * 3_600_000;
/** For how long it is told that a key was used twice. While it goes on, it is noticed again and again. */
const TWICE_MS = 3_600_000;

/** Something between members that is not as it is configured. */
export interface MemberTrouble {
  /** What is wrong, a sentence. */
  readonly text: string;
  /** What it asks of a person. Whole sentences. */
  readonly advice: string;
  /** The member that it is about, if it is about one. */
  readonly member?: MemberStatus;
  /** Since when, RFC 3339. */
  readonly since?: string | undefined;
  /** Whether it is that the member cannot be reached, and nothing tells why. */
  readonly isUnreached?: boolean;
}

/** What is not as it should be between this monitor and its members. */
export function troublesOfMembers(status: SwarmStatus): MemberTrouble[] {
  return [
    ...troublesOfAll(status),
    ...status.members.flatMap((member) => troublesOfMember(member, status)),
  ];
}

function troublesOfAll({ members, startedAt, now, ownUsedTwiceAt }: SwarmStatus): MemberTrouble[] {
  const isLately = (time: string | undefined, ms: number): boolean =>
    time !== undefined && millisecondsBetween(time, now) < ms;
  const troubles: MemberTrouble[] = [];
  if (isLately(ownUsedTwiceAt, TWICE_MS)) {
    troubles.push({
      text: "another program speaks with this monitor's key",
      advice:
        "A folder was copied or restored, or the key is in other hands. End the other one. If " +
        'you know of none, this monitor needs a new key (OPERATING, "Members").',
      since: ownUsedTwiceAt,
    });
  }
  const isNew = isLately(startedAt, GRACE_MS) ||
    members.some(({ since }) => isLately(since, GRACE_MS));
  if (members.length > 0 && members.every(({ state }) => state !== "connected") && !isNew) {
    troubles.push({
      text: "no member is connected: nothing is compared with any member",
      advice: "'hearsay peers' says why of each.",
    });
  }
  return troubles;
}

function troublesOfMember(
  member: MemberStatus,
  { own, now, startedAt, members, room }: SwarmStatus,
): MemberTrouble[] {
  const { name, usedTwiceAt, state, since } = member;
  const troubles: MemberTrouble[] = [];
  if (usedTwiceAt !== undefined && millisecondsBetween(usedTwiceAt, now) < TWICE_MS) {
    troubles.push({
      ...{ member, since: usedTwiceAt },
      text: `two programs speak with the key of member ${name}`,
      advice: "Tell its operator. A folder was copied or restored, or the key is in other hands.",
    });
  }
  if (state === "connected" && (member.silentForMs ?? 0) > SILENT_MS) {
    const says = `is silent: nothing has come from it for ${
      formatDuration(
        1_000 * Math.floor(member.silentForMs! / 1_000),
      )
    }`;
    const advice = "If that lasts, the session ends and it is called again. Look at the network.";
    return [...troubles, { member, text: `member ${name} ${says}`, advice }];
  }
  if (state === "connected" || state === "banned") return troubles;
  const awayMs = millisecondsBetween(since ?? startedAt, now);
  const isFull = members.filter(({ state }) => state === "connected").length >= room;
  const why = state === "left"
    ? (awayMs < DAY_MS ? undefined : LEFT_LONG_AGO)
    : state === "no address"
    ? (awayMs < GRACE_MS ? undefined : NO_ADDRESS)
    : whyNot(member, { own, awayMs, isFull });
  if (why === undefined) return troubles;
  const [says, advice] = why;
  const isUnreached = advice === UNREACHED;
  return [...troubles, { member, text: `member ${name} ${says}`, advice, since, isUnreached }];
}

type Why = readonly [says: string, advice: string];

const LEFT_LONG_AGO: Why = [
  "said goodbye more than a day ago, and has not come back",
  "Ask its operator whether it is still run. If not: hearsay peers remove.",
];
const NO_ADDRESS: Why = [
  "has not called, and nobody has told its address",
  "Ask its operator whether it calls this monitor, or give its address: hearsay peers add.",
];

/** Why a member that is called has no session with us, if that is not in good order. */
function whyNot(
  { notWanted, failures, reason: given }: MemberStatus,
  { own, awayMs, isFull }: { own: string; awayMs: number; isFull: boolean },
) {
  const add = `Its operator adds it: hearsay peers add ${own}`;
  switch (notWanted) {
    case "unknown":
      return ["does not know this monitor", add] as const;
    case "banned":
      return [
        "has banned this monitor",
        "Ask its operator why, and look at this monitor's events.",
      ] as const;
    case "version":
      return ["speaks another version of sessions", "One of the two has to be upgraded."] as const;
  }
  // Whoever has no room, or ends, is called again. That is in good order.
  if (notWanted !== undefined) return undefined;
  if (failures === 0) {
    // It was not called yet, its session has just ended, or it has to wait for a seat here.
    if (awayMs < AWAY_MS || isFull || given === ROTATED) return undefined;
    return [
      given === undefined ? "has not answered yet" : `has no session with us: ${given}`,
      "It is called again; see the time of the next call.",
    ] as const;
  }
  const reason = given ?? "nobody answers";
  const says = `cannot be reached: ${reason}`;
  if (SAYS_NOTHING.test(reason)) {
    return [says, `It may not know this monitor, and answer members alone. ${add}`] as const;
  }
  if (ANOTHER.test(reason)) {
    return [says, "Another monitor answers there. Ask its operator for its address."] as const;
  }
  return [says, UNREACHED] as const;
}

const UNREACHED = "Ask its operator whether it runs, and look at the network between you.";

/** What is said of a callee that admits members alone, if the caller is none. */
const SAYS_NOTHING = /instead of saying who it is/;
const ANOTHER = /^expected .* answered$/;
