/**
 * The tables of `deno task sim --report`: how a case spreads, at which cost, and the literature
 * beside it. The same seed prints the same text.
 *
 * @module
 */
import type { Conflict } from "../../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../../src/evidence/detector.ts";
import {
  buildRecord,
  type ConflictRecord,
  signedBytes,
  withSignature,
} from "../../../src/evidence/record.ts";
import type { ParcelItem } from "../../../src/gossip/kinds.ts";
import { knownItem } from "../../../src/gossip/known_item.ts";
import { noteItem } from "../../../src/gossip/note_item.ts";
import { encodeParcel } from "../../../src/gossip/parcel.ts";
import { recordItem } from "../../../src/gossip/record_item.ts";
import { DEFAULT_LIMITS } from "../../../src/gossip/limits.ts";
import { FRAME_BYTES } from "../../../src/tlog/frame.ts";
import {
  checkpointOf,
  grow,
  newLog,
  newSigner,
  proofOf,
  seenOf,
} from "../../evidence/histories.ts";
import { forkedLog, recordOfFork } from "../../gossip/helpers.ts";
import { type Draw, drawFrom } from "../draw.ts";
import { flood, netInRegions, netInRounds, twoTongues } from "./flooding.ts";
import {
  errorOfShare,
  OXFORD_PUBLISHED,
  OXFORD_ROUNDS,
  OXFORD_SAMPLES,
  oxfordDetection,
  type OxfordRun,
} from "./oxford.ts";
import {
  type FullRun,
  silentOf,
  somePeers,
  spread,
  type SpreadManner,
  type SpreadResult,
  type SpreadSetting,
  type WireSizes,
} from "./spread.ts";

import { deliver } from "./swarms.ts";
import { randomLinks } from "./topologies.ts";

/** Sizes of the fleets. */
const FLEETS: readonly number[] = [10, 100, 1_000, 10_000];
/** The largest of them. */
const MANY = 10_000;
const FAN_OUTS: readonly number[] = [1, 2, 3];
const SILENT_SHARES: readonly number[] = [0, .1, .33];
const SIZES: readonly SpreadSetting["sizes"][] = ["equal", "unequal"];
/** What a daemon calls in a round unless its configuration says otherwise (gossip/settings.ts). */
const DEFAULT_FAN_OUT = 2;
/** Peers that a configuration may name (gossip/settings.ts). */
const MAX_PEERS = 1_024;
/** Runs of a setting times its monitors; large fleets differ less from run to run. */
const MONITORS_OF_ALL_RUNS = 50_000;
/** Columns of what is printed. */
const MAX_COLUMNS = 98;
/** Runs of the full simulation for each setting. */
const MOST_FULL_RUNS = 10;

/**
 * Rounds that push-pull with fan-out 1 needs until all of a fleet know what one knew, on average,
 * where everyone calls anyone in each round (the random phone call model of Karp et al.,
 * "Randomized Rumor Spreading", FOCS 2000: log3 n + O(ln ln n)). The four numbers are those of the
 * project's issue 4.
 */
export const PUSH_PULL_ROUNDS: readonly { readonly monitors: number; readonly rounds: number }[] = [
  { monitors: 10, rounds: 3.5 },
  { monitors: 100, rounds: 6.5 },
  { monitors: 1_000, rounds: 9.1 },
  { monitors: 10_000, rounds: 11.5 },
];

/** Settings that the full simulation runs as well. */
export const COMPARED: readonly SpreadSetting[] = [
  ...[1, 2].flatMap((fanOut) =>
    [0, .33].flatMap((silentShare) =>
      SIZES.map((sizes) => ({ monitors: 10, fanOut, silentShare, sizes, odd: "one" as const }))
    )
  ),
  ...SIZES.map((sizes) => ({
    ...{ monitors: 30, fanOut: DEFAULT_FAN_OUT, silentShare: .33, sizes, odd: "one" as const },
  })),
];

