/**
 * Plain values of the configuration that more than one section has.
 *
 * @module
 */
import { join } from "@std/path/join";
import { MalformedError } from "../tlog/malformed.ts";
import { unexpected, wholeNumber, within } from "../tlog/members.ts";
import { parseAddress } from "./address.ts";
import type { Address } from "./world.ts";

/** The shortest interval of anything that is configured. */
export const MIN_INTERVAL_MS = 100;
/** The longest one. */
export const MAX_INTERVAL_MS = 31 * 24 * 3_600_000;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

/** A text with something in it. @throws MalformedError for anything else */
export function readText(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw unexpected(value, { name, wanted: "a text" });
}

/** `HOST:PORT`. @throws MalformedError for anything else */
export function readAddress(value: unknown, name: string): Address {
  const text = readText(value, name);
  return within(name, () => parseAddress(text));
}

/** The URL of an endpoint. @throws MalformedError for any other, or with a name, password or query */
export function readUrl(value: unknown, name: string): string {
  const text = readText(value, name);
  const url = URL.parse(text);
  const isPlain = url?.username === "" && url.password === "" && !/[?#]/.test(text);
  if (url !== null && isPlain && /^https?:\/\//.test(text)) return url.href;
  // Not quoted: a URL may hold a password.
  throw new MalformedError(`${name} is no plain URL, expected https://HOST/PATH`);
}

/** A whole number from 1 to `most`. @throws MalformedError for anything else */
export function countUpTo(most: number): (value: unknown, name: string) => number {
  const check = wholeNumber({ least: 1, most });
  return (value, name) => {
    check(value, name);
    return value as number;
  };
}

/** `true` or `false`. @throws MalformedError for anything else */
export function readSwitch(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw unexpected(value, { name, wanted: "true or false" });
}

/** The milliseconds of a duration, such as `500ms`, `30s`, `5m`, `12h`, `7d`; nothing for other texts. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!;
}

/** Spells a whole number of milliseconds as `parseDuration` reads it, in the largest unit that fits. */
export function formatDuration(ms: number): string {
  const units = Object.entries(UNITS).filter(([, length]) => ms % length === 0);
  const [unit, length] = units.at(-1)!;
  return `${ms / length}${unit}`;
}

/**
 * A duration, as `parseDuration` takes it.
 * @returns milliseconds
 * @throws MalformedError for anything else, or for less than 100 ms or more than 31 days
 */
export function readDuration(value: unknown, name: string): number {
  const ms = typeof value === "string" ? parseDuration(value) ?? NaN : NaN;
  if (ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS) return ms;
  throw unexpected(value, { name, wanted: "a duration from 100ms to 31d, such as 30s" });
}

/** A path as it stands in the file at `path`: relative to that file's folder. */
export function placeBeside(path: string, name: string): string {
  return name.startsWith("/") ? name : join(path, "..", name);
}
