/** What a look at a log, or at a checkpoint heard of it, comes to. */
import { assert, assertEquals } from "@std/assert";
import type { Conflict } from "../../src/evidence/conflict.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { buildRecord } from "../../src/evidence/record.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { THE_LOG } from "../../src/monitor/the_log.ts";
import type { Finding } from "../../src/monitor/finding.ts";
import { LogWatch } from "../../src/monitor/watch.ts";
import type { Source } from "../../src/sources/source.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import type { Log } from "../../src/tlog/log.ts";
import { checkpointOf, grow, newLog } from "../evidence/histories.ts";
import {
  type LatestTrouble,
  noteOf,
  type ProofTrouble,
  ScriptedSource,
} from "./scripted_source.ts";

const PEER = "192.0.2.7";

/** Two stories of one log that part after `common` entries, both of `size` entries. */
async function stories(common: number, size = 20): Promise<[TestLog, TestLog]> {
  const ours = grow(await newLog(), common);
  const theirs = ours.fork();
  return [grow(ours, size, "ours"), grow(theirs, size, "theirs")];
}

/** A finding, and the conflicts that the detector lists since. */
type Listed = Finding & { readonly conflicts: readonly Conflict[] };

/** A watch that tells with each finding what it has added to the detector's list. */
class ListingWatch extends LogWatch {
  readonly #detector: EquivocationDetector;

  constructor(fields: { log: Log; source: Source; detector: EquivocationDetector }) {
    super(fields);
    this.#detector = fields.detector;
  }

  override poll(): Promise<Listed> {
    return this.#listing(() => super.poll());
  }

  override settle(checkpoint: VerifiedCheckpoint, source: string): Promise<Listed> {
    return this.#listing(() => super.settle(checkpoint, source));
  }

  async #listing(look: () => Promise<Finding>): Promise<Listed> {
    const before = this.#detector.conflicts().length;
    const finding = await look();
    return { ...finding, conflicts: this.#detector.conflicts().slice(before) };
  }
}

/** A watch over a story, with a view of this size; none if it is left out. */
async function watching(story: TestLog, viewSize?: number) {
  const source = new ScriptedSource(story, viewSize);
  const detector = new EquivocationDetector();
  const watch = new ListingWatch({ log: story.log, source, detector });
  if (viewSize !== undefined) assert(watch.advance(await watch.poll()), "the first is taken");
  const view = watch.view;
  /** Polls at a size; the view must be what it was, unless it may advance. */
  async function poll(size?: number): Promise<Listed> {
    if (size !== undefined) source.size = size;
    return await watch.poll();
  }
  return { watch, source, poll, view };
}

/** Asserts that a finding moves nothing, and that it convicts nobody. */
function assertHarmless(watch: LogWatch, finding: Listed): void {
  const before = watch.view;
  assertEquals(watch.advance(finding), false);
  assertEquals(watch.view, before);
  assertEquals(finding.conflicts, []);
}

/** Asserts that a finding has one conflict, of this kind, that a stranger would accept. */
function assertConvicts(finding: Listed, kind: "same_size" | "cross_size"): void {
  assertEquals(finding.result, "inconsistent");
  assertEquals(finding.conflicts.map((conflict) => conflict.kind), [kind]);
  const record = buildRecord({
    conflict: finding.conflicts[0]!,
    detectedAt: "2026-01-01T00:00:00.000Z",
  });
  assertEquals(verifyConflict({ input: record as unknown as JsonObject }).outcome, "holds");
}

Deno.test("watch: the first checkpoint is taken as it is", async () => {
  const { watch, poll } = await watching(grow(await newLog(), 3));
  const finding = await poll();
  assertEquals([finding.result, finding.source, finding.conflicts], ["first", THE_LOG, []]);
  assertEquals(watch.view, undefined, "not before it is durable");
  assert(watch.advance(finding));
  assertEquals(watch.view?.treeSize, 3n);
});

Deno.test("watch: a log without entries has a first checkpoint as well", async () => {
  const { watch, poll } = await watching(await newLog());
  const finding = await poll();
  assertEquals(finding.result, "first");
  assert(watch.advance(finding));
  assertEquals(watch.view?.treeSize, 0n);
});

