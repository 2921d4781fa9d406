const DAYS = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const IMF_FIXDATE = new RegExp(
  `^${DAYS}, \\d{2} ${MONTHS} \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$`,
);

/**
 * Reads an HTTP-date, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7). The two obsolete
 * forms, which nobody may send, are not read: Date.parse takes one of them for local time.
 * @returns milliseconds since 1970, or nothing if it is no such date
 */
export function parseHttpDate(text: string): number | undefined {
  const time = IMF_FIXDATE.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? undefined : time;
}
