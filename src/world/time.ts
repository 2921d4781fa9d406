import type { Clock } from "./world.ts";

/** Now, as RFC 3339 in UTC. */
export function timeNow(clock: Clock): string {
  return clock.now().toISOString();
}

/** Milliseconds since a time in RFC 3339, by the wall clock; never negative, whatever it does. */
export function millisecondsSince(clock: Clock, time: string): number {
  return Math.max(0, clock.now().getTime() - Date.parse(time));
}

/** Milliseconds since 1970 of a time that `timeOf` would give; nothing for any other text. */
export function exactMilliseconds(time: string): number | undefined {
  const ms = Date.parse(time);
  return Number.isFinite(ms) && timeOf(ms) === time ? ms : undefined;
}

/** A time of so many milliseconds since 1970, in RFC 3339, UTC. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
