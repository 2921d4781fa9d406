import { assertEquals } from "@std/assert";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { LogStatus } from "../../src/monitor/status.ts";
import { refusedOf } from "../../src/web/page_refused.ts";
import { logStatus, recordOf, rootOf } from "./page_statuses.ts";

Deno.test("page: which half is not accepted is said only where it is known", async () => {
  const record = await recordOf({ kind: "cross_size" });
  const { checkpoint_a: a, checkpoint_b: b, log } = record;
  const refused = (own: Partial<LogStatus>, more: Partial<ConflictRecord> = {}): string[] =>
    refusedOf(logStatus({ ...log, ...own }), [{ seq: 1, record: { ...record, ...more } }])
      .map(({ root }) => root === a.root ? "a" : "b");
  assertEquals(refused({ size: a.size, root: a.root }), ["b"]);
  assertEquals(refused({ size: b.size, root: b.root }), ["a"]);
  // Of the view that has grown beyond both, the record says nothing but who showed them.
  const grown = { size: "100", root: rootOf("A") };
  assertEquals(refused(grown), ["b"]);
  assertEquals(refused(grown, { source_b: "the log" }), []);
  assertEquals(refused({ ...grown, vkey: "another" }), []);
});
