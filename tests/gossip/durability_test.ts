/** Nobody is told of a conflict before it is durable: a monitor on a disk that is slow or refuses. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import type { Seen } from "../../src/evidence/conflict.ts";
import { ShortMemory } from "../../src/evidence/memory.ts";
import { noteItem } from "../../src/gossip/note_item.ts";
import { encodeParcel } from "../../src/gossip/parcel.ts";
import { ExchangeFailed } from "../../src/gossip/caller.ts";
import { IncidentNotWritten, type Recollection } from "../../src/monitor/case_keeper.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import type { Log } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { WorldError } from "../../src/world/world.ts";
import { FakeFiles } from "./fake_files.ts";
import { settled } from "./fake_network.ts";
import { ask, CALLER, checkpointOf, Fleet, frameOf, logOf, storiesOf } from "./helpers.ts";

/** A signer that can be made to wait or to fail. */
async function handSigner(): Promise<{ signer: Signer; before: { sign(): Promise<void> } }> {
  const { signer } = await generateSigner({ world: denoWorld(), name: "monitor.example/hand" });
  const before = { sign: () => Promise.resolve() };
  const sign: Signer["sign"] = async (message) => {
    await before.sign();
    return await signer.sign(message);
  };
  return { signer: { vkey: signer.vkey, sign }, before };
}

/** A memory whose database refuses to tell what was seen at some sizes. */
class RefusingMemory implements Recollection {
  readonly refuses = new Set<bigint>();
  readonly #memory = new ShortMemory();

  at(log: Log, treeSize: bigint): readonly Seen[] {
    if (this.refuses.has(treeSize)) throw new WorldError("other", "the database refuses");
    return this.#memory.at(log, treeSize);
  }

  remember(seen: Seen): boolean {
    return this.#memory.remember(seen);
  }

  writeTold(): Promise<void> {
    return Promise.resolve();
  }

  shownOpen(): readonly [] {
    return [];
  }

  standing(): "unknown" {
    return "unknown";
  }
}

Deno.test("durability: on a disk that refuses nothing is answered, and it is tried again", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const callee = await fleet.enter("berlin", { files: disk, shown: ours });
  const caller = await fleet.enter("lima", { shown: theirs });

  disk.refuses.add("write");
  for (const attempt of [1, 2, 3]) {
    await assertRejects(() => caller.call(callee), ExchangeFailed, "answered 0 bytes");
    assertEquals(callee.report.outcomes, ["not written"], "it is told once");
    assertEquals(callee.report.refusedAll.length, attempt);
    assert(callee.report.refusedAll.at(-1)!.includes("the disk refuses to write"));
    await fleet.clock.advance(1_000);
  }
  assertEquals([callee.report.verdicts, caller.report.news], [[], []]);
  assertEquals(await callee.recorded(), []);

  disk.refuses.clear();
  assertEquals((await caller.call(callee)).map(({ verdict }) => verdict), ["inconsistent"]);
  await caller.call(callee);
  assertEquals(callee.report.outcomes.slice(1), ["recorded"]);
  // What is written in the end is what was reported at first, with the time of the finding.
  const [first, ...later] = callee.report.news.map(({ record }) => record);
  for (const record of later) assertEquals(record, first!);
  const ids = await callee.recorded();
  assertEquals(ids.length, 1);
  assertEquals(await caller.recorded(), ids);
});

Deno.test("durability: while a conflict is not written, nobody is answered anything", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const callee = await fleet.enter("berlin", { files: disk, shown: ours });
  const odd = await fleet.enter("lima", { shown: theirs });
  const honest = await fleet.enter("tokyo", { shown: ours });

  disk.refuses.add("write");
  for (const caller of [odd, honest]) {
    await assertRejects(() => caller.call(callee), ExchangeFailed, "answered 0 bytes");
  }
  disk.refuses.clear();
});

Deno.test("durability: a conflict lost with a broken disk is recorded when it is heard again", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const before = await fleet.enter("berlin", { files: disk, shown: ours });
  const caller = await fleet.enter("lima", { shown: theirs });
  // Neither the entry nor cutting it off can be synced: this journal is not written to any more.
  disk.refuses.add("sync");
  await assertRejects(() => caller.call(before), ExchangeFailed, "answered 0 bytes");
  disk.refuses.clear();
  await assertRejects(() => caller.call(before), ExchangeFailed, "answered 0 bytes");
  await assertRejects(() => before.leave(), IncidentNotWritten);

  const after = await fleet.enter("berlin", { files: disk, shown: ours });
  await caller.call(after);
  assertEquals((await after.recorded()).length, 1);
  assertEquals(await caller.recorded(), await after.recorded());
});

