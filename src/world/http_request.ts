import type { HttpAnswer } from "./world.ts";

/** The head of an HTTP/1.1 request, taken apart. */
export interface RequestHead {
  readonly method: string;
  /** From the first slash, as it came. */
  readonly path: string;
  /** What follows the question mark, as it came. */
  readonly search: string;
  /** By lower-case name; several lines of one name are joined by commas (RFC 9110 section 5.3). */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the content that follows; nothing if it does not say (RFC 9112 section 6). */
  readonly contentBytes: number | undefined;
  /** Whether another request may follow on the connection, once the content was read. */
  readonly keepsAlive: boolean;
}

const REQUEST_LINE = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.([01])$/;
/**
 * RFC 9110 section 5.6.2: a token; and field values of visible characters, spaces and tabs. The
 * spaces around the value are not part of the pattern. With them, a line that does not match would
 * take time cubic in its length.
 */
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\x20-\x7e\x80-\xff\t]*)$/;

/**
 * Reads a request's head, strictly: no folded lines, no white space before a colon, no target but a
 * path, one Host at most, and one at least in HTTP/1.1 (RFC 9112 section 3.2).
 * @param text the head in ISO 8859-1, without the empty line at its end
 * @returns nothing if the answer must be 400
 */
export function parseRequestHead(text: string): RequestHead | undefined {
  const [first = "", ...lines] = text.split("\r\n");
  const request = REQUEST_LINE.exec(first);
  if (request === null) return undefined;
  const [, method, target, minor] = request as unknown as [string, string, string, string];
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const before = headers.get(key);
    if (before !== undefined && key === "host") return undefined;
    const trimmed = withoutBlanks(value);
    headers.set(key, before === undefined ? trimmed : `${before}, ${trimmed}`);
  }
  if (minor === "1" && !headers.has("host")) return undefined;
  const [path = "", search = ""] = split(target, "?");
  const contentBytes = contentBytesOf(headers);
  if (Number.isNaN(contentBytes)) return undefined;
  const mayFollow = !/\bclose\b/i.test(headers.get("connection") ?? "");
  return { method, path, search, headers, contentBytes, keepsAlive: minor === "1" && mayFollow };
}

/** A field's value without the spaces and tabs around it. */
function withoutBlanks(value: string): string {
  const isBlank = (at: number): boolean => value[at] === " " || value[at] === "\t";
  let [from, to] = [0, value.length];
  while (from < to && isBlank(from)) from++;
  while (to > from && isBlank(to - 1)) to--;
  return value.slice(from, to);
}

/** See `contentBytes`; NaN for a length that is none, or one beside a transfer coding. */
function contentBytesOf(headers: ReadonlyMap<string, string>): number | undefined {
  const length = headers.get("content-length");
  if (headers.has("transfer-encoding")) return length === undefined ? undefined : NaN;
  return /^\d{1,15}$/.test(length ?? "0") ? Number(length ?? 0) : NaN;
}

function split(text: string, at: string): string[] {
  const place = text.indexOf(at);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)];
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  304: "Not Modified",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  411: "Length Required",
  413: "Content Too Large",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};
/** Statuses that have no body (RFC 9110 section 6.4.1). */
const BODILESS = [204, 304];

/** The head of an answer, up to and with the empty line. */
export function formatAnswerHead(
  { status, headers = {}, body }: HttpAnswer,
  { date, isLast }: { date: Date; isLast: boolean },
): string {
  const length = BODILESS.includes(status) ? {} : { "content-length": `${body?.length ?? 0}` };
  const all = {
    ...{ date: date.toUTCString(), ...headers, ...length },
    ...(isLast && { connection: "close" }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${lines.join("")}\r\n`;
}
