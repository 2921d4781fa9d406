/**
 * Who exchanges with whom in a fleet: whoever calls a monitor that answers, and members that have a
 * session.
 *
 * @module
 */
import type { FleetPlan } from "./plan.ts";

/** Two honest monitors, by their numbers. */
export type Pair = readonly [number, number];

/** Pairs of members that must have a session: one knows the other's address, and both have room. */
export function pairsOf({ monitors }: FleetPlan): Pair[] {
  const all = pairs(monitors.length);
  const hasRoom = (number: number): boolean => {
    const { members = [], room = 0 } = monitors[number]!.membership ?? {};
    // Half of the room is kept for its own calls.
    return Math.floor(room / 2) >= members.length;
  };
  const lists = (a: number, b: number) =>
    monitors[a]!.membership?.members.find(({ number }) => number === b);
  return all.filter(([a, b]) => {
    const [one, other] = [lists(a, b), lists(b, a)];
    if (one === undefined || other === undefined) return false;
    return (!one.byKeyAlone || !other.byKeyAlone) && hasRoom(a) && hasRoom(b);
  });
}

function pairs(count: number): Pair[] {
  return Array.from({ length: count }, (_, b) => b)
    .flatMap((b) => Array.from({ length: b }, (_, a) => [a, b] as const));
}

/** The ties of a fleet at a moment. */
export class Ties {
  readonly #count: number;
  readonly #sessions: readonly Pair[];
  /** Pairs that exchange with each other, and not through others. */
  readonly direct: readonly Pair[];

  /** @param sessions for each monitor, with whom it says that it has a session */
  constructor(plan: FleetPlan, sessions: readonly ReadonlySet<number>[]) {
    const { monitors } = plan;
    this.#count = monitors.length;
    const all = pairs(monitors.length);
    const calls = (a: number, b: number): boolean =>
      monitors[a]!.peers.includes(b) && monitors[b]!.membership?.admit !== "members";
    this.#sessions = all.filter(([a, b]) => sessions[a]!.has(b) && sessions[b]!.has(a));
    const isTied = new Set(this.#sessions);
    this.direct = all.filter((pair) => {
      const [a, b] = pair;
      return isTied.has(pair) || calls(a, b) || calls(b, a);
    });
  }

  /**
   * Pairs that exchange with each other, or have sessions with others between them.
   * @param through whether a monitor may be between two others
   */
  connected(through: (number: number) => boolean): Pair[] {
    const reach = Array.from(
      { length: this.#count },
      (_, from) => this.#reachedFrom(from, through),
    );
    const isDirect = new Set(this.direct.map(String));
    return pairs(this.#count).filter((pair) =>
      isDirect.has(String(pair)) || reach[pair[0]]!.has(pair[1])
    );
  }

  /** Pairs that have sessions with each other, or with others between them, all of which are such. */
  linked(isSuch: (number: number) => boolean): Pair[] {
    return pairs(this.#count).filter(([a, b]) =>
      isSuch(a) && isSuch(b) && this.#reachedFrom(a, isSuch).has(b)
    );
  }

  #reachedFrom(from: number, through: (number: number) => boolean): Set<number> {
    const reached = new Set([from]);
    for (const one of reached) {
      if (one !== from && !through(one)) continue;
      for (const [a, b] of this.#sessions) {
        if (a === one) reached.add(b);
        if (b === one) reached.add(a);
      }
    }
    return reached;
  }
}
