/** The lighter model: what must hold of it, and that it agrees with the literature. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { drawFrom } from "../draw.ts";
import {
  errorOfShare,
  OXFORD_PUBLISHED,
  OXFORD_ROUNDS,
  OXFORD_SAMPLES,
  oxfordDetection,
} from "./oxford.ts";
import { meanOf, measureWire, PUSH_PULL_ROUNDS, report } from "./report.ts";
import {
  silentOf,
  somePeers,
  type Spread,
  spread,
  type SpreadManner,
  type SpreadSetting,
  type WireSizes,
} from "./spread.ts";

/** Any sizes do where it is not the bytes that count; primes show which went into a sum. */
const WIRE: WireSizes = {
  frame: 101,
  parcel: 1,
  note: 211,
  known: 37,
  record: { equal: 1_009, unequal: 2_003 },
};

const SETTING: SpreadSetting = {
  monitors: 10,
  fanOut: 1,
  silentShare: 0,
  sizes: "equal",
  odd: "one",
};

function run(
  { seed = 1, ...how }: SpreadManner & { setting: SpreadSetting; seed?: number },
): Spread {
  return spread({ ...how, wire: WIRE, draw: drawFrom(seed) });
}

/** The mean of so many runs, each of its own seed. */
function meanRounds(
  { runs, ...how }: SpreadManner & { setting: SpreadSetting; runs: number },
): number {
  const rounds = Array.from({ length: runs }, (_, seed) => run({ ...how, seed }).allKnowRound);
  return meanOf(rounds).mean;
}

const settings: fc.Arbitrary<SpreadSetting> = fc.record({
  monitors: fc.integer({ min: 4, max: 40 }),
  fanOut: fc.integer({ min: 1, max: 4 }),
  silentShare: fc.constantFrom(0, .1, .33),
  sizes: fc.constantFrom("equal" as const, "unequal" as const),
  odd: fc.constantFrom("one" as const, "half" as const),
});

const manners = fc.record({
  tellsAtOnce: fc.boolean(),
  pace: fc.constantFrom("together" as const, "apart" as const),
  choice: fc.constantFrom("rotation" as const, "any" as const),
  seed: fc.nat(1_000_000),
});

function assertNear(actual: number, expected: number, tolerance: number, what = ""): void {
  const isNear = Math.abs(actual - expected) <= tolerance;
  assert(isNear, `${actual} came ${what}, expected ${expected} within ${tolerance}`);
}

/** What cannot be, in a fleet whose honest monitors are connected. */
function faultsOf(
  { learnt, detectionRound, allKnowRound }: Spread,
  setting: SpreadSetting,
): string[] {
  const honest = learnt.slice(0, setting.monitors - silentOf(setting));
  const silent = learnt.slice(honest.length);
  return [
    ...silent.some((round) => round !== Infinity) ? ["a silent peer knows"] : [],
    ...learnt.some((round) => round < detectionRound) ? ["known before detection"] : [],
    ...honest.some((round) => round > allKnowRound) ? ["known after all knew"] : [],
    ...honest.includes(Infinity) ? ["an honest monitor never knows"] : [],
    ...detectionRound <= 0 ? ["known before anybody called"] : [],
  ];
}

// Tolerances: half a digit of the literature's numbers, and three standard errors of so many runs.
for (
  const { runs, tolerance, ...literature } of [
    { ...PUSH_PULL_ROUNDS[0]!, runs: 1_000, tolerance: .12 },
    { ...PUSH_PULL_ROUNDS[1]!, runs: 300, tolerance: .16 },
    { ...PUSH_PULL_ROUNDS[2]!, runs: 80, tolerance: .3 },
    { ...PUSH_PULL_ROUNDS[3]!, runs: 8, tolerance: .6 },
  ]
) {
  const { monitors, rounds } = literature;
  Deno.test(`spread: push-pull alone takes ${rounds} rounds for ${monitors}, as published`, () => {
    const setting = { ...SETTING, monitors };
    const plain = { setting, runs, tellsAtOnce: false, begins: "known" } as const;
    assertNear(meanRounds({ ...plain, choice: "any" }), rounds, tolerance);
    // Calling each peer once before any twice makes little difference.
    assertNear(meanRounds(plain), rounds, tolerance + .1);
  });
}

Deno.test("spread: another fan-out, or silent peers, would not pass the calibration", () => {
  for (const other of [{ fanOut: 2 }, { silentShare: .33 }]) {
    const setting = { ...SETTING, monitors: 100, ...other };
    const rounds = meanRounds({ setting, runs: 300, tellsAtOnce: false, begins: "known" });
    assert(Math.abs(rounds - 6.5) > 1, `${rounds}`);
  }
});

