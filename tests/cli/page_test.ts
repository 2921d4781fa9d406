/** The page of real daemons that catch a log: what it says is so, and the commands on it work. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, run, start } from "./harness.ts";
import { fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

const INC = `INC-${new Date().getUTCFullYear()}-001`;
/** The commands of the page that are left, and the state to which each leads. */
const STEPS: readonly (readonly [name: string, state: string])[] = [
  ["investigate", "INVESTIGATE"],
  ["resolve", "RESOLVE"],
  ["closed", "CLOSED"],
];

async function read(http: string, path: string): Promise<string> {
  const response = await fetch(`http://${http}${path}`);
  assertEquals(response.status, 200);
  return await response.text();
}

/** The words of a command on a page, typed by somebody with this home folder. */
function commandOn(page: string, id: string, home: string): string[] {
  const [, text] = new RegExp(`<code id="${id}">(.*?)</code>`, "s").exec(page)!;
  const typed = text!.replace(/<[^>]*>/g, "").replaceAll("&quot;", '"');
  const [program, ...words] = typed.split(" ");
  assertEquals(program, "hearsay");
  // What a shell would make of them.
  return words.map((word) => word.replace(/^~/, home).replaceAll('"', ""));
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
  const config = await makeMonitor(
    `${folder}/two`,
    { log, source: `${url}/other/` },
    ...["--peer", one.listen],
  );
  // The page names it as it is typed in any folder, however it was named at the start.
  const toRoot = Deno.cwd().replace(/\/[^/]+/g, "/..").slice(1);
  const two = await startDaemon(toRoot + config);
  await Promise.all([one, two].map(({ running }) => running.line(/ incident\.step .*FREEZE/)));

  for (const { http } of [one, two]) {
    const first = await read(http, "/");
    assertMatch(first, new RegExp(`id="standing-heading">${INC} is open, 1 log frozen`));
    assertStringIncludes(first, `href="/incidents/${INC}"`);
  }
  const page = await read(two.http, `/incidents/${INC}`);
  const heading = `<h1>${INC}: the key of log `;
  assertStringIncludes(page, heading);
  assertStringIncludes(await read(two.http, "/incidents/1"), heading, "as does its case's number");
  assertStringIncludes(page, "The evidence holds.");
  const record = put(folder, `${INC}.json`, await read(two.http, "/incidents/1.json"));
  const typed = (name: string): string[] => commandOn(page, `command-${name}`, folder);
  const given = ["--config", config];
  const out = ["--out", `${folder}/${INC}.txt`];
  assertEquals(typed("export"), ["incidents", "export", INC, ...given, ...out]);
  assertEquals((await run(...typed("export"))).code, 0);
  assertEquals(typed("verify"), ["verify", `${folder}/${INC}.txt`, "--log", log]);
  assertEquals((await run(...typed("verify"))).code, 0);
  assertEquals(typed("record")[1], record);
  const judging = await run(...typed("record"));
  assertEquals([judging.code, judging.out.at(-1)], [0, "The evidence holds (1 record)."]);

  // The folder that is sent is made by two commands, and can be checked as it comes.
  assertEquals((await run(...typed("bundle"))).code, 0);
  assertStringIncludes(
    page.replace(/<[^>]*>/g, ""),
    `tar -czf ~/${INC}.tar.gz -C ~ ${INC}`,
  );
  const checking = await run("incidents", "bundle", "--check", `${folder}/${INC}`, "--log", log);
  assertEquals(checking.code, 0, checking.err.join("\n"));

  // Pasted as they are, they are refused: nobody's name is written down by accident.
  for (const [name] of STEPS) {
    assertEquals((await run(...typed(name))).code, 2, name);
  }
  const signed = (name: string): string[] =>
    typed(name).map((word, i, all) =>
      word !== "" ? word : all[i - 1] === "--by" ? "Ada Lovelace" : "it is explained"
    );
  for (const { running } of [one, two]) running.stop();
  for (const { running } of [one, two]) assertEquals((await running.done).code, 1);
  for (const [name, state] of STEPS) {
    const step = await run(...signed(name));
    assertEquals([step.code, step.out[0]], [0, `${INC} is in the state ${state}`], step.err.join());
  }

  serving.stop();
  assertEquals((await serving.done).code, 0);
});

inFolder(
  "page: of a log that one monitor alone has caught, what it showed and what is accepted",
  async (folder) => {
    const shown = `${folder}/shown`;
    const { log } = await makeLog(shown, 8);
    await fork(shown, `${folder}/other`);
    await grow(shown, 1);
    await grow(`${folder}/other`, 2);
    const config = await makeMonitor(`${folder}/one`, { log, source: shown });
    const { running, http } = await startDaemon(config);
    await running.line(/ log\.first /);
    Deno.renameSync(shown, `${folder}/before`);
    Deno.renameSync(`${folder}/other`, shown);
    await running.line(/ incident\.step .*FREEZE/);
    const text = await read(http, "/");
    const said = text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
    assertMatch(said, new RegExp(`^ ${INC} is open, 1 log frozen –`));
    assertMatch(
      said,
      /inconsistent .*? size 9 \S+ ✕ not accepted size 10 \S+ shown by the log itself;/,
    );
    assertMatch(said, /This monitor \(accepted\) 9 The log itself \(not accepted\) 10 /);
    assertMatch(text, /class="mark contradicts"/);
    assert(!/shows a checkpoint that contradicts|Trouble/.test(said), said);
    running.stop();
    assertEquals((await running.done).code, 1);
  },
);

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
  assertStringIncludes(page, "Below it: 1 line. Of the same history: 1.");
  for (const { running } of [one, two, { running: serving }]) running.stop();
  for (const { running } of [one, two, { running: serving }]) await running.done;
});