/** Entries of the log whose checkpoints are weighed, by who was shown them. */
const WEIGHED_SIZES = { older: 1_000, newer: 1_200 };
const WEIGHED_AT = "2026-01-02T03:04:05.678Z";

/**
 * Weighs a frame, a note and the records of a split log of about 1,000 entries, as they are sent.
 */
export async function measureWire(): Promise<WireSizes> {
  const log = await newLog();
  const { older, newer } = WEIGHED_SIZES;
  const honest = grow(log.fork(), newer, "honest");
  const other = grow(log.fork(), older, "other");
  const first = await seenOf(honest, older, "one.invalid:9900");
  const second = await seenOf(other, older, "two.invalid:9900");
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(honest, newer), first.source);
  detector.observe(second.checkpoint, second.source);
  const proven = detector.observeProof(proofOf(honest, { older, newer }));
  if (proven.verdict !== "inconsistent") throw new Error(`the proof came to ${proven.verdict}`);
  const signer = await newSigner();
  const parcel = encodeParcel([]).length;
  const recordOf = async (conflict: Conflict): Promise<ConflictRecord> => {
    const record = buildRecord({ conflict, detectedAt: WEIGHED_AT, detector: signer.vkey });
    return withSignature(record, await signer.sign(signedBytes(record)));
  };
  const weigh = (item: ParcelItem): number => encodeParcel([item]).length - parcel;
  const equal = await recordOf({ kind: "same_size", first, second });
  return {
    frame: FRAME_BYTES,
    parcel,
    note: weigh(noteItem(first.checkpoint)),
    known: weigh(knownItem([equal])),
    record: {
      equal: weigh(recordItem(equal)),
      unequal: weigh(recordItem(await recordOf(proven.conflicts[0]!))),
    },
  };
}

/** What the report is made with. */
export interface ReportOptions {
  readonly seed: number;
  /** Runs for each setting; large fleets get fewer. */
  readonly runs: number;
  /** Takes one line. */
  readonly print: (line: string) => void;
  readonly full: FullRun;
  /** How many monitors the fleets have, where it is not what the report is for. */
  readonly fleets?: readonly number[];
  /** How many members the swarms have that are run as they are. */
  readonly swarms?: readonly number[];
}

/** Prints the tables as plain text of at most 100 columns. */
export async function report(
  { seed, runs, print, full, fleets = FLEETS, swarms = SWARMS }: ReportOptions,
): Promise<void> {
  const draw = drawFrom(seed);
  const bench = new Bench({ draw, runs, fleets, wire: await measureWire() });
  say(print, `Scale, with the literature beside it (seed ${seed}, ${runs} runs)`, [
    "A round is one gossip interval. Everyone has everyone else as a peer; a silent peer accepts,",
    "never answers and never calls. The log tells its second story before round 1. Numbers are",
    "means",
    `over ${fleets.map((monitors) => `${bench.runsOf(monitors)} (${count(monitors)})`).join(", ")}`,
    "runs, by the number of monitors.",
  ]);
  calibration(bench, print);
  for (const odd of ["one", "half"] as const) roundsAtOnce(bench, odd, print);
  roundsPlain(bench, print);
  costs(bench, print);
  if (fleets.includes(MANY)) fewerPeers(bench, print);
  oxford(bench, print);
  await agreement({ bench, full, print, seed });
  await members({ print, seed, swarms });
}

/** A mean and its standard error. */
interface Mean {
  readonly mean: number;
  readonly error: number;
}

type Means = Readonly<Record<keyof SpreadResult, Mean>>;

/** Runs the lighter model, each setting once. */
class Bench {
  readonly draw: Draw;
  readonly wire: WireSizes;
  readonly runs: number;
  readonly fleets: readonly number[];
  readonly #known = new Map<string, Means>();

