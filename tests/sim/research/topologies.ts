/**
 * Who is connected to whom: some shapes of graphs, by the numbers of the members.
 *
 * @module
 */
import type { Draw } from "../draw.ts";

/** Links between members, each once. The first of the two calls. */
export type Links = readonly (readonly [number, number])[];

/** The shapes by name. The last two numbers of each are how many members, and links of each. */
export const TOPOLOGIES = {
  line: (count: number): Links => Array.from({ length: count - 1 }, (_, i) => [i, i + 1] as const),
  ring: (count: number): Links => Array.from({ length: count }, (_, i) => [i, (i + 1) % count]),
  star: (count: number): Links => Array.from({ length: count - 1 }, (_, i) => [i + 1, 0] as const),
  random: (count: number, draw: Pick<Draw, "below">, each = 3): Links =>
    randomLinks({ count, each, draw }),
} as const;

/** Each member calls `each` others, drawn at random. Two that draw each other have one link. */
export function randomLinks(
  { count, each, draw }: { count: number; each: number; draw: Pick<Draw, "below"> },
): Links {
  const links = new Map<string, readonly [number, number]>();
  for (let from = 0; from < count; from++) {
    for (let drawn = 0; drawn < each; drawn++) {
      const to = draw.below(count);
      const name = [from, to].sort((a, b) => a - b).join(" ");
      if (from !== to && !links.has(name)) links.set(name, [from, to]);
    }
  }
  return [...links.values()];
}

/** For each member, whom it is connected to. */
export function neighboursOf(links: Links, count: number): readonly (readonly number[])[] {
  const near: number[][] = Array.from({ length: count }, () => []);
  for (const [a, b] of links) {
    near[a]!.push(b);
    near[b]!.push(a);
  }
  return near;
}

/** In how many hops everyone is reached from a member; `Infinity` if somebody is not. */
export function hopsFrom(from: number, near: readonly (readonly number[])[]): number {
  const hops = new Map([[from, 0]]);
  for (const [one, at] of hops) {
    for (const other of near[one]!) if (!hops.has(other)) hops.set(other, at + 1);
  }
  return hops.size === near.length ? Math.max(...hops.values()) : Infinity;
}
