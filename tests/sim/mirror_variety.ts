/**
 * In some fleets monitors publish their journals and mirror those of others. This is drawn from a
 * separate stream and added last, so that other seeds stay the same.
 *
 * @module
 */
import { drawFrom } from "./draw.ts";
import type { FleetPlan } from "./plan.ts";

/** Added to a seed to make a separate stream. */
const OF_ITS_OWN = 0x3a11e;
/** The share of fleets that mirror, and of the journals of others that a monitor mirrors. */
const SHARE = 0.2;
const MIRRORED = 0.8;

/** Adds mirrors to a plan, if its seed draws that. */
export function withMirrors(plan: FleetPlan): FleetPlan {
  const draw = drawFrom(plan.seed + OF_ITS_OWN * 2 ** 16);
  // A crowd is about strangers, and each of its frames is work.
  if (plan.crowd !== undefined || !draw.chance(SHARE)) return plan;
  const numbers = plan.monitors.map((_, number) => number);
  const monitors = plan.monitors.map((monitor, number) => ({
    ...monitor,
    mirrors: numbers.filter((other) => other !== number && draw.chance(MIRRORED)),
  }));
  return { ...plan, monitors };
}
