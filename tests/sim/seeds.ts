/**
 * Runs many seeds, on as many threads as there are processors. The result of a seed does not depend on
 * the thread that runs it, or on what runs beside it.
 *
 * @module
 */
import type { PlanOptions } from "./plan.ts";
import type { SeedRun } from "./run_seed.ts";
import type { Question } from "./worker.ts";

/** The result of many seeds. */
export interface SeedsRun {
  readonly runs: number;
  readonly failed: readonly SeedRun[];
  /** How often each property was checked. */
  readonly checked: Readonly<Record<string, number>>;
  /** How often a log showed somebody another story. */
  readonly splits: number;
  /** In how many of the runs there was at least one. */
  readonly withSplits: number;
  readonly withCases: number;
}

/**
 * Runs the seeds from `from` to `to`.
 * @param onProgress called after each seed
 * @param onFailure called at once for each seed that has a violation
 * @param stopAtFirst whether to stop at the first violation
 */
export async function runSeeds(
  {
    from,
    to,
    options = {},
    jobs = navigator.hardwareConcurrency,
    onProgress,
    onFailure,
    stopAtFirst = false,
  }: {
    from: number;
    to: number;
    options?: PlanOptions;
    jobs?: number;
    onProgress?: (done: number, failed: number) => void;
    onFailure?: (run: SeedRun) => void;
    stopAtFirst?: boolean;
  },
): Promise<SeedsRun> {
  let next = from;
  let runs = 0;
  let [splits, withSplits, withCases] = [0, 0, 0];
  const failed: SeedRun[] = [];
  const checked: Record<string, number> = {};
  const isOver = (): boolean => next > to || (stopAtFirst && failed.length > 0);
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, async () => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    try {
      await answerOf(worker, "its start");
      while (!isOver()) {
        const question: Question = { seed: next++, options };
        worker.postMessage(question);
        const run = await answerOf(worker, `seed ${question.seed}`) as SeedRun;
        runs++;
        const { violations, counts } = run.outcome;
        if (violations.length > 0) {
          failed.push(run);
          onFailure?.(run);
        }
        splits += counts.splits;
        if (counts.splits > 0) withSplits++;
        if (counts.cases > 0) withCases++;
        for (const [property, looks] of Object.entries(run.outcome.checked)) {
          checked[property] = (checked[property] ?? 0) + looks;
        }
        onProgress?.(runs, failed.length);
      }
    } finally {
      worker.terminate();
    }
  }));
  failed.sort((a, b) => a.seed - b.seed);
  return { runs, failed, checked, splits, withSplits, withCases };
}

/** The next message of a thread. @throws Error that names what it worked on, if it fails */
function answerOf(worker: Worker, about: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`${about}: ${event.message}`));
    };
  });
}
