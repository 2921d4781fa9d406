import { createHash } from "node:crypto";
import { assertEquals } from "@std/assert";
import { FrameMemo } from "../../src/gossip/memo.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { flipped } from "./helpers.ts";

/** 104 bytes that look random, depend on a number and on nothing else. */
function frameNumber(n: number): Uint8Array<ArrayBuffer> {
  const digest = createHash("sha512").update(String(n)).digest();
  return Uint8Array.from({ length: FRAME_BYTES }, (_, i) => digest[i % digest.length]!);
}

Deno.test("memo: knows a frame by exactly its bytes", () => {
  const memo = new FrameMemo<string>();
  const frame = frameNumber(1);
  assertEquals(memo.get(frame), undefined);
  memo.set(frame, "known");
  assertEquals(memo.get(frame.slice()), "known");
  for (let bit = 0; bit < 8 * FRAME_BYTES; bit++) {
    assertEquals(memo.get(flipped(frame, bit)), undefined, `bit ${bit}`);
  }
});

Deno.test("memo: keeps a copy, whatever becomes of the buffer", () => {
  const memo = new FrameMemo<string>();
  const buffer = frameNumber(1);
  memo.set(buffer, "first");
  buffer.set(frameNumber(2));
  assertEquals(memo.get(buffer), undefined);
  assertEquals(memo.get(frameNumber(1)), "first");
});

Deno.test("memo: a frame in one slot changes none in another, and a part of one is not known", () => {
  const memo = new FrameMemo<number>();
  // Every slot is taken many times over: what is known then are the last ones of each.
  const frames = Array.from({ length: 20_000 }, (_, n) => frameNumber(n));
  for (const [n, frame] of frames.entries()) memo.set(frame, n);
  const known = frames.filter((frame) => memo.get(frame) !== undefined);
  assertEquals(known.length, 1_024);
  for (const frame of known) {
    for (const at of [0, 59, 62, FRAME_BYTES - 1]) {
      assertEquals(memo.get(flipped(frame, 8 * at)), undefined, `byte ${at}`);
    }
  }
});

Deno.test("memo: where two frames share a slot, the later one is known and the other is not", () => {
  const memo = new FrameMemo<string>();
  const frame = frameNumber(1);
  // A slot depends on a few bytes only, so most of these share the frame's.
  let replaced = 0;
  for (let bit = 0; bit < 8 * FRAME_BYTES; bit++) {
    memo.set(frame, "one");
    memo.set(flipped(frame, bit), "other");
    assertEquals(memo.get(flipped(frame, bit)), "other", `bit ${bit}`);
    const known = memo.get(frame);
    if (known === undefined) replaced++;
    else assertEquals(known, "one", `bit ${bit}`);
  }
  assertEquals(replaced > 0, true, "no two frames shared a slot");
});

Deno.test("memo: of many frames it forgets some and mistakes none", () => {
  const memo = new FrameMemo<number>();
  const count = 5_000;
  for (let n = 0; n < count; n++) memo.set(frameNumber(n), n);
  const known = Array.from({ length: count }, (_, n) => memo.get(frameNumber(n)));
  assertEquals(known.filter((value, n) => value !== undefined && value !== n), []);
  const remembered = known.filter((value) => value !== undefined).length;
  assertEquals(remembered > 0 && remembered < count, true, `${remembered} remembered`);
});
