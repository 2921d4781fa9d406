import { type Log, parseLog } from "../tlog/log.ts";
import type { ListedLog } from "./log_list.ts";

/** How many keys of listed logs stay loaded. A loaded key takes some kilobytes. */
const MAX_LOADED = 1_000;

/** The logs whose checkpoints a witness cosigns, by their origin. */
export class WitnessLogs {
  readonly #followed = new Map<string, Log[]>();
  /** Logs of a list. There may be tens of thousands. */
  readonly #listed: ReadonlyMap<string, ListedLog>;
  readonly #loaded = new Map<string, readonly Log[]>();

  /**
   * @param followed the logs of the configuration; several may have one origin, each with its own key
   * @param listed logs of a list, by origin; each can be read
   */
  constructor(
    { followed, listed = new Map() }: {
      followed: readonly Log[];
      listed?: ReadonlyMap<string, ListedLog>;
    },
  ) {
    for (const log of followed) {
      this.#followed.set(log.origin, [...this.#followed.get(log.origin) ?? [], log]);
    }
    this.#listed = listed;
  }

  /** How many origins it knows. */
  get size(): number {
    const more = [...this.#listed.keys()].filter((origin) => !this.#followed.has(origin));
    return this.#followed.size + more.length;
  }

  /** Whether the configuration has logs with this origin, and not only a list. */
  isConfigured(origin: string): boolean {
    return this.#followed.has(origin);
  }

  /** Requests that a log may make in a day; nothing if only the limits of all logs count for it. */
  perDay(origin: string): number | undefined {
    return this.isConfigured(origin) ? undefined : this.#listed.get(origin)?.qpd;
  }

  /**
   * The logs with this origin; none if it is unknown. What the configuration says of an origin counts
   * before what a list says.
   */
  named(origin: string): readonly Log[] {
    const followed = this.#followed.get(origin) ?? this.#loaded.get(origin);
    if (followed !== undefined) return followed;
    const listed = this.#listed.get(origin);
    if (listed === undefined) return [];
    const logs = [parseLog(listed.notation)];
    this.#loaded.set(origin, logs);
    if (this.#loaded.size > MAX_LOADED) {
      this.#loaded.delete(this.#loaded.keys().next().value!);
    }
    return logs;
  }
}
