/** Several sites of one operator share a store: who looks, who learns what, and what if it is away. */
import { assert, assertEquals } from "@std/assert";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { Host, HOUR, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { LEASE, logOf, parted, SECOND, shownTwice, Sites } from "./sites.ts";

Deno.test("sharing: one site asks the log, and all see it grow within a second", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const one = await sites.start(0, [sources[0]]);
  // So their own looks do not come at one time.
  await sites.pass(25 * SECOND);
  const two = await sites.start(1, [sources[1]]);
  await sites.pass(2 * MINUTE);
  const before = sources.map(({ asked }) => asked.latest);
  for (const source of sources) source.size = 16;
  for (let waited = 0; logOf(one).size !== "16" && logOf(two).size !== "16"; waited++) {
    assert(waited < 120, "nobody has looked");
    await sites.pass(SECOND);
  }
  await sites.pass(SECOND);
  assertEquals([logOf(one).size, logOf(two).size], ["16", "16"]);
  await sites.pass(10 * MINUTE);
  const asked = sources.map(({ asked }, i) => asked.latest - before[i]!);
  assertEquals(asked.filter((times) => times > 0).length, 1, `asked ${asked}`);
  assert(asked.some((times) => times >= 8), `asked ${asked}`);
  // Who did not ask has proven it all the same.
  assert(sources.every(({ asked }) => asked.consistency > 0));
  const lookers = [one, two].map((host) => logOf(host).lookedAtBy?.length ?? 0);
  assertEquals(lookers.toSorted(), [0, 1]);
  assertEquals([...one.refusals, ...two.refusals], []);
});

Deno.test("sharing: if a site dies, another looks at its logs within a lease", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const hosts = [await sites.start(0, [sources[0]]), await sites.start(1, [sources[1]])];
  await sites.pass(2 * MINUTE);
  const holder = hosts.findIndex((host) => host.daemon!.status().store!.held === 1);
  // It says goodbye to nobody.
  hosts[holder]!.shared!.refuses = true;
  hosts[holder]!.shared!.breakConnections();
  await hosts[holder]!.crash();
  const heir = hosts[1 - holder]!;
  const source = sources[1 - holder]!;
  const before = source.asked.latest;
  for (const each of sources) each.size = 16;
  await sites.pass(LEASE + MINUTE + LEASE / 3);
  assert(source.asked.latest > before);
  assertEquals(logOf(heir).size, "16");
  assertEquals(heir.daemon!.status().store!.held, 1);
});

Deno.test("sharing: without the store every site goes on alone, says so, and catches up", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const [one, two] = [await sites.start(0, [sources[0]]), await sites.start(1, [sources[1]])];
  await sites.pass(2 * MINUTE);
  for (const host of [one, two]) host.shared!.refuses = true;
  sites.server.breakConnections();
  await sites.pass(MINUTE);
  const before = sources.map(({ asked }) => asked.latest);
  for (const source of sources) source.size = 16;
  await sites.pass(10 * MINUTE);
  for (const [i, host] of [one, two].entries()) {
    assert(sources[i]!.asked.latest - before[i]! >= 8, "it has to look itself");
    assertEquals(logOf(host).size, "16");
    const { store } = host.daemon!.status();
    assertEquals(store!.state, "away");
    assert(store!.behind > 0);
    assertEquals(
      host.toldOf("store.away").filter(({ level }) => level === "warning").length >= 1,
      true,
    );
  }
  for (const host of [one, two]) host.shared!.refuses = false;
  await sites.pass(MINUTE);
  for (const host of [one, two]) {
    const { store } = host.daemon!.status();
    assertEquals([store!.state, store!.behind], ["connected", 0]);
    assert(host.toldOf("store.connected").length >= 2);
  }
  const [row] = sites.server.look("select count(*) as n from hearsay_heads where size = 16");
  assertEquals(row!.n, 1n);
});