for (const older of [0, 1, 2, 3, 4, 7, 8, 16]) {
  Deno.test(`watch: size 20 extends size ${older} by its proof`, async () => {
    const { watch, source, poll } = await watching(grow(await newLog(), 20), older);
    const finding = await poll(20);
    assertEquals(finding.result, "extends");
    assertEquals(watch.view?.treeSize, BigInt(older), "not before it is durable");
    assert(watch.advance(finding));
    assertEquals(watch.view?.treeSize, 20n);
    assertEquals(
      source.told,
      older === 0 ? [] : [true],
      "a proof from the empty tree says nothing",
    );
  });

  Deno.test(`watch: size ${older} after size 20 is rolled back, and the view stays`, async () => {
    const { watch, poll } = await watching(grow(await newLog(), 20), 20);
    const finding = await poll(older);
    assertEquals(finding.result, "rolled back");
    assertEquals(finding.checkpoint?.treeSize, BigInt(older));
    assertHarmless(watch, finding);
    assertEquals(watch.view?.treeSize, 20n);
  });

  Deno.test(`watch: size ${older} heard at a view of 20 is consistent`, async () => {
    const log = grow(await newLog(), 20);
    const { watch } = await watching(log, 20);
    const finding = await watch.settle(await checkpointOf(log, older), PEER);
    assertEquals([finding.result, finding.source], ["consistent", PEER]);
    assertHarmless(watch, finding);
  });
}

Deno.test("watch: the view again is unchanged from the log, consistent from a peer", async () => {
  const log = grow(await newLog(), 5);
  const { watch, source, poll } = await watching(log, 5);
  const polled = await poll();
  assertEquals(polled.result, "unchanged");
  assertHarmless(watch, polled);
  const heard = await watch.settle(await checkpointOf(log, 5), PEER);
  assertEquals(heard.result, "consistent");
  assertHarmless(watch, heard);
  assertEquals(source.asked.consistency, 0, "nothing needs a proof");
});

Deno.test("watch: a checkpoint above the view is pending, and without a view any is", async () => {
  const log = grow(await newLog(), 9);
  const { watch, source } = await watching(log, 5);
  const above = await watch.settle(await checkpointOf(log, 9), PEER);
  assertEquals(above.result, "pending");
  assertHarmless(watch, above);
  const blank = await watching(log);
  const any = await blank.watch.settle(await checkpointOf(log, 2), PEER);
  assertEquals(any.result, "pending");
  assertHarmless(blank.watch, any);
  assertEquals(source.asked.consistency, 0);
});

for (const from of ["the log", "a peer"] as const) {
  Deno.test(`watch: another root at the view's size, from ${from}, is inconsistent`, async () => {
    const [ours, theirs] = await stories(4);
    const { watch, source, view } = await watching(ours, 6);
    source.story = theirs;
    const finding = from === "the log"
      ? await watch.poll()
      : await watch.settle(await checkpointOf(theirs, 6), PEER);
    assertConvicts(finding, "same_size");
    assertEquals(watch.advance(finding), false);
    assertEquals(watch.view, view);
  });
}

Deno.test("watch: an inconsistency is new once, and inconsistent ever after", async () => {
  const [ours, theirs] = await stories(4);
  const { watch, source } = await watching(ours, 6);
  source.story = theirs;
  assertConvicts(await watch.poll(), "same_size");
  const again = await watch.poll();
  assertEquals([again.result, again.conflicts], ["inconsistent", []]);
  source.size = 9;
  source.proofTrouble = { story: theirs };
  assertConvicts(await watch.poll(), "cross_size");
  const crossAgain = await watch.poll();
  assertEquals([crossAgain.result, crossAgain.conflicts], ["inconsistent", []]);
});

