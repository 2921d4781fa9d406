/** Daemons that mirror each other's journals, end to end. */
import { concat } from "@std/bytes/concat";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { verifyConflict } from "../../src/evidence/verify.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { makeLog } from "../../src/tlog/log.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { ShownJournal } from "../federation/shown_journal.ts";
import {
  formatProvenHead,
  formatRecords,
  formatStatus,
  mirrorId,
} from "../../src/federation/wire.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { JournalsOver, mirroring, urlOf } from "./journals_over.ts";
import { type Host, HOUR, logAt, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** The mirror of one host's journal in the status of another. */
function mirrorOf(host: Host, by: Host) {
  const mirrors = by.daemon!.status().mirrors ?? [];
  return mirrors.find(({ name }) => name === host.signer.vkey.name)!;
}

/** What is wrong with mirrors, as the status says it. */
function mirrorTroubles(host: Host): string[] {
  return troublesOf(host.daemon!.status()).map(({ text }) => text)
    .filter((text) => text.startsWith("the journal of"));
}

/** Makes a host find a case: it is told the other story by somebody. */
async function findCase(host: Host, at = 7): Promise<ScriptedSource> {
  const [ours, theirs] = await parted({ at, sizes: [12, 12] });
  const source = new ScriptedSource(ours);
  await host.start({ logs: [{ source }], federation: mirroring([]) });
  await host.hear([(await checkpointOf(theirs)).frame]);
  assertEquals((await host.cases()).length, 1);
  return source;
}

Deno.test("mirrors: a case that one daemon found is recorded by the other, under its own signature", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const source = await findCase(two);
  // They do not exchange: all that the first knows of the case comes from the second's journal.
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(3);
  const [ours] = await one.records();
  const [theirs] = await two.records();
  assertEquals(await one.cases(), await two.cases());
  assertEquals(ours!.detector_id, one.signer.vkey.name);
  assert(ours!.evidence_signature !== theirs!.evidence_signature);
  const { lastOutcome, size, theirs: said, records, isUnhealthy } = mirrorOf(two, one);
  const entries = entriesOf(two);
  assertEquals([lastOutcome, size, said, isUnhealthy], ["up to date", entries, entries, undefined]);
  assertEquals(records, { recorded: 1, known: 0, foreign: 0, refused: 0 });
  assertEquals(mirrorTroubles(one), []);
  assertEquals(one.loud("mirror.synced"), ["info"]);
  for (const host of stage.hosts) assertEquals(host.refusals, []);
});

Deno.test("mirrors: a record about a log that is not followed stays in the mirror", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  await findCase(two);
  const other = new ScriptedSource(grow(await logAt("log.invalid/two"), 3));
  await one.start({ logs: [{ source: other }], federation: mirroring([two]) });
  await stage.minutes(3);
  assertEquals(await one.cases(), []);
  assertEquals(mirrorOf(two, one).records.foreign, 1);
});

Deno.test("mirrors: a new record is pushed at once, and in both directions", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  const over = new JournalsOver(stage.hosts);
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 12] });
  const [source, same] = [new ScriptedSource(ours), new ScriptedSource(ours)];
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await two.start({ logs: [{ source: same }], federation: mirroring([one]) });
  await stage.minutes(2);
  over.asked.length = 0;
  await two.hear([(await checkpointOf(theirs)).frame]);
  await one.pass(50);
  assertEquals(await one.cases(), await two.cases());
  assertEquals((await one.cases()).length, 1);
  const posted = over.asked.filter((asked) => asked.includes("POST")).map((asked) =>
    asked.split(" ")[0]
  );
  // The second pushes its case. The first has then recorded it, and pushes its own record.
  assertEquals(posted, [two, one].map(({ address: { hostname } }) => hostname));
  await stage.minutes(3);
  for (const host of stage.hosts) {
    assertEquals((await host.records()).length, 1);
    const [other] = stage.hosts.filter((one) => one !== host);
    assertEquals(mirrorOf(other!, host).size, entriesOf(other!));
    assertEquals(host.refusals, []);
  }
});

