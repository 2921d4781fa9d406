/** How a daemon tells of trouble: its beginning, a summary now and then, its end. */
import { assertEquals, assertMatch } from "@std/assert";
import type { EventName } from "../../src/monitor/events.ts";
import { FIRST_SUMMARY_MS } from "../../src/monitor/lasting_troubles.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { SeveralSource } from "../../src/sources/several.ts";
import { grow } from "../evidence/histories.ts";
import { Host, HOUR, logAt, MINUTE, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const PEER = "198.51.100.2:9900";

async function serving(entries: number, size?: number): Promise<ScriptedSource> {
  return new ScriptedSource(grow(await logAt(), entries), size);
}

/** What a person reads of trouble: the event, what is over by it, and how often it came up. */
function read(host: Host): string[] {
  const names: readonly EventName[] = ["log.first", "log.extends"];
  return host.told
    .filter(({ name, level }) =>
      level !== "debug" && /^(log|exchange)\./.test(name) && !names.includes(name)
    )
    .map(({ name, level, fields: { after, times, source } }) =>
      [
        level,
        name,
        ...(after ? [`after ${after}`] : []),
        ...(times ? [`${times} times`] : []),
        ...(/ at /.test(`${source}`) ? [source] : []),
      ].join(" ")
    );
}

Deno.test("trouble events: a peer that is away is told of when it goes, now and then, and when it returns", async () => {
  const source = await serving(5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await one.start({ logs: [{ source }], peers: [two.address] });
  await one.pass(9 * MINUTE);
  assertEquals(read(one), ["warning exchange.failed"]);
  const [begun] = one.toldOf("exchange.failed");
  assertEquals(begun!.fields, { source: PEER, reason: "cannot be reached: connection refused" });
  await one.pass(FIRST_SUMMARY_MS);
  assertEquals(read(one).slice(1), ["warning exchange.failed 11 times"]);
  await one.pass(HOUR);
  assertEquals(read(one).length, 3);
  await two.start({ logs: [{ source }] });
  await one.pass(MINUTE);
  const [over] = one.toldOf("exchange.recovered");
  const failures = one.daemon!.status().peers[0]!.failures;
  const since = "2026-01-01T00:01:00.000Z";
  assertEquals(over!.fields, { source: PEER, after: "failed", since, times: failures });
  await one.pass(HOUR);
  assertEquals(read(one).length, 4, "then there is nothing to tell");
});

Deno.test("trouble events: a peer that shares a log at last is told of", async () => {
  const source = await serving(5);
  const other = new ScriptedSource(await logAt("log.invalid/other"));
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: other }] });
  await one.start({ logs: [{ source }], peers: [two.address] });
  await one.pass(3 * MINUTE);
  assertEquals(read(one), ["warning exchange.nothing shared"]);
  await two.stop();
  await two.start({ logs: [{ source: other }, { source }] });
  await one.pass(2 * MINUTE);
  assertEquals(read(one).at(-1), "info exchange.recovered after nothing shared 3 times");
});

Deno.test("trouble events: a log that is away is told of when it goes and when it returns", async () => {
  const source = await serving(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  source.latestTrouble = "unavailable";
  await one.pass(8 * MINUTE);
  assertEquals(read(one), ["warning log.unavailable"]);
  source.latestTrouble = undefined;
  await one.pass(8 * MINUTE);
  assertEquals(read(one).slice(1), ["info log.recovered after unavailable 3 times"]);
});

Deno.test("trouble events: growth is the end of a freeze, and an outage meanwhile has its own", async () => {
  const source = await serving(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source, patienceMs: 10 * MINUTE }] });
  await one.pass(12 * MINUTE);
  source.latestTrouble = "unavailable";
  await one.pass(MINUTE);
  source.latestTrouble = undefined;
  await one.pass(4 * MINUTE);
  assertEquals(read(one), [
    "warning log.frozen",
    "warning log.unavailable",
    "info log.recovered after unavailable 1 times",
  ]);
  const detail = "it has not grown since 2026-01-01T00:00:00.000Z, and its patience is 10m";
  assertEquals(one.toldOf("log.frozen")[0]!.fields.detail, detail);
  source.size = 9;
  await one.pass(MINUTE);
  assertEquals(read(one).slice(3), ["info log.recovered after frozen 5 times"]);
});

