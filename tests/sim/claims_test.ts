/**
 * No parser believes a length that is only claimed. This is a file of its own, because what is in use is
 * measured after all garbage was collected, which takes as long as there is much in memory.
 */
import { runInNewContext } from "node:vm";
import { setFlagsFromString } from "node:v8";
import { assert, assertEquals } from "@std/assert";
import { claims } from "./parsers/claims.ts";
import { MAX_ALLOCATION_BYTES, watchingAllocations } from "./parsers/harness.ts";

/** How often each claim is made. All that it leaves in memory is held. */
const CLAIMS_HELD = 64;
/**
 * How much memory all claims together may leave in use. A single claim that was believed would take
 * more.
 */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;

for (const { name, run } of await claims()) {
  Deno.test(`parsers: a length that is only claimed takes no room, ${name}`, async () => {
    await run(); // What is made once, at the first call, is not the claim's.
    const before = inUse();
    const held: unknown[] = [];
    const { largest } = await watchingAllocations(async () => {
      for (let i = 0; i < CLAIMS_HELD; i++) held.push(await run());
    });
    assert(inUse() - before < MAX_GROWTH_BYTES, `${inUse() - before} bytes more are in use`);
    assert(largest <= MAX_ALLOCATION_BYTES, `${largest} bytes were asked for at once`);
    assertEquals(held.length, CLAIMS_HELD);
  });
}

// Garbage is collected first. Otherwise the memory of an honest refusal would count as memory that
// was claimed.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function inUse(): number {
  collect();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
