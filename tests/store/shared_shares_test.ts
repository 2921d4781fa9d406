import { assertEquals } from "@std/assert";
import { ranked, shareOf, type Slot } from "../../src/store/shared_shares.ts";

const LOG = "KEY log.invalid";
const SITES = ranked(LOG, ["a", "b", "c", "d"]);
const [FIRST, SECOND, THIRD, FOURTH] = SITES as [string, string, string, string];
const PATIENCE_MS = 1_000;

function held(slot: number, holder: string): Slot {
  return { slot, holder, freeMs: 0, lapsedOf: undefined };
}

function free(slot: number, freeMs = 0, lapsedOf?: string): Slot {
  return { slot, holder: undefined, freeMs, lapsedOf };
}

/** What each site does, by its rank. */
function shares(slots: readonly Slot[], views: number, followers = SITES) {
  const situation = { log: LOG, followers, slots };
  return SITES.map((me) => shareOf(situation, { me, views, patienceMs: PATIENCE_MS }));
}

const NOTHING = { givesUp: false, tries: [] };
const LEAVES = { givesUp: true, tries: [] };
const tries = (...slots: number[]) => ({ givesUp: false, tries: slots });

Deno.test("ranked: the order does not depend on who is asked first, and each site is in it once", () => {
  assertEquals(ranked(LOG, ["d", "a", "c", "b", "a"]), SITES);
  assertEquals(ranked(LOG, ["b"]), ["b"]);
});

Deno.test("shareOf: those chosen take what is free, each beginning elsewhere", () => {
  assertEquals(shares([], 2), [tries(0, 1), tries(1, 0), NOTHING, NOTHING]);
  assertEquals(shares([free(0), held(1, FIRST)], 2), [NOTHING, tries(0), NOTHING, NOTHING]);
});

Deno.test("shareOf: others take what those chosen have left for longer than the patience", () => {
  assertEquals(shares([free(0, PATIENCE_MS)], 1), [tries(0), NOTHING, NOTHING, NOTHING]);
  assertEquals(shares([free(0, PATIENCE_MS + 1)], 1), Array(4).fill(tries(0)));
});

Deno.test("shareOf: a site whose lease has run out tries for the same slot alone", () => {
  const slots = [free(0), free(1, 0, FIRST)];
  assertEquals(shares(slots, 2).slice(0, 2), [tries(1), tries(1, 0)]);
});

Deno.test("shareOf: as many give up as are needed, the last in order first", () => {
  // Both who are chosen find a free slot: nobody needs to give up.
  assertEquals(shares([held(0, THIRD), free(1), free(2)], 3)[2], NOTHING);
  // One of them finds none.
  const two = [held(0, THIRD), held(1, FOURTH)];
  assertEquals(shares(two, 2), [NOTHING, NOTHING, LEAVES, LEAVES]);
  assertEquals(shares([held(0, THIRD), held(1, FIRST)], 2), [NOTHING, NOTHING, LEAVES, NOTHING]);
  const three = [held(0, FIRST), held(1, FOURTH), held(2, SECOND)];
  assertEquals(shares(three, 3), [NOTHING, NOTHING, NOTHING, LEAVES]);
  const one = [...two, held(2, FIRST)];
  assertEquals(shares(one, 3, SITES.filter((site) => site !== SECOND)), Array(4).fill(NOTHING));
  // Where only one is lacking, only the last leaves.
  assertEquals(shares([held(0, THIRD), held(1, FOURTH), free(2)], 3)[2], NOTHING);
});

Deno.test("shareOf: where fewer sites follow a log than are wanted, all of them look", () => {
  assertEquals(shares([], 3, [FIRST, SECOND]), [tries(0, 1, 2), tries(1, 2, 0), NOTHING, NOTHING]);
  assertEquals(shares([held(2, SECOND)], 3, [FIRST, SECOND])[1], NOTHING);
});
