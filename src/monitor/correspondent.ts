import { ExchangeFailed } from "../gossip/caller.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import { exchangeRound } from "../gossip/round.ts";
import type { Heard } from "../gossip/view.ts";
import { formatAddress } from "../world/address.ts";
import { timeNow } from "../world/time.ts";
import type { EventReport } from "./events.ts";
import type { PeerSettings } from "./settings.ts";
import type { PeerStatus } from "./status.ts";

/** Exchanges with one peer; rounds never overlap. */
export class Correspondent {
  readonly #settings: PeerSettings;
  readonly #party: ExchangeParty;
  readonly #report: EventReport;
  readonly #onFailure: (reason: string) => void;
  readonly #counts = { exchanges: 0, failures: 0, matches: 0, conflicts: 0 };
  #lastResult: string | undefined;
  #sharedLogs: number | undefined;
  #lastExchangeAt: string | undefined;
  #running: Promise<boolean> | undefined;

  constructor({ settings, party, report, onFailure }: {
    settings: PeerSettings;
    party: ExchangeParty;
    report: EventReport;
    /** Called when the peer could not be reached, or did not answer as it must. */
    onFailure: (reason: string) => void;
  }) {
    this.#settings = settings;
    this.#party = party;
    this.#report = report;
    this.#onFailure = onFailure;
  }

  /** Its address, as it stands in `source` of what it tells. */
  get name(): string {
    return formatAddress(this.#settings.address);
  }

  /** The vkey it signs its records with, if it is known. */
  get vkey(): string | undefined {
    return this.#settings.vkey;
  }

  /** One round; whether the peer could be reached. While one is under way, it is that one. */
  round(): Promise<boolean> {
    return this.#running ??= this.#exchange().finally(() => this.#running = undefined);
  }

  /** One round that begins after this call, so that what was just recorded is told in it. */
  async anew(): Promise<boolean> {
    await this.#running;
    return await this.round();
  }

  /** Takes note of what it told. */
  hears({ verdict }: Heard): void {
    this.#lastResult = verdict;
    if (verdict === "matches") this.#counts.matches++;
    if (verdict === "inconsistent") this.#counts.conflicts++;
  }

  /** Takes note that what it told before turned out to contradict our own view. */
  contradicts(): void {
    this.#lastResult = "inconsistent";
    this.#counts.conflicts++;
  }

  /** What can be said of it now. */
  status(): PeerStatus {
    const { vkey } = this.#settings;
    return {
      address: this.name,
      ...(vkey !== undefined && { vkey }),
      ...(this.#lastExchangeAt && { lastExchangeAt: this.#lastExchangeAt }),
      ...(this.#lastResult && { lastResult: this.#lastResult }),
      ...(this.#sharedLogs !== undefined && { sharedLogs: this.#sharedLogs }),
      ...this.#counts,
    };
  }

  /** A peer that follows none of our logs is no fault of anybody, and no help either. */
  #notesShared(shared: number | undefined): void {
    if (shared === 0 && this.#sharedLogs !== 0) {
      this.#report.event("exchange.nothing shared", "warning", { source: this.name });
    }
    this.#sharedLogs = shared;
  }

  async #exchange(): Promise<boolean> {
    this.#counts.exchanges++;
    this.#lastExchangeAt = timeNow(this.#party.world.clock);
    try {
      const { address } = this.#settings;
      const { handedOver, shared } = await exchangeRound({ party: this.#party, address });
      this.#notesShared(shared);
      if (handedOver.length > 0) {
        const fields = { source: this.name, evidence_ids: handedOver };
        this.#report.event("exchange.handed over", "info", fields);
      }
      return true;
    } catch (error) {
      // What is no fault of the peer is not counted as one.
      if (error instanceof ExchangeFailed) {
        this.#counts.failures++;
        this.#lastResult = error.message;
        const fields = { source: this.name, reason: this.#lastResult };
        this.#report.event("exchange.failed", "warning", fields);
        this.#onFailure(this.#lastResult);
      } else this.#report.refused(error);
      return false;
    }
  }
}
