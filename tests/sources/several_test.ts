import { assertEquals, assertRejects } from "@std/assert";
import { SeveralSource } from "../../src/sources/several.ts";
import { ProofRefused, SourceUnavailable } from "../../src/sources/source.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { grow, newLog } from "../evidence/histories.ts";
import { noteOf, ScriptedSource } from "../monitor/scripted_source.ts";

const NAMES = ["one", "two", "three"];
const SIZES = { older: 3n, newer: 9n };

/** Three places that serve one log. */
async function places(): Promise<[ScriptedSource, ScriptedSource, ScriptedSource]> {
  const log = grow(await newLog(), 9);
  return [new ScriptedSource(log), new ScriptedSource(log), new ScriptedSource(log)];
}

const asked = (parts: readonly ScriptedSource[]): number[] =>
  parts.map((part) => part.asked.consistency);

Deno.test("SeveralSource: another place is asked where one fails, and first from then on", async () => {
  for (const trouble of ["unavailable", "refused"] as const) {
    const parts = await places();
    parts[0].proofTrouble = trouble;
    const source = new SeveralSource(parts, NAMES);
    await source.consistency(SIZES);
    assertEquals(asked(parts), [1, 1, 0]);
    await source.consistency(SIZES);
    assertEquals(asked(parts), [1, 2, 0]);
  }
});

Deno.test("SeveralSource: a proof that leads nowhere is told to who gave it, and another is asked next", async () => {
  const parts = await places();
  const source = new SeveralSource(parts, NAMES);
  (await source.consistency(SIZES)).judged(false);
  (await source.consistency(SIZES)).judged(true);
  assertEquals(parts.map(({ told }) => told), [[false], [true], []]);
  await source.consistency(SIZES);
  assertEquals(asked(parts), [1, 2, 0]);
});

Deno.test("SeveralSource: only if all places refuse is a proof refused", async () => {
  const parts = await places();
  const source = new SeveralSource(parts, NAMES);
  for (const part of parts) part.proofTrouble = "refused";
  await assertRejects(() => source.consistency(SIZES), ProofRefused);
  parts[1].proofTrouble = "unavailable";
  await assertRejects(() => source.consistency(SIZES), SourceUnavailable);
  assertEquals(asked(parts), [2, 2, 2]);
});

Deno.test("SeveralSource: latest is what the first shows that answers, and a fault is none of theirs", async () => {
  const parts = await places();
  const source = new SeveralSource(parts, NAMES);
  parts[0].latestTrouble = "unavailable";
  parts[1].size = 4;
  assertEquals(await source.latest(), utf8(await noteOf(parts[1].story, 4)));
  parts[1].latest = () => Promise.reject(new TypeError("a bug"));
  await assertRejects(() => source.latest(), TypeError, "a bug");
});
