/**
 * How trouble that lasts is told: a line when it begins, a summary now and then, a line when it is over.
 *
 * @module
 */
import { timeAt } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import { type Level, LEVELS } from "./events.ts";

/** Trouble is summarised for the first time after so long, */
export const FIRST_SUMMARY_MS = 10 * 60_000;
/** and then once in so long. */
export const SUMMARY_AGAIN_MS = 60 * 60_000;
/** If it comes back within this time, its end is told only once it has stayed away for a while: */
export const RETURNS_WITHIN_MS = 60 * 60_000;
/** so long after its first return, twice as long after each further one, */
export const FIRST_CALM_MS = 10 * 60_000;
/** and so long at most. */
export const MAX_CALM_MS = 60 * 60_000;

/** One trouble of one subject, such as `unavailable` of a log. */
export interface TroubleName {
  /** The log, by its id, or the peer, by its address. */
  readonly subject: string;
  /** The place of the log; empty if it is about the log as a whole, or about a peer. */
  readonly place?: string;
  /** The last part of the name of its event. */
  readonly kind: string;
}

/** Since when a trouble lasts, by the wall clock as it is set now, and how often it came up. */
export interface Lasted {
  /** RFC 3339, UTC. */
  readonly since: string;
  readonly times: number;
}

/** A trouble that is not over, or whose end is not told yet. Times are of the monotonic clock. */
interface Trouble extends TroubleName {
  readonly beganAt: number;
  /** When it last came up. */
  failedAt: number;
  times: number;
  reason: string;
  level: Level;
  nextSummaryAt: number;
  /** Whether another reason was told since the last summary. */
  isChangeTold: boolean;
  /** How long it must stay away until its end is told. */
  readonly calmMs: number;
}

/** A trouble that was told to be over. */
interface Ended {
  readonly subject: string;
  /** By the monotonic clock. */
  readonly at: number;
  readonly calmMs: number;
}

/** Keeps account of troubles, and says what of them is to be told. */
export class LastingTroubles {
  readonly #clock: Clock;
  readonly #open = new Map<string, Trouble>();
  /** When troubles ended, so that one that comes back is recognised. */
  readonly #ended = new Map<string, Ended>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A trouble came up, for the first time or again.
   * @returns at which level to tell it, and how long it lasts if it did not just begin
   */
  cameUp(
    { subject, place = "", kind }: TroubleName,
    { reason, level }: { reason: string; level: Level },
  ): { level: Level; lasted?: Lasted } {
    const now = this.#clock.monotonic();
    const key = keyOf({ subject, place, kind });
    const trouble = this.#open.get(key);
    if (trouble === undefined) {
      this.#open.set(key, {
        ...{ subject, place, kind, reason, level, times: 1, beganAt: now, failedAt: now },
        nextSummaryAt: now + FIRST_SUMMARY_MS,
        ...{ isChangeTold: false, calmMs: this.#calmAfter(key, now) },
      });
      return { level };
    }
    trouble.times++;
    trouble.failedAt = now;
    const isSummary = now >= trouble.nextSummaryAt;
    const isWorse = LEVELS.indexOf(level) > LEVELS.indexOf(trouble.level);
    const isChange = reason !== trouble.reason && !trouble.isChangeTold;
    if (!isSummary && !isWorse && !isChange) return { level: "debug" };
    if (isSummary) trouble.nextSummaryAt = now + SUMMARY_AGAIN_MS;
    trouble.isChangeTold = !isSummary && (isChange || trouble.isChangeTold);
    if (isWorse) trouble.level = level;
    trouble.reason = reason;
    return { level, lasted: this.#lasted(trouble) };
  }

  /** The troubles of a subject that are not over. */
  of(subject: string): readonly TroubleName[] {
    return [...this.#open.values()].filter((trouble) => trouble.subject === subject);
  }

  /**
   * A trouble did not come up where it could have.
   * @returns how long it lasted, if it is over now and that is to be told
   */
  stayedAway(name: TroubleName): Lasted | undefined {
    const now = this.#clock.monotonic();
    const key = keyOf(name);
    const trouble = this.#open.get(key);
    if (trouble === undefined || now - trouble.failedAt < trouble.calmMs) return undefined;
    this.#open.delete(key);
    const { subject, calmMs } = trouble;
    this.#ended.set(key, { subject, at: now, calmMs });
    return this.#lasted(trouble);
  }

  /** Forgets the troubles of subjects that are of no interest any more. */
  keep(isKept: (subject: string) => boolean): void {
    for (const known of [this.#open, this.#ended]) {
      for (const [key, { subject }] of [...known]) if (!isKept(subject)) known.delete(key);
    }
  }

  /** How long a trouble that begins now must stay away later, until its end is told. */
  #calmAfter(key: string, now: number): number {
    const before = this.#ended.get(key);
    this.#ended.delete(key);
    if (before === undefined || now - before.at >= RETURNS_WITHIN_MS) return 0;
    return Math.min(Math.max(FIRST_CALM_MS, 2 * before.calmMs), MAX_CALM_MS);
  }

  #lasted({ beganAt, times }: Trouble): Lasted {
    return { since: timeAt(this.#clock, beganAt), times };
  }
}

/** None of the three has a line break. */
function keyOf({ subject, place = "", kind }: TroubleName): string {
  return [subject, place, kind].join("\n");
}
