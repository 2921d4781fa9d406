/** What members have measured, and the paths that come out of it. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { drawRoutes } from "../../src/swarm/draw_routes.ts";
import {
  Graph,
  LEAST_RTT_MS,
  type MeasuredLink,
  MOST_RTT_MS,
  type Taking,
} from "../../src/swarm/graph.ts";
import { ManualClock } from "../gossip/fake_network.ts";

const KEEP_MS = 60_000;
const MOST_LINKS = 8;

/** The vkey of the member of this name, as far as the graph looks at it. */
const key = (name: string): string => `${name}+01234567+A+${name}`;
const nameOf = (vkey: string): string => vkey.split("+")[0]!;
const names = (vkeys: readonly string[] | undefined): string | undefined =>
  vkeys?.map(nameOf).join(" ");

type Edge = readonly [string, string, number];

/** A graph of ours, a, and others, by their names. */
class Stage {
  readonly clock = new ManualClock();
  readonly graph: Graph;
  #sequence = 0n;

  constructor(members: string) {
    const own = key("a");
    const limits = { mostLinks: MOST_LINKS, keepMs: KEEP_MS };
    this.graph = new Graph({
      own,
      members: members.split(" ").map(key),
      ...limits,
      clock: this.clock,
    });
  }

  /** Has a member tell of its links, under the next number. */
  tell(from: string, links: Readonly<Record<string, number>>, epoch = 1n): Taking {
    const told = Object.entries(links).map(([to, ms]): MeasuredLink => [key(to), ms]);
    return this.take(from, told, { epoch, sequence: ++this.#sequence });
  }

  take(
    from: string,
    links: readonly MeasuredLink[],
    { epoch, sequence }: { epoch: bigint; sequence: bigint },
  ): Taking {
    return this.graph.take({ from: key(from), epoch, sequence, links });
  }

  /** Sets our own links. */
  measured(links: Readonly<Record<string, number>>): void {
    this.graph.measured(Object.entries(links).map(([to, ms]) => [key(to), ms]));
  }

  /** Has both ends of all links tell of them. */
  edges(edges: readonly Edge[]): void {
    const of = new Map<string, Record<string, number>>();
    for (const [one, other, ms] of edges) {
      of.set(one, { ...of.get(one), [other]: ms });
      of.set(other, { ...of.get(other), [one]: ms });
    }
    for (const [from, links] of of) {
      if (from === "a") this.measured(links);
      else assertEquals(this.tell(from, links), "taken");
    }
  }

  path(
    to: string,
    without?: { members?: readonly string[]; links?: readonly (readonly [string, string])[] },
  ): [string, number] | undefined {
    const path = this.graph.bestPath(key(to), {
      without: {
        members: without?.members?.map(key) ?? [],
        links: without?.links?.map(([one, other]) => [key(one), key(other)] as const) ?? [],
      },
    });
    return path && [names(path.members)!, path.costMs];
  }

  get oneWay(): string[] {
    return this.graph.routes().oneWay.map(({ from, to }) => `${nameOf(from)}>${nameOf(to)}`);
  }

  get disconnected(): string | undefined {
    return names(this.graph.routes().disconnected);
  }
}

Deno.test("graph: a line leads from end to end", () => {
  const stage = new Stage("a b c d");
  stage.edges([["a", "b", 10], ["b", "c", 20], ["c", "d", 30]]);
  assertEquals(stage.path("b"), ["a b", 10]);
  assertEquals(stage.path("d"), ["a b c d", 60]);
  assertEquals(stage.path("a"), ["a", 0]);
  stage.measured({});
  assertEquals(stage.path("d"), undefined, "a session that ended is no link");
  stage.measured({ b: 15 });
  assertEquals(stage.path("d"), ["a b c d", 65]);
  assertEquals(stage.path("d", { links: [["c", "b"]] }), undefined);
  assertEquals(stage.disconnected, "");
});

Deno.test("graph: in a ring the other way round is tried when a member or a link is dead", () => {
  const stage = new Stage("a b c d e");
  stage.edges([["a", "b", 1], ["b", "c", 1], ["c", "d", 1], ["d", "e", 1], ["e", "a", 1]]);
  assertEquals(stage.path("c"), ["a b c", 2]);
  assertEquals(stage.path("c", { members: ["b"] }), ["a e d c", 3]);
  for (const link of [["a", "b"], ["b", "a"], ["c", "b"]] as const) {
    assertEquals(stage.path("c", { links: [link] }), ["a e d c", 3]);
  }
  assertEquals(stage.path("c", { members: ["b"], links: [["d", "e"]] }), undefined);
  assertEquals(stage.path("c", { members: ["c"] }), undefined);
});

Deno.test("graph: in a star every path leads through the middle", () => {
  const stage = new Stage("a b c d m");
  stage.edges(["a", "b", "c", "d"].map((end, i): Edge => ["m", end, i + 1]));
  for (const [i, to] of ["b", "c", "d"].entries()) {
    assertEquals(stage.path(to), [`a m ${to}`, i + 3]);
    assertEquals(stage.path(to, { members: ["m"] }), undefined);
  }
});

Deno.test("graph: a slow direct link gives way to a faster detour", () => {
  const stage = new Stage("a b c");
  stage.edges([["a", "b", 100], ["a", "c", 10], ["c", "b", 10]]);
  assertEquals(stage.path("b"), ["a c b", 20]);
});

Deno.test("graph: a link costs what the slower end says", () => {
  const stage = new Stage("a b c");
  stage.edges([["a", "b", 100], ["a", "c", 40], ["c", "b", 40]]);
  // A member that wants to lie on every path says that its links take no time.
  stage.tell("c", { a: 0, b: 0 });
  assertEquals(stage.path("b"), ["a c b", 80]);
  stage.tell("c", { a: 70, b: 0 });
  assertEquals(stage.path("b"), ["a b", 100]);
});

Deno.test("graph: a link that one end tells of is one-way, and no path uses it", () => {
  const stage = new Stage("a b c");
  stage.measured({ b: 10 });
  stage.tell("b", { a: 10, c: 10 });
  assertEquals(stage.path("c"), undefined);
  assertEquals(stage.oneWay, ["b>c"]);
  assertEquals(stage.disconnected, "c");
  stage.tell("c", { b: 12 });
  assertEquals(stage.path("c"), ["a b c", 22]);
  assertEquals(stage.oneWay, []);
  // What we do not have ourselves is no link of ours, whoever tells of it.
  stage.tell("c", { b: 12, a: 1 });
  assertEquals(stage.path("c"), ["a b c", 22]);
  assertEquals(stage.oneWay, ["c>a"]);
});

Deno.test("graph: two members with each other, but not with us, are disconnected", () => {
  const stage = new Stage("a b c d");
  stage.edges([["a", "b", 1], ["c", "d", 1]]);
  assertEquals(stage.disconnected, "c d");
  assertEquals(stage.path("d"), undefined);
  assertEquals(stage.path("nobody"), undefined);
});

Deno.test("graph: an older statement never replaces a newer one", () => {
  const stage = new Stage("a b c");
  stage.measured({ b: 10 });
  const links: MeasuredLink[] = [[key("a"), 10], [key("c"), 10]];
  const tell = (epoch: bigint, sequence: bigint, told: readonly MeasuredLink[]): Taking =>
    stage.take("b", told, { epoch, sequence });
  assertEquals(tell(5n, 7n, links), "taken");
  for (const [epoch, sequence] of [[5n, 7n], [5n, 6n], [4n, 7n], [4n, 900n]] as const) {
    assertEquals(tell(epoch, sequence, []), "not later");
    assertEquals(stage.path("b"), ["a b", 10]);
  }
  assertEquals(tell(5n, 8n, []), "taken");
  assertEquals(stage.path("b"), undefined);
  assertEquals(tell(6n, 1n, links), "taken");
  assertEquals(stage.path("b"), ["a b", 10]);
});

Deno.test("graph: what is too old does not count, and cannot be told again", async () => {
  const stage = new Stage("a b");
  stage.measured({ b: 10 });
  const links: MeasuredLink[] = [[key("a"), 10]];
  stage.take("b", links, { epoch: 1n, sequence: 9n });
  await stage.clock.advance(KEEP_MS);
  assertEquals(stage.path("b"), ["a b", 10]);
  await stage.clock.advance(1);
  assertEquals(stage.path("b"), undefined);
  assertEquals(stage.oneWay, ["a>b"], "our own links do not grow old");
  assertEquals(stage.take("b", links, { epoch: 1n, sequence: 9n }), "not later");
  assertEquals(stage.path("b"), undefined);
  assertEquals(stage.take("b", links, { epoch: 1n, sequence: 10n }), "taken");
  assertEquals(stage.path("b"), ["a b", 10]);
});

Deno.test("graph: each statement grows old for itself", async () => {
  const stage = new Stage("a b c");
  stage.measured({ b: 10, c: 10 });
  stage.tell("b", { a: 10 });
  await stage.clock.advance(KEEP_MS / 2);
  stage.tell("c", { a: 10 });
  const reached = (): string => ["b", "c"].filter((to) => stage.path(to) !== undefined).join(" ");
  const seen: string[] = [];
  for (const ms of [0, KEEP_MS / 2, 1, KEEP_MS / 2 - 1, 1]) {
    await stage.clock.advance(ms);
    seen.push(reached());
  }
  assertEquals(seen, ["b c", "b c", "c", "c", ""]);
});

Deno.test("graph: what a member that left told of is gone, and older words do not bring it back", () => {
  const stage = new Stage("a b");
  stage.measured({ b: 10 });
  const links: MeasuredLink[] = [[key("a"), 10]];
  stage.take("b", links, { epoch: 1n, sequence: 2n });
  assertEquals(stage.path("b"), ["a b", 10]);
  stage.graph.left(key("b"));
  stage.graph.left(key("nobody"));
  assertEquals(stage.path("b"), undefined);
  assertEquals(stage.take("b", links, { epoch: 1n, sequence: 1n }), "not later");
  assertEquals(stage.take("b", links, { epoch: 1n, sequence: 3n }), "taken");
  assertEquals(stage.path("b"), ["a b", 10]);
});

Deno.test("graph: only members are in it, and they go with the configuration", () => {
  const stage = new Stage("a b c");
  stage.edges([["a", "b", 1], ["b", "c", 1]]);
  assertEquals(stage.tell("x", { a: 1 }), "unknown member");
  assertEquals(stage.tell("a", { b: 1 }), "unknown member", "nobody tells us our own links");
  stage.tell("b", { a: 1, c: 1, x: 1 });
  assertEquals(stage.oneWay, [], "a neighbour of another configuration is passed over");
  stage.graph.change([key("a"), key("c")]);
  assertEquals(stage.path("b"), undefined);
  assertEquals(stage.path("c"), undefined);
  assertEquals(stage.graph.routes().members, [key("a"), key("c")]);
  assertEquals(stage.oneWay, [], "nor does anybody have a link to one that is no member");
  stage.graph.change([key("b"), key("c")]);
  assertEquals(stage.path("b"), undefined, "what it said was forgotten");
  stage.tell("b", { x: 1 });
  stage.graph.change([key("b"), key("x")]);
  stage.tell("x", { b: 1 });
  assertEquals(stage.oneWay, ["a>b", "x>b"], "what was passed over is not kept");
});

Deno.test("graph: hostile figures are refused, and change nothing", () => {
  const stage = new Stage("a b c");
  stage.edges([["a", "b", 10], ["b", "c", 10]]);
  const figures = [NaN, Infinity, -Infinity, -1, -1e-9, MOST_RTT_MS + 1, 1e300];
  for (const ms of [...figures, "5", null] as number[]) {
    assertEquals(stage.tell("b", { a: 1, c: ms }), "no round-trip time", `${ms}`);
    stage.measured({ c: ms, b: 10 });
    assertEquals(stage.path("c"), ["a b c", 20]);
  }
  assertEquals(stage.tell("b", { a: 10, b: 1 }), "named itself");
  const twice: MeasuredLink[] = [[key("a"), 10], [key("a"), 20]];
  assertEquals(stage.take("b", twice, { epoch: 9n, sequence: 1n }), "named one twice");
  assertEquals(stage.path("c"), ["a b c", 20]);
});

Deno.test("graph: the least and the most that a link may cost", () => {
  const stage = new Stage("a b");
  for (const [told, cost] of [[0, LEAST_RTT_MS], [0.2, 1], [1.4, 1], [1.5, 2]] as const) {
    stage.edges([["a", "b", told]]);
    assertEquals(stage.path("b"), ["a b", cost]);
  }
  stage.edges([["a", "b", MOST_RTT_MS]]);
  assertEquals(stage.path("b"), ["a b", MOST_RTT_MS]);
});

Deno.test("graph: a member names so many neighbours and no more, known or not", () => {
  const stage = new Stage("a b");
  const links = (count: number): Record<string, number> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, 1]));
  assertEquals(stage.tell("b", links(MOST_LINKS)), "taken");
  assertEquals(stage.tell("b", links(MOST_LINKS + 1)), "too many links");
});