Deno.test("sharing: what a site was shown before we looked ourselves is no rollback of the log", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const hosts = [await sites.start(0, [sources[0]]), await sites.start(1, [sources[1]])];
  await sites.pass(2 * MINUTE);
  const holder = hosts.findIndex((host) => host.daemon!.status().store!.held === 1);
  const other = hosts[1 - holder]!;
  other.shared!.refuses = true;
  sites.server.breakConnections();
  // Where the holder asks, the log is behind.
  sources[1 - holder]!.size = 16;
  await sites.pass(3 * MINUTE);
  assertEquals(logOf(other).size, "16");
  other.shared!.refuses = false;
  const before = sources[1 - holder]!.asked.latest;
  await sites.pass(5 * MINUTE);
  assertEquals(other.daemon!.status().store!.state, "connected");
  assertEquals(other.toldOf("log.rolled back"), []);
  assert(sources[1 - holder]!.asked.latest > before, "it has to look itself");
});

Deno.test("sharing: a split shown to two sites is recorded by both within a second", async () => {
  await using sites = await Sites.make(2);
  const { ours, theirs } = await parted();
  const [one, two] = [
    await sites.start(0, [ours], { views: 2 }),
    await sites.start(1, [theirs], { views: 2 }),
  ];
  for (let waited = 0; one.toldOf("incident.recorded").length === 0; waited++) {
    assert(waited < 180, "nobody has found it");
    await sites.pass(SECOND);
  }
  await sites.pass(SECOND);
  const cases = [await one.cases(), await two.cases()];
  assertEquals(cases[0]!.length, 1);
  assertEquals(cases[0], cases[1]);
});

Deno.test("sharing: a split that only one site can prove is recorded by all, as one case", async () => {
  await using sites = await Sites.make(3);
  const log = grow(await logAt(), 5);
  const fork = grow(log.fork(), 20, "theirs");
  grow(log, 20);
  // Where two of them ask, the log stays smaller: they have no proof, and no peers to ask for one.
  const sources = [log, fork, log].map((story) => new ScriptedSource(story, 5));
  for (const [number, source] of sources.entries()) {
    await sites.start(number, [source], { views: 3 });
  }
  await sites.pass(2 * MINUTE);
  for (const [number, source] of sources.entries()) {
    source.size = number === 1 ? 7 : 6;
    source.refusesProofFrom = (older) => number !== 1 && older > 6n;
  }
  await sites.pass(4 * MINUTE);
  const cases = await Promise.all(sites.hosts.map((host) => host.cases()));
  assertEquals(cases.map(({ length }) => length), [1, 1, 1]);
  assertEquals(new Set(cases.flat()).size, 1);
  for (const host of sites.hosts) assert(logOf(host).freeze !== undefined);
});

Deno.test("sharing: a record in the store that does not hold convicts nobody, and stops nothing", async () => {
  await using sites = await Sites.make(2);
  const { ours, theirs } = await parted();
  const one = await sites.start(0, [new ScriptedSource(ours.story, 8)]);
  await sites.pass(2 * MINUTE);
  await one.hear([(await checkpointOf(theirs.story, 8)).frame]);
  await sites.pass(MINUTE);
  assertEquals((await one.cases()).length, 1);
  const [row] = sites.server.look("select record from hearsay_records");
  const other = JSON.parse(row!.record as string);
  other.checkpoint_b = other.checkpoint_a;
  const damaged = [JSON.stringify(other), "{}", "garbage", "[".repeat(10_000)];
  sites.server.look("update hearsay_records set record = $1", [damaged[0]!]);
  for (const [i, text] of damaged.entries()) {
    sites.server.look(
      "insert into hearsay_records(evidence_id, site, log, record) select $1, $2, log, $3 from hearsay_records limit 1",
      [`${i}`, "somebody", text],
    );
  }
  // What is told of the checkpoints alone would be a case of its own.
  sites.server.look("delete from hearsay_heads");
  const two = await sites.start(1, [new ScriptedSource(ours.story, 8)]);
  await sites.pass(5 * MINUTE);
  assertEquals(await two.cases(), []);
  assertEquals([two.daemon!.status().store!.state, two.refusals], ["connected", []]);
});

