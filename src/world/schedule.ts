/**
 * Schedules in the form of cron.
 *
 *     parseSchedule("@every 10s");                      // ten seconds after the last time
 *     parseSchedule("@hourly");                         // and @daily, @weekly, @monthly, @yearly
 *     parseSchedule("0,30 * * * MON-FRI");              // minute, hour, day, month, weekday
 *     parseSchedule("0-59/10 * * * * *");               // the same, with seconds before
 *     parseSchedule("CRON_TZ=Europe/Berlin 0 6 * * *"); // by the clocks of Berlin
 *
 * Without CRON_TZ (or TZ) the clock is UTC, whatever the machine's is, so that a file means the same
 * everywhere. If both a day of the month and a weekday are given, each of them is due.
 *
 * If clocks are put forward, a time of day in the hour that is left out is due at that moment, unless
 * the schedule has several times a day. If clocks are put back, a time of day in the hour that comes
 * twice is due once; a schedule of several times a day is due in both.
 *
 * @module
 */
import { Cron } from "croner";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { MAX_INTERVAL_MS, MIN_INTERVAL_MS, parseDuration, readText } from "./setting_values.ts";

/** When something is to be done, again and again. */
export interface Schedule {
  /** As it was written. */
  readonly text: string;
  /** For `@every`, the milliseconds from one time to the next; nothing for a schedule by the clock. */
  readonly everyMs: number | undefined;
  /**
   * The first time after another one; both in milliseconds since 1970. Infinity if it is
   * not before the year 3000: there the library ends.
   */
  next(afterMs: number): number;
}

/** The longest text that is read. */
const MAX_CHARACTERS = 200;
/** From here on nothing is due. The library fails at moments much later than this. */
const END_MS = Date.UTC(3000, 0, 1);
/** From here on a schedule must come some time: the calendar repeats itself after 400 years. */
const SOME_TIME = Date.UTC(2000, 0, 1);

const SHORT_FORMS = ["hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually"];
const EXAMPLES = "such as */5 * * * *, @hourly or @every 30s";

/** The fields of an expression, and what may stand in them. With five fields, seconds are left out. */
const FIELDS: readonly (readonly [name: string, wanted: string])[] = [
  ["second", "0 to 59"],
  ["minute", "0 to 59"],
  ["hour", "0 to 23"],
  ["day of the month", "1 to 31"],
  ["month", "1 to 12 or JAN to DEC"],
  ["weekday", "0 to 7 or SUN to SAT"],
];

/**
 * Reads a schedule.
 * @throws MalformedError for a text that is none, and for a schedule that never comes
 */
export function parseSchedule(text: string): Schedule {
  try {
    if (text.length > MAX_CHARACTERS) {
      throw new MalformedError(`it is longer than ${MAX_CHARACTERS} characters`);
    }
    return everySchedule(text) ?? clockSchedule(text);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`Cannot read schedule ${quoted(text)}: ${error.message}`);
  }
}

/** A schedule of the configuration. @throws MalformedError for anything else */
export function readSchedule(value: unknown, name: string): Schedule {
  const text = readText(value, name);
  try {
    return parseSchedule(text);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${name}: ${error.message}`);
  }
}

/** `@every` and a duration; nothing for another text. The library does not know it. */
function everySchedule(text: string): Schedule | undefined {
  const match = /^@every(?:\s+(.*))?$/s.exec(text.trim());
  if (match === null) return undefined;
  const everyMs = sumOfDurations(match[1] ?? "");
  if (!(everyMs >= MIN_INTERVAL_MS && everyMs <= MAX_INTERVAL_MS)) {
    throw new MalformedError(
      "expected @every and a duration from 100ms to 31d, such as @every 30s",
    );
  }
  return { text, everyMs, next: (afterMs) => afterMs + everyMs };
}

/** Milliseconds of durations written as one, such as `1h30m`; NaN for any other text. */
function sumOfDurations(text: string): number {
  const parts = text.match(/\d+[a-z]+/g) ?? [];
  if (parts.join("") !== text || parts.length === 0) return NaN;
  return parts.reduce((sum, part) => sum + (parseDuration(part) ?? NaN), 0);
}

/** A schedule by the clock: an expression or a short form, behind a time zone or not. */
function clockSchedule(text: string): Schedule {
  // The library wants the zone apart.
  const [, zone = "UTC", expression = ""] = /^\s*(?:(?:CRON_)?TZ=(\S*))?(.*)$/s.exec(text) ?? [];
  checkZone(zone);
  checkExpression(expression.trim());
  const cron = readCron(expression.trim(), zone)!;
  const next = (afterMs: number): number => {
    if (afterMs >= END_MS) return Infinity;
    return cron.nextRun(new Date(afterMs))?.getTime() ?? Infinity;
  };
  if (next(SOME_TIME) === Infinity) {
    throw new MalformedError("it never comes; expected days that its months have");
  }
  return { text, everyMs: undefined, next };
}

function checkZone(zone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    throw new MalformedError(
      `there is no time zone ${quoted(zone)}, expected a name such as Europe/Berlin`,
    );
  }
}

/** Checks each field alone, so that the message can say which one is wrong. */
function checkExpression(expression: string): void {
  if (expression.startsWith("@")) {
    if (SHORT_FORMS.includes(expression.slice(1))) return;
    const forms = SHORT_FORMS.map((form) => `@${form}`).join(", ");
    throw new MalformedError(`expected one of ${forms}, or @every and a duration`);
  }
  const given = expression.split(/\s+/);
  if (given.length !== FIELDS.length && given.length !== FIELDS.length - 1) {
    const came = expression === "" ? 0 : given.length;
    throw new MalformedError(
      `it has ${came} fields, expected 5 (minute, hour, day, month, weekday), or 6 with the second ` +
        `before them, ${EXAMPLES}`,
    );
  }
  const fields = FIELDS.slice(-given.length);
  given.forEach((field, i) => {
    const alone = given.map((_, j) => j === i ? field : "*").join(" ");
    // With a colon, the library may take all of it for a date.
    if (/^[0-9A-Za-z*/,?#+-]+$/.test(field) && readCron(alone, "UTC") !== undefined) return;
    const [name, wanted] = fields[i]!;
    throw new MalformedError(`the ${name} is ${quoted(field)}, expected ${wanted}, or * for any`);
  });
}

/**
 * What the library makes of an expression; nothing if it refuses it. It starts no timer. It would take
 * a year for a seventh field, and a single date for a text of one field.
 */
function readCron(expression: string, timezone: string): Cron | undefined {
  try {
    return new Cron(expression, { timezone, paused: true });
  } catch {
    // Its messages name the fields by other words, and repeat what was written as it came.
    return undefined;
  }
}