/** The least cost of all ways without a loop: tries every one. Infinity if there is none. */
function bruteForce(
  costOf: ReadonlyMap<string, number>,
  { at, to, left }: { at: string; to: string; left: readonly string[] },
): number {
  if (at === to) return 0;
  const costs = left.map((next) => {
    const cost = costOf.get([at, next].toSorted().join(" "));
    if (cost === undefined) return Infinity;
    return cost + bruteForce(costOf, { at: next, to, left: left.filter((one) => one !== next) });
  });
  return Math.min(Infinity, ...costs);
}

Deno.test("graph: paths cost what a search of all ways finds, whatever is dead", () => {
  const members = ["a", "b", "c", "d", "e", "f"];
  const pairs = members.flatMap((one, i) => members.slice(i + 1).map((other) => [one, other]));
  const figure = fc.integer({ min: 1, max: 12 });
  const figures = fc.array(fc.option(fc.tuple(figure, figure)), {
    minLength: pairs.length,
    maxLength: pairs.length,
  });
  let ways = 0;
  fc.assert(
    fc.property(figures, fc.subarray(members.slice(1)), fc.subarray(pairs), (told, dead, cut) => {
      const stage = new Stage(members.join(" "));
      const costOf = new Map<string, number>();
      const linksOf = new Map(members.map((one) => [one, {} as Record<string, number>]));
      pairs.forEach(([one, other], i) => {
        const both = told[i];
        if (both === null || both === undefined) return;
        linksOf.get(one!)![other!] = both[0];
        linksOf.get(other!)![one!] = both[1];
        costOf.set(`${one} ${other}`, Math.max(...both));
      });
      stage.measured(linksOf.get("a")!);
      for (const from of members.slice(1)) stage.tell(from, linksOf.get(from)!);
      for (const without of [false, true]) {
        if (without) { for (const pair of cut) costOf.delete(pair.join(" ")); }
        const left = members.slice(1).filter((one) => !without || !dead.includes(one));
        const links = cut.map(([one, other]) => [one!, other!] as const);
        for (const to of members.slice(1)) {
          const wanted = bruteForce(costOf, { at: "a", to, left });
          const path = stage.path(to, without ? { members: dead, links } : {});
          assertEquals(path?.[1] ?? Infinity, wanted);
          if (path === undefined) continue;
          ways++;
          const steps = path[0].split(" ");
          assertEquals([steps[0], steps.at(-1)], ["a", to]);
          const costs = steps.slice(1).map((step, i) =>
            costOf.get([steps[i]!, step].toSorted().join(" "))!
          );
          assertEquals(costs.reduce((sum, cost) => sum + cost, 0), wanted);
          assert(!without || !steps.some((step) => dead.includes(step)));
        }
      }
    }),
    { numRuns: 300 },
  );
  assert(ways > 1_000, `only ${ways} paths were compared`);
});