Deno.test("mirrors: a member may push, though nobody fetches from it; a stranger may not", async () => {
  await using stage = await Stage.set({ count: 3, clock: new ManualClock() });
  const [one, two, three] = stage.hosts as [Host, Host, Host];
  new JournalsOver(stage.hosts);
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 12] });
  const of = () => ({ source: new ScriptedSource(ours) });
  await one.start({
    ...{ logs: [of()], members: [{ host: two, byKeyAlone: true }] },
    federation: mirroring([]),
  });
  for (const host of [two, three]) await host.start({ logs: [of()], federation: mirroring([one]) });
  await two.hear([(await checkpointOf(theirs)).frame]);
  await three.hear([(await checkpointOf(theirs)).frame]);
  await stage.minutes(2);
  assertEquals(one.daemon!.status().mirrors!.map(({ name, size, url }) => [name, size, url]), [
    [two.signer.vkey.name, entriesOf(two), undefined],
  ]);
  assertEquals(mirrorOf(two, one).records.recorded, 1);
  // After a restart it is still there.
  await one.stop();
  await one.start({
    ...{ logs: [of()], members: [{ host: two, byKeyAlone: true }] },
    federation: mirroring([]),
  });
  assertEquals(mirrorOf(two, one).size, entriesOf(two));
});

Deno.test("mirrors: where anyone may push, a stranger's key comes with its journal", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 12] });
  const of = () => ({ source: new ScriptedSource(ours) });
  const duties = { logs: [of()], federation: mirroring([], { admit: "anyone" }) };
  await one.start(duties);
  await two.start({ logs: [of()], federation: mirroring([one]) });
  await two.hear([(await checkpointOf(theirs)).frame]);
  await stage.minutes(2);
  assertEquals(mirrorOf(two, one).records.recorded, 1);
  // A key that has not signed it is refused.
  const push = await servedAs(one).grow(1).pushFrom(0n);
  const host = one.daemon!.federating!.mirrors!;
  const other = { ...push, vkey: two.signer.vkey.text };
  assertEquals((await host.push(other, "192.0.2.7")).status, 403);
  await one.stop();
  await one.start(duties);
  assertEquals(mirrorOf(two, one).size, entriesOf(two));
});

/** How many entries the journal of a host has that found one case: its record, and what froze the log. */
function entriesOf(host: Host): string {
  const { treeSize } = host.daemon!.federating!.log;
  assertEquals(treeSize, 3n);
  return `${treeSize}`;
}

/** A journal that is served in place of a host's own, signed with its key. */
function servedAs(host: Host): ShownJournal {
  const journal = new ShownJournal();
  journal.by = host.signer;
  return journal;
}

/**
 * Serves journals over HTTP, in place of a host: at each time one of them.
 * @returns which of them is served
 */
async function serve(
  over: JournalsOver,
  host: Host,
  stories: readonly ShownJournal[],
): Promise<{ story: number }> {
  const shown = { story: 0 };
  const notes = await Promise.all(stories.map((journal) => journal.note()));
  const ok = (text: string | Uint8Array<ArrayBuffer>) => ({
    status: 200,
    body: typeof text === "string" ? utf8(text) : text,
  });
  over.inPlace.set(host.address.hostname, ({ path }) => {
    const { tree, treeSize, lines } = stories[shown.story]!;
    const checkpoint = notes[shown.story]!;
    const origin = checkpoint.split("\n")[0]!;
    const rootHash = tree.root();
    if (path === "/status") return ok(formatStatus({ origin, treeSize, rootHash, checkpoint }));
    if (path === "/records") return ok(formatRecords(lines));
    if (path === "/consistency-proof") {
      return ok(formatProvenHead({ oldSize: 0n, checkpoint, proof: [] }));
    }
    const width = Number(/^\/tile\/0\/000\.p\/(\d+)$/.exec(path)?.[1] ?? 0);
    const hashes = Array.from(
      { length: width },
      (_, i) => tree.node({ level: 0, index: BigInt(i) }),
    );
    return width === 0 ? { status: 404 } : ok(concat(hashes));
  });
  return shown;
}

