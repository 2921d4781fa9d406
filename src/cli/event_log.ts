/** A daemon's diagnostics: one line an event, for a machine or a person. */
import { type EventReport, type Level, LEVELS } from "../monitor/events.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import { timeNow } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import { progressBar } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

/** How a person sees each level. */
const STYLES = { debug: "dim", info: "cyan", warning: "yellow", error: "red" } as const;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Makes a report that prints every event of level `least` or louder.
 * @param json whether to print one JSON object a line; its `event` is the event's stable name
 */
export function eventLog(
  { terminal, clock, json, least }: {
    terminal: Terminal;
    clock: Clock;
    json: boolean;
    least: Level;
  },
): EventReport {
  const event: EventReport["event"] = (name, level, fields) => {
    if (name === "index.progress" && !json) return showIndexing(terminal, fields);
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) {
      const at = timeNow(clock);
      if (json) {
        // The members before the fields' own are those of the Elastic Common Schema.
        const common = { "@timestamp": at, level: level.toUpperCase(), message: name };
        const line = { ...common, logger: "hearsay", event: name, ...fields };
        terminal.out(printableJson(JSON.stringify(line)));
      } else {
        const text = [at, level, name, ...spelled(fields)].join(" ");
        terminal.out(terminal.paint(STYLES[level], printable(text)));
      }
    }
    // This is told as soon as a line can be printed again. Before that, nobody could know that
    // something is missing.
    const lines = terminal.lost.takeNews();
    if (lines > 0) event("output.lost", "error", { lines, reason: terminal.lost.reason });
  };
  return {
    event,
    lost: () => terminal.lost.lines,
    workFailed: (error, more) => {
      const reason = error instanceof Error ? error.message : String(error);
      event("disk.refused", "error", { reason, more });
    },
  };
}

/** An event's fields for a person; those without a value are left out. */
function spelled(fields: Fields): string[] {
  return Object.entries(fields).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
}

/** For a person the index is a bar on the terminal, and no lines. */
function showIndexing(terminal: Terminal, fields: Fields): void {
  const [done, all] = [Number(fields.seq), Number(fields.lastSeq)];
  const doing = "reading the observation journal into its index";
  terminal.progress(done < all ? progressBar({ done, all }, doing) : "");
}
