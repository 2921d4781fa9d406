/** Runs seeds on a thread of its own; see seeds.ts. */
import type { PlanOptions } from "./plan.ts";
import { runSeed } from "./run_seed.ts";

/** What the thread is asked. */
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
// What is asked before this module has run is lost.
self.postMessage("ready");