  constructor({ draw, runs, fleets, wire }: {
    draw: Draw;
    runs: number;
    fleets: readonly number[];
    wire: WireSizes;
  }) {
    this.fleets = fleets;
    this.draw = draw;
    this.runs = runs;
    this.wire = wire;
  }

  runsOf(monitors: number): number {
    return Math.max(1, Math.min(this.runs, Math.floor(MONITORS_OF_ALL_RUNS / monitors)));
  }

  means(setting: SpreadSetting, manner: SpreadManner = {}): Means {
    const key = JSON.stringify([setting, manner]);
    let means = this.#known.get(key);
    if (means === undefined) {
      const draw = this.draw.branch();
      const run = (): SpreadResult => spread({ setting, wire: this.wire, draw, ...manner });
      means = meansOf(Array.from({ length: this.runsOf(setting.monitors) }, run));
      this.#known.set(key, means);
    }
    return means;
  }
}

function meansOf(results: readonly SpreadResult[]): Means {
  const of = (name: keyof SpreadResult): Mean => meanOf(results.map((result) => result[name]));
  return {
    detectionRound: of("detectionRound"),
    allKnowRound: of("allKnowRound"),
    exchangesPerMonitor: of("exchangesPerMonitor"),
    bytesPerMonitor: of("bytesPerMonitor"),
  };
}

/** The mean of some numbers, and the error it has for their being so few. */
export function meanOf(values: readonly number[]): Mean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const error = values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length);
  return { mean, error };
}

function calibration(bench: Bench, print: (line: string) => void): void {
  say(print, "Push-pull alone, fan-out 1: rounds until all know what one knew", [
    "The model without telling at once, and with any peer at any time, is the literature's;",
    "Hearsay's",
    "walk through all peers before any is called again is hardly faster.",
  ]);
  const known = PUSH_PULL_ROUNDS.filter(({ monitors }) => bench.fleets.includes(monitors));
  const rows = known.map(({ monitors, rounds }) => {
    const setting = {
      ...{ monitors, fanOut: 1, silentShare: 0 },
      sizes: "equal",
      odd: "one",
    } as const;
    const manner = { tellsAtOnce: false, begins: "known" } as const;
    const any = bench.means(setting, { ...manner, choice: "any" }).allKnowRound;
    const walk = bench.means(setting, manner).allKnowRound;
    return [count(monitors), fixed(rounds, 1), withError(any), withError(walk)];
  });
  table(print, ["monitors", "literature", "any peer", "each peer in turn"], rows);
}

/** Rows for each fleet and fan-out, columns for each share of silent peers, and sizes. */
function grid(
  fleets: readonly number[],
  cell: (setting: Omit<SpreadSetting, "odd">) => string,
): string[][] {
  return fleets.flatMap((monitors) =>
    FAN_OUTS.map((fanOut) => [
      ...[count(monitors), `${fanOut}`],
      ...SIZES.flatMap((sizes) =>
        SILENT_SHARES.map((silentShare) => cell({ monitors, fanOut, silentShare, sizes }))
      ),
    ])
  );
}

/** The head of such a table. */
const GRID_HEAD: readonly string[] = [
  ...["monitors", "fan-out"],
  ...["=", "≠"].flatMap((sign) => SILENT_SHARES.map((share) => `${sign} ${percent(share)} %`)),
];

function roundsAtOnce(
  bench: Bench,
  odd: SpreadSetting["odd"],
  print: (line: string) => void,
): void {
  const who = odd === "one" ? "one" : "half";
  const means: Means[] = [];
  const rows = grid(bench.fleets, (setting) => {
    const mean = bench.means({ ...setting, odd });
    means.push(mean);
    return `${fixed(mean.detectionRound.mean, 2)} ${fixed(mean.allKnowRound.mean, 2)}`;
  });
  say(print, `Hearsay: rounds until detection, until all honest know; ${who} saw the other story`, [
    "Columns: = equal sizes, ≠ unequal sizes, and the share of silent peers. Whoever knows",
    "tells all",
    "its peers at once, so both numbers are one and the same; telling takes as long as its",
    "calls do.",
    "More monitors do not make it later, and silent peers hardly do.",
    `Standard errors are at most ${fixed(worst(means, "allKnowRound"), 2)}.`,
  ]);
  table(print, GRID_HEAD, rows);
}

