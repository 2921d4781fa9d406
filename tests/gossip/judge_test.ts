import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { Judge, type Said, ZERO_FRAME } from "../../src/gossip/judge.ts";
import { formatCheckpointText, openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { type Log, makeCosigned, parseLog } from "../../src/tlog/log.ts";
import { formatNote, parseNote } from "../../src/tlog/note.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { witness } from "../authority/policies.ts";
import { grow, newLog } from "../evidence/histories.ts";
import {
  checkpointOf,
  counting,
  flipped,
  frameOf,
  judgeOf,
  logOf,
  signingLog,
  storiesOf,
  unsigned,
} from "./helpers.ts";

/** Hears one frame in an exchange of its own. */
function hear(judge: Judge, frame: Uint8Array, source = "a peer"): Said {
  return judge.hear(frame, source, new Set());
}

/** What something comes to, and the conflicts that it adds to the detector's list. */
function finding<T extends object>(
  detector: EquivocationDetector,
  act: () => T,
): T & { conflicts: readonly Conflict[] } {
  const before = detector.conflicts().length;
  const outcome = act();
  return { ...outcome, conflicts: detector.conflicts().slice(before) };
}

Deno.test("view: a frame with the root it was shown at this size matches", async () => {
  const log = await logOf("log.example/a", 3);
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [log.log], shown: [log], detector });
  const { heard, answer } = hear(judge, await frameOf(log));
  assertEquals(heard.verdict, "matches");
  assertEquals(answer, await frameOf(log));
  assertEquals(detector.conflicts(), []);
});

Deno.test("view: what only peers say matches nothing, however often it is said", async () => {
  const log = await logOf("log.example/a", 3);
  const judge = await judgeOf({ logs: [log.log] });
  for (const source of ["a peer", "another", "a peer"]) {
    const { heard, answer } = hear(judge, await frameOf(log), source);
    assert(heard.verdict === "pending");
    assertEquals(heard.localSize, undefined);
    assertEquals(answer, ZERO_FRAME);
  }
});

Deno.test("view: a size it was not shown is pending, whether larger, smaller or between", async () => {
  const log = await logOf("log.example/a", 9);
  const detector = new EquivocationDetector();
  const judge = new Judge({ logs: [log.log], detector });
  judge.takeInOwn(await checkpointOf(log, 4n), "the log");
  judge.takeInOwn(await checkpointOf(log, 7n), "the log");
  for (const size of [0n, 3n, 5n, 9n]) {
    const { heard, answer } = hear(judge, await frameOf(log, size));
    assert(heard.verdict === "pending");
    assertEquals(heard.localSize, 7n);
    assertEquals(answer, await frameOf(log, 7n));
    assertEquals(detector.conflicts(), []);
  }
});

Deno.test("view: a frame is tried first under the key of the log whose size is nearest", async () => {
  const shown = await Promise.all([900, 30, 400].map((size) => logOf(`log.example/${size}`, size)));
  const counted = shown.map(({ log }) => counting(log));
  const judge = await judgeOf({ logs: counted.map(({ log }) => log), shown });
  for (const [i, log] of shown.entries()) {
    const before = counted.map(({ checked }) => checked());
    log.append("one more");
    assertEquals(hear(judge, await frameOf(log)).heard.verdict, "pending");
    const cost = counted.map(({ checked }, of) => checked() - before[of]!);
    assertEquals(cost, [0, 1, 2].map((of) => of === i ? 1 : 0));
  }
  // Far from all of them it is found all the same, and a frame of nobody is tried under every key.
  const [, small] = shown;
  for (let i = 0; i < 900; i++) small!.append(`${i}`);
  assertEquals(hear(judge, await frameOf(small!)).heard.verdict, "pending");
  const before = counted.map(({ checked }) => checked());
  assertEquals(hear(judge, unsigned(await frameOf(small!))).heard.verdict, "refused");
  assertEquals(counted.map(({ checked }, of) => checked() - before[of]!), [1, 1, 1]);
});

Deno.test("view: its latest is the largest size it was shown, in whatever order", async () => {
  const log = await logOf("log.example/a", 9);
  const judge = new Judge({ logs: [log.log], detector: new EquivocationDetector() });
  for (const [size, latest] of [[5n, 5n], [9n, 9n], [3n, 9n]] as const) {
    judge.takeInOwn(await checkpointOf(log, size), "the log");
    assertEquals(judge.latestFrame(log.log), await frameOf(log, latest));
  }
  const { heard, answer } = hear(judge, await frameOf(log, 3n));
  assertEquals(heard.verdict, "matches");
  assertEquals(answer, await frameOf(log, 9n));
});