Deno.test("graph: equal statements give equal routes, in whatever order they come", () => {
  const edges: Edge[] = [["a", "b", 5], ["a", "c", 5], ["b", "d", 5], ["c", "d", 5]];
  const [one, other] = [new Stage("a b c d"), new Stage("d c b a")];
  one.edges(edges);
  other.edges(edges.toReversed());
  assertEquals(one.graph.routes(), other.graph.routes());
  assertEquals(one.path("d"), ["a b d", 10]);
});

Deno.test("routes: links, paths, one-way links and disconnected members are drawn", () => {
  const stage = new Stage("a b c d e");
  stage.edges([["a", "b", 10], ["b", "c", 20]]);
  stage.tell("d", { c: 30 });
  assertEquals(drawRoutes(stage.graph.routes()), [
    "Links, with the round-trip time that the slower end tells:",
    "  a (this one)            b 10 ms",
    "  b                       a 10 ms, c 20 ms",
    "  c                       b 20 ms",
    "",
    "Best paths from here:",
    "  b                       10 ms: direct",
    "  c                       30 ms: b -> c",
    "",
    "One-way links: only one end tells of them, so no path uses them:",
    "  d                       -> c 30 ms, not told by c",
    "",
    "Disconnected: no path leads to these members:",
    "  d",
    "  e",
  ]);
});