Deno.test("durability: an exchange with anyone writes what could not be written before", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const callee = await fleet.enter("berlin", { files: disk, shown: ours });
  const odd = await fleet.enter("lima", { shown: theirs });
  const honest = await fleet.enter("tokyo", { shown: ours });

  disk.refuses.add("write");
  await assertRejects(() => odd.call(callee), ExchangeFailed);
  disk.refuses.clear();
  await honest.call(callee);
  assertEquals([callee.report.outcomes, (await callee.recorded()).length], [
    ["not written", "recorded"],
    1,
  ]);
});

Deno.test("durability: a caller whose disk refuses says so, and writes with the next exchange", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const caller = await fleet.enter("berlin", { files: disk, shown: ours });
  const callee = await fleet.enter("lima", { shown: theirs });

  disk.refuses.add("write");
  for (const _ of ["found", "still not written"]) {
    await assertRejects(() => caller.call(callee), IncidentNotWritten, "the disk refuses to write");
  }
  assertEquals([caller.report.verdicts, await caller.recorded()], [[], []]);
  disk.refuses.clear();
  await caller.call(callee);
  assertEquals(await caller.recorded(), await callee.recorded());
  assertEquals(caller.report.outcomes, ["not written", "recorded"]);
});

Deno.test("durability: a checkpoint shown here that contradicts is kept in the same way", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const monitor = await fleet.enter("berlin", { files: disk, shown: ours });
  disk.refuses.add("write");
  await assertRejects(() => monitor.show(theirs), IncidentNotWritten);
  disk.refuses.clear();
  await monitor.show(theirs);
  await monitor.monitor.keep();
  assertEquals([monitor.report.outcomes, (await monitor.recorded()).length], [
    ["not written", "recorded"],
    1,
  ]);
});

Deno.test("durability: a monitor that ends writes what can still be written", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const monitor = await fleet.enter("berlin", { files: disk, shown: ours });
  disk.refuses.add("write");
  await assertRejects(() => monitor.show(theirs), IncidentNotWritten);
  disk.refuses.clear();
  await monitor.leave();
  assertEquals((await monitor.recorded()).length, 1);
});

Deno.test("durability: several conflicts of one exchange that refused are all written later", async () => {
  const [ours, theirs, others] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const disk = new FakeFiles();
  const monitor = await fleet.enter("berlin", { files: disk, shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  const quito = await fleet.enter("quito", { shown: others });
  disk.refuses.add("write");
  for (const odd of [lima, quito]) {
    await assertRejects(() => odd.call(monitor), ExchangeFailed);
  }
  disk.refuses.clear();
  await lima.call(monitor);
  assertEquals(new Set(await monitor.recorded()).size, 2);
  assertEquals(monitor.report.outcomes.filter((outcome) => outcome === "recorded").length, 2);
});

Deno.test("durability: two exchanges that show one tree at once record it once", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const callee = await fleet.enter("berlin", { shown: ours });
  const [lima, quito] = [await fleet.enter("lima"), await fleet.enter("quito")];
  for (const odd of [lima, quito]) await odd.show(theirs);
  await Promise.all([lima.call(callee), quito.call(callee)]);
  assertEquals((await callee.recorded()).length, 1);
  assertEquals(await lima.recorded(), await callee.recorded());
  assertEquals(await quito.recorded(), await callee.recorded());
});

Deno.test("durability: two exchanges that show two trees at once record each of them once", async () => {
  const [ours, theirs, others] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const callee = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  const quito = await fleet.enter("quito", { shown: others });
  await Promise.all([lima.call(callee), quito.call(callee)]);
  assertEquals(callee.report.outcomes, ["recorded", "recorded"]);
  assertEquals(new Set(await callee.recorded()).size, 2);
});

Deno.test("durability: while one exchange still signs a conflict, another is not told of it", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const { signer, before } = await handSigner();
  const callee = await fleet.enter("berlin", { signer, shown: ours });
  const signing = Promise.withResolvers<void>();
  before.sign = () => signing.promise;

  const frame = await frameOf(theirs);
  const [first, second] = [await fleet.knock(callee), await fleet.knock(callee)];
  await first.write(frame);
  await settled();
  await second.write(frame);
  await settled();
  const toldBefore = [first.arrived, second.arrived];
  signing.resolve();
  const told = [await ask(first, new Uint8Array(0)), await ask(second, new Uint8Array(0))];
  assertEquals(told.map(({ length }) => length), [FRAME_BYTES, FRAME_BYTES]);
  assertEquals((await callee.recorded()).length, 1);
  assertEquals(toldBefore, [0, 0], "an answer was sent before the conflict was durable");
});

