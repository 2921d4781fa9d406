import { Allowance, type StrangersShare } from "../world/allowance.ts";
import type { ExchangeParty } from "./exchange.ts";
import { allowanceLimits } from "./limits.ts";

/**
 * How much the callers of a monitor may still ask for, in frames (PROTOCOL section 9). The port of
 * the exchange and the HTTP address take from the same, so that neither is a cheaper way in.
 */
export class Tolls {
  /** The allowance of each address. */
  readonly allowance: Allowance;
  readonly #peerHosts: ExchangeParty["peerHosts"];
  /** How much the parcels and posted notes of all strangers may still cost. */
  readonly #strangers: StrangersShare;

  constructor({ world: { clock }, limits, peerHosts }: ExchangeParty) {
    this.allowance = new Allowance({ clock, limits: allowanceLimits(limits) });
    this.#strangers = this.allowance.share();
    this.#peerHosts = peerHosts;
  }

  /** Whether an address belongs to no configured peer. */
  isStranger(key: string): boolean {
    return this.#peerHosts?.has(key) !== true;
  }

  /** Takes this much of what an address may send. If there is too little, returns false. */
  pay(key: string, frames: number): boolean {
    return this.isStranger(key)
      ? this.#strangers.take(key, frames)
      : this.allowance.take(key, frames);
  }

  /** Takes a stranger's cost that cannot be refused any more; see StrangersShare.owe. */
  owe(key: string, frames: number): void {
    if (this.isStranger(key)) this.#strangers.owe(key, frames);
  }
}
