/**
 * The attack: it feeds parsers their cases, and finds out what throws, what takes long and what takes
 * much memory.
 *
 * @module
 */
import fc from "fast-check";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { sha256 } from "../../../src/tlog/hashing.ts";
import { MalformedError } from "../../../src/tlog/malformed.ts";
import { LONG_PARTS, LONG_TEXT_LENGTH, longText } from "./inputs.ts";
import { insist, type Outcome, type ParserUnderTest, PromiseBroken } from "./parser.ts";

/** The longest time of one case with its checks. It is generous, because machines are noisy. */
export const MAX_CASE_MS = 2_000;
/** How often a case that takes longer is run, and the shortest time taken. */
const TIMES_MEASURED = 3;
/** The largest array a case may ask for at once; no input fed here is half as long. */
export const MAX_ALLOCATION_BYTES = 4 * 1024 * 1024;

/** How long a counterexample is made smaller before it is reported. */
const SHRINK_MS = 10_000;
/** How many cases make a batch. Each batch has its own seed, and progress is reported after it. */
const BATCH_CASES = 2_000;
/** How much of a counterexample is printed. Its seed and path give it in full. */
const SHOWN_CHARACTERS = 4_000;

/** Why a parser failed, and how to see it again. */
interface Failure {
  /** For `replayCase`. */
  readonly seed: number;
  /** For `replayCase`. */
  readonly path: string;
  /** The smallest input found that does it, as code, or the start of it. */
  readonly input: string;
  /** What the parser did wrong. */
  readonly error: string;
}

/** The result of an attack on one parser. */
export interface ParserReport {
  readonly name: string;
  readonly cases: number;
  readonly accepted: number;
  readonly refused: number;
  /** The time of the slowest case, its checks included. */
  readonly slowestMs: number;
  readonly failure?: Failure;
}

/** The settings of an attack. */
export interface Attack {
  /** The seed. It and the number of cases determine all cases. */
  readonly seed: number;
  /** The number of all cases. It may be a few more, because each parser's share is rounded up. */
  readonly cases: number;
  readonly parsers: readonly ParserUnderTest[];
  /** Milliseconds; another clock in tests of this. */
  readonly clock?: () => number;
  /** Called after each batch, with the result of its parser so far. */
  onProgress?(report: ParserReport): void;
}

/** Feeds every parser its share of cases. @returns a report of each, in their order */
export async function attack(
  { seed, cases, parsers, clock = () => performance.now(), onProgress }: Attack,
): Promise<readonly ParserReport[]> {
  const shares = parsers.reduce((sum, { share }) => sum + share, 0);
  const reports: ParserReport[] = [];
  for (const target of parsers) {
    const wanted = Math.ceil(cases * target.share / shares);
    reports.push(await fuzz({ target, seed, cases: wanted, clock, onProgress }));
  }
  return reports;
}

/** A seed that follows from another, a parser's name and a number: no two batches are alike. */
function seedOf(seed: number, name: string, batch: number): number {
  return new DataView(sha256(utf8(`${seed} ${batch} ${name}`)).buffer).getInt32(0);
}

async function fuzz(
  { target, seed, cases, clock, onProgress }: {
    target: ParserUnderTest;
    seed: number;
    cases: number;
    clock: () => number;
    onProgress: Attack["onProgress"];
  },
): Promise<ParserReport> {
  const tally = { cases: 0, accepted: 0, refused: 0, slowestMs: 0 };
  for (let batch = 0; tally.cases < cases; batch++) {
    const trial = new Trial(target, clock);
    const result = await fc.check(fc.asyncProperty(target.inputs, (input) => trial.run(input)), {
      seed: seedOf(seed, target.name, batch),
      numRuns: Math.min(BATCH_CASES, cases - tally.cases),
    });
    tally.cases += result.numRuns;
    tally.accepted += trial.accepted;
    tally.refused += trial.refused;
    tally.slowestMs = Math.max(tally.slowestMs, trial.slowestMs);
    const report = { name: target.name, ...tally };
    if (result.failed) return { ...report, failure: failureOf(result) };
    onProgress?.(report);
  }
  return { name: target.name, ...tally };
}

/**
 * Runs one case again.
 * @throws what it throws, or PromiseBroken
 */
export async function replayCase(
  { parser, seed, path }: { parser: ParserUnderTest; seed: number; path: string },
): Promise<void> {
  const trial = new Trial(parser, () => performance.now());
  const result = await fc.check(fc.asyncProperty(parser.inputs, (input) => trial.run(input)), {
    seed,
    path,
    endOnFailure: true,
  });
  if (result.failed) throw result.errorInstance;
}