Deno.test("routes: with no session there are no links and no paths", () => {
  assertEquals(drawRoutes(new Stage("a").graph.routes()), [
    "Links: none that both ends tell of.",
    "",
    "Best paths from here: none.",
  ]);
});

Deno.test("routes: long names and long paths fit 80 columns", () => {
  const long = (i: number): string => `monitor-${i}.${"transparency.".repeat(6)}example`;
  const others = Array.from({ length: 20 }, (_, i) => long(i));
  const stage = new Stage(["a", ...others].join(" "));
  const line = ["a", ...others];
  stage.edges(line.slice(1).map((to, i): Edge => [line[i]!, to, 1_000 + i]));
  const drawn = drawRoutes(stage.graph.routes());
  assert(drawn.length > 100);
  assertEquals(drawn.filter((text) => [...text].length > 80 || text !== text.trimEnd()), []);
});

Deno.test("routes: two members of one name are told apart, and no name reaches the terminal raw", () => {
  const [one, other] = ["same+01234567+A+1", "same+89abcdef+A+2"];
  const evil = "evil\u202e+00000000+A+3";
  const graph = new Graph({
    ...{ own: one, members: [one, other, evil], mostLinks: 8, keepMs: KEEP_MS },
    clock: new ManualClock(),
  });
  assertEquals(drawRoutes(graph.routes()).slice(-2), ["  evil\\u{202e}", "  same+89abcdef"]);
});
