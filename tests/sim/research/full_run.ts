/**
 * Runs whole daemons to see how a case spreads: for the tables of the report, and to compare with the
 * lighter model. Nothing fails, and the log begins to tell its second story at one moment.
 *
 * @module
 */
import { drawFrom } from "../draw.ts";
import { Fleet } from "../fleet.ts";
import type { FleetPlan } from "../plan.ts";
import { silentOf, type SpreadResult, type SpreadSetting } from "./spread.ts";

const GOSSIP_MS = 600_000;
/** Looks are frequent, because the spreading of a case is measured and not the time until a look. */
const POLL_MS = 20_000;
/** How many entries the two stories have in common. */
const START = 20;
/** The run ends after so many intervals even if not all monitors know the case. */
const MAX_ROUNDS = 30;

/** Runs whole daemons in a setting; see `FullRun`. */
export async function fullRun(setting: SpreadSetting, seed: number): Promise<SpreadResult> {
  const draw = drawFrom(seed);
  const silent = silentOf(setting);
  const honest = setting.monitors - silent;
  const order = draw.shuffled(Array.from({ length: honest }, (_, i) => i));
  const deceived = order.slice(0, setting.odd === "one" ? 1 : Math.floor(honest / 2));
  const everyone = Array.from({ length: setting.monitors }, (_, i) => i);
  const plan: FleetPlan = {
    seed,
    monitors: Array.from({ length: honest }, (_, i) => ({
      peers: everyone.filter((other) => other !== i),
      fanOut: setting.fanOut,
      ...{ gossipMs: GOSSIP_MS, pollMs: POLL_MS, rate: 1 },
      startsAt: draw.below(GOSSIP_MS),
      disk: { full: false, flaky: 0, slowMs: 0 },
    })),
    troublemakers: Array.from({ length: silent }, () => "silent"),
    logs: [{
      ...{ origin: "log-1.invalid", start: START, fork: START, growMs: Infinity, growBy: 1 },
      ...{ equalSizes: true, deceit: { kind: "split", deceived } },
    }],
    weather: {
      ...{ delayMs: 20, jitterMs: 20, loss: 0, doubled: 0 },
      ...{ segmentBytes: 1_460, windowBytes: 65_536 },
    },
    happenings: [],
    ...{ healsAt: Infinity, isCalm: true },
  };
  const fleet = new Fleet(plan);
  await fleet.start();
  const { time } = fleet;
  await time.runUntil(GOSSIP_MS);
  const before = fleet.spent();
  const split = time.now;
  const larger = setting.sizes === "equal" ? undefined : draw.below(2);
  fleet.logs[0]!.growTo([0, 1].map((story) => START + (story === larger ? 2 : 1)));
  const knownAt = (): readonly number[] => fleet.firstCases();
  await time.runUntil(split + MAX_ROUNDS * GOSSIP_MS, () => knownAt().length === honest);
  // Answers to the last message come within this time.
  await time.runUntil(time.now + POLL_MS);
  const after = fleet.spent();
  const times = knownAt();
  await fleet.end();
  const rounds = (at: number): number => (at - split) / GOSSIP_MS;
  return {
    detectionRound: rounds(Math.min(...times)),
    allKnowRound: times.length < honest ? Infinity : rounds(Math.max(...times)),
    exchangesPerMonitor: (after.exchanges - before.exchanges) / honest,
    bytesPerMonitor: (after.bytes - before.bytes) / honest,
  };
}
