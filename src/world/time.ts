import type { Clock } from "./world.ts";

/** Now, as RFC 3339 in UTC. */
export function timeNow(clock: Clock): string {
  return clock.now().toISOString();
}

/**
 * A moment of the monotonic clock as RFC 3339 in UTC, by the wall clock as it is set now.
 * @param monotonic in milliseconds
 */
export function timeAt(clock: Clock, monotonic: number): string {
  return timeOf(clock.now().getTime() + Math.round(monotonic - clock.monotonic()));
}

/**
 * Milliseconds since a time in RFC 3339, by the wall clock. It is never negative, even if that
 * clock is set.
 */
export function millisecondsSince(clock: Clock, time: string): number {
  return Math.max(0, clock.now().getTime() - Date.parse(time));
}

/**
 * How many milliseconds after `since` a process ended, by the times that it wrote. It is at most
 * the time to now, by the clock, and never negative.
 * @param since RFC 3339
 * @param endedAt RFC 3339; nothing if it wrote none
 */
export function millisecondsWaited(
  clock: Clock,
  { since, endedAt }: { since: string; endedAt: string | undefined },
): number {
  if (endedAt === undefined) return 0;
  const end = Math.min(Date.parse(endedAt), clock.now().getTime());
  return Math.max(0, end - Date.parse(since));
}

/** Milliseconds from one time in RFC 3339 to another; never negative. */
export function millisecondsBetween(from: string, to: string): number {
  return Math.max(0, Date.parse(to) - Date.parse(from));
}

/** Whether a text is a time that can be calculated with. */
export function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
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

/** Milliseconds since 1970 of a time in RFC 3339; NaN if it is none that can be counted with. */
export function millisecondsOf(time: string): number {
  return Date.parse(time);
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$/;

/**
 * Milliseconds since 1970 of a time or a date in RFC 3339, as a person types it; nothing for any other
 * text. A date begins at midnight, UTC.
 */
export function parseTime(text: string): number | undefined {
  const match = TIME.exec(text.toUpperCase());
  if (match === null) return undefined;
  const [, year, month, day] = match.map(Number) as [number, number, number, number];
  // The platform takes 30 February for a day in March.
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined;
  const time = Date.parse(match[0]);
  return Number.isNaN(time) ? undefined : time;
}
