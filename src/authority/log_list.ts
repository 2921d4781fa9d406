/**
 * Lists of logs for witnesses, C2SP tlog-list, `logs/v0`:
 *
 *     logs/v0
 *
 *     vkey log.example+c7c695c4+AesM…
 *     origin the log's origin, if it is not the key's name
 *     qpd 8640
 *     contact somebody@example.com
 *
 * Lines that are empty, or begin with `#`, are left out, and so are the spaces and tabs around a line.
 *
 * @module
 */
import { checkOrigin } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { loadVerifier } from "../tlog/note.ts";
import { parseVkey, SIGNATURE_TYPE } from "../tlog/vkey.ts";

/** The first line of a list. */
const HEADER = "logs/v0";
/** The longest list that is read. One for 40,000 logs has about 8 MB. */
export const MAX_LIST_BYTES = 64 * 1024 * 1024;
/** Most logs of a list. */
export const MAX_LISTED_LOGS = 200_000;
/** "qpd … a decimal in [1, 2^31)". */
const MAX_QPD = 2 ** 31 - 1;

/** A log of a list. */
export interface ListedLog {
  /** As `--log` takes it. */
  readonly notation: string;
  /** Requests that it may make in a day. */
  readonly qpd: number;
}

/** A list that was read. */
export interface LogList {
  /** The logs, by origin. */
  readonly logs: ReadonlyMap<string, ListedLog>;
  /** What was left out, each a sentence that begins with the line's number. */
  readonly dropped: readonly string[];
}

/** A line with its number, from 1. */
interface ListLine {
  readonly at: number;
  readonly keyword: string;
  readonly value: string;
}

/**
 * Reads a list. A log that cannot be used is left out and told, and the others count: one bad entry
 * must not take the witness from all other logs.
 * @throws MalformedError if it is no list at all
 */
export function parseLogList(text: string): LogList {
  const reading = readLogList({ text });
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
  }
}

/** Logs that are read in one step. */
const LOGS_A_STEP = 500;

/**
 * As `parseLogList`, in steps, between which the caller can do other things: tens of thousands of keys
 * take seconds to check.
 * @param known logs of a list that was read before; those that are still the same are not checked
 *   again
 */
export function* readLogList(
  { text, known = new Map() }: { text: string; known?: LogList["logs"] },
): Generator<undefined, LogList> {
  const lines = linesIn(text);
  const header = lines.next().value;
  if (header?.keyword !== HEADER || header.value !== "") {
    throw new MalformedError(
      `Cannot read list: line ${header?.at ?? 1} is not "${HEADER}", the first of every list`,
    );
  }
  const logs = new Map<string, ListedLog>();
  const dropped: string[] = [];
  let entries = 0;
  for (const entry of entriesIn(lines)) {
    if (++entries % LOGS_A_STEP === 0) yield;
    const [{ at, keyword }] = entry as [ListLine];
    try {
      if (keyword !== "vkey") {
        throw new MalformedError(`${quoted(keyword)} stands above the first "vkey"`);
      }
      const [origin, log] = readEntry(entry, known);
      if (logs.has(origin)) {
        throw new MalformedError(
          `the origin ${quoted(origin)} is listed before; the first one counts`,
        );
      }
      if (logs.size >= MAX_LISTED_LOGS) {
        throw new MalformedError(`there are more than ${MAX_LISTED_LOGS} logs`);
      }
      logs.set(origin, log);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      dropped.push(`line ${at}: ${error.message}`);
    }
  }
  return { logs, dropped };
}

/** Whether a place of a list is a URL, and not a path. */
export function isListUrl(place: string): boolean {
  return /^https?:\/\//.test(place);
}

/**
 * Checks the URL of a list.
 * @returns how it is fetched
 * @throws MalformedError
 */
export function checkListUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !isListUrl(text) || /[\s#]/.test(text)) {
    throw new MalformedError(`URL is ${quoted(text)}, expected http://HOST/… or https://HOST/…`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new MalformedError(`URL of ${quoted(url.host)} has a name or password, expected none`);
  }
  return url.href;
}

/** The lines that say something. One at a time: a list may have hundreds of thousands. */
function* linesIn(text: string): Generator<ListLine, undefined> {
  for (let [from, at] = [0, 1]; from < text.length; at++) {
    const newline = text.indexOf("\n", from);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(from, end).replace(/^[ \t]+|[ \t]+$/g, "");
    from = end + 1;
    if (line === "" || line.startsWith("#")) continue;
    const space = line.indexOf(" ");
    const keyword = space < 0 ? line : line.slice(0, space);
    yield { at, keyword, value: space < 0 ? "" : line.slice(space + 1) };
  }
}

/** The lines of each log; first those above the first `vkey`, if there are any. */
function* entriesIn(lines: Iterable<ListLine>): Generator<ListLine[]> {
  let entry: ListLine[] = [];
  for (const line of lines) {
    if (line.keyword === "vkey" && entry.length > 0) {
      yield entry;
      entry = [];
    }
    entry.push(line);
  }
  if (entry.length > 0) yield entry;
}

/** "vkey", then "origin" if there is one, then "qpd" and "contact", in this order. */
function readEntry(
  entry: readonly ListLine[],
  known: LogList["logs"],
): [origin: string, log: ListedLog] {
  const [first, ...rest] = entry as [ListLine, ...ListLine[]];
  const stated = rest[0]?.keyword === "origin" ? rest.shift() : undefined;
  const [qpd, contact, more] = rest;
  if (qpd?.keyword !== "qpd" || contact?.keyword !== "contact" || more !== undefined) {
    const came = entry.map(({ keyword }) => quoted(keyword)).join(", ");
    throw new MalformedError(
      `the log has ${came}, expected "vkey", perhaps "origin", then "qpd" and "contact"`,
    );
  }
  if (!/^[1-9]\d{0,9}$/.test(qpd.value) || Number(qpd.value) > MAX_QPD) {
    throw new MalformedError(`qpd is ${quoted(qpd.value)}, expected a number from 1 to ${MAX_QPD}`);
  }
  const rate = Number(qpd.value);
  const { value: text } = first;
  const name = text.slice(0, Math.max(0, text.indexOf("+")));
  const origin = stated?.value ?? name;
  const notation = origin === name ? text : `${text} ${origin}`;
  const before = known.get(origin);
  if (before?.notation === notation) return [origin, { notation: before.notation, qpd: rate }];
  const vkey = parseVkey(text);
  checkOrigin(origin);
  // The check of an Ed25519 key is part of reading its vkey. To load it once more would cost seconds
  // and a hundred megabytes for tens of thousands of logs.
  if (vkey.type !== SIGNATURE_TYPE.ed25519) loadVerifier(vkey);
  return [origin, { notation, qpd: rate }];
}