function roundsPlain(bench: Bench, print: (line: string) => void): void {
  const means: Means[] = [];
  const rows = grid(bench.fleets, (setting) => {
    const mean = bench.means({ ...setting, odd: "one" }, { tellsAtOnce: false });
    means.push(mean);
    return fixed(mean.allKnowRound.mean, 1);
  });
  say(print, "Without telling at once: rounds until all honest know; one saw the other story", [
    "What plain push-pull would come to: detection as above, then a logarithm of the fleet. With",
    "unequal sizes only the larger view's owner knows at first.",
    `Standard errors are at most ${fixed(worst(means, "allKnowRound"), 2)}.`,
  ]);
  table(print, GRID_HEAD, rows);
}

function costs(bench: Bench, print: (line: string) => void): void {
  const { frame, note, record } = bench.wire;
  say(print, "What it costs each honest monitor; one saw the other story", [
    "Exchanges begun, and bytes written in either role, from the split until all knew and had",
    "told;",
    "told = at once, plain = in ordinary rounds. Weighed, for a log of 1 000 entries:",
    `a frame ${frame} bytes, a note in a parcel ${note}, a record ${record.equal} (equal`,
    "sizes) or",
    `${record.unequal} (unequal).`,
    "At its first call of a peer a monitor asks what it knows: a note; the answer is a note",
    "and the",
    "record, unless the asker says that it has the case. Where everyone has everyone as a peer, telling at once is a call",
    "from",
    "everyone to everyone, whatever the fan-out: 90, 9 900, 999 000 and 99 990 000 calls in",
    "one burst,",
    "and bytes for each monitor that grow with the fleet; plain push-pull costs each what the",
    "rounds do.",
  ]);
  for (const silentShare of SILENT_SHARES) {
    print(`${percent(silentShare)} % silent`);
    const rows = bench.fleets.flatMap((monitors) =>
      FAN_OUTS.map((fanOut) => [
        ...[count(monitors), `${fanOut}`],
        ...[true, false].flatMap((tellsAtOnce) =>
          SIZES.flatMap((sizes) => {
            const setting = { monitors, fanOut, silentShare, sizes, odd: "one" } as const;
            return costOf(bench.means(setting, tellsAtOnce ? {} : { tellsAtOnce }));
          })
        ),
      ])
    );
    const columns = ["told", "plain"].flatMap((how) =>
      ["=", "≠"].flatMap((sizes) => [`${how}${sizes} exch`, "kB"])
    );
    table(print, ["monitors", "fan-out", ...columns], rows);
  }
  say(print, "What these numbers leave out", [
    `A callee serves ${DEFAULT_LIMITS.maxConnections} connections at once,`,
    `${DEFAULT_LIMITS.maxParcelConnections} of them with parcels, and drops the one that is silent`,
    "longest; a burst of a thousand calls does not get through in one go, and what is dropped",
    "waits",
    `for an ordinary round, a parcel for at least ${DEFAULT_LIMITS.parcelRetryMs / 1_000} s. A`,
    `configuration names at most ${count(MAX_PEERS)} peers, so`,
    "the row of 10 000 is a calculation. With views at k sizes there are up to k cases, each told",
    "by everyone to everyone; here there is one.",
  ]);
}

function costOf({ exchangesPerMonitor, bytesPerMonitor }: Means): string[] {
  return [fixed(exchangesPerMonitor.mean, 1), fixed(bytesPerMonitor.mean / 1_000, 1)];
}

