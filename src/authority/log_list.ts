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
import { formatLog, makeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseVkey } from "../tlog/vkey.ts";

/** The first line of a list. */
const HEADER = "logs/v0";
/** The longest list that is read. One for 40,000 logs has about 8 MB. */
export const MAX_LIST_BYTES = 64 * 1024 * 1024;
/** Most logs of a list. */
export const MAX_LISTED_LOGS = 200_000;
/** "qpd … a decimal in [1, 2^31)". */
const MAX_QPD = 2 ** 31 - 1;

/** A list that was read. */
export interface LogList {
  /** The logs in the notation of `--log`, by origin. */
  readonly logs: ReadonlyMap<string, string>;
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
  const lines = linesIn(text);
  const [header, ...rest] = lines;
  if (header === undefined || header.keyword !== HEADER || header.value !== "") {
    throw new MalformedError(
      `Cannot read list: line ${header?.at ?? 1} is not "${HEADER}", the first of every list`,
    );
  }
  const logs = new Map<string, string>();
  const dropped: string[] = [];
  for (const entry of entriesIn(rest, dropped)) {
    const [{ at }] = entry as [ListLine];
    try {
      const [origin, notation] = readEntry(entry);
      if (logs.has(origin)) {
        throw new MalformedError(
          `the origin ${quoted(origin)} is listed before; the first one counts`,
        );
      }
      if (logs.size >= MAX_LISTED_LOGS) {
        throw new MalformedError(`there are more than ${MAX_LISTED_LOGS} logs`);
      }
      logs.set(origin, notation);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      dropped.push(`line ${at}: ${error.message}`);
    }
  }
  return { logs, dropped };
}

function linesIn(text: string): ListLine[] {
  return text.split("\n").flatMap((line, i) => {
    const trimmed = line.replace(/^[ \t]+|[ \t]+$/g, "");
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    const space = trimmed.indexOf(" ");
    const keyword = space < 0 ? trimmed : trimmed.slice(0, space);
    return [{ at: i + 1, keyword, value: space < 0 ? "" : trimmed.slice(space + 1) }];
  });
}

/** The lines of each log. Lines above the first `vkey` belong to none. */
function entriesIn(lines: readonly ListLine[], dropped: string[]): ListLine[][] {
  const entries: ListLine[][] = [];
  for (const line of lines) {
    if (line.keyword === "vkey") entries.push([line]);
    else if (entries.length > 0) entries.at(-1)!.push(line);
    else dropped.push(`line ${line.at}: ${quoted(line.keyword)} stands above the first "vkey"`);
  }
  return entries;
}

/** "vkey", then "origin" if there is one, then "qpd" and "contact", in this order. */
function readEntry(entry: readonly ListLine[]): [origin: string, notation: string] {
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
  const vkey = parseVkey(first.value);
  const log = makeLog({ vkey, origin: stated?.value ?? vkey.name });
  return [log.origin, formatLog(log)];
}
