import type { ExchangeParty } from "../gossip/exchange.ts";
import type { Background } from "../world/background.ts";
import { Rotation } from "../world/rotation.ts";
import { Stop } from "../world/stop.ts";
import type { World } from "../world/world.ts";
import type { MemberPeer } from "../gossip/settings.ts";
import { Correspondent, type MemberLine } from "./correspondent.ts";
import type { Happenings } from "./happenings.ts";
import { type Pace, paceOf } from "./pace.ts";
import type { GossipSettings, PeerSettings, Settings } from "./settings.ts";

/**
 * Exchanges with some of the peers each time it is due, and with all of them after a new incident. Of
 * the members, these are the ones that there is a session with.
 */
export class Rounds {
  readonly #world: World;
  readonly #party: ExchangeParty;
  readonly #happenings: Happenings;
  readonly #background: Background;
  readonly #lineTo: (member: MemberPeer) => MemberLine;
  readonly #stop = new Stop();
  #gossip: GossipSettings;
  #contact: string;
  #peers: readonly Correspondent[] = [];
  #rotation: Rotation<Correspondent>;
  #hasIncident = false;
  #pace: Pace;

  /** @param lineTo the way to a member */
  constructor({ party, happenings, background, lineTo, settings }: {
    party: ExchangeParty;
    happenings: Happenings;
    background: Background;
    lineTo: (member: MemberPeer) => MemberLine;
    settings: Pick<Settings, "gossip" | "peers" | "contact">;
  }) {
    const { gossip, peers, contact } = settings;
    this.#world = party.world;
    this.#party = party;
    this.#happenings = happenings;
    this.#background = background;
    this.#lineTo = lineTo;
    this.#gossip = gossip;
    this.#pace = paceOf(gossip, this.#world);
    this.#contact = contact;
    this.#peers = peers.map((peer) => this.#correspondent(peer));
    this.#rotation = this.#rotate();
  }

  /** The peers, in the configuration's order. */
  get peers(): readonly Correspondent[] {
    return this.#peers;
  }

  /** Exchanges with each peer once. @returns whether each compared at least one log, and none failed */
  async all(): Promise<boolean> {
    const done = await Promise.all(this.#peers.map((peer) => peer.round()));
    return done.every((one) => one);
  }

  /** Exchanges until `stop`. */
  async run(): Promise<void> {
    while (!this.#stop.stopped) {
      this.#hasIncident = false;
      await this.#pace.wait(this.#stop);
      if (this.#stop.stopped) return;
      if (this.#hasIncident) {
        // A round that is under way may have chosen what it hands over before the case was found, so
        // each peer gets a new round.
        for (const peer of this.#peers.filter(({ isInReach }) => isInReach)) {
          this.#background.run(async () => void await peer.anew());
        }
        continue;
      }
      for (const peer of this.#next()) {
        this.#background.run(async () => void await peer.round());
      }
    }
  }

  /** The peers of the next round. A turn that falls to a member without a session goes to the next. */
  #next(): Correspondent[] {
    const { fanOut } = this.#gossip;
    const most = Math.min(fanOut, this.#peers.filter(({ isInReach }) => isInReach).length);
    const chosen = new Set<Correspondent>();
    // Two orders of the rotation hold each peer at least once.
    for (let turn = 0; chosen.size < most && turn < 2 * this.#peers.length; turn++) {
      for (const peer of this.#rotation.next(most - chosen.size)) {
        if (peer.isInReach) chosen.add(peer);
      }
    }
    return [...chosen];
  }

  /** Begins a round with a member at once, because there is a session with it now. */
  connected(name: string): void {
    const peer = this.#peers.find((one) => one.name === name);
    if (peer !== undefined) this.#background.run(async () => void await peer.anew());
  }

  /** Ends `run` and every exchange that is under way. */
  stop(): void {
    this.#stop.stop();
    this.#party.calls.end();
  }

  /** Calls every peer at once, because there is a new incident. */
  incidentRecorded(): void {
    this.#hasIncident = true;
    this.#stop.wake();
  }

  /** When a peer is called next, at the latest, RFC 3339; nothing if no round is to come. */
  nextCallAt(peer: Correspondent): string | undefined {
    return this.#pace.dueAt(this.#rotation.turnsUntil(peer, this.#gossip.fanOut) - 1);
  }

  /** Exchanges with these peers from now on. Peers that stay keep their state. */
  change({ gossip, peers, contact }: Pick<Settings, "gossip" | "peers" | "contact">): void {
    const keyOfPeer = ({ name, vkey }: { name: string; vkey: string | undefined }): string =>
      `${name} ${vkey}`;
    // Requests over HTTP tell the contact.
    const kept = contact === this.#contact ? this.#peers : [];
    const before = new Map(kept.map((peer) => [keyOfPeer(peer), peer]));
    this.#gossip = gossip;
    this.#pace = paceOf(gossip, this.#world);
    this.#contact = contact;
    this.#peers = peers.map((settings) => {
      const peer = this.#correspondent(settings);
      return before.get(keyOfPeer(peer)) ?? peer;
    });
    this.#rotation = this.#rotate();
    this.#stop.wake();
  }

  #correspondent(settings: PeerSettings): Correspondent {
    const contact = this.#contact;
    return new Correspondent({
      settings,
      contact,
      party: this.#party,
      happenings: this.#happenings,
      lineTo: this.#lineTo,
    });
  }

  #rotate(): Rotation<Correspondent> {
    return new Rotation({ items: this.#peers, random: this.#world.random });
  }
}
