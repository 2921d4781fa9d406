/**
 * Reads an HTTP-date, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7). The two obsolete
 * forms, which nobody may send, are not read, nor are days that no calendar has.
 * @returns milliseconds since 1970, or nothing if it is no such date
 */
export function parseHttpDate(text: string): number | undefined {
  const time = Date.parse(text);
  const isExact = !Number.isNaN(time) && new Date(time).toUTCString() === text;
  return isExact ? time : undefined;
}
