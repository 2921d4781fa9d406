/** That a case reaches every member, whatever shape their links have: real swarms, stub monitors. */
import { assert, assertEquals } from "@std/assert";
import { forkedLog, recordOfFork } from "../../gossip/helpers.ts";
import { drawFrom } from "../draw.ts";
import { deliver, type Delivered } from "./swarms.ts";
import { hopsFrom, type Links, neighboursOf, TOPOLOGIES } from "./topologies.ts";

/** A test. Whoever runs it registers it, so that a failure names that file. */
interface Case {
  readonly name: string;
  run(): Promise<void>;
}

/** A test for each shape with so many members, all of whom follow the log, or some. */
export function deliveries(count: number): readonly Case[] {
  return Object.entries(TOPOLOGIES).flatMap(([name, make]) =>
    [1, 3].map((share) => {
      const who = share === 1
        ? "all of whom follow the log"
        : `every ${share}rd of whom follows it`;
      return {
        name: `topologies: a ${name} of ${count} members, ${who}, delivers a case to all`,
        async run() {
          const links = make(count, drawFrom(7));
          const follows = (number: number): boolean => number % share === 0;
          const record = await recordOfFork(await forkedLog());
          const delivered = await deliver({ count, links, seed: 7, follows }, record);
          expectDelivered(delivered, { count, links, wanted: Math.ceil(count / share) });
        },
      };
    })
  );
}

/** Everyone knows, by the shortest way, and each link carried the case twice at most. */
function expectDelivered(
  { known, rounds, messages, sessions, news }: Delivered,
  { count, links, wanted }: { count: number; links: Links; wanted: number },
): void {
  assertEquals([known, sessions], [wanted, links.length]);
  assert(rounds <= hopsFrom(0, neighboursOf(links, count)), `${rounds} rounds`);
  assert(messages >= count - 1, `${messages} messages`);
  // Once over each link, twice where it comes from both ends at once, and on paths from the first.
  const near = neighboursOf(links, count);
  const paths = near[0]!.length * hopsFrom(0, near);
  assert(messages <= 2 * links.length - (count - 1) + paths, `${messages} messages`);
  assertEquals(news, []);
}