Deno.test("sharing: what a peer tells one site, all sites judge", async () => {
  await using sites = await Sites.make(3);
  const { ours, theirs } = await parted();
  for (const number of [0, 1, 2]) {
    await sites.start(number, [new ScriptedSource(ours.story, 8)]);
  }
  await sites.pass(2 * MINUTE);
  await sites.hosts[1]!.hear([(await checkpointOf(theirs.story, 6)).frame]);
  await sites.pass(2 * SECOND);
  const cases = await Promise.all(sites.hosts.map((host) => host.cases()));
  assertEquals(cases.map(({ length }) => length), [1, 1, 1]);
  assertEquals(new Set(cases.flat()).size, 1);
});

Deno.test("sharing: a site that was away learns what was told meanwhile, and a new one what contradicts it", async () => {
  await using sites = await Sites.make(3);
  const { ours, theirs } = await parted();
  await sites.start(0, [new ScriptedSource(ours.story, 8)]);
  await sites.start(1, [new ScriptedSource(ours.story, 8)]);
  await sites.pass(2 * MINUTE);
  await sites.hosts[1]!.stop();
  await sites.hosts[0]!.hear([(await checkpointOf(theirs.story, 8)).frame]);
  await sites.pass(HOUR);
  await sites.start(1, [new ScriptedSource(ours.story, 8)]);
  await sites.start(2, [new ScriptedSource(ours.story, 8)]);
  await sites.pass(2 * MINUTE);
  const cases = await Promise.all(sites.hosts.map((host) => host.cases()));
  assertEquals(cases.map(({ length }) => length), [1, 1, 1]);
});

Deno.test("sharing: a database that lost its last commits is told again, and accuses nobody", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const [one, two] = [await sites.start(0, [sources[0]]), await sites.start(1, [sources[1]])];
  await sites.pass(2 * MINUTE);
  for (let size = 9; size <= 20; size++) {
    for (const source of sources) source.size = size;
    await sites.pass(MINUTE);
  }
  const heads = "select size from hearsay_heads order by size";
  const before = sites.server.look(heads);
  assert(before.length >= 12);
  sites.server.loseLast(Math.floor(sites.server.commits / 2));
  await sites.pass(2 * MINUTE);
  assertEquals(sites.server.look(heads), before);
  assertEquals([await one.cases(), await two.cases()], [[], []]);
  assertEquals([...one.refusals, ...two.refusals], []);
});

Deno.test("sharing: who can write into the store accuses nobody, and stops nothing", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const [one, two] = [await sites.start(0, [sources[0]]), await sites.start(1, [sources[1]])];
  await sites.pass(2 * MINUTE);
  const other = await checkpointOf(grow(await logAt("other.invalid/log"), 8), 8);
  sites.server.look("update hearsay_heads set note = $1, root = $2", [
    other.noteWithCosignatures,
    other.root,
  ]);
  sites.server.look("update hearsay_looks set note = $1", ["garbage"]);
  for (const source of sources) source.size = 16;
  await sites.pass(5 * MINUTE);
  assertEquals([logOf(one).size, logOf(two).size], ["16", "16"]);
  assertEquals([await one.cases(), await two.cases()], [[], []]);
});

Deno.test("sharing: two daemons with one key are told of it, both, and each goes on alone", async () => {
  await using sites = await Sites.make(2);
  const sources = await shownTwice(8);
  const one = await sites.start(0, [sources[0]]);
  await sites.pass(MINUTE);
  // Somebody copies its key, and starts it elsewhere.
  const copy = await Host.make({ clock: sites.clock, network: sites.network, number: 9 });
  Object.defineProperty(copy, "signer", { value: one.signer });
  copy.shared = sites.server.site();
  sites.hosts.push(copy);
  const two = await sites.start(2, [sources[1]]);
  await sites.pass(5 * MINUTE);
  for (const host of [one, two]) {
    const told = host.toldOf("store.away").map(({ fields }) => String(fields.reason));
    assert(told.some((reason) => reason.includes("Another daemon with this monitor's key")));
  }
});
