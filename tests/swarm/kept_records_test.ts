import { assertEquals } from "@std/assert";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { KeptRecords } from "../../src/swarm/kept_records.ts";

function record(id: string, noteLength = 100): ConflictRecord {
  const checkpoint = { size: "1", root: "", note: "x".repeat(noteLength / 2) };
  return {
    evidence_id: id,
    ...{ checkpoint_a: checkpoint, checkpoint_b: checkpoint },
  } as unknown as ConflictRecord;
}

const idsOf = (kept: KeptRecords, finder: string): string[] =>
  [...kept.all()].filter((one) => one.finder === finder).map(({ record }) => record.evidence_id);

Deno.test("kept records: who makes up cases puts out its own", () => {
  const kept = new KeptRecords();
  for (let i = 0; i < 5; i++) kept.keep(record(`true ${i}`), "a finder");
  for (let i = 0; i < 1_000; i++) kept.keep(record(`made up ${i}`), "a liar");
  assertEquals(idsOf(kept, "a finder"), ["true 0", "true 1", "true 2", "true 3", "true 4"]);
  const made = idsOf(kept, "a liar");
  assertEquals([made.length, made.at(-1)], [251, "made up 999"]);
});

Deno.test("kept records: they are bounded by their length as well", () => {
  const kept = new KeptRecords();
  kept.keep(record("true"), "a finder");
  for (let i = 0; i < 20; i++) kept.keep(record(`large ${i}`, 1024 * 1024), "a liar");
  assertEquals(idsOf(kept, "a finder"), ["true"]);
  assertEquals(idsOf(kept, "a liar").length, 7);
});

Deno.test("kept records: one case is kept as each finder has signed it, and of one finder once", () => {
  const kept = new KeptRecords();
  for (const finder of ["one", "two", "one"]) kept.keep(record("case"), finder);
  assertEquals([...kept.all()].map(({ finder }) => finder), ["one", "two"]);
});
