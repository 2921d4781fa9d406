/** What a person is shown of members. */
import { assertEquals, assertMatch } from "@std/assert";
import { describeMembers } from "../../src/cli/peers_report.ts";
import { columnsOf } from "../../src/cli/width.ts";
import type { MemberStatus, SwarmStatus } from "../../src/swarm/member_status.ts";

const NOW = "2026-01-02T03:04:05Z";
const MEMBER: MemberStatus = {
  ...{ name: "monitor.invalid/two", vkey: "v", address: "two.invalid:9900", state: "connected" },
  ...{ direction: "inbound", since: "2026-01-02T03:01:05Z", roundTripMs: 20.6, failures: 0 },
};

/** The lines of one member on a screen. */
function lines(member: Partial<MemberStatus>, columns?: number): string[] {
  const status: SwarmStatus = {
    ...{ own: "own", startedAt: "2026-01-01T00:00:00Z", now: NOW, room: 32 },
    members: [{ ...MEMBER, ...member }],
  };
  return describeMembers(status, { columns, paint: (_style, text) => text });
}

Deno.test("peers report: who called, the round trip, and since when", () => {
  const [, , , row] = lines({});
  assertMatch(row!, /^monitor\.invalid\/two +connected +two\.invalid:9900 +it +21 ms +3m +-$/);
  assertMatch(lines({ direction: "outbound" })[3]!, / us /);
});

Deno.test("peers report: who is away, why, and when it is called next", () => {
  const away: Partial<MemberStatus> = {
    ...{ state: "away", failures: 2, reason: "timed out", nextCallAt: "2026-01-02T03:04:35Z" },
  };
  const told = lines(away).join("\n");
  assertMatch(told, /^! {3}member monitor\.invalid\/two cannot be reached: timed out$/m);
  assertMatch(told, /^ {4}For 3m now\. It is called again in 30s\. Ask its operator/m);
  assertMatch(told, /two +away .* in 30s\n +timed out/);
  assertMatch(lines({ state: "away", notWanted: "full" }).join("\n"), /it has no room now/);
});

Deno.test("peers report: a ban has its end, and what was refused its counts", () => {
  const ban: Partial<MemberStatus> = { state: "banned", bannedBecause: "a trial" };
  assertMatch(lines(ban).join("\n"), /a trial; it lasts until 'hearsay peers unban'/);
  const bannedUntil = "2026-01-02T05:04:05Z";
  assertMatch(
    lines({ ...ban, bannedUntil }).join("\n"),
    /a trial; it ends in 2h, at 2026-01-02T05/,
  );
  assertEquals(lines({}).some((line) => line.startsWith("Not accepted")), false);
  const refused = lines({ refusals: { stale: 3, duplicate: 0, malformed: 1 } });
  assertEquals(refused.at(-1), "  monitor.invalid/two: stale 3, malformed 1");
});

Deno.test("peers report: nothing that comes from outside leaves its line, or the screen", () => {
  const evil = "x\n! it is well\x1b[2J";
  const reason = `${evil} ${"long ".repeat(40)}`;
  const told = lines({ name: evil, state: "away", reason, failures: 1 }, 60);
  assertEquals(told.filter((line) => columnsOf(line) > 60 || /\p{Cc}/u.test(line)), []);
});
