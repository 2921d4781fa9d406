/** How heads of caches are joined by proofs, and the limits of what is remembered of them. */
import { assertEquals } from "@std/assert";
import { CachedHeads, type Compared, MAX_CACHED_HEADS } from "../../src/gather/cached_heads.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { inFolder } from "../cli/harness.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { TiledStory } from "../monitor/tiled_log.ts";
import { writeGoCache } from "./go_cache.ts";

const { files } = denoWorld();

async function outcome(heads: CachedHeads): Promise<{ proofs: number; compared?: Compared }> {
  let proofs = 0;
  let compared: Compared | undefined;
  for await (const result of heads.compare(files)) {
    if ("joined" in result) compared = result;
    else proofs++;
  }
  return { proofs, ...(compared && { compared }) };
}

inFolder(
  "cached heads: one that contradicts is apart, and the others are joined",
  async (folder) => {
    const story = await TiledStory.make(500);
    const fork = story.fork().growTo(700, "fork");
    story.growTo(1_000);
    const root = await writeGoCache(folder, { story, sizes: [300, 690, 1_000] });
    const heads = new CachedHeads();
    for (const size of [300, 690, 1_000]) {
      heads.addHead(await checkpointOf(story.test, size), `${root}/lookup/${size}`);
    }
    heads.addHead(await checkpointOf(fork.test, 690), `${root}/lookup/other`);
    const { compared } = await outcome(heads);
    assertEquals([compared!.heads, compared!.joined], [4, 3]);
    assertEquals([...compared!.apart], [["contradicted", 1]]);
  },
);

inFolder("cached heads: a repeat counts once, and the empty tree not at all", async (folder) => {
  const story = await TiledStory.make(300);
  const root = await writeGoCache(folder, { story, sizes: [300] });
  const heads = new CachedHeads();
  for (const size of [0, 300, 300]) {
    heads.addHead(await checkpointOf(story.test, size), `${root}/lookup/x`);
  }
  const { proofs, compared } = await outcome(heads);
  assertEquals([proofs, compared!.heads, compared!.joined], [0, 1, 1]);
});

inFolder("cached heads: a log without tiles is not compared", async () => {
  const story = await TiledStory.make(300);
  const heads = new CachedHeads();
  heads.addHead(await checkpointOf(story.test, 300), "a note");
  assertEquals(await outcome(heads), { proofs: 0 });
});

Deno.test("cached heads: as many as the limit are remembered, and the rest is counted", async () => {
  const { log } = (await TiledStory.make(1)).test;
  const heads = new CachedHeads();
  const head = (treeSize: number, byte = 0): VerifiedCheckpoint =>
    ({
      log,
      treeSize: BigInt(treeSize),
      root: base64(new Uint8Array(32).fill(byte)),
    }) as VerifiedCheckpoint;
  for (let i = 1; i <= MAX_CACHED_HEADS; i++) heads.addHead(head(i), "a note");
  assertEquals(heads.leftOut(log), 0);
  heads.addHead(head(1), "a note");
  assertEquals(heads.leftOut(log), 0);
  heads.addHead(head(1, 1), "a note");
  assertEquals(heads.leftOut(log), 1);
});