/**
 * Feeds a parser one input.
 * @returns what became of it
 * @throws any error that is no orderly refusal; PromiseBroken if it takes too long or too much
 *   memory
 */
export async function feed(
  parser: ParserUnderTest,
  input: unknown,
  clock: () => number = () => performance.now(),
): Promise<{ outcome: Outcome; tookMs: number }> {
  const orderly = [MalformedError, ...parser.orderly ?? []];
  const once = async () => {
    const start = clock();
    const { largest, result: outcome } = await watchingAllocations(async () => {
      try {
        return await parser.run(input);
      } catch (error) {
        if (orderly.some((known) => error instanceof known)) return "refused";
        throw error;
      }
    });
    return { outcome, largest, tookMs: clock() - start };
  };
  let { outcome, largest, tookMs } = await once();
  // A slow case is slow each time. If only the machine was busy, another try is fast.
  for (let i = 1; i < TIMES_MEASURED && tookMs > MAX_CASE_MS; i++) {
    tookMs = Math.min(tookMs, (await once()).tookMs);
  }
  insist(tookMs <= MAX_CASE_MS, `it takes ${Math.round(tookMs)} ms, at most ${MAX_CASE_MS}`);
  insist(
    largest <= MAX_ALLOCATION_BYTES,
    `it sets ${largest} bytes aside, at most ${MAX_ALLOCATION_BYTES}`,
  );
  return { outcome, tookMs };
}

/** Cases of one batch, counted until one fails. */
class Trial {
  accepted = 0;
  refused = 0;
  slowestMs = 0;
  #failedAt: number | undefined;
  readonly #parser: ParserUnderTest;
  readonly #clock: () => number;

  constructor(parser: ParserUnderTest, clock: () => number) {
    this.#parser = parser;
    this.#clock = clock;
  }

  async run(input: unknown): Promise<void> {
    // A case that takes long is not made smaller for hours.
    const failedAt = this.#failedAt;
    if (failedAt !== undefined && performance.now() - failedAt > SHRINK_MS) return;
    try {
      const { outcome, tookMs } = await feed(this.#parser, input, this.#clock);
      if (failedAt !== undefined) return;
      this[outcome]++;
      this.slowestMs = Math.max(this.slowestMs, tookMs);
    } catch (error) {
      this.#failedAt ??= performance.now();
      throw error;
    }
  }
}

function failureOf(result: fc.RunDetails<[unknown]>): Failure {
  const { seed, counterexamplePath, counterexample, errorInstance } = result;
  const input = fc.stringify(counterexample?.[0]);
  const error = errorInstance instanceof Error
    ? `${errorInstance.constructor.name}: ${errorInstance.message}\n${errorInstance.stack ?? ""}`
    : String(errorInstance);
  const clip = (text: string): string =>
    text.length <= SHOWN_CHARACTERS
      ? text
      : `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`;
  return { seed, path: counterexamplePath ?? "", input: clip(input), error: clip(error) };
}

/**
 * Runs something and returns the length of the largest array that was asked for meanwhile, granted or
 * not. A measurement of memory in use would miss an array that is freed at once.
 */
export async function watchingAllocations<T>(
  run: () => Promise<T>,
): Promise<{ result: T; largest: number }> {
  const before = { Uint8Array, ArrayBuffer };
  let largest = 0;
  const handler: ProxyHandler<typeof Uint8Array | typeof ArrayBuffer> = {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") largest = Math.max(largest, args[0]);
      return Reflect.construct(target, args, newTarget);
    },
  };
  Object.assign(globalThis, {
    Uint8Array: new Proxy(before.Uint8Array, handler),
    ArrayBuffer: new Proxy(before.ArrayBuffer, handler),
  });
  try {
    return { result: await run(), largest };
  } finally {
    Object.assign(globalThis, before);
  }
}

/** What a long text stands between: nothing, and what makes a JSON text of it, whole or torn. */
const AROUND = [
  ...[["", ""], ['{"note":"', ""], ['{"note":"', '"}'], ["{", '"z":0}'], ['{"a":[', "0]}"]],
];

/** Feeds a parser every long text of one part over and over, alone and within JSON. */
export async function feedLongTexts(parser: ParserUnderTest): Promise<void> {
  if (parser.feed === undefined) return;
  for (const part of LONG_PARTS) {
    for (const [start, end] of AROUND) {
      const text = longText(`${start}${end}`, start!.length, part, LONG_TEXT_LENGTH);
      try {
        await feed(parser, parser.feed(text));
      } catch (error) {
        const what = `${parser.name}, ${JSON.stringify(start)} and ${
          JSON.stringify(part)
        } repeated`;
        throw new PromiseBroken(`${what}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}
