import { assertEquals } from "@std/assert";
import { ranked, shareOf, type Slot } from "../../src/store/shared_shares.ts";

const LOG = "KEY log.invalid";
const SITES = ranked(LOG, ["a", "b", "c", "d"]);
const [FIRST, SECOND, THIRD, FOURTH] = SITES as [string, string, string, string];
const PATIENCE_MS = 1_000;

function held(slot: number, holder: string): Slot {
  return { slot, holder, freeMs: 0, lapsedOf: undefined };
}

function free(slot: number, freeMs?: number, lapsedOf?: string): Slot {
  return { slot, holder: undefined, freeMs: freeMs ?? 0, lapsedOf };
}

/** What each site does, by its rank. */
function shares(slots: readonly Slot[], views: number, followers?: readonly string[]) {
  const situation = { log: LOG, followers: followers ?? SITES, slots };
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

Deno.test("shareOf: who is not chosen gives up, one after the other, while no slot is free", () => {
  assertEquals(shares([held(0, SECOND)], 1), [NOTHING, LEAVES, NOTHING, NOTHING]);
  const two = [held(0, THIRD), held(1, FOURTH)];
  assertEquals(shares(two, 2), [NOTHING, NOTHING, NOTHING, LEAVES]);
  assertEquals(shares([held(0, THIRD), free(1)], 2)[2], NOTHING);
  assertEquals(shares([held(0, THIRD), held(1, FIRST)], 2), [NOTHING, NOTHING, LEAVES, NOTHING]);
  // Three follow it, so all of them are chosen.
  const three = [...two, held(2, FIRST)];
  const followers = SITES.filter((site) => site !== SECOND);
  assertEquals(shares(three, 3, followers), Array(4).fill(NOTHING));
});

Deno.test("shareOf: where fewer sites follow a log than are wanted, all of them look", () => {
  assertEquals(shares([], 3, [FIRST, SECOND]), [tries(0, 1, 2), tries(1, 2, 0), NOTHING, NOTHING]);
  assertEquals(shares([held(2, SECOND)], 3, [FIRST, SECOND])[1], NOTHING);
});
