import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { EquivocationDetector, MAX_CONFLICTS_PER_LOG } from "../../src/evidence/detector.ts";
import { MAX_ROOTS_PER_SIZE, ShortMemory } from "../../src/evidence/memory.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { openFrame, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { verifyConsistency } from "../../src/tlog/proof.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { makeLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { checkpointOf, grow, newLog, newSigner, open, proofOf } from "./histories.ts";

Deno.test("detector: one history makes no conflict, in any order and however often", async () => {
  const log = grow(await newLog(), 20);
  const detector = new EquivocationDetector();
  for (const size of [5, 20, 1, 5, 0, 13, 20, 7]) {
    assertEquals(detector.observe(await checkpointOf(log, size), "x"), undefined);
  }
  for (const [older, newer] of [[1, 5], [5, 13], [7, 20], [1, 20], [13, 20]] as const) {
    assertEquals(detector.observeProof(proofOf(log, { older, newer })), { verdict: "consistent" });
  }
  assertEquals(detector.conflicts(), []);
});

Deno.test("detector: two roots at one size are a conflict, and the first seen comes first", async () => {
  const log = grow(await newLog(), 4);
  const [a, b] = [grow(log.fork(), 6, "a"), grow(log.fork(), 6, "b")];
  const detector = new EquivocationDetector();
  const first = await checkpointOf(a, 6);
  const second = await checkpointOf(b, 6);
  assertEquals(detector.observe(first, "one"), undefined);
  const conflict = detector.observe(second, "two")!;
  assertEquals(conflict.kind, "same_size");
  assertEquals(conflict.first, { checkpoint: first, source: "one" });
  assertEquals(conflict.second, { checkpoint: second, source: "two" });
  assertEquals(detector.conflicts(), [conflict]);
});

Deno.test("detector: a third root at one size is new evidence, a known one is not", async () => {
  const log = await newLog();
  const stories = ["a", "b", "c", "d"].map((story) => grow(log.fork(), 3, story));
  const detector = new EquivocationDetector();
  const found = [];
  for (const story of [...stories, ...stories, ...stories.toReversed()]) {
    found.push(detector.observe(await checkpointOf(story, 3), "x"));
  }
  assertEquals(found.map((conflict) => conflict !== undefined), [
    ...[false, true, true, true],
    ...Array(8).fill(false),
  ]);
  assertEquals(detector.conflicts().length, stories.length - 1);
});

Deno.test("detector: equal roots never conflict, whatever else the notes hold", async () => {
  const log = grow(await newLog(), 3);
  const note = await log.checkpoint();
  const detector = new EquivocationDetector();
  detector.observe(open(note, log.log), "x");
  const greased = note + "— grease.invalid AAAAAAECAwQ=\n";
  assertEquals(detector.observe(open(greased, log.log), "y"), undefined);
  assertEquals(detector.conflicts(), []);
});

Deno.test("detector: the same origin under another key is another log", async () => {
  const detector = new EquivocationDetector();
  for (const story of ["a", "b"]) {
    const log = grow(await newLog("same.invalid/origin"), 3, story);
    assertEquals(detector.observe(await checkpointOf(log), "x"), undefined);
  }
});

for (
  const [older, newer] of [[5, 9], [8, 13], [1, 2], [4, 8], [7, 8], [12, 300], [255, 256]] as const
) {
  Deno.test(`detector: an older root at ${older} contradicted by a newer one at ${newer} is a conflict`, async () => {
    const log = await newLog();
    const honest = grow(log.fork(), newer, "honest");
    const other = grow(log.fork(), older, "other");
    const signed = await checkpointOf(other, older);
    for (const order of ["older first", "newer first"]) {
      const detector = new EquivocationDetector();
      const both = [signed, await checkpointOf(honest, newer)];
      for (const each of order === "older first" ? both : both.toReversed()) {
        assertEquals(detector.observe(each, "x"), undefined);
      }
      const outcome = detector.observeProof(proofOf(honest, { older, newer }));
      assert(outcome.verdict === "inconsistent");
      const [conflict, ...more] = outcome.conflicts;
      assertEquals(more, []);
      assert(conflict?.kind === "cross_size");
      assertEquals(conflict.first.checkpoint, signed);
      assertEquals(conflict.second.checkpoint.treeSize, BigInt(newer));
      assertEquals(conflict.consistency.impliedRoot, honest.root(BigInt(older)));
      // Heard again, from whomever: nothing new.
      const again = detector.observeProof(proofOf(honest, { older, newer }));
      assertEquals(again, { verdict: "inconsistent", conflicts: [] });
    }
  });
}

Deno.test("detector: a proof served with the signed older root convicts if it reproduces the newer", async () => {
  // What Venafi's log served in 2017: the older root stated is the signed one, the proof implies another.
  const log = await newLog();
  const honest = grow(log.fork(), 11, "honest");
  const other = grow(log.fork(), 6, "other");
  const detector = new EquivocationDetector();
  const signed = await checkpointOf(other, 6);
  detector.observe(signed, "x");
  detector.observe(await checkpointOf(honest, 11), "x");
  const outcome = detector.observeProof({
    ...proofOf(honest, { older: 6, newer: 11 }),
    older: signed,
  });
  assertEquals(outcome.verdict, "inconsistent");
  assertEquals(detector.conflicts().length, 1);
});

Deno.test("detector: a proof that fails convicts nobody", async () => {
  const log = await newLog();
  const honest = grow(log.fork(), 11, "honest");
  const other = grow(log.fork(), 6, "other");
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(other, 6), "x");
  detector.observe(await checkpointOf(honest, 11), "x");
  const sound = proofOf(honest, { older: 6, newer: 11 });
  const flipped = sound.proof.map((hash) => hash.map((byte, i) => i === 0 ? byte ^ 1 : byte));
  const bad = [
    { ...sound, proof: [] },
    { ...sound, proof: sound.proof.slice(1) },
    { ...sound, proof: [...sound.proof, sound.proof[0]!] },
    { ...sound, proof: sound.proof.toReversed() },
    ...sound.proof.map((_, at) => ({ ...sound, proof: sound.proof.with(at, flipped[at]!) })),
    { ...sound, newer: { ...sound.newer, rootHash: sound.older.rootHash } },
    { ...sound, proof: sound.proof.map((hash) => hash.slice(1)) },
  ];
  for (const proof of bad) assertEquals(detector.observeProof(proof), { verdict: "failed" });
  assertEquals(detector.conflicts(), []);
});

