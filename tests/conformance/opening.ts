/** Opening notes and frames of real logs, for the tests of each. */
import { assert, assertEquals } from "@std/assert";
import { openCheckpoint, openFrame, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { hex } from "./vectors.ts";

/** The one checkpoint a note opens as, under one log. */
export function opened(note: string, log: Log): VerifiedCheckpoint {
  const result = openCheckpoint({ note, logs: [log] });
  if ("refused" in result) throw new Error(`${result.refused}: ${result.detail}`);
  assertEquals(result.length, 1);
  return result[0]!;
}

/** The checkpoint a frame opens as, under one log. */
export function unframed(frame: Uint8Array, log: Log): VerifiedCheckpoint {
  const result = openFrame({ frame, logs: [log] });
  if ("refused" in result) throw new Error(`${result.refused}: ${result.detail}`);
  return result;
}

/** The bytes of a frame as PROTOCOL section 4 states them, put together without our encoder. */
export function frameBytes(
  { size, root, signature }: { size: bigint; root: Uint8Array; signature: Uint8Array },
): string {
  return size.toString(16).padStart(16, "0") + hex(root) + hex(signature);
}

/** That a note becomes a frame and the same note again; no other origin takes the frame. */
export function assertSurvivesFrame(note: string, log: Log): void {
  const checkpoint = opened(note, log);
  assertEquals(checkpoint.note, note);
  assert(checkpoint.fitsFrame);
  assertEquals(checkpoint.frame.length, FRAME_BYTES);
  const back = unframed(checkpoint.frame, log);
  assertEquals(hex(new TextEncoder().encode(back.note)), hex(new TextEncoder().encode(note)));
  assertEquals(hex(back.frame), hex(checkpoint.frame));
  const elsewhere = parseLog(`${log.vkey.text} ${log.origin}2`);
  const refused = openFrame({ frame: checkpoint.frame, logs: [elsewhere] });
  assert("refused" in refused);
  assertEquals(refused.refused, "bad signature");
}
