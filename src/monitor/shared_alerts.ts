import type { SharedStore } from "../store/shared_store.ts";
import type { Alert } from "../response/alert.ts";
import { SEND_MS } from "../response/channel.ts";
import {
  type AlertClaims,
  type Claimed,
  type ClaimedChannel,
  claimKey,
} from "../response/claims.ts";
import type { Clock } from "../world/world.ts";

/** How long a site has for sending an alert that it has claimed. A channel takes half of it at most. */
const CLAIM_MS = 2 * SEND_MS;
/** After a start, an alert waits so long for the store: another site may have sent it. */
const START_MS = 10_000;
/** How often it is looked meanwhile. */
const LOOK_MS = 1_000;

/** Has one of the sites that share a store send each alert. Without the store, each sends all. */
export class SharedAlerts implements AlertClaims {
  #store: SharedStore | undefined;
  #wasThere = false;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #vkey: string;
  readonly #onAway: (error: unknown) => void;

  /** @param onAway is told why the store could not be asked */
  constructor(
    { vkey, clock, onAway }: { vkey: string; clock: Clock; onAway: (error: unknown) => void },
  ) {
    this.#vkey = vkey;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#onAway = onAway;
  }

  /** The store, while it can be used. */
  set store(store: SharedStore | undefined) {
    this.#store = store;
    this.#wasThere ||= store !== undefined;
  }

  /** See AlertClaims. What a site has claimed and not sent in CLAIM_MS, another one may send. */
  async claim(alert: Alert, channel: ClaimedChannel): Promise<Claimed> {
    const key = claimKey(alert, channel);
    const store = this.#store;
    if (key === undefined) return "send";
    const isNew = !this.#wasThere && this.#clock.monotonic() - this.#startedAt < START_MS;
    if (store === undefined) return isNew ? { waitMs: LOOK_MS } : "send";
    try {
      const claim = await store.claim(key, CLAIM_MS);
      if (claim === "mine") return "send";
      if ("heldBy" in claim) return { waitMs: claim.forMs };
      // What follows on a case comes from the site that has told of it.
      return claim.doneBy === this.#vkey && alert.state !== "begins" ? "send" : "done";
    } catch (error) {
      // It is better sent twice than never.
      this.#onAway(error);
      return "send";
    }
  }

  /** See AlertClaims. */
  async sent(alert: Alert, channel: ClaimedChannel): Promise<void> {
    const key = claimKey(alert, channel);
    // If this is lost, another site sends it once more.
    if (key !== undefined) await this.#store?.claimDone(key).catch(() => {});
  }

  /** See AlertClaims. */
  async failed(alert: Alert, channel: ClaimedChannel): Promise<void> {
    const key = claimKey(alert, channel);
    // If this is lost, the others wait until the claim is over.
    if (key !== undefined) await this.#store?.unclaim(key).catch(() => {});
  }
}
