/**
 * The simulator's command: `deno task sim`.
 *
 * @module
 */
import { EXIT, readOptions, UsageError } from "../../src/cli/command.ts";
import { quoted } from "../../src/tlog/malformed.ts";
import { MUTANTS, runMutants } from "./mutants.ts";
import { fuzzParsers } from "./parsers.ts";
import type { PlanOptions } from "./plan.ts";
import { report } from "./research/report.ts";
import { fullRun } from "./research/full_run.ts";
import { describe, runSeed, type SeedRun } from "./run_seed.ts";
import { runSeeds } from "./seeds.ts";
import { manyOfWitnesses, oneOfWitnesses } from "./witnesses/command.ts";

/** Planted bugs that are found within so many seeds are hunted for before each change lands. */
const SOON_SEEDS = 40;

const HELP = `deno task sim [--seed N | --seeds FROM-TO] [--monitors N] [--hours N] [--story]
               [--first] [--mutants] [--report] [--parsers CASES]
deno task sim --witnesses [--seed N [--story] | --seeds FROM-TO [--first]]

Runs a fleet of monitors in one process. The code is the real one; time, network, disks and logs are
simulated. What must hold is checked all the time. The same seed gives the same run, byte for byte.

  --seed N         runs one seed and prints its summary (default 1)
  --seeds FROM-TO  runs many seeds and prints what was violated
  --monitors N     the number of honest monitors, instead of the seed's
  --hours N        how long trouble lasts, instead of the seed's time
  --story          with --seed: prints an account of everything that happens
  --first          with --seeds: ends with the first violation
  --mutants        plants one bug after the other, and prints after how many seeds each is found
  --soon           with --mutants: only those that are found within ${SOON_SEEDS} seeds, or by a test
  --report         prints how many rounds it takes until a split view is known, and the literature's
                   numbers
  --parsers CASES  gives every parser of foreign input so many mutated and random inputs
  --witnesses      runs witnesses, liars, a log that splits and clients with policies instead

Exit code 1 after a violation, a missed mutant or a parser that fails; 2 for wrong usage.
`;