Deno.test("view: an inconsistent frame is answered with what contradicts it, not the latest", async () => {
  const [ours, theirs] = await storiesOf(4);
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [ours.log], shown: [ours], detector });
  const before = await frameOf(ours);
  ours.append("and one more");
  judge.takeInOwn(await checkpointOf(ours), "the log");
  assertEquals(detector.conflicts(), []);
  const { heard, answer } = hear(judge, await frameOf(theirs), "lima");
  assert(heard.verdict === "inconsistent");
  assertEquals(heard.other.source, "the log");
  assertEquals(answer, before);
  const [conflict, ...more] = detector.conflicts();
  assert(conflict?.kind === "same_size");
  assertEquals(more, []);
  assertEquals([conflict.first.source, conflict.second.source], ["the log", "lima"]);
  assertEquals(conflict.second.checkpoint.rootHash, theirs.root(4n));
});

Deno.test("view: a conflict is given once, the inconsistency said every time", async () => {
  const [ours, theirs] = await storiesOf(4);
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [ours.log], shown: [ours], detector });
  const counts: number[] = [];
  for (const source of ["lima", "lima", "quito"]) {
    const frame = await frameOf(theirs);
    const { heard, answer, conflicts } = finding(detector, () => hear(judge, frame, source));
    assertEquals(heard.verdict, "inconsistent");
    assertEquals(answer, await frameOf(ours));
    counts.push(conflicts.length);
  }
  assertEquals(counts, [1, 0, 0]);
});

Deno.test("view: two peers who contradict each other get each other's checkpoint", async () => {
  const [one, two] = await storiesOf(4);
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [one.log], detector });
  const [frameOne, frameTwo] = [await frameOf(one), await frameOf(two)];
  assertEquals(hear(judge, frameOne).heard.verdict, "pending");
  const second = finding(detector, () => hear(judge, frameTwo));
  assertEquals([second.heard.verdict, second.answer], ["inconsistent", frameOne]);
  assertEquals(second.conflicts.length, 1);
  const again = finding(detector, () => hear(judge, frameOne));
  assertEquals([again.heard.verdict, again.answer], ["inconsistent", frameTwo]);
  assertEquals(again.conflicts, []);
});

Deno.test("view: a checkpoint shown later contradicts what was heard before", async () => {
  const [ours, theirs] = await storiesOf(4);
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [ours.log], detector });
  hear(judge, await frameOf(theirs), "lima");
  assertEquals(detector.conflicts(), []);
  assertEquals(judge.takeInOwn(await checkpointOf(ours), "the log"), true);
  const sources = detector.conflicts().map(({ first, second }) => [first.source, second.source]);
  assertEquals(sources, [["lima", "the log"]]);
  assertEquals(judge.takeInOwn(await checkpointOf(ours), "the log"), false, "it is new once");
  const { heard, answer } = hear(judge, await frameOf(theirs), "lima");
  assertEquals([heard.verdict, answer], ["inconsistent", await frameOf(ours)]);
});

Deno.test("view: a root that is not the local one never matches, even when the detector is full", async () => {
  const [ours, theirs] = await storiesOf(4);
  const detector = new EquivocationDetector({ maxConflictsPerLog: 0 });
  const judge = new Judge({ logs: [ours.log], detector });
  hear(judge, await frameOf(theirs));
  const contradicting = await checkpointOf(ours);
  judge.takeInOwn(contradicting, "the log");
  ours.append("and one more");
  judge.takeInOwn(await checkpointOf(ours), "the log");
  const { heard, answer } = hear(judge, await frameOf(theirs));
  assertEquals(heard.verdict, "inconsistent");
  assertEquals(answer, contradicting.frame);
});

Deno.test("view: the zero frame is answered with the latest, or with the zero frame", async () => {
  const log = await logOf("log.example/a", 3);
  const knowing = await judgeOf({ logs: [log.log], shown: [log] });
  assertEquals(hear(knowing, ZERO_FRAME).heard.verdict, "nothing");
  assertEquals(hear(knowing, ZERO_FRAME).answer, await frameOf(log));
  const empty = await judgeOf({ logs: [log.log] });
  assertEquals(hear(empty, ZERO_FRAME), { heard: { verdict: "nothing" }, answer: ZERO_FRAME });
});

