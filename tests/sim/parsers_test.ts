import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../src/world/address.ts";
import {
  attack,
  feed,
  feedLongTexts,
  MAX_ALLOCATION_BYTES,
  MAX_CASE_MS,
  type ParserReport,
  replayCase,
} from "./parsers/harness.ts";
import { type Outcome, type ParserUnderTest, PromiseBroken } from "./parsers/parser.ts";
import { parsersUnderTest } from "./parsers.ts";

const SEED = 20_260_101;
/**
 * How many cases an ordinary test run takes, which shall be short: a small share of the million of
 * `deno task sim`. `.ci/run` has 100,000.
 */
const CASES = 6_000;

const parsers = await parsersUnderTest();

/** Fails with every failure in full, so that each can be replayed. */
function assertHeld(reports: readonly ParserReport[]): void {
  const failed = reports.filter(({ failure }) => failure !== undefined);
  assert(failed.length === 0, JSON.stringify(failed, null, 2));
}

Deno.test("parsers: whatever comes is taken or refused in order, soon, and in little room", async () => {
  const reports = await attack({ seed: SEED, cases: CASES, parsers });
  assertHeld(reports);
  assertEquals(reports.map(({ name }) => name), parsers.map(({ name }) => name));
  for (const { name, cases, accepted, refused } of reports) {
    assertEquals(accepted + refused, cases, name);
    assert(accepted > 0, `${name} accepted nothing, so nothing was said of what it accepts`);
    assert(refused > 0, `${name} refused nothing, so it met no bad input`);
  }
});

Deno.test("parsers: every valid input is accepted", async () => {
  for (const parser of parsers) {
    for (const [i, input] of (parser.valid ?? []).entries()) {
      assertEquals((await feed(parser, input)).outcome, "accepted", `${parser.name}, ${i}`);
    }
  }
});

for (const parser of parsers.filter((parser) => parser.feed !== undefined)) {
  Deno.test(`parsers: no long text takes long, ${parser.name}`, () => feedLongTexts(parser));
}

Deno.test("parsers: a seed says all cases, another says others", async () => {
  const seen: string[] = [];
  const listener = recorder(seen);
  const run = async (seed: number): Promise<string[]> => {
    await attack({ seed, cases: 50, parsers: [listener] });
    return seen.splice(0);
  };
  const first = await run(1);
  assertEquals(first.length, 50);
  assertEquals(await run(1), first);
  assert((await run(2)).join() !== first.join());
});

Deno.test("parsers: each gets its share of the cases, and progress is told", async () => {
  const told: string[] = [];
  const parsers = [{ ...recorder([]), share: 3 }, { ...recorder([]), name: "cheap", share: 1 }];
  const onProgress = ({ name, cases }: ParserReport) => told.push(`${name} ${cases}`);
  const reports = await attack({ seed: 1, cases: 4_000, parsers, onProgress });
  assertEquals(reports.map(({ cases }) => cases), [3_000, 1_000]);
  assertEquals(told, ["recorder 2000", "recorder 3000", "cheap 1000"]);
});

/** A parser that takes everything and remembers it. */
function recorder(seen: string[]): ParserUnderTest<string> {
  return {
    name: "recorder",
    share: 1,
    inputs: fc.string({ maxLength: 20 }),
    run(text) {
      seen.push(text);
      return "accepted";
    },
  };
}

/** A parser of addresses. At every text with an x in it, it does what the test wants. */
function faulty(atX: (text: string) => Outcome | Promise<Outcome>): ParserUnderTest {
  const faulty: ParserUnderTest<string> = {
    name: "faulty",
    share: 1,
    inputs: fc.string({ unit: fc.constantFrom("a", ":", "1", "x"), maxLength: 12 }),
    feed: (text) => text,
    run(text) {
      if (text.includes("x")) return atX(text);
      parseAddress(text);
      return "accepted";
    },
  };
  return faulty as ParserUnderTest;
}

async function attacked(parser: ParserUnderTest, clock?: () => number): Promise<ParserReport> {
  const [report] = await attack({
    ...{ seed: 1, cases: 1_000, parsers: [parser] },
    ...(clock !== undefined && { clock }),
  });
  return report!;
}

Deno.test("parsers: one without a fault passes, and refusals are counted as such", async () => {
  const report = await attacked(faulty(() => "refused"));
  assertEquals(report.failure, undefined);
  assertEquals(report.accepted + report.refused, 1_000);
  assert(report.accepted > 0 && report.refused > 0);
});

const FAULTS: readonly [string, string, () => Outcome | Promise<Outcome>][] = [
  ["throws a TypeError", "TypeError", () => (undefined as unknown as string[]).length as never],
  ["throws a RangeError", "RangeError", () => new Uint8Array(-1) as never],
  ["rejects with what is no error", "gone", () => Promise.reject("gone")],
  ["calls itself for ever", "call stack", function endless(): Outcome {
    return endless() === "accepted" ? "refused" : "accepted";
  }],
  ["accepts what it must not", "nothing with an x", () => {
    throw new PromiseBroken("nothing with an x");
  }],
  [
    "believes a claimed length",
    `at most ${MAX_ALLOCATION_BYTES}`,
    () => new Uint8Array(MAX_ALLOCATION_BYTES + 1).length > 0 ? "accepted" : "refused",
  ],
];

for (const [what, told, atX] of FAULTS) {
  Deno.test(`parsers: a parser that ${what} is found, told small, and replayed`, async () => {
    const parser = faulty(atX);
    const { failure } = await attacked(parser);
    assert(failure !== undefined);
    assertStringIncludes(failure.error, told);
    assertEquals(failure.input, '"x"');
    const { seed, path } = failure;
    const again = await replayCase({ parser, seed, path }).catch((error) => error);
    assertStringIncludes(`${again instanceof Error ? again.constructor.name : ""}: ${again}`, told);
  });
}

Deno.test("parsers: a case that takes longer than the bound is found, one as long is not", async () => {
  for (const [ms, isFound] of [[MAX_CASE_MS, false], [MAX_CASE_MS + 1, true]] as const) {
    let now = 0;
    const slow = faulty(() => {
      now += ms;
      return "refused";
    });
    const { failure, slowestMs } = await attacked(slow, () => now);
    assertEquals(failure !== undefined, isFound);
    // A slow case is measured again before it counts.
    if (isFound) assertStringIncludes(failure!.error, `it takes ${ms} ms`);
    else assertEquals(slowestMs, ms);
  }
});

Deno.test("parsers: an array of the largest size is allowed", async () => {
  const most = faulty(() => new ArrayBuffer(MAX_ALLOCATION_BYTES) && "accepted");
  assertEquals((await feed(most, "x")).outcome, "accepted");
});

Deno.test("parsers: a long text that takes long is found", async () => {
  const slow = faulty(() => "accepted");
  const quadratic: ParserUnderTest = {
    ...slow,
    run(text) {
      if (/^\[{9}/.test(text as string)) throw new PromiseBroken("it would take long");
      return "accepted";
    },
  };
  await assertRejects(() => feedLongTexts(quadratic), PromiseBroken, '"[" repeated');
});
