/** The page of real daemons that catch a log: what it says is so, and the commands on it work. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, run, start } from "./harness.ts";
import { fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

async function read(http: string, path: string): Promise<string> {
  const response = await fetch(`http://${http}${path}`);
  assertEquals(response.status, 200);
  return await response.text();
}

/** The words of a command on a page. */
function commandOn(page: string, id: string): string[] {
  const [, text] = new RegExp(`<code id="${id}">([^<]*)</code>`).exec(page)!;
  const [program, ...words] = text!.split(" ");
  assertEquals(program, "hearsay");
  return words;
}

inFolder("page: of a log that has told two stories, with commands that work", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/trial`, 5);
  const forked = `${folder}/forked`;
  await fork(dir, forked);
  await grow(dir, 2);
  await grow(forked, 3);
  const serving = start(["log", "serve", dir, "--port", "0", "--split", forked]);
  await serving.line(/\/other\/$/);
  const url = /http:\/\/[^/]+/.exec(serving.out[0]!)![0];
  const one = await startDaemon(
    await makeMonitor(
      `${folder}/one`,
      { log, source: `${url}/first/` },
      ...["--listen", "127.0.0.1:0"],
    ),
  );
  const two = await startDaemon(
    await makeMonitor(`${folder}/two`, { log, source: `${url}/other/` }, "--peer", one.listen),
  );
  await Promise.all([one, two].map(({ running }) => running.line(/ error incident\.recorded /)));

  for (const { http } of [one, two]) {
    const first = await read(http, "/");
    assertMatch(first, /id="standing-heading">1 proven case/);
    assertStringIncludes(first, 'href="/incidents/1"');
  }
  const page = await read(two.http, "/incidents/1");
  assertStringIncludes(page, "The record holds.");
  const record = put(folder, "incident-1.json", await read(two.http, "/incidents/1.json"));
  const [exporting, verifying, judging] = ["export", "verify", "record"]
    .map((name) => commandOn(page, `command-${name}`));
  const file = `${folder}/incident-1.txt`;
  const here = (words: string[]): string[] =>
    words.map((word) => word.startsWith("incident-1.") ? `${folder}/${word}` : word);
  assertEquals((await run(...here(exporting!))).code, 0);
  assertEquals(here(verifying!).slice(0, 4), ["verify", file, "--log", log]);
  assertEquals((await run(...here(verifying!))).code, 0);
  assertEquals(here(judging!)[1], record);
  assertEquals((await run(...here(judging!))).code, 0);

  for (const { running } of [one, two]) running.stop();
  for (const { running } of [one, two]) assertEquals((await running.done).code, 1);
  serving.stop();
  assertEquals((await serving.done).code, 0);
});

inFolder("page: it shows what a peer has seen of a log", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/trial`, 5);
  const serving = start(["log", "serve", dir, "--port", "0"]);
  const source = /http:\S+/.exec(await serving.line(/^serving /))![0];
  const given = { log, source };
  const one = await startDaemon(
    await makeMonitor(`${folder}/one`, given, "--listen", "127.0.0.1:0"),
  );
  const two = await startDaemon(
    await makeMonitor(`${folder}/two`, given, "--peer", one.listen),
  );
  await two.running.line(/ exchange\.matches /);
  const page = await read(two.http, "/");
  assertStringIncludes(page, `${one.listen} (peer)`);
  assertMatch(page, /<circle class="mark same"/);
  assertStringIncludes(page, "Of 1 other, 1 have the same history");
  for (const { running } of [one, two, { running: serving }]) running.stop();
  for (const { running } of [one, two, { running: serving }]) await running.done;
});
