/** A daemon's diagnostics: LogTape writes them, one line an event, for a machine or a person. */
import {
  configure,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogLevel,
} from "@logtape/logtape";
import type { EventReport, Level } from "../monitor/events.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import type { Terminal } from "./terminal.ts";

const LEVELS: Readonly<Record<Level, LogLevel>> = {
  debug: "debug",
  info: "info",
  warning: "warning",
  error: "error",
};

const STYLES = { debug: "dim", info: "cyan", warning: "yellow", error: "red" } as const;

/**
 * A report that prints every event from `least` on.
 * @param json one JSON object a line, with `event` for its stable name
 */
export async function eventLog(
  { terminal, json, least }: { terminal: Terminal; json: boolean; least: Level },
): Promise<EventReport> {
  const toJson = getJsonLinesFormatter({ properties: "flatten" });
  const toText = getTextFormatter({
    timestamp: "rfc3339",
    format: ({ record, timestamp, message }) => `${timestamp} ${record.level} ${message}`,
  });
  await configure({
    reset: true,
    sinks: {
      terminal: (record) => {
        if (json) return terminal.out(printableJson(toJson(record).trimEnd()));
        const style = STYLES[(record.level in STYLES ? record.level : "error") as Level];
        terminal.out(terminal.paint(style, printable(toText(record).trimEnd())));
      },
    },
    loggers: [
      { category: "hearsay", sinks: ["terminal"], lowestLevel: LEVELS[least] },
      { category: ["logtape", "meta"], lowestLevel: "fatal" },
    ],
  });
  const logger = getLogger("hearsay");
  const event: EventReport["event"] = (name, level, fields) => {
    const told = Object.entries(fields).filter(([, value]) => value !== undefined);
    const text = told.map(([key, value]) =>
      `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
    ).join(" ");
    // The text is ours, not a template: LogTape would read braces in it as placeholders.
    const message = json ? name : `${name} ${text}`.replaceAll("{", "{{").replaceAll("}", "}}");
    logger[level === "warning" ? "warn" : level](message, { event: name, ...fields });
  };
  return {
    event,
    refused: (error) => {
      const reason = error instanceof Error ? error.message : String(error);
      event("disk.refused", "error", { reason });
    },
  };
}
