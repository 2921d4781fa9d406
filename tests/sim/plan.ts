/**
 * The plan of a seed: which monitors, logs and troublemakers there are, and what goes wrong when. Each
 * kind of trouble is in some seeds and not in others, so that no kind hides another.
 *
 * @module
 */
import type { BEHAVIOURS } from "./malicious/behaviours.ts";
import type { DiskTrouble } from "./disk.ts";
import { type Draw, drawFrom } from "./draw.ts";
import { type Deceit, LOG_TROUBLES, type LogPlan, type LogTrouble } from "./logs.ts";
import type { Weather } from "./network.ts";
import { withMembers } from "./member_variety.ts";
import { withMirrors } from "./mirror_variety.ts";
import { withStore } from "./store_variety.ts";
import { varied } from "./variety.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** One monitor. */
export interface MonitorPlan {
  /** Numbers of its peers: monitors first, then troublemakers. */
  readonly peers: readonly number[];
  /** Numbers of the logs it follows, in the order of its list; all logs if left out. */
  readonly follows?: readonly number[];
  readonly fanOut: number;
  readonly gossipMs: number;
  readonly pollMs: number;
  /** How fast its clock runs: 1 for true time. */
  readonly rate: number;
  /** When it is switched on, in milliseconds after the start. */
  readonly startsAt: number;
  readonly disk: DiskTrouble;
  /** How it stands with members; it has none if left out. */
  readonly membership?: MembershipPlan;
  /** Numbers of the monitors whose journals it mirrors; it publishes none itself if left out. */
  readonly mirrors?: readonly number[];
}

/** A monitor or malicious member that a monitor has in its list by its key. */
export interface MemberPlan {
  /** The number of its machine. */
  readonly number: number;
  /** Whether its address is not configured: it calls, or others say where it is. */
  readonly byKeyAlone: boolean;
}

/** Whom a monitor has as members, and how it answers. */
export interface MembershipPlan {
  readonly members: readonly MemberPlan[];
  /** How many sessions it may have. */
  readonly room: number;
  readonly admit: "anyone" | "members";
}

/** What a malicious peer does. */
export type Malice =
  | "silent"
  | "garbage"
  | "slow"
  | "endless"
  | "replays"
  | "floods"
  | "forges"
  | "repeats evidence"
  /** it tells as many genuine old checkpoints of a log as it can */
  | "old checkpoints"
  /** it does so from many addresses, and tells no checkpoint twice; see `FleetPlan.crowd` */
  | "crowd";

const MALICE: readonly Malice[] = [
  ...["silent", "garbage", "slow", "endless", "replays", "floods", "forges"] as const,
  "repeats evidence",
];

/** What a malicious member does; see `malicious/`. */
export type MemberMalice =
  | keyof typeof BEHAVIOURS
  /** an honest one whose folder was copied, so that two daemons run with its key */
  | "copied";

/** Something that happens at a moment. */
export type Happening =
  & { readonly at: number }
  & (
    | { readonly does: "cuts"; readonly links: readonly (readonly [number, number])[] }
    | { readonly does: "mends" }
    | { readonly does: "stops" | "is killed"; readonly monitor: number; readonly downMs: number }
    | {
      readonly does: "loses power";
      readonly monitor: number;
      readonly downMs: number;
      /** The share that is kept of what was written and not synced. */
      readonly keepShare: number;
      /** It happens during the last of so many writes and syncs; at once if left out. */
      readonly inWrite?: number;
    }
    | {
      readonly does: "disk";
      readonly monitor: number;
      readonly trouble: "full" | "flaky" | "dead" | "well";
    }
    | { readonly does: "clock jumps"; readonly monitor: number; readonly ms: number }
    | { readonly does: "descriptors"; readonly monitor: number; readonly fail: boolean }
    | {
      readonly does: "log trouble";
      readonly log: number;
      readonly monitor: number;
      readonly trouble: LogTrouble | undefined;
    }
    | { readonly does: "freezes"; readonly log: number; readonly isFrozen: boolean }
    /** its program stands still: what it waits for comes later */
    | { readonly does: "pauses"; readonly monitor: number; readonly ms: number }
    | { readonly does: "store"; readonly happens: StoreHappening }
  );

