/** Schedules in the form of cron. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { parseSchedule, readSchedule } from "../../src/world/schedule.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** The next times of a schedule, as far as they differ from `2026-01-01T00:00:00.000Z`. */
function times(text: string, { after, count }: { after: string; count: number }): string[] {
  const schedule = parseSchedule(text);
  let at = Date.parse(after);
  return Array.from({ length: count }, () => {
    const next = schedule.next(at);
    assert(next > at);
    at = next;
    return new Date(at).toISOString().replace(/(:00)?\.000Z$/, "");
  });
}

/** The first time of a schedule in the year 2026, a Thursday. */
function first(text: string): string {
  return times(text, { after: "2026-01-01T00:00:00Z", count: 1 })[0]!;
}

Deno.test("schedule: expressions of five and six fields, and short forms", () => {
  const cases: [string, string][] = [
    ["* * * * *", "2026-01-01T00:01"],
    ["*/5 * * * *", "2026-01-01T00:05"],
    ["*/10 * * * * *", "2026-01-01T00:00:10"],
    ["17 3 * * *", "2026-01-01T03:17"],
    ["0 0 1 JUN *", "2026-06-01T00:00"],
    ["0 0 * * mon-fri", "2026-01-02T00:00"],
    ["0 0 * * 7", "2026-01-04T00:00"],
    ["0 0 L * ?", "2026-01-31T00:00"],
    ["0 0 29 2 *", "2028-02-29T00:00"],
    ["  0   6\t* * *  ", "2026-01-01T06:00"],
    ["@hourly", "2026-01-01T01:00"],
    ["@daily", "2026-01-02T00:00"],
    ["@midnight", "2026-01-02T00:00"],
    ["@weekly", "2026-01-04T00:00"],
    ["@monthly", "2026-02-01T00:00"],
    ["@yearly", "2027-01-01T00:00"],
    ["@annually", "2027-01-01T00:00"],
  ];
  for (const [text, wanted] of cases) {
    assertEquals(first(text), wanted, text);
    assertEquals(parseSchedule(text).text, text);
    assertEquals(parseSchedule(text).everyMs, undefined);
  }
});

Deno.test("schedule: a day of the month and a weekday are each due", () => {
  const got = times("0 0 13 * FRI", { after: "2026-01-01T00:00:00Z", count: 4 });
  assertEquals(got.map((time) => time.slice(5, 10)), ["01-02", "01-09", "01-13", "01-16"]);
});

Deno.test("schedule: @every counts from the last time", () => {
  const cases: [string, number][] = [
    ["@every 10s", 10_000],
    ["@every   100ms", 100],
    ["@every 1h30m10s", 5_410_000],
    ["@every 31d", 31 * DAY],
  ];
  for (const [text, everyMs] of cases) {
    const schedule = parseSchedule(text);
    assertEquals(schedule.everyMs, everyMs);
    assertEquals(schedule.next(1_234), 1_234 + everyMs);
  }
});

Deno.test("schedule: what is due is after the moment given, by a millisecond or more", () => {
  const schedule = parseSchedule("*/30 * * * * *");
  const at = Date.UTC(2026, 0, 1);
  for (const [after, wanted] of [[-1, 0], [0, 30], [1, 30], [29_999, 30], [30_000, 60]] as const) {
    assertEquals(schedule.next(at + after), at + wanted * 1_000);
  }
  assertEquals(schedule.next(at + 29_999.5), at + 30_000);
});

Deno.test("schedule: CRON_TZ and TZ name the clocks that count", () => {
  const cases: [string, string][] = [
    ["0 6 * * *", "2026-01-01T06:00"],
    ["CRON_TZ=UTC 0 6 * * *", "2026-01-01T06:00"],
    ["CRON_TZ=Europe/Berlin 0 6 * * *", "2026-01-01T05:00"],
    ["TZ=America/Lima 0 6 * * *", "2026-01-01T11:00"],
    ["CRON_TZ=Asia/Kolkata @hourly", "2026-01-01T00:30"],
    ["CRON_TZ=Europe/Berlin 0 * * * *", "2026-01-01T01:00"],
  ];
  for (const [text, wanted] of cases) assertEquals(first(text), wanted, text);
});

