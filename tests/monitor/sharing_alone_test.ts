/** What a site does not leave to the others: it looks, publishes and doubts for itself. */
import { assert, assertEquals } from "@std/assert";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { type Host, logAt, MINUTE, STATE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { LEASE, logOf, parted, SECOND, shownTwice, Sites } from "./sites.ts";

/** Two sites of which one has the turn at the one log. */
async function turns(sites: Sites) {
  const sources = await shownTwice(8);
  const hosts: Host[] = [];
  for (const number of [0, 1]) {
    hosts.push(await sites.start(number, [sources[number]!]));
    await sites.pass(2 * SECOND);
  }
  await sites.pass(2 * MINUTE);
  const at = hosts.findIndex((host) => host.daemon!.status().store!.held === 1);
  return {
    ...{ holder: hosts[at]!, itsSource: sources[at]! },
    ...{ other: hosts[1 - at]!, otherSource: sources[1 - at]! },
  };
}

Deno.test("sharing: a site that knows more than who has the turn asks the log itself", async () => {
  await using sites = await Sites.make(2);
  const { other, otherSource } = await turns(sites);
  other.shared!.refuses = true;
  sites.server.breakConnections();
  await sites.pass(MINUTE);
  // The holder's place of the log stands still.
  otherSource.size = 16;
  await sites.pass(3 * MINUTE);
  assertEquals(logOf(other).size, "16");
  other.shared!.refuses = false;
  const before = otherSource.asked.latest;
  await sites.pass(10 * MINUTE);
  assertEquals(other.daemon!.status().store!.state, "connected");
  assertEquals(other.toldOf("log.rolled back"), []);
  assert(otherSource.asked.latest - before >= 8);
});

Deno.test("sharing: if the log cannot be reached from where the turn is, the others look at once", async () => {
  await using sites = await Sites.make(2);
  const { itsSource, other, otherSource } = await turns(sites);
  itsSource.latestTrouble = "unavailable";
  otherSource.size = 16;
  await sites.pass(3 * MINUTE);
  assertEquals(logOf(other).size, "16");
});

Deno.test("sharing: a log is not called frozen, and its growth not missed, by the word of others alone", async () => {
  await using sites = await Sites.make(2);
  const { other, otherSource } = await turns(sites);
  const before = otherSource.asked.latest;
  await sites.pass(18 * MINUTE);
  assertEquals(otherSource.asked.latest - before, 0);
  // What the other site is shown, or what somebody writes for it in the store, stays old.
  otherSource.size = 16;
  await sites.pass(6 * MINUTE);
  assertEquals(logOf(other).size, "16");
});

Deno.test("sharing: a site looks itself before a log's patience is over", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const patienceMs = 8 * MINUTE;
  for (const number of [0, 1]) {
    const host = sites.hosts[number]!;
    const logs = [{ source: sources[number]!, pollMs: MINUTE, patienceMs }];
    await host.start({ logs, store: { views: 1, leaseMs: LEASE } });
    await sites.pass(2 * SECOND);
  }
  await sites.pass(MINUTE);
  const at = sites.hosts.findIndex((host) => host.daemon!.status().store!.held === 0);
  sources[at]!.size = 16;
  await sites.pass(patienceMs + MINUTE);
  assertEquals(sites.hosts[at]!.toldOf("log.frozen"), []);
  assertEquals(logOf(sites.hosts[at]!).size, "16");
});

Deno.test("sharing: who has the turn and looks seldom is not waited for", async () => {
  await using sites = await Sites.make(2);
  const { holder, itsSource, other, otherSource } = await turns(sites);
  const logs = [{ source: itsSource, pollMs: 60 * MINUTE }];
  await holder.reload({ logs, store: { views: 1, leaseMs: LEASE } });
  await sites.pass(3 * MINUTE);
  otherSource.size = 16;
  await sites.pass(2 * MINUTE);
  assertEquals([logOf(holder).size, logOf(other).size], ["8", "16"]);
});

