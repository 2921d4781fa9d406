/**
 * A lighter model of what members pass on to each other, for as many as the full simulation has no
 * time for. Everyone passes a thing on to all its neighbours but the one it came from, once. It knows
 * links and how long each takes, and leaves out signatures, losses, full queues, and the paths on
 * which evidence is sent besides.
 *
 * @module
 */
import type { Draw } from "../draw.ts";
import { Heap } from "../heap.ts";
import { REGIONS, roundTripMs } from "../round_trips.ts";
import { type Links, neighboursOf } from "./topologies.ts";

/** When each member has something, and how many messages carried it. */
export interface Flood {
  /** By member; `Infinity` if it never has it. */
  readonly at: readonly number[];
  readonly messages: number;
}

/** Members, their links, and how long a message takes on one. */
export interface Net {
  readonly near: readonly (readonly number[])[];
  takes(from: number, to: number): number;
}

/** A net in which each message takes one round. */
export function netInRounds(links: Links, count: number): Net {
  return { near: neighboursOf(links, count), takes: () => 1 };
}

/** A net all over the world, in milliseconds; each member is in a region drawn at random. */
export function netInRegions(links: Links, count: number, draw: Pick<Draw, "below">): Net {
  const regions = Array.from({ length: count }, () => draw.below(REGIONS.length));
  return {
    near: neighboursOf(links, count),
    takes: (from, to) => roundTripMs(regions[from]!, regions[to]!) / 2,
  };
}

/** Passes something on from those who have it first, each from its own moment on. */
export function flood({ near, takes }: Net, begins: ReadonlyMap<number, number>): Flood {
  const at: number[] = near.map(() => Infinity);
  const due = new Heap<{ to: number; when: number; from: number }>((a, b) => a.when < b.when);
  for (const [to, when] of begins) due.push({ to, when, from: to });
  let messages = 0;
  for (let next; (next = due.shift()) !== undefined;) {
    const { to, when, from } = next;
    if (at[to]! <= when) continue;
    at[to] = when;
    for (const other of near[to]!) {
      if (other === from) continue;
      messages++;
      // It is sent all the same; whoever has it drops it.
      if (at[other]! > when) due.push({ to: other, when: when + takes(to, other), from: to });
    }
  }
  return { at, messages };
}

/** What becomes of one who says two things under one number, each to half of its neighbours. */
export function twoTongues(net: Net, liar: number): { first: number; last: number } {
  const told = [0, 1].map((half) =>
    flood(
      // The liar passes nothing on itself.
      { near: net.near.map((near, i) => i === liar ? [] : near), takes: net.takes },
      new Map(
        net.near[liar]!.filter((_, i) => i % 2 === half).map((to) => [to, net.takes(liar, to)]),
      ),
    )
  );
  const found = new Map(
    net.near.map((_, i) => [i, Math.max(told[0]!.at[i]!, told[1]!.at[i]!)] as const)
      .filter(([i, at]) => i !== liar && at < Infinity),
  );
  const { at } = flood(net, found);
  return {
    first: Math.min(...found.values()),
    last: Math.max(...at.filter((_, i) => i !== liar)),
  };
}