Deno.test("view: zero frames are answered with one log after the other, as configured", async () => {
  const [a, b, c] = [
    await logOf("log.example/a", 1),
    await logOf("log.example/b", 2),
    await logOf("log.example/c", 3),
  ];
  // Nothing is known of b, so b is passed over.
  const judge = await judgeOf({ logs: [a.log, b.log, c.log], shown: [c, a] });
  const named = new Set<Log>();
  const answers = [1, 2, 3, 4].map(() => judge.hear(ZERO_FRAME, "a peer", named).answer);
  assertEquals(answers, [await frameOf(a), await frameOf(c), ZERO_FRAME, ZERO_FRAME]);
});

Deno.test("view: a zero frame is not answered with a log that a frame has named", async () => {
  const [a, b] = [await logOf("log.example/a", 1), await logOf("log.example/b", 2)];
  const judge = await judgeOf({ logs: [a.log, b.log], shown: [a, b] });
  // The first exchange verifies the frame, the second remembers it: both name the log.
  for (const _ of ["verified", "remembered"]) {
    const named = new Set<Log>();
    assertEquals(judge.hear(await frameOf(a), "a peer", named).answer, await frameOf(a));
    assertEquals(judge.hear(ZERO_FRAME, "a peer", named).answer, await frameOf(b));
    assertEquals(judge.hear(ZERO_FRAME, "a peer", named).answer, ZERO_FRAME);
  }
});

Deno.test("view: frames of several logs are told apart by their key alone", async () => {
  // Same size, same entries, so the same root: only the signatures differ.
  const [a, b] = [await logOf("log.example/a", 3), await logOf("log.example/b", 3)];
  const judge = await judgeOf({ logs: [a.log, b.log], shown: [a, b] });
  for (const log of [b, a]) {
    const { heard, answer } = hear(judge, await frameOf(log));
    assert(heard.verdict === "matches");
    assertStrictEquals(heard.checkpoint.log, log.log);
    assertEquals(answer, await frameOf(log));
  }
});

Deno.test("view: one origin under two keys is two logs, and two roots no conflict", async () => {
  const [a, b] = [await logOf("log.example/same", 3), await logOf("log.example/same", 2)];
  b.append("something else");
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [a.log, b.log], shown: [a], detector });
  const { heard } = hear(judge, await frameOf(b));
  assert(heard.verdict === "pending");
  assertStrictEquals(heard.checkpoint.log, b.log);
  assertEquals([heard.localSize, detector.conflicts()], [undefined, []]);
});

Deno.test("view: one key under two origins is two logs", async () => {
  const log = await logOf("log.example/a", 3);
  const other = parseLog(`${log.log.vkey.text} log.example/another-origin`);
  const judge = await judgeOf({ logs: [other, log.log], shown: [log] });
  const { heard } = hear(judge, await frameOf(log));
  assert(heard.verdict === "matches");
  assertStrictEquals(heard.checkpoint.log, log.log);
});

Deno.test("view: what no frame can carry is judged, and never answered", async () => {
  const { signer } = await generateSigner({ world: denoWorld(), name: "log.example/extended" });
  const log = parseLog(signer.vkey.text);
  const checkpoint = async (size: bigint, fill: number, extension = "") => {
    const rootHash = new Uint8Array(32).fill(fill);
    const text = formatCheckpointText({ origin: log.origin, treeSize: size, rootHash }) + extension;
    const signature = await signer.sign(utf8(text));
    const opened = openCheckpoint({
      note: formatNote({ text, vkey: log.vkey, signature }),
      logs: [log],
    });
    if ("refused" in opened) throw new Error(opened.detail);
    return opened[0]!;
  };
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [log], detector });
  const plain = await checkpoint(3n, 1);
  judge.takeInOwn(plain, "the log");
  judge.takeInOwn(await checkpoint(4n, 2, "an extension line\n"), "the log");
  assertEquals(judge.latestFrame(log), plain.frame);
  const { frame } = await checkpoint(4n, 3);
  const { heard, answer, conflicts } = finding(detector, () => hear(judge, frame));
  assertEquals([heard.verdict, answer], ["inconsistent", plain.frame]);
  assertEquals(conflicts.length, 1);
});

