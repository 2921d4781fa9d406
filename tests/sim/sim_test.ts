/** Some fleets in all kinds of trouble, and what must hold of the simulation itself. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { PROPERTIES } from "./properties.ts";
import { drawFrom } from "./draw.ts";
import { Heap } from "./heap.ts";
import { describe, runSeed } from "./run_seed.ts";
import { runSeeds } from "./seeds.ts";

/** The number of seeds in an ordinary test run, which shall be short; `.ci/run` has 1,500. */
const SEEDS = 30;

Deno.test(`sim: nothing is violated in ${SEEDS} fleets in trouble`, async () => {
  // On threads: as one file's only test they would be what a whole test run waits for.
  const { runs, failed, checked, splits } = await runSeeds({ from: 1, to: SEEDS });
  const told = failed.map(({ seed, outcome }) => [
    `deno task sim --seed ${seed} --story`,
    ...outcome.violations.map(describe),
  ]);
  assertEquals([told, runs], [[], SEEDS]);
  // A check that is never made holds always.
  for (const property of PROPERTIES) assert((checked[property] ?? 0) >= SEEDS, property);
  assert(splits > SEEDS, `${splits} split views`);
});

Deno.test("sim: the same seed gives the same run, whatever ran before, and another seed another", async () => {
  const told: string[][] = [[], []];
  const first = await runSeed({ seed: 5, account: (line) => told[0]!.push(line) });
  const other = await runSeed({ seed: 6 });
  const again = await runSeed({ seed: 5, account: (line) => told[1]!.push(line) });
  assertEquals(again.summary, first.summary);
  assertEquals(told[1], told[0]);
  assert(told[0]!.length > 20, "an account tells what happens");
  assertNotEquals(other.outcome.digest, first.outcome.digest);
});

Deno.test("sim: how many monitors and how long are as asked", async () => {
  const { summary } = await runSeed({ seed: 1, options: { monitors: 7, hours: 0.05 } });
  assert(summary.startsWith("seed 1: 7 monitors,"), summary);
  assert(summary.includes("180.000 s of trouble"), summary);
});

Deno.test("sim: draws are spread evenly, and a branch does not disturb its trunk", () => {
  const [draw, same] = [drawFrom(7), drawFrom(7)];
  const counts = Array.from({ length: 6 }, () => 0);
  for (let i = 0; i < 6_000; i++) counts[draw.below(6)]!++;
  for (const count of counts) assert(count > 850 && count < 1_150, `${count}`);
  assertEquals([drawFrom(1).share() === drawFrom(2).share(), same.between(3, 3)], [false, 3]);
  const branch = same.branch();
  const before = drawFrom(7);
  before.between(3, 3);
  before.branch();
  for (let i = 0; i < 10; i++) branch.share();
  assertEquals(same.bytes(8), before.bytes(8));
});

Deno.test("sim: a queue gives the first of what is in it, whenever that was added", () => {
  const draw = drawFrom(7);
  const queue = new Heap<number>((a, b) => a < b);
  const there: number[] = [];
  for (let step = 0; step < 2_000; step++) {
    // It grows, and then runs empty.
    if (draw.below(10) < (step < 1_000 ? 6 : 3)) {
      const number = draw.below(100);
      queue.push(number);
      there.push(number);
    } else {
      const least = there.length === 0 ? undefined : Math.min(...there);
      assertEquals([queue.first, queue.shift()], [least, least]);
      if (least !== undefined) there.splice(there.indexOf(least), 1);
    }
  }
  assertEquals([there, queue.shift()], [[], undefined]);
});
