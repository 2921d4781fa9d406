import { assert, assertEquals } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { Judge } from "../../src/gossip/judge.ts";
import { JournaledMemory, MAX_OPENED } from "../../src/monitor/recollection.ts";
import type { Asker } from "../../src/monitor/questions.ts";
import { THE_LOG } from "../../src/monitor/the_log.ts";
import { observedCheckpoint } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { checkpointOf, counting, logOf } from "../gossip/helpers.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { AT, FOLDER, worldOn, writtenOn } from "../store/observing.ts";

const PEER = "192.0.2.7";

/** What a daemon remembers of a log of 9 entries, and what of that is on its disk. */
async function remembering() {
  const log = await logOf("log.example/remembered", 9);
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const observations = await ObservationJournal.open({ world, folder: FOLDER });
  const memory = new JournaledMemory({ observations, world, isPeer: (source) => source === PEER });
  const detector = new EquivocationDetector({ memory });
  return {
    ...{ log, memory, detector },
    /** Somebody shows the log's checkpoint of this size. */
    async show(treeSize: bigint, source: string) {
      detector.observe(await checkpointOf(log, treeSize), source);
    },
    /** Somebody's word is written down with what it came to. */
    async write(treeSize: bigint, source: string) {
      const checkpoint = await checkpointOf(log, treeSize);
      await observations.append({
        log: { origin: log.log.origin, vkey: log.log.vkey.text },
        ...{ via: "poll", source, result: "extends" },
        checkpoint: observedCheckpoint(checkpoint),
      }, AT);
      memory.recorded({ checkpoint, source }, "extends");
    },
    sourcesAt: (treeSize: bigint) => memory.at(log.log, treeSize).map(({ source }) => source),
    pending: () => observations.pending(log.log).map(({ treeSize, source }) => [treeSize, source]),
    written: async () =>
      (await writtenOn(disk)).map(({ observation: { via, source, result, checkpoint } }) =>
        [via, source, result, checkpoint?.size].join(" ")
      ),
    [Symbol.asyncDispose]: () => observations.close(),
  };
}

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
  const memory = new JournaledMemory({ observations, world: denoWorld() });
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

Deno.test("JournaledMemory: what the log has just shown and a peer tells is written as told by the peer", async () => {
  await using scene = await remembering();
  for (const size of [5n, 7n]) await scene.show(size, THE_LOG);
  await scene.memory.writeTold();
  assertEquals(await scene.written(), [], "the log's word is written with the look's finding");

  await scene.show(5n, PEER);
  await scene.memory.writeTold();
  assertEquals(await scene.written(), [`exchange ${PEER} pending 5`]);
  assertEquals(scene.pending(), [[5n, PEER]]);
  // What only the log has shown is remembered, and not written.
  assertEquals([scene.sourcesAt(5n), scene.sourcesAt(7n)], [[PEER], [THE_LOG]]);
  await scene.memory.writeTold();
  assertEquals((await scene.written()).length, 1, "it is written once");
});

Deno.test("JournaledMemory: what a peer told is written as told by the first, whoever repeats it", async () => {
  await using scene = await remembering();
  for (const source of [PEER, THE_LOG, "192.0.2.8", THE_LOG]) await scene.show(5n, source);
  await scene.memory.writeTold();
  assertEquals(await scene.written(), [`exchange ${PEER} pending 5`]);
});

Deno.test("JournaledMemory: what is written of a look is no question when a peer tells it", async () => {
  await using scene = await remembering();
  await scene.show(5n, THE_LOG);
  await scene.write(5n, THE_LOG);
  await scene.show(5n, PEER);
  await scene.memory.writeTold();
  assertEquals(await scene.written(), [`poll ${THE_LOG} extends 5`]);
  assertEquals(scene.pending(), []);
});

Deno.test("JournaledMemory: nobody waits for what others told", async () => {
  await using scene = await remembering();
  for (const size of [1n, 2n, 3n]) await scene.show(size, "192.0.2.9");
  await scene.show(5n, PEER);
  await scene.memory.writeTold(THE_LOG);
  assertEquals(await scene.written(), [], "a look waits for nobody");
  await scene.memory.writeTold(PEER);
  assertEquals(await scene.written(), [`exchange ${PEER} pending 5`]);
  await scene.memory.writeTold("192.0.2.9");
  assertEquals((await scene.written()).length, 4);
});

Deno.test("JournaledMemory: a peer waits for no stranger who told the same before", async () => {
  await using scene = await remembering();
  for (const size of [1n, 2n, 3n, 4n, 5n]) await scene.show(size, `192.0.2.${10n + size}`);
  const checkpoint = await checkpointOf(scene.log, 5n);
  const strangers = [1n, 2n, 3n, 4n, 5n].map((size) =>
    scene.memory.writeTold(`192.0.2.${10n + size}`)
  );
  // At once, while they all wait in line.
  scene.detector.observe(checkpoint, PEER);
  await scene.memory.writeTold(PEER);
  await Promise.all(strangers);
  const written = await scene.written();
  const at = written.indexOf(`exchange ${PEER} pending 5`);
  assert(at === 0 || at === 1, written.join("\n"));
  assertEquals(written.length, 5, "it is written once");
});

Deno.test("JournaledMemory: what a stranger asked first, and a peer asks too, gives way to no stranger", async () => {
  await using crowd = await crowded();
  const { show, open } = crowd;
  await show(1n, "192.0.2.8");
  await show(1n, PEER);
  assertEquals([open("peer"), open("stranger")], [[1n], []]);
  for (const size of [2n, 3n, 4n]) await show(size, "192.0.2.8");
  for (const size of [5n, 6n]) await show(size, `192.0.2.${size}`);
  assertEquals(open("peer"), [1n], "four strangers' questions are too many, and theirs give way");
});

