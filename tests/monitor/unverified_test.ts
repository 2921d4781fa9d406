/** A signed checkpoint that no known key of the log has signed is a result of its own. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeHex } from "@std/encoding/hex";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { RESULTS } from "../../src/evidence/result.ts";
import { cleanSource } from "../../src/evidence/record.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { whyUnverified } from "../../src/monitor/unverified.ts";
import { LogWatch } from "../../src/monitor/watch.ts";
import { SeveralSource } from "../../src/sources/several.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import type { Log } from "../../src/tlog/log.ts";
import { formatKeyId } from "../../src/tlog/vkey.ts";
import { checkpointOf, grow, newLog } from "../evidence/histories.ts";
import { Host, logAt, MINUTE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

function keyIdOf({ log }: { log: Log }): string {
  return formatKeyId(log.vkey.keyId);
}

/** A note with its signature lines replaced. */
function resigned(note: string, ...lines: string[]): string {
  return note.slice(0, note.indexOf("\u2014")) + lines.map((line) => `\u2014 ${line}\n`).join("");
}

/** The only signature line of a note, without its dash. */
function lineOf(note: string): string {
  return note.slice(note.indexOf("\u2014") + 2, -1);
}

/** What is wrong in each of the three ways, and what its detail must begin with. */
async function troubles(log: TestLog): Promise<[note: string, reason: string, keyId: string][]> {
  const rotated = grow(await newLog(log.log.origin), 9);
  const elsewhere = grow(await newLog("test.invalid/elsewhere"), 9);
  const note = await noteOf(log, 5);
  return [
    [await noteOf(rotated), "another key", keyIdOf(rotated)],
    [await noteOf(elsewhere), "another origin", keyIdOf(elsewhere)],
    [note.replace("\n5\n", "\n6\n"), "a signature that does not verify", keyIdOf(log)],
  ];
}

Deno.test("unverified: a look tells which of the three it is, and the keys on both sides", async () => {
  const log = grow(await newLog(), 9);
  const source = new ScriptedSource(log, 5);
  const detector = new EquivocationDetector();
  const watch = new LogWatch({ log: log.log, source, detector });
  assert(watch.advance(await watch.poll()));
  for (const [note, reason, keyId] of await troubles(log)) {
    source.latestTrouble = { note };
    const finding = await watch.poll();
    const { result, checkpoint, detail = "" } = finding;
    assertEquals([result, checkpoint], ["unverified", undefined], reason);
    const [start, rest] = detail.split(": ");
    assertEquals(start, reason);
    const [, known] = rest!.split("known is ");
    assert(known!.includes(keyIdOf(log)), detail);
    assert(rest!.includes(`${keyId} (`), detail);
    assertEquals(watch.advance(finding), false);
    assertEquals(watch.view!.treeSize, 5n, "the view stays");
    assertEquals(detector.conflicts(), [], "it convicts nobody");
  }
});

Deno.test("unverified: the other origin is named beside the one that was expected", async () => {
  const log = grow(await newLog("test.invalid/here"), 1);
  const other = grow(await newLog("test.invalid/there"), 1);
  const detail = whyUnverified(utf8(await noteOf(other)), log.log)!;
  assertMatch(detail, /"test\.invalid\/here".*"test\.invalid\/there"/);
});

Deno.test("unverified: what verifies beside a line that fails is refused, and the line is named", async () => {
  const log = grow(await newLog(), 2);
  const note = await noteOf(log);
  const [name] = lineOf(note).split(" ");
  const wrong = base64(new Uint8Array([...decodeHex(keyIdOf(log)), ...new Uint8Array(64)]));
  const detail = whyUnverified(utf8(resigned(note, lineOf(note), `${name} ${wrong}`)), log.log)!;
  assertMatch(detail, /^a signature that does not verify/);
});

Deno.test("unverified: hostile names neither reach the terminal nor push out what is known", async () => {
  const log = grow(await newLog(), 2);
  const note = await noteOf(log);
  const key = base64(new Uint8Array([1, 2, 3, 4, ...new Uint8Array(64)]));
  const names = [
    "\u009b31mred",
    "\u202eright-to-left",
    "x".repeat(100_000),
    "\u2028line",
    ...Array.from({ length: 90 }, (_, i) => `n${i}`),
  ];
  const hostile = resigned(note, ...names.map((name) => `${name} ${key}`));
  const detail = whyUnverified(utf8(hostile), log.log)!;
  assertEquals(detail.match(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u), null);
  assertMatch(detail, /^another key: known is key /);
  assertMatch(detail, / and 90 more$/);
  assert(detail.length < 1_000, "it is one line for a person");
  assert(cleanSource(detail).includes(keyIdOf(log)), "the journal keeps what is known");
});

Deno.test("unverified: a hostile origin is shown escaped and cut", async () => {
  const log = grow(await newLog(), 2);
  const note = await noteOf(log);
  const other = "\u009b2J" + "y".repeat(200_000) + note.slice(note.indexOf("\n"));
  const detail = whyUnverified(utf8(other), log.log)!;
  assertMatch(detail, /^another origin: known is "test\.invalid\/log"/);
  assertEquals(detail.includes("\u009b"), false);
  assert(detail.length < 1_000);
});

