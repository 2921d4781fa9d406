import { Allowance } from "../world/allowance.ts";
import type { Clock } from "../world/world.ts";
import type { FederationLimits } from "./settings.ts";

/** What a refused request is charged on top, in requests. */
const REFUSAL_COST = 10;
/** Addresses whose use is remembered. */
const MAX_REMEMBERED = 100_000;
/** Bodies of pushes that are in memory at a time. Each may have MAX_PUSH_BYTES. */
export const MAX_PUSHES_AT_ONCE = 4;
/** Those of one address, so that none who sends slowly shuts out the others alone. */
export const MAX_PUSHES_OF_ADDRESS = 2;

/** How much is answered over HTTP: for one address, in all, and how many pushes at a time. */
export class Gate {
  readonly #ofAddresses: Allowance;
  readonly #inAll: Allowance;
  /** The addresses of the pushes under way. */
  readonly #pushing: string[] = [];

  constructor({ clock, limits }: { clock: Clock; limits: FederationLimits }) {
    const [refusalCost, maxAddresses] = [REFUSAL_COST, MAX_REMEMBERED];
    const allowance = (perSecondPerAddress: number): Allowance =>
      new Allowance({ clock, limits: { perSecondPerAddress, refusalCost, maxAddresses } });
    this.#ofAddresses = allowance(limits.perSecondPerAddress);
    this.#inAll = allowance(limits.perSecond);
  }

  /** Takes what any request costs. If an address, or all together, have too little left, returns false. */
  pay(address: string): boolean {
    return this.#ofAddresses.take(address, 1) && this.#inAll.take("", 1);
  }

  /** Makes an address pay for a push that was refused. */
  charge(address: string): void {
    this.#ofAddresses.charge(address);
  }

  /** Runs the work of a push; nothing if there are too many. */
  async push<T>(address: string, work: () => Promise<T>): Promise<T | undefined> {
    const own = this.#pushing.filter((one) => one === address).length;
    if (own >= MAX_PUSHES_OF_ADDRESS || this.#pushing.length >= MAX_PUSHES_AT_ONCE) {
      return undefined;
    }
    this.#pushing.push(address);
    try {
      return await work();
    } finally {
      this.#pushing.splice(this.#pushing.indexOf(address), 1);
    }
  }
}
