/** From nothing to two monitors that catch a log, with the commands a new user has. */
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { inFolder, put, run, type Running, start } from "./harness.ts";
import { evidenceOf, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

/** Serves two histories of one log; the base URL, without a slash at its end. */
async function serveSplit(
  dir: string,
  other: string,
): Promise<{ running: Running; url: string }> {
  const running = start(["log", "serve", dir, "--port", "0", "--split", other]);
  await running.line(/\/other\/$/);
  return { running, url: /http:\/\/[^/]+/.exec(running.out[0]!)![0] };
}

async function codeOf(running: Running): Promise<number> {
  running.stop();
  return (await running.done).code;
}

/** How many entries are appended to the histories that two monitors are shown. */
const SPLITS: readonly [string, { first: number; other: number; kind: string }][] = [
  ["equal sizes", { first: 2, other: 2, kind: "same_size" }],
  ["unequal sizes, the larger shown to the one that calls", {
    first: 1,
    other: 4,
    kind: "cross_size",
  }],
  ["unequal sizes, the larger shown to the one that is called", {
    first: 300,
    other: 3,
    kind: "cross_size",
  }],
  ["unequal sizes, the smaller a power of two", { first: 3, other: 40, kind: "cross_size" }],
];

for (const [what, { first, other, kind }] of SPLITS) {
  inFolder(
    `two monitors, ${what}: one case, one evidence_id, that a stranger can check`,
    async (folder) => {
      const { dir, log } = await makeLog(`${folder}/trial`, 5);
      const forked = `${folder}/forked`;
      await fork(dir, forked);
      await grow(dir, first);
      await grow(forked, other);
      const served = await serveSplit(dir, forked);

      const one = await startDaemon(
        await makeMonitor(
          `${folder}/one`,
          { log, source: `${served.url}/first/` },
          ...["--listen", "127.0.0.1:0"],
        ),
      );
      const two = await startDaemon(
        await makeMonitor(
          `${folder}/two`,
          { log, source: `${served.url}/other/` },
          ...["--peer", one.listen],
        ),
      );
      const recorded = await Promise.all(
        [one, two].map(({ running }) => running.line(/ error incident\.recorded /)),
      );
      for (const line of recorded) assertStringIncludes(line, `kind=${kind}`);
      for (const { http } of [one, two]) {
        const { code, out } = await run("status", http);
        assertEquals(code, 1);
        assertMatch(out[0]!, /: 1 LOG FROZEN, 1 PROVEN CASE$/);
      }
      assertEquals([await codeOf(one.running), await codeOf(two.running)], [1, 1]);
      assertEquals(await codeOf(served.running), 0);

      const ids = [await evidenceOf(`${folder}/one`), await evidenceOf(`${folder}/two`)];
      assertEquals(ids[0]!.length, 1, "one case, however often it is heard");
      assertEquals(ids[0], ids[1]);
      for (const monitor of ["one", "two"]) await checkAsAStranger(`${folder}/${monitor}`, log);
    },
  );
}

/** Takes the record elsewhere as a file, and judges it by the log's key alone. */
async function checkAsAStranger(monitor: string, log: string): Promise<void> {
  const incidents = `${monitor}/incidents`;
  const shown = await run("incidents", "show", "1", "--json", "--incidents", incidents);
  assertEquals(shown.code, 0);
  const file = put(monitor, "handed-on.json", `${shown.out.join("\n")}\n`);
  const verified = await run("verify", file, "--log", log);
  assertEquals(verified.code, 0, verified.out.join("\n"));
  const check = await run("incidents", "check", "--incidents", incidents);
  assertEquals(check.code, 0);
  const seen = await run("observations", "check", "--state", `${monitor}/state`);
  assertEquals(seen.code, 0);
  const tampered = shown.out.join("\n").replace(
    /"evidence_id":"./,
    (start) => start.slice(0, -1) + (start.endsWith("0") ? "1" : "0"),
  );
  assertNotEquals(tampered, shown.out.join("\n"));
  assertEquals(
    (await run("verify", put(monitor, "tampered.json", tampered), "--log", log)).code,
    1,
  );
}

inFolder("two monitors of an honest log: all matches, and nothing is recorded", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/trial`, 5);
  const serving = start(["log", "serve", dir, "--port", "0"]);
  const url = /http:\S+/.exec(await serving.line(/^serving /))![0];
  const one = await startDaemon(
    await makeMonitor(`${folder}/one`, { log, source: url }, "--listen", "127.0.0.1:0"),
  );
  const two = await startDaemon(
    await makeMonitor(`${folder}/two`, { log, source: url }, "--peer", one.listen),
  );
  for (const size of [12, 300]) {
    await grow(dir, size === 12 ? 7 : 288);
    const pattern = new RegExp(` exchange\\.matches .*size=${size}$`);
    await Promise.all([one, two].map(({ running }) => running.line(pattern)));
  }
  const { code, out } = await run("status", two.http);
  assertEquals(code, 0);
  assertMatch(out.at(-1)!, /^ {4}\S+ +\d+s ago +the same +1 +[1-9]\d* +0 +hearsay\/\S+$/);
  assertEquals([await codeOf(two.running), await codeOf(one.running)], [0, 0]);
  assertEquals(await codeOf(serving), 0);
  for (const monitor of ["one", "two"]) assertEquals(await evidenceOf(`${folder}/${monitor}`), []);
});
