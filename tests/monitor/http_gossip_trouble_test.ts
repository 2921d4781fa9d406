/** A daemon that compares checkpoints over HTTP, under outages, ends, refusals and many callers. */
import { assert, assertEquals } from "@std/assert";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import { VERDICT_MS } from "../../src/monitor/verdicts.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { answerHttp } from "../../src/web/http_server.ts";
import { grow } from "../evidence/histories.ts";
import { settled } from "../gossip/fake_network.ts";
import { signingLog } from "../gossip/helpers.ts";
import { LOG_PATH, notesOf, offering, type Told, wordOf } from "./http_asking.ts";
import { INCIDENTS, logAt, MINUTE, parted } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

Deno.test("http gossip: while the log does not prove, it is pending, and nothing is accused", async () => {
  for (const trouble of ["unavailable", "refused", "wrong"] as const) {
    const log = grow(await logAt(), 9);
    await using one = await offering(log);
    one.source.proofTrouble = trouble;
    const { text } = await one.post(await noteOf(log, 5));
    assertEquals(text, "pending: it is kept, and is not compared yet; ask again later\n", trouble);
    assertEquals([await one.host.cases(), one.host.daemon!.status().incidents], [[], 0]);
    one.source.proofTrouble = undefined;
    await one.host.pass(30 * MINUTE);
    assertEquals(wordOf(await one.post(await noteOf(log, 5))), "consistent", trouble);
  }
});

Deno.test("http gossip: nobody waits longer for a verdict than its time", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log);
  one.source.proofTrouble = "unavailable";
  await one.post(await noteOf(log, 5));
  // It was tried, and is tried again only after a pause.
  let answer: Told | undefined;
  const asked = one.post(await noteOf(log, 5)).then((told) => answer = told);
  await one.host.pass(VERDICT_MS - 1);
  assertEquals(answer, undefined);
  await one.host.pass(1);
  await asked;
  assertEquals(wordOf(answer!), "pending");
});

Deno.test("http gossip: who waits is answered when the daemon ends, and then nothing is heard", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log);
  one.source.proofTrouble = "unavailable";
  await one.post(await noteOf(log, 5));
  const waiting = one.post(await noteOf(log, 5));
  await settled();
  const { daemon } = one.host;
  await one.host.stop({ withinMs: 0 });
  assertEquals(wordOf(await waiting), "pending");
  one.host.daemon = daemon;
  const { status, headers } = await one.post(await noteOf(log, 9));
  assertEquals([status, headers["retry-after"]], [503, "60"]);
  one.host.daemon = undefined;
  assertEquals(one.host.refusals, []);
});

Deno.test("http gossip: after a restart, what was told is still known, open, settled or proven", async () => {
  const [ours, theirs] = await parted({ at: 7, sizes: [20, 30] });
  await using one = await offering(ours, { size: 12 });
  const [settled, settledToo, proven, open] = [
    ...await notesOf(ours, [3, 5]),
    await noteOf(theirs, 12),
    await noteOf(ours, 16),
  ];
  const words = async (): Promise<(string | number)[]> => {
    const told = [];
    for (const note of [settled!, settledToo!, proven!, open!]) told.push(await one.post(note));
    return told.map(wordOf);
  };
  assertEquals(await words(), ["consistent", "consistent", "inconsistent", "pending"]);
  await one.host.stop();
  await one.host.start(one.duties);
  const asked = one.source.asked.consistency;
  assertEquals(await words(), ["consistent", "consistent", "inconsistent", "pending"]);
  assert(one.source.asked.consistency <= asked + 1);
  one.source.size = 20;
  await one.host.pass(MINUTE);
  // The log is frozen since the case: what it shows now is settled, and not vouched for.
  assertEquals(await words(), ["consistent", "consistent", "inconsistent", "pending"]);
  for (const to of ["INVESTIGATE", "RESOLVE"] as const) {
    await one.host.daemon!.step({
      incident: "INC-2026-001",
      to,
      by: "Ada",
      why: "it is explained",
    });
  }
  assertEquals(await words(), ["consistent", "consistent", "inconsistent", "consistent"]);
  assertEquals((await one.host.cases()).length, 1);
});

