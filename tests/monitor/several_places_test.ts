/** A log that is served in several places, which are compared with each other. */
import { assert, assertEquals } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import type { Finding } from "../../src/monitor/finding.ts";
import { LogWatch } from "../../src/monitor/watch.ts";
import { SeveralSource } from "../../src/sources/several.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { grow } from "../evidence/histories.ts";
import { Host, logAt, MINUTE, parted } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const NAMES = ["one.example", "two.example"];

/** A watch over places of these stories and sizes. */
function watching(...shown: readonly [story: TestLog, size?: number][]) {
  const places = shown.map(([story, size]) => new ScriptedSource(story, size));
  const clock = new ManualClock();
  const detector = new EquivocationDetector();
  const source = new SeveralSource(places, NAMES);
  const watch = new LogWatch({ log: places[0]!.story.log, source, detector, clock });
  /** Looks, and takes all that it finds; results with their sizes, the main one first. */
  async function look(): Promise<string[]> {
    const finding = await watch.poll();
    const all = [finding, ...finding.others ?? []];
    for (const one of all) watch.advance(one);
    return all.map(nameOf);
  }
  return { places, clock, detector, watch, look };
}

function nameOf({ result, checkpoint }: Finding): string {
  return checkpoint === undefined ? result : `${result} ${checkpoint.treeSize}`;
}

Deno.test("places: one that lags is consistent, which is told once and asked for once", async () => {
  const log = grow(await logAt(), 20);
  const { places, watch, look } = watching([log, 5], [log, 9]);
  assertEquals(await look(), ["first 9", "pending 5"]);
  assertEquals(await look(), ["unchanged 9", "consistent 5"]);
  const before = places.map(({ asked }) => asked.consistency);
  assertEquals(await look(), ["unchanged 9"]);
  assertEquals(places.map(({ asked }) => asked.consistency), before);
  places[0]!.size = 12;
  assertEquals(await look(), ["extends 12", "consistent 9"]);
  assertEquals(watch.view?.treeSize, 12n);
});

Deno.test("places: one that is out is told once, and the other is followed", async () => {
  const log = grow(await logAt(), 20);
  const { places, watch, look } = watching([log, 5], [log, 5]);
  assertEquals(await look(), ["first 5"]);
  places[0]!.latestTrouble = "garbage";
  places[1]!.size = 9;
  assertEquals(await look(), ["extends 9", "unavailable"]);
  places[1]!.size = 12;
  assertEquals(await look(), ["extends 12"]);
  places[1]!.latestTrouble = "unavailable";
  assertEquals((await look())[0], "unavailable");
  assertEquals(watch.view?.treeSize, 12n);
});

Deno.test("places: each is asked when it wants to be, and an outage of all ends with the first", async () => {
  const log = grow(await logAt(), 20);
  const { places, clock, watch } = watching([log], [log]);
  for (const [i, place] of places.entries()) {
    place.latestTrouble = "unavailable";
    place.retryAfterMs = (i + 1) * MINUTE;
  }
  assertEquals((await watch.poll()).retryAfterMs, MINUTE);
  await clock.advance(MINUTE);
  places[0]!.latestTrouble = undefined;
  assertEquals((await watch.poll()).result, "first");
  assertEquals(places.map(({ asked }) => asked.latest), [2, 1]);
  await clock.advance(MINUTE);
  await watch.poll();
  assertEquals(places.map(({ asked }) => asked.latest), [3, 2]);
});

Deno.test("places: a proof that one lacks or has wrong is taken from the other", async () => {
  const log = grow(await logAt(), 20);
  for (const trouble of ["refused", "wrong", "unavailable"] as const) {
    for (const bad of [0, 1]) {
      const { places, look } = watching([log, 5], [log, 5]);
      await look();
      places[bad]!.proofTrouble = trouble;
      for (const place of places) place.size = 9;
      assertEquals(await look(), ["extends 9"], `${trouble} of ${bad}`);
    }
  }
});

for (const [first, other] of [[9, 9], [9, 12], [12, 9], [8, 16], [16, 8]] as const) {
  Deno.test(`places: two histories, at ${first} and ${other}, are an incident, and one is followed on`, async () => {
    const [ours, theirs] = await parted({ at: 4, sizes: [30, 30] });
    await using host = await Host.make();
    const [one, two] = [new ScriptedSource(ours, first), new ScriptedSource(theirs, other)];
    const source = Object.assign(new SeveralSource([one, two], NAMES), { story: ours });
    await host.start({ logs: [{ source }] });
    await host.pass(2 * MINUTE);
    assertEquals((await host.cases()).length, 1);
    const [record] = await host.records();
    const shown = new Map([[record!.checkpoint_a, record!.source_a], [
      record!.checkpoint_b,
      record!.source_b,
    ]]);
    for (const [{ size, root }, source] of shown) {
      const isOurs = root === base64(ours.root(BigInt(size)));
      assertEquals(source, `the log at ${isOurs ? "one.example" : "two.example"}`);
    }
    const said = (await host.observations()).map(({ observation }) => observation)
      .filter(({ checkpoint }) => checkpoint !== undefined);
    assertEquals(
      new Set(said.map(({ source, via }) => `${via} ${source}`)),
      new Set([
        ...["poll the log at one.example", "poll the log at two.example"],
      ]),
    );
    assert(host.toldOf("log.inconsistent").some(({ level }) => level === "error"));
    const loud = host.told.filter(({ level }) => level === "error").length;
    await host.pass(5 * MINUTE);
    assertEquals(host.told.filter(({ level }) => level === "error").length, loud, "told once");
    [one.size, two.size] = [first + 10, other + 10];
    await host.pass(2 * MINUTE);
    const followed = host.daemon!.status().logs[0]!.seenSize;
    assert([`${first + 10}`, `${other + 10}`].includes(followed!), followed);
    host.assertOnlyDiskRefused();
  });
}