Deno.test("schedule: when clocks are put forward, a time that is left out is due at that moment", () => {
  const after = "2026-03-28T12:00:00Z";
  assertEquals(times("CRON_TZ=Europe/Berlin 30 2 * * *", { after, count: 2 }), [
    "2026-03-29T01:00",
    "2026-03-30T00:30",
  ]);
  // Several times a day: the one that is left out is not made up for.
  assertEquals(times("CRON_TZ=Europe/Berlin 30 1,2 * * *", { after, count: 2 }), [
    "2026-03-29T00:30",
    "2026-03-29T23:30",
  ]);
  assertEquals(times("CRON_TZ=Europe/Berlin 0 * * * *", { after: "2026-03-29T00:00Z", count: 3 }), [
    "2026-03-29T01:00",
    "2026-03-29T02:00",
    "2026-03-29T03:00",
  ]);
});

Deno.test("schedule: when clocks are put back, a time of day is due once, each hour twice", () => {
  const after = "2026-10-24T22:00:00Z";
  assertEquals(times("CRON_TZ=Europe/Berlin 30 2 * * *", { after, count: 2 }), [
    "2026-10-25T00:30",
    "2026-10-26T01:30",
  ]);
  assertEquals(times("CRON_TZ=Europe/Berlin 0 * * * *", { after, count: 5 }), [
    "2026-10-24T23:00",
    "2026-10-25T00:00",
    "2026-10-25T01:00",
    "2026-10-25T02:00",
    "2026-10-25T03:00",
  ]);
});

Deno.test("schedule: one that never comes is refused", () => {
  for (const text of ["0 0 30 2 *", "0 0 31 4,6 *", "CRON_TZ=Europe/Berlin 0 0 31 2 ?"]) {
    assertThrows(() => parseSchedule(text), MalformedError, "it never comes");
  }
  assertEquals(first("0 0 30 2 MON"), "2026-02-02T00:00", "its Mondays come");
});

Deno.test("schedule: where the calendar ends, nothing is due", () => {
  const yearly = parseSchedule("@yearly");
  assertEquals(yearly.next(Date.UTC(2998, 5, 1)), Date.UTC(2999, 0, 1));
  const end = Date.UTC(3000, 0, 1);
  for (
    const after of [Date.UTC(2999, 0, 1), end - 1, end, Date.UTC(9999, 11, 31), 8.64e15, 1e300]
  ) {
    assertEquals(yearly.next(after), Infinity);
  }
  const each = parseSchedule("* * * * * *");
  assertEquals(each.next(end - 1_001), end - 1_000);
  for (const after of [end, 8.64e15, Infinity]) assertEquals(each.next(after), Infinity);
  assertEquals(parseSchedule("0 0 29 2 *").next(Date.UTC(2096, 2, 1)), Date.UTC(2104, 1, 29));
});

