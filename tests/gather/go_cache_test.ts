/** The heads of Go's caches, compared by the tiles beside them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoWorld } from "../../src/world/deno.ts";
import type { Files } from "../../src/world/world.ts";
import { inFolder, keyFile, put, recordsOf, run, start } from "../cli/harness.ts";
import { TiledStory } from "../monitor/tiled_log.ts";
import { lookupText, putDeep, writeGoCache } from "./go_cache.ts";

const world = denoWorld();
const SIZES = [3, 255, 256, 257, 700, 1000, 66_000];

function logOf(story: TiledStory): string {
  return story.test.log.vkey.text;
}

inFolder("go cache: its heads are proven to be of one history, offline", async (folder) => {
  const story = await TiledStory.make(66_000);
  await writeGoCache(folder, { story, sizes: SIZES });
  const { code, out, err } = await run("detect", "--log", logOf(story), folder);
  assertEquals(code, 0, err.join("\n"));
  assertStringIncludes(out.at(-1)!, "7 checkpoints read, 6 proofs followed, 0 rejected");
  assertStringIncludes(err.join("\n"), "cached tiles prove all 7 heads to be of one history");
  assertMatch(err.at(-1)!, /^no two statements .* contradict each other$/);
});

inFolder("go cache: caches of several people are joined by the largest head", async (folder) => {
  const story = await TiledStory.make(2_000);
  await writeGoCache(`${folder}/a`, { story, sizes: [300, 1_000] });
  await writeGoCache(`${folder}/b`, { story, sizes: [400, 1_000, 2_000] });
  const { code, err } = await run("detect", "--log", logOf(story), `${folder}/a`, `${folder}/b`);
  assertEquals(code, 0);
  assertStringIncludes(err.join("\n"), "prove all 4 heads");
});

inFolder("go cache: a tile that is missing proves nothing, and is told", async (folder) => {
  const story = await TiledStory.make(1_000);
  const root = await writeGoCache(folder, { story, sizes: [300, 1_000] });
  Deno.removeSync(`${root}/tile/8/0/001`);
  const { code, out, err } = await run("detect", "--log", logOf(story), folder);
  assertEquals(code, 3);
  assertStringIncludes(out.at(-1)!, "conflicts: 0 same_size, 0 cross_size");
  assertStringIncludes(
    err.join("\n"),
    "prove 1 of 2 heads to be of one history; of the others, 1 is not compared, because a tile",
  );
});

inFolder("go cache: no bit of a tile that is wrong accuses the log", async (folder) => {
  const story = await TiledStory.make(1_000);
  const root = await writeGoCache(folder, { story, sizes: [300, 1_000] });
  const path = `${root}/tile/8/0/001`;
  const tile = Deno.readFileSync(path);
  for (let bit = 0; bit < tile.length * 8; bit += 997) {
    const wrong = tile.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    Deno.writeFileSync(path, wrong);
    const { code, out, err } = await run("detect", "--log", logOf(story), folder);
    assertEquals(code, 3);
    assertStringIncludes(out.at(-1)!, "conflicts: 0 same_size, 0 cross_size");
    assertStringIncludes(err.join("\n"), "the cached tiles do not lead to a signed root");
  }
});

inFolder(
  "go cache: tiles of another length or a folder in a tile's place prove nothing",
  async (folder) => {
    const story = await TiledStory.make(1_000);
    const root = await writeGoCache(folder, { story, sizes: [300, 1_000] });
    const path = `${root}/tile/8/0/001`;
    const tile = Deno.readFileSync(path);
    for (
      const wrong of [tile.slice(0, 100), new Uint8Array(0), new Uint8Array(9_000), tile.slice(32)]
    ) {
      Deno.writeFileSync(path, wrong);
      const { code, out } = await run("detect", "--log", logOf(story), folder);
      assertEquals(code, 3);
      assertStringIncludes(out.at(-1)!, "conflicts: 0 same_size, 0 cross_size");
    }
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    assertEquals((await run("detect", "--log", logOf(story), folder)).code, 3);
  },
);

inFolder(
  "go cache: a head of a fork is convicted by the tiles, and the evidence verifies",
  async (folder) => {
    const story = await TiledStory.make(500);
    const fork = story.fork().growTo(700, "fork");
    story.growTo(1_000);
    await writeGoCache(`${folder}/honest`, { story, sizes: [300, 690, 700, 1_000] });
    putDeep(`${folder}/other/lookup/x@v1`, await lookupText(fork, 690));
    const args = [
      "--log",
      logOf(story),
      "--key",
      await keyFile(folder),
      "--incidents",
      `${folder}/in`,
    ];
    const { code, out } = await run("detect", ...args, `${folder}/honest`, `${folder}/other`);
    assertEquals(code, 1);
    // Of the same size as an honest head, and contradicted by the larger one too.
    const kinds = out.filter((line) => line.includes("conflict of")).map((line) =>
      line.split(" ")[0]
    );
    assertEquals(kinds, ["same_size", "cross_size"]);
    const verified = await run("verify", `${folder}/in/journal.jsonl`, "--log", logOf(story));
    assertEquals([verified.code, verified.out.at(-1)], [0, "The evidence holds (2 records)."]);
  },
);

inFolder("go cache: a forged cache among a thousand honest ones is found", async (folder) => {
  const story = await TiledStory.make(500);
  const fork = story.fork().growTo(900, "fork");
  story.growTo(1_500);
  for (let i = 0; i < 1_000; i++) {
    // Most have looked one thing up; some hold tiles too.
    if (i % 50 === 0) await writeGoCache(`${folder}/all/${i}`, { story, sizes: [501 + i % 40] });
    else putDeep(`${folder}/all/${i}/lookup/x@v1`, await lookupText(story, 501 + i % 40));
  }
  await writeGoCache(`${folder}/all/forged`, { story: fork, sizes: [600, 900] });
  // One honest cache has the tiles on the way to 601, in a tree larger than the fork.
  await writeGoCache(`${folder}/all/1000`, { story, sizes: [600, 1_500] });
  const { code, out, err } = await run("detect", "--json", "--log", logOf(story), `${folder}/all`);
  assertEquals(code, 1, err.join("\n"));
  const records = recordsOf(out);
  assert(records.some(({ kind }) => kind === "same_size"));
  const convicted = new Set(
    records.flatMap((r) => [r.checkpoint_a, r.checkpoint_b]).map((c) => c.root),
  );
  for (const size of [600n, 900n]) assert(convicted.has(fork.test.root(size).toBase64()));
  for (const [i, line] of out.entries()) {
    const file = put(folder, `record${i}`, line);
    assertEquals((await run("verify", file, "--log", logOf(story))).code, 0);
  }
});

inFolder(
  "go cache: a forged newest head without tiles is not proven, and accuses nobody",
  async (folder) => {
    const story = await TiledStory.make(500);
    const fork = story.fork().growTo(2_000, "fork");
    story.growTo(1_000);
    await writeGoCache(folder, { story, sizes: [300, 600, 1_000] });
    put(folder, "latest", await fork.test.checkpoint(2_000n));
    const { code, err } = await run("detect", "--log", logOf(story), folder);
    assertEquals(code, 3);
    assertMatch(
      err.join("\n"),
      /prove 3 of 4 heads to be of one history; of the others, 1 is not/,
    );
    // They do contradict each other. Nobody may say that they do not.
    assertMatch(err.at(-1)!, /^no contradiction is proven; not all .* could be compared/);
  },
);

inFolder("go cache: gathered, it shows the same to who has only the lines", async (folder) => {
  const { root, log } = await forkedCache(`${folder}/cache`);
  const lines = `${folder}/gathered.jsonl`;
  const gathered = await run("gather", "--log", log, "--out", lines, `${folder}/cache`);
  assertEquals(gathered.code, 0, gathered.err.join("\n"));
  assertStringIncludes(Deno.readTextFileSync(lines), `"source":"${root}/lookup/x@v1"`);
  const { code, out } = await run("detect", "--json", "--log", log, lines);
  assertEquals([code, recordsOf(out).map(({ kind }) => kind)], [1, ["cross_size"]]);
});

inFolder("go cache: a split between two caches, at sizes that differ, is found", async (folder) => {
  const story = await TiledStory.make(500);
  const fork = story.fork().growTo(900, "fork");
  story.growTo(600);
  await writeGoCache(`${folder}/a`, { story, sizes: [400, 600] });
  await writeGoCache(`${folder}/b`, { story: fork, sizes: [450, 650, 900] });
  const [a, b] = [`${folder}/a`, `${folder}/b`];
  for (const paths of [[a, b], [b, a], [folder]]) {
    const { code, out, err } = await run("detect", "--log", logOf(story), ...paths);
    assertEquals(code, 1, err.join("\n"));
    assertMatch(out[0]!, /^cross_size conflict .* size=600 .* size=900 /);
  }
});

inFolder("go cache: how a person spells its path makes no difference", async (folder) => {
  const { root, log } = await forkedCache(folder);
  const here = Deno.cwd();
  Deno.chdir(root);
  try {
    for (
      const paths of [["."], ["lookup", "tile"], ["./tile/", "lookup/"], [`${root}/`], ["../"]]
    ) {
      const { code, err } = await run("detect", "--log", log, ...paths);
      assertEquals(code, 1, `${paths}: ${err.join("\n")}`);
    }
  } finally {
    Deno.chdir(here);
  }
});

inFolder(
  "go cache: a pipe in a tile's place is never opened, and proves nothing",
  async (folder) => {
    const { root, log } = await forkedCache(folder);
    const opened: string[] = [];
    const { files } = world;
    const watched: Files = {
      ...files,
      kindOf: (path) =>
        path.endsWith("/002") ? Promise.resolve("something else") : files.kindOf(path),
      open: (path, mode) => {
        opened.push(path);
        return files.open(path, mode);
      },
    };
    const { code, err } = await start(["detect", "--log", log, root], { ...world, files: watched })
      .done;
    assertEquals(code, 3);
    assertStringIncludes(err.join("\n"), "because a tile is not cached");
    assertEquals(opened.filter((path) => path.endsWith("/002")), []);
    assert(opened.some((path) => path.endsWith("/001")));
  },
);

/** A cache of the story of which one head is of a fork. Only the tiles show it. */
async function forkedCache(folder: string): Promise<{ root: string; log: string }> {
  const story = await TiledStory.make(500);
  const fork = story.fork().growTo(700, "fork");
  story.growTo(1_000);
  const root = await writeGoCache(folder, { story, sizes: [300, 690, 1_000] });
  Deno.removeSync(`${root}/lookup/module.invalid/at690@v1.0.0`);
  putDeep(`${root}/lookup/x@v1`, await lookupText(fork, 690));
  return { root, log: logOf(story) };
}