Deno.test("trouble events: a log that shows an old checkpoint is told of once, and when it is over", async () => {
  const source = await serving(20, 9);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  source.size = 5;
  await one.pass(3 * MINUTE);
  source.size = 7;
  await one.pass(MINUTE);
  source.size = 12;
  await one.pass(MINUTE);
  assertEquals(read(one), [
    "warning log.rolled back",
    "info log.recovered after rolled back 4 times",
  ]);
});

Deno.test("trouble events: an old checkpoint that is shown until the log is frozen is not told as over", async () => {
  const source = await serving(20, 9);
  await using one = await Host.make();
  await one.start({ logs: [{ source, patienceMs: 5 * MINUTE }] });
  source.size = 5;
  await one.pass(9 * MINUTE);
  assertEquals(read(one), ["warning log.rolled back", "warning log.frozen"]);
  source.size = 12;
  await one.pass(MINUTE);
  assertEquals(read(one).slice(2).map((line) => line.replace(/ \d+ times/, "")), [
    "info log.recovered after rolled back",
    "info log.recovered after frozen",
  ]);
});

Deno.test("trouble events: an unproven view is no error at first, then one, and then over", async () => {
  const source = await serving(20, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  Object.assign(source, { size: 9, proofTrouble: "refused" });
  await one.pass(9 * MINUTE);
  source.proofTrouble = undefined;
  await one.pass(MINUTE);
  assertEquals(read(one), [
    "warning log.unproven",
    "error log.unproven 6 times",
    "info log.recovered after unproven 9 times",
  ]);
});

Deno.test("trouble events: of a log that shows less than before, and no proof, it is said first that it shrank", async () => {
  const source = await serving(200, 196);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  Object.assign(source, { size: 101, proofTrouble: "refused" });
  await one.pass(MINUTE);
  assertMatch(
    String(one.toldOf("log.unproven")[0]!.fields.detail),
    /^the log shows size 101, and has shown us size 196: no proof from size 101 to 196: /,
  );
  const troubles = () =>
    troublesOf(one.daemon!.status()).filter(({ text }) => text.startsWith("log"));
  assertEquals(
    troubles()[0]!.text,
    "log log.invalid/one shows size 101, and has shown us size 196",
  );
  assertMatch(troubles()[0]!.advice, /restored from a backup/);
  Object.assign(source, { size: 200 });
  await one.pass(MINUTE);
  assertMatch(
    troubles()[0]!.text,
    /^log log\.invalid\/one shows a checkpoint that could not be proven/,
  );
});

Deno.test("trouble events: a checkpoint that is withheld is summarised, and shown at last", async () => {
  const story = grow(await logAt(), 20);
  const source = new ScriptedSource(story, 5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(story, 9) }] });
  await one.start({ logs: [{ source, patienceMs: 5 * MINUTE }], peers: [two.address] });
  await one.pass(7 * MINUTE);
  const [told] = read(one).filter((line) => line.includes("withheld"));
  assertEquals(told, "warning log.withheld");
  assertEquals(one.daemon!.status().logs[0]!.withheld, 1);
  await one.pass(10 * MINUTE);
  source.size = 12;
  await one.pass(MINUTE);
  const lines = read(one).filter((line) => line.includes("withheld"));
  assertEquals(lines.slice(1), [
    "warning log.withheld 11 times",
    "info log.recovered after withheld 11 times",
  ]);
  assertEquals(one.daemon!.status().logs[0]!.withheld, undefined);
});