function fewerPeers(bench: Bench, print: (line: string) => void): void {
  const monitors = MANY;
  say(print, "10 000 monitors with fewer peers each, chosen at random: told at once, fan-out 2", [
    "Telling at once goes on from peer to peer within the round, so a fleet needs no more",
    "peers than",
    "keep it connected, and each monitor pays for its own peers only. Waits are for those few whom",
    "nobody has as a peer: they learn at their own next call.",
  ]);
  const rows = [8, 32, 128, MAX_PEERS].flatMap((each) =>
    [0, .33].map((silentShare) => {
      const setting = {
        ...{ monitors, fanOut: DEFAULT_FAN_OUT, silentShare },
        ...{ sizes: "equal", odd: "one" } as const,
      };
      const draw = bench.draw.branch();
      const peers = somePeers({ monitors, each, draw });
      const means = meansOf(
        [1, 2, 3].map(() => spread({ setting, wire: bench.wire, draw, peers })),
      );
      return [
        ...[count(each), percent(silentShare)],
        ...[fixed(means.detectionRound.mean, 1), fixed(means.allKnowRound.mean, 1)],
        ...costOf(means),
      ];
    })
  );
  table(print, ["peers", "silent %", "detection", "all know", "exchanges", "kB"], rows);
}

/** The rows of the table beside Oxford et al. */
const OXFORD_ROWS: readonly { readonly name: string; readonly run: OxfordRun }[] = [
  { name: "Chuat et al., our copy of their model", run: { protocol: "original" } },
  { name: "improved, our copy of their model", run: { protocol: "improved" } },
  { name: "improved, by the model's comments", run: { protocol: "improved in words" } },
  { name: "Hearsay, looks every round", run: { protocol: "hearsay", looks: 100, larger: "other" } },
  {
    name: "the same, genuine one larger",
    run: { protocol: "hearsay", looks: 100, larger: "genuine" },
  },
  {
    name: "Hearsay, looks one round in ten",
    run: { protocol: "hearsay", looks: 10, larger: "other" },
  },
  {
    name: "the same, genuine one larger",
    run: { protocol: "hearsay", looks: 10, larger: "genuine" },
  },
  { name: "Hearsay, nobody looks again", run: { protocol: "hearsay", looks: 0, larger: "other" } },
];

function oxford(bench: Bench, print: (line: string) => void): void {
  const runs = Math.max(bench.runs, OXFORD_SAMPLES);
  say(print, "Oxford, Parker and Ryan 2020: probability that a client knows by a round", [
    "100 clients take part with probability .8 (25), .6 (60) or .2 (15) in a round and call one of",
    "five servers, which call nobody. One server starts with the genuine new checkpoint, one",
    "client",
    "of the last kind with the other, all else with an old one. Until that client, the victim, has",
    "called, nobody can know: 1 - .8^r is a bound. In theirs nobody asks the log again; a new",
    "checkpoint is taken over from whoever shows it. In ours a view comes from looks at one's",
    "own log",
    "alone, and what was heard is not handed on: only the victim's own calls can show the split. A",
    "server of theirs is a callee. Where the victim's view is the larger, it finds the case",
    "itself;",
    "where it is the smaller, the server does, and a client learns when it next asks that server.",
    "The last row is a fleet as it is meant: all 105 are monitors that look every round and",
    "call one",
    `of all others, the victim too. Published: ${count(OXFORD_SAMPLES)} samples; ours:`,
    `${count(runs)}, with the`,
    "standard error in thousandths.",
  ]);
  const rows = [
    ["Chuat et al., published", ...published("original")],
    ["improved, published", ...published("improved")],
    ["bound: the victim has called", ...OXFORD_ROUNDS.map((round) => (1 - .8 ** round).toFixed(3))],
    ...OXFORD_ROWS.map(({ name, run }) => {
      const known = oxfordDetection({ run, runs, draw: bench.draw.branch() });
      return [name, ...OXFORD_ROUNDS.map((round) => shareWithError(known[round]!, runs))];
    }),
    ["Hearsay, everyone calls everyone", ...fleetOf105(bench, runs)],
  ];
  table(print, ["", ...OXFORD_ROUNDS.map((round) => `by ${round}`)], rows);
}

