import { ExchangeFailed, type Line } from "../gossip/caller.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import { exchangeRound, type Round } from "../gossip/round.ts";
import { type MemberPeer, nameOfPeer } from "../gossip/settings.ts";
import { Sourcespotter } from "../gossip/sourcespotter.ts";
import { timeNow } from "../world/time.ts";
import { isOfTheWorld } from "./faults.ts";
import type { Happenings } from "./happenings.ts";
import type { PeerSettings } from "./settings.ts";

/** The way to a member: through a session. */
export interface MemberLine extends Line {
  /** Whether there is a session now. */
  readonly isUp: boolean;
}

/** Exchanges with one peer. Its rounds never overlap. */
export class Correspondent {
  readonly #settings: PeerSettings;
  readonly #party: ExchangeParty;
  readonly #happenings: Happenings;
  /** Exchanges once. */
  readonly #meet: () => Promise<Round>;
  /** The way to it, if it is a member. */
  readonly #line: MemberLine | undefined;
  #running: Promise<boolean> | undefined;

  /**
   * @param contact who answers for requests over HTTP
   * @param lineTo the way to a member
   */
  constructor({ settings, party, happenings, contact, lineTo }: {
    settings: PeerSettings;
    party: ExchangeParty;
    happenings: Happenings;
    contact: string;
    lineTo: (member: MemberPeer) => MemberLine;
  }) {
    this.#settings = settings;
    this.#party = party;
    this.#happenings = happenings;
    if ("sourcespotter" in settings) {
      const spotter = new Sourcespotter({ party, url: settings.sourcespotter, contact });
      this.#meet = () => spotter.round();
    } else if ("vkey" in settings) {
      const callee = this.#line = lineTo(settings);
      this.#meet = () => exchangeRound({ party, callee });
    } else {
      const callee = settings.address;
      this.#meet = () => exchangeRound({ party, callee });
    }
  }

  /**
   * Whether it takes part in rounds now. A member does while there is a session with it; without one,
   * calling it is not this round's work.
   */
  get isInReach(): boolean {
    return this.#line?.isUp ?? true;
  }

  /** See `nameOfPeer`. */
  get name(): string {
    return nameOfPeer(this.#settings);
  }

  /** The vkey it signs its records with, if it is known. */
  get vkey(): string | undefined {
    return "vkey" in this.#settings ? this.#settings.vkey : undefined;
  }

  /**
   * Exchanges one round with the peer. While a round is under way, this waits for that round instead of
   * beginning another. No round begins once this monitor ends.
   * @returns whether the round compared at least one log and nothing failed
   */
  round(): Promise<boolean> {
    if (this.#party.calls.isEnded) return Promise.resolve(false);
    return this.#running ??= this.#exchange().finally(() => this.#running = undefined);
  }

  /** Exchanges a round that begins after this call, so that it tells what was just recorded. */
  async anew(): Promise<boolean> {
    await this.#running;
    return await this.round();
  }

  async #exchange(): Promise<boolean> {
    const { name: source } = this;
    const at = timeNow(this.#party.world.clock);
    this.#happenings.tell({ kind: "calling", source, at });
    try {
      const { handedOver, shared, fault, isSelf = false } = await this.#meet();
      const said = { sharedLogs: shared, evidenceIds: handedOver, fault };
      this.#happenings.tell({ kind: "called", source, ...said });
      // A peer that follows none of our logs has no fault, but nothing is compared with it. The same
      // goes for this monitor itself.
      return fault === undefined && shared !== 0 && !isSelf;
    } catch (error) {
      // Only a failed exchange is counted as the peer's failure.
      if (error instanceof ExchangeFailed) {
        this.#happenings.tell({ kind: "call failed", source, reason: error.what });
      } else {
        // It was reached: what our own disk refuses comes after its answer.
        const isOurs = isOfTheWorld(error) && !this.#party.calls.isEnded;
        if (isOurs) this.#happenings.tell({ kind: "call not written", source });
        this.#happenings.failed(error);
      }
      return false;
    }
  }
}
