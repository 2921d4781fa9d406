import { assertEquals } from "@std/assert";
import { Allowance, type StrangersShare } from "../../src/world/allowance.ts";
import { ManualClock } from "../gossip/fake_network.ts";

const FRAMES = 100;
const REFUSED = 30;
const STRANGERS = 2;

/** An allowance of 100 frames a second, of which a refused one costs 30. */
function allowance(maxAddresses = 10): { clock: ManualClock; allowance: Allowance } {
  const clock = new ManualClock();
  const limits = {
    perSecondPerAddress: FRAMES,
    refusalCost: REFUSED,
    strangersShare: STRANGERS,
    maxAddresses,
  };
  return { clock, allowance: new Allowance({ clock, limits }) };
}

/** The same, with two things that strangers share. */
function shares(maxAddresses = 10): {
  clock: ManualClock;
  allowance: Allowance;
  parcels: StrangersShare;
  signatures: StrangersShare;
} {
  const given = allowance(maxAddresses);
  return { ...given, parcels: given.allowance.share(), signatures: given.allowance.share() };
}

Deno.test("allowance: one second's frames at once, and not one more", () => {
  const { allowance: left } = allowance();
  assertEquals(left.take("a", FRAMES), true);
  assertEquals(left.take("a", 1), false);
  assertEquals(left.isOpen("a"), false);
  assertEquals(left.take("b", FRAMES + 1), false);
});

Deno.test("allowance: what is refused is not taken", () => {
  const { allowance: left } = allowance();
  assertEquals(left.take("a", FRAMES + 1), false);
  assertEquals(left.take("a", FRAMES), true);
});

Deno.test("allowance: every address has its own", () => {
  const { allowance: left } = allowance();
  left.take("a", FRAMES);
  left.charge("a");
  assertEquals([left.isOpen("b"), left.take("b", FRAMES)], [true, true]);
});

Deno.test("allowance: it fills with the clock, and not above one second's frames", async () => {
  const { clock, allowance: left } = allowance();
  left.take("a", FRAMES);
  await clock.advance(250);
  assertEquals([left.take("a", FRAMES / 4 + 1), left.take("a", FRAMES / 4)], [false, true]);
  await clock.advance(60_000);
  assertEquals([left.take("a", FRAMES + 1), left.take("a", FRAMES)], [false, true]);
});

Deno.test("allowance: asking often does not fill it faster, nor slower", async () => {
  const { clock, allowance: left } = allowance();
  left.take("a", FRAMES);
  for (let ms = 0; ms < 500; ms += 5) {
    await clock.advance(5);
    left.isOpen("a");
  }
  assertEquals([left.take("a", FRAMES / 2 + 1), left.take("a", FRAMES / 2 - 1)], [false, true]);
});

Deno.test("allowance: a refused frame costs what the limits say", () => {
  const { allowance: left } = allowance();
  left.charge("a");
  assertEquals([left.take("a", FRAMES - REFUSED + 1), left.take("a", FRAMES - REFUSED)], [
    false,
    true,
  ]);
});

Deno.test("allowance: charged below empty, an address stays out until it has filled up", async () => {
  const { clock, allowance: left } = allowance();
  left.take("a", FRAMES - 10);
  left.charge("a"); // 20 below empty, which takes 200 ms; the first frame takes another 10
  await clock.advance(205);
  assertEquals([left.isOpen("a"), left.take("a", 1)], [false, false]);
  await clock.advance(6);
  assertEquals([left.isOpen("a"), left.take("a", 1)], [true, true]);
});

Deno.test("allowance: however often it is charged, an address is out for two seconds at most", async () => {
  const { clock, allowance: left } = allowance();
  for (let i = 0; i < 1_000; i++) left.charge("a");
  await clock.advance(1_000);
  assertEquals(left.isOpen("a"), false);
  await clock.advance(20);
  assertEquals(left.isOpen("a"), true);
});

Deno.test("allowance: remembers as many addresses as allowed, and forgets the least recent", () => {
  const { allowance: left } = allowance(3);
  for (const key of ["a", "b", "c"]) left.take(key, FRAMES);
  left.isOpen("a"); // heard again, so b is the least recent
  assertEquals(["a", "b", "c"].map((key) => left.isOpen(key)), [false, false, false]);
  left.isOpen("a");
  left.isOpen("d"); // the fourth: b, asked before c and a, is forgotten
  assertEquals(["a", "c", "d"].map((key) => left.take(key, FRAMES)), [false, false, true]);
  assertEquals(left.take("b", FRAMES), true);
});