Deno.test("unverified: lines of which none can be read as a signature are said to be that", async () => {
  const log = grow(await newLog(), 2);
  const detail = whyUnverified(utf8(resigned(await noteOf(log), "nobody", "x !!")), log.log)!;
  assertMatch(detail, /no key that can be read$/);
});

Deno.test("unverified: no answer that is no signed checkpoint is called that", async () => {
  const { log } = await newLog();
  for (const answer of ["", "\n", "<html>\n\n\u2014 a b\n", "a\n1\nb\n\n", "\n\n\u2014 a b\n"]) {
    assertEquals(whyUnverified(utf8(answer), log), undefined, JSON.stringify(answer));
  }
  assertEquals(whyUnverified(new Uint8Array(600_000), log), undefined);
});

Deno.test("unverified: a place that answers for nobody hides no place that shows the log", async () => {
  const log = grow(await newLog(), 9);
  const [good, bad, down] = [1, 2, 3].map(() => new ScriptedSource(log, 5));
  bad!.latestTrouble = { note: await noteOf(grow(await newLog(), 9)) };
  down!.latestTrouble = "unavailable";
  const source = new SeveralSource([down!, bad!, good!], [
    "https://down",
    "https://bad",
    "https://good",
  ]);
  const watch = new LogWatch({ log: log.log, source, detector: new EquivocationDetector() });
  const finding = await watch.poll();
  assertEquals([finding.result, finding.source], ["first", "the log at https://good"]);
  assertEquals(finding.others?.map(({ result, source }) => [result, source]), [
    ["unverified", "the log at https://bad"],
    ["unavailable", "the log at https://down"],
  ]);
  assertEquals((await watch.poll()).others, undefined, "the same again is no news");
});

Deno.test("unverified: it is told before an outage of another place", async () => {
  const log = grow(await newLog(), 9);
  const [bad, down] = [1, 2].map(() => new ScriptedSource(log, 5));
  bad!.latestTrouble = { note: await noteOf(grow(await newLog(), 9)) };
  down!.latestTrouble = "unavailable";
  const source = new SeveralSource([down!, bad!], ["https://down", "https://bad"]);
  const watch = new LogWatch({ log: log.log, source, detector: new EquivocationDetector() });
  const finding = await watch.poll();
  assertEquals([finding.result, finding.source], ["unverified", "the log at https://bad"]);
});

Deno.test("unverified: a daemon warns once, shows it in the status, and goes on when the log is back", async () => {
  const story = grow(await logAt(), 9);
  const source = new ScriptedSource(story, 5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  source.latestTrouble = { note: await noteOf(grow(await logAt(), 9)) };
  await one.pass(MINUTE);
  await one.pass(2 * MINUTE);
  const status = one.daemon!.status();
  const [shown] = status.logs;
  assertEquals([shown!.lastResult, shown!.size], ["unverified", "5"]);
  assert(troublesOf(status).some(({ text }) => text.includes("no known key")), "exit 3");
  assertEquals(one.loud("log.unverified"), ["warning"]);
  assertEquals(await one.cases(), []);
  const written = (await one.observations()).map(({ observation }) => observation)
    .filter(({ result }) => result === "unverified");
  assertEquals(written.map(({ checkpoint }) => checkpoint), [undefined]);
  assertEquals(written[0]!.detail, shown!.lastDetail);
  source.latestTrouble = undefined;
  source.size = 7;
  await one.pass(10 * MINUTE);
  assertEquals(one.daemon!.status().logs[0]!.size, "7");
});

Deno.test("unverified: the results of earlier versions keep their places, which an index has", () => {
  assertEquals(RESULTS.slice(0, 14), [
    ...["first", "extends", "unchanged", "rolled back", "inconsistent", "unproven", "frozen"],
    ...["unavailable", "withheld", "pending", "consistent", "matches", "refused", "unverified"],
  ]);
});

Deno.test("unverified: once says that it could not do the work", async () => {
  const story = grow(await logAt(), 9);
  const source = new ScriptedSource(story, 5);
  source.latestTrouble = { note: await noteOf(grow(await logAt(), 9)) };
  await using one = await Host.make();
  const daemon = await one.open({ logs: [{ source }] });
  assertEquals(await daemon.once(), false);
  await daemon.close();
  assertEquals(daemon.incidents, 0);
});

Deno.test("unverified: what somebody who is not the log lacks makes no question unproven", async () => {
  const story = grow(await logAt(), 9);
  const source = new ScriptedSource(story, 9);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  source.latestTrouble = { note: await noteOf(grow(await logAt(), 9)) };
  source.proofTrouble = "refused";
  await one.pass(MINUTE);
  const { frame } = await checkpointOf(story, 4);
  assertEquals(await one.hear([frame]), 1, "it is answered all the same");
  for (let i = 0; i < 20; i++) await one.pass(MINUTE);
  assertEquals(one.toldOf("log.unproven"), []);
  source.latestTrouble = source.proofTrouble = undefined;
  for (let i = 0; i < 70; i++) await one.pass(MINUTE);
  assertEquals(one.toldOf("log.consistent").length, 1);
});
