/** Both ends of an exchange name a split judge alike, once, and still after a restart. */
import { assertEquals } from "@std/assert";
import { evidenceId } from "../../src/evidence/conflict.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { checkpointOf, Fleet, logOf, type Player, storiesOf } from "./helpers.ts";

/** The name of the case that these two stories make at their last entry. */
function caseOf(one: TestLog, other: TestLog): string {
  const heads = [one, other].map((log) => ({
    treeSize: log.treeSize,
    rootHash: log.root(log.treeSize),
  }));
  return evidenceId({ log: one.log, heads: [heads[0]!, heads[1]!] });
}

/** Asserts what each of these has in its journal, in whatever order. */
async function assertRecorded(players: readonly Player[], ids: readonly string[]): Promise<void> {
  for (const player of players) assertEquals((await player.recorded()).sort(), [...ids].sort());
}

Deno.test("both ends: agreeing monitors record nothing", async () => {
  const log = await logOf("log.example/a", 3);
  await using fleet = new Fleet(log);
  const berlin = await fleet.enter("berlin", { shown: log });
  const tokyo = await fleet.enter("tokyo");
  await tokyo.show(log, 2n);
  await berlin.call(tokyo);
  await tokyo.call(berlin);
  await assertRecorded([berlin, tokyo], []);
  assertEquals([berlin.report.news, tokyo.report.news], [[], []]);
});

for (const [role, callerTold] of [["caller", 1], ["callee", 0]] as const) {
  Deno.test(`both ends: the ${role} was shown the odd tree, both record one case`, async () => {
    const stories = await storiesOf(6);
    await using fleet = new Fleet(stories[0]);
    const caller = await fleet.enter("caller", { shown: stories[callerTold] });
    const callee = await fleet.enter("callee", { shown: stories[1 - callerTold]! });
    const heard = await caller.call(callee);
    assertEquals(heard.map(({ verdict }) => verdict), ["inconsistent"]);
    await assertRecorded([caller, callee], [caseOf(stories[0], stories[1])]);
    assertEquals([caller.report.outcomes, callee.report.outcomes], [["recorded"], ["recorded"]]);
  });
}

Deno.test("both ends: a callee that is ahead hands over what it was shown at that size", async () => {
  const [ours, theirs] = await storiesOf(6);
  const id = caseOf(ours, theirs);
  await using fleet = new Fleet(ours);
  const ahead = await fleet.enter("ahead", { shown: ours });
  const behind = await fleet.enter("behind");
  ours.append("one more");
  await ahead.show(ours);
  await behind.show(theirs);
  await behind.call(ahead);
  await assertRecorded([ahead, behind], [id]);
});

Deno.test("both ends: a callee that was shown nothing hands over what another peer said", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const relay = await fleet.enter("relay");
  const berlin = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  await berlin.call(relay);
  await lima.call(relay);
  await assertRecorded([relay, lima], [caseOf(ours, theirs)]);
  await assertRecorded([berlin], []);
  await berlin.call(relay);
  await assertRecorded([relay, lima, berlin], [caseOf(ours, theirs)]);
});

Deno.test("both ends: three monitors, one shown an odd tree, all record one case", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const berlin = await fleet.enter("berlin", { shown: ours });
  const tokyo = await fleet.enter("tokyo", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  for (const [caller, callee] of [[berlin, tokyo], [tokyo, lima], [lima, berlin]] as const) {
    await caller.call(callee);
  }
  await assertRecorded([berlin, tokyo, lima], [caseOf(ours, theirs)]);
});

Deno.test("both ends: three monitors with three trees, each pair records its case alike", async () => {
  const stories = await storiesOf(6);
  const [a, b, c] = stories;
  await using fleet = new Fleet(a);
  const players = [await fleet.enter("a"), await fleet.enter("b"), await fleet.enter("c")] as const;
  for (const i of [0, 1, 2] as const) await players[i].show(stories[i]);
  await players[0].call(players[1]);
  await players[1].call(players[2]);
  await players[2].call(players[0]);
  // k roots at one size make k - 1 records, each against the root seen first (RULES R6).
  await assertRecorded([players[0]], [caseOf(a, b), caseOf(a, c)]);
  await assertRecorded([players[1]], [caseOf(a, b), caseOf(b, c)]);
  await assertRecorded([players[2]], [caseOf(b, c), caseOf(a, c)]);
});

