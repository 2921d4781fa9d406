/** A daemon that compares checkpoints over HTTP: what it answers, and that this accuses nobody. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { grow } from "../evidence/histories.ts";
import { settled } from "../gossip/fake_network.ts";
import { LOG_PATH, offering, wordOf } from "./http_asking.ts";
import { logAt, MINUTE, parted } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

Deno.test("http gossip: without its setting the paths are as if they were not there", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log, { httpGossip: false });
  for (const content of [undefined, await noteOf(log)]) {
    const asked = { ...(content !== undefined && { content }) };
    assertEquals((await one.ask({ ...asked, named: "localhost" })).status, 404);
    assertEquals((await one.ask(asked)).status, 421);
  }
  assertEquals((await one.host.observations()).length, 1, "nothing was heard");
});

Deno.test("http gossip: a reload takes the setting up, and takes it back", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log, { httpGossip: false });
  await one.host.reload({ ...one.duties, httpGossip: true });
  assertEquals((await one.ask()).status, 200);
  await one.host.reload(one.duties);
  assertEquals((await one.ask()).status, 421);
});

Deno.test("http gossip: the status keeps its guard against the names of others", async () => {
  await using one = await offering(grow(await logAt(), 9));
  assertEquals((await one.ask({ path: "/status", named: "evil.example" })).status, 421);
  assertEquals((await one.ask({ path: "/gossip", named: "evil.example" })).status, 421);
  assertEquals((await one.ask({ path: "/status", named: "localhost" })).status, 200);
});

Deno.test("http gossip: GET gives the latest verified note, by origin or by the key's name", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log, { size: 7 });
  for (const path of [LOG_PATH, "/gossip/log.invalid/one", "/gossip/%6cog.invalid%2fone"]) {
    const { status, text, headers } = await one.ask({ path });
    assertEquals([status, text], [200, await noteOf(log, 7)], path);
    assertEquals(headers["content-type"], "text/plain; charset=utf-8");
    assertEquals(headers["cache-control"], "no-store");
  }
  one.source.size = 9;
  await one.host.pass(MINUTE);
  assertEquals((await one.ask()).text, await noteOf(log, 9));
  assertEquals((await one.ask({ method: "HEAD" })).status, 200);
});

Deno.test("http gossip: a path that names no followed log is 404", async () => {
  const note = await noteOf(grow(await logAt(), 9));
  await using one = await offering(grow(await logAt(), 9));
  const names = ["", "log.invalid", "log.invalid%2Fone%2F", "%", "%ff", "LOG.invalid%2Fone"];
  for (const name of [...names, "../log.invalid%2Fone", "records/ab", "a".repeat(8_000)]) {
    for (const content of [undefined, note]) {
      const asked = { path: `/gossip/${name}`, ...(content !== undefined && { content }) };
      assertEquals((await one.ask(asked)).status, 404, name);
    }
  }
});

Deno.test("http gossip: other methods are refused", async () => {
  await using one = await offering(grow(await logAt(), 9));
  for (const method of ["PUT", "DELETE", "OPTIONS"]) {
    const { status, headers } = await one.ask({ method });
    assertEquals([status, headers.allow], [405, "GET, HEAD, POST"]);
  }
  const { status, headers } = await one.ask({ path: `${LOG_PATH}/records/ab`, method: "POST" });
  assertEquals([status, headers.allow], [405, "GET, HEAD"]);
});

Deno.test("http gossip: before the first look there is no note to give, and a told one is pending", async () => {
  const log = grow(await logAt(), 9);
  const source = new ScriptedSource(log);
  source.latestTrouble = "unavailable";
  await using one = await offering(log, { logs: [{ source }] });
  const { status, headers } = await one.ask();
  assertEquals([status, headers["retry-after"]], [503, "60"]);
  assertEquals(wordOf(await one.post(await noteOf(log, 5))), "pending");
  source.latestTrouble = undefined;
  await one.host.pass(10 * MINUTE);
  assertEquals(wordOf(await one.post(await noteOf(log, 5))), "consistent");
});

Deno.test("http gossip: what this monitor was shown itself is consistent", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log);
  const { status, text } = await one.post(await noteOf(log, 9));
  assertEquals(status, 200);
  assertMatch(text, /^consistent: .*\n$/);
  assert(!text.includes("BUT"));
  assertEquals(one.source.asked.consistency, 0);
});

Deno.test("http gossip: an older one is proven consistent at once, and then known to be", async () => {
  const log = grow(await logAt(), 9);
  await using one = await offering(log);
  for (const size of [4, 5, 6]) {
    assertEquals(wordOf(await one.post(await noteOf(log, size))), "consistent");
  }
  const { consistency } = one.source.asked;
  assertEquals(consistency, 3);
  for (const size of [4, 5, 6]) {
    assertEquals(wordOf(await one.post(await noteOf(log, size), "192.0.2.8")), "consistent");
  }
  await settled();
  assertEquals(one.source.asked.consistency, consistency, "the log is not asked again");
  assertEquals(await one.host.cases(), []);
});

Deno.test("http gossip: one ahead of our view is pending at once, and is consistent later", async () => {
  const log = grow(await logAt(), 20);
  await using one = await offering(log, { size: 9 });
  const { status, text } = await one.post(await noteOf(log, 15));
  assertEquals(status, 200);
  assertMatch(text, /^pending: .* reaches size 15; the latest so far has size 9\n$/);
  const told = (await one.host.observations()).map(({ observation }) => observation)
    .find(({ result }) => result === "pending");
  assertEquals([told?.source, told?.checkpoint?.size], ["192.0.2.7", "15"]);
  one.source.size = 20;
  await one.host.pass(MINUTE);
  assertEquals(wordOf(await one.post(await noteOf(log, 15))), "consistent");
});

for (
  const [sizes, posted, kind] of [[[12, 12], 12, "same_size"], [
    [12, 17],
    10,
    "cross_size",
  ]] as const
) {
  Deno.test(`http gossip: a split is answered with the case that is recorded, ${kind}`, async () => {
    const [ours, theirs] = await parted({ at: 7, sizes });
    await using one = await offering(ours);
    const { status, text } = await one.post(await noteOf(theirs, posted));
    // Read before anything else can happen: the record was there before the answer.
    const [record, ...more] = await one.host.records();
    assertEquals([status, record?.kind, more], [200, kind, []]);
    assertMatch(text, /^inconsistent: /);
    assertStringIncludes(text, `case ${record!.evidence_id}`);
    assertStringIncludes(text, `/records/${record!.evidence_id} `);
    assertEquals(one.host.daemon!.status().incidents, 1);

    const path = `${LOG_PATH}/records/${record!.evidence_id}`;
    const got = await one.ask({ path });
    assertEquals([got.status, got.headers["content-type"]], [200, "application/json"]);
    const { outcome, signed } = verifyConflict({ input: got.text, log: ours.log });
    assertEquals([outcome, signed, parseRecord(got.text)], ["holds", true, record]);

    const again = await one.post(await noteOf(theirs, posted), "198.18.0.1");
    assertEquals(again.text, text, "a known case is answered the same");
    assertMatch((await one.post(await noteOf(ours, 12))).text, /^inconsistent: /, "the other half");
    assertEquals((await one.host.cases()).length, 1);
  });
}

Deno.test("http gossip: of a log with a case, what agrees is not vouched for, and the case is told with it", async () => {
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 12] });
  await using one = await offering(ours);
  await one.post(await noteOf(theirs, 12));
  grow(ours, 20, "ours");
  await one.host.pass(MINUTE);
  const { text } = await one.post(await noteOf(ours, 20));
  const [id] = await one.host.cases();
  assertMatch(text, /^pending: this monitor has frozen the log/);
  const before = await one.post(await noteOf(ours, 3));
  assertMatch(before.text, /^consistent: .* BUT /, "it was accepted before");
  assertStringIncludes(text, id!);
});

Deno.test("http gossip: a record that is not held here is 404, under another log's name too", async () => {
  const [ours, theirs] = await parted({ at: 7, sizes: [12, 12] });
  const other = new ScriptedSource(grow(await logAt("log.invalid/other"), 5));
  const logs = [{ source: new ScriptedSource(ours) }, { source: other }];
  await using one = await offering(ours, { logs });
  await one.post(await noteOf(theirs, 12));
  const [id] = await one.host.cases();
  assertEquals((await one.ask({ path: `${LOG_PATH}/records/${id}` })).status, 200);
  for (
    const path of [
      `/gossip/log.invalid%2Fother/records/${id}`,
      `${LOG_PATH}/records/${id!.replaceAll(/[0-9]/g, "f")}`,
      `${LOG_PATH}/records/`,
      `${LOG_PATH}/records/${id}/`,
      `${LOG_PATH}/records/..%2f..%2fmonitor.key`,
    ]
  ) assertEquals((await one.ask({ path })).status, 404, path);
});

Deno.test("http gossip: what is no note of the log is 400 with a sentence, and accuses nobody", async () => {
  const log = grow(await logAt(), 20);
  const foreign = grow(await logAt(), 20);
  const other = grow(await logAt("log.invalid/other"), 20);
  const logs = [log, other].map((story) => ({ source: new ScriptedSource(story) }));
  await using one = await offering(log, { logs });
  const good = await noteOf(log, 15);
  const wrong: readonly (string | Uint8Array)[] = [
    ...["", "\n", "x", "null", "{}", "\0".repeat(100_000), good.replaceAll("\n", "")],
    ...[good.slice(0, -1), good.slice(0, good.length / 2), good + good, `\ufeff${good}`],
    ...[good.replace("\n15\n", "\n16\n"), good.replace("\n15\n", "\n015\n")],
    ...[good.replace("\n15\n", "\n99999999999999999999\n"), good.replaceAll("\n", "\r\n")],
    ...[await noteOf(foreign, 15), await noteOf(other, 15), new Uint8Array(99_999).fill(0xff)],
  ];
  for (const content of wrong) {
    const { status, text } = await one.post(content);
    assertEquals(status, 400, JSON.stringify(content).slice(0, 80));
    assertMatch(text, /^\P{Cc}+ \(curl --data-binary @FILE\)\n$/u);
    assert(text.length < 1_500);
  }
  assertEquals(await one.host.cases(), []);
  const told = (await one.host.observations()).filter(({ observation: { via } }) => via !== "poll");
  assertEquals(told, []);
  assertEquals(wordOf(await one.post(good)), "consistent", "the right one still is taken");
  assertEquals(one.host.refusals, []);
});

Deno.test("http gossip: a log with two keys under one origin: each note is of the one that signed it", async () => {
  const [old, fresh] = [grow(await logAt(), 5), grow(await logAt(), 9)];
  const logs = [old, fresh].map((story) => ({ source: new ScriptedSource(story) }));
  await using one = await offering(old, { logs });
  assertEquals((await one.ask()).text, await noteOf(fresh, 9), "the larger one");
  assertEquals(wordOf(await one.post(await noteOf(old, 5))), "consistent");
  assertEquals(wordOf(await one.post(await noteOf(fresh, 7))), "consistent");
  assertEquals(await one.host.cases(), []);
});

Deno.test("http gossip: a log that was replaced is compared by the one that replaces it", async () => {
  const old = grow(await logAt("log.invalid/old"), 9);
  const fresh = await logAt();
  for (let i = 0; i < 9; i++) fresh.append(` entry ${i}`);
  grow(fresh, 12);
  const source = new ScriptedSource(fresh);
  const logs = [{ source, replaces: old.log }];
  await using one = await offering(fresh, { logs });
  const path = "/gossip/log.invalid%2Fold";
  const { text } = await one.ask({ path, content: await noteOf(old, 6) });
  await one.host.pass(MINUTE);
  assertMatch(text, /^(pending|consistent): /);
  assertEquals(wordOf(await one.ask({ path, content: await noteOf(old, 6) })), "consistent");
});