Deno.test("schedule: what is no schedule is refused, with what came and what was wanted", () => {
  const cases: [string, string][] = [
    [
      "",
      'Cannot read schedule "": it has 0 fields, expected 5 (minute, hour, day, month, weekday)',
    ],
    ["   ", "it has 0 fields"],
    ["30s", "it has 1 fields, expected 5"],
    ["0 * * *", "it has 4 fields"],
    ["0 0 0 1 1 * 2030", "it has 7 fields"],
    ['{"a":*/5 * * * *', "the minute is "],
    ["60 * * * *", 'the minute is "60", expected 0 to 59, or * for any'],
    ["60 * * * * *", 'the second is "60", expected 0 to 59'],
    ["0 24 * * *", 'the hour is "24", expected 0 to 23'],
    ["0 0 32 * *", 'the day of the month is "32", expected 1 to 31'],
    ["0 0 0 * *", 'the day of the month is "0"'],
    ["0 0 * 13 *", 'the month is "13", expected 1 to 12 or JAN to DEC'],
    ["0 0 * JANUARY *", 'the month is "JANUARY"'],
    ["0 0 * * 8", 'the weekday is "8", expected 0 to 7 or SUN to SAT'],
    ["*/0 * * * *", 'the minute is "*/0"'],
    ["5-1 * * * *", 'the minute is "5-1"'],
    ["1.5 * * * *", 'the minute is "1.5"'],
    ["-1 * * * *", 'the minute is "-1"'],
    ["H * * * *", 'the minute is "H"'],
    ["2026-05-01T00:00:00", "it has 1 fields"],
    ["2026-05-01T00:00:00 * * * *", 'the minute is "2026-05-01T00:00:00"'],
    ["@reboot", "expected one of @hourly, @daily"],
    ["@HOURLY", "expected one of @hourly"],
    ["@hourly now", "expected one of @hourly"],
    ["@every", "expected @every and a duration from 100ms to 31d, such as @every 30s"],
    ["@every 5", "expected @every and a duration"],
    ["@every 0s", "expected @every and a duration"],
    ["@every 99ms", "expected @every and a duration"],
    ["@every 31d1ms", "expected @every and a duration"],
    ["@every -5s", "expected @every and a duration"],
    ["@every 1.5h", "expected @every and a duration"],
    ["@every 5s 5s", "expected @every and a duration"],
    ["@every 1y", "expected @every and a duration"],
    ["@everyday", "expected one of @hourly"],
    [
      "CRON_TZ=Nowhere/City 0 * * * *",
      'there is no time zone "Nowhere/City", expected a name such',
    ],
    ["CRON_TZ= 0 * * * *", 'there is no time zone ""'],
    ["CRON_TZ=UTC", "it has 0 fields"],
    ["CRON_TZ=UTC @every 5s", "expected one of @hourly"],
    ["*".repeat(201), "it is longer than 200 characters"],
  ];
  for (const [text, message] of cases) {
    assertThrows(() => parseSchedule(text), MalformedError, message);
  }
  assertThrows(() => readSchedule(7, "schedule"), MalformedError, "schedule is 7, expected a text");
  assertThrows(
    () => readSchedule("5 \x1b * * *", "schedule"),
    MalformedError,
    'schedule: Cannot read schedule "5 \\u{1b} * * *": the hour is "\\u{1b}"',
  );
});

Deno.test("schedule: the next time is the one that a search of every minute finds", () => {
  const field = (least: number, most: number) =>
    fc.oneof(
      fc.constant(undefined),
      fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 3 }),
    );
  const start = fc.integer({ min: 0, max: 365 * 24 * 60 });
  fc.assert(
    fc.property(
      field(0, 59),
      field(0, 23),
      field(0, 6),
      start,
      (minute, hour, weekday, minutes) => {
        const spelled = (values: number[] | undefined): string => values?.join(",") ?? "*";
        const text = `${spelled(minute)} ${spelled(hour)} * * ${spelled(weekday)}`;
        const after = Date.UTC(2026, 0, 1) + minutes * MINUTE;
        const next = parseSchedule(text).next(after);
        const isDue = (ms: number): boolean => {
          const date = new Date(ms);
          return (minute ?? [date.getUTCMinutes()]).includes(date.getUTCMinutes()) &&
            (hour ?? [date.getUTCHours()]).includes(date.getUTCHours()) &&
            (weekday ?? [date.getUTCDay()]).includes(date.getUTCDay());
        };
        let wanted = after + MINUTE;
        while (!isDue(wanted)) wanted += MINUTE;
        assertEquals(new Date(next), new Date(wanted), text);
      },
    ),
    { numRuns: 150 },
  );
});
