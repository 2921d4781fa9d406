import type { Clock } from "./world.ts";

/** Now, as RFC 3339 in UTC. */
export function timeNow(clock: Clock): string {
  return clock.now().toISOString();
}

/** Milliseconds since a time in RFC 3339, by the wall clock; never negative, whatever it does. */
export function millisecondsSince(clock: Clock, time: string): number {
  return Math.max(0, clock.now().getTime() - Date.parse(time));
}
