import type { SharedStore } from "../store/shared_store.ts";
import type { Alert } from "../response/alert.ts";
import {
  type AlertClaims,
  type Claimed,
  type ClaimedChannel,
  claimKey,
} from "../response/claims.ts";

/** How long a site has for sending an alert that it has claimed. */
const CLAIM_MS = 60_000;

/** Has one of the sites that share a store send each alert. Without the store, each sends all. */
export class SharedAlerts implements AlertClaims {
  /** While it can be used. */
  store: SharedStore | undefined;
  readonly #vkey: string;
  readonly #onAway: (error: unknown) => void;

  /** @param onAway is told why the store could not be asked */
  constructor({ vkey, onAway }: { vkey: string; onAway: (error: unknown) => void }) {
    this.#vkey = vkey;
    this.#onAway = onAway;
  }

  /** See AlertClaims. What a site has claimed and not sent in CLAIM_MS, another one may send. */
  async claim(alert: Alert, channel: ClaimedChannel): Promise<Claimed> {
    const key = claimKey(alert, channel);
    const { store } = this;
    if (key === undefined || store === undefined) return "send";
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
    if (key !== undefined) await this.store?.claimDone(key).catch(() => {});
  }
}
