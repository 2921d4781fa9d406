/** Heads that lie beside the tiles of a log (C2SP tlog-tiles), compared by these tiles. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, keyFile, noteLine, put, recordsOf, run, start } from "../cli/harness.ts";
import { TiledStory } from "../monitor/tiled_log.ts";
import { consistencyNodes, tileOf, tilePath } from "../../src/tlog/tiles.ts";
import { putDeep } from "./go_cache.ts";

function logOf(story: TiledStory): string {
  return story.test.log.vkey.text;
}

/** Writes a log's checkpoint and all its tiles, as it publishes them at this size. */
async function writeTree(folder: string, story: TiledStory): Promise<void> {
  putDeep(`${folder}/checkpoint`, await story.test.checkpoint());
  writeTiles(folder, story);
}

/** Writes all tiles of a log. */
function writeTiles(folder: string, story: TiledStory): void {
  const treeSize = BigInt(story.size);
  for (let level = 0; 256n ** BigInt(level) <= treeSize; level++) {
    const count = treeSize / 256n ** BigInt(level);
    for (let index = 0n; index < count; index += 256n) {
      const path = tilePath(tileOf({ node: { level: 8 * level, index }, treeSize }));
      putDeep(`${folder}/${path}`, story.tile(path)!);
    }
  }
}

/** Two histories of one log, of sizes that differ. */
async function twoTrees(folder: string): Promise<{ log: string; one: string; other: string }> {
  const story = await TiledStory.make(500);
  const fork = story.fork().growTo(900, "fork");
  story.growTo(600);
  const [one, other] = [`${folder}/one`, `${folder}/other`];
  await writeTree(one, story);
  await writeTree(other, fork);
  return { log: logOf(story), one, other };
}

inFolder("log trees: two histories that `hearsay log` wrote convict the log", async (folder) => {
  const [trial, other] = [`${folder}/trial`, `${folder}/other`];
  const { out: [log] } = await run("log", "init", trial, "--origin", "test.example.com/log");
  await run("log", "append", trial, "--count", "5");
  await run("log", "fork", trial, other);
  await run("log", "append", trial, "as one sees it");
  await run("log", "append", other, "as another sees it", "and more");
  for (const paths of [[trial, other], [other, trial], [folder]]) {
    const { code, out } = await run("detect", "--log", log!, ...paths);
    assertEquals(code, 1);
    assertMatch(out[0]!, /^cross_size conflict .* size=6 .* size=7 /);
  }
});

inFolder("log trees: the evidence from tiles is recorded and verifies", async (folder) => {
  const { log, one, other } = await twoTrees(folder);
  const kept = ["--key", await keyFile(folder), "--incidents", `${folder}/in`];
  assertEquals((await run("detect", "--log", log, ...kept, one, other)).code, 1);
  const { code, out } = await run("verify", `${folder}/in/journal.jsonl`, "--log", log);
  assertEquals([code, out.at(-1)], [0, "The evidence holds (1 record)."]);
});

inFolder("log trees: gathered, they convict the log as well", async (folder) => {
  const { log, one, other } = await twoTrees(folder);
  const lines = `${folder}/gathered.jsonl`;
  assertEquals((await run("gather", "--log", log, "--out", lines, one, other)).code, 0);
  const { code, out } = await run("detect", "--json", "--log", log, lines);
  assertEquals([code, recordsOf(out).map(({ kind }) => kind)], [1, ["cross_size"]]);
});

inFolder("log trees: what --have names is compared by its tiles", async (folder) => {
  const { log, one, other } = await twoTrees(folder);
  const have = ["--have", one, "--have", other];
  const listening = start(["listen", "--address", "127.0.0.1:0", "--log", log, ...have]);
  await listening.line(/listening on/);
  listening.stop();
  const { code, out } = await listening.done;
  assertEquals(code, 1);
  assertMatch(out.join("\n"), /cross_size conflict/);
});

inFolder(
  "log trees: checkpoints that are named are compared by the tiles beside",
  async (folder) => {
    const { log, one, other } = await twoTrees(folder);
    const paths = [`${one}/checkpoint`, `${other}/checkpoint`];
    assertEquals((await run("detect", "--log", log, ...paths)).code, 1);
  },
);

