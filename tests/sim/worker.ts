/** Runs seeds on a thread of its own; see seeds.ts. */
import type { PlanOptions } from "./plan.ts";
import { runSeed } from "./run_seed.ts";

/** What a thread is asked to run. */
export interface Question {
  readonly seed: number;
  readonly options: PlanOptions;
}

const self = globalThis as unknown as {
  onmessage: (event: MessageEvent<Question>) => void;
  postMessage(answer: unknown): void;
};

self.onmessage = async ({ data: { seed, options } }) => {
  self.postMessage(await runSeed({ seed, options }));
};
// A question that comes before this module has run would be lost, so the thread says when it is ready.
self.postMessage("ready");