/** What goes wrong with a store; without a site, with the way of all sites to it. */
export type StoreHappening =
  | { readonly is: "away" | "back"; readonly site?: number }
  /** the longest way of a statement, and of its answer */
  | { readonly is: "slow"; readonly travelMs: number }
  | { readonly is: "quick" }
  /** a commit happens, and who asked sees an error */
  | { readonly is: "losing answers"; readonly site: number }
  /** all connections break */
  | { readonly is: "cut" }
  /** a standby takes over that lacks so many commits */
  | { readonly is: "behind"; readonly commits: number }
  /** a backup is restored that lacks this share of all commits */
  | { readonly is: "restored"; readonly share: number }
  /** its clock jumps */
  | { readonly is: "at another time"; readonly ms: number }
  /** somebody writes garbage into a row */
  | { readonly is: "damaged" };

/** Monitors of one operator that share a store. */
export interface StorePlan {
  /** Their numbers. */
  readonly sites: readonly number[];
  readonly views: number;
  readonly leaseMs: number;
  /** The longest way of a statement, and of its answer, when nothing is wrong. */
  readonly travelMs: number;
  /** Of what is drawn about it. */
  readonly seed: number;
}

/** Many addresses that tell old checkpoints of the first log, the newest first. */
export interface CrowdPlan {
  readonly addresses: number;
  /** When they come, in milliseconds after the start. */
  readonly from: number;
  /** How many checkpoints each of them tells at once when they come. */
  readonly each: number;
  /** How many checkpoints a second all of them together tell after that. */
  readonly later: number;
}

/** A whole run. */
export interface FleetPlan {
  readonly seed: number;
  readonly monitors: readonly MonitorPlan[];
  readonly troublemakers: readonly Malice[];
  /** What every "crowd" among the troublemakers does. */
  readonly crowd?: CrowdPlan;
  /** Members that are malicious. Their machines come after those of the troublemakers. */
  readonly maliciousMembers?: readonly MemberMalice[];
  readonly store?: StorePlan;
  /** The region of each machine: see round_trips.ts. Without it, all links are as the weather says. */
  readonly regions?: readonly number[];
  readonly logs: readonly LogPlan[];
  readonly weather: Weather;
  /** In the order they happen. */
  readonly happenings: readonly Happening[];
  /** When all trouble but malice ends, in milliseconds after the start. */
  readonly healsAt: number;
  /** Whether there is no trouble, and the two stories part at that moment: all must be known soon. */
  readonly isCalm: boolean;
}

/** Options of a run besides its seed. */
export interface PlanOptions {
  /** How many honest monitors. */
  readonly monitors?: number | undefined;
  /** How long trouble lasts. */
  readonly hours?: number | undefined;
}

/** The plan of a seed. */
export function planOf(seed: number, options: PlanOptions = {}): FleetPlan {
  const plan = troubledPlanOf(seed, options);
  const isCalm = seed % ONE_IS_CALM === ONE_IS_CALM - 1;
  return withStore(withMirrors(withMembers(varied(isCalm ? calmed(plan) : plan))));
}

/** One seed in so many is calm. */
const ONE_IS_CALM = 7;

/** The same plan without trouble: the bounds in time must hold without an outage too. */
function calmed(plan: FleetPlan): FleetPlan {
  return {
    ...plan,
    isCalm: true,
    happenings: [],
    weather: { ...plan.weather, loss: 0, doubled: 0 },
    monitors: plan.monitors.map((monitor) => ({ ...monitor, startsAt: 0 })),
    // The logs stand still until all trouble would have ended. Only then do the two stories part.
    logs: plan.logs.map((log) => ({
      ...log,
      growMs: Infinity,
      fork: log.start,
      ...(log.deceit && {
        deceit: log.deceit.kind === "split"
          ? log.deceit
          : { kind: "split" as const, deceived: log.deceit.deceived },
      }),
    })),
  };
}

