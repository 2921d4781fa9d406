/**
 * Threads that run `server.ts`, and how to ask them.
 *
 * @module
 */
import type { Job } from "./server.ts";

/** A fresh thread. */
export function startServer(): Worker {
  return new Worker(new URL("./server.ts", import.meta.url), { type: "module" });
}

/** Asks a thread one thing at a time, such as for a port or a time. */
export function ask<T>(worker: Worker, job: Job): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data as T);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(job);
  });
}
