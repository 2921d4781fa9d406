/**
 * Makes fleets differ from one another: different lists of logs, forks below the views, floods of
 * genuine old checkpoints. These are drawn from a separate stream, so that a seed's other trouble stays
 * the same. They are added last, so that calm seeds have them too.
 *
 * @module
 */
import { type Draw, drawFrom } from "./draw.ts";
import type { LogPlan, RequestLimit } from "./logs.ts";
import type { FleetPlan } from "./plan.ts";

/** Added to a seed to make two separate streams. Draws from one do not change those of the other. */
const OF_ITS_OWN = 0x5eed;
const ALSO_OF_ITS_OWN = 0xbead;
/** How many entries a log has that has many old checkpoints. */
const LONG_HISTORY = { least: 150, most: 300 };
/** The longest time of an operation on a disk that cannot keep up with a flood. */
const SLOW_DISK_MS = 50;

/**
 * A crowd of strangers against slow disks and slow tiles. It tells more checkpoints than the strangers'
 * room holds. It has more addresses than are settled between two looks. Writing what it tells takes
 * longer than a look may be late.
 */
const CROWD = { addresses: 120, each: 6, later: 1 };
const CROWDED = {
  ...{ pollMs: 5_000, gossipMs: 20_000, slowDiskMs: 650, answerMs: 1_000 },
  ...{ entries: 1_300, headStartMs: 10_000 },
};
/** The most monitors of a fleet with a crowd, because each frame is work for every monitor. */
const MOST_CROWDED = 3;

/** Adds to a plan what its seed draws here. */
export function varied(plan: FleetPlan): FleetPlan {
  const draw = drawFrom(plan.seed + OF_ITS_OWN * 2 ** 16);
  const withForks = draw.chance(0.2) ? withFork(plan, draw) : plan;
  const flooded = draw.chance(0.05) ? withFlood(withForks, draw) : withForks;
  const unlike = draw.chance(0.4) ? withUnlikeLists(flooded, draw) : flooded;
  return variedAnew(unlike);
}

function variedAnew(plan: FleetPlan): FleetPlan {
  const draw = drawFrom(plan.seed + ALSO_OF_ITS_OWN * 2 ** 16);
  const isCrowded = plan.isCalm && plan.monitors.length <= MOST_CROWDED && draw.chance(0.25);
  if (isCrowded) return withCrowd(plan, draw);
  if (plan.monitors.length > 2 && draw.chance(0.08)) return withHub(plan, draw);
  const placed = draw.chance(0.1) ? withPlaces(plan, draw) : plan;
  return draw.chance(0.08) ? withLimits(placed, draw) : placed;
}

/** One of the logs is served at several places. One place may show some monitors another story. */
function withPlaces(plan: FleetPlan, draw: Draw): FleetPlan {
  const number = draw.below(plan.logs.length);
  const log = plan.logs[number]!;
  if (log.deceit !== undefined && log.deceit.kind !== "split") return plan;
  const others = Array.from(
    { length: draw.between(0, 2) },
    () => draw.pick(["same", "lags", "down"] as const),
  );
  const all = draw.shuffled(plan.monitors.map((_, i) => i));
  const deceived = all.slice(0, draw.between(1, all.length - 1));
  const isSplit = log.deceit === undefined && draw.chance(0.7);
  const placed: LogPlan = {
    ...log,
    places: isSplit || others.length === 0 ? ["same", ...others] : others,
    ...(isSplit && { fork: log.start, deceit: { kind: "place", deceived, place: 1 } }),
  };
  return { ...plan, logs: plan.logs.with(number, placed) };
}

/** Every log answers a few requests in each window, enough for a look, and puts off the rest. */
function withLimits(plan: FleetPlan, draw: Draw): FleetPlan {
  const limit: RequestLimit = {
    requests: draw.between(2, 6),
    windowMs: draw.pick([2_000, 5_000, 8_000]),
    status: draw.pick([429, 503]),
  };
  return { ...plan, logs: plan.logs.map((log) => ({ ...log, limit })) };
}

/**
 * One monitor, the hub, calls all others, one in each round. The others call nobody. One of the others
 * is shown another story. Only the hub can find that out, and only if it calls all of them.
 */
function withHub(plan: FleetPlan, draw: Draw): FleetPlan {
  const [hub, ...others] = draw.shuffled(plan.monitors.map((_, i) => i));
  const deceived = [draw.pick(others)];
  const [first, ...logs] = plan.logs;
  return {
    ...plan,
    // The other logs are honest: a case of another log would make the hub call everyone at once.
    logs: [
      { ...first!, deceit: { kind: "split", deceived } },
      ...logs.map(({ deceit: _, ...log }) => log),
    ],
    troublemakers: [],
    monitors: plan.monitors.map(({ follows: _, ...monitor }, i) => ({
      ...monitor,
      ...{ peers: i === hub ? draw.shuffled(others) : [], fanOut: 1 },
    })),
  };
}

