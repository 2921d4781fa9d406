/** A daemon's log lines, one for each event, for a machine or a person. LogTape writes them. */
import {
  compareLogLevel,
  configure,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";
import type { EventReport, Level } from "../monitor/events.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import { progressBar } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

const LEVELS: Readonly<Record<Level, LogLevel>> = {
  debug: "debug",
  info: "info",
  warning: "warning",
  error: "error",
};

const STYLES = { debug: "dim", info: "cyan", warning: "yellow", error: "red" } as const;

type Print = (record: LogRecord) => void;

/** Where each report prints. LogTape has only one configuration for the whole process. */
const printers = new Map<string, Print>();
let configured: Promise<void> | undefined;

const CATEGORY = "hearsay";

/** Makes a logger whose records go to `print`. */
async function loggerTo(print: Print): Promise<Logger> {
  configured ??= configure({
    sinks: { printers: (record) => printers.get(record.category[1] ?? "")?.(record) },
    loggers: [
      { category: CATEGORY, sinks: ["printers"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], lowestLevel: "fatal" },
    ],
  });
  await configured;
  const id = `${printers.size}`;
  printers.set(id, print);
  return getLogger([CATEGORY, id]);
}

/** Shows a person how far the index is: a bar on the terminal, and no lines. */
function showIndexing(terminal: Terminal, fields: Readonly<Record<string, unknown>>): void {
  const [done, all] = [Number(fields.seq), Number(fields.lastSeq)];
  const doing = "reading the observation journal into its index";
  terminal.progress(done < all ? progressBar({ done, all }, doing) : "");
}

/**
 * Makes a report that prints every event of level `least` or louder.
 * @param json whether to print one JSON object a line; its `event` is the event's stable name
 */
export async function eventLog(
  { terminal, json, least }: { terminal: Terminal; json: boolean; least: Level },
): Promise<EventReport> {
  const toJson = getJsonLinesFormatter({
    properties: "flatten",
    categorySeparator: () => CATEGORY,
  });
  const toText = getTextFormatter({
    timestamp: "rfc3339",
    format: ({ record, timestamp, message }) => `${timestamp} ${record.level} ${message}`,
  });
  const logger = await loggerTo((record) => {
    if (compareLogLevel(record.level, LEVELS[least]) < 0) return;
    if (json) return terminal.out(printableJson(toJson(record).trimEnd()));
    const style = STYLES[(record.level in STYLES ? record.level : "error") as Level];
    terminal.out(terminal.paint(style, printable(toText(record).trimEnd())));
  });
  const event: EventReport["event"] = (name, level, fields) => {
    if (name === "index.progress" && !json) return showIndexing(terminal, fields);
    const told = Object.entries(fields).filter(([, value]) => value !== undefined);
    const text = told.map(([key, value]) =>
      `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
    ).join(" ");
    // LogTape reads braces as placeholders, so they are escaped.
    const message = json ? name : `${name} ${text}`.replaceAll("{", "{{").replaceAll("}", "}}");
    logger[level === "warning" ? "warn" : level](message, { event: name, ...fields });
    // As soon as lines can be written again, one tells how many are missing.
    const lines = terminal.lost.takeNews();
    if (lines > 0) event("output.lost", "error", { lines, reason: terminal.lost.reason });
  };
  return {
    event,
    lost: () => terminal.lost.lines,
    refused: (error, more) => {
      const reason = error instanceof Error ? error.message : String(error);
      event("disk.refused", "error", { reason, more });
    },
  };
}
