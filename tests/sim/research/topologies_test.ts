/** A case reaches every member, whatever shape their links have; and what a lighter model says of it. */
import { assert, assertEquals } from "@std/assert";
import { forkedLog, recordOfFork } from "../../gossip/helpers.ts";
import { drawFrom } from "../draw.ts";
import { deliveries } from "./delivering.ts";
import { deliver } from "./swarms.ts";
import { flood, netInRounds, twoTongues } from "./flooding.ts";
import { hopsFrom, neighboursOf, randomLinks, TOPOLOGIES } from "./topologies.ts";

// `.ci/run` has fifty members of each shape: see topologies_long.ts.
for (const { name, run } of deliveries(20)) Deno.test(name, run);

Deno.test("topologies: the lighter model takes as many rounds as swarms, and no more messages", async () => {
  for (const [name, make] of Object.entries(TOPOLOGIES)) {
    const links = make(20, drawFrom(3));
    const record = await recordOfFork(await forkedLog());
    const { rounds, messages } = await deliver({ count: 20, links, seed: 3 }, record);
    const model = flood(netInRounds(links, 20), new Map([[0, 0]]));
    assertEquals(rounds, Math.max(...model.at), name);
    // Swarms send it on paths as well.
    assert(model.messages <= messages, `${name}: ${model.messages} and ${messages} messages`);
  }
});

Deno.test("topologies: in the lighter model each link carries a thing once or twice, and all have it", () => {
  for (let seed = 0; seed < 50; seed++) {
    const links = randomLinks({ count: 60, each: 4, draw: drawFrom(seed) });
    const { at, messages } = flood(netInRounds(links, 60), new Map([[0, 0]]));
    assertEquals(Math.max(...at), hopsFrom(0, neighboursOf(links, 60)));
    assertEquals(messages, 2 * links.length - 59);
  }
});

Deno.test("topologies: with random links a case reaches all within ⌈log₂ n⌉ + 1 rounds", () => {
  for (const [count, each] of [[10, 3], [50, 3], [1_000, 16]] as const) {
    for (let seed = 0; seed < 5; seed++) {
      const links = randomLinks({ count, each, draw: drawFrom(seed) });
      const { at } = flood(netInRounds(links, count), new Map([[0, 0]]));
      assert(Math.max(...at) <= Math.ceil(Math.log2(count)) + 1, `${count}: ${Math.max(...at)}`);
    }
  }
});

Deno.test("topologies: two tongues are found by whoever hears both, and by nobody who hears one", () => {
  const ring = netInRounds(TOPOLOGIES.ring(6), 6);
  assertEquals(twoTongues(ring, 0), { first: 3, last: 5 });
  // At the end of a line there is one neighbour, which hears one thing.
  assertEquals(twoTongues(netInRounds(TOPOLOGIES.line(6), 6), 0).first, Infinity);
});