Deno.test("durability: a conflict whose signing fails is not lost", async () => {
  const [ours, theirs] = await storiesOf(4);
  await using fleet = new Fleet(ours);
  const { signer, before } = await handSigner();
  const callee = await fleet.enter("berlin", { signer, shown: ours });
  const caller = await fleet.enter("lima", { shown: theirs });

  before.sign = () => Promise.reject(new Error("the key cannot be reached"));
  await assertRejects(() => caller.call(callee), ExchangeFailed, "answered 0 bytes");
  before.sign = () => Promise.resolve();
  await caller.call(callee);
  assertEquals((await callee.recorded()).length, 1);
});

/** How one caller tells of two checkpoints at once. */
const TELLINGS: readonly [
  what: string,
  tell: (...told: readonly VerifiedCheckpoint[]) => Uint8Array,
][] = [
  ["frame of an exchange", (...told) => concat(told.map(({ frame }) => frame))],
  ["note of a parcel", (...told) => encodeParcel(told.map(noteItem))],
];

for (const [what, tell] of TELLINGS) {
  Deno.test(`durability: a conflict is recorded though a later ${what} cannot be judged`, async () => {
    const [ours, theirs] = await storiesOf(4);
    await using fleet = new Fleet(ours);
    const memory = new RefusingMemory();
    const callee = await fleet.enter("berlin", { recollection: memory });
    const honest = await fleet.enter("tokyo");
    for (const player of [callee, honest]) await player.show(ours);

    memory.refuses.add(3n);
    const told = tell(await checkpointOf(theirs), await checkpointOf(theirs, 3n));
    assertEquals(await ask(await fleet.knock(callee), told), new Uint8Array(0));
    assertEquals(callee.report.refusedAll, ["the database refuses"]);
    assertEquals([callee.report.verdicts, await callee.recorded()], [[], []]);

    // Nobody tells it again: whoever comes next has what was found kept.
    memory.refuses.clear();
    await honest.call(callee);
    assertEquals(callee.report.outcomes, ["recorded"]);
    const { record } = callee.report.news[0]!;
    assertEquals([record.source_a, record.source_b], ["the log", CALLER]);
    assertEquals(await callee.recorded(), [record.evidence_id]);
    // Told again, it is the same case.
    assert((await ask(await fleet.knock(callee), told)).length > 0);
    assertEquals(callee.report.outcomes, ["recorded"]);
  });
}

Deno.test("durability: a conflict is recorded though a later answer cannot be judged", async () => {
  const [ours, theirs] = await storiesOf(4);
  const other = await logOf("log.example/other", 2);
  await using fleet = new Fleet(ours, other);
  const memory = new RefusingMemory();
  const caller = await fleet.enter("berlin", { recollection: memory });
  const [odd, honest] = [await fleet.enter("lima"), await fleet.enter("tokyo")];
  for (const player of [caller, honest]) await player.show(ours);
  await caller.show(other, 1n);
  await odd.show(theirs);
  await odd.show(other, 2n);

  memory.refuses.add(2n);
  await assertRejects(() => caller.call(odd), WorldError, "the database refuses");
  assertEquals([caller.report.verdicts, await caller.recorded()], [[], []]);

  memory.refuses.clear();
  await caller.call(honest);
  assertEquals(caller.report.outcomes, ["recorded"]);
  assertEquals(await caller.recorded(), await odd.recorded());
  await caller.call(odd);
  assertEquals(caller.report.outcomes, ["recorded"]);
});