Deno.test("detector: a proof to a root the log never signed compares nothing", async () => {
  const log = await newLog();
  const madeUp = grow(log.fork(), 11, "made up by a stranger");
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(grow(log.fork(), 6, "honest"), 6), "x");
  const outcome = detector.observeProof(proofOf(madeUp, { older: 6, newer: 11 }));
  assertEquals(outcome, { verdict: "nothing to compare" });
  assertEquals(detector.conflicts(), []);
});

Deno.test("detector: size 0 holds no history, so no proof from it convicts", async () => {
  const log = grow(await newLog(), 5);
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(log, 0), "x");
  detector.observe(await checkpointOf(log, 5), "x");
  const outcome = detector.observeProof(proofOf(log, { older: 0, newer: 5 }));
  assertEquals(outcome, { verdict: "nothing to compare" });
});

Deno.test("detector: the cap bounds a log that goes mad, and is told", async () => {
  const log = await newLog();
  const trusting = { ...log.log, verifies: () => true };
  const frame = (await checkpointOf(grow(log, 7))).frame;
  const detector = new EquivocationDetector();
  const extra = 3;
  for (let i = 0; i < MAX_CONFLICTS_PER_LOG + extra; i++) {
    for (const root of [1, 2]) {
      const view = new DataView(frame.buffer);
      view.setBigUint64(0, BigInt(i + 1)); // Another size each time, and two roots there.
      view.setUint32(8, root);
      const opened = openFrame({ frame, logs: [trusting] });
      assert(!("refused" in opened));
      const conflict = detector.observe(opened, "x");
      assertEquals(conflict !== undefined, root === 2 && i < MAX_CONFLICTS_PER_LOG);
    }
  }
  assertEquals(detector.conflicts().length, MAX_CONFLICTS_PER_LOG);
  assertEquals(detector.beyondCap(log.log), { perSize: 0, perLog: extra });
});

