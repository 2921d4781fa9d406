const DAY = /(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.source;
const LONG_DAY = /(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day/.source;
const RFC_850 = new RegExp(`^${LONG_DAY}, (\\d\\d)-([A-Z][a-z]{2})-(\\d\\d) (\\S{8}) GMT$`);
const ASCTIME = new RegExp(`^${DAY} ([A-Z][a-z]{2}) ([ \\d]\\d) (\\S{8}) (\\d{4})$`);
/** A year of two digits is at most this many ahead. */
const MAX_YEARS_AHEAD = 50;

/**
 * Reads an HTTP-date (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, or one of the two
 * old forms, which nobody may send and everybody must read, `Sunday, 06-Nov-94 08:49:37 GMT` and
 * `Sun Nov  6 08:49:37 1994`. Days that are in no calendar are refused.
 * @param now milliseconds since 1970, for the century of a year that has two digits
 * @returns milliseconds since 1970, or nothing if it is no such date
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  return parseExact(text) ?? parseRfc850(text, now) ?? parseAsctime(text);
}

function parseExact(text: string): number | undefined {
  const time = Date.parse(text);
  const isExact = !Number.isNaN(time) && new Date(time).toUTCString() === text;
  return isExact ? time : undefined;
}

/**
 * SPEC: Recipients of a timestamp value in rfc850-date format, which uses a two-digit year, MUST
 * interpret a timestamp that appears to be more than 50 years in the future as representing the
 * most recent year in the past that had the same last two digits.
 */
function parseRfc850(text: string, now: number): number | undefined {
  const [, day, date, month, digits, time] = RFC_850.exec(text) ?? [];
  if (day === undefined) return undefined;
  const latest = new Date(now);
  latest.setUTCFullYear(latest.getUTCFullYear() + MAX_YEARS_AHEAD);
  const lastYear = latest.getUTCFullYear();
  const year = lastYear - (lastYear - Number(digits)) % 100;
  const at = (year: number): string => `${date} ${month} ${year} ${time} GMT`;
  // The weekday follows from the year, so it does not help to find the year.
  const isTooLate = Date.parse(at(year)) > latest.getTime();
  return parseExact(`${day.slice(0, 3)}, ${at(isTooLate ? year - 100 : year)}`);
}

function parseAsctime(text: string): number | undefined {
  const [, day, month, date, time, year] = ASCTIME.exec(text) ?? [];
  if (day === undefined) return undefined;
  // SPEC: date3 = month SP ( 2DIGIT / ( SP 1DIGIT ) )
  return parseExact(`${day}, ${date!.replace(" ", "0")} ${month} ${year} ${time} GMT`);
}