Deno.test("spread: the same seed gives the same, another seed another", () => {
  const setting = { ...SETTING, monitors: 60, silentShare: .33 };
  for (const tellsAtOnce of [true, false]) {
    const how = { setting, tellsAtOnce, pace: "apart" } as const;
    assertEquals(run({ ...how, seed: 7 }), run({ ...how, seed: 7 }));
    assertNotEquals(run({ ...how, seed: 7 }), run({ ...how, seed: 8 }));
  }
});

Deno.test("spread: in the end the honest know, not before detection, and nobody else", () => {
  fc.assert(
    fc.property(settings, manners, (setting, manner) => {
      assertEquals(faultsOf(run({ setting, ...manner }), setting), []);
    }),
    { numRuns: 300 },
  );
});

Deno.test("spread: what must hold is seen to be broken where it is", () => {
  const setting = { ...SETTING, monitors: 30, silentShare: .33 };
  // Silent peers that answer, as if there were none.
  const answering = run({ setting: { ...setting, silentShare: 0 } });
  assert(faultsOf(answering, setting).includes("a silent peer knows"));
  const sound = run({ setting, tellsAtOnce: false, pace: "apart" });
  assertEquals(faultsOf(sound, setting), []);
  const early = sound.learnt.with(3, sound.detectionRound / 2);
  assertEquals(faultsOf({ ...sound, learnt: early }, setting), ["known before detection"]);
  const never = sound.learnt.with(3, Infinity);
  assert(faultsOf({ ...sound, learnt: never }, setting).includes("an honest monitor never knows"));
});

Deno.test("spread: a telling to everyone, counted, is the same as call by call", () => {
  fc.assert(
    fc.property(settings, manners, (setting, manner) => {
      const honest = setting.monitors - silentOf(setting);
      const everyone = Array.from({ length: setting.monitors }, (_, i) => i);
      const peers = Array.from({ length: honest }, (_, self) => everyone.filter((i) => i !== self));
      assertEquals(run({ setting, ...manner, peers }), run({ setting, ...manner }));
    }),
    { numRuns: 200 },
  );
});

Deno.test("spread: told at once, all know in the round of detection; not told, later", () => {
  const setting = { ...SETTING, monitors: 100 };
  for (let seed = 0; seed < 20; seed++) {
    const { detectionRound, allKnowRound, exchangesPerMonitor } = run({ setting, seed });
    assertEquals(allKnowRound, detectionRound);
    // Its own calls, and one to each of the others.
    assertEquals(exchangesPerMonitor, detectionRound + 99);
    const plain = run({ setting, seed, tellsAtOnce: false });
    assert(plain.allKnowRound > plain.detectionRound);
    assertEquals(plain.exchangesPerMonitor, plain.allKnowRound);
  }
});

Deno.test("spread: more fan-out never makes it later, silent peers never sooner", () => {
  const NOISE = .15;
  for (const sizes of ["equal", "unequal"] as const) {
    const mean = (fanOut: number, silentShare: number): number =>
      meanRounds({
        setting: { ...SETTING, monitors: 30, fanOut, silentShare, sizes },
        runs: 300,
        tellsAtOnce: false,
      });
    const few = [1, 2, 3].map((fanOut) => mean(fanOut, 0));
    const many = [1, 2, 3].map((fanOut) => mean(fanOut, .33));
    for (const means of [few, many]) {
      assert(means[0]! + NOISE > means[1]! && means[1]! + NOISE > means[2]!, `${means}`);
    }
    assert(few.every((rounds, i) => rounds < many[i]! + NOISE), `${few} and ${many}`);
  }
});

Deno.test("spread: each at its own moment, a round's calls come within the round", () => {
  const setting = { ...SETTING, monitors: 30, silentShare: .33 };
  const together = meanRounds({ setting, runs: 400 });
  const apart = meanRounds({ setting, runs: 400, pace: "apart" });
  assert(apart < together && apart > together - 1, `${apart} of ${together}`);
});

Deno.test("spread: who calls silent peers only learns when it is called itself, or never", () => {
  // Monitor 3 is silent. Nobody calls monitor 2, which calls the silent one only.
  const setting = { ...SETTING, monitors: 4, silentShare: .25 };
  const known = { setting, begins: "known" } as const;
  for (const tellsAtOnce of [true, false]) {
    const cut = run({ ...known, tellsAtOnce, peers: [[1], [0], [3]] });
    assertEquals(cut.learnt, [0, 1, Infinity, Infinity]);
    assertEquals(cut.allKnowRound, Infinity);
    const called = run({ ...known, tellsAtOnce, peers: [[1], [0, 2], [3]] });
    assert(called.learnt[2]! < Infinity);
  }
  // Shown another story or not: if nobody ever meets it, nobody knows.
  const apart = run({ setting: { ...SETTING, monitors: 3, silentShare: .33 }, peers: [[2], [2]] });
  assertEquals(apart.detectionRound, Infinity);
});

