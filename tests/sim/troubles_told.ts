import type { EventName, Level } from "../../src/monitor/events.ts";
import { THE_LOG } from "../../src/monitor/the_log.ts";
import type { Fields } from "./monitor.ts";

/** A trouble that comes back again and again makes some lines, */
const LINES = 10;
/** and in each hour its summary, a changed reason, and a beginning and an end. */
const LINES_AN_HOUR = 4;
const HOUR_MS = 3_600_000;

/** The events of troubles that looks and calls alone tell. */
const TROUBLES: readonly EventName[] = [
  ...["log.unavailable", "log.unverified", "log.frozen", "log.rolled back"] as const,
  ...["exchange.failed", "exchange.nothing shared"] as const,
];
/** A look that came to this has reached the log. */
const REACHED: readonly EventName[] = ["log.first", "log.extends", "log.unchanged"];

/** What one daemon has told of its troubles. */
export class TroublesTold {
  readonly #lines = new Map<string, number>();
  /** For each origin, how often an outage began. */
  readonly #outages = new Map<string, number>();
  readonly #isOut = new Set<string>();
  readonly #since: number;

  constructor(now: number) {
    this.#since = now;
  }

  /** Takes note of an event. @returns what is wrong with it, if anything is */
  told(now: number, { name, level, fields }: {
    name: EventName;
    level: Level;
    fields: Fields;
  }): string | undefined {
    const { origin, source, after } = fields as Record<string, string>;
    if (REACHED.includes(name) && this.#isOut.has(origin!) && this.#outages.get(origin!) === 1) {
      return `tells ${name} of ${origin}, and not that its outage is over`;
    }
    if (level === "debug") return undefined;
    if (source === THE_LOG && name === "log.unavailable" && !this.#isOut.has(origin!)) {
      this.#isOut.add(origin!);
      this.#outages.set(origin!, (this.#outages.get(origin!) ?? 0) + 1);
    }
    if (source === THE_LOG && after === "unavailable") this.#isOut.delete(origin!);
    const [room] = name.split(".");
    const event = after === undefined ? name : `${room}.${after}`;
    if (!TROUBLES.includes(event as EventName)) return undefined;
    const key = `${event} ${origin} ${source}`;
    const lines = (this.#lines.get(key) ?? 0) + 1;
    this.#lines.set(key, lines);
    const most = LINES + LINES_AN_HOUR * (1 + (now - this.#since) / HOUR_MS);
    return lines <= most
      ? undefined
      : `has told ${key} in ${lines} lines, expected ${most} at most`;
  }
}
