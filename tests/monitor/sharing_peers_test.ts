/** Sites of one store tell each other which peers they hear, which cases they have, and that they stop. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { storeInWords } from "../../src/cli/store_words.ts";
import { HEARD_LATELY_MS } from "../../src/monitor/heard_peers.ts";
import { isCase, readIncidents } from "../../src/store/incidents.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { type Duties, type Host, INCIDENTS, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { LEASE, parted, SECOND, shownTwice, Sites } from "./sites.ts";

/** Two sites that call a peer, which shares nothing with them. */
async function calling(sites: Sites, duties: (peer: Host) => Partial<Duties>) {
  const sources = await shownTwice(8);
  const peer = sites.hosts[2]!;
  const [one, two] = [
    await sites.start(0, [sources[0]], duties(peer)),
    await sites.start(1, [sources[1]], duties(peer)),
  ];
  const members = duties(peer).members === undefined
    ? {}
    : { members: [{ host: one }, { host: two }] };
  await peer.start({ logs: [{ source: new ScriptedSource(sources[0].story, 8) }], ...members });
  return { one, two, peer };
}

function peerOf(host: Host) {
  return host.daemon!.status().peers[0]!;
}

function troublesOfPeers(host: Host) {
  return troublesOf(host.daemon!.status()).filter(({ text }) => /^(peer|member) /.test(text));
}

Deno.test("sharing: a peer that one site cannot reach, and another hears, asks for less", async () => {
  await using sites = await Sites.make(3);
  const { one, two, peer } = await calling(sites, ({ address }) => ({ peers: [address] }));
  await sites.pass(5 * MINUTE);
  assertEquals([peerOf(one).failing, peerOf(one).heardBy], [undefined, undefined]);
  one.online = false;
  await sites.pass(5 * MINUTE);
  const { failing, heardBy } = peerOf(one);
  assert(failing !== undefined);
  assertEquals(heardBy?.site, "monitor.invalid/2");
  assert(Date.parse(one.daemon!.status().now) - Date.parse(heardBy!.at) <= 2 * MINUTE);
  const [trouble] = troublesOfPeers(one);
  assertMatch(
    trouble!.text,
    /^peer .* unreachable; site monitor\.invalid\/2 heard it \d+ s ago$/,
  );
  assertMatch(trouble!.advice, /nothing is urgent/);
  // Who is heard by nobody is not helped by what was heard before.
  await peer.stop();
  await sites.pass(HEARD_LATELY_MS);
  assertEquals([peerOf(one).heardBy, peerOf(two).heardBy], [undefined, undefined]);
  assertMatch(troublesOfPeers(one)[0]!.advice, /^Ask its operator/);
});

Deno.test("sharing: what was heard before a site lost a peer says nothing", async () => {
  await using sites = await Sites.make(3);
  const { one, two, peer } = await calling(sites, ({ address }) => ({ peers: [address] }));
  await sites.pass(5 * MINUTE);
  await peer.stop();
  await sites.pass(3 * MINUTE);
  for (const host of [one, two]) {
    assert(peerOf(host).failing !== undefined);
    assertEquals(peerOf(host).heardBy, undefined);
  }
});

Deno.test("sharing: a member that another site has a session with asks for less", async () => {
  await using sites = await Sites.make(3);
  // It calls nobody, and nobody reaches it.
  sites.hosts[0]!.online = false;
  sites.network.swallow(sites.hosts[0]!.address);
  const { one, two } = await calling(sites, (host) => ({ members: [{ host }] }));
  await sites.pass(5 * MINUTE);
  assertEquals(troublesOfPeers(two), []);
  const [trouble] = troublesOfPeers(one);
  assertMatch(trouble!.text, /^member .* site monitor\.invalid\/2 heard it \d+ s ago$/);
  assertMatch(trouble!.advice, /nothing is urgent/);
});

Deno.test("sharing: cases are published at the start and as they come, and again if they were lost", async () => {
  await using sites = await Sites.make(2);
  const { ours, theirs } = await parted();
  const [one, two] = sites.hosts;
  // It has a case from before it shared anything.
  await one!.start({ logs: [{ source: new ScriptedSource(ours.story, 8) }] });
  await one!.pass(2 * MINUTE);
  await one!.hear([(await checkpointOf(theirs.story, 6)).frame]);
  await one!.pass(MINUTE);
  await one!.stop();
  const published = () =>
    sites.server.look("select site, evidence_id, log, seq from hearsay_cases order by seq, site")
      .map(({ site, evidence_id, log, seq }) => [site, evidence_id, log, Number(seq)]);
  await sites.start(0, [new ScriptedSource(ours.story, 8)]);
  await sites.pass(5 * SECOND);
  const mine = async (host: Host) => {
    const found = [];
    for await (const item of readIncidents({ files: host.disk.files, folder: INCIDENTS })) {
      if (!("entry" in item) || !isCase(item.entry.record)) continue;
      const { seq, record: { evidence_id: id } } = item.entry;
      found.push([host.signer.vkey.text, id, ours.story.log.id, seq]);
    }
    return found;
  };
  assertEquals([published().length, published()], [1, await mine(one!)]);
  await sites.start(1, [new ScriptedSource(ours.story, 8)]);
  await sites.pass(MINUTE);
  await two!.hear([(await checkpointOf(theirs.story, 7)).frame]);
  await sites.pass(2 * SECOND);
  const all = [...await mine(one!), ...await mine(two!)].toSorted();
  // The second one has taken the case from before out of the store.
  assertEquals(all.length, 4);
  assertEquals(published().toSorted(), all);
  sites.server.look("delete from hearsay_cases where seq = 1");
  await sites.pass(LEASE);
  assertEquals(published().toSorted(), all);
});

Deno.test("sharing: a site that stops says so, and one that dies is away", async () => {
  await using sites = await Sites.make(3);
  const [first, ...sources] = [...await shownTwice(8), ...await shownTwice(8)];
  const one = await sites.start(0, [first]);
  const others = [await sites.start(1, [sources[0]!]), await sites.start(2, [sources[1]!])];
  await sites.pass(2 * MINUTE);
  await others[0]!.stop();
  others[1]!.shared!.refuses = true;
  await others[1]!.crash();
  await sites.pass(LEASE + LEASE / 3);
  const status = one.daemon!.status();
  assertEquals(status.store!.sites.map(({ isAlive, isStopped }) => [isAlive, isStopped]), [
    [true, undefined],
    [false, true],
    [false, undefined],
  ]);
  const told = troublesOf(status).filter(({ text }) => text.startsWith("site "));
  assertEquals(told.map(({ text }) => text.split(":")[0]), ["site monitor.invalid/3 is away"]);
  assertMatch(told[0]!.advice, /hearsay store forget monitor\.invalid\/3\.$/);
  const [, ...lines] = storeInWords(status);
  assertMatch(lines.join("\n"), /^monitor\.invalid\/2: stopped, last heard of /m);
  assertMatch(lines.join("\n"), /^! monitor\.invalid\/3: away, /m);
});
