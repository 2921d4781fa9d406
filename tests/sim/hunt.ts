/**
 * Runs seeds from 1 until one has a violation, and prints that seed as JSON. It is run in a tree with a
 * mutant.
 *
 * @module
 */
import { runSeed } from "./run_seed.ts";

/** The violation that a hunt found. */
export interface Found {
  /** How many seeds were run until it was found. */
  readonly seeds: number;
  readonly property: string;
  readonly detail: string;
}

if (import.meta.main) {
  const most = Number(Deno.args[0]);
  let found: Found | undefined;
  for (let seed = 1; seed <= most && found === undefined; seed++) {
    const [violation] = (await runSeed({ seed })).outcome.violations;
    if (violation === undefined) continue;
    found = { seeds: seed, property: violation.property, detail: violation.detail };
  }
  console.log(JSON.stringify(found ?? null));
}