Deno.test("sharing: what another site cannot have been shown is not told of the log", async () => {
  await using sites = await Sites.make(2);
  const { other } = await turns(sites);
  const forged = await checkpointOf(grow(await logAt(), 30, "forged"), 30);
  const unsigned = forged.noteWithCosignatures.replace(/(— \S+ .{20}).{8}/, "$1AAAAAAAA");
  sites.server.look("update hearsay_counter set last = last + 1 where name = 'looks'");
  sites.server.look(
    `update hearsay_looks set note = $1, root = $2, size = 30,
      version = (select last from hearsay_counter where name = 'looks')`,
    [unsigned, forged.root],
  );
  sites.server.breakConnections();
  await sites.pass(MINUTE);
  assertEquals([other.toldOf("log.unverified"), other.toldOf("log.unavailable")], [[], []]);
});

Deno.test("sharing: a split between sites that take turns is recorded by both", async () => {
  await using sites = await Sites.make(2);
  const { ours, theirs } = await parted();
  // They never sign one size: only a proof shows that there are two stories.
  theirs.size = 9;
  const hosts = [await sites.start(0, [ours])];
  await sites.pass(2 * SECOND);
  hosts.push(await sites.start(1, [theirs]));
  await sites.pass(2 * MINUTE);
  for (const [one, other] of [[10, 11], [13, 12], [14, 15], [17, 16]] as const) {
    [ours.size, theirs.size] = [one, other];
    await sites.pass(3 * MINUTE);
  }
  const cases = await Promise.all(hosts.map((host) => host.cases()));
  assert(cases.every(({ length }) => length > 0), JSON.stringify(cases));
});

Deno.test("sharing: what a database lost is published again, also if nothing new comes", async () => {
  await using sites = await Sites.make(2);
  await turns(sites);
  const heads = "select log, size, root from hearsay_heads";
  const before = sites.server.look(heads);
  assert(before.length > 0);
  const backup = sites.server.commits;
  while (sites.server.look(heads).length > 0) sites.server.loseLast(1);
  assert(sites.server.commits < backup);
  await sites.pass(LEASE);
  assertEquals(sites.server.look(heads), before);
});

Deno.test("sharing: a store that says it has more of a journal than there is, is told all of it again", async () => {
  await using sites = await Sites.make(2);
  await turns(sites);
  const heads = "select log, size, root from hearsay_heads";
  const before = sites.server.look(heads);
  sites.server.look("delete from hearsay_heads");
  sites.server.look("update hearsay_sites set published_seq = 100000");
  await sites.pass(LEASE);
  assertEquals(sites.server.look(heads), before);
  for (const { daemon } of sites.hosts) assertEquals(daemon!.status().store!.behind, 0);
});

Deno.test("sharing: what came into a database after it was restored is heard", async () => {
  await using sites = await Sites.make(3);
  const { ours, theirs } = await parted();
  for (const number of [0, 1, 2]) {
    await sites.start(number, [new ScriptedSource(ours.story, 8)], { views: 3 });
  }
  await sites.pass(2 * MINUTE);
  // The first one saw much that the database then lacks, and is gone.
  const told = [5, 6, 7, 10, 11, 12];
  await sites.hosts[0]!.hear(
    await Promise.all(told.map(async (size) => (await checkpointOf(ours.story, size)).frame)),
  );
  await sites.pass(MINUTE);
  await sites.hosts[0]!.crash();
  const heads = "select log, size, root from hearsay_heads";
  while (sites.server.look(heads).length > 0) sites.server.loseLast(1);
  await sites.hosts[2]!.hear([(await checkpointOf(theirs.story, 6)).frame]);
  await sites.pass(2 * MINUTE);
  const [, one, other] = await Promise.all(sites.hosts.map((host) => host.cases()));
  assertEquals([one!.length, other!.length], [1, 1]);
});

Deno.test("sharing: a site that lost its journal learns from the store what it once saw itself", async () => {
  await using sites = await Sites.make(1);
  const { ours, theirs } = await parted();
  const host = await sites.start(0, [ours]);
  await sites.pass(2 * MINUTE);
  await host.stop();
  host.disk.move(STATE);
  host.databases.clear();
  theirs.size = 8;
  await sites.start(0, [theirs]);
  await sites.pass(2 * MINUTE);
  assertEquals((await host.cases()).length, 1);
});