async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${HELP}`);
    return EXIT.usage;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args, {
    values: ["seed", "seeds", "monitors", "hours", "parsers"],
    flags: ["story", "first", "mutants", "soon", "report", "witnesses", "help"],
  });
  if (options.flag("help")) {
    console.log(HELP);
    return EXIT.ok;
  }
  const plan: PlanOptions = {
    monitors: wholeNumber("monitors", options.value("monitors"), { least: 2 }),
    hours: hoursOf(options.value("hours")),
  };
  if (options.flag("mutants")) return await mutants({ isSoon: options.flag("soon") });
  if (options.flag("report")) return await scale();
  const cases = wholeNumber("parsers", options.value("parsers"), { least: 1 });
  if (cases !== undefined) return await parsers(cases);
  const seeds = options.value("seeds");
  const stopAtFirst = options.flag("first");
  const isOfWitnesses = options.flag("witnesses");
  if (seeds !== undefined) {
    const range = { ...rangeOf(seeds), stopAtFirst };
    return isOfWitnesses ? await manyOfWitnesses(range) : await many({ ...range, plan });
  }
  const seed = wholeNumber("seed", options.value("seed"), { least: 0 }) ?? 1;
  const isTold = options.flag("story");
  if (isOfWitnesses) return await oneOfWitnesses({ seed, isTold });
  return await one({ seed, plan, isTold });
}

/** Runs one seed and prints its summary. */
async function one(
  { seed, plan, isTold }: { seed: number; plan: PlanOptions; isTold: boolean },
): Promise<number> {
  const account = isTold ? (line: string) => console.log(line) : undefined;
  const run = await runSeed({ seed, options: plan, account });
  console.log(run.summary);
  if (run.outcome.violations.length === 0) return EXIT.ok;
  console.error(replay(run, plan));
  return EXIT.proven;
}

async function many(
  { from, to, plan, stopAtFirst }: {
    from: number;
    to: number;
    plan: PlanOptions;
    stopAtFirst: boolean;
  },
): Promise<number> {
  const total = to - from + 1;
  const shown = Math.max(1, Math.floor(total / 20));
  const onProgress = (done: number, failed: number): void => {
    if (done % shown !== 0) return;
    console.error(`${done} of ${total} seeds, ${failed} with a violation`);
  };
  const { runs, failed, checked, withSplits, withCases } = await runSeeds({
    ...{ from, to, options: plan, onProgress, stopAtFirst },
    onFailure: (run) => console.error(replay(run, plan)),
  });
  console.log(`${runs} seeds; ${withSplits} with a split view shown, ${withCases} with incidents`);
  for (const [property, looks] of Object.entries(checked).sort()) {
    console.log(`  ${property}: looked at ${looks} times`);
  }
  for (const run of failed) console.log(replay(run, plan));
  console.log(failed.length === 0 ? "no violation" : `${failed.length} seeds with a violation`);
  return failed.length === 0 ? EXIT.ok : EXIT.proven;
}

/** One line: what was violated, in which seed, and the command that shows it again. */
function replay({ seed, outcome }: SeedRun, { monitors, hours }: PlanOptions): string {
  const options = [
    ...(monitors === undefined ? [] : [`--monitors ${monitors}`]),
    ...(hours === undefined ? [] : [`--hours ${hours}`]),
  ];
  const command = ["deno task sim --seed", seed, ...options, "--story"].join(" ");
  return `seed ${seed}, commit ${commit()}, replay with "${command}": ` +
    describe(outcome.violations[0]!);
}

function commit(): string {
  try {
    const { stdout } = new Deno.Command("git", { args: ["describe", "--always", "--dirty"] })
      .outputSync();
    return new TextDecoder().decode(stdout).trim() || "unknown";
  } catch {
    return "unknown";
  }
}

async function mutants({ isSoon }: { isSoon: boolean }): Promise<number> {
  let missed = 0;
  const chosen = MUTANTS.filter(({ seeds }) => !isSoon || seeds <= SOON_SEEDS);
  for await (const { mutant, found } of runMutants({ mutants: chosen })) {
    if (found === undefined) missed++;
    const result = found === undefined
      ? "MISSED"
      : mutant.test !== undefined
      ? `found by the test "${found.detail}"`
      : `found by "${found.property}" after ${found.seeds} of ${mutant.seeds} seeds` +
        (found.property === mutant.breaks ? "" : ` (planted to break "${mutant.breaks}")`);
    console.log(`${mutant.name}: ${result}`);
  }
  const all = isSoon
    ? `all ${chosen.length} of these mutants were found`
    : "every mutant was found";
  console.log(missed === 0 ? all : `${missed} mutants were missed`);
  return missed === 0 ? EXIT.ok : EXIT.proven;
}

async function parsers(cases: number): Promise<number> {
  const reports = await fuzzParsers({
    ...{ seed: 1, cases },
    onProgress: ({ name, cases }) => console.error(`${name}: ${cases} cases so far`),
  });
  for (const { name, cases, accepted, refused, failure } of reports) {
    console.log(`${name}: ${cases} cases, ${accepted} accepted, ${refused} refused`);
    if (failure !== undefined) console.log(failure);
  }
  const isSound = reports.every(({ failure }) => failure === undefined);
  return isSound ? EXIT.ok : EXIT.proven;
}

async function scale(): Promise<number> {
  await report({ seed: 1, runs: 200, print: (line) => console.log(line), full: fullRun });
  return EXIT.ok;
}

function wholeNumber(
  name: string,
  text: string | undefined,
  { least }: { least: number },
): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw new UsageError(`--${name} is ${quoted(text)}, expected a whole number from ${least}`);
}

function hoursOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (Number(text) > 0 && Number(text) <= 1_000) return Number(text);
  throw new UsageError(`--hours is ${quoted(text)}, expected a number above 0, up to 1000`);
}

function rangeOf(text: string): { from: number; to: number } {
  const [, from, to] = /^(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (from === undefined || Number(from) > Number(to)) {
    throw new UsageError(`--seeds is ${quoted(text)}, expected FROM-TO, such as 1-1000`);
  }
  return { from: Number(from), to: Number(to) };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
