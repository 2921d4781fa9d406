/**
 * In some fleets two to four monitors are one operator's sites, which share a store. The store is away,
 * slow, forgets, is damaged; sites are paused. This is drawn from a separate stream and added last, so
 * that other seeds stay the same.
 *
 * @module
 */
import { type Draw, drawFrom } from "./draw.ts";
import type { FleetPlan, Happening, StoreHappening, StorePlan } from "./plan.ts";

/** Added to a seed to make a separate stream. */
const OF_ITS_OWN = 0x570e3;
/** The share of fleets that have sites. */
const SHARE = 0.3;
const MOST_SITES = 4;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Adds a store to a plan, if its seed draws that. */
export function withStore(plan: FleetPlan): FleetPlan {
  const draw = drawFrom(plan.seed + OF_ITS_OWN * 2 ** 16);
  // A crowd is about strangers, and each of its frames is work.
  if (plan.crowd !== undefined || !draw.chance(SHARE)) return plan;
  const numbers = draw.shuffled(plan.monitors.map((_, number) => number));
  const store: StorePlan = {
    sites: numbers.slice(0, draw.between(2, MOST_SITES)).sort((a, b) => a - b),
    views: draw.pick([1, 1, 2, 3]),
    leaseMs: draw.pick([5, 15, 30, 120]) * SECOND,
    travelMs: draw.pick([0, 1, 20, 300]),
    seed: draw.below(2 ** 31),
  };
  if (plan.isCalm) return { ...plan, store };
  const more = happeningsOf({ draw, store, healsAt: plan.healsAt });
  // Sites that are apart learn from each other by the store alone.
  const monitors = draw.chance(0.5) ? plan.monitors : apart(plan, store);
  const happenings = [...plan.happenings, ...more].sort((a, b) => a.at - b.at);
  return { ...plan, monitors, store, happenings };
}

/** The sites do not call each other. */
function apart({ monitors }: FleetPlan, { sites }: StorePlan): FleetPlan["monitors"] {
  return monitors.map((monitor, number) => {
    if (!sites.includes(number) || monitor.membership !== undefined) return monitor;
    return { ...monitor, peers: monitor.peers.filter((peer) => !sites.includes(peer)) };
  });
}

function happeningsOf(
  { draw, store: { sites, leaseMs }, healsAt }: { draw: Draw; store: StorePlan; healsAt: number },
): Happening[] {
  const happenings: Happening[] = [];
  const moment = (): number => draw.below(healsAt);
  const later = (at: number): number => Math.min(healsAt, at + draw.between(SECOND, 6 * MINUTE));
  const one = (): number => draw.pick(sites);
  const some = (share: number, often: number, make: () => void): void => {
    if (!draw.chance(share)) return;
    const times = draw.between(1, Math.max(1, Math.round(often * healsAt / (15 * MINUTE))));
    for (let i = 0; i < times; i++) make();
  };
  const store = (at: number, happens: StoreHappening): void => {
    happenings.push({ at, does: "store", happens });
  };
  some(0.4, 2, () => {
    const at = moment();
    store(at, { is: "away" });
    store(later(at), { is: "back" });
  });
  some(0.4, 3, () => {
    const [at, site] = [moment(), one()];
    store(at, { is: "away", site });
    store(later(at), { is: "back", site });
  });
  some(0.3, 2, () => {
    const at = moment();
    store(at, { is: "slow", travelMs: draw.pick([1_000, 4_000, 12_000]) });
    store(later(at), { is: "quick" });
  });
  some(0.4, 6, () => store(moment(), { is: "losing answers", site: one() }));
  some(0.3, 4, () => store(moment(), { is: "cut" }));
  some(0.4, 3, () => store(moment(), { is: "behind", commits: draw.pick([1, 3, 20, 200]) }));
  some(0.2, 1, () => store(moment(), { is: "restored", share: draw.share() }));
  some(0.25, 2, () => {
    const ms = draw.pick([-1, 1]) * draw.pick([SECOND, 20 * SECOND, 5 * MINUTE, 60 * MINUTE]);
    store(moment(), { is: "at another time", ms });
  });
  some(0.3, 6, () => store(moment(), { is: "damaged" }));
  some(0.5, 4, () => {
    const ms = draw.pick([leaseMs / 2, 2 * leaseMs, 4 * leaseMs, MINUTE]);
    const at = moment();
    happenings.push({ at, does: "pauses", monitor: one(), ms: Math.min(ms, healsAt - at) });
  });
  return happenings;
}
