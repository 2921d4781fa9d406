/** Which cases the store is told of. */
import { assertEquals } from "@std/assert";
import { OwnCases } from "../../src/monitor/own_cases.ts";
import type { NamedRecord } from "../../src/store/incidents.ts";
import { casesOf, Rig } from "../response/rig.ts";

function caseAt(seq: number, log: NamedRecord["log"]): NamedRecord {
  const recordedAt = "2026-01-01T00:00:00.000Z";
  return { seq, recordedAt, evidence_id: `${seq}`, kind: "same_size", log };
}

Deno.test("own cases: each is told once, and all again if the store has fewer than it was told", async () => {
  const [record] = await casesOf(await Rig.make(), 1);
  const { log } = record!;
  const named = [caseAt(1, log), caseAt(2, log)];
  const cases = new OwnCases({ named, read: () => Promise.resolve(record!) });
  const told: number[][] = [];
  const store = {
    publishRecord: () => Promise.resolve(),
    publishCases: (published: readonly { seq: number }[]) =>
      Promise.resolve(void told.push(published.map(({ seq }) => seq))),
  };
  await cases.publish(store);
  named.push(caseAt(4, log));
  await cases.publish(store);
  await cases.publish(store);
  cases.storeHas(3);
  await cases.publish(store);
  assertEquals(told, [[1, 2], [4]]);
  cases.storeHas(2);
  await cases.publish(store);
  assertEquals(told.slice(2), [[1, 2, 4]]);
});