function troubledPlanOf(seed: number, options: PlanOptions): FleetPlan {
  const draw = drawFrom(seed);
  const count = options.monitors ?? draw.pick([2, 2, 3, 3, 3, 4, 5]);
  const healsAt = options.hours === undefined
    ? draw.between(4, 15) * MINUTE
    : Math.round(options.hours * 60 * MINUTE);
  const troublemakers = Array.from({ length: draw.pick([0, 0, 1, 1, 2]) }, () => draw.pick(MALICE));
  const logs = Array.from(
    { length: draw.pick([1, 1, 1, 2, 2, 3]) },
    (_, i) => logPlan({ draw, number: i, monitors: count, healsAt }),
  );
  const monitors = monitorPlans({ draw, count, troublemakers: troublemakers.length, healsAt });
  return {
    ...{ seed, monitors, troublemakers, logs, healsAt, isCalm: false },
    weather: weatherOf(draw),
    happenings: happeningsOf({ draw, monitors: count, logs: logs.length, healsAt }),
  };
}

function logPlan(
  { draw, number, monitors, healsAt }: {
    draw: Draw;
    number: number;
    monitors: number;
    healsAt: number;
  },
): LogPlan {
  // Some logs start just below a full tile.
  const start = draw.chance(0.2) ? draw.between(240, 256) : draw.between(0, 40);
  return {
    origin: `log-${number + 1}.invalid`,
    start,
    growMs: Math.round(healsAt / draw.between(1, 8)),
    growBy: draw.pick([1, 1, 3, 10]),
    equalSizes: draw.chance(0.4),
    fork: Math.max(0, start - draw.pick([0, 0, 0, 1, 2, 5])),
    ...(draw.chance(0.65) && { deceit: deceitOf({ draw, monitors, healsAt }) }),
  };
}

function deceitOf(
  { draw, monitors, healsAt }: { draw: Draw; monitors: number; healsAt: number },
): Deceit {
  const all = draw.shuffled(Array.from({ length: monitors }, (_, i) => i));
  const deceived = all.slice(0, draw.chance(0.5) ? 1 : draw.between(1, monitors - 1));
  const from = draw.chance(0.3) ? 0 : draw.below(healsAt);
  switch (draw.pick(["split", "split", "for a while", "once"] as const)) {
    case "split":
      return { kind: "split", deceived };
    case "for a while":
      return { kind: "for a while", deceived, from, to: draw.between(from, healsAt) };
    case "once":
      return { kind: "once", deceived: [deceived[0]!], from };
  }
}

function monitorPlans(
  { draw, count, troublemakers, healsAt }: {
    draw: Draw;
    count: number;
    troublemakers: number;
    healsAt: number;
  },
): MonitorPlan[] {
  const gossipMs = draw.between(20, 60) * SECOND;
  const pollMs = draw.between(20, 60) * SECOND;
  const shape = draw.pick(["everyone", "everyone", "ring", "star", "some"] as const);
  const drifts = draw.chance(0.4);
  const late = draw.chance(0.2);
  const slow = draw.chance(0.4);
  return Array.from({ length: count }, (_, i): MonitorPlan => {
    const others = Array.from({ length: count }, (_, other) => other).filter((one) => one !== i);
    const honest = {
      everyone: () => others,
      ring: () => [(i + 1) % count],
      star: () => i === 0 ? [] : [0],
      some: () => [...new Set([(i + 1) % count, draw.pick(others)])],
    }[shape]();
    const malicious = Array.from({ length: troublemakers }, (_, one) => count + one);
    return {
      peers: draw.shuffled([...honest, ...malicious.filter(() => draw.chance(0.7))]),
      fanOut: draw.between(1, 3),
      gossipMs,
      pollMs,
      rate: drifts ? 1 + (draw.share() - 0.5) / 500 : 1,
      startsAt: late && draw.chance(0.5) ? draw.below(healsAt) : draw.below(10 * SECOND),
      disk: { full: false, flaky: 0, slowMs: slow ? draw.pick([1, 10, 200]) : 0 },
    };
  });
}