Deno.test("view: identical bytes are verified once", async () => {
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  const judge = await judgeOf({ logs: [counted] });
  const frame = new Uint8Array(await frameOf(log));
  const { heard, answer } = hear(judge, frame);
  frame.fill(0xff); // The caller's buffer is reused; what is remembered must not change with it.
  const again = hear(judge, await frameOf(log));
  assertStrictEquals(again.heard, heard);
  assertStrictEquals(again.answer, answer);
  assertEquals(checked(), 1);
});

Deno.test("view: remembered bytes are answered by what is known now", async () => {
  const log = await logOf("log.example/a", 5);
  const { log: counted, checked } = counting(log.log);
  const judge = new Judge({ logs: [counted], detector: new EquivocationDetector() });
  const frame = await frameOf(log, 4n);
  assertEquals(hear(judge, frame).heard.verdict, "pending");
  judge.takeInOwn(await checkpointOf(log, 4n), "the log");
  assertEquals(hear(judge, frame).heard.verdict, "matches");
  judge.takeInOwn(await checkpointOf(log, 5n), "the log");
  assertEquals(hear(judge, frame).answer, await frameOf(log, 5n));
  assertEquals(checked(), 1);
});

Deno.test("view: a refused frame gets no answer and names no log", async () => {
  const [known, stranger] = [await logOf("log.example/a", 3), await logOf("log.example/x", 3)];
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [known.log], shown: [known], detector });
  const named = new Set<Log>();
  const { heard, answer } = judge.hear(await frameOf(stranger), "a peer", named);
  assert(heard.verdict === "refused");
  assertEquals(heard.reason, "bad signature");
  assertEquals(
    heard.detail,
    "frame of size 3: the signature verifies under no configured log's key",
  );
  assertEquals([answer, detector.conflicts(), named.size], [undefined, [], 0]);
});

Deno.test("view: each of the 832 single-bit flips of a frame is refused, without an answer", async () => {
  const log = await logOf("log.example/a", 3);
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs: [log.log], shown: [log], detector });
  const frame = await frameOf(log);
  // Remembered first: the memory of a frame must not answer for one that differs in a bit.
  assertEquals(hear(judge, frame).heard.verdict, "matches");
  for (let bit = 0; bit < 8 * FRAME_BYTES; bit++) {
    const { heard, answer } = hear(judge, flipped(frame, bit));
    assert(heard.verdict === "refused", `bit ${bit}: ${heard.verdict}`);
    assertEquals(heard.reason, bit === 0 ? "malformed" : "bad signature", `bit ${bit}`);
    assertEquals(answer, undefined, `bit ${bit}`);
  }
  assertEquals(detector.conflicts(), []);
  assertEquals(hear(judge, frame).heard.verdict, "matches");
});

Deno.test("view: of what it was shown itself the latest is kept, as long as the notes may be", async () => {
  const { log, sign } = await signingLog();
  const judge = new Judge({ logs: [log], detector: new EquivocationDetector() });
  const extension = `${"x".repeat(500_000)}\n`;
  const shown = [];
  for (let size = 1n; size <= 40n; size++) shown.push(await sign(size, Number(size), extension));
  for (const checkpoint of shown) judge.takeInOwn(checkpoint, "the log");
  const heard = shown.map((checkpoint) => judge.hearCheckpoint(checkpoint, "a peer").verdict);
  const kept = heard.filter((verdict) => verdict === "matches").length;
  assertEquals(kept, Math.floor(16 * 1024 * 1024 / shown[0]!.note.length));
  assertEquals([heard[0], heard.at(-1)], ["pending", "matches"]);
});

Deno.test("judge: of what it was shown it keeps the cosignatures of the latest alone", async () => {
  const log = grow(await newLog("log.example/a"), 2);
  const made = witness("w");
  const { vkey } = made.cosigner;
  log.log.cosigners.change([makeCosigned({ vkey, origin: log.log.origin })]);
  const judge = new Judge({ logs: [log.log], detector: new EquivocationDetector() });
  for (const size of [1n, 2n]) {
    const note = await log.checkpoint(size);
    const cosigned = `${note}${made.line(parseNote(note).text, 5n)}\n`;
    const opened = openCheckpoint({ note: cosigned, logs: [log.log] });
    assert(!("refused" in opened));
    judge.answerBy(opened[0]!, "the log");
  }
  assertEquals(judge.shown(log.log).map(({ cosigned }) => cosigned.length), [0, 0]);
  assertEquals(judge.latest(log.log)!.cosigned.length, 1);
});
