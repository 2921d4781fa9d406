/**
 * Brings the alerts of the queue through one channel: each at least once, and those of one case in
 * order. An alert is taken from the queue when the other end has taken it.
 *
 * - If nobody takes anything, the channel is tried again, each time after a longer wait.
 * - If the other end refuses one alert, the others go on; those of its case wait.
 * - After a day of failure nothing more is tried, which is told. What waits is kept. A trial that
 *   arrives (`hearsay alert test`), a reload or a restart of the daemon begins anew.
 *
 * @module
 */
import { MalformedError, printable } from "../tlog/malformed.ts";
import { jittered } from "../world/pacing.ts";
import { Stop } from "../world/stop.ts";
import { millisecondsSince, timeNow } from "../world/time.ts";
import { type Clock, type Random, WorldError } from "../world/world.ts";
import { AlertRefused, type Channel } from "./channel.ts";
import type { AlertClaims } from "./claims.ts";
import type { AlertQueue, Waiting } from "./queue.ts";

/** The wait after the first failure; it doubles with each further one, */
export const FIRST_WAIT_MS = 5_000;
/** and is so long at most. */
export const MAX_WAIT_MS = 30 * 60_000;
/** A channel that failed for so long is not tried any more; an alert refused for so long is left out. */
export const GIVE_UP_MS = 24 * 3_600_000;

/** A channel in a daemon's status. */
export interface ChannelStatus {
  readonly name: string;
  /** What it is and where it leads, for a person. */
  readonly description: string;
  /** How many alerts wait for it. */
  readonly waiting: number;
  readonly lastSentAt?: string;
  /** Since when it fails, RFC 3339. */
  readonly failingSince?: string;
  readonly lastError?: string;
  /** Whether it has failed for so long that it is not tried any more. */
  readonly isDisabled?: boolean;
}

/** What a courier tells. */
export interface CourierReport {
  /** The channel did not take an alert; whether it begins to fail by that. */
  failed(channel: string, reason: string, isFirst: boolean): void;
  /** It takes them again. */
  recovered(channel: string): void;
  /** It is not tried any more. */
  disabled(channel: string, since: string): void;
  /** Alerts for it were left out. */
  lost(channel: string, count: number, reason: string): void;
  fault(error: unknown): void;
}

/** Brings alerts through one channel. */
export class Courier {
  readonly channel: Channel;
  readonly #queue: AlertQueue;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #report: CourierReport;
  readonly #claims: AlertClaims | undefined;
  readonly #stop = new Stop();
  #failures = 0;
  /** Since when it fails, by the monotonic clock: the wall clock may be set. Nothing if it does not. */
  #failsSince: number | undefined;
  #isDisabled = false;
  #isNews = false;
  #isRetry = false;
  #lastSentAt: string | undefined;
  #lastError: string | undefined;
  /** By number, the alerts that were refused: how often, since when, and when they are tried again. */
  readonly #refused = new Map<number, { times: number; since: number; notBefore: number }>();
  /** By number, the alerts that another daemon is sending: until when it may take. */
  readonly #left = new Map<number, number>();

  constructor({ channel, queue, clock, random, report, claims }: {
    channel: Channel;
    queue: AlertQueue;
    clock: Clock;
    random: Random;
    report: CourierReport;
    /** Divides the sending among daemons; without them this one sends everything. */
    claims?: AlertClaims | undefined;
  }) {
    this.channel = channel;
    this.#claims = claims;
    this.#queue = queue;
    this.#clock = clock;
    this.#random = random;
    this.#report = report;
    this.#beginAnew();
  }