Deno.test("http gossip: after a crash, what was answered is not lost", async () => {
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 30] });
  await using one = await offering(ours);
  assertEquals(wordOf(await one.post(await noteOf(theirs, 25))), "pending");
  assertEquals(wordOf(await one.post(await noteOf(theirs, 12))), "inconsistent");
  await one.host.crash();
  await one.host.start(one.duties);
  assertEquals((await one.host.cases()).length, 1);
  assertEquals(one.host.daemon!.status().logs[0]!.openQuestions, 1);
});

Deno.test("http gossip: a disk that refuses is 503, and the answer is right once it does not", async () => {
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 12] });
  await using one = await offering(ours);
  one.disk.refuses = true;
  for (const note of [await noteOf(theirs, 12), await noteOf(ours, 5), await noteOf(ours, 12)]) {
    const { status, headers } = await one.post(note);
    assertEquals([status, headers["retry-after"]], [503, "60"]);
  }
  assert(one.host.refusals.length > 0, "the operator is told");
  one.disk.refuses = false;
  await one.host.stop().catch(() => {});
  await one.host.start(one.duties);
  const answers = [await one.post(await noteOf(theirs, 12)), await one.post(await noteOf(ours, 5))];
  assertEquals(answers.map(wordOf), ["inconsistent", "consistent"]);
  assertEquals((await one.host.cases()).length, 1);
  one.host.assertOnlyDiskRefused();
});

Deno.test("http gossip: if only the case cannot be written, it is 503 and not pending", async () => {
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 17] });
  await using one = await offering(ours, { refusesIn: INCIDENTS });
  one.disk.refuses = true;
  const asked = one.post(await noteOf(theirs, 10));
  await one.host.pass(VERDICT_MS);
  assertEquals((await asked).status, 503);
  assertEquals(await one.host.cases(), []);
  one.disk.refuses = false;
  await one.host.stop().catch(() => {});
  await one.host.start(one.duties);
  assertEquals(wordOf(await one.post(await noteOf(theirs, 10))), "inconsistent");
  one.host.assertOnlyDiskRefused();
});

Deno.test("http gossip: many at once are each answered right", async () => {
  const [ours, theirs] = await parted({ at: 30, sizes: [60, 60] });
  await using one = await offering(ours);
  const sizes = Array.from({ length: 20 }, (_, i) => 31 + i);
  const asked = sizes.flatMap((size) => [
    { size, story: ours, word: "consistent" },
    { size, story: theirs, word: "inconsistent" },
  ]);
  const notes = await Promise.all(asked.map(({ story, size }) => noteOf(story, size)));
  const answers = await Promise.all(
    notes.map((note, i) => one.post(note, `203.0.113.${i}`)),
  );
  const later = await Promise.all(notes.map((note) => one.post(note)));
  for (const [i, { word, size }] of asked.entries()) {
    // Both halves of a case are inconsistent, once both were told.
    const known = [answers[i]!, later[i]!].map(wordOf);
    if (word === "inconsistent") assertEquals(known, ["inconsistent", "inconsistent"], `${size}`);
    else assertEquals(known[1], "inconsistent", `${size}`);
  }
  assertEquals((await one.host.cases()).length, sizes.length);
});

Deno.test("http gossip: one note from many addresses is one entry and one proof", async () => {
  const log = grow(await logAt(), 20);
  await using one = await offering(log, { size: 9 });
  const hosts = Array.from({ length: 40 }, (_, i) => `203.0.113.${i}`);
  for (const [size, word] of [[5, "consistent"], [4, "consistent"], [15, "pending"]] as const) {
    const note = await noteOf(log, size);
    const atOnce = await Promise.all(hosts.map((from) => one.post(note, from)));
    assertEquals(new Set(atOnce.map(wordOf)), new Set([word]));
    for (const from of hosts) assertEquals(wordOf(await one.post(note, from)), word);
  }
  await one.host.pass(1);
  assertEquals(one.source.asked.consistency, 2);
  const heard = (await one.host.observations()).filter(({ observation: { via, result } }) =>
    via === "exchange" && result === "pending"
  );
  assertEquals(heard.length, 3);
});