function weatherOf(draw: Draw): Weather {
  const isBad = draw.chance(0.5);
  return {
    delayMs: draw.pick([0, 1, 20, 150]),
    jitterMs: draw.pick([0, 5, 50, 400]),
    loss: isBad ? draw.share() * 0.15 : 0,
    doubled: isBad ? draw.share() * 0.1 : 0,
    segmentBytes: draw.pick([104, 536, 1_460, 1_460]),
    windowBytes: draw.pick([4_096, 16_384, 65_536, 65_536]),
  };
}

/** Draws which kinds of trouble there are, and how often each comes, by the length of the run. */
function happeningsOf(
  { draw, monitors, logs, healsAt }: {
    draw: Draw;
    monitors: number;
    logs: number;
    healsAt: number;
  },
): Happening[] {
  const happenings: Happening[] = [];
  const moment = (): number => draw.below(healsAt);
  const later = (at: number): number => draw.between(at, healsAt);
  const some = (share: number, often: number, make: () => void): void => {
    if (!draw.chance(share)) return;
    const times = draw.between(1, Math.max(1, Math.round(often * healsAt / (15 * MINUTE))));
    for (let i = 0; i < times; i++) make();
  };
  const one = (): number => draw.below(monitors);
  const downMs = (): number => draw.pick([0, SECOND, 30 * SECOND, 5 * MINUTE]);

  some(0.4, 2, () => {
    const at = moment();
    const side = new Set(
      Array.from({ length: monitors }, (_, i) => i).filter(() => draw.chance(0.5)),
    );
    const links = Array.from({ length: monitors }, (_, a) => a).flatMap((a) =>
      Array.from({ length: a }, (_, b) => [a, b] as const)
    ).filter(([a, b]) => side.has(a) !== side.has(b));
    happenings.push({ at, does: "cuts", links }, { at: later(at), does: "mends" });
  });
  some(
    0.2,
    2,
    () => happenings.push({ at: moment(), does: "stops", monitor: one(), downMs: downMs() }),
  );
  some(
    0.35,
    3,
    () => happenings.push({ at: moment(), does: "is killed", monitor: one(), downMs: downMs() }),
  );
  some(0.4, 3, () =>
    happenings.push({
      ...{ at: moment(), does: "loses power", monitor: one(), downMs: downMs() },
      keepShare: draw.pick([0, 1, draw.share()]),
      ...(draw.chance(0.6) && { inWrite: draw.between(1, 12) }),
    }));
  some(0.35, 2, () => {
    const [at, monitor] = [moment(), one()];
    happenings.push(
      { at, does: "disk", monitor, trouble: draw.pick(["full", "flaky", "flaky", "dead"]) },
      { at: later(at), does: "disk", monitor, trouble: "well" },
    );
  });
  some(0.3, 2, () => {
    const ms = draw.pick([-1, 1]) * draw.pick([SECOND, 10 * MINUTE, 400 * 24 * 60 * MINUTE]);
    happenings.push({ at: moment(), does: "clock jumps", monitor: one(), ms });
  });
  some(0.1, 1, () => {
    const [at, monitor] = [moment(), one()];
    happenings.push({ at, does: "descriptors", monitor, fail: true });
    happenings.push({ at: later(at), does: "descriptors", monitor, fail: false });
  });
  some(0.5, 5, () => {
    const [at, monitor, log] = [moment(), one(), draw.below(logs)];
    const trouble = draw.chance(0.3) ? "old checkpoints" : draw.pick(LOG_TROUBLES);
    happenings.push({ at, does: "log trouble", log, monitor, trouble });
    happenings.push({ at: later(at), does: "log trouble", log, monitor, trouble: undefined });
  });
  some(0.2, 1, () => {
    const [at, log] = [moment(), draw.below(logs)];
    happenings.push({ at, does: "freezes", log, isFrozen: true });
    happenings.push({ at: later(at), does: "freezes", log, isFrozen: false });
  });
  return happenings.sort((a, b) => a.at - b.at);
}
