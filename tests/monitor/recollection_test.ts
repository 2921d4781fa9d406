import { assertEquals } from "@std/assert";
import { JournaledMemory, MAX_OPENED } from "../../src/monitor/recollection.ts";
import { observedCheckpoint } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { checkpointOf, counting, logOf } from "../gossip/helpers.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { AT, FOLDER, worldOn } from "../store/observing.ts";

Deno.test("JournaledMemory: a note of the journal is verified once, until too many others were", async () => {
  const sizes = MAX_OPENED + 1;
  const log = await logOf("log.example/remembered", sizes);
  const world = worldOn(new MemoryDisk());
  const observations = await ObservationJournal.open({ world, folder: FOLDER });
  const { origin, vkey } = log.log;
  for (let size = 1n; size <= sizes; size++) {
    const checkpoint = observedCheckpoint(await checkpointOf(log, size));
    const seen = { log: { origin, vkey: vkey.text }, via: "poll", result: "extends" } as const;
    await observations.append({ ...seen, source: "the log", checkpoint }, AT);
  }
  const { log: counted, checked } = counting(log.log);
  const memory = new JournaledMemory({ observations, clock: denoWorld().clock });
  const costOf = (size: bigint): number => {
    const before = checked();
    const [seen] = memory.at(counted, size);
    assertEquals([seen?.checkpoint.treeSize, seen?.source], [size, "the log"]);
    return checked() - before;
  };
  for (let size = 1n; size <= MAX_OPENED; size++) assertEquals(costOf(size), 1);
  assertEquals(costOf(1n), 0);
  assertEquals(costOf(BigInt(sizes)), 1, "one too many: the first gives way");
  assertEquals(costOf(2n), 0);
  assertEquals(costOf(1n), 1);
  assertEquals(memory.at(counted, 0n), []);
  await observations.close();
});
