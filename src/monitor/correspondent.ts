import { ExchangeFailed } from "../gossip/caller.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import { exchangeRound } from "../gossip/round.ts";
import { formatAddress } from "../world/address.ts";
import { timeNow } from "../world/time.ts";
import type { Happenings } from "./happenings.ts";
import type { PeerSettings } from "./settings.ts";

/** Exchanges with one peer; rounds never overlap. */
export class Correspondent {
  readonly #settings: PeerSettings;
  readonly #party: ExchangeParty;
  readonly #happenings: Happenings;
  /** Logs that both ends follow, as the peer said last. */
  #sharedLogs: number | undefined;
  #running: Promise<boolean> | undefined;

  constructor({ settings, party, happenings }: {
    settings: PeerSettings;
    party: ExchangeParty;
    happenings: Happenings;
  }) {
    this.#settings = settings;
    this.#party = party;
    this.#happenings = happenings;
  }

  /** Its address, as it stands in `source` of what it tells. */
  get name(): string {
    return formatAddress(this.#settings.address);
  }

  /** The vkey it signs its records with, if it is known. */
  get vkey(): string | undefined {
    return this.#settings.vkey;
  }

  /**
   * One round; whether anything was compared with the peer, and nothing failed. While one is under way,
   * it is that one. None begins once this monitor ends.
   */
  round(): Promise<boolean> {
    if (this.#party.calls.isEnded) return Promise.resolve(false);
    return this.#running ??= this.#exchange().finally(() => this.#running = undefined);
  }

  /** One round that begins after this call, so that what was just recorded is told in it. */
  async anew(): Promise<boolean> {
    await this.#running;
    return await this.round();
  }

  async #exchange(): Promise<boolean> {
    const { name: source } = this;
    const at = timeNow(this.#party.world.clock);
    this.#happenings.tell({ kind: "calling", source, at });
    try {
      const { address } = this.#settings;
      const { handedOver, shared, fault } = await exchangeRound({ party: this.#party, address });
      // A peer that follows none of our logs is no fault of anybody, and no help either.
      const isNewlyNone = shared === 0 && this.#sharedLogs !== 0;
      this.#sharedLogs = shared;
      const said = { sharedLogs: shared, isNewlyNone, evidenceIds: handedOver, fault };
      this.#happenings.tell({ kind: "called", source, ...said });
      return fault === undefined && shared !== 0;
    } catch (error) {
      // What is no fault of the peer is not counted as one.
      if (error instanceof ExchangeFailed) {
        this.#happenings.tell({ kind: "call failed", source, reason: error.message });
      } else this.#happenings.failed(error);
      return false;
    }
  }
}