inFolder("log trees: tiles of one folder serve the heads of another", async (folder) => {
  const story = await TiledStory.make(70_000);
  const log = logOf(story);
  for (const size of [3, 256, 700]) {
    putDeep(`${folder}/heads/${size}`, await story.test.checkpoint(BigInt(size)));
  }
  await writeTree(`${folder}/tree`, story);
  const all = await run("detect", "--log", log, folder);
  assertEquals(all.code, 0, all.err.join("\n"));
  assertStringIncludes(all.out.at(-1)!, "4 checkpoints read, 3 proofs followed");
  // Also without the checkpoint that says whose they are.
  Deno.removeSync(`${folder}/tree/checkpoint`);
  const loose = await run("detect", "--log", log, folder);
  assertEquals(loose.code, 0, loose.err.join("\n"));
  assertStringIncludes(loose.out.at(-1)!, "3 checkpoints read, 2 proofs followed");
});

inFolder(
  "log trees: a full tile of another tree beside it hides no contradiction",
  async (folder) => {
    const { log, one, other } = await twoTrees(folder);
    const path = "tile/0/000";
    Deno.writeFileSync(`${one}/${path}`, new Uint8Array(256 * 32).fill(7));
    assertEquals((await run("detect", "--log", log, one, other)).code, 1);
  },
);

inFolder("log trees: no tile that is wrong or missing accuses the log", async (folder) => {
  const story = await TiledStory.make(900);
  const log = logOf(story);
  await writeTree(folder, story);
  const line = put(folder, "older", await noteLine(story.test, 600));
  assertEquals((await run("detect", "--log", log, folder)).code, 0);
  const nodes = consistencyNodes({ older: 600n, newer: 900n });
  const needed = [...nodes.olderRoot, ...nodes.proof.flat()].map((node) =>
    tilePath(tileOf({ node, treeSize: 900n }))
  );
  for (const path of new Set(needed)) {
    const whole = Deno.readFileSync(`${folder}/${path}`);
    const flipped = whole.map((byte) => byte ^ 1);
    for (const wrong of [flipped, whole.slice(0, 31), new Uint8Array(0), new Uint8Array(9_000)]) {
      Deno.writeFileSync(`${folder}/${path}`, wrong);
      const { code, out } = await run("detect", "--log", log, folder, line);
      assertEquals([path, code], [path, 3]);
      assertStringIncludes(out.at(-1)!, "conflicts: 0 same_size, 0 cross_size");
    }
    Deno.removeSync(`${folder}/${path}`);
    assertEquals((await run("detect", "--log", log, folder)).code, 3);
    Deno.writeFileSync(`${folder}/${path}`, whole);
  }
});

inFolder("detect: heads that nothing compares are counted, and end with 3", async (folder) => {
  const story = await TiledStory.make(900);
  const log = logOf(story);
  const lines = await Promise.all([300, 600, 900].map((size) => noteLine(story.test, size)));
  const file = put(folder, "lines", lines.join("\n"));
  const said = /^2 of 3 heads of .* could not be compared: .* from size 300 to size 900$/;
  for (const path of [file, folder]) {
    const { code, err } = await run("detect", "--log", log, path);
    assertEquals([path, code], [path, 3]);
    assertEquals(err.filter((line) => said.test(line)).length, 1, err.join("\n"));
    assertMatch(err.at(-1)!, /^no contradiction is proven; not all .* could be compared/);
  }
  const json = await run("detect", "--json", "--log", log, file);
  assertEquals([json.code, json.out], [3, []]);
  const [object] = json.err.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  assertEquals(object, { log, heads: 3, not_compared: 2, from: "300", to: "900" });
  const gathered = await run("gather", "--log", log, file);
  assertEquals(gathered.code, 0);
  assertEquals(gathered.err.filter((line) => said.test(line)).length, 1);
  for (const json of [[], ["--json"]]) {
    const have = ["--log", log, "--have", file, ...json];
    const listening = start(["listen", "--address", "127.0.0.1:0", ...have]);
    await listening.line(/listening/);
    listening.stop();
    const { out, err } = await listening.done;
    assertEquals(err.filter((line) => said.test(line)).length, 1, err.join("\n"));
    const events = json.length === 0 ? [] : out.map((line) => JSON.parse(line));
    assertEquals(
      events.filter(({ event }) => event === "not_compared").map((one) => one.not_compared),
      json.map(() => 2),
    );
  }
});