/**
 * Everything works. From many addresses a malicious peer tells everyone a log's old checkpoints, just
 * before that log shows one monitor a fork far below. What the log and configured peers say must not
 * wait for what the crowd tells.
 */
function withCrowd(plan: FleetPlan, draw: Draw): FleetPlan {
  const { pollMs, gossipMs, slowDiskMs, answerMs, entries, headStartMs } = CROWDED;
  const everyone = plan.monitors.map((_, i) => i);
  const first: LogPlan = {
    ...plan.logs[0]!,
    ...{ start: entries, fork: draw.between(5, 50), growMs: Infinity, equalSizes: false, answerMs },
    deceit: { kind: "below", deceived: [draw.pick(everyone)], from: plan.healsAt },
  };
  const honest: LogPlan = {
    ...{ origin: "log-2.invalid", start: draw.between(0, 20), fork: 0 },
    ...{ growMs: Infinity, growBy: 2, equalSizes: true, answerMs },
  };
  return {
    ...plan,
    logs: [first, honest],
    troublemakers: ["crowd"],
    crowd: { ...CROWD, from: plan.healsAt - headStartMs },
    weather: {
      delayMs: 20,
      jitterMs: 20,
      loss: 0,
      doubled: 0,
      segmentBytes: 1_460,
      windowBytes: 65_536,
    },
    monitors: plan.monitors.map(({ follows: _, ...monitor }, i) => ({
      ...monitor,
      peers: everyone.filter((other) => other !== i),
      fanOut: everyone.length,
      ...{ pollMs, gossipMs, disk: { ...monitor.disk, slowMs: slowDiskMs } },
    })),
  };
}

/** One of the logs shows some monitors a fork that parts far below what everyone was shown. */
function withFork(plan: FleetPlan, draw: Draw): FleetPlan {
  const count = plan.monitors.length;
  const all = draw.shuffled(Array.from({ length: count }, (_, i) => i));
  const deceived = all.slice(0, draw.between(1, count - 1));
  const start = draw.between(30, 300);
  const number = draw.below(plan.logs.length);
  const from = plan.isCalm ? 0 : draw.below(plan.healsAt);
  const forked: LogPlan = {
    ...plan.logs[number]!,
    ...{ start, fork: draw.between(1, start - 20), equalSizes: false },
    deceit: { kind: "below", deceived, from },
  };
  return { ...plan, logs: plan.logs.with(number, forked) };
}

/** One log has a long history, and malicious peers tell everyone its genuine old checkpoints. */
function withFlood(plan: FleetPlan, draw: Draw): FleetPlan {
  const { least, most } = LONG_HISTORY;
  const [first, ...rest] = plan.logs;
  const start = draw.between(least, most);
  const fork = first!.deceit?.kind === "below"
    ? draw.between(1, start - 20)
    : start - draw.below(3);
  const isSlow = draw.chance(0.5);
  return {
    ...plan,
    troublemakers: plan.troublemakers.map(() => "old checkpoints"),
    // There is at least one such peer, even if it is in nobody's list.
    ...(plan.troublemakers.length === 0 && { troublemakers: ["old checkpoints"] }),
    logs: [{ ...first!, start, fork }, ...rest],
    monitors: plan.monitors.map((monitor) => ({
      ...monitor,
      ...(isSlow && { disk: { ...monitor.disk, slowMs: SLOW_DISK_MS } }),
    })),
  };
}

/** Everyone follows some of the logs. Some monitors also follow a log that nobody else knows. */
function withUnlikeLists(plan: FleetPlan, draw: Draw): FleetPlan {
  const logs = [...plan.logs];
  const monitors = plan.monitors.map((monitor, i) => {
    const shared = draw.shuffled(plan.logs.map((_, log) => log));
    const follows = shared.slice(0, draw.chance(0.3) ? draw.between(1, shared.length) : Infinity);
    if (draw.chance(0.6)) {
      follows.push(logs.length);
      const growMs = Math.round(plan.healsAt / 4);
      logs.push({
        ...{ origin: `private-${i + 1}.invalid`, start: draw.between(0, 20), fork: 0 },
        ...{ growMs: plan.isCalm ? Infinity : growMs, growBy: 2, equalSizes: true },
      });
    }
    return { ...monitor, follows: draw.shuffled(follows) };
  });
  return { ...plan, logs, monitors };
}