for (const [older, newer] of [[5, 9], [8, 9], [8, 16], [4, 20], [7, 16], [1, 2]] as const) {
  Deno.test(`watch: a tree of ${newer} with another root at the view's ${older} is inconsistent`, async () => {
    const [ours, theirs] = await stories(older - 1);
    const { watch, source, view } = await watching(ours, older);
    source.story = theirs;
    source.size = newer;
    const finding = await watch.poll();
    assertConvicts(finding, "cross_size");
    assertEquals(finding.against?.treeSize, BigInt(older));
    assertEquals(watch.advance(finding), false);
    assertEquals(watch.view, view);
  });

  Deno.test(`watch: a root heard at ${older} that a view of ${newer} has not is inconsistent`, async () => {
    const [ours, theirs] = await stories(older - 1);
    const { watch, view } = await watching(ours, newer);
    const finding = await watch.settle(await checkpointOf(theirs, older), PEER);
    assertConvicts(finding, "cross_size");
    assertEquals(finding.against?.treeSize, BigInt(newer));
    assertEquals(watch.view, view);
  });

  Deno.test(`watch: an old root of another story at ${older}, after ${newer}, is inconsistent`, async () => {
    const [ours, theirs] = await stories(older - 1);
    const { watch, source, view } = await watching(ours, newer);
    source.latestTrouble = { note: await noteOf(theirs, older) };
    const finding = await watch.poll();
    assertConvicts(finding, "cross_size");
    assertEquals(watch.advance(finding), false);
    assertEquals(watch.view, view);
  });
}

Deno.test("watch: the story the view is of goes on after the other was shown", async () => {
  const [ours, theirs] = await stories(4);
  const { watch, source, poll } = await watching(ours, 6);
  source.story = theirs;
  await poll(9);
  source.story = ours;
  const finding = await poll(10);
  assertEquals(finding.result, "extends");
  assert(watch.advance(finding));
  source.story = theirs;
  const other = await poll(12);
  assertEquals(other.result, "inconsistent");
  assertEquals(watch.advance(other), false);
  assertEquals(watch.view?.root, (await checkpointOf(ours, 10)).root);
});

Deno.test("watch: a view is not replaced by an inconsistent root the log shows at a larger size heard before", async () => {
  const [ours, theirs] = await stories(4);
  const { watch, source, poll, view } = await watching(ours, 6);
  await watch.settle(await checkpointOf(theirs, 9), PEER);
  // The proof would hold; but the log has signed two roots at this size, and one is enough to stop.
  const finding = await poll(9);
  assertConvicts(finding, "same_size");
  assertEquals(watch.advance(finding), false);
  assertEquals(watch.view, view);
  assertEquals(source.asked.consistency, 0);
});

const PROOF_TROUBLES: readonly [name: string, trouble: ProofTrouble, asked: number][] = [
  ["refused", "refused", 1],
  ["that fails, asked for twice,", "wrong", 2],
];

for (const [name, proofTrouble, asked] of PROOF_TROUBLES) {
  Deno.test(`watch: growth with a proof ${name} is unproven`, async () => {
    const { watch, source, poll } = await watching(grow(await newLog(), 9), 5);
    source.proofTrouble = proofTrouble;
    const finding = await poll(9);
    assertEquals(finding.result, "unproven");
    assertHarmless(watch, finding);
    assertEquals(source.asked.consistency, asked);
    assertEquals(finding.retryAfterMs, undefined);
  });

  Deno.test(`watch: a heard size with a proof ${name} is unproven, even if it is of another story`, async () => {
    const [ours, theirs] = await stories(4);
    const { watch, source } = await watching(ours, 9);
    source.proofTrouble = proofTrouble;
    for (const [story, size] of [[ours, 6], [theirs, 7]] as const) {
      const finding = await watch.settle(await checkpointOf(story, size), PEER);
      assertEquals(finding.result, "unproven");
      assertHarmless(watch, finding);
    }
  });
}

Deno.test("watch: a checkpoint of one story with the proof of another is unproven", async () => {
  const [ours, theirs] = await stories(4);
  const { watch, source, poll } = await watching(ours, 6);
  source.proofTrouble = { story: theirs };
  const finding = await poll(9);
  assertEquals(finding.result, "unproven");
  assertHarmless(watch, finding);
  assertEquals(source.told, [false, false], "the source is told that it does not hold");
});

Deno.test("watch: a proof that fails once, as from a cache, and holds then is as good", async () => {
  const { watch, source, poll } = await watching(grow(await newLog(), 9), 5);
  source.proofTrouble = "wrong until told";
  const finding = await poll(9);
  assertEquals(finding.result, "extends");
  assert(watch.advance(finding));
  assertEquals(source.told, [false, true]);
});