Deno.test("both ends: a third root is named alike, whatever was heard before what was shown", async () => {
  const [heard, shown, third] = await storiesOf(6);
  await using fleet = new Fleet(heard);
  const berlin = await fleet.enter("berlin");
  const early = await fleet.enter("early", { shown: heard });
  const late = await fleet.enter("late");
  await early.call(berlin);
  await berlin.show(shown);
  await late.show(third);
  await late.call(berlin);
  const [, second] = await berlin.recorded();
  assertEquals(await late.recorded(), [second!]);
});

Deno.test("both ends: repeating an exchange records and reports nothing again", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const berlin = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  for (const _ of ["first", "second"]) {
    assertEquals((await berlin.call(lima))[0]!.verdict, "inconsistent");
    assertEquals((await lima.call(berlin))[0]!.verdict, "inconsistent");
  }
  await assertRecorded([berlin, lima], [caseOf(ours, theirs)]);
  assertEquals([berlin.report.outcomes, lima.report.outcomes], [["recorded"], ["recorded"]]);
});

Deno.test("both ends: a monitor started again on its folder records nothing again", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const before = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  await lima.call(before);
  await before.leave();

  const after = await fleet.enter("berlin", { shown: ours });
  await lima.call(after);
  await after.call(lima);
  await assertRecorded([after, lima], [caseOf(ours, theirs)]);
  assertEquals(after.report.outcomes, []);
});

Deno.test("both ends: a monitor started again hands over the half it was once told", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const before = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  await lima.call(before);
  await before.leave();

  // Nobody shows it anything; what it knows is in its journal.
  const after = await fleet.enter("berlin");
  for (const [name, story] of [["quito", theirs], ["tokyo", ours]] as const) {
    const newcomer = await fleet.enter(name, { shown: story });
    await newcomer.call(after);
    await assertRecorded([newcomer, after], [caseOf(ours, theirs)]);
  }
  assertEquals(after.report.outcomes, []);
});

Deno.test("both ends: a monitor started again records a root that is new to its journal", async () => {
  const [ours, theirs, others] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const before = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  await lima.call(before);
  await before.leave();

  const after = await fleet.enter("berlin");
  const quito = await fleet.enter("quito", { shown: others });
  await quito.call(after);
  await assertRecorded([quito], [caseOf(ours, others)]);
  await assertRecorded([after], [caseOf(ours, theirs), caseOf(ours, others)]);
});

Deno.test("both ends: a split view of one log leaves the others alone", async () => {
  const [ours, theirs] = await storiesOf(6);
  const calm = await logOf("log.example/calm", 4);
  await using fleet = new Fleet(calm, ours);
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  for (const player of [berlin, lima]) await player.show(calm);
  await berlin.show(ours);
  await lima.show(theirs);
  const heard = await berlin.call(lima);
  assertEquals(heard.map(({ verdict }) => verdict), ["matches", "inconsistent"]);
  await assertRecorded([berlin, lima], [caseOf(ours, theirs)]);
});

Deno.test("both ends: an older size of the same history is no conflict", async () => {
  const log = await logOf("log.example/a", 9);
  await using fleet = new Fleet(log);
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  for (const [player, size] of [[berlin, 9n], [lima, 4n]] as const) {
    await player.monitor.takeInOwn(await checkpointOf(log, size), "the log");
  }
  assertEquals((await berlin.call(lima))[0]!.verdict, "pending");
  assertEquals((await lima.call(berlin))[0]!.verdict, "pending");
  await assertRecorded([berlin, lima], []);
});