Deno.test("http gossip: an address may not send more than at the port, and both count together", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log, { framesPerSecond: 300 });
  const note = await noteOf(log, 9);
  // What is no note is charged, as at the port.
  assertEquals((await one.post("x")).status, 400);
  const answers: Told[] = [];
  for (let i = 0; i < 40; i++) answers.push(await one.post(note));
  const over = answers.find(({ status }) => status !== 200);
  assertEquals([over?.status, over?.headers["retry-after"]], [429, "2"]);
  assertEquals(answers[0]!.status, 200);
  for (let i = 0; i < 60; i++) await one.ask();
  assertEquals((await one.ask()).status, 429);
  assertEquals((await one.ask({ path: `${LOG_PATH}/records/ab` })).status, 429);
  const frame = new Uint8Array(104);
  assertEquals(await one.host.hear([frame], "192.0.2.7").catch(() => 0), 0, "the port too");
  assertEquals(await one.host.hear([frame], "192.0.2.8"), 1, "others are served");
  await one.host.pass(2_000);
  assertEquals((await one.post(note)).status, 200);
});

Deno.test("http gossip: content is not read of an address that has used its allowance", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log, { framesPerSecond: 256 });
  assertEquals((await one.post("x")).status, 400);
  const { daemon } = one.host;
  const { status } = await answerHttp({
    ...{ method: "POST", path: LOG_PATH, search: "", header: () => undefined },
    caller: { hostname: "192.0.2.7", port: 1 },
    content: () => Promise.reject(new Error("it was read")),
  }, {
    hostname: "127.0.0.1",
    status: () => daemon!.status(),
    gossip: () => daemon!.httpGossip,
  });
  assertEquals(status, 429);
});

Deno.test("http gossip: a record that an address cannot pay for is not read for nothing", async () => {
  const { log, sign } = await signingLog("log.invalid/one");
  const source = new ScriptedSource({ log } as unknown as TestLog);
  source.proofTrouble = "refused";
  source.latestTrouble = { note: (await sign(9n, 1)).note };
  const served = new ScriptedSource(grow(await logAt("log.invalid/other"), 3));
  await using one = await offering(served.story, {
    logs: [{ source }, { source: served }],
    framesPerSecond: 300,
  });
  const extension = `${"x".repeat(90_000)}\n`;
  await one.post((await sign(20n, 1, extension)).note);
  assertEquals(wordOf(await one.post((await sign(20n, 2, extension)).note)), "inconsistent");
  const [id] = await one.host.cases();
  const [path, from] = [`${LOG_PATH}/records/${id}`, "198.18.0.9"];
  const first = await one.ask({ path, from });
  const each = first.text.length / DEFAULT_LIMITS.parcelBytesPerFrame;
  assert(each > 20, "a record of some length");
  for (let paid = 1; paid < Math.floor(300 / (each + 1)); paid++) {
    assertEquals((await one.ask({ path, from })).status, 200);
  }
  assertEquals((await one.ask({ path, from })).status, 429);
  assertEquals(await one.host.hear([new Uint8Array(104)], from).catch(() => 0), 0, "it owes now");
});

Deno.test("http gossip: without room for it, a note is 503, and is not said to be kept", async () => {
  const ROOM = QUESTION_LIMITS.stranger.questions;
  const log = grow(await logAt(), ROOM + 100);
  await using one = await offering(log, { size: 9 });
  const notes = await notesOf(log, Array.from({ length: ROOM }, (_, i) => 20 + i));
  for (const [i, note] of notes.entries()) {
    assertEquals(wordOf(await one.post(note, `203.0.${i >> 8}.${i & 255}`)), "pending");
  }
  const late = await noteOf(log, ROOM + 50);
  const { status, headers } = await one.post(late, "203.0.113.1");
  assertEquals([status, headers["retry-after"]], [503, "60"]);
  one.source.size = ROOM + 100;
  await one.host.pass(60 * MINUTE);
  assertEquals(wordOf(await one.post(late, "203.0.113.1")), "consistent");
});