for (const sizes of [[4, 4], [4, 6], [6, 4]] as const) {
  Deno.test(`mirrors: a journal that has two histories, of sizes ${sizes}, becomes an incident that verify accepts`, async () => {
    await using stage = await Stage.set({ clock: new ManualClock() });
    const { one, two } = stage;
    const over = new JournalsOver(stage.hosts);
    const shown = await serve(over, two, [
      servedAs(two).grow(2).grow(sizes[0] - 2, "a"),
      servedAs(two).grow(2).grow(sizes[1] - 2, "b"),
    ]);
    const source = new ScriptedSource(grow(await logAt(), 3));
    await one.start({ logs: [{ source }], federation: mirroring([two]) });
    await stage.minutes(2);
    assertEquals(mirrorOf(two, one).size, `${sizes[0]}`);
    shown.story = 1;
    await stage.minutes(3);
    const [record] = await one.records();
    assertEquals(record!.log, {
      origin: `${two.signer.vkey.name}/incidents`,
      vkey: two.signer.vkey.text,
    });
    assertEquals(record!.kind, sizes[0] === sizes[1] ? "same_size" : "cross_size");
    const log = makeLog({ vkey: two.signer.vkey, origin: record!.log.origin });
    const { outcome } = verifyConflict({ input: record as unknown as JsonObject, log });
    assertEquals(outcome, "holds");
    assertEquals((await one.records()).length, 1);
    assertEquals(mirrorOf(two, one).incidents, 1);
    // The mirror keeps the history that it has.
    assertEquals(mirrorOf(two, one).size, `${sizes[0]}`);
    assert(mirrorTroubles(one).length > 0);
    assertEquals(one.refusals, []);
  });
}

Deno.test("mirrors: a journal that began anew is another log, and what it signs as the one before convicts still", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  const over = new JournalsOver(stage.hosts);
  const anew = servedAs(two).grow(1, "c");
  anew.epoch = 1_795_000_000n;
  const stories = [servedAs(two).grow(4, "a"), anew, servedAs(two).grow(4, "b")];
  const shown = await serve(over, two, stories);
  const source = new ScriptedSource(grow(await logAt(), 3));
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  shown.story = 1;
  await stage.minutes(2);
  assertEquals([mirrorOf(two, one).origin.split("/").at(-1), mirrorOf(two, one).size], [
    ...["1795000000", "1"],
  ]);
  assertEquals(one.loud("mirror.began anew"), ["warning"]);
  assertEquals(await one.records(), []);
  shown.story = 2;
  await stage.minutes(2);
  const [record] = await one.records();
  assertEquals(record!.log.origin, `${two.signer.vkey.name}/incidents`);
  assertEquals(record!.kind, "same_size");
  assertEquals([mirrorOf(two, one).lastOutcome, mirrorOf(two, one).incidents], ["rolled back", 1]);
  // It must not look well again after a restart here, because it shows the new history alone.
  shown.story = 1;
  await one.stop();
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  assertEquals(mirrorOf(two, one).origin.split("/").at(-1), "1795000000");
  assertEquals(mirrorOf(two, one).incidents, 1);
  assertEquals(one.daemon!.casesHeld, 1);
});

Deno.test("mirrors: two heads shown within one sync convict too", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  const over = new JournalsOver(stage.hosts);
  const [old, a, b] = [
    servedAs(two).grow(4),
    servedAs(two).grow(4).grow(2, "a"),
    servedAs(two).grow(4).grow(2, "b"),
  ] as const;
  const shown = await serve(over, two, [old, a, b]);
  const answer = over.inPlace.get(two.address.hostname)!;
  over.inPlace.set(two.address.hostname, (asked) => {
    // The status says one thing, and the proof that is asked for next another.
    if (shown.story > 0) shown.story = asked.path === "/status" ? 1 : 2;
    return answer(asked);
  });
  const source = new ScriptedSource(grow(await logAt(), 3));
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  shown.story = 1;
  await stage.minutes(2);
  const records = await one.records();
  assertEquals(records.map(({ kind, checkpoint_a: { size } }) => [kind, size]), [[
    "same_size",
    "6",
  ]]);
});

Deno.test("mirrors: a journal that shows less than before is told, and is no incident", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  const over = new JournalsOver(stage.hosts);
  const shown = await serve(over, two, [servedAs(two).grow(6), servedAs(two).grow(4)]);
  const source = new ScriptedSource(grow(await logAt(), 3));
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  shown.story = 1;
  await stage.minutes(3);
  assertEquals(await one.records(), []);
  assertEquals(mirrorOf(two, one).lastOutcome, "rolled back");
  assertStringIncludes(mirrorTroubles(one)[0]!, "shows less than before");
  assertEquals(one.loud("mirror.rolled back"), ["warning"]);
  shown.story = 0;
  await stage.minutes(2);
  assertEquals(mirrorTroubles(one), []);
  assertEquals(one.loud("mirror.recovered"), ["info"]);
});