function published(protocol: keyof typeof OXFORD_PUBLISHED): string[] {
  return OXFORD_PUBLISHED[protocol].map((share) => shareWithError(share, OXFORD_SAMPLES));
}

function fleetOf105(bench: Bench, runs: number): string[] {
  const setting = {
    ...{ monitors: 105, fanOut: 1, silentShare: 0 },
    ...{ sizes: "unequal", odd: "one" } as const,
  };
  const draw = bench.draw.branch();
  const rounds = Array.from(
    { length: runs },
    () => spread({ setting, wire: bench.wire, draw }).detectionRound,
  );
  return OXFORD_ROUNDS.map((by) =>
    shareWithError(rounds.filter((round) => round <= by).length / runs, runs)
  );
}

async function agreement(
  { bench, full, print, seed }: {
    bench: Bench;
    full: FullRun;
    print: (line: string) => void;
    seed: number;
  },
): Promise<void> {
  const fullRuns = Math.min(bench.runs, MOST_FULL_RUNS);
  say(print, "The full simulation, whole daemons, beside the model", [
    `Rounds until all honest know, exchanges begun and kB, for each honest monitor; ${fullRuns}`,
    "full runs. In a",
    "round of the model all call at one moment, after the split, so round r stands for what",
    "happens",
    "in the r-th interval. Daemons have each their own moment, jittered by a fifth: compare",
    "them with",
    "the model apart, in which each monitor calls at its own moment of the interval, chosen at",
    "random.",
  ]);
  const rows: string[][] = [];
  for (const setting of COMPARED) {
    const results: SpreadResult[] = [];
    for (let run = 0; run < fullRuns; run++) results.push(await full(setting, seed + run));
    const daemons = meansOf(results);
    const apart = bench.means(setting, { pace: "apart" });
    const together = bench.means(setting);
    rows.push([
      ...[count(setting.monitors), `${setting.fanOut}`, `${silentOf(setting)}`],
      setting.sizes === "equal" ? "=" : "≠",
      ...[withError(daemons.allKnowRound), withError(apart.allKnowRound)],
      fixed(together.allKnowRound.mean, 2),
      ...[daemons, apart].map((means) => fixed(means.exchangesPerMonitor.mean, 1)),
      ...[daemons, apart].map((means) => fixed(means.bytesPerMonitor.mean / 1_000, 1)),
    ]);
  }
  const columns = ["full", "apart", "together", "full exch", "apart exch", "full kB", "apart kB"];
  table(print, ["monitors", "fan-out", "silent", "sizes", ...columns], rows);
}

/** Members whose swarms are run as they are, and members of the lighter model. */
const SWARMS: readonly number[] = [10, 50];
const MANY_MEMBERS = 1_000;
/** Whom each member calls: a few where the whole swarm runs, and half of its default room. */
const CALLED = { few: 3, many: 16 } as const;

