import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { canonicalize } from "@std/json/canonicalize";
import { entryHash, FIRST_PREV_HASH } from "../../src/evidence/entry.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { World } from "../../src/world/world.ts";
import { inFolder, put, run, start } from "./harness.ts";
import { edit, fork, grow, makeLog, makeMonitor } from "./monitors.ts";

/** The state folder of a monitor that has looked twice: `first`, then `extends`. */
async function observed(folder: string): Promise<{ state: string; config: string; dir: string }> {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/one`, { log, source: dir });
  await run("run", "--config", config, "--once");
  await grow(dir, 3);
  await run("run", "--config", config, "--once");
  return { state: `${folder}/one/state`, config, dir };
}

const SEGMENT = "observations-000001.jsonl";

inFolder("observations list: one line for each, oldest first", async (folder) => {
  const { state } = await observed(folder);
  const { code, out, err } = await run("observations", "list", "--state", state);
  assertEquals([code, err, out.length], [0, [], 2]);
  const when = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`;
  const told = ["first size=5", "extends size=8"];
  for (const [i, what] of told.entries()) {
    assertMatch(
      out[i]!,
      new RegExp(`^${i + 1}  ${when}  test\\.invalid/log: ${what} by poll from the log$`),
    );
  }
});

inFolder("observations list --json: whole entries, each a line", async (folder) => {
  const { state } = await observed(folder);
  const { code, out } = await run("observations", "list", "--state", state, "--json");
  assertEquals(code, 0);
  assertEquals(out.map((line) => JSON.parse(line)), lines(state).map((line) => JSON.parse(line)));
});

