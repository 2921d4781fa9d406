/**
 * A heartbeat: a URL is asked for every so often, for as long as this monitor really watches. Whoever
 * serves the URL raises the alarm when it is not asked for any more (a dead man's switch). So the end
 * of the monitor is told too, which the monitor itself cannot do.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";
import { Stop } from "../world/stop.ts";
import { timeNow } from "../world/time.ts";
import { SOFTWARE } from "../world/version.ts";
import { type World, WorldError } from "../world/world.ts";
import { addressOf } from "./allowed_hosts.ts";
import { SEND_MS } from "./channel.ts";
import type { HeartbeatSettings } from "./settings.ts";

/** The heartbeat in a daemon's status. */
export interface HeartbeatStatus {
  readonly lastBeatAt?: string;
  /** Why the last beat failed, if it did. */
  readonly lastError?: string;
  /** Whether the last beat was left out, because not all logs were looked at as they should be. */
  readonly isHeldBack?: boolean;
}

const MAX_ANSWER_BYTES = 64 * 1024;

/** Asks for the URL for as long as all is watched. */
export class Heartbeat {
  readonly #world: Pick<World, "clock" | "http">;
  readonly #settings: HeartbeatSettings;
  readonly #allow: readonly string[];
  readonly #isWatching: () => boolean;
  readonly #stop = new Stop();
  #status: HeartbeatStatus = {};

  /** @param isWatching whether every log is looked at when it should be */
  constructor({ world, settings, allow, isWatching }: {
    world: Pick<World, "clock" | "http">;
    settings: HeartbeatSettings;
    allow: readonly string[];
    isWatching: () => boolean;
  }) {
    this.#world = world;
    this.#settings = settings;
    this.#allow = allow;
    this.#isWatching = isWatching;
  }

  /** How it stands. */
  status(): HeartbeatStatus {
    return this.#status;
  }

  /** Beats until it is stopped. */
  async run(): Promise<void> {
    while (await this.#stop.pause(this.#world.clock, this.#settings.everyMs)) await this.beat();
  }

  /** Ends `run`. */
  stop(): void {
    this.#stop.stop();
  }

  /** One beat. What fails is in the status: who does not hear it raises the alarm. */
  async beat(): Promise<void> {
    const { lastBeatAt } = this.#status;
    const before = lastBeatAt === undefined ? {} : { lastBeatAt };
    if (!this.#isWatching()) {
      this.#status = { ...before, isHeldBack: true };
      return;
    }
    try {
      const status = await this.#ask();
      if (status < 200 || status >= 300) throw new WorldError("other", `status ${status}`);
      this.#status = { lastBeatAt: timeNow(this.#world.clock) };
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      this.#status = { ...before, lastError: printable(error.message) };
    }
  }

  async #ask(): Promise<number> {
    const { http } = this.#world;
    const { url } = this.#settings;
    const { hostname, protocol } = new URL(url);
    const allow = this.#allow;
    const address = await addressOf(this.#world, { hostname, allow, timeoutMs: SEND_MS });
    const answer = await http.request({
      ...{ url, headers: { "user-agent": SOFTWARE } },
      ...{ timeoutMs: SEND_MS, maxBytes: MAX_ANSWER_BYTES },
      ...(address !== undefined && protocol === "http:" && { address }),
    });
    return answer.status;
  }
}