Deno.test("trouble events: one place that is out is told of, and when it is back, whatever the others do", async () => {
  const story = grow(await logAt(), 20);
  const places = [new ScriptedSource(story, 5), new ScriptedSource(story, 5)];
  const source = Object.assign(new SeveralSource(places, ["a.invalid", "b.invalid"]), { story });
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  places[1]!.latestTrouble = "unavailable";
  await one.pass(12 * MINUTE);
  const place = "the log at b.invalid";
  assertEquals(read(one), [
    `warning log.unavailable ${place}`,
    `warning log.unavailable 11 times ${place}`,
  ]);
  places[0]!.latestTrouble = "unavailable";
  await one.pass(MINUTE);
  assertEquals(read(one).slice(2), ["warning log.unavailable"], "now nobody answers");
  places[0]!.latestTrouble = undefined;
  await one.pass(4 * MINUTE);
  places[1]!.latestTrouble = undefined;
  await one.pass(MINUTE);
  const lines = read(one).slice(3);
  assertEquals(lines[0], "info log.recovered after unavailable 1 times");
  assertEquals(lines.length, 2);
  assertEquals(
    lines[1]!.replace(/\d+/, "N"),
    `info log.recovered after unavailable N times ${place}`,
  );
});

Deno.test("trouble events: a place that asked to wait is not taken for one that is back", async () => {
  const story = grow(await logAt(), 20);
  const places = [new ScriptedSource(story, 5), new ScriptedSource(story, 5)];
  const source = Object.assign(new SeveralSource(places, ["a.invalid", "b.invalid"]), { story });
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  Object.assign(places[1]!, { latestTrouble: "unavailable", retryAfterMs: HOUR });
  await one.pass(30 * MINUTE);
  assertEquals(read(one), ["warning log.unavailable the log at b.invalid"]);
});

Deno.test("trouble events: a peer that comes and goes does not fill the log", async () => {
  const source = await serving(5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source }] });
  await one.start({ logs: [{ source }], peers: [two.address] });
  for (let round = 0; round < 240; round++) {
    one.online = round % 2 === 0;
    await one.pass(MINUTE);
  }
  assertEquals(read(one).slice(0, 3), [
    "warning exchange.failed",
    "info exchange.recovered after failed 1 times",
    "warning exchange.failed",
  ]);
  assertEquals(read(one).length, 3 + 4, "and a summary an hour");
});

Deno.test("trouble events: run --once tells everything of its round", async () => {
  const source = await serving(5);
  source.latestTrouble = "unavailable";
  await using stage = await Stage.set();
  const { one, two } = stage;
  const daemon = await one.open({ logs: [{ source }], peers: [two.address] });
  await daemon.once();
  await daemon.close();
  assertEquals(read(one).toSorted(), ["warning exchange.failed", "warning log.unavailable"]);
});

Deno.test("trouble events: status says since when a peer fails and a look has its result", async () => {
  const source = await serving(5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await one.start({ logs: [{ source }], peers: [two.address] });
  await one.pass(5 * MINUTE);
  const since = "2026-01-01T00:01:00.000Z";
  const { peers: [peer], logs: [log] } = one.daemon!.status();
  assertEquals([peer!.failingSince, log!.resultSince], [since, since]);
  await two.start({ logs: [{ source }] });
  await one.pass(MINUTE);
  const [well] = one.daemon!.status().peers;
  assertEquals([well!.failing, well!.failingSince], [undefined, undefined]);
});

Deno.test("trouble events: a peer that handed over a case as a whole has contradicted us", async () => {
  const [ours, theirs] = await parted({ at: 4, sizes: [6, 9] });
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(theirs) }] });
  await one.start({ logs: [{ source: new ScriptedSource(ours) }], peers: [two.address] });
  await stage.minutes(4);
  assertEquals((await one.cases()).length, 1);
  assertEquals(one.daemon!.status().peers[0]!.conflicts, 1);
});
