import { type Fetcher, type FetchOptions, REQUEST_TIMEOUT_MS } from "./fetcher.ts";
import { type LookTime, MAX_LOOK_MS } from "./look_time.ts";
import { SourceUnavailable } from "./source.ts";

/** Longest Retry-After that a look waits out. A longer one ends the look. */
export const MAX_WAITED_OUT_MS = 10_000;
/**
 * Shortest pause before a log that limits requests is asked again, even if it names a shorter one
 * or none.
 */
export const MIN_WAITED_OUT_MS = 1_000;
/**
 * How often one request is put off in one look. An honest limit is over when the log said it would
 * be.
 */
export const MAX_WAITS_PER_REQUEST = 4;

const TOOK_TOO_LONG = `a look may take ${
  MAX_LOOK_MS / 1000
} s, and this one has no time left for the request`;

/**
 * Gets files within the time of one look. It waits out a short Retry-After and asks again, so that
 * a log that limits requests can still be followed. It begins no request that might end after the
 * look.
 */
export class PatientFetcher implements Fetcher {
  readonly #fetcher: Fetcher;
  readonly #time: LookTime;

  constructor({ fetcher, time }: { fetcher: Fetcher; time: LookTime }) {
    this.#fetcher = fetcher;
    this.#time = time;
  }

  locate(path: string): string {
    return this.#fetcher.locate(path);
  }

  forget(): void {
    this.#fetcher.forget?.();
  }

  /** @throws SourceUnavailable also once the look has no time left for a request */
  async get(path: string, options: FetchOptions): Promise<Uint8Array | undefined> {
    for (let waits = 0;; waits++) {
      this.#checkTime(path);
      try {
        return await this.#fetcher.get(path, options);
      } catch (error) {
        const waitMs = this.#time.mayWait ? waitedOutMs(error, this.#time) : undefined;
        if (waitMs === undefined || waits >= MAX_WAITS_PER_REQUEST) throw error;
        await this.#time.pause(waitMs);
      }
    }
  }

  #checkTime(path: string): void {
    if (hasTimeToAsk(this.#time)) return;
    const why = this.#time.isEnded ? "this monitor ends" : TOOK_TOO_LONG;
    throw new SourceUnavailable(`Cannot get ${this.#fetcher.locate(path)}: ${why}`);
  }
}

/** Whether a request may begin: within this turn, and early enough to end within the look. */
export function hasTimeToAsk({ leftMs, turnMs }: LookTime, inMs = 0): boolean {
  return turnMs > inMs && leftMs >= inMs + REQUEST_TIMEOUT_MS;
}

/** How long to wait before asking again after such a failure; nothing if waiting is no use. */
export function waitedOutMs(error: unknown, time: LookTime): number | undefined {
  if (!(error instanceof SourceUnavailable) || error.retryAfterMs === undefined) return undefined;
  const waitMs = Math.max(error.retryAfterMs, MIN_WAITED_OUT_MS);
  return waitMs <= MAX_WAITED_OUT_MS && hasTimeToAsk(time, waitMs) ? waitMs : undefined;
}

/** The fetcher, bound to the time of a look. Without a time, the fetcher as it is. */
export function within(
  { fetcher, time }: { fetcher: Fetcher; time: LookTime | undefined },
): Fetcher {
  return time === undefined ? fetcher : new PatientFetcher({ fetcher, time });
}
