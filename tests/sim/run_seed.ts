import type { Violation } from "./properties.ts";
import { Fleet, type Outcome } from "./fleet.ts";
import { planOf, type PlanOptions } from "./plan.ts";

/** A run of one seed. */
export interface SeedRun {
  readonly seed: number;
  readonly outcome: Outcome;
  /** A summary for people. It is the same, byte for byte, in every run. */
  readonly summary: string;
}

/**
 * Runs one seed.
 * @param account called with a line for each thing that happens
 */
export async function runSeed(
  { seed, options = {}, account }: {
    seed: number;
    options?: PlanOptions;
    account?: ((line: string) => void) | undefined;
  },
): Promise<SeedRun> {
  const plan = planOf(seed, options);
  const fleet = new Fleet(plan, account);
  // An uncaught rejection would end the process, and nobody would know which seed it was.
  const onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    fleet.crashed(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  try {
    const outcome = await fleet.run();
    return { seed, outcome, summary: summaryOf({ plan, outcome }) };
  } finally {
    globalThis.removeEventListener("unhandledrejection", onRejection);
  }
}

function summaryOf(
  { plan, outcome }: { plan: ReturnType<typeof planOf>; outcome: Outcome },
): string {
  const { monitors, troublemakers, logs, healsAt, happenings } = plan;
  const { counts, settledAfter, boundMs, digest, violations } = outcome;
  const malice = troublemakers.length === 0 ? "none" : troublemakers.join(", ");
  const dishonest = logs.filter(({ deceit }) => deceit !== undefined).length;
  const settled = settledAfter === undefined
    ? `not settled within ${seconds(boundMs)}`
    : `settled ${seconds(settledAfter)} after it (bound ${seconds(boundMs)})`;
  return [
    `seed ${plan.seed}: ${monitors.length} monitors, ${logs.length} logs (${dishonest} dishonest), ` +
    `malicious peers: ${malice}`,
    `  ${seconds(healsAt)} of trouble (${happenings.length} happenings), ${settled}`,
    `  ${counts.connections} connections, ${counts.bytes} bytes, ${counts.looks} looks, ` +
    `${counts.starts} starts; ${counts.splits} split views, ${counts.cases} incidents`,
    `  trace ${digest}`,
    ...violations.map((violation) => `  ${describe(violation)}`),
  ].join("\n");
}

/** A violation as one line. */
export function describe({ property, at, detail }: Violation): string {
  return `VIOLATION of "${property}" at ${seconds(at)}: ${detail}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}