Deno.test("spread: two monitors write what two exchanges and two tellings take", () => {
  const { frame, parcel, note, known } = WIRE;
  const { bytesPerMonitor, exchangesPerMonitor } = run({ setting: { ...SETTING, monitors: 2 } });
  // The frames tell both; a question says that the case is known.
  const first = 2 * frame + 2 * parcel + 2 * note + known;
  assertEquals([exchangesPerMonitor, bytesPerMonitor], [2, first + 2 * frame]);
});

Deno.test("spread: where sizes differ, the smaller view's owner is handed the record", () => {
  const { frame, parcel, note, known, record } = WIRE;
  const setting = { ...SETTING, monitors: 2, sizes: "unequal" } as const;
  // Both ask at their first call. The larger one settles the other and tells; the smaller one then
  // tells as well, and asks, since the other is ahead.
  const { bytesPerMonitor } = run({ setting });
  const asking = 2 * frame + 2 * parcel + 2 * note;
  const handing = 2 * frame + 2 * parcel + record.unequal;
  assertEquals(2 * bytesPerMonitor, 2 * asking + handing + (handing + 2 * note + known));
});

Deno.test("spread: a silent peer is sent a frame and nothing else", () => {
  const setting = { ...SETTING, monitors: 3, silentShare: .33 };
  const peers = [[1, 2], [0, 2]];
  const with2 = run({ setting: { ...setting, fanOut: 2 }, peers });
  const without = run({ setting: { ...SETTING, monitors: 2 } });
  // In the round, and when telling.
  assertEquals(with2.bytesPerMonitor - without.bytesPerMonitor, 2 * WIRE.frame);
});

Deno.test("spread: peers chosen at random are so many, all different, and others", () => {
  for (const [self, peers] of somePeers({ monitors: 50, each: 8, draw: drawFrom(3) }).entries()) {
    assertEquals(new Set(peers).size, 8);
    assert(peers.every((peer) => peer !== self && peer >= 0 && peer < 50));
  }
});

for (const protocol of ["original", "improved"] as const) {
  Deno.test(`oxford: our copy of the ${protocol} protocol comes to what they published`, () => {
    const runs = 10_000;
    const known = oxfordDetection({ run: { protocol }, runs, draw: drawFrom(11) });
    for (const [i, round] of OXFORD_ROUNDS.entries()) {
      const theirs = OXFORD_PUBLISHED[protocol][i]!;
      const [ours, share] = [known[round]!, (known[round]! + theirs) / 2];
      // Three standard errors of the difference; theirs are rounded to thousandths.
      const error = Math.hypot(
        errorOfShare({ share, samples: runs }),
        errorOfShare({ share, samples: OXFORD_SAMPLES }),
      );
      assertNear(ours, theirs, 3 * error + .0005, `by round ${round}`);
    }
  });
}

Deno.test("oxford: the reading by the model's comments is told apart from the numbers", () => {
  const [first] = OXFORD_ROUNDS;
  const run = { protocol: "improved in words" } as const;
  const known = oxfordDetection({ run, runs: 2_000, draw: drawFrom(1) })[first!]!;
  assert(known > 5 * OXFORD_PUBLISHED.improved[0]!, `${known}`);
});

Deno.test("oxford: ours knows when the victim calls someone who has looked", () => {
  const runs = 4_000;
  for (
    const { looks, chance } of [
      // It takes part in a fifth of the rounds; where nobody looks, only server 1 has a view.
      { looks: 100, chance: .2 },
      { looks: 0, chance: .2 * .02 },
    ]
  ) {
    const run = { protocol: "hearsay", looks, larger: "other" } as const;
    const known = oxfordDetection({ run, runs, draw: drawFrom(5) });
    for (const round of OXFORD_ROUNDS) {
      const share = 1 - (1 - chance) ** round;
      const tolerance = 3.5 * errorOfShare({ share, samples: runs });
      assertNear(known[round]!, share, tolerance, `by round ${round}`);
    }
  }
});

Deno.test("report: what is weighed does not depend on keys, and frames are 104 bytes", async () => {
  const wire = await measureWire();
  assertEquals(wire, await measureWire());
  assertEquals(wire.frame, 104);
  // A record holds both notes, escaped, and for unequal sizes a proof.
  assert(wire.record.equal > 2 * wire.note && wire.record.unequal > wire.record.equal);
});

Deno.test("report: the same seed prints the same, within 100 columns", async () => {
  const printed = async (): Promise<string[]> => {
    const lines: string[] = [];
    await report({
      ...{ seed: 3, runs: 2, fleets: [10, 100], swarms: [10, 20] },
      print: (line) => lines.push(line),
      full: (setting, seed) => Promise.resolve(run({ setting, seed, pace: "apart" })),
    });
    return lines;
  };
  const lines = await printed();
  assertEquals(lines, await printed());
  assertEquals(lines.filter((line) => [...line].length > 100), []);
});