Deno.test("allowance, parcels: one stranger alone may use all of its own", () => {
  const { parcels } = shares();
  for (let i = 0; i < FRAMES; i++) assertEquals(parcels.take("a", 1), true, `frame ${i}`);
  assertEquals(parcels.take("a", 1), false);
});

Deno.test("allowance, parcels: however many strangers, they take so much together, and it fills again", async () => {
  const { clock, parcels } = shares(1_000);
  const flood = (): number => {
    let taken = 0;
    for (let turn = 0; turn < FRAMES; turn++) {
      for (let i = 0; i < 16; i++) if (parcels.take(`stranger ${i}`, 1)) taken++;
    }
    return taken;
  };
  const most = FRAMES * STRANGERS;
  const first = flood();
  assertEquals([first > most / 2, first <= most], [true, true], `${first}`);
  await clock.advance(1_000);
  const second = flood();
  assertEquals([second > most / 2, second <= most], [true, true], `${second}`);
});

Deno.test("allowance, parcels: who has taken little is served while sixteen take all they can", () => {
  const { parcels } = shares();
  for (let turn = 0; turn < FRAMES; turn++) {
    for (let i = 0; i < 16; i++) parcels.take(`stranger ${i % 8}`, 1);
  }
  assertEquals(parcels.take("stranger 0", 1), false);
  assertEquals(parcels.take("honest", 5), true);
});

Deno.test("allowance, parcels: what strangers take of theirs is not taken of a peer's", () => {
  const { allowance: left, parcels } = shares();
  for (let i = 0; i < 9; i++) parcels.take(`stranger ${i}`, FRAMES / 2);
  assertEquals(left.take("peer", FRAMES), true);
});

Deno.test("allowance, signatures: of all strangers' frames only so many are checked a second", async () => {
  const { clock, signatures } = shares(1_000);
  const most = FRAMES * STRANGERS;
  const flood = (cost: number): number => {
    let checked = 0;
    for (let i = 0; i < 200; i++) {
      if (!signatures.isOpen(`stranger ${i}`)) continue;
      signatures.used(cost);
      checked += cost;
    }
    return checked;
  };
  const first = flood(7);
  assertEquals([first >= most, first < most + 7], [true, true], `${first}`);
  assertEquals(signatures.isOpen("another"), false);
  await clock.advance(500);
  const both = first + flood(7);
  assertEquals([both >= 1.5 * most, both < 1.5 * most + 7], [true, true], `${both}`);
});

Deno.test("allowance, signatures: who has taken much is refused before who has taken little", () => {
  const { allowance: left, signatures } = shares();
  signatures.used(FRAMES * STRANGERS - 5);
  left.charge("often");
  assertEquals([signatures.isOpen("often"), signatures.isOpen("seldom")], [false, true]);
  signatures.used(5);
  assertEquals(signatures.isOpen("seldom"), false);
});

Deno.test("allowance, signatures: parcels do not take of them, nor they of parcels", () => {
  const { parcels, signatures } = shares();
  signatures.used(FRAMES * STRANGERS);
  assertEquals([signatures.isOpen("a"), parcels.take("a", 1)], [false, true]);
  const other = shares();
  for (let i = 0; i < 4; i++) other.parcels.take(`b${i}`, FRAMES / 2);
  assertEquals([other.parcels.take("c", 1), other.signatures.isOpen("c")], [false, true]);
});

Deno.test("allowance, parcels: what an answer took is owed, by its address and by all strangers", async () => {
  const { clock, allowance: left, parcels } = shares();
  parcels.owe("a", FRAMES + 50);
  assertEquals([left.isOpen("a"), left.isOpen("b")], [false, true]);
  await clock.advance(495);
  assertEquals(left.isOpen("a"), false);
  await clock.advance(20);
  assertEquals(left.isOpen("a"), true);
  for (let i = 0; i < 4; i++) parcels.owe(`stranger ${i}`, FRAMES);
  assertEquals([parcels.take("b", 1), left.take("peer", 1)], [false, true]);
});