Deno.test("detector: conflicts are kept up to so many characters of notes, and told beyond that", async () => {
  const log = await newLog();
  const stories = ["a", "b", "c", "d", "e"].map((story) => grow(log.fork(), 4, story));
  const roots = await Promise.all(stories.map((story) => checkpointOf(story)));
  const length = roots[0]!.note.length;
  const detector = new EquivocationDetector({ maxConflictNotesPerLog: 4 * length });
  const found = roots.map((root) => detector.observe(root, "x") !== undefined);
  assertEquals(found, [false, true, true, false, false]);
  assertEquals([detector.found, detector.beyondCap(log.log)], [2, { perSize: 0, perLog: 2 }]);
});

Deno.test("detector: what a journal has is counted once, whether or not it is shown again", async () => {
  const log = await newLog();
  const stories = ["a", "b", "c"].map((story) => grow(log.fork(), 4, story));
  const [a, b, c] = await Promise.all(stories.map((story) => checkpointOf(story)));
  const pair = (first: VerifiedCheckpoint, second: VerifiedCheckpoint): Conflict => ({
    kind: "same_size",
    ...{ first: { checkpoint: first, source: "x" }, second: { checkpoint: second, source: "x" } },
  });
  const detector = new EquivocationDetector({ maxConflictsPerLog: 2 });
  detector.observe(a!, "x", { isOnRecord: true });
  assert(detector.observe(b!, "x", { isOnRecord: true }) !== undefined);
  detector.countRecorded(log.log, { noteLength: a!.note.length + b!.note.length });
  assert(detector.admits(pair(a!, c!)), "one of two");
  assertEquals(detector.admits(pair(b!, c!)), false);
  assertEquals(detector.beyondCap(log.log), { perSize: 0, perLog: 1 });
  const taken = detector.takeConflicts();
  assertEquals([taken.length, detector.conflicts(), detector.found], [1, [], 1]);
});

/** A seeded history of up to three stories and what of it was signed and proven. */
interface Scenario {
  readonly signed: VerifiedCheckpoint[];
  readonly proofs: ReturnType<typeof proofOf>[];
}

const LARGEST = 24;
const scenario = fc.record({
  forkAt: fc.integer({ min: 0, max: LARGEST - 1 }),
  secondForkAt: fc.integer({ min: 0, max: LARGEST - 1 }),
  signed: fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: LARGEST })), {
    minLength: 4,
    maxLength: 24,
  }),
  proofs: fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.integer({ min: 1, max: LARGEST }),
      fc.integer({ min: 1, max: LARGEST }),
    ),
    { minLength: 2, maxLength: 24 },
  ),
});

type ScenarioPlan = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

async function stage(base: TestLog, plan: ScenarioPlan): Promise<Scenario> {
  const fork = (at: number, story: string): TestLog => grow(grow(base.fork(), at), LARGEST, story);
  const stories = [
    grow(base.fork(), LARGEST),
    fork(plan.forkAt, "b"),
    fork(plan.secondForkAt, "c"),
  ];
  const signed = await Promise.all(
    plan.signed.map(([story, size]) => checkpointOf(stories[story]!, size)),
  );
  const proofs = plan.proofs.filter(([, a, b]) => a !== b).map(([story, a, b]) =>
    proofOf(stories[story]!, { older: Math.min(a, b), newer: Math.max(a, b) })
  );
  return { signed, proofs };
}