Deno.test("watch: what is unproven is proven when the log gives the proof", async () => {
  const { watch, source, poll } = await watching(grow(await newLog(), 9), 5);
  source.proofTrouble = "refused";
  assertEquals((await poll(9)).result, "unproven");
  source.proofTrouble = undefined;
  const finding = await poll(9);
  assertEquals(finding.result, "extends");
  assert(watch.advance(finding));
});

Deno.test("watch: an outage is unavailable, and says when to come again", async () => {
  const { watch, source, poll } = await watching(grow(await newLog(), 5), 5);
  source.latestTrouble = "unavailable";
  source.retryAfterMs = 7_000;
  const finding = await poll();
  assertEquals([finding.result, finding.retryAfterMs], ["unavailable", 7_000]);
  assertEquals(finding.checkpoint, undefined);
  assertHarmless(watch, finding);
});

Deno.test("watch: what is no signed checkpoint is unavailable, and no misbehaviour", async () => {
  const log = grow(await newLog(), 5);
  const { watch, source, poll } = await watching(log, 5);
  const note = await noteOf(log, 5);
  const troubles: LatestTrouble[] = [
    "garbage",
    { note: "" },
    // A note, but no checkpoint.
    { note: note.replace("\n5\n", "\nfive\n") },
    // A checkpoint that nobody has signed.
    { note: note.slice(0, note.indexOf("\u2014")) },
  ];
  for (const trouble of troubles) {
    source.latestTrouble = trouble;
    const finding = await poll();
    assertEquals(finding.result, "unavailable", JSON.stringify(trouble));
    assertHarmless(watch, finding);
  }
});

Deno.test("watch: an outage of the proofs is unavailable, names the checkpoint and when to come again", async () => {
  const log = grow(await newLog(), 9);
  const { watch, source, poll } = await watching(log, 5);
  source.proofTrouble = "unavailable";
  source.retryAfterMs = 9_000;
  const polled = await poll(9);
  assertEquals([polled.result, polled.retryAfterMs], ["unavailable", 9_000]);
  assertEquals(polled.checkpoint?.treeSize, 9n);
  assertHarmless(watch, polled);
  const heard = await watch.settle(await checkpointOf(log, 3), PEER);
  assertEquals([heard.result, heard.retryAfterMs], ["unavailable", 9_000]);
  assertHarmless(watch, heard);
});

Deno.test("watch: a fault of ours is no outage of a log", async () => {
  const { watch, source } = await watching(grow(await newLog(), 5));
  source.latest = () => Promise.reject(new TypeError("a bug"));
  const thrown = await watch.poll().catch((error) => error);
  assertEquals([thrown instanceof TypeError, thrown.message], [true, "a bug"]);
});

Deno.test("watch: advancing never goes back, whatever order findings become durable in", async () => {
  const { watch, poll } = await watching(grow(await newLog(), 20), 5);
  const [nine, twelve] = [await poll(9), await poll(12)];
  assert(watch.advance(twelve));
  assertEquals(watch.advance(nine), false);
  assertEquals(watch.advance(twelve), false, "the same again is no advance");
  assertEquals(watch.view?.treeSize, 12n);
});

Deno.test("watch: no result but first and extends advances, whatever it is about", async () => {
  const log = grow(await newLog(), 20);
  const { watch } = await watching(log, 5);
  const checkpoint = await checkpointOf(log, 20);
  const others = [
    ...["unchanged", "rolled back", "inconsistent", "unproven"] as const,
    ...["unavailable", "consistent", "pending"] as const,
  ];
  for (const result of others) {
    const finding = { log: log.log, result, source: THE_LOG, checkpoint };
    assertEquals(watch.advance(finding), false, result);
  }
  assertEquals(watch.view?.treeSize, 5n);
});

Deno.test("watch: what was proven before a restart is the view", async () => {
  const log = grow(await newLog(), 20);
  const [source, detector] = [new ScriptedSource(log, 9), new EquivocationDetector()];
  const view = await checkpointOf(log, 12);
  const watch = new LogWatch({ log: log.log, source, detector, view });
  assertEquals((await watch.poll()).result, "rolled back");
  assertEquals(watch.view, view);
});