Deno.test("JournaledMemory: what had to give way, or found no room, is a question again for a peer", async () => {
  await using crowd = await crowded();
  const { show, hear, open } = crowd;
  for (const size of [1n, 2n, 3n, 4n]) await show(size, "192.0.2.8");
  await show(5n, "192.0.2.9");
  await show(6n, "192.0.2.10");
  assertEquals(open("stranger"), [1n, 2n, 5n, 6n], "3 and 4 gave way, and are written as left out");
  await show(4n, PEER);
  assertEquals(open("peer"), [4n]);
  // By frames, whose bytes are known from the stranger who found no room.
  await hear(7n, "192.0.2.8");
  assertEquals(open("stranger"), [1n, 2n, 5n, 6n]);
  await hear(7n, PEER);
  assertEquals(open("peer"), [4n, 7n]);
  assertEquals(crowd.pending(), [1n, 2n, 4n, 5n, 6n, 7n]);
});

Deno.test("JournaledMemory: what strangers asked is shown to peers once it cannot be settled here", async () => {
  await using crowd = await crowded();
  const { show, shown, keepBack } = crowd;
  await show(1n, "192.0.2.8");
  await show(2n, PEER);
  await show(3n, "192.0.2.8");
  keepBack((size) => size < 3n);
  assertEquals(shown(), [2n, 3n], "what a peer asked is shown all the same");
  keepBack(() => false);
  assertEquals(shown(), [1n, 2n, 3n]);
});

Deno.test("JournaledMemory: at its end it writes what peers told, and no more of strangers", async () => {
  await using scene = await remembering();
  for (const size of [1n, 2n, 3n]) await scene.show(size, `192.0.2.${10n + size}`);
  await scene.show(5n, PEER);
  scene.memory.end();
  await scene.memory.writeTold();
  assertEquals(await scene.written(), [`exchange ${PEER} pending 5`]);
});

/** A memory with room for four questions of each kind, of a log of 9 entries. */
async function crowded() {
  const log = await logOf("log.example/remembered", 9);
  const world = worldOn(new MemoryDisk());
  const observations = await ObservationJournal.open({ world, folder: FOLDER });
  const limit = { questions: 4, noteLength: 1_000_000 };
  const limits = { log: limit, peer: limit, stranger: limit };
  const isPeer = (source: string): boolean => source === PEER;
  const memory = new JournaledMemory({ observations, world, limits, isPeer });
  const detector = new EquivocationDetector({ memory });
  const judge = new Judge({ logs: [log.log], detector });
  return {
    async show(size: bigint, source: string): Promise<void> {
      detector.observe(await checkpointOf(log, size), source);
      await memory.writeTold(source);
    },
    async hear(size: bigint, source: string): Promise<void> {
      judge.hear((await checkpointOf(log, size)).frame, source, new Set());
      await memory.writeTold(source);
    },
    open: (asker: Asker) =>
      memory.questions(log.log).of(asker).map(({ treeSize }) => treeSize).sort(),
    pending: () => observations.pending(log.log).map(({ treeSize }) => treeSize),
    shown: () => memory.shownOpen(log.log, 12).map(({ treeSize }) => treeSize).sort(),
    keepBack: (isOurs: (size: bigint) => boolean) =>
      memory.questions(log.log).keepBack(({ treeSize }) => isOurs(treeSize)),
    [Symbol.asyncDispose]: () => observations.close(),
  };
}

Deno.test("JournaledMemory: who tells the same over two connections waits on both", async () => {
  await using scene = await remembering();
  for (const source of [PEER, "192.0.2.9"]) {
    const size = source === PEER ? 5n : 6n;
    await scene.show(size, source);
    // Found by seed 212: the second was answered while the first was still being written.
    const first = scene.memory.writeTold(source);
    await scene.memory.writeTold(source);
    assertEquals((await scene.written()).at(-1), `exchange ${source} pending ${size}`);
    await first;
  }
});

Deno.test("JournaledMemory: of two strangers who ask too much the one who asks more gives way", async () => {
  const log = await logOf("log.example/remembered", 9);
  const world = worldOn(new MemoryDisk());
  const observations = await ObservationJournal.open({ world, folder: FOLDER });
  const limit = { questions: 4, noteLength: 1_000_000 };
  const limits = { log: limit, peer: limit, stranger: limit };
  const leftOut: string[] = [];
  const memory = new JournaledMemory({
    ...{ observations, world, limits },
    isPeer: () => false,
    tell: (one) => one.kind === "left out" && leftOut.push(one.source),
  });
  const detector = new EquivocationDetector({ memory });
  const show = async (size: bigint, source: string): Promise<void> => {
    detector.observe(await checkpointOf(log, size), source);
    await memory.writeTold(source);
  };
  for (const size of [1n, 2n, 3n, 4n, 5n]) await show(size, "192.0.2.8");
  assertEquals(leftOut, ["192.0.2.8"], "a newcomer who has the most itself is left out");
  await show(9n, "192.0.2.9");
  const open = memory.questions(log.log).of("stranger").map(({ treeSize }) => treeSize);
  assertEquals(open, [1n, 2n, 3n, 9n]);
  await memory.writeTold();
  await observations.flushRepeats(AT);
  assertEquals(memory.questions(log.log).leftOut, 2);
  await observations.close();
});
