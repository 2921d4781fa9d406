/**
 * Runs seeds from 1 until one has a violation, and prints that seed as JSON. It is run in a tree with a
 * mutant: `hunt.ts SEEDS fleets|witnesses`.
 *
 * @module
 */
import { runSeed } from "./run_seed.ts";
import { runWitnesses } from "./witnesses/run.ts";

/** The violation that a hunt found. */
export interface Found {
  /** How many seeds were run until it was found. */
  readonly seeds: number;
  readonly property: string;
  readonly detail: string;
}

if (import.meta.main) {
  const most = Number(Deno.args[0]);
  const run = Deno.args[1] === "witnesses" ? runWitnesses : runSeed;
  let found: Found | undefined;
  for (let seed = 1; seed <= most && found === undefined; seed++) {
    const [violation] = (await run({ seed })).outcome.violations;
    if (violation === undefined) continue;
    found = { seeds: seed, property: violation.property, detail: violation.detail };
  }
  console.log(JSON.stringify(found ?? null));
}