/** The reference: compares every pair, and every pair under every proof; knows no rule of counting. */
function bruteForce({ signed, proofs }: Scenario): { convicted: Set<string>; count: number } {
  const name = ({ treeSize, rootHash }: { treeSize: bigint; rootHash: Uint8Array }): string =>
    `${treeSize} ${encodeHex(rootHash)}`;
  const distinct = new Map(signed.map((checkpoint) => [name(checkpoint), checkpoint]));
  const convicted = new Set<string>();
  const atSize = new Map<bigint, number>();
  for (const a of distinct.values()) {
    atSize.set(a.treeSize, (atSize.get(a.treeSize) ?? 0) + 1);
    for (const b of distinct.values()) {
      if (a.treeSize === b.treeSize && name(a) !== name(b)) convicted.add(name(a)).add(name(b));
    }
  }
  const contradicted = new Set<string>();
  for (const older of distinct.values()) {
    for (const newer of distinct.values()) {
      for (const proof of proofs) {
        const applies = proof.older.treeSize === older.treeSize &&
          name(proof.newer) === name(newer);
        if (applies && verifyConsistency(proof) && name(proof.older) !== name(older)) {
          contradicted.add(name(older));
          convicted.add(name(older));
        }
      }
    }
  }
  const sameSize = [...atSize.values()].reduce((sum, k) => sum + k - 1, 0);
  return { convicted, count: sameSize + contradicted.size };
}

function convictedBy(conflicts: readonly Conflict[]): Set<string> {
  const roots = conflicts.flatMap(({ kind, first, second }) =>
    kind === "same_size" ? [first, second] : [first]
  );
  return new Set(
    roots.map(({ checkpoint }) => `${checkpoint.treeSize} ${encodeHex(checkpoint.rootHash)}`),
  );
}

Deno.test("detector: convicts exactly what comparing all pairs convicts, in any order", async () => {
  const base = await newLog();
  let withConflict = 0;
  await fc.assert(
    fc.asyncProperty(scenario, fc.infiniteStream(fc.nat()), async (plan, random) => {
      const staged = await stage(base, plan);
      const expected = bruteForce(staged);
      if (expected.count > 0) withConflict++;
      for (let order = 0; order < 3; order++) {
        const detector = new EquivocationDetector();
        for (const checkpoint of shuffled(staged.signed, random)) detector.observe(checkpoint, "x");
        for (const proof of shuffled(staged.proofs, random)) detector.observeProof(proof);
        assertEquals(convictedBy(detector.conflicts()), expected.convicted);
        assertEquals(detector.conflicts().length, expected.count);
      }
    }),
    { numRuns: 150 },
  );
  assert(withConflict > 50, `only ${withConflict} histories had a conflict to find`);
});

