/**
 * `hearsay incidents show INC-2026-001`: an incident, its steps and its cases, in words.
 *
 * @module
 */
import { whoever } from "../response/incident_report.ts";
import { entryOf, type Incident } from "../response/runbook.ts";
import type { Prose } from "./prose.ts";

/** An incident, and the number of each of its cases that the journal has. */
export interface Numbered {
  readonly incident: Incident;
  /** Entries of the incident journal, oldest first. */
  readonly numbers: readonly number[];
}

/**
 * Tells an incident.
 * @param own the options with which its journal is named, as they would be typed
 */
export function tellWhole(prose: Prose, { incident, numbers }: Numbered, own: string): void {
  const { id, log, cause, state, steps } = incident;
  const { at, by, why } = entryOf(incident);
  const isCase = cause === "equivocation";
  prose.heading(
    `${id}: ${
      isCase
        ? "the key of a log has signed two checkpoints that contradict each other"
        : `a log was frozen because of a ${cause}; nothing is proven against it`
    }`,
  );
  prose.fact("log", log.origin);
  prose.fact("its vkey", log.vkey);
  prose.fact("state", `${state} since ${at}, by ${whoever(by)}: ${why}`);
  if (isCase) prose.fact("cases", numbers.join(", "));
  prose.heading("Steps");
  for (const { from, to, ...step } of steps) {
    const what = from === to ? `${to}, more evidence` : to;
    prose.item("-", `${step.at} ${what}, by ${whoever(step.by)}: ${step.why}`);
  }
  prose.heading("More of it");
  for (const number of numbers) prose.command(`hearsay incidents show ${number}${own}`);
  // A report needs the monitor's configuration, and not its journal alone.
  if (!own.includes(" --incidents ")) prose.command(`hearsay incidents report ${id}${own}`);
}

/** The same for programs. */
export function wholeForMachines({ incident, numbers }: Numbered): Record<string, unknown> {
  const { id, log, cause, state, steps } = incident;
  return {
    ...{ incident: id, state, log, cause, cases: numbers },
    steps: steps.map(({ from, to, at, by, why }) => ({ from, to, at, by, why })),
  };
}
