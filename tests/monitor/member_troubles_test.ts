/** What of members is told as trouble, what is not, and what it asks of a person. */
import { assertEquals, assertMatch } from "@std/assert";
import { troublesOfMembers } from "../../src/monitor/member_troubles.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import type { PeerStatus, Status } from "../../src/monitor/status.ts";
import type { MemberStatus, SwarmStatus } from "../../src/swarm/member_status.ts";

const [MINUTE, HOUR] = [60_000, 3_600_000];
const NOW = Date.parse("2026-01-10T00:00:00Z");
const ago = (ms: number): string => new Date(NOW - ms).toISOString();

const CONNECTED: MemberStatus = {
  ...{ name: "lima", vkey: "lima+1+x", address: "lima.invalid:9900", state: "connected" },
  ...{ direction: "outbound", since: ago(HOUR), failures: 0 },
};
const AWAY: MemberStatus = { ...CONNECTED, name: "tokyo", vkey: "tokyo+2+y", state: "away" };

function status(members: readonly MemberStatus[], more: Partial<SwarmStatus> = {}): SwarmStatus {
  return { own: "own+0+z", startedAt: ago(100 * HOUR), now: ago(0), room: 32, members, ...more };
}

/** The troubles beside a member that is connected. */
function texts(member: Partial<MemberStatus>, more: Partial<SwarmStatus> = {}): string[] {
  return troublesOfMembers(status([CONNECTED, { ...AWAY, ...member }], more)).map(({ text }) =>
    text
  );
}

/** Each case: how it stands with a member, and what is told of it, if anything. */
const CASES: readonly (readonly [string, Partial<MemberStatus>, RegExp | undefined])[] = [
  ["connected", { state: "connected" }, undefined],
  ["connected, and silent", { state: "connected", silentForMs: 50_400 }, /nothing .* for 50s$/],
  ["connected, and was heard lately", { state: "connected", silentForMs: 39_000 }, undefined],
  ["away for a moment, and not called yet", { since: ago(4_000) }, undefined],
  ["away, and not called for an hour", { reason: "it broke" }, /has no session with us: it broke$/],
  ["away since the start, and not called", {}, /^member tokyo has not answered yet$/],
  ["away because another has its turn", { reason: "another member has its turn" }, undefined],
  ["being called", { state: "calling", since: ago(4_000) }, undefined],
  [
    "not reached",
    { failures: 1, reason: "timed out" },
    /^member tokyo cannot be reached: timed out$/,
  ],
  ["called, and failed before", { state: "calling", failures: 2, reason: "no" }, /reached: no$/],
  ["unknown there", { notWanted: "unknown" }, /^member tokyo does not know this monitor$/],
  ["banned there", { notWanted: "banned" }, /^member tokyo has banned this monitor$/],
  ["of another version", { notWanted: "version" }, /another version/],
  ["full", { notWanted: "full", reason: "refused: full" }, undefined],
  ["about to end", { notWanted: "shutting down" }, undefined],
  ["left a while ago", { state: "left", since: ago(23 * HOUR), failures: 9 }, undefined],
  ["left days ago", { state: "left", since: ago(25 * HOUR) }, /said goodbye more than a day ago/],
  ["banned here", { state: "banned", bannedBecause: "x", failures: 4 }, undefined],
  ["without address", { state: "no address", since: ago(3 * MINUTE) }, /has not called/],
  ["without address for a moment", { state: "no address", since: ago(MINUTE) }, undefined],
  ["used twice", { state: "connected", usedTwiceAt: ago(30 * MINUTE) }, /key of member tokyo/],
  ["used twice, and no more", { state: "connected", usedTwiceAt: ago(2 * HOUR) }, undefined],
];
for (const [what, member, said] of CASES) {
  Deno.test(`member troubles: a member that is ${what} is ${said ? "" : "no "}trouble`, () => {
    const told = texts(member);
    assertEquals(told.length, said === undefined ? 0 : 1, told.join("; "));
    if (said !== undefined) assertMatch(told[0]!, said);
  });
}

Deno.test("member troubles: who waits for a seat here is no trouble", () => {
  assertEquals(texts({ reason: "another member has its turn" }, { room: 1 }), []);
});

Deno.test("member troubles: advice names what its operator has to type, with our key", () => {
  const advice = (member: Partial<MemberStatus>): string =>
    troublesOfMembers(status([CONNECTED, { ...AWAY, ...member }]))[0]!.advice;
  const add = /hearsay peers add own\+0\+z$/;
  assertMatch(advice({ notWanted: "unknown" }), add);
  const silent = "it closed the connection instead of saying who it is";
  assertMatch(advice({ failures: 1, reason: silent }), add);
  assertMatch(
    advice({ failures: 1, reason: "expected a, b answered" }),
    /^Another monitor answers/,
  );
});

Deno.test("member troubles: no member at all is trouble, once there was time", () => {
  const told = (since: string, more: Partial<SwarmStatus> = {}): string[] =>
    troublesOfMembers(status([{ ...AWAY, state: "left", since }], more)).map(({ text }) => text);
  assertEquals(told(ago(3 * MINUTE)), [
    "no member is connected: nothing is compared with any member",
  ]);
  assertEquals(told(ago(MINUTE)), []);
  assertEquals(told(ago(3 * MINUTE), { startedAt: ago(MINUTE) }), []);
  assertEquals(troublesOfMembers(status([])), []);
});

Deno.test("member troubles: our own key in use twice", () => {
  assertMatch(
    texts({ state: "connected" }, { ownUsedTwiceAt: ago(MINUTE) })[0]!,
    /this monitor's key/,
  );
  assertEquals(texts({ state: "connected" }, { ownUsedTwiceAt: ago(2 * HOUR) }), []);
});

Deno.test("troubles: a member that is away is told once, and one that left is not told as a peer", () => {
  const peer = (member: MemberStatus): PeerStatus => ({
    ...{ address: member.name, vkey: member.vkey, failing: "cannot be reached: x", exchanges: 3 },
    ...{ failures: 3, matches: 0, conflicts: 0, sharedLogs: 1 },
  });
  const left: MemberStatus = { ...AWAY, name: "rome", vkey: "rome+3+w", state: "left" };
  const away: MemberStatus = { ...AWAY, failures: 1, reason: "timed out" };
  const told: Status = {
    ...{ name: "n", vkey: "own+0+z", startedAt: ago(HOUR), now: ago(0), incidents: 0 },
    ...{ unwritten: false, listen: "a:1", logs: [] },
    peers: [CONNECTED, away, left].map(peer),
    members: status([CONNECTED, away, left]),
  };
  const troubles = troublesOf(told);
  assertEquals(troubles.map(({ text }) => text), [
    "peer lima cannot be reached: x",
    "member tokyo cannot be reached: timed out",
  ]);
  assertEquals(troubles[1]!.about, told.peers[1]);
});
