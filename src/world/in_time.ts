import { type Clock, WorldError } from "./world.ts";

/**
 * What this work comes to, if it ends in time. Work that takes too long is left to itself: a read of a
 * pipe that nobody writes to, for example, cannot be broken off.
 * @throws WorldError (`timed out`) if it does not end in time; whatever the work throws
 */
export async function inTime<T>(
  { clock, ms, work, late = `nothing came within ${ms / 1_000} s` }: {
    clock: Clock;
    ms: number;
    work: () => Promise<T>;
    /** What is said if it does not. */
    late?: string;
  },
): Promise<T> {
  const tooLate = Promise.withResolvers<never>();
  const timer = clock.after(ms, () => tooLate.reject(new WorldError("timed out", late)));
  const working = work();
  // If it fails later, nobody waits for it any more.
  working.catch(() => {});
  try {
    return await Promise.race([working, tooLate.promise]);
  } finally {
    timer.cancel();
  }
}