Deno.test("Verisoo: a peer that is unhealthy after three failures comes back at the first success", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  const over = new JournalsOver(stage.hosts);
  const source = await findCase(two);
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  two.online = false;
  const failures = () => mirrorOf(two, one).failures;
  while (failures() < 2) await stage.minutes(1);
  assertEquals([mirrorOf(two, one).isUnhealthy, mirrorTroubles(one)], [undefined, []]);
  while (failures() < 3) await stage.minutes(1);
  assertEquals(mirrorOf(two, one).isUnhealthy, true);
  assertStringIncludes(mirrorTroubles(one)[0]!, "cannot be fetched, 3 times in a row");
  // It is tried again, less and less often.
  over.asked.length = 0;
  await one.pass(HOUR);
  const tries = over.asked.filter((asked) => asked.endsWith("/status")).length;
  assert(tries >= 4 && tries <= 8, `${tries}`);
  two.online = true;
  await one.pass(HOUR);
  assertEquals([failures(), mirrorOf(two, one).isUnhealthy], [0, undefined]);
  assertEquals(mirrorTroubles(one), []);
  assertEquals(one.loud("mirror.failed").length >= 1, true);
  assertEquals(one.loud("mirror.recovered"), ["info"]);
});

Deno.test("mirrors: a mirror serves the journal as its monitor does", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const source = await findCase(two);
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  const id = mirrorId(two.signer.vkey.name);
  for (const file of ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"]) {
    assertEquals(
      await one.daemon!.federating!.mirrors!.file({ id, file }),
      await two.daemon!.federating!.log.file(file),
    );
  }
});

Deno.test("mirrors: a signed journal of false records convicts nobody, and is told", async () => {
  await using stage = await Stage.set({ count: 3, clock: new ManualClock() });
  const [one, two, three] = stage.hosts as [Host, Host, Host];
  const over = new JournalsOver(stage.hosts);
  const source = await findCase(three);
  const [true_] = await three.records();
  const { checkpoint_a } = true_!;
  const journal = servedAs(two)
    .grow(1)
    .add({ ...true_!, checkpoint_b: checkpoint_a })
    .add({ ...true_!, checkpoint_b: { ...true_!.checkpoint_b, size: "13" } })
    .add({ ...true_!, evidence_id: "0".repeat(64) });
  // A record as deep as an entry can hold, made by hand, since nothing here writes one.
  const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
  journal.addText(`{"deep":${deep}}`);
  await serve(over, two, [journal]);
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(4);
  assertEquals(await one.cases(), []);
  assertEquals(mirrorOf(two, one).records, { recorded: 0, known: 0, foreign: 0, refused: 5 });
  assertEquals(mirrorOf(two, one).size, "5");
  assertEquals(one.toldOf("mirror.record refused").length, 5);
  assertEquals(one.loud("mirror.record refused"), ["warning"]);
  assertEquals(one.refusals, []);
  assertEquals(one.daemon!.status().faults, undefined);
});

Deno.test("mirrors: a daemon ends at once, though a publisher never answers", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  let asked = 0;
  one.http = { ...one.http, request: () => (asked++, new Promise(() => {})) };
  const source = new ScriptedSource(grow(await logAt(), 3));
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(1);
  assert(asked > 0);
  await one.stop({ withinMs: 1_000 });
  assertEquals(one.loud("mirror.failed"), []);
});

Deno.test("mirrors: a power cut at the mirroring daemon loses no record, and repeats none", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const source = await findCase(two);
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  assertEquals((await one.cases()).length, 1);
  await one.crash();
  await one.start({ logs: [{ source }], federation: mirroring([two]) });
  await stage.minutes(2);
  assertEquals((await one.cases()).length, 1);
  assertEquals(mirrorOf(two, one).records, { recorded: 0, known: 1, foreign: 0, refused: 0 });
  assertEquals(urlOf(two), mirrorOf(two, one).url);
});