function shuffled<T>(items: readonly T[], random: Iterator<number>): T[] {
  const keyed = items.map((item) => ({ item, key: random.next().value as number }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

Deno.test("detector: one root signed for two sizes is no conflict, and hides none", async () => {
  const log = await newLog();
  const honest = grow(log.fork(), 9, "honest");
  const trusting = { ...log.log, verifies: () => true };
  const signedAt = async (size: number, root: TestLog): Promise<VerifiedCheckpoint> => {
    const { frame } = await checkpointOf(root, 8);
    new DataView(frame.buffer).setBigUint64(0, BigInt(size));
    const opened = openFrame({ frame, logs: [trusting] });
    assert(!("refused" in opened));
    return opened;
  };
  for (const order of [[8, 9], [9, 8]]) {
    const detector = new EquivocationDetector();
    detector.observe(await signedAt(5, honest), "x");
    detector.observe(await signedAt(8, honest), "x");
    detector.observe(await checkpointOf(honest, 9), "x");
    for (const newer of order) detector.observeProof(proofOf(honest, { older: 5, newer }));
    assertEquals(detector.conflicts().map(({ second }) => second.checkpoint.treeSize), [9n]);
  }
});

Deno.test("detector: a root seen with extension lines first can still be told in a frame", async () => {
  const log = grow(await newLog(), 3);
  const signer = await newSigner("key.invalid/extended");
  const extended = makeLog({ vkey: signer.vkey, origin: log.log.origin });
  const text = `${log.log.origin}\n3\n${base64(log.root(3n))}\n`;
  const noteOf = async (signed: string): Promise<string> =>
    formatNote({ text: signed, vkey: signer.vkey, signature: await signer.sign(utf8(signed)) });
  const memory = new ShortMemory();
  const detector = new EquivocationDetector({ memory });
  detector.observe(open(await noteOf(`${text}extension\n`), extended), "x");
  const plain = open(await noteOf(text), extended);
  assertEquals(detector.observe(plain, "y"), undefined);
  assertEquals(memory.at(extended, 3n).map(({ checkpoint }) => checkpoint.fitsFrame), [true]);
});

/** Frames of one size with ever other roots, which a trusting log takes as signed. */
async function manyRoots(count: number, size = 7) {
  const log = await newLog();
  const trusting = { ...log.log, verifies: () => true };
  const { frame } = await checkpointOf(grow(log, size));
  const roots = Array.from({ length: count }, (_, i) => {
    new DataView(frame.buffer).setUint32(8, i + 1);
    const opened = openFrame({ frame, logs: [trusting] });
    assert(!("refused" in opened));
    return opened;
  });
  return { log: trusting, roots };
}

Deno.test("detector: of many roots at one size a handful is kept, and the rest is counted", async () => {
  const extra = 5;
  const { log, roots } = await manyRoots(MAX_ROOTS_PER_SIZE + extra);
  const detector = new EquivocationDetector();
  const found = roots.map((root) => detector.observe(root, "x") !== undefined);
  assertEquals(found, roots.map((_, i) => i > 0 && i < MAX_ROOTS_PER_SIZE));
  assertEquals(detector.beyondCap(log), { perSize: extra, perLog: 0 });
  const { isKept, others } = detector.takeIn(roots[0]!, "x");
  assertEquals([isKept, others.length], [true, MAX_ROOTS_PER_SIZE - 1]);
  // Whoever shows one that is not kept is shown what contradicts it.
  const beyond = detector.takeIn(roots.at(-1)!, "x");
  assertEquals([beyond.isKept, beyond.others.length], [false, MAX_ROOTS_PER_SIZE]);
  // Another size has a handful of its own, and so has another log.
  for (const { roots: [one, two] } of [await manyRoots(2, 8), await manyRoots(2)]) {
    assertEquals(detector.observe(one!, "x"), undefined);
    assert(detector.observe(two!, "x") !== undefined);
  }
});

Deno.test("detector: roots that fit no frame do not keep out the one that can be told in one", async () => {
  const signer = await newSigner("key.invalid/extended");
  const log = makeLog({ vkey: signer.vkey, origin: "log.invalid/extended" });
  const noteOf = async (root: number, extension: string): Promise<string> => {
    const text = `${log.origin}\n3\n${base64(new Uint8Array(32).fill(root))}\n${extension}`;
    return formatNote({ text, vkey: signer.vkey, signature: await signer.sign(utf8(text)) });
  };
  const detector = new EquivocationDetector();
  for (let root = 1; root <= MAX_ROOTS_PER_SIZE; root++) {
    detector.observe(open(await noteOf(root, "extension\n"), log), "x");
  }
  const framed = open(await noteOf(100, ""), log);
  assert(detector.observe(framed, "x") !== undefined);
  assertEquals(detector.observe(open(await noteOf(101, ""), log), "x"), undefined);
  const stranger = open(await noteOf(102, ""), log);
  assert(detector.takeIn(stranger, "x").others.some(({ checkpoint }) => checkpoint.fitsFrame));
});

Deno.test("detector: two who kept other handfuls of one size each record a case when they meet", async () => {
  const { roots } = await manyRoots(2 * MAX_ROOTS_PER_SIZE);
  const shown = [roots.slice(0, MAX_ROOTS_PER_SIZE), roots.slice(MAX_ROOTS_PER_SIZE)];
  for (const own of [...shown, [roots[0]!]]) {
    const detector = new EquivocationDetector();
    for (const root of own) detector.observe(root, "own");
    for (const root of roots.toReversed()) {
      const { others } = detector.takeIn(root, "peer");
      assert(own.includes(root) || others.length > 0);
    }
    assertEquals(detector.conflicts().length, MAX_ROOTS_PER_SIZE - 1);
  }
});
