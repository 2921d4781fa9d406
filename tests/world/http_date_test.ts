import { assertEquals } from "@std/assert";
import { parseHttpDate } from "../../src/world/http_date.ts";

Deno.test("parseHttpDate: reads the form that RFC 9110 section 5.6.7 asks senders for", () => {
  assertEquals(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), Date.UTC(1994, 10, 6, 8, 49, 37));
  assertEquals(parseHttpDate("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  assertEquals(parseHttpDate("Fri, 31 Dec 9999 23:59:59 GMT"), Date.UTC(9999, 11, 31, 23, 59, 59));
});

Deno.test("parseHttpDate: anything else is no such date", () => {
  const others = ["", "0", "2026-03-01T12:00:00Z", "Sun, 6 Nov 1994 08:49:37 GMT"];
  const obsolete = ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
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
    assertEquals(parseHttpDate(text), undefined, text);
  }
});