/** How a case goes through members, and how two tongues are found. */
async function members(
  { print, seed, swarms }: {
    print: (line: string) => void;
    seed: number;
    swarms: readonly number[];
  },
): Promise<void> {
  say(print, "Members: what is passed on through sessions", [
    "A case that one member has found goes to all that it has a session with, and on. Links are",
    `drawn at random: each calls ${CALLED.few} others, of a thousand ${CALLED.many}. Up to ${
      Math.max(...swarms)
    } are`,
    "real swarms (sessions, statements, files) with stub monitors; a thousand are the lighter",
    "model. Swarms send the case on best paths to some members besides. A round is the time of one",
    "message. If everyone called everybody, a case would cost n·(n-1) calls.",
  ]);
  const record = await recordOfFork(await forkedLog());
  const rows: string[][] = [];
  for (const monitors of swarms) {
    const links = randomLinks({ count: monitors, each: CALLED.few, draw: drawFrom(seed) });
    const { rounds, messages, sessions } = await deliver({ count: monitors, links, seed }, record);
    rows.push(memberRow("swarms", { monitors, rounds, messages, sessions }));
  }
  const draw = drawFrom(seed);
  const links = randomLinks({ count: MANY_MEMBERS, each: CALLED.many, draw });
  const { at, messages } = flood(netInRounds(links, MANY_MEMBERS), new Map([[0, 0]]));
  const rounds = Math.max(...at);
  const sessions = links.length;
  rows.push(memberRow("model", { monitors: MANY_MEMBERS, rounds, messages, sessions }));
  const head = ["members", "by", "sessions", "each", "messages", "n·each", "n·(n-1)"];
  table(print, [...head, "rounds", "⌈log₂ n⌉+1"], rows);
  const { first, last } = twoTongues(netInRegions(links, MANY_MEMBERS, draw), 0);
  say(print, "Members: one that says two things, beside ConTrib", [
    `Of ${
      count(MANY_MEMBERS)
    } members in six regions one says two things under one number, each to`,
    `half of those it has a session with. The first to hear both has the proof after`,
    `${fixed(first / 1_000, 2)} s, and the last knows of it after ${
      fixed(last / 1_000, 2)
    } s, in the`,
    "lighter model with latencies between regions (round_trips.ts). ConTrib publishes that, with",
    "1 000 instances, a fork was detected within 22 seconds. What differs: theirs",
    "are real instances, ours is a model in which every member says its statement at once to all",
    "that it has a session with, nothing is lost, and checking a signature takes no time. Ours is",
    "therefore the time of distance alone, and no measurement of a thousand real members.",
  ]);
}

function memberRow(
  by: string,
  { monitors, rounds, messages, sessions }: {
    monitors: number;
    rounds: number;
    messages: number;
    sessions: number;
  },
): string[] {
  const each = 2 * sessions / monitors;
  return [
    ...[count(monitors), by, count(sessions), fixed(each, 1), count(messages)],
    ...[count(Math.round(monitors * each)), count(monitors * (monitors - 1))],
    ...[`${rounds}`, `${Math.ceil(Math.log2(monitors)) + 1}`],
  ];
}

function worst(means: readonly Means[], name: keyof SpreadResult): number {
  return Math.max(...means.map((mean) => mean[name].error));
}

/** A heading, and what is said of what comes under it: pieces of one paragraph. */
function say(print: (line: string) => void, heading: string, pieces: readonly string[]): void {
  const text = wrapped(pieces.join(" "));
  for (const line of [heading, "=".repeat([...heading].length), ...text, ""]) print(line);
}

/** A text as lines of at most so many columns. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > MAX_COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Columns as wide as they need to be; the first one flush left, all others flush right. */
function table(
  print: (line: string) => void,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const widths = head.map((name, i) =>
    Math.max(...[name, ...rows.map((row) => row[i]!)].map((cell) => [...cell].length))
  );
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, i) => {
      const space = " ".repeat(widths[i]! - [...cell].length);
      return i === 0 ? cell + space : space + cell;
    });
    print(cells.join(" ").trimEnd());
  }
  print("");
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "never";
}

function withError({ mean, error }: Mean): string {
  return `${fixed(mean, 2)}±${fixed(error, 2)}`;
}

function shareWithError(share: number, samples: number): string {
  const error = errorOfShare({ share, samples });
  return `${share.toFixed(3)} ±${(error * 1_000).toFixed(0).padStart(2)}`;
}

/** A whole number in groups of three. */
function count(value: number): string {
  return `${value}`.replace(/\B(?=(\d{3})+$)/g, " ");
}

function percent(share: number): string {
  return (share * 100).toFixed(0);
}
