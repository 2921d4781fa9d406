/** Whole daemons in one process: proofs that are not given, and the questions that stay open by it. */
import { assert, assertEquals } from "@std/assert";
import { DAY, Host, HOUR, MINUTE, parted } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { accountOf, hearBefore, resultsOf, served } from "./served.ts";

Deno.test("daemon: a proof that is refused is a warning at first, and an error once when that lasts", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  [source.size, source.proofTrouble] = [20, "refused"];
  await one.pass(3 * MINUTE);
  const before = ["info daemon.started", "info log.first 5", "warning log.unproven 20"];
  assertEquals(accountOf(one), [...before, "debug log.unproven 20"]);
  await one.pass(HOUR);
  assertEquals(accountOf(one), [
    ...[...before, "debug log.unproven 20"],
    ...["error log.unproven 20", "debug log.unproven 20"],
    // The summary.
    ...["error log.unproven 20", "debug log.unproven 20"],
  ]);
});

Deno.test("daemon: a question without a proof is a warning at first, and an error once when that lasts", async () => {
  const { log, source } = await served(20, 15);
  await using one = await Host.make();
  await hearBefore(one, log, [3, 5]);
  // Once a proof from 3 is missing for a moment, and one from 5 for good.
  let isGone = true;
  source.refusesProofFrom = (size) => size === 5n || (size === 3n && isGone);
  await one.start({ logs: [{ source }] });
  // In whatever order: which of two questions is tried first is left to their turns.
  const levels = (): string[] =>
    one.toldOf("log.unproven").map(({ level, fields }) => `${level} ${fields.size}`).toSorted();
  assertEquals(levels(), ["warning 3", "warning 5"]);
  isGone = false;
  await one.pass(4 * MINUTE);
  assertEquals(levels(), ["warning 3", "warning 5"]);
  await one.pass(DAY);
  assertEquals(levels(), ["error 5", "warning 3", "warning 5"]);
});

Deno.test("daemon: a question whose proof is given and leads nowhere is an error at once", async () => {
  const { log, source } = await served(20, 15);
  await using one = await Host.make();
  await hearBefore(one, log, [3]);
  source.proofTrouble = "wrong";
  await one.start({ logs: [{ source }] });
  const expected = ["info daemon.started", "info log.first 15", "error log.unproven 3"];
  assertEquals(accountOf(one), expected);
  assertEquals(one.toldOf("log.unproven").length, 1);
  await one.pass(DAY);
  assertEquals(one.toldOf("log.unproven").length, 1);
  assertEquals(accountOf(one), [...expected, "debug log.unchanged 15"]);
});

Deno.test("daemon: a proof that is given and leads nowhere is an error at once", async () => {
  const { source } = await served(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  [source.size, source.proofTrouble] = [20, "wrong"];
  await one.pass(MINUTE);
  assertEquals(accountOf(one), [
    ...["info daemon.started", "info log.first 5", "error log.unproven 20"],
  ]);
});

Deno.test("daemon: no more questions are settled after one look than there is a limit for", async () => {
  const { log, source } = await served(110);
  await using one = await Host.make();
  await hearBefore(one, log, Array.from({ length: 100 }, (_, i) => i + 1));
  await one.start({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 36);
  await one.pass(MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  assertEquals(one.daemon!.status().logs[0]!.counts.consistent, 100);
});

Deno.test("daemon: questions that cannot be settled keep no other from being settled", async () => {
  const { log, source } = await served(110);
  await using one = await Host.make();
  await hearBefore(one, log, Array.from({ length: 100 }, (_, i) => i + 1));
  source.refusesProofFrom = (older) => older <= 64n;
  await one.start({ logs: [{ source }] });
  await one.pass(3 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 64);
  source.refusesProofFrom = () => false;
  // They were refused a few times, and are asked about ever less often.
  await one.pass(15 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
});

Deno.test("daemon: an outage of a log's proofs is met once a look, not once a question", async () => {
  const { log, source } = await served(110);
  await using one = await Host.make();
  await hearBefore(one, log, Array.from({ length: 100 }, (_, i) => i + 1));
  source.proofTrouble = "unavailable";
  await one.start({ logs: [{ source }] });
  assertEquals(source.asked, { latest: 1, consistency: 1 });
  await one.pass(5 * MINUTE);
  assertEquals(source.asked, { latest: 6, consistency: 6 });
  source.proofTrouble = undefined;
  // First those that were not tried yet, 64 at a look, and then the six that were.
  await one.pass(3 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
});

for (const trouble of ["refused", "unavailable"] as const) {
  Deno.test(`daemon: what the log showed while its proofs were ${trouble} is compared later`, async () => {
    const [log, theirs] = await parted({ at: 9, sizes: [20, 12] });
    const source = new ScriptedSource(log, 9);
    await using one = await Host.make();
    await one.start({ logs: [{ source }] });
    source.story = theirs;
    [source.size, source.proofTrouble] = [12, trouble];
    await one.pass(MINUTE);
    assertEquals(await one.cases(), []);
    source.story = log;
    [source.size, source.proofTrouble] = [15, undefined];
    await one.pass(5 * MINUTE);
    assertEquals(one.daemon!.status().logs[0]!.size, "15");
    assertEquals((await one.cases()).length, 1, "it signed 12 of one tree and 15 of another");
    assertEquals(one.daemon!.status().logs[0]!.openQuestions, 0);
  });

  Deno.test(`daemon: what a peer told stays a question while the log's proofs are ${trouble}`, async () => {
    const [log, theirs] = await parted({ at: 9, sizes: [20, 12] });
    const source = new ScriptedSource(log, 9);
    await using one = await Host.make();
    await hearBefore(one, theirs, [12]);
    await one.start({ logs: [{ source }] });
    source.story = theirs;
    [source.size, source.proofTrouble] = [12, trouble];
    await one.pass(MINUTE);
    source.story = log;
    [source.size, source.proofTrouble] = [15, undefined];
    await one.pass(5 * MINUTE);
    assertEquals((await one.cases()).length, 1);
  });
}

Deno.test("daemon: honest growth while proofs are refused leaves no question and no incident", async () => {
  const { source } = await served(20, 9);
  await using one = await Host.make();
  await one.start({ logs: [{ source, patienceMs: 10 * MINUTE }] });
  [source.size, source.proofTrouble] = [12, "refused"];
  await one.pass(HOUR);
  const results = await resultsOf(one);
  assert(results.length < 10, `${results}`);
  assertEquals(one.toldOf("log.withheld"), [], "the log itself has shown it");
  [source.size, source.proofTrouble] = [15, undefined];
  await one.pass(MINUTE);
  const { size, openQuestions } = one.daemon!.status().logs[0]!;
  assertEquals([size, openQuestions, await one.cases()], ["15", 0, []]);
});
