/**
 * The part of the simulator's command that is about witnesses: `deno task sim --witnesses`.
 *
 * @module
 */
import { EXIT } from "../../../src/cli/command.ts";
import { type Aim, AIMS } from "./plan.ts";
import { runWitnesses, type WitnessRun } from "./run.ts";

/** How often an aim was pursued, and in how many runs two histories were committed. */
interface Tally {
  runs: number;
  broken: number;
}

/** The result of many seeds. */
export interface WitnessesRun {
  readonly runs: number;
  readonly failed: readonly WitnessRun[];
  readonly checked: Readonly<Record<string, number>>;
  readonly tallies: Readonly<Record<Aim, Tally>>;
}

/**
 * Runs the seeds from `from` to `to`.
 * @param onRun called after each
 */
export async function runManyWitnesses(
  { from, to, stopAtFirst = false, onRun }: {
    from: number;
    to: number;
    stopAtFirst?: boolean;
    onRun?: (run: WitnessRun) => void;
  },
): Promise<WitnessesRun> {
  const tallies = Object.fromEntries(AIMS.map((aim) => [aim, { runs: 0, broken: 0 }])) as Record<
    Aim,
    Tally
  >;
  const checked: Record<string, number> = {};
  const failed: WitnessRun[] = [];
  let runs = 0;
  for (let seed = from; seed <= to && !(stopAtFirst && failed.length > 0); seed++) {
    const run = await runWitnesses({ seed });
    const { plan: { aim }, outcome } = run;
    runs++;
    tallies[aim].runs++;
    if (outcome.isBroken) tallies[aim].broken++;
    for (const [property, looks] of Object.entries(outcome.checked)) {
      checked[property] = (checked[property] ?? 0) + looks;
    }
    if (outcome.violations.length > 0) failed.push(run);
    onRun?.(run);
  }
  return { runs, failed, checked, tallies };
}

/** Runs one seed and prints its summary. @returns an exit code */
export async function oneOfWitnesses(
  { seed, isTold }: { seed: number; isTold: boolean },
): Promise<number> {
  const account = (line: string): void => {
    if (isTold) console.log(line);
  };
  const { summary, outcome } = await runWitnesses({ seed, account });
  console.log(summary);
  return outcome.violations.length === 0 ? EXIT.ok : EXIT.proven;
}

/** Runs many seeds and prints what came of them. @returns an exit code */
export async function manyOfWitnesses(
  range: { from: number; to: number; stopAtFirst: boolean },
): Promise<number> {
  const { runs, failed, checked, tallies } = await runManyWitnesses({
    ...range,
    onRun(run) {
      if (run.outcome.violations.length > 0) console.error(replay(run));
    },
  });
  console.log(`${runs} seeds of witnesses`);
  for (const [aim, { runs, broken }] of Object.entries(tallies)) {
    console.log(`  ${aim}: two histories were committed in ${broken} of ${runs}`);
  }
  for (const [property, looks] of Object.entries(checked).sort()) {
    console.log(`  ${property}: looked at ${looks} times`);
  }
  for (const run of failed) console.log(replay(run));
  console.log(failed.length === 0 ? "no violation" : `${failed.length} seeds with a violation`);
  return failed.length === 0 ? EXIT.ok : EXIT.proven;
}

/** What was violated, and the command that shows it again. */
function replay({ seed, outcome: { violations } }: WitnessRun): string {
  const [{ property, detail }] = violations as [typeof violations[number]];
  return `seed ${seed}, replay with "deno task sim --witnesses --seed ${seed} --story": VIOLATION ` +
    `of "${property}": ${detail}`;
}
