import { Allowance } from "../world/allowance.ts";
import { addressKey } from "../world/connection_table.ts";
import type { Clock } from "../world/world.ts";
import { DailyRates } from "./daily_rates.ts";

/** How much a witness does, for one log, for one caller and in all. */
export interface WitnessLimits {
  /** Checkpoints of one log that are cosigned in a second. After a pause it may send as many at once. */
  readonly perSecondPerLog: number;
  /** Requests in a second from everybody. */
  readonly perSecond: number;
}

/** How much of what all callers may ask for one address may have, so that none shuts out the others. */
const CALLERS_PART = 0.5;
/** What each caller is charged, in requests, for one whose signature or proof does not hold. */
const REFUSAL_COST = 20;
/** Logs and callers whose use is remembered. */
const MAX_REMEMBERED = 100_000;

/**
 * What a witness still does now.
 *
 * A log's checkpoints are published, so anybody can send them. What is taken from a log's own rates is
 * therefore only what nobody else can use up: a checkpoint that extends the recorded one, with its proof.
 * It is recorded then, so it is taken once. Everything else about a log has an allowance of its own.
 */
export class WitnessRates {
  readonly #inAll: Allowance;
  readonly #ofCallers: Allowance;
  readonly #ofLogs: Allowance;
  readonly #ofRepeats: Allowance;
  readonly #ofSubtrees: Allowance;
  readonly #daily: DailyRates;

  constructor({ clock, limits }: { clock: Clock; limits: WitnessLimits }) {
    const [refusalCost, maxAddresses] = [REFUSAL_COST, MAX_REMEMBERED];
    const allowance = (perSecondPerAddress: number): Allowance =>
      new Allowance({ clock, limits: { perSecondPerAddress, refusalCost, maxAddresses } });
    this.#inAll = allowance(limits.perSecond);
    this.#ofCallers = allowance(limits.perSecond * CALLERS_PART);
    this.#ofLogs = allowance(limits.perSecondPerLog);
    this.#ofRepeats = allowance(limits.perSecondPerLog);
    this.#ofSubtrees = allowance(limits.perSecondPerLog);
    this.#daily = new DailyRates(clock);
  }

  /** Takes what any request costs. If a caller, or all together, have too little left, returns false. */
  pay(caller: string): boolean {
    return this.#ofCallers.take(addressKey(caller), 1) && this.#inAll.take("", 1);
  }

  /** Makes a caller pay for what does not hold: the same allowance that `pay` takes from. */
  charge(caller: string): void {
    this.#ofCallers.charge(addressKey(caller));
  }

  /**
   * Takes a checkpoint that extends the recorded one.
   * @param perDay how many the list of logs gives it, if it does
   * @returns nothing if it may be cosigned; otherwise, after how many seconds, if that is known
   */
  takeNew(
    origin: string,
    perDay: number | undefined,
  ): { readonly retryAfterS: number | undefined } | undefined {
    if (!this.#ofLogs.take(origin, 1)) return { retryAfterS: undefined };
    const retryAfterS = perDay === undefined ? undefined : this.#daily.take(origin, perDay);
    return retryAfterS === undefined ? undefined : { retryAfterS };
  }

  /** Takes a request that cannot extend the recorded checkpoint. */
  takeRepeat(origin: string): boolean {
    return this.#ofRepeats.take(origin, 1);
  }

  /** Takes a request for a cosignature on a subtree. */
  takeSubtree(origin: string): boolean {
    return this.#ofSubtrees.take(origin, 1);
  }

  /** Forgets the logs that have all their requests of a day back. */
  prune(): void {
    this.#daily.prune();
  }
}