  /** How it stands. */
  status(): ChannelStatus {
    const { name, description } = this.channel;
    const failingSince = this.#queue.failingSince(name);
    return {
      ...{ name, description, waiting: this.#queue.waiting(name).length },
      ...(this.#lastSentAt !== undefined && { lastSentAt: this.#lastSentAt }),
      ...(failingSince !== undefined && { failingSince }),
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
      ...(this.#isDisabled && { isDisabled: true }),
    };
  }

  /** Brings what waits, until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stop.stopped) {
      this.#isNews = this.#isRetry = false;
      const { waitMs, hasFailed } = await this.#bringAll();
      // News does not cut a wait after a failure short: it would fail as well. What was refused is
      // no reason for the others to wait.
      const until = this.#clock.monotonic() + waitMs;
      while (!this.#stop.stopped && !this.#isRetry && !(this.#isNews && !hasFailed)) {
        const left = until - this.#clock.monotonic();
        if (left <= 0) break;
        // Whole milliseconds: less would be no wait at all.
        await this.#stop.pause(this.#clock, Math.min(Math.ceil(left), MAX_WAIT_MS));
      }
    }
  }

  /** Brings what waits, once, as far as it can be brought now. */
  async once(): Promise<void> {
    await this.#bringAll();
  }

  /** There may be something to bring. */
  wake(): void {
    this.#isNews = true;
    this.#stop.wake();
  }

  /**
   * Tries the channel again now, and what it refused, even if it is not tried any more.
   * @returns whether it was not
   */
  retry(): boolean {
    const wasDisabled = this.#isDisabled;
    this.#beginAnew();
    for (const one of this.#refused.values()) one.notBefore = -Infinity;
    this.#isRetry = true;
    this.wake();
    return wasDisabled;
  }

  /** Ends `run`, after the alert that is under way. */
  stop(): void {
    this.#stop.stop();
  }

  #beginAnew(): void {
    const { name } = this.channel;
    const now = this.#clock.monotonic();
    const since = this.#queue.failingSince(name);
    if (since !== undefined) this.#failsSince ??= now - millisecondsSince(this.#clock, since);
    // A day that is over must not count once more, or the first failure would end the new try.
    if (since !== undefined && (this.#isDisabled || this.#hasFailedTooLong())) {
      this.#queue.change({ failing: name, since: timeNow(this.#clock) });
      this.#failsSince = now;
    }
    this.#isDisabled = false;
    this.#failures = 0;
  }

  /** @returns how long to wait before the next try, and whether nobody took the last */
  async #bringAll(): Promise<{ waitMs: number; hasFailed: boolean }> {
    const { name } = this.channel;
    const lost = this.#queue.trim(name);
    if (lost > 0) this.#report.lost(name, lost, "too many wait");
    this.#forgetLeftOut();
    for (let next; (next = this.#nextToBring()) !== undefined;) {
      if (this.#stop.stopped || this.#isDisabled) break;
      if (await this.#bring(next) !== "failed" || this.#isDisabled) continue;
      return { waitMs: this.#backOffMs(this.#failures), hasFailed: true };
    }
    if (this.#isDisabled) return { waitMs: Infinity, hasFailed: false };
    const now = this.#clock.monotonic();
    const times = [
      ...[...this.#refused.values()].map(({ notBefore }) => notBefore),
      ...this.#left.values(),
    ]
      .map((notBefore) => notBefore - now);
    return { waitMs: Math.max(0, Math.min(...times)), hasFailed: false };
  }

  /** What does not wait any more is not tried again. */
  #forgetLeftOut(): void {
    if (this.#refused.size + this.#left.size === 0) return;
    const waiting = new Set(this.#queue.waiting(this.channel.name).map(({ number }) => number));
    for (const number of [...this.#refused.keys()]) {
      if (!waiting.has(number)) this.#refused.delete(number);
    }
    for (const number of [...this.#left.keys()]) {
      if (!waiting.has(number)) this.#left.delete(number);
    }
  }

  /** The first alert whose case has none before it that waits for its time. */
  #nextToBring(): Waiting | undefined {
    const now = this.#clock.monotonic();
    const held = new Set<string>();
    for (const waiting of this.#queue.waiting(this.channel.name)) {
      const { number, alert } = waiting;
      const { notBefore = this.#left.get(number) ?? -Infinity } = this.#refused.get(number) ?? {};
      if (!held.has(alert.case) && notBefore <= now) return waiting;
      held.add(alert.case);
    }
    return undefined;
  }

  async #bring({ number, alert }: Waiting): Promise<"brought" | "refused" | "left" | "failed"> {
    const { name } = this.channel;
    const claimed = await this.#claims?.claim(alert, this.channel) ?? "send";
    if (claimed === "done") {
      this.#left.delete(number);
      this.#queue.change({ sent: number, to: name });
      await this.#queue.write();
      return "left";
    }
    if (claimed !== "send") {
      this.#left.set(number, this.#clock.monotonic() + claimed.waitMs);
      return "left";
    }
    this.#left.delete(number);
    try {
      await this.channel.send(alert);
      await this.#claims?.sent(alert, this.channel);
    } catch (error) {
      await this.#claims?.failed(alert, this.channel);
      const reason = printable(error instanceof Error ? error.message : String(error));
      this.#lastError = reason;
      if (error instanceof AlertRefused) return await this.#noteRefusal(number, reason);
      const isExpected = error instanceof WorldError || error instanceof MalformedError;
      if (!isExpected) this.#report.fault(error);
      await this.#noteFailure(reason);
      return "failed";
    }
    this.#lastSentAt = timeNow(this.#clock);
    this.#lastError = undefined;
    this.#failures = 0;
    this.#failsSince = undefined;
    const wasRefused = this.#refused.delete(number) && this.#refused.size === 0;
    const wasFailing = this.#queue.failingSince(name) !== undefined;
    this.#queue.change(
      { sent: number, to: name },
      ...(wasFailing ? [{ failing: name, since: null }] : []),
    );
    if (wasFailing || wasRefused) this.#report.recovered(name);
    await this.#queue.write();
    return "brought";
  }

  async #noteRefusal(number: number, reason: string): Promise<"refused"> {
    const { name } = this.channel;
    const now = this.#clock.monotonic();
    const { times: before = 0, since = now } = this.#refused.get(number) ?? {};
    const times = before + 1;
    this.#report.failed(name, reason, times === 1);
    if (now - since < GIVE_UP_MS) {
      this.#refused.set(number, { times, since, notBefore: now + this.#backOffMs(times) });
      return "refused";
    }
    this.#refused.delete(number);
    this.#queue.change({ sent: number, to: name });
    this.#report.lost(name, 1, `refused ${times} times: ${reason}`);
    if (this.#refused.size === 0) this.#report.recovered(name);
    await this.#queue.write();
    return "refused";
  }

  async #noteFailure(reason: string): Promise<void> {
    const { name } = this.channel;
    this.#failures++;
    const since = this.#queue.failingSince(name);
    this.#failsSince ??= this.#clock.monotonic();
    if (since === undefined) {
      this.#queue.change({ failing: name, since: timeNow(this.#clock) });
      await this.#queue.write();
    }
    this.#report.failed(name, reason, since === undefined);
    if (since === undefined || !this.#hasFailedTooLong()) return;
    this.#isDisabled = true;
    this.#report.disabled(name, since);
  }

  #hasFailedTooLong(): boolean {
    return this.#clock.monotonic() - (this.#failsSince ?? Infinity) >= GIVE_UP_MS;
  }

  #backOffMs(failures: number): number {
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 20), MAX_WAIT_MS);
    return jittered(wait, this.#random);
  }
}
