/**
 * Checks the members of a parsed JSON object: which must be there, which may be there, what each
 * must be, and whether others are refused. Every error has one form, with what came and what was
 * wanted:
 *
 *     checkpoint.note is missing, expected a text
 *     repeats is 0, expected a whole number from 1 to 9007199254740991
 *     log has an unknown member "id", expected origin, vkey
 *
 * A reader is a table of checks (`Shape`), followed by rules of its own:
 *
 *     const LOG: Shape = { must: { origin: text, vkey: text }, others: "refused" };
 *     checkMembers(value, { what: "log", shape: LOG });
 *
 * @module
 */
import { MalformedError, quoted } from "./malformed.ts";

/**
 * Checks one value. The value is `undefined` if the member is missing.
 * @param name what messages call the value
 * @throws MalformedError beginning with the name
 */
export type Check = (value: unknown, name: string) => void;

/** What the members of an object must be. */
export interface Shape {
  /** Those that must be there. */
  readonly must: Readonly<Record<string, Check>>;
  /** Those that may be left out. */
  readonly may?: Readonly<Record<string, Check>>;
  /** Whether other members are refused, or kept for readers that know them. */
  readonly others: "refused" | "kept";
}

/** Whether a parsed JSON value is an object and not a list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Checks an object and its members. Messages call each member by its name alone.
 * @param what what messages call the object itself
 * @throws MalformedError for the first that is wrong
 */
export function checkMembers(
  value: unknown,
  { what, shape }: { what: string; shape: Shape },
): asserts value is Readonly<Record<string, unknown>> {
  checkAll(value, { what, shape, prefix: "" });
}

/** The check of an object that is itself a member. Its members are named after it: `log.origin`. */
export function object(shape: Shape): Check {
  return (value, name) => checkAll(value, { what: name, shape, prefix: `${name}.` });
}

function checkAll(
  value: unknown,
  { what, shape, prefix }: { what: string; shape: Shape; prefix: string },
): void {
  const { must, may = {}, others } = shape;
  if (!isObject(value)) throw unexpected(value, { name: what, wanted: "an object" });
  for (const name in must) must[name]!(value[name], prefix + name);
  for (const name in may) {
    if (Object.hasOwn(value, name)) may[name]!(value[name], prefix + name);
  }
  if (others === "kept") return;
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(must, name) || Object.hasOwn(may, name)) continue;
    const known = [...Object.keys(must), ...Object.keys(may)].join(", ");
    throw new MalformedError(`${what} has an unknown member ${quoted(name)}, expected ${known}`);
  }
}

/** The check of a list with items that all pass one check, each named by its index: `logs[3]`. */
export function listOf(item: Check): Check {
  return (value, name) => {
    if (!Array.isArray(value)) throw unexpected(value, { name, wanted: "a list" });
    value.forEach((one: unknown, i) => item(one, `${name}[${i}]`));
  };
}

/** The check of a text that is one of a few. */
export function oneOf(wanted: readonly string[]): Check {
  return (value, name) => {
    if (wanted.includes(value as string)) return;
    throw unexpected(value, { name, wanted: `one of ${wanted.join(", ")}` });
  };
}

/** The check of a whole number that a JSON number holds exactly, both limits included. */
export function wholeNumber(
  { least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER }: {
    least?: number;
    most?: number;
  } = {},
): Check {
  return (value, name) => {
    if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) return;
    throw unexpected(value, { name, wanted: `a whole number from ${least} to ${most}` });
  };
}

/** The check of a text of valid Unicode. */
export function text(value: unknown, name: string): asserts value is string {
  if (typeof value !== "string" || !value.isWellFormed()) {
    throw unexpected(value, { name, wanted: "a text" });
  }
}

/** The check of a text. It may contain half of a surrogate pair, as texts from `JSON.parse` may. */
export function anyText(value: unknown, name: string): asserts value is string {
  if (typeof value !== "string") throw unexpected(value, { name, wanted: "a text" });
}

/** The error for a wrong value, in the one form. */
export function unexpected(
  value: unknown,
  { name, wanted }: { name: string; wanted: string },
): MalformedError {
  return new MalformedError(`${name} is ${shown(value)}, expected ${wanted}`);
}

/** A value as JSON spells it, or the start of it. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  return typeof value === "string" ? quoted(value) : quoted(JSON.stringify(value)).slice(1, -1);
}

/**
 * Runs a parser that does not know the name of what it reads.
 * @throws MalformedError of the parser, with the name before it
 */
export function within<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${name}: ${error.message}`);
  }
}
