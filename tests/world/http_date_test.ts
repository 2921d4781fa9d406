import { assertEquals } from "@std/assert";
import { parseHttpDate } from "../../src/world/http_date.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const parse = (text: string): number | undefined => parseHttpDate(text, NOW);

Deno.test("parseHttpDate: reads the form that RFC 9110 section 5.6.7 asks senders for", () => {
  assertEquals(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Date.UTC(1994, 10, 6, 8, 49, 37));
  assertEquals(parse("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  assertEquals(parse("Fri, 31 Dec 9999 23:59:59 GMT"), Date.UTC(9999, 11, 31, 23, 59, 59));
});

Deno.test("parseHttpDate: reads the two obsolete forms of RFC 9110 section 5.6.7", () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);
  assertEquals(parse("Sunday, 06-Nov-94 08:49:37 GMT"), time);
  assertEquals(parse("Sun Nov  6 08:49:37 1994"), time);
  // A day of two digits follows one space.
  assertEquals(parse("Wed Nov 16 08:49:37 1994"), Date.UTC(1994, 10, 16, 8, 49, 37));
  const days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
  for (const [i, day] of days.entries()) {
    assertEquals(parse(`${day}, 0${i + 2}-Mar-26 00:00:00 GMT`), Date.UTC(2026, 2, i + 2));
  }
});

Deno.test("parseHttpDate: a year of two digits is at most 50 years ahead, and else the last such", () => {
  // The 1st of March 2076 is a Sunday, and so is that of 1976 no day but Monday.
  assertEquals(new Date(Date.UTC(2076, 2, 1)).getUTCDay(), 0);
  assertEquals(new Date(Date.UTC(1976, 2, 1)).getUTCDay(), 1);
  assertEquals(parse("Sunday, 01-Mar-76 12:00:00 GMT"), Date.UTC(2076, 2, 1, 12));
  assertEquals(parse("Sunday, 01-Mar-76 12:00:01 GMT"), undefined);
  assertEquals(parse("Monday, 01-Mar-76 12:00:01 GMT"), Date.UTC(1976, 2, 1, 12, 0, 1));
  assertEquals(parse("Monday, 01-Mar-76 12:00:00 GMT"), undefined);
  assertEquals(parse("Saturday, 01-Jan-77 00:00:00 GMT"), Date.UTC(1977, 0, 1));
  assertEquals(parse("Tuesday, 31-Dec-75 00:00:00 GMT"), Date.UTC(2075, 11, 31));
  // At the end of a century the next one is near.
  const late = Date.UTC(2099, 11, 31);
  assertEquals(
    parseHttpDate("Friday, 01-Jan-00 00:00:30 GMT", late),
    Date.UTC(2100, 0, 1, 0, 0, 30),
  );
});

Deno.test("parseHttpDate: anything else is no such date", () => {
  const others = ["", "0", "2026-03-01T12:00:00Z", "Sun, 6 Nov 1994 08:49:37 GMT"];
  const obsolete = [
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37",
    "Monday, 06-Nov-94 08:49:37 GMT",
    "Sunday, 31-Feb-26 08:49:37 GMT",
    "sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov 06 08:49:37 1994 GMT",
    "Mon Nov  6 08:49:37 1994",
    "Tue Feb 31 08:49:37 2026",
    "Sun Nov  6 24:00:00 1994",
    "Sun Nov  6 08:49:37 94",
  ];
  const wrong = [
    "Sun, 06 Nov 1994 08:49:37 EST",
    "Sun, 06 Nov 1994 25:49:37 GMT",
    "Sun, 46 Nov 1994 08:49:37 GMT",
    "Sat, 31 Feb 2026 08:49:37 GMT",
    "Mon, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 23:59:60 GMT",
    "Invalid Date",
    " Sun, 06 Nov 1994 08:49:37 GMT",
  ];
  for (const text of [...others, ...obsolete, ...wrong]) {
    assertEquals(parse(text), undefined, text);
  }
});