inFolder(
  "observations list: failures are there as well, with their reason, and repeats counted",
  async (folder) => {
    const { state, config, dir } = await observed(folder);
    await fork(dir, `${folder}/other`);
    await grow(dir, 1);
    await grow(`${folder}/other`, 1);
    await run("run", "--config", config, "--once");
    edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/other`));
    await run("run", "--config", config, "--once");
    edit(config, JSON.stringify(`${folder}/other`), JSON.stringify(`${folder}/none`));
    await run("run", "--config", config, "--once");
    const { out } = await run("observations", "list", "--state", state);
    const [inconsistent, unavailable] = out.slice(-2);
    assertMatch(
      inconsistent!,
      /: inconsistent size=9 by poll from the log — the log signed another/,
    );
    assertMatch(unavailable!, /: unavailable by poll from the log — .*it is not there/);
  },
);

inFolder("observations check: walks the chain and names its last hash", async (folder) => {
  const { state } = await observed(folder);
  const last = JSON.parse(lines(state).at(-1)!).hash;
  const { code, out } = await run("observations", "check", "--state", state);
  assertEquals([code, out], [
    0,
    [`2 observations, the chain is whole; the last hash is ${last}`],
  ]);
  const json = await run("observations", "check", "--state", state, "--json");
  assertEquals([json.code, JSON.parse(json.out[0]!)], [0, { entries: 2, hash: last }]);
});

function lines(state: string): string[] {
  return Deno.readTextFileSync(`${state}/${SEGMENT}`).trimEnd().split("\n");
}

const DAMAGES: readonly [string, (lines: string[]) => string[], number][] = [
  ["a changed character", ([a, b]) => [a!.replace("\\n5\\n", "\\n6\\n"), b!], 1],
  ["a changed last line", ([a, b]) => [a!, b!.replace("extends", "matches")], 2],
  ["a line taken out", ([, b]) => [b!], 1],
  ["a line twice", ([a, b]) => [a!, a!, b!], 2],
  ["lines the other way round", ([a, b]) => [b!, a!], 1],
  ["a line of something else", ([a, b]) => [a!, "{}", b!], 2],
  ["an empty line", ([a, b]) => [a!, "", b!], 2],
];

for (const [what, damage, line] of DAMAGES) {
  inFolder(`observations: ${what} is damage, and its file and line are named`, async (folder) => {
    const { state } = await observed(folder);
    const path = put(state, SEGMENT, `${damage(lines(state)).join("\n")}\n`);
    for (const command of ["check", "list"]) {
      const { code, err } = await run("observations", command, "--state", state);
      assertEquals([command, code], [command, 3]);
      assertStringIncludes(err.join("\n"), `${path} line ${line}`);
    }
  });
}

inFolder("observations: a torn last line is told, and is no damage", async (folder) => {
  const { state } = await observed(folder);
  const [first, second] = lines(state) as [string, string];
  const path = put(state, SEGMENT, `${first}\n${second.slice(0, -9)}`);
  const { code, out, err } = await run("observations", "check", "--state", state);
  assertEquals(code, 0);
  assertMatch(out.join("\n"), /^1 observation, the chain is whole/);
  assertStringIncludes(err.join("\n"), `${path} line 2 is not complete`);
  const torn = Deno.readTextFileSync(path);
  assertEquals(torn, `${first}\n${second.slice(0, -9)}`, "whoever reads changes nothing");
});

inFolder(
  "observations: a folder without any is said to have none, and nothing is made by looking",
  async (folder) => {
    for (const state of [folder, `${folder}/none`]) {
      for (const what of ["list", "check"]) {
        const { code, out } = await run("observations", what, "--state", state);
        assertEquals([code, out], [3, []]);
      }
    }
    assert([...Deno.readDirSync(folder)].length === 0);
  },
);

Deno.test("observations: anything but list and check is wrong usage", async () => {
  for (const args of [[], ["show"], ["list", "check"], ["list", "--stat", "x"]]) {
    assertEquals([(await run("observations", ...args)).code, args], [2, args]);
  }
});

inFolder("observations list: --since, --log and --limit choose", async (folder) => {
  const { state, config } = await observed(folder);
  const list = (...args: string[]): ReturnType<typeof run> =>
    run("observations", "list", "--state", state, ...args);
  const all = (await list()).out;
  for (const args of [["--since", "1d"], ["--log", "test.invalid/log"], ["--limit", "9"]]) {
    assertEquals((await list(...args)).out, all);
  }
  const newest = await list("--limit", "1");
  assertEquals([newest.out, newest.err], [
    [all[1]!],
    ["only the newest 1 of 2 are listed"],
  ]);
  const json = await list("--limit", "1", "--json");
  assertEquals(json.out.map((line) => JSON.parse(line).seq), [2]);
  const none = await list("--since", "2999-01-01");
  assertEquals([none.code, none.out], [
    0,
    [`no observations since 2999-01-01T00:00:00.000Z in ${state}; 2 older ones`],
  ]);
  const unknown = await run("observations", "list", "--config", config, "--log", "other");
  assertEquals([unknown.code, unknown.out], [2, []]);
  assertMatch(unknown.err.join(), /The configuration does not name it; there are: "test.invalid/);
  assertEquals((await run("observations", "check", "--limit", "1")).code, 2);
});

inFolder(
  "observations list: a journal is read as it is printed, not kept in memory",
  async (folder) => {
    const { state } = await observed(folder);
    const entry = JSON.parse(lines(state)[0]!);
    const [count, perSegment] = [3_000, 1_000];
    let before = { seq: 0, hash: FIRST_PREV_HASH };
    for (let segment = 1; before.seq < count; segment++) {
      const written: string[] = [];
      while (written.length < perSegment) {
        const { hash: _, ...rest } = { ...entry, seq: before.seq + 1, prev_hash: before.hash };
        const hash = entryHash(rest);
        written.push(canonicalize({ ...rest, hash }));
        before = { seq: rest.seq, hash };
      }
      put(state, `observations-00000${segment}.jsonl`, `${written.join("\n")}\n`);
    }
    const real = denoWorld();
    const opened: [path: string, printed: number][] = [];
    const world: World = {
      ...real,
      files: {
        ...real.files,
        open(path, mode) {
          opened.push([path, listing.out.length]);
          return real.files.open(path, mode);
        },
      },
    };
    const listing = start(["observations", "list", "--state", state], world);
    const { code, out } = await listing.done;
    assertEquals([code, out.length], [0, count]);
    const segments = opened.filter(([path]) => path.includes("observations-"));
    for (const [path, printed] of segments) {
      const number = Number(/(\d+)\.jsonl$/.exec(path)![1]);
      assert(printed >= (number - 1) * perSegment - 500, `${path} when ${printed} were printed`);
    }
  },
);
